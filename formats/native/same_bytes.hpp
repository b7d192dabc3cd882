// Which storages have equal bytes.
#pragma once

#include <cstddef>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt::native {

/// A number per blob, from 0 in the order of first appearance; two have the same number where all their bytes are
/// equal. What is the same place (one blob, or one range of a file) is equal without a look; others are compared by
/// size, then by samples, then by digests (known ones where there are some), and in the end by the bytes themselves.
std::vector<std::size_t> number_contents(const std::vector<BlobPtr>& blobs, const Context& context);

}  // namespace ckpt::native
