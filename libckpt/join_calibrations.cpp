// Joining calibrations: rows, batches, samplers by name.
#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "libckpt/calibration_state.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/merge.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 26;  // of numbers that are looked at one by one

constexpr std::string_view kRowFields[] = {"params_samp", "losses_samp", "batch_num_samp", "method_samp",
                                           "series_samp"};
/// What two calibrations must have in common for their losses to be comparable and their arrays to fit.
constexpr std::string_view kSameFields[] = {
    "model_name", "parameters_bounds", "parameters_precision", "real_data", "ensemble_size", "N", "D"};

const Value* at(const MergeInput& input, std::string_view name) {
    return input.document.root.dict().find(name);
}

const TensorNode& array(const MergeInput& input, std::string_view name) {
    const Value* value = at(input, name);
    if (value == nullptr || !value->is(Kind::kTensor) || !value->tensor().storage || !value->tensor().layout.empty() ||
        value->tensor().shape.empty() || dtype_width(value->tensor().dtype) == 0)
        throw_error(ErrorCode::kRefused, "{}: '{}' is no array of numbers", input.name, name);
    return value->tensor();
}

std::string bytes_of(const MergeInput& input, std::string_view name) {
    const TensorNode& tensor = array(input, name);
    const auto size = tensor.logical_bytes();
    if (!size || *size > kMostBytes)
        throw_error(ErrorCode::kRefused, "{}: '{}' has more than {} bytes", input.name, name, kMostBytes);
    return read_all(*logical_blob(tensor), kMostBytes);
}

std::vector<std::int64_t> integers_of(const MergeInput& input, std::string_view name) {
    const TensorNode& tensor = array(input, name);
    const std::string bytes = bytes_of(input, name);
    const unsigned width = dtype_width(tensor.dtype);
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i + width <= bytes.size(); i += width)
        numbers.push_back(static_cast<std::int64_t>(
            element_as_double(tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + i))));
    return numbers;
}

/// A value in few words, for what differs.
std::string shown(const MergeInput& input, const Value* value) {
    if (value == nullptr) return "absent";
    switch (value->kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kInt:
            return value->integer_text();
        case Kind::kFloat:
            return fmt::format("{}", value->as_double());
        case Kind::kString:
            return fmt::format("'{}'", value->as_string());
        case Kind::kTensor: {
            const TensorNode& tensor = value->tensor();
            if (!tensor.storage || !tensor.layout.empty() || tensor.logical_bytes().value_or(kMostBytes) > 128 ||
                dtype_width(tensor.dtype) == 0)
                return fmt::format("{} numbers", tensor.element_count().value_or(0));
            const std::string bytes = read_all(*logical_blob(tensor), kMostBytes);
            std::string text;
            for (std::size_t i = 0; i < bytes.size(); i += dtype_width(tensor.dtype))
                text +=
                    fmt::format("{}{}", text.empty() ? "" : ", ",
                                element_as_double(tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + i)));
            return "(" + text + ")";
        }
        default:
            return fmt::format("{}{}", value->type().empty() ? "a " : "",
                               value->type().empty() ? kind_name(value->kind()) : value->type());
    }
    static_cast<void>(input);
}

bool is_same(const MergeInput& a, const MergeInput& b, std::string_view name) {
    const Value* first = at(a, name);
    const Value* second = at(b, name);
    if (first == nullptr || second == nullptr) return first == second;
    if (first->kind() != second->kind()) return false;
    switch (first->kind()) {
        case Kind::kInt:
            return first->integer_text() == second->integer_text();
        case Kind::kString:
            return first->as_string() == second->as_string();
        case Kind::kTensor:
            return array(a, name).shape == array(b, name).shape && array(a, name).dtype == array(b, name).dtype &&
                   bytes_of(a, name) == bytes_of(b, name);
        default:
            return *first == *second;
    }
}

/// Classes of the samplers in the order in which the calibration numbers them: by the last part of their names, each
/// once.
std::vector<std::string> numbered_samplers(const CalibrationSummary& summary) {
    std::vector<std::string> names;
    for (const auto& name : summary.samplers) {
        std::string last = name.substr(name.rfind('.') + 1);
        if (std::find(names.begin(), names.end(), last) == names.end()) names.push_back(std::move(last));
    }
    return names;
}

Value integer_array(Pool& pool, const std::vector<std::int64_t>& numbers) {
    std::string bytes(numbers.size() * 8, '\0');
    if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob(std::move(bytes));
    auto* node = pool.make<TensorNode>();
    node->dtype = DType::kInt64;
    node->shape = {static_cast<std::int64_t>(numbers.size())};
    node->stride = {1};
    node->storage = std::move(storage);
    return Value::of(node);
}

class CalibrationJoiner {
public:
    CalibrationJoiner(std::span<const MergeInput> inputs, const Context& context) : inputs_(inputs), context_(context) {
        for (const MergeInput& input : inputs_) {
            document_.adopt_pools(input.document);
            summaries_.push_back(summarize_calibration(input.document.root).value_or(CalibrationSummary{}));
        }
        document_.format = inputs_.front().document.format;
        document_.producer = inputs_.front().document.producer;
        // Not the texts of its files: they say what one calibration came to.
        for (const auto& [name, value] : inputs_.front().document.attributes) {
            if (!name.ends_with(":csv")) document_.attributes.emplace_back(name, value);
        }
    }

