// torch's distributed checkpoints: a folder of `.metadata` and `.distcp` files, or of safetensors files.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_dcp_format();
std::unique_ptr<Format> make_dcp_safetensors_format();

}  // namespace ckpt
