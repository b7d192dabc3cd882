// Any HDF5 file as a document; one in our schema as the document that was written.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/document.hpp"

namespace ckpt::hdf5 {

/// kReversed: arrays that MATLAB wrote have the file's axes in reverse; the bytes stay where they are.
enum class AxisOrder : std::uint8_t { kStored, kReversed };

/// Structure now, tensors on demand. Throws Error (kDamaged, kUnsupported) naming the object. `file_name` stands in the
/// errors of data that are decoded later.
Document read_document(const std::shared_ptr<const h5::H5File>& file, const std::string& file_name, AxisOrder axes,
                       const Context& context);

}  // namespace ckpt::hdf5
