// The children of a value, and walking over them without recursion.
#include "libckpt/walk.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "libckpt/path.hpp"
#include "libckpt/text_arena.hpp"

namespace ckpt {
namespace {

bool has_text_keys(const Value& dict) {
    const auto& entries = dict.dict().entries;
    return std::all_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.first.is(Kind::kString); });
}

/// A state that sets attributes by name: a dict with text keys, or a pair of one (or None) and one of slots.
bool is_attribute_dict(const Value& value) {
    return value.is(Kind::kDict) && value.type().empty() && has_text_keys(value);
}
bool is_attribute_pair(const Value& value) {
    if (!value.is(Kind::kTuple) || !value.type().empty()) return false;
    const auto& items = value.sequence().items;
    return items.size() == 2 && (items[0].is_null() || is_attribute_dict(items[0])) && is_attribute_dict(items[1]);
}

void add_entries(const std::vector<std::pair<Value, Value>>& entries, std::vector<Child>& result) {
    result.reserve(result.size() + entries.size() + 1);
    for (const auto& [key, value] : entries) result.push_back({key_text(key), value, key.is(Kind::kString)});
}
void add_items(const std::vector<Value>& items, std::vector<Child>& result) {
    std::size_t number = 0;
    result.reserve(result.size() + items.size() + 1);
    for (const auto& item : items) result.push_back({std::to_string(number++), item});
}

void add_object(const ObjectNode& node, std::vector<Child>& result) {
    if (node.recipe) {
        const Recipe& recipe = *node.recipe;
        // What a class or function itself has for arguments is its name, as the file's own texts.
        const bool has_args = recipe.how != Recipe::How::kGlobal && !recipe.args.is_null() &&
                              !(recipe.args.is(Kind::kTuple) && recipe.args.sequence().items.empty());
        if (has_args) result.push_back({"__args__", recipe.args});
        if (recipe.kwargs.is(Kind::kDict) && !recipe.kwargs.dict().entries.empty()) {
            result.push_back({"__kwargs__", recipe.kwargs});
        }
        if (is_attribute_dict(recipe.state)) {
            add_entries(recipe.state.dict().entries, result);
        } else if (is_attribute_pair(recipe.state)) {
            for (const auto& part : recipe.state.sequence().items) {
                if (!part.is_null()) add_entries(part.dict().entries, result);
            }
        } else if (!recipe.state.is_null()) {
            result.push_back({"__state__", recipe.state});
        }
    }
    add_items(node.items, result);
    add_entries(node.entries, result);
}

/// Nodes whose identity means something: a second meeting is "the same".
bool is_tracked(const Value& value) {
    switch (value.kind()) {
        case Kind::kTuple:
            return !value.sequence().items.empty();
        case Kind::kList:
        case Kind::kSet:
        case Kind::kDict:
        case Kind::kTensor:
            return true;
        case Kind::kObject: {
            // Classes and functions themselves are names: mentioning one twice shares nothing.
            const auto* recipe = value.node()->recipe.get();
            return recipe == nullptr || recipe->how != Recipe::How::kGlobal || !children(value).empty();
        }
        default:
            return false;
    }
}

/// Tuples met again are walked again this many times in all: a tuple doubled thirty times is a legal value, and 2^30
/// visits are not.
constexpr std::size_t kMostRepeatedTuples = 1000;

/// Where nodes were met first: the meeting of the parent, and the component. Paths are rebuilt from this. A walk meets
/// hundreds of thousands of nodes: nothing is allocated for each of them.
class Meetings {
public:
    /// The root's, which counts as met where it is a node that is tracked.
    explicit Meetings(const Node* root) : meetings_{{root, {}, 0}}, slots_(64) {
        if (root != nullptr) add_slot(0);
    }
    /// The first meeting of a node, or nullopt.
    std::optional<std::size_t> find(const Node* node) const {
        const std::uint32_t held = slots_[slot_of(node)];
        return held != 0 ? std::optional<std::size_t>(held - 1) : std::nullopt;
    }
    /// One that was met before keeps its first meeting.
    std::size_t add(const Node* node, std::size_t parent, std::string_view component) {
        const std::size_t meeting = meetings_.size();
        meetings_.push_back({node, texts_.keep(component), static_cast<std::uint32_t>(parent)});
        add_slot(meeting);
        return meeting;
    }
    std::string path(std::size_t meeting) const {
        std::vector<std::string_view> components;
        for (; meeting != 0; meeting = meetings_[meeting].parent) components.push_back(meetings_[meeting].component);
        std::string path;
        for (auto it = components.rbegin(); it != components.rend(); ++it) {
            if (it != components.rbegin()) path += '/';
            path += *it;
        }
        return path;
    }

private:
    struct Meeting {
        const Node* node;
        std::string_view component;
        std::uint32_t parent;  ///< there are fewer than 2^32 nodes in a document
    };

