// Words and JSON for SearchSummary.
#include "tools/inspect_search.hpp"

#include <fmt/format.h>
#include <cmath>
#include <nlohmann/json.hpp>

#include "libckpt/walk.hpp"
#include "tools/text.hpp"
#include "tools/value_text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

std::string_view direction_name(SearchDirection direction) {
    switch (direction) {
        case SearchDirection::kMin:
            return "min";
        case SearchDirection::kMax:
            return "max";
        default:
            return "";
    }
}

/// "lr 0.1, act 'relu'": the parameters that fit in place, one level deep.
std::string parameters_text(const Value& best) {
    std::string text;
    for (const auto& child : children(best)) {
        std::string value;
        if (child.value.kind() <= Kind::kBytes) {
            value = value_text(child.value);
            value.pop_back();
            value = shortened(value, 40);
            if (child.value.is(Kind::kString)) value = "'" + value + "'";
        } else {
            value = child.value.type().empty() ? "{...}" : printable(child.value.type());
        }
        text += (text.empty() ? "" : ", ") + printable(child.component) + " " + value;
    }
    return text;
}

Json number_json(const std::optional<double>& number) {
    if (!number) return nullptr;
    if (std::isfinite(*number)) return *number;
    return std::isnan(*number) ? "NaN" : *number < 0 ? "-Inf" : "Inf";
}

}  // namespace

std::vector<std::string> search_lines(const SearchSummary& summary) {
    std::vector<std::string> lines;
    const std::string_view direction = direction_name(summary.direction);
    lines.push_back(fmt::format("{} search: {}", summary.is_running ? "running" : "finished",
                                summary.best_f ? fmt::format("best objective {}{}", *summary.best_f,
                                                             direction.empty() ? "" : fmt::format(" ({})", direction))
                                               : "nothing evaluated yet"));
    if (summary.newer_best_f)
        lines.push_back(
            fmt::format("  older than the history: entry {} has {}", summary.newer_best_at, *summary.newer_best_f));
    std::string counts =
        summary.has_history || summary.cached == 0
            ? fmt::format("{} evaluated, {} pruned, {} NaN", summary.evaluated, summary.pruned, summary.nans)
            : std::string("no history kept");
    counts += summary.duplicates
                  ? fmt::format(", {} duplicate{} rejected", *summary.duplicates, *summary.duplicates == 1 ? "" : "s")
                  : std::string(", duplicates not recorded");
    counts += summary.has_cache ? fmt::format("; {} in the cache", summary.cached) : std::string("; no cache");
    lines.push_back(std::move(counts));
    if (summary.is_running) {
        std::string progress;
        if (summary.step) progress += fmt::format("step {}", *summary.step);
        if (summary.seconds) progress += fmt::format("{}{:.6g} s", progress.empty() ? "" : " after ", *summary.seconds);
        if (summary.seconds_per_candidate)
            progress += fmt::format(", about {:.3g} s each", *summary.seconds_per_candidate);
        lines.push_back(progress + "; its limit is not in the file: resume with run(checkpoint_path=...)");
    }
    lines.push_back("pruner: " + summary.pruner);
    const std::string best = parameters_text(summary.best);
    if (!best.empty()) lines.push_back("best parameters: " + best);
    return lines;
}

std::string search_json(const SearchSummary& summary) {
    Json json;
    json["state"] = summary.is_running ? "running" : "finished";
    json["best_f"] = number_json(summary.best_f);
    json["direction"] =
        summary.direction == SearchDirection::kUnknown ? Json(nullptr) : Json(direction_name(summary.direction));
    json["newer_best_f"] = number_json(summary.newer_best_f);
    json["evaluated"] = summary.evaluated;
    json["pruned"] = summary.pruned;
    json["nan"] = summary.nans;
    json["duplicates"] = summary.duplicates ? Json(*summary.duplicates) : Json(nullptr);
    json["cached"] = summary.cached;
    json["step"] = summary.step ? Json(*summary.step) : Json(nullptr);
    json["seconds"] = number_json(summary.seconds);
    json["seconds_per_candidate"] = number_json(summary.seconds_per_candidate);
    json["pruner"] = summary.pruner;
    return json.dump();
}

}  // namespace ckpt
