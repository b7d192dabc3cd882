// Any HDF5 file as a document; one in our schema as the document that was written.
#pragma once

#include "formats/shared/h5/h5.hpp"
#include "libckpt/document.hpp"

namespace ckpt::hdf5 {

/// Structure now, tensors on demand. Throws Error (kDamaged, kUnsupported) naming the object. `file_name` stands in the
/// errors of data that are decoded later.
Document read_document(const std::shared_ptr<const h5::H5File>& file, const std::string& file_name,
                       const Context& context);

}  // namespace ckpt::hdf5
