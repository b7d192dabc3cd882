// The layouts `npy` and `npz`: NumPy's arrays, one by itself or several in a zip archive.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_npy_format();
std::unique_ptr<Format> make_npz_format();

}  // namespace ckpt
