// Paths become nested dicts and lists, without recursion.
#include "formats/dcp/tree.hpp"

#include <algorithm>
#include <unordered_map>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::size_t kNone = ~std::size_t{0};
constexpr std::uint64_t kMostPadding = 16;

struct Branch {
    enum class Kind : std::uint8_t { kDict, kList, kLeaf } kind = Kind::kDict;
    std::vector<std::pair<PathPart, std::size_t>> children;
    std::size_t item = kNone;  ///< the first that made it
    std::size_t length = 0;    ///< of a list
};

std::string_view what(Branch::Kind kind) {
    return kind == Branch::Kind::kDict ? "a dict" : kind == Branch::Kind::kList ? "a list" : "a value";
}

class Tree {
public:
    Tree(const std::vector<Item>& items, const std::function<void(std::string)>& warn) : items_(items) {
        branches_.emplace_back();
        for (std::size_t i = 0; i < items.size(); ++i) add(i);
        check_lists(warn);
    }

    Value make(Pool& pool, const std::function<Value(const Item&)>& make_item) {
        // Children have higher numbers than what holds them.
        std::vector<Value> values(branches_.size());
        for (std::size_t i = 0; i < branches_.size(); ++i) {
            const Branch& branch = branches_[i];
            values[i] = branch.kind == Branch::Kind::kDict   ? pool.dict()
                        : branch.kind == Branch::Kind::kList ? pool.list()
                                                             : make_item(items_[branch.item]);
        }
        for (std::size_t i = 0; i < branches_.size(); ++i) {
            const Branch& branch = branches_[i];
            if (branch.kind == Branch::Kind::kDict) {
                for (const auto& [part, child] : branch.children)
                    values[i].dict().entries.emplace_back(pool.string(std::get<std::string>(part)), values[child]);
            } else if (branch.kind == Branch::Kind::kList) {
                auto& list = values[i].sequence().items;
                list.resize(branch.length);
                for (const auto& [part, child] : branch.children)
                    list[static_cast<std::size_t>(std::get<std::int64_t>(part))] = values[child];
            }
        }
        return values.front();
    }

private:
    static std::string key_of(std::size_t parent, const PathPart& part) {
        const auto* text = std::get_if<std::string>(&part);
        return fmt::format("{}{}{}", parent, text != nullptr ? '/' : '#',
                           text != nullptr ? *text : std::to_string(std::get<std::int64_t>(part)));
    }

    void add(std::size_t number) {
        const Item& item = items_[number];
        std::size_t at = 0;
        for (std::size_t i = 0; i < item.path.size(); ++i) {
            const bool is_last = i + 1 == item.path.size();
            const Branch::Kind kind = is_last                                                 ? Branch::Kind::kLeaf
                                      : std::holds_alternative<std::string>(item.path[i + 1]) ? Branch::Kind::kDict
                                                                                              : Branch::Kind::kList;
            const auto [found, is_new] = numbers_.try_emplace(key_of(at, item.path[i]), branches_.size());
            if (is_new) {
                branches_[at].children.emplace_back(item.path[i], branches_.size());
                Branch branch;
                branch.kind = kind;
                branch.item = number;
                branches_.push_back(std::move(branch));
            } else {
                check_same(number, i, branches_[found->second], kind);
            }
            at = found->second;
        }
    }

    void check_same(std::size_t number, std::size_t part, const Branch& branch, Branch::Kind kind) const {
        if (branch.kind == kind && kind != Branch::Kind::kLeaf) return;
        Item prefix = items_[number];
        prefix.path.resize(part + 1);
        const std::string path = prefix.shown_path();
        const std::string here = escape_key(items_[number].name), there = escape_key(items_[branch.item].name);
        if (branch.kind == kind) throw_damaged("the names '{}' and '{}' have one path, '{}'", there, here, path);
        if (branch.kind == Branch::Kind::kLeaf) {
            throw_damaged("the path of '{}' leads through '{}', which is {}", here, path,
                          items_[branch.item].is_tensor ? "a tensor" : "a value");
        }
        throw_damaged("'{}' is {} by the path of '{}' and {} by that of '{}'", path, what(branch.kind), there,
                      what(kind), here);
    }

    /// An empty dict in a list leaves no name behind: torch pads with None, and so do we where the list does not grow
    /// out of proportion.
    void check_lists(const std::function<void(std::string)>& warn) {
        for (Branch& branch : branches_) {
            if (branch.kind != Branch::Kind::kList) continue;
            for (const auto& [part, child] : branch.children) {
                const auto index = static_cast<std::uint64_t>(std::get<std::int64_t>(part));
                if (index >= kMostPadding + 2 * branch.children.size()) {
                    throw_damaged("'{}' has the index {} in a list of {}",
                                  escape_key(items_[branches_[child].item].name), index, branch.children.size());
                }
                branch.length = std::max(branch.length, static_cast<std::size_t>(index) + 1);
            }
            if (branch.length > branch.children.size()) {
                warn(fmt::format("the list of '{}' lacks {} of its {} items: they are None",
                                 escape_key(items_[branch.item].name), branch.length - branch.children.size(),
                                 branch.length));
            }
        }
    }

    const std::vector<Item>& items_;
    std::vector<Branch> branches_;
    std::unordered_map<std::string, std::size_t> numbers_;  // of branches, by what holds them and their part
};

}  // namespace

Value build_tree(const std::vector<Item>& items, Pool& pool, const std::function<Value(const Item&)>& make,
                 const std::function<void(std::string)>& warn) {
    return Tree(items, warn).make(pool, make);
}

}  // namespace ckpt::dcp
