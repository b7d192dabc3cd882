// A file of JLD2 as a document.
#pragma once

#include <memory>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt::jld2 {

/// Structure now, elements of arrays when they are read. Throws Error (kDamaged, kUnsupported) with the path of the
/// object; damage below the root is noted in the document instead.
Document read_document(std::shared_ptr<const h5::H5File> file, const Source& source, const Context& context);

}  // namespace ckpt::jld2
