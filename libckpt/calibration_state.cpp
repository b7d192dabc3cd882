// Reading a calibration.
#include "libckpt/calibration_state.hpp"

#include <algorithm>
#include <cmath>

#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 26;

std::vector<double> numbers_of(const Value* value) {
    std::vector<double> numbers;
    if (value == nullptr || !value->is(Kind::kTensor)) return numbers;
    const TensorNode& tensor = value->tensor();
    const unsigned width = dtype_width(tensor.dtype);
    if (!tensor.storage || !tensor.layout.empty() || width == 0 ||
        tensor.logical_bytes().value_or(kMostBytes + 1) > kMostBytes)
        return numbers;
    const std::string bytes = read_all(*logical_blob(tensor), kMostBytes);
    for (std::size_t at = 0; at + width <= bytes.size(); at += width)
        numbers.push_back(element_as_double(tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + at)));
    return numbers;
}

std::int64_t integer_at(const DictNode& dict, std::string_view name) {
    const Value* value = dict.find(name);
    return value != nullptr ? value->as_int64().value_or(0) : 0;
}

/// The class of an object; of a plain value its kind.
std::string class_of(const Value& value) {
    return value.type().empty() ? std::string(kind_name(value.kind())) : std::string(value.type());
}

void add_plan(const DictNode& dict, CalibrationSummary& summary) {
    const Value* scheduler = dict.find("scheduler");
    Value samplers;
    if (const Value* list = dict.find("samplers")) samplers = *list;
    if (scheduler != nullptr) {
        summary.scheduler = class_of(*scheduler);
        Value holder;
        if (const Value* found = find_path(*scheduler, "_samplers", holder)) samplers = *found;
    }
    if (!samplers.is(Kind::kList) && !samplers.is(Kind::kTuple)) return;
    for (const auto& sampler : samplers.sequence().items) summary.samplers.push_back(class_of(sampler));
}

}  // namespace

bool is_calibration_state(const Value& root) {
    if (!root.is(Kind::kDict)) return false;
    const DictNode& dict = root.dict();
    for (const std::string_view name : {"parameters_bounds", "parameters_precision", "params_samp", "losses_samp",
                                        "batch_num_samp", "loss_function", "current_batch_index"}) {
        if (dict.find(name) == nullptr) return false;
    }
    return true;
}

std::optional<CalibrationSummary> summarize_calibration(const Value& root) {
    if (!is_calibration_state(root)) return std::nullopt;
    const DictNode& dict = root.dict();
    CalibrationSummary summary;
    if (const Value* name = dict.find("model_name"); name != nullptr && name->is(Kind::kString))
        summary.model = name->as_string();
    const auto bounds = numbers_of(dict.find("parameters_bounds"));
    summary.lower.assign(bounds.begin(), bounds.begin() + static_cast<std::ptrdiff_t>(bounds.size() / 2));
    summary.upper.assign(bounds.begin() + static_cast<std::ptrdiff_t>(bounds.size() / 2), bounds.end());
    summary.precision = numbers_of(dict.find("parameters_precision"));
    summary.ensemble_size = integer_at(dict, "ensemble_size");
    summary.batches = integer_at(dict, "current_batch_index");
    if (const Value* count = dict.find("n_sampled_params")) summary.sampled = count->as_int64();
    const auto batches = numbers_of(dict.find("batch_num_samp"));
    if (!batches.empty())
        summary.last_batch = static_cast<std::int64_t>(*std::max_element(batches.begin(), batches.end()));
    const auto losses = numbers_of(dict.find("losses_samp"));
    summary.rows = static_cast<std::int64_t>(losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
        if (std::isnan(losses[i]) || (summary.best_loss && losses[i] >= *summary.best_loss)) continue;
        summary.best_loss = losses[i];
        summary.best_row = static_cast<std::int64_t>(i);
    }
    const auto params = numbers_of(dict.find("params_samp"));
    const std::size_t width = losses.empty() ? 0 : params.size() / losses.size();
    if (summary.best_loss && width > 0) {
        const auto begin =
            params.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(summary.best_row) * width);
        summary.best_parameters.assign(begin, begin + static_cast<std::ptrdiff_t>(width));
    }
    add_plan(dict, summary);
    summary.loss = class_of(*dict.find("loss_function"));
    return summary;
}

}  // namespace ckpt
