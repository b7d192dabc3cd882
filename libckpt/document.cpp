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

}  // namespace ckpt
