// Walking a document: one definition of what the children of a value are and what their paths look like.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt {

/// A child and the (escaped) path component under which it stands.
struct Child {
    std::string component;
    Value value;
    /// The component is a text key, not one that is printed (1, None), a number in a list or a name given here
    /// (`__args__`).
    bool has_text_key = false;
};

/// The children of a value, in order.
///
/// dict: by key, then `__dict__` (its recipe's state: an OrderedDict's `_metadata`). list, tuple: by number, then
/// `__dict__` in the same way; a torch.Size is a leaf (its numbers are its value). set: none (its items are its value).
/// object: `__args__`, `__kwargs__` where not empty; attributes by name where the state is a plain dict (without a
/// class of its own: an OrderedDict is one `__state__`) with text keys, or a pair (such a dict or None, such a dict of
/// slots); else `__state__`; items by number, entries by key. tensor: parts by name, then `__dict__`.
std::vector<Child> children(const Value& value);

/// The same, made one by one where that is easy: a container may have millions. The value must stay as it is.
class ChildList {
public:
    explicit ChildList(const Value& value);
    explicit ChildList(std::vector<Child> children) : made_(std::move(children)) {}
    std::size_t size() const;
    Child at(std::size_t i) const;

private:
    /// Whether something hangs on a container beside its items.
    bool has_hanging() const;
    Value value_;
    const std::vector<Value>* items_ = nullptr;
    const std::vector<std::pair<Value, Value>>* entries_ = nullptr;
    std::vector<Child> made_;
};

/// A step of a walk. References are valid during the call only.
struct Visit {
    const Value& value;
    std::size_t depth;
    /// Where this very node was met first, when it was (then its children are not walked again); nullptr otherwise.
    /// Lists, sets, dicts, tensors and objects are tracked; classes and functions that are mere names are not. Tuples
    /// cannot be told apart once they are shared: one met again is walked again, as if it were another. That holds for
    /// the first thousand such meetings of a walk (a tuple doubled thirty times is a legal value); those after them
    /// are referred to like the rest.
    const std::string* same_as;
    const std::string& path;
    const std::string& component;
};

enum class WalkStep : std::uint8_t { kInto, kOver, kStop };

/// Depth first, parents before children, each node once but for shared tuples (see Visit::same_as); iterative, so depth
/// and sharing are harmless. Paths deeper than `max_depth` are not entered (a path is as long as its depth, so a limit
/// bounds memory). A node left out by kOver or the limit counts as met: it is not entered elsewhere.
void walk(const Value& root, const std::function<WalkStep(const Visit&)>& visit, std::size_t max_depth = SIZE_MAX);

/// The same, but a name that only points at a node (a soft link: dicts list them in an attribute `__soft_links__`
/// behind a format's prefix) is never where it is met first, if it stands anywhere by itself: `same_as` is that place,
/// which may still be to come. For who enters every node.
void walk_where_it_stands(const Value& root, const std::function<WalkStep(const Visit&)>& visit,
                          std::size_t max_depth = SIZE_MAX);

/// The value at a path, or nullptr; `holder` keeps what is returned. Where two keys print alike the text key wins, also
/// over a number or a name given here, else the first.
const Value* find_path(const Value& root, std::string_view path, Value& holder);

}  // namespace ckpt
