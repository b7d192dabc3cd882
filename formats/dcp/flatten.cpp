// The planner's rules, and what they do not keep.
#include "formats/dcp/flatten.hpp"

#include <map>
#include <tuple>
#include <unordered_set>

#include <fmt/format.h>

#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::size_t kMostDepth = 1000;  // as the reader has it
constexpr std::size_t kMostAgain = 10000;
constexpr std::uint64_t kMostVisits = std::uint64_t{1} << 25;  // of what is in values, over all of them
constexpr std::size_t kTree = ~std::size_t{0};                 // of containers that are no item's

/// A plain strided tensor with elements of whole bytes: it can be cut into chunks.
bool is_plain_tensor(const Value& value) {
    if (!value.is(Kind::kTensor)) return false;
    const TensorNode& tensor = value.tensor();
    return tensor.layout.empty() && tensor.storage && !tensor.quantization && dtype_width(tensor.dtype) != 0 &&
           tensor.type != "numpy.ndarray" && !tensor.type.ends_with("Storage");
}

class Flattener {
public:
    FlatDocument run(const Document& document) {
        if (!document.root.is(Kind::kDict)) {
            result_.losses.push_back(
                {"", fmt::format("is a {}; a distributed checkpoint holds a dict", kind_name(document.root.kind()))});
            return std::move(result_);
        }
        enter(document.root, {}, "");
        while (!stack_.empty()) step();
        for (const auto& [storage, tensors] : tensors_of_) {
            if (tensors > 1) result_.views += tensors;
        }
        return std::move(result_);
    }

private:
    struct Level {
        Value container;
        std::size_t next = 0;
        std::vector<PathPart> path;
        std::string shown;
        std::unordered_set<std::string> parts;  ///< that its keys have, once one of them is no text
    };

    /// A key as text, as Python prints it; with a tilde where another key has that text already.
    static std::string part_of(Level& level, const Value& key) {
        if (level.parts.empty()) {
            for (const auto& [other, value] : level.container.dict().entries) {
                if (other.is(Kind::kString)) level.parts.emplace(other.as_string());
            }
        }
        const auto parts = split_path(key_text(key));
        std::string part = parts.empty() ? std::string() : parts.front();
        while (!level.parts.insert(part).second) part += '~';
        return part;
    }

    void enter(const Value& container, std::vector<PathPart> path, std::string shown) {
        const Node* node = container.node();
        holders_.try_emplace(node, std::pair(kTree, false));
        // What contains itself, or stands at very many places, has its names once; the structure has it everywhere.
        if (open_.count(node) != 0 || (met_.count(node) != 0 && ++again_ > kMostAgain)) {
            result_.needs_structure = true;
            return;
        }
        open_.insert(node);
        if (path.size() > kMostDepth) {
            open_.erase(node);
            result_.losses.push_back({shown, fmt::format("is nested deeper than {} levels", kMostDepth)});
            return;
        }
        const bool is_empty = container.is(Kind::kDict) && container.dict().entries.empty();
        if (!node->type.empty() || node->recipe || node->attributes || (is_empty && !path.empty()) ||
            !met_.insert(node).second)
            result_.needs_structure = true;
        stack_.push_back({container, 0, std::move(path), std::move(shown), {}});
    }

    void step() {
        Level& level = stack_.back();
        const bool is_dict = level.container.is(Kind::kDict);
        const std::size_t size =
            is_dict ? level.container.dict().entries.size() : level.container.sequence().items.size();
        if (level.next == size) {
            open_.erase(level.container.node());
            stack_.pop_back();
            return;
        }
        const std::size_t number = level.next++;
        std::vector<PathPart> path = level.path;
        std::string shown;
        Value value;
        if (is_dict) {
            const auto& [key, held] = level.container.dict().entries[number];
            shown = join_path(level.shown, key_text(key));
            if (key.is(Kind::kString)) {
                path.emplace_back(std::string(key.as_string()));
            } else {
                path.emplace_back(part_of(level, key));
                result_.needs_structure = true;
            }
            value = held;
        } else {
            shown = join_path(level.shown, std::to_string(number));
            path.emplace_back(static_cast<std::int64_t>(number));
            value = level.container.sequence().items[number];
        }
        if (value.is(Kind::kDict) || (value.is(Kind::kList) && is_entered(value, 0))) {
            enter(value, std::move(path), std::move(shown));  // `level` is gone behind this
        } else {
            add(value, std::move(path), std::move(shown));
        }
    }

    /// Lists are entered where a tensor, a dict or such a list is in them.
    bool is_entered(const Value& list, std::size_t depth) {
        const auto [known, is_new] = entered_.try_emplace(list.node(), false);
        if (!is_new || depth > kMostDepth) return known->second;
        bool found = false;
        for (const Value& item : list.sequence().items) {
            found =
                is_plain_tensor(item) || item.is(Kind::kDict) || (item.is(Kind::kList) && is_entered(item, depth + 1));
            if (found) break;
        }
        return entered_[list.node()] = found;
    }

