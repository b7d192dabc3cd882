// Which storages have equal bytes.
#pragma once

#include <cstddef>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt::native {

/// A number per blob, from 0 in the order of first appearance; two have the same number where all their bytes are
/// equal. Compares sizes, then known digests or samples, then whole digests, and in the end the bytes themselves.
std::vector<std::size_t> number_contents(const std::vector<BlobPtr>& blobs, const Context& context);

}  // namespace ckpt::native
