// The stack of an unpickler that stopped early, put together again: containers stand below what was to go into them.
#include "formats/pyhopper/salvage.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "formats/shared/pickle/arrays.hpp"

namespace ckpt {
namespace {

constexpr std::array<std::string_view, 6> kTopKeys = {"run_context", "cache",  "best_f",
                                                      "history",     "pruner", "best_solution"};

bool is_top_key(const Value& value, const DictNode& root) {
    return value.is(Kind::kString) &&
           std::find(kTopKeys.begin(), kTopKeys.end(), value.as_string()) != kTopKeys.end() &&
           root.find(value.as_string()) == nullptr;
}

/// Ends the items where something is still being made: a class that waits for its arguments is no item.
void keep_finished(std::vector<Value>& items) {
    const auto is_class = [](const Value& value) {
        return value.is(Kind::kObject) && value.node()->recipe && value.node()->recipe->how == Recipe::How::kGlobal;
    };
    items.erase(std::find_if(items.begin(), items.end(), is_class), items.end());
}

/// Puts items into the container that they were read for.
void fill(const Value& target, std::vector<Value> items) {
    if (target.is(Kind::kList)) {
        auto& list = target.sequence().items;
        list.insert(list.end(), items.begin(), items.end());
    } else if (target.is(Kind::kDict)) {
        for (std::size_t i = 0; i + 1 < items.size(); i += 2)
            target.dict().entries.emplace_back(items[i], items[i + 1]);
    }
}

/// The values of the stack from `begin` on, the root's own: keys and values, where what follows a container that is
/// still open goes into that one.
void fill_root(const Value& root, const std::vector<Value>& items) {
    for (std::size_t i = 0; i + 1 < items.size();) {
        if (!is_top_key(items[i], root.dict())) {  // "cache": {"cache": {...}}, whose single item was not set yet
            auto& entries = root.dict().entries;
            if (!entries.empty() && entries.back().second.is(Kind::kDict)) {
                entries.back().second.dict().entries.emplace_back(items[i], items[i + 1]);
            }
        } else {
            root.dict().entries.emplace_back(items[i], items[i + 1]);
        }
        i += 2;
    }
}

/// The last item of a list that was still growing: its innards may be missing.
void drop_last(const Value& list) {
    if (list.is(Kind::kList) && !list.sequence().items.empty()) list.sequence().items.pop_back();
}
bool is_empty_dict(const Value& value) {
    return value.is(Kind::kDict) && value.dict().entries.empty();
}

std::size_t length_of(const Value& history, std::string_view name) {
    const Value* list = history.dict().find(name);
    return list != nullptr && list->is(Kind::kList) ? list->sequence().items.size() : 0;
}

}  // namespace

void salvage_search(const PickleFile& file, Document& document, const Context& context) {
    ArrayReader hooks;
    PickleRemains remains = read_pickle_remains(file.bytes(), document.pool(), hooks, context);
    if (!remains.error) {
        document.root = remains.stack.front();
        hooks.settle(document);
        return;
    }
    std::vector<Value>& stack = remains.stack;
    // Innermost first: what stands behind the last mark goes into the container before it.
    bool is_innermost = true;
    while (remains.marks.size() > 1 && remains.marks.back() <= stack.size() && remains.marks.back() > 0) {
        const std::size_t mark = remains.marks.back();
        remains.marks.pop_back();
        std::vector<Value> items(stack.begin() + static_cast<std::ptrdiff_t>(mark), stack.end());
        keep_finished(items);
        stack.resize(mark);
        const Value target = stack.back();
        const bool was_list = target.is(Kind::kList);
        fill(target, std::move(items));
        // A container inside of a list was still being filled itself.
        const bool is_begun = was_list && !target.sequence().items.empty() &&
                              (!is_innermost || is_empty_dict(target.sequence().items.back()));
        if (is_begun) drop_last(target);
        is_innermost = false;
    }
    const bool has_root = !stack.empty() && stack.front().is(Kind::kDict);
    document.root = has_root ? stack.front() : document.pool().dict();
    if (has_root) {
        std::vector<Value> items(stack.begin() + 1, stack.end());
        keep_finished(items);
        fill_root(document.root, items);
    }
    hooks.settle(document);
    const std::string why = file.problem().empty() ? remains.error->message() : file.problem();
    document.damage.emplace_back(ErrorCode::kDamaged,
                                 fmt::format("{}; {} bytes of the pickle decode", why, file.bytes().size()));
    for (const auto key : kTopKeys) {
        if (key != "pruner" && document.root.dict().find(key) == nullptr)
            document.damage.emplace_back(ErrorCode::kDamaged, fmt::format("'{}' is lost", key));
    }
    const Value* history = document.root.dict().find("history");
    if (history == nullptr || !history->is(Kind::kDict)) return;
    const std::size_t candidates = length_of(*history, "log_candidate");
    for (const std::string_view name : {"log_types", "log_f", "log_finished_at", "log_best_f", "log_runtime"}) {
        const std::size_t there = length_of(*history, name);
        if (there < candidates)
            document.damage.emplace_back(ErrorCode::kDamaged,
                                         fmt::format("'history/{}' has {} of {} entries", name, there, candidates));
    }
}

}  // namespace ckpt
