// Collecting attributes by path, and hanging them up again.
#include "formats/shared/pickle/node_attributes.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "libckpt/meaning.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

// Paths are as long as the document is deep; what hangs deeper than any real layout goes is not looked for.
constexpr std::size_t kMostDepth = 1000;

/// What is written in the layout's own words needs no second place, and it has no use for another's chunks.
bool is_foreign(std::string_view name, std::string_view own_prefix) {
    return !name.starts_with(own_prefix) && !name.starts_with("pickle:") && !is_storage_attribute(name);
}

/// A node for a value that is held in place, so that attributes can hang on it; null for what has none.
Node* node_for(Pool& pool, const Value& value) {
    switch (value.kind()) {
        case Kind::kNull:
            return pool.make<Node>(Kind::kNull);
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat: {
            auto* node = pool.make<ScalarNode>(value.kind());
            node->value = value;
            return node;
        }
        default:
            return nullptr;
    }
}

/// Changes the child of a dict, list or tuple; false if there is none of that name.
bool replace_child(const Value& parent, std::string_view component, const Value& child) {
    if (parent.is(Kind::kDict)) {
        for (auto& [key, value] : parent.dict().entries) {
            if (key_text(key) != component) continue;
            value = child;
            return true;
        }
    } else if (parent.is(Kind::kList) || parent.is(Kind::kTuple)) {
        std::size_t number = 0;
        for (auto& item : parent.sequence().items) {
            if (std::to_string(number++) != component) continue;
            item = child;
            return true;
        }
    }
    return false;
}

/// Gives a value that is held in place a node of its own, where it stands.
Node* replace_by_node(Document& document, const std::string& path) {
    Value value;
    if (find_path(document.root, path, value) == nullptr) return nullptr;
    Node* node = node_for(document.pool(), value);
    if (node == nullptr) return nullptr;
    std::size_t slash = path.size();
    while (slash > 0 && (path[slash - 1] != '/' || (slash > 1 && path[slash - 2] == '\\'))) --slash;
    if (path.empty()) {
        document.root = Value::of(node);
        return node;
    }
    Value parent = document.root;
    if (slash > 1 && find_path(document.root, path.substr(0, slash - 1), parent) == nullptr) return nullptr;
    return replace_child(parent, std::string_view(path).substr(slash), Value::of(node)) ? node : nullptr;
}

void hang(Node& node, const Value& attributes) {
    for (const auto& [name, value] : attributes.dict().entries) {
        if (name.is(Kind::kString)) node.set_attribute(name.as_string(), value);
    }
}

}  // namespace

std::optional<Value> collect_node_attributes(Pool& scratch, const Document& document, std::string_view own_prefix) {
    const Value collected = scratch.dict();
    walk(
        document.root,
        [&](const Visit& visit) {
            const Node* node = visit.value.node();
            if (node == nullptr || visit.same_as != nullptr || !node->attributes) return WalkStep::kInto;
            const Value attributes = scratch.dict();
            for (const auto& [name, value] : *node->attributes) {
                if (is_foreign(name, own_prefix)) attributes.dict().entries.emplace_back(scratch.string(name), value);
            }
            if (!attributes.dict().entries.empty())
                collected.dict().entries.emplace_back(scratch.string(visit.path), attributes);
            return WalkStep::kInto;
        },
        kMostDepth);
    if (collected.dict().entries.empty()) return std::nullopt;
    return collected;
}

void apply_node_attributes(Document& document, const Value& collected, std::string_view place, const Context& context) {
    if (!collected.is(Kind::kDict)) {
        context.warn(fmt::format("{} holds no dict and is ignored", place));
        return;
    }
    std::unordered_map<std::string, Value> by_path;
    for (const auto& [path, attributes] : collected.dict().entries) {
        if (path.is(Kind::kString) && attributes.is(Kind::kDict)) by_path.emplace(path.as_string(), attributes);
    }
    walk(
        document.root,
        [&](const Visit& visit) {
            Node* node = visit.value.node();
            const auto found = by_path.find(visit.path);
            if (node == nullptr || found == by_path.end()) return WalkStep::kInto;
            hang(*node, found->second);
            by_path.erase(found);
            return by_path.empty() ? WalkStep::kStop : WalkStep::kInto;
        },
        kMostDepth);
    for (const auto& [path, attributes] : by_path) {  // numbers and the like, which have no node yet
        if (Node* node = replace_by_node(document, path)) {
            hang(*node, attributes);
        } else {
            context.warn(fmt::format("{} names '{}', which is not there", place, path));
        }
    }
}

}  // namespace ckpt
