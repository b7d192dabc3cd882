// Persistent ids, item by item.
#include "formats/shared/torch/storages.hpp"

#include "formats/shared/pickle/calls.hpp"
#include "libckpt/error.hpp"

namespace ckpt {

std::optional<std::uint64_t> StorageClass::bytes(std::uint64_t count) const {
    return type.counts_bytes ? count : dtype_bytes(type.dtype, count);
}

DType StorageClass::shown_dtype() const noexcept {
    return type.counts_bytes ? DType::kUInt8 : type.dtype;
}

unsigned StorageClass::swap_width() const noexcept {
    if (type.counts_bytes) return 1;
    return dtype_width(type.dtype) / (dtype_info(type.dtype).cls == DTypeClass::kComplex ? 2 : 1);
}

StorageClass parse_storage_class(const Value& value) {
    std::string name = global_name_of(value);
    const auto type = storage_type(name);
    if (!type) throw_damaged("'{}' is no storage class that is known", name);
    return {std::move(name), *type};
}

std::string storage_key(const Value& value) {
    if (!value.is(Kind::kString) && !value.is(Kind::kInt) && !value.is(Kind::kBytes))
        throw_damaged("a storage key is a {}", kind_name(value.kind()));
    std::string key = value.is(Kind::kInt)      ? value.integer_text()
                      : value.is(Kind::kString) ? std::string(value.as_string())
                                                : std::string(value.as_bytes());
    if (key.empty()) throw_damaged("a storage key is empty");
    return key;
}

StorageId parse_storage_id(const std::vector<Value>& items, std::string_view place) {
    if (items.size() < 5) throw_damaged("a persistent id has {} items, expected 5", items.size());
    if (!items[0].is(Kind::kString) || items[0].as_string() != "storage") {
        throw_damaged("a persistent id is of kind '{}', expected 'storage'",
                      items[0].is(Kind::kString) ? items[0].as_string() : kind_name(items[0].kind()));
    }
    StorageId id;
    id.cls = parse_storage_class(items[1]);
    id.key = storage_key(items[2]);
    if (items[3].is(Kind::kString)) id.location = items[3].as_string();
    const auto count = items[4].as_uint64();
    const auto size = count ? id.cls.bytes(*count) : std::nullopt;
    if (!size) {
        throw_damaged(
            "storage '{}{}' has an element count of {}", place, id.key,
            items[4].is(Kind::kInt) ? items[4].integer_text() : fmt::format("kind {}", kind_name(items[4].kind())));
    }
    id.count = *count;
    id.size_bytes = *size;
    return id;
}

}  // namespace ckpt
