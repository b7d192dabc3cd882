// bfloat16 as float32 and back.
#pragma once

#include "libckpt/blob.hpp"

namespace ckpt::jld2 {

/// Exact. Computed when it is read.
BlobPtr widened_bfloat16(BlobPtr elements);
/// The upper halves: exact for what was widened, cut for other numbers.
BlobPtr narrowed_bfloat16(BlobPtr elements);

}  // namespace ckpt::jld2