    Document run() {
        for (std::size_t i = 0; i < inputs_.size(); ++i) refuse_torn(i);
        refuse_differences();
        join_numbers();
        const Value root = document_.root = document_.pool().dict();
        for (const auto& [key, value] : inputs_.front().document.root.dict().entries)
            root.dict().entries.emplace_back(key, joined(key.is(Kind::kString) ? key.as_string() : "", value));
        return std::move(document_);
    }

private:
    /// Rows that do not belong to each other can only be joined wrongly.
    void refuse_torn(std::size_t i) const {
        const MergeInput& input = inputs_[i];
        const std::int64_t rows = array(input, "losses_samp").shape[0];
        for (const auto name : kRowFields) {
            const std::int64_t count = array(input, name).shape[0];
            if (count == rows) continue;
            throw_error(ErrorCode::kRefused, "{}: '{}' has {} rows, 'losses_samp' has {}{}", input.name, name, count,
                        rows, name == "series_samp" && count > rows ? ": stale rows of an earlier calibration" : "");
        }
        const std::int64_t done = summaries_[i].last_batch ? *summaries_[i].last_batch + 1 : 0;
        if (summaries_[i].batches < done)
            throw_error(ErrorCode::kRefused, "{}: says {} batches, its results have {}", input.name,
                        summaries_[i].batches, done);
        if (summaries_[i].sampled.value_or(rows) != rows)
            throw_error(ErrorCode::kRefused, "{}: says {} parameters, its results have {}", input.name,
                        *summaries_[i].sampled, rows);
    }

    void refuse_differences() const {
        std::string differences;
        const auto add = [&](const MergeInput& input, std::string_view what, const std::string& first,
                             const std::string& other) {
            differences += fmt::format("{}'{}' is {} in {} and {} in {}", differences.empty() ? "" : "; ", what, first,
                                       inputs_.front().name, other, input.name);
        };
        for (std::size_t i = 1; i < inputs_.size(); ++i) {
            for (const auto name : kSameFields) {
                if (!is_same(inputs_.front(), inputs_[i], name))
                    add(inputs_[i], name, shown(inputs_.front(), at(inputs_.front(), name)),
                        shown(inputs_[i], at(inputs_[i], name)));
            }
            if (summaries_.front().loss != summaries_[i].loss)
                add(inputs_[i], "loss_function", summaries_.front().loss, summaries_[i].loss);
            for (const auto name : kRowFields) {
                const TensorNode& first = array(inputs_.front(), name);
                const TensorNode& other = array(inputs_[i], name);
                const bool fits = first.dtype == other.dtype && std::equal(first.shape.begin() + 1, first.shape.end(),
                                                                           other.shape.begin() + 1, other.shape.end());
                if (!fits)
                    add(inputs_[i], name, fmt::format("{} of shape ({})", dtype_name(first.dtype), shape_text(first)),
                        fmt::format("{} of shape ({})", dtype_name(other.dtype), shape_text(other)));
            }
        }
        if (!differences.empty())
            throw_error(ErrorCode::kRefused, "these calibrations do not belong together: {}", differences);
    }
    static std::string shape_text(const TensorNode& tensor) {
        std::string text;
        for (const auto size : tensor.shape) text += fmt::format("{}{}", text.empty() ? "" : ", ", size);
        return text;
    }

    void join_numbers() {
        std::vector<std::string> names = numbered_samplers(summaries_.front());
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            for (const std::int64_t batch : integers_of(inputs_[i], "batch_num_samp"))
                batch_numbers_.push_back(batches_ + batch);
            batches_ += summaries_[i].batches;
            rows_ += summaries_[i].rows;
            const auto own = numbered_samplers(summaries_[i]);
            for (const std::int64_t method : integers_of(inputs_[i], "method_samp")) {
                const bool has_name = method >= 0 && static_cast<std::size_t>(method) < own.size();
                if (!has_name) {  // of a sampler that was taken out again
                    methods_.push_back(method);
                    continue;
                }
                const std::string& name = own[static_cast<std::size_t>(method)];
                auto found = std::find(names.begin(), names.end(), name);
                if (found == names.end()) {
                    context_.note(fmt::format("{}: the scheduler of {} has no {}; its rows get number {}",
                                              inputs_[i].name, inputs_.front().name, name, names.size()));
                    found = names.insert(names.end(), name);
                }
                methods_.push_back(found - names.begin());
            }
        }
    }

    Value joined_rows(std::string_view name) {
        std::vector<BlobPtr> pieces;
        auto* node = document_.pool().make<TensorNode>();
        const TensorNode& first = array(inputs_.front(), name);
        node->dtype = first.dtype;
        node->shape = first.shape;
        node->shape[0] = rows_;
        node->stride = contiguous_strides(node->shape);
        for (const MergeInput& input : inputs_) pieces.push_back(logical_blob(array(input, name)));
        auto storage = std::make_shared<Storage>();
        storage->blob = joined_blob(std::move(pieces));
        node->storage = std::move(storage);
        return Value::of(node);
    }

    Value joined(std::string_view name, const Value& value) {
        if (name == "batch_num_samp") return integer_array(document_.pool(), batch_numbers_);
        if (name == "method_samp") return integer_array(document_.pool(), methods_);
        if (std::find(std::begin(kRowFields), std::end(kRowFields), name) != std::end(kRowFields))
            return joined_rows(name);
        if (name == "current_batch_index") return Value::integer(batches_);
        if (name == "n_sampled_params") return Value::integer(rows_);
        return value;
    }

    std::span<const MergeInput> inputs_;
    const Context& context_;
    Document document_;
    std::vector<CalibrationSummary> summaries_;
    std::vector<std::int64_t> batch_numbers_, methods_;
    std::int64_t batches_ = 0;
    std::int64_t rows_ = 0;
};

}  // namespace

Document join_calibrations(std::span<const MergeInput> inputs, const HistoryOptions&, const Context& context) {
    return CalibrationJoiner(inputs, context).run();
}

}  // namespace ckpt
