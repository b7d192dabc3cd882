// Collecting attributes by path, and hanging them up again.
#include "formats/shared/pickle/node_attributes.hpp"

#include <fmt/format.h>

#include <map>
#include <string>

#include "formats/shared/pickle/tagged.hpp"
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

/// Gives a value below `root` that is held in place a node of its own, where it stands.
Node* replace_by_node(Pool& pool, Value& root, const std::string& path) {
    Value value;
    if (find_path(root, path, value) == nullptr) return nullptr;
    Node* node = node_for(pool, value);
    if (node == nullptr) return nullptr;
    std::size_t slash = path.size();
    while (slash > 0 && (path[slash - 1] != '/' || (slash > 1 && path[slash - 2] == '\\'))) --slash;
    if (path.empty()) {
        root = Value::of(node);
        return node;
    }
    Value parent = root;
    if (slash > 1 && find_path(root, path.substr(0, slash - 1), parent) == nullptr) return nullptr;
    return replace_child(parent, std::string_view(path).substr(slash), Value::of(node)) ? node : nullptr;
}

std::string attribute_path(const std::string& path, std::string_view name) {
    return join_path(path, "@" + escape_key(name));
}

/// Adds the attributes of all below `root`, whose path is `prefix`, and of the attributes themselves.
void collect(Pool& scratch, const Value& root, const std::string& prefix, std::string_view own_prefix,
             const Value& collected) {
    walk(
        root,
        [&](const Visit& visit) {
            const Node* node = visit.value.node();
            if (node == nullptr || visit.same_as != nullptr || !node->attributes) return WalkStep::kInto;
            const std::string path = visit.path.empty() ? prefix : join_path(prefix, visit.path);
            const Value attributes = scratch.dict();
            for (const auto& [name, value] : *node->attributes) {
                if (is_foreign(name, own_prefix)) attributes.dict().entries.emplace_back(scratch.string(name), value);
            }
            if (attributes.dict().entries.empty()) return WalkStep::kInto;
            collected.dict().entries.emplace_back(scratch.string(path), attributes);
            for (const auto& [name, value] : attributes.dict().entries) {
                if (value.node() != nullptr)
                    collect(scratch, value, attribute_path(path, name.as_string()), own_prefix, collected);
            }
            return WalkStep::kInto;
        },
        kMostDepth);
}

/// Hangs collected attributes on the nodes below a root, and on attributes.
class Hanger {
public:
    Hanger(Pool& pool, const Value& collected) : pool_(pool) {
        for (const auto& [path, attributes] : collected.dict().entries) {
            if (path.is(Kind::kString) && attributes.is(Kind::kDict)) by_path_.emplace(path.as_string(), attributes);
        }
    }

    /// `prefix` is the path of `root`.
    void hang_below(Value& root, const std::string& prefix) {
        walk(
            root,
            [&](const Visit& visit) {
                Node* node = visit.value.node();
                if (node == nullptr) return WalkStep::kInto;
                const auto found = by_path_.find(visit.path.empty() ? prefix : join_path(prefix, visit.path));
                if (found == by_path_.end()) return WalkStep::kInto;
                hang(*node, found);
                return by_path_.empty() ? WalkStep::kStop : WalkStep::kInto;
            },
            kMostDepth);
        // Numbers and the like, which have no node yet.
        const std::string below = prefix.empty() ? "" : prefix + "/";
        for (auto next = by_path_.lower_bound(prefix); next != by_path_.end() && next->first.starts_with(prefix);) {
            const auto entry = next++;
            const bool is_root = entry->first == prefix;
            if (!is_root && !entry->first.starts_with(below)) continue;
            const std::string path = is_root ? "" : entry->first.substr(below.size());
            if (path.starts_with('@') || path.find("/@") != std::string::npos) continue;
            if (Node* node = replace_by_node(pool_, root, path)) {
                const std::string whole = entry->first;
                hang(*node, entry);
                next = by_path_.upper_bound(whole);
            }
        }
    }

    const std::map<std::string, Value>& left() const noexcept { return by_path_; }

private:
    void hang(Node& node, std::map<std::string, Value>::iterator found) {
        const std::string path = found->first;
        const Value attributes = found->second;
        by_path_.erase(found);
        for (const auto& [name, value] : attributes.dict().entries) {
            if (!name.is(Kind::kString)) continue;
            Value held = value;
            const std::string own_path = attribute_path(path, name.as_string());
            const auto first = by_path_.lower_bound(own_path);
            if (first != by_path_.end() && first->first.starts_with(own_path)) hang_below(held, own_path);
            node.set_attribute(name.as_string(), held);
        }
    }

    Pool& pool_;
    std::map<std::string, Value> by_path_;
};

}  // namespace

std::optional<Value> collect_node_attributes(Pool& scratch, const Document& document, std::string_view own_prefix) {
    const Value collected = scratch.dict();
    collect(scratch, document.root, "", own_prefix, collected);
    if (collected.dict().entries.empty()) return std::nullopt;
    return collected;
}

void apply_node_attributes(Document& document, const Value& collected, std::string_view place, const Context& context) {
    if (!collected.is(Kind::kDict)) {
        context.warn(fmt::format("{} holds no dict and is ignored", place));
        return;
    }
    Value restored = collected;
    restore_tagged_values(document.pool(), restored);
    if (!restored.is(Kind::kDict)) restored = collected;  // a path that only looks like a tag
    Hanger hanger(document.pool(), restored);
    hanger.hang_below(document.root, "");
    for (const auto& [path, attributes] : hanger.left())
        context.warn(fmt::format("{} names '{}', which is not there", place, path));
}

}  // namespace ckpt
