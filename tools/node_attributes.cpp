// Telling attributes of the user from marks.
#include "tools/node_attributes.hpp"

#include <algorithm>

#include "libckpt/path.hpp"

namespace ckpt {
namespace {

/// The name behind a prefix that counts; empty where there is none.
std::string_view user_name(const Registry& registry, std::string_view full) {
    const std::size_t colon = full.find(':');
    if (colon == std::string_view::npos) return {};
    const Format* format = registry.by_name(full.substr(0, colon));
    std::string_view name = full.substr(colon + 1);
    if (format == nullptr || !format->capabilities().has_attributes) return {};
    const std::size_t bare = std::min(name.find_first_not_of('\\'), name.size());
    const bool is_mark_like = name.size() - bare > 4 && name.substr(bare).starts_with("__") && name.ends_with("__");
    if (is_mark_like && bare == 0) return {};
    if (is_mark_like) name.remove_prefix(1);
    return name;
}

}  // namespace

std::vector<Child> node_attributes(const Registry& registry, const Value& value) {
    std::vector<Child> result;
    const Node* node = value.node();
    if (node == nullptr || !node->attributes) return result;
    for (const auto& [full, held] : *node->attributes) {
        const std::string_view name = user_name(registry, full);
        if (name.empty()) continue;
        std::string component = "@";
        component += escape_key(name);
        result.push_back({std::move(component), held, true});
    }
    return result;
}

}  // namespace ckpt
