// The native layout behind the Format interface; see README.md for its bytes.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_native_format();

}  // namespace ckpt
