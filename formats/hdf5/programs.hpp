// What tells the programs that write HDF5 files, and what is special about their values.
#pragma once

#include <string>

#include "formats/hdf5/own_attributes.hpp"
#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

/// Who wrote a file that is not ours, as far as its root says so; else empty.
std::string producer_of(const OwnAttributes& root);
/// Whether MATLAB says of a dataset what it is.
bool is_matlab_array(const OwnAttributes& attributes);
/// MATLAB writes its column-major arrays as they lie in memory: their axes are the file's, last one first.
void reverse_axes(TensorNode& tensor);

}  // namespace ckpt::hdf5
