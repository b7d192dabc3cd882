// By kind of state, then by the last words of names.
#include "libckpt/chart_choice.hpp"

#include <algorithm>
#include <utility>

#include "libckpt/calibration_state.hpp"
#include "libckpt/error.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/search_state.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

/// What kind of number a name stands for: "loss" of log/train_loss.
std::string last_word(const std::string& name) {
    const std::size_t at = name.find_last_of("/_.- ");
    return at == std::string::npos ? name : name.substr(at + 1);
}

/// A log with a number for each epoch has as many as the checkpoint says that there were.
std::string x_label_of(const Document& document, const std::vector<Curve>& curves) {
    const Value* epoch = document.root.is(Kind::kDict) ? document.root.dict().find("epoch") : nullptr;
    const auto count = epoch != nullptr ? epoch->as_int64() : std::nullopt;
    if (!count) return "entry";
    const bool is_epoch = std::all_of(curves.begin(), curves.end(), [&](const Curve& curve) {
        const auto size = static_cast<std::int64_t>(curve.y.size());
        return size == *count || size == *count + 1;
    });
    return is_epoch ? "epoch" : "entry";
}

/// One chart for each kind of number.
std::vector<Chart> grouped(const Document& document, std::vector<Curve> curves, const std::string& title) {
    std::vector<Chart> charts;
    for (Curve& curve : curves) {
        const std::string word = last_word(curve.name);
        auto chart =
            std::find_if(charts.begin(), charts.end(), [&](const Chart& other) { return other.y_label == word; });
        if (chart == charts.end()) {
            charts.push_back({title, "", word, {}, false});
            chart = std::prev(charts.end());
        }
        chart->curves.push_back(std::move(curve));
    }
    for (Chart& chart : charts) {
        chart.x_label = x_label_of(document, chart.curves);
        chart.title += ": " + (chart.curves.size() == 1 ? chart.curves.front().name : chart.y_label);
    }
    return charts;
}

std::vector<Chart> state_charts(const Value& root, const Context& context) {
    std::vector<Chart> charts;
    if (is_search_state(root)) charts.push_back(search_chart(root));
    if (is_calibration_state(root)) charts.push_back(calibration_chart(root, context));
    std::erase_if(charts, [](const Chart& chart) { return chart.curves.empty(); });
    return charts;
}

}  // namespace

std::string y_label_of(const std::vector<Curve>& curves) {
    std::string label;
    for (const Curve& curve : curves) {
        const std::string word = last_word(curve.name);
        if (!label.empty() && label != word) return "value";
        label = word;
    }
    return label;
}

std::vector<Chart> usual_charts(const Document& document, const std::string& title, const Context& context) {
    auto charts = state_charts(document.root, context);
    for (Chart& chart : charts) chart.title = title + ": " + chart.title;
    if (!charts.empty()) return charts;
    std::vector<Curve> curves;
    const Roles roles = classify_roles(document);
    for (const auto& [path, role] : roles.parts) {
        if (role != Role::kLog) continue;
        Value holder;
        const Value* part = find_path(document.root, path, holder);
        if (part == nullptr) continue;
        for (Curve& curve : curves_of(*part, path)) curves.push_back(std::move(curve));
    }
    return grouped(document, std::move(curves), title);
}

std::vector<Chart> charts_of(const Document& document, const std::vector<Named>& values, const std::string& title,
                             std::size_t bars, std::uint64_t max_bytes, const Context& context) {
    std::vector<Chart> charts;
    std::vector<Curve> together;
    const Roles roles = classify_roles(document);
    for (const Named& named : values) {
        for (Chart& chart : state_charts(named.value, context)) {
            chart.title = title + ": " + chart.title;
            charts.push_back(std::move(chart));
        }
        const bool is_log = roles.role_of(named.name) == Role::kLog;
        if (named.value.is(Kind::kTensor) && !(is_log && named.value.tensor().shape.size() == 1)) {
            if (!named.value.tensor().storage) continue;
            named.value.tensor().check_bounds(named.name);
            if (const auto bytes = named.value.tensor().logical_bytes().value_or(~std::uint64_t{0}); bytes > max_bytes)
                throw_error(ErrorCode::kRefused, "'{}': {} bytes are out of proportion to the file", named.name, bytes);
            Chart chart = histogram_chart(named.value.tensor(), named.name, bars, context);
            chart.title = title + ": " + named.name;
            if (!chart.curves.empty()) charts.push_back(std::move(chart));
            continue;
        }
        auto curves = curves_of(named.value, named.name);
        if (named.value.is(Kind::kDict)) {
            for (Chart& chart : grouped(document, std::move(curves), title)) charts.push_back(std::move(chart));
        } else {
            for (Curve& curve : curves) together.push_back(std::move(curve));
        }
    }
    if (!together.empty()) {
        const std::string what = together.size() == 1 ? ": " + together.front().name : "";
        Chart chart{title + what, x_label_of(document, together), y_label_of(together), std::move(together), false};
        charts.insert(charts.begin(), std::move(chart));
    }
    return charts;
}

}  // namespace ckpt
