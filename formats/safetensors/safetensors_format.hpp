// The layout `safetensors`.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_safetensors_format();

}  // namespace ckpt
