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
        if (value != nullptr && value->is(Kind::kInt)) return value->as_int64();
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
    return {first_of(root.dict(), {"epoch", "current_epoch"}),
            first_of(root.dict(), {"global_step", "step", "iteration", "iter"})};
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
