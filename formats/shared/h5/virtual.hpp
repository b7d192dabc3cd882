// Virtual datasets, which are made of parts of others, and data that lie in files of their own.
#pragma once

#include <memory>

#include "formats/shared/h5/h5.hpp"

namespace ckpt::h5 {

/// Gives a virtual dataset without a size of its own the size that its sources have now.
void update_virtual_extent(const H5File& file, Dataset& dataset);

/// The elements of a virtual dataset. Where no source has an element, and where a source that may be read is not there,
/// the fill value stands. Throws Error (kRefused) naming a source that may not be read: in another file (unless the
/// file has an opener), the dataset itself.
BlobPtr virtual_blob(const H5File& file, const Dataset& dataset);

/// Data that lie in other files. Throws Error (kRefused) naming the file unless there is an opener. What lies behind a
/// file's end is zero, as in HDF5.
BlobPtr external_blob(const H5File& file, const Dataset& dataset);

}  // namespace ckpt::h5