    /// Of the slot that has the node, or the empty one where it belongs.
    std::size_t slot_of(const Node* node) const {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = (reinterpret_cast<std::uintptr_t>(node) >> 3) * 0x9e3779b97f4a7c15U >> 20 & mask;
        while (slots_[at] != 0 && meetings_[slots_[at] - 1].node != node) at = (at + 1) & mask;
        return at;
    }
    void add_slot(std::size_t meeting) {
        if (4 * (count_ + 1) > 3 * slots_.size()) grow();
        std::uint32_t& held = slots_[slot_of(meetings_[meeting].node)];
        if (held != 0) return;
        held = static_cast<std::uint32_t>(meeting + 1);
        ++count_;
    }
    void grow() {
        std::vector<std::uint32_t> old(2 * slots_.size());
        old.swap(slots_);
        for (const std::uint32_t held : old) {
            if (held != 0) slots_[slot_of(meetings_[held - 1].node)] = held;
        }
    }

    std::deque<Meeting> meetings_;
    TextArena texts_;
    std::vector<std::uint32_t> slots_;  ///< numbers from 1 on; 0 where nothing is
    std::size_t count_ = 0;
};

/// The children of what is no list and no dict.
std::vector<Child> made_children(const Value& value) {
    std::vector<Child> result;
    if (value.is(Kind::kTensor)) {
        const auto& tensor = value.tensor();
        for (const auto& [name, part] : tensor.parts) result.push_back({escape_key(name), part});
        if (!tensor.dict.is_null()) result.push_back({"__dict__", tensor.dict});
    } else if (value.is(Kind::kObject)) {
        add_object(value.object(), result);
    }
    return result;
}

}  // namespace

ChildList::ChildList(const Value& value) : value_(value) {
    const bool is_list = value.is(Kind::kList) || value.is(Kind::kTuple);
    if (is_list && value.type() == "torch.Size") return;  // a leaf: its numbers are its value
    if (is_list) {
        items_ = &value.sequence().items;
    } else if (value.is(Kind::kDict)) {
        entries_ = &value.dict().entries;
    } else {
        made_ = made_children(value);
    }
}

std::size_t ChildList::size() const {
    if (items_ != nullptr) return items_->size() + (has_hanging() ? 1 : 0);
    if (entries_ != nullptr) return entries_->size() + (has_hanging() ? 1 : 0);
    return made_.size();
}

Child ChildList::at(std::size_t i) const {
    if (items_ == nullptr && entries_ == nullptr) return made_[i];
    if (items_ != nullptr && i < items_->size()) return {std::to_string(i), (*items_)[i]};
    if (entries_ != nullptr && i < entries_->size()) {
        const auto& [key, value] = (*entries_)[i];
        return {key_text(key), value, key.is(Kind::kString)};
    }
    return {"__dict__", value_.node()->recipe->state};
}

bool ChildList::has_hanging() const {
    const Node* node = value_.node();
    return node->recipe && !node->recipe->state.is_null();
}

std::vector<Child> children(const Value& value) {
    const ChildList list(value);
    std::vector<Child> result;
    result.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) result.push_back(list.at(i));
    return result;
}

