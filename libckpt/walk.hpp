// Walking a document: one definition of what the children of a value are and what their paths look like.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt {

/// A child and the (escaped) path component under which it stands.
struct Child {
    std::string component;
    Value value;
};

/// The children of a value, in order.
///
/// dict: by key, then `__dict__` (its recipe's state: an OrderedDict's `_metadata`). list, tuple: by number. set: none
/// (its items are its value). object: `__args__`, `__kwargs__` where not empty; attributes by name where the state is a
/// dict with text keys, or a pair (dict or None, dict of slots); else `__state__`; items by number, entries by key.
/// tensor: parts by name, then `__dict__`.
std::vector<Child> children(const Value& value);

/// A step of a walk. References are valid during the call only.
struct Visit {
    const Value& value;
    std::size_t depth;
    /// Where this very node was met first, when it was (then its children are not walked again); nullptr otherwise.
    /// Only lists, tuples (not empty), sets, dicts, tensors and objects are tracked.
    const std::string* same_as;
    const std::string& path;
    const std::string& component;
};

enum class WalkStep : std::uint8_t { kInto, kOver, kStop };

/// Depth first, parents before children, each node once; iterative, so depth and sharing are harmless. Paths deeper
/// than `max_depth` are not entered (a path is as long as its depth, so a limit bounds memory).
void walk(const Value& root, const std::function<WalkStep(const Visit&)>& visit, std::size_t max_depth = SIZE_MAX);

/// The value at a path, or nullptr. Where two keys print alike the text key wins.
const Value* find_path(const Value& root, std::string_view path, Value& holder);

}  // namespace ckpt
