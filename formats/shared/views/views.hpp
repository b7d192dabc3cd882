// Storages and the views of them: which views show all of a storage's bytes, and storages put together from views.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// Whether the storage can be rebuilt from the view's logical elements: no two elements lie over each other, but along
/// dimensions of stride 0, and no dimension's steps lie between those of another.
bool is_invertible(const TensorNode& view);

/// A view as it was read: where its elements belong in the storage, and the elements.
struct ReadView {
    TensorNode* tensor = nullptr;  ///< dtype, shape, stride, offset, conj and neg are set and in bounds
    BlobPtr elements;              ///< logical, row-major
};

/// A blob of `size_bytes` bytes that holds what the views show, and zeros elsewhere. Computed when it is read. All
/// views must be invertible. One that is the whole storage is the blob itself.
BlobPtr storage_from_views(const std::vector<ReadView>& views, std::uint64_t size_bytes);

}  // namespace ckpt
