// JLD2, Julia's checkpoints: a dialect of HDF5 with Julia's types (README has the bytes and what they mean).
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_jld2_format();

}  // namespace ckpt
