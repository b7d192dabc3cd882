// The hdf5 layout behind the Format interface; see README.md for its bytes.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_hdf5_format();

}  // namespace ckpt
