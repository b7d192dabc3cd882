// Lists and small tensors as numbers.
#include "libckpt/curves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "libckpt/calibration_state.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/numbers.hpp"
#include "libckpt/path.hpp"
#include "libckpt/search_state.hpp"

namespace ckpt {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kMostPoints = 10000000;

/// What is no number is NaN: a log may have a gap.
double number_of(const Value& value) {
    if (value.is(Kind::kFloat)) return value.as_double();
    if (const auto small = value.as_int64()) return static_cast<double>(*small);
    if (const auto big = value.as_uint64()) return static_cast<double>(*big);
    if (value.is(Kind::kBool)) return value.as_bool() ? 1 : 0;
    return kNan;
}
bool is_number(const Value& value) {
    return value.is(Kind::kFloat) || value.is(Kind::kInt) || value.is(Kind::kBool);
}

std::vector<double> numbers_of(const TensorNode& tensor) {
    if (!tensor.storage || !tensor.layout.empty() || dtype_width(tensor.dtype) == 0 ||
        numbers_per_element(tensor.dtype) != 1)
        return {};
    tensor.check_bounds("the tensor");
    const BlobPtr blob = logical_blob(tensor);
    const std::uint64_t count = blob->size_bytes() / dtype_width(tensor.dtype);
    if (count > kMostPoints)
        throw_error(ErrorCode::kRefused, "a curve of {} points is not drawn, at most {} are", count, kMostPoints);
    std::vector<std::byte> bytes(static_cast<std::size_t>(blob->size_bytes()));
    blob->read(0, bytes);
    std::vector<double> numbers(static_cast<std::size_t>(count));
    decode_numbers(tensor.dtype, bytes.data(), std::span<double>(numbers));
    return numbers;
}

/// The only number of a tensor with one element.
double only_number(const TensorNode& tensor) {
    if (tensor.element_count() != 1) return kNan;
    const auto numbers = numbers_of(tensor);
    return numbers.size() == 1 ? numbers.front() : kNan;
}

std::optional<std::vector<double>> column_of(const Value& value) {
    if (value.is(Kind::kTensor)) {
        if (value.tensor().shape.size() != 1) return std::nullopt;
        return numbers_of(value.tensor());
    }
    if (!value.is(Kind::kList) && !value.is(Kind::kTuple)) return std::nullopt;
    std::vector<double> numbers;
    bool has_one = false;
    for (const Value& item : value.sequence().items) {
        const bool is_small_tensor = item.is(Kind::kTensor) && item.tensor().element_count() == 1;
        if (!is_number(item) && !item.is_null() && !is_small_tensor) return std::nullopt;
        has_one = has_one || !item.is_null();
        numbers.push_back(is_small_tensor ? only_number(item.tensor()) : number_of(item));
    }
    if (!has_one) return std::nullopt;
    return numbers;
}

Curve counted(std::string name, std::vector<double> numbers, double first) {
    Curve curve;
    curve.name = std::move(name);
    for (std::size_t i = 0; i < numbers.size(); ++i) curve.x.push_back(first + static_cast<double>(i));
    curve.y = std::move(numbers);
    return curve;
}

/// The best up to each place; NaN is none, nor is an infinity on the wrong side.
Curve best_so_far(const Curve& all, bool is_max) {
    Curve best;
    best.form = Curve::Form::kSteps;
    best.name = "best so far";
    double record = kNan;
    for (std::size_t i = 0; i < all.y.size(); ++i) {
        const double value = all.y[i];
        if (std::isfinite(value) && (std::isnan(record) || (is_max ? value > record : value < record))) record = value;
        best.x.push_back(all.x[i]);
        best.y.push_back(record);
    }
    return best;
}

const Value* find_in(const Value& dict, std::string_view key) {
    return dict.is(Kind::kDict) ? dict.dict().find(key) : nullptr;
}

}  // namespace

std::vector<Curve> curves_of(const Value& value, const std::string& name) {
    std::vector<Curve> curves;
    std::vector<std::pair<std::string, Value>> todo{{name, value}};
    std::unordered_set<const Node*> met;
    while (!todo.empty()) {
        const auto [path, part] = std::move(todo.back());
        todo.pop_back();
        if (part.is(Kind::kDict)) {
            if (!met.insert(part.node()).second) continue;
            const auto& entries = part.dict().entries;
            for (auto it = entries.rbegin(); it != entries.rend(); ++it)
                todo.emplace_back(path.empty() ? key_text(it->first) : join_path(path, key_text(it->first)),
                                  it->second);
            continue;
        }
        auto numbers = column_of(part);
        // Inside of a dict one number alone is no curve.
        if (!numbers || numbers->empty() || (numbers->size() < 2 && !(part == value))) continue;
        curves.push_back(counted(path, std::move(*numbers), 0));
    }
    return curves;
}

Chart search_chart(const Value& root) {
    Chart chart{"objective over evaluations", "evaluation", "objective", {}, false};
    const Value* history = find_in(root, "history");
    const Value* objectives = history != nullptr ? find_in(*history, "log_f") : nullptr;
    const auto numbers = objectives != nullptr ? column_of(*objectives) : std::nullopt;
    if (!numbers || numbers->empty()) return chart;
    Curve all = counted("objective", *numbers, 1);
    all.form = Curve::Form::kPoints;
    const auto summary = summarize_search(root);
    const bool is_max = summary && summary->direction == SearchDirection::kMax;
    Curve best = best_so_far(all, is_max);
    if (!summary || summary->direction == SearchDirection::kUnknown) {
        chart.curves = {std::move(all)};
    } else {
        best.name += is_max ? " (max)" : " (min)";
        chart.curves = {std::move(all), std::move(best)};
    }
    return chart;
}

Chart calibration_chart(const Value& root, const Context& context) {
    context.check_cancelled();
    Chart chart{"loss over evaluations", "evaluation", "loss", {}, false};
    const Value* losses = find_in(root, "losses_samp");
    const auto numbers = losses != nullptr ? column_of(*losses) : std::nullopt;
    if (!numbers || numbers->empty()) return chart;
    Curve all = counted("loss", *numbers, 1);
    all.form = Curve::Form::kPoints;
    Curve best = best_so_far(all, false);
    best.name += " (min)";
    chart.curves = {std::move(all), std::move(best)};
    return chart;
}

Chart histogram_chart(const TensorNode& tensor, const std::string& name, std::size_t bars, const Context& context) {
    Chart chart{name, "value", "elements", {}, true};
    const TensorHistogram histogram = histogram_of(tensor, bars, context);
    if (histogram.edges.empty()) return chart;
    Curve curve;
    curve.name = name;
    curve.x = histogram.edges;
    for (const std::uint64_t count : histogram.counts) curve.y.push_back(static_cast<double>(count));
    chart.curves.push_back(std::move(curve));
    return chart;
}

double last_number(const Value& value) {
    if (is_number(value)) return number_of(value);
    if (value.is(Kind::kTensor)) return only_number(value.tensor());
    if (const auto numbers = column_of(value); numbers && !numbers->empty()) return numbers->back();
    return kNan;
}

}  // namespace ckpt