    void add(const Value& value, std::vector<PathPart> path, std::string shown) {
        FlatItem item;
        for (const PathPart& part : path) {
            const auto* key = std::get_if<std::string>(&part);
            item.name += (&part == path.data() ? "" : ".") +
                         (key != nullptr ? *key : std::to_string(std::get<std::int64_t>(part)));
        }
        item.path = std::move(path);
        item.shown_path = std::move(shown);
        item.value = value;
        item.is_tensor = is_plain_tensor(value);
        item.same = result_.items.size();
        // Two paths may come to one name ('a.b' beside 'b' in 'a'): what counts is the path, which stands beside.
        while (!names_.insert(item.name).second) item.name += '~';
        if (item.is_tensor) add_tensor(item);
        if (item.is_tensor || !value.node()) {
            if (item.is_tensor) result_.names.try_emplace(value.node(), item.name);
        } else {
            add_value(item);
        }
        result_.items.push_back(std::move(item));
    }

    void add_tensor(FlatItem& item) {
        const TensorNode& tensor = item.value.tensor();
        if (!tensor.type.empty() || !tensor.dict.is_null() || tensor.attributes) result_.needs_structure = true;
        if (tensor.element_count().value_or(0) == 0) return;
        const Look look{tensor.storage.get(), tensor.dtype, tensor.offset, tensor.shape,
                        tensor.stride,        tensor.conj,  tensor.neg};
        const auto [first, is_new] = by_look_.try_emplace(look, item.same);
        item.same = first->second;
        const auto holder = holders_.try_emplace(tensor.storage.get(), std::pair(item.same, false)).first;
        if (holder->second.second) {
            result_.losses.push_back({item.shown_path, shared_text(holder->second.first)});
        }
        if (is_new) {
            ++tensors_of_[tensor.storage.get()];
        } else {
            result_.needs_structure = true;
        }
    }

    std::string shared_text(std::size_t holder) const {
        return fmt::format(
            "is shared with {}, one of them a value with tensors in it: that would be lost",
            holder == kTree ? std::string("what holds other names") : "'" + result_.items[holder].shown_path + "'");
    }

    /// A value without tensors stands in the structure as it is; one with tensors is an item there too, so what it
    /// shares with others does not come back.
    void add_value(const FlatItem& item) {
        bool has_tensor = false;
        walk(item.value, [&](const Visit& visit) {
            if (++visits_ > kMostVisits) return WalkStep::kStop;
            has_tensor = has_tensor || visit.value.is(Kind::kTensor);
            const Node* node = visit.value.node();
            const bool is_plain = node == nullptr || (node->type.empty() && !node->recipe && !node->attributes);
            if (!is_plain || visit.value.is(Kind::kObject) || visit.same_as != nullptr) result_.needs_structure = true;
            return WalkStep::kInto;
        });
        if (visits_ > kMostVisits) {
            result_.losses.push_back(
                {item.shown_path, "is one of too many values that hold each other to be written one by one"});
            return;
        }
        if (has_tensor) result_.names.try_emplace(item.value.node(), item.name);
        walk(item.value, [&](const Visit& visit) {
            const Node* node = visit.value.node();
            if (node == nullptr || node->kind < Kind::kList || node->kind == Kind::kTuple) return WalkStep::kInto;
            const void* storage = node->kind == Kind::kTensor ? visit.value.tensor().storage.get() : nullptr;
            const void* identity = storage != nullptr ? storage : node;
            const auto [first, is_new] = holders_.try_emplace(identity, std::pair(item.same, has_tensor));
            if (is_new || first->second.first == item.same) return WalkStep::kInto;
            if (has_tensor || first->second.second) {
                result_.losses.push_back({visit.path.empty() ? item.shown_path : item.shown_path + "/" + visit.path,
                                          shared_text(first->second.first)});
                return WalkStep::kOver;
            }
            result_.needs_structure = true;
            return WalkStep::kInto;
        });
    }

    using Look = std::tuple<const Storage*, DType, std::int64_t, SizeList, SizeList, bool, bool>;
    FlatDocument result_;
    std::vector<Level> stack_;
    std::size_t again_ = 0;
    std::uint64_t visits_ = 0;
    std::unordered_set<const Node*> open_, met_;
    std::unordered_map<const Node*, bool> entered_;
    std::unordered_map<const void*, std::pair<std::size_t, bool>>
        holders_;  // the first item with it, and whether that has tensors
    std::unordered_set<std::string> names_;
    std::map<Look, std::size_t> by_look_;
    std::unordered_map<const Storage*, std::uint64_t> tensors_of_;
};

}  // namespace

FlatDocument flatten(const Document& document) {
    return Flattener().run(document);
}

}  // namespace ckpt::dcp
