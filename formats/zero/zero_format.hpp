// The layout `zero`: folders of DeepSpeed's ZeRO optimizers; see README.md.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_zero_format();

}  // namespace ckpt