namespace {

/// The components of a dict that only point at what stands elsewhere.
std::unordered_set<std::string> pointing_names(const Value& value) {
    std::unordered_set<std::string> names;
    const Node* node = value.node();
    if (node == nullptr || !node->attributes) return names;
    for (const auto& [name, mark] : *node->attributes) {
        if (!name.ends_with(":__soft_links__") || !mark.is(Kind::kDict)) continue;
        for (const auto& [key, target] : mark.dict().entries) names.insert(key_text(key));
    }
    return names;
}

enum class Pointing : std::uint8_t { kAsAll, kLeftOut, kSecond };

/// Where nodes stand that something points at.
using Places = std::unordered_map<const Node*, std::string>;
Places places_of_targets(const Value& root);

void walk(const Value& root, const std::function<WalkStep(const Visit&)>& visit, std::size_t max_depth,
          Pointing pointing, const std::function<void(const Value&)>& on_target = {}) {
    struct Level {
        ChildList children;
        std::size_t next = 0;
        std::size_t path_length = 0;  // of the parent
        std::size_t meeting = 0;
        std::unordered_set<std::string> pointing = {};
    };
    std::optional<Places> places;  // made when something points at what was not met
    Meetings meetings(is_tracked(root) ? root.node() : nullptr);
    std::vector<Level> stack;
    std::string path;
    std::size_t repeated_tuples = 0;

    // Visits one value; returns false to stop the walk.
    const auto enter = [&](const Value& value, const std::string& component, std::size_t parent_meeting) {
        const std::size_t depth = stack.size();
        std::size_t meeting = 0;
        if (depth != 0 && is_tracked(value)) {
            const auto first_meeting = meetings.find(value.node());
            if (first_meeting && value.is(Kind::kTuple) && repeated_tuples < kMostRepeatedTuples) {
                ++repeated_tuples;  // immutable: shown again rather than referred to, while that stays cheap
            } else if (first_meeting) {
                const std::string first = meetings.path(*first_meeting);
                return visit({value, depth, &first, path, component}) != WalkStep::kStop;
            }
            // A tuple met again is a meeting as well: something below it may be met here first.
            meeting = meetings.add(value.node(), parent_meeting, component);
        }
        const WalkStep step = visit({value, depth, nullptr, path, component});
        if (step == WalkStep::kStop) return false;
        if (step == WalkStep::kInto && depth < max_depth) {
            ChildList below(value);
            if (below.size() != 0) {
                stack.push_back({std::move(below), 0, path.size(), meeting});
                if (pointing != Pointing::kAsAll) stack.back().pointing = pointing_names(value);
            }
        }
        return true;
    };

    if (!enter(root, "", 0)) return;
    while (!stack.empty()) {
        Level& level = stack.back();
        path.resize(level.path_length);
        if (level.next >= level.children.size()) {
            stack.pop_back();
            continue;
        }
        const Child child = level.children.at(level.next++);
        const std::size_t parent_meeting = level.meeting;
        const bool is_pointing = level.pointing.contains(child.component) && is_tracked(child.value);
        if (is_pointing && on_target) on_target(child.value);
        if (is_pointing && pointing == Pointing::kLeftOut) continue;
        if (stack.size() > 1) path += '/';
        path += child.component;
        if (is_pointing && !meetings.find(child.value.node())) {
            if (!places) places = places_of_targets(root);
            if (const auto place = places->find(child.value.node()); place != places->end()) {
                if (visit({child.value, stack.size(), &place->second, path, child.component}) == WalkStep::kStop)
                    return;
                continue;
            }
        }
        if (!enter(child.value, child.component, parent_meeting)) return;
    }
}

Places places_of_targets(const Value& root) {
    std::unordered_set<const Node*> targets;
    const auto into = [](const Visit&) { return WalkStep::kInto; };
    walk(root, into, SIZE_MAX, Pointing::kLeftOut, [&](const Value& target) { targets.insert(target.node()); });
    Places places;
    walk(
        root,
        [&](const Visit& visit) {
            if (visit.same_as == nullptr && targets.contains(visit.value.node()))
                places.emplace(visit.value.node(), visit.path);
            return WalkStep::kInto;
        },
        SIZE_MAX, Pointing::kLeftOut);
    return places;
}

}  // namespace

void walk(const Value& root, const std::function<WalkStep(const Visit&)>& visit, std::size_t max_depth) {
    walk(root, visit, max_depth, Pointing::kAsAll);
}

void walk_where_it_stands(const Value& root, const std::function<WalkStep(const Visit&)>& visit,
                          std::size_t max_depth) {
    walk(root, visit, max_depth, Pointing::kSecond);
}

const Value* find_path(const Value& root, std::string_view path, Value& holder) {
    holder = root;
    // Components are compared in their escaped form, as `children` gives them.
    std::size_t begin = 0;
    while (begin < path.size()) {
        std::size_t end = begin;
        while (end < path.size() && path[end] != '/') end += path[end] == '\\' ? 2 : 1;
        end = std::min(end, path.size());
        const std::string_view component = path.substr(begin, end - begin);
        const ChildList below(holder);
        std::optional<Child> found;
        for (std::size_t i = 0; i < below.size() && !(found && found->has_text_key); ++i) {
            Child child = below.at(i);
            if (child.component == component && (!found || child.has_text_key)) found = std::move(child);
        }
        if (!found) return nullptr;
        holder = found->value;
        begin = end + 1;
    }
    return &holder;
}

}  // namespace ckpt
