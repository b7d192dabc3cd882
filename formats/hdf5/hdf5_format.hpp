// The layout "hdf5": any HDF5 file for reading; documents in our schema for writing (README).
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_hdf5_format();

}  // namespace ckpt
