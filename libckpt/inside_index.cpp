// Looking for counters by the keys that training programs give them.
#include "libckpt/inside_index.hpp"

#include <cmath>
#include <initializer_list>
#include <string_view>

#include <fmt/format.h>

namespace ckpt {
namespace {

std::optional<std::int64_t> first_of(const DictNode& dict, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
        const Value* value = dict.find(key);
        if (value == nullptr || !value->is(Kind::kInt)) continue;
        const auto number = value->as_int64();
        if (number && *number >= 0) return number;  // -1: of a run that has ended
    }
    return std::nullopt;
}

std::string difference(const NameMatch& name, std::initializer_list<std::string_view> axes,
                       const std::optional<std::int64_t>& inside, std::string_view what) {
    if (!inside) return {};
    for (const std::string_view axis : axes) {
        const auto named = name.on_axis(axis);
        if (named && std::fabs(*named - static_cast<double>(*inside)) > 1)
            return fmt::format("holds {} {}", what, *inside);
    }
    return {};
}

}  // namespace

InsideIndex inside_index(const Value& root) {
    if (!root.is(Kind::kDict)) return {};
    InsideIndex inside;
    // MMEngine and fairseq have them further down.
    const auto look = [&inside](const Value* holder) {
        if (holder == nullptr || !holder->is(Kind::kDict)) return;
        const DictNode& dict = holder->dict();
        if (!inside.epoch) inside.epoch = first_of(dict, {"epoch", "current_epoch"});
        if (!inside.step) inside.step = first_of(dict, {"global_step", "global_steps", "step", "iteration", "iter"});
    };
    look(&root);
    look(root.dict().find("meta"));
    const Value* extra = root.dict().find("extra_state");
    if (extra != nullptr && extra->is(Kind::kDict)) look(extra->dict().find("train_iterator"));
    return inside;
}

std::string index_text(const InsideIndex& inside) {
    if (inside.epoch && inside.step) return fmt::format("holds epoch {}, step {}", *inside.epoch, *inside.step);
    if (inside.epoch) return fmt::format("holds epoch {}", *inside.epoch);
    return inside.step ? fmt::format("holds step {}", *inside.step) : "";
}

std::string disagreement(const NameMatch& name, const InsideIndex& inside) {
    std::string text = difference(name, {"epoch"}, inside.epoch, "epoch");
    const std::string steps = difference(name, {"step", "iter"}, inside.step, "step");
    if (!text.empty() && !steps.empty()) return text + ", " + steps.substr(std::string_view("holds ").size());
    return text.empty() ? steps : text;
}

}  // namespace ckpt
