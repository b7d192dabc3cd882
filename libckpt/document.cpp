// Attributes and ownership of a document.
#include "libckpt/document.hpp"

#include <algorithm>

namespace ckpt {

const Value* Document::attribute(std::string_view name) const noexcept {
    for (const auto& [key, value] : attributes) {
        if (key == name) return &value;
    }
    return nullptr;
}

void Document::set_attribute(std::string_view name, Value value) {
    for (auto& [key, old] : attributes) {
        if (key == name) {
            old = value;
            return;
        }
    }
    attributes.emplace_back(name, value);
}

void Document::adopt_pools(const Document& other) {
    const bool is_new = std::find(pools.begin(), pools.end(), other.pools.front()) == pools.end();
    if (is_new) source_bytes += other.source_bytes;
    for (const auto& owned : other.pools) {
        if (std::find(pools.begin(), pools.end(), owned) == pools.end()) pools.push_back(owned);
    }
}

Value tied_tensor(Pool& pool, const TensorNode& tensor) {
    auto* tied = pool.make<TensorNode>();
    tied->dtype = tensor.dtype;
    tied->shape = tensor.shape;
    tied->stride = tensor.stride;
    tied->offset = tensor.offset;
    tied->storage = tensor.storage;
    tied->conj = tensor.conj;
    tied->neg = tensor.neg;
    tied->requires_grad = tensor.requires_grad;
    if (tensor.attributes) tied->attributes = std::make_unique<NamedValues>(*tensor.attributes);
    return Value::of(tied);
}

void add_aliases(Document& document) {
    for (const auto& [name, target] : document.aliases) {
        const Value* value = document.root.dict().find(target);
        if (value == nullptr || !value->is(Kind::kTensor)) continue;
        const Value tied = tied_tensor(document.pool(), value->tensor());
        document.root.dict().entries.emplace_back(document.pool().string(name), tied);
    }
    document.aliases.clear();
}

}  // namespace ckpt
