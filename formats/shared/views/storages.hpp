// The storages of a file that is being read: tensors that name one number share it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "formats/shared/views/views.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

class SharedStorages {
public:
    struct Claim {
        std::uint64_t number = 0;
        std::uint64_t size_bytes = 0;
        std::string location;
    };
    /// A view of a storage that is put together when all views are known. Throws Error (kDamaged) if the tensor leaves
    /// it, or if others say that it has another size. `path` is named.
    void add(const Claim& claim, TensorNode& tensor, BlobPtr elements, const std::string& path);
    /// The storage's bytes as they stand on their own.
    void set_data(std::uint64_t number, BlobPtr data) { storages_[number].data = std::move(data); }
    /// Gives each tensor its storage. Throws Error (kDamaged) where views are not enough.
    void finish();

private:
    struct Storage {
        std::uint64_t size_bytes = 0;
        std::string location;
        std::vector<ReadView> views;
        BlobPtr data;
        std::string first_path;
    };
    std::map<std::uint64_t, Storage> storages_;
};

}  // namespace ckpt
