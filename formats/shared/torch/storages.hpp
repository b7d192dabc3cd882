// Storages as pickles of torch name them, and where a file keeps their bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

/// A storage class with its name.
struct StorageClass {
    std::string name;  ///< "torch.FloatStorage"
    StorageType type;

    /// Bytes of so many elements as the class counts them; nullopt where that is no number of bytes.
    std::optional<std::uint64_t> bytes(std::uint64_t count) const;
    /// Of the storage seen as a tensor: packed codes are seen as bytes.
    DType shown_dtype() const noexcept;
    /// Bytes that change places in a file of the other byte order.
    unsigned swap_width() const noexcept;
    /// Whether torch takes it for bytes, so that others of the kind may name the same storage.
    bool is_byte_like() const noexcept { return type.untyped || type.dtype == DType::kUInt8; }
};
/// Throws Error (kDamaged) for what is no class that is known.
StorageClass parse_storage_class(const Value& value);

/// A key as text, from a text or a number. Throws Error (kDamaged).
std::string storage_key(const Value& value);

/// What a persistent id says: ('storage', class, key, location, count, ...).
struct StorageId {
    StorageClass cls;
    std::string key;
    std::string location;
    std::uint64_t count = 0;
    std::uint64_t size_bytes = 0;
};
/// `place` is what messages call a storage of that key, up to the key: "data/". Throws Error (kDamaged).
StorageId parse_storage_id(const std::vector<Value>& items, std::string_view place);

/// Where a file keeps the bytes of storages.
class StorageSource {
public:
    virtual ~StorageSource() = default;
    /// The bytes of a storage, as little-endian elements. Throws Error (kDamaged) where they are not there, or not as
    /// many as it needs. Warns of what is odd about them. Asked once for each storage.
    virtual BlobPtr storage_bytes(const StorageId& id, const Context& context) const = 0;
    /// What messages call a storage, up to its key: "data/", "".
    virtual std::string_view place() const noexcept = 0;
};

}  // namespace ckpt
