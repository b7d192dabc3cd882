// Collecting views, then making one storage of each number.
#include "formats/shared/views/storages.hpp"

#include <limits>

#include "libckpt/error.hpp"

namespace ckpt {

void SharedStorages::add(const Claim& claim, TensorNode& tensor, BlobPtr elements, const std::string& path) {
    Storage& storage = storages_[claim.number];
    if (storage.views.empty()) {
        storage.size_bytes = claim.size_bytes;
        storage.location = claim.location;
        storage.first_path = path;
    } else if (storage.size_bytes != claim.size_bytes) {
        throw_damaged("'{}': storage {} has {} bytes, but {} for '{}'", path, claim.number, claim.size_bytes,
                      storage.size_bytes, storage.first_path);
    }
    tensor.storage = std::make_shared<const ckpt::Storage>(ckpt::Storage{zero_blob(claim.size_bytes), claim.location});
    tensor.check_bounds(path);
    storage.views.push_back({&tensor, std::move(elements)});
}

void SharedStorages::finish() {
    for (auto& [number, storage] : storages_) {
        BlobPtr bytes = std::move(storage.data);
        if (bytes && bytes->size_bytes() != storage.size_bytes) {
            throw_damaged("'{}': the bytes of storage {} are {}, it has {}", storage.first_path, number,
                          bytes->size_bytes(), storage.size_bytes);
        }
        if (!bytes) {
            for (const ReadView& view : storage.views) {
                const bool is_empty = view.tensor->element_count() == std::optional<std::uint64_t>(0);
                if (!is_empty && !is_invertible(*view.tensor)) {
                    throw_damaged(
                        "'{}': elements of a view of storage {} lie over each other, and its bytes are not given",
                        storage.first_path, number);
                }
            }
            bytes = storage_from_views(storage.views, storage.size_bytes);
        }
        const auto shared = std::make_shared<const ckpt::Storage>(ckpt::Storage{std::move(bytes), storage.location});
        for (const ReadView& view : storage.views) view.tensor->storage = shared;
    }
}

}  // namespace ckpt
