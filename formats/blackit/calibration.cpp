// Names, types and counts of a calibration.
#include "formats/blackit/calibration.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "libckpt/calibration_state.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

/// The fields in the order in which they are shown, with their names in the JSON file.
struct Field {
    std::string_view name;
    std::string_view in_file;
    enum class Type : std::uint8_t {
        kMatrix,
        kVector,
        kCount,
        kMaybeNumber,
        kBool,
        kMaybeText,
        kMaybeCount,
        kDict,
        kText
    } type;
    bool is_required = true;
};
using Type = Field::Type;
constexpr std::array<Field, 15> kFields = {{
    {"parameters_bounds", "parameters_bounds", Type::kMatrix},
    {"parameters_precision", "parameters_precision", Type::kVector},
    {"real_data", "real_data", Type::kMatrix},
    {"ensemble_size", "ensemble_size", Type::kCount},
    {"N", "N", Type::kCount},
    {"D", "D", Type::kCount},
    {"convergence_precision", "convergence_precision", Type::kMaybeNumber},
    {"verbose", "verbose", Type::kBool},
    {"saving_folder", "saving_file", Type::kMaybeText},
    {"random_state", "initial_random_seed", Type::kMaybeCount},
    {"random_generator_state", "random_generator_state", Type::kDict},
    {"model_name", "model_name", Type::kText},
    {"n_jobs", "n_jobs", Type::kCount, false},
    {"current_batch_index", "current_batch_index", Type::kCount},
    {"n_sampled_params", "n_sampled_params", Type::kCount, false},
}};
constexpr std::array<std::string_view, 5> kResultFields = {"params_samp", "losses_samp", "batch_num_samp",
                                                           "method_samp", "series_samp"};
/// In the file the last three stand in another order.
constexpr std::array<std::string_view, 15> kFileOrder = {"parameters_bounds",
                                                         "parameters_precision",
                                                         "real_data",
                                                         "ensemble_size",
                                                         "N",
                                                         "D",
                                                         "convergence_precision",
                                                         "verbose",
                                                         "saving_file",
                                                         "initial_random_seed",
                                                         "random_generator_state",
                                                         "model_name",
                                                         "current_batch_index",
                                                         "n_sampled_params",
                                                         "n_jobs"};

std::optional<double> number_of(const Value& value) {
    if (value.is(Kind::kFloat)) return value.as_double();
    if (const auto whole = value.as_int64()) return static_cast<double>(*whole);
    return std::nullopt;
}

Value vector_of(Pool& pool, const Value& list, std::string_view field) {
    if (list.is(Kind::kTensor)) return list;
    if (!list.is(Kind::kList)) throw_damaged("'{}' is a {}, not a list of numbers", field, kind_name(list.kind()));
    std::vector<double> numbers;
    for (const auto& item : list.sequence().items) {
        const auto number = number_of(item);
        if (!number) throw_damaged("'{}' holds a {} where a number belongs", field, kind_name(item.kind()));
        numbers.push_back(*number);
    }
    return tensor_of(pool, numbers, {static_cast<std::int64_t>(numbers.size())});
}

Value matrix_of(Pool& pool, const Value& list, std::string_view field) {
    if (list.is(Kind::kTensor)) return list;
    if (!list.is(Kind::kList)) throw_damaged("'{}' is a {}, not a list of rows", field, kind_name(list.kind()));
    const auto& rows = list.sequence().items;
    if (!rows.empty() && !rows.front().is(Kind::kList)) return vector_of(pool, list, field);
    std::vector<double> numbers;
    std::size_t width = 0;
    for (const auto& row : rows) {
        if (!row.is(Kind::kList) || (&row != rows.data() && row.sequence().items.size() != width))
            throw_damaged("'{}' has rows of different lengths", field);
        width = row.sequence().items.size();
        for (const auto& item : row.sequence().items) {
            const auto number = number_of(item);
            if (!number) throw_damaged("'{}' holds a {} where a number belongs", field, kind_name(item.kind()));
            numbers.push_back(*number);
        }
    }
    return tensor_of(pool, numbers, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width)});
}

std::string_view wanted(Type type) {
    switch (type) {
        case Type::kCount:
            return "a whole number";
        case Type::kMaybeNumber:
            return "a number or null";
        case Type::kBool:
            return "true or false";
        case Type::kMaybeText:
            return "text or null";
        case Type::kMaybeCount:
            return "a whole number or null";
        case Type::kDict:
            return "an object";
        case Type::kText:
            return "text";
        default:
            return "numbers";
    }
}

bool fits(Type type, const Value& value) {
    switch (type) {
        case Type::kCount:
            return value.is(Kind::kInt);
        case Type::kMaybeNumber:
            return value.is_null() || value.is(Kind::kInt) || value.is(Kind::kFloat);
        case Type::kBool:
            return value.is(Kind::kBool) || value.is(Kind::kInt);
        case Type::kMaybeText:
            return value.is_null() || value.is(Kind::kString);
        case Type::kMaybeCount:
            return value.is_null() || value.is(Kind::kInt);
        case Type::kDict:
            return value.is(Kind::kDict);
        case Type::kText:
            return value.is(Kind::kString);
        default:
            return value.is(Kind::kTensor);
    }
}

bool is_known(std::string_view in_file) {
    return std::any_of(kFields.begin(), kFields.end(), [&](const Field& field) { return field.in_file == in_file; });
}

bool is_known_array(std::string_view name) {
    return std::any_of(kFields.begin(), kFields.end(), [&](const Field& field) {
        return field.name == name && (field.type == Type::kMatrix || field.type == Type::kVector);
    });
}

bool is_numbers(const Value* value, std::size_t dimensions) {
    return value != nullptr && value->is(Kind::kTensor) && value->tensor().storage &&
           value->tensor().shape.size() == dimensions && dtype_width(value->tensor().dtype) != 0;
}

std::int64_t rows_of(const Value& root, std::string_view name) {
    const Value* value = root.dict().find(name);
    return value != nullptr && value->is(Kind::kTensor) && !value->tensor().shape.empty() ? value->tensor().shape[0]
                                                                                          : -1;
}

/// Values below one of the parts that are each a file or a column of their own.
template <typename Meet>
void meet_nodes(const Value& part, Meet meet) {
    walk(part, [&](const Visit& visit) {
        const Node* node = visit.value.node();
        const bool has_identity =
            visit.value.is(Kind::kList) || visit.value.is(Kind::kDict) || visit.value.is(Kind::kSet) ||
            visit.value.is(Kind::kTensor) ||
            (visit.value.is(Kind::kObject) && node->recipe && node->recipe->how != Recipe::How::kGlobal) ||
            (visit.value.is(Kind::kTuple) && !visit.value.sequence().items.empty());
        if (has_identity && visit.same_as == nullptr) meet(static_cast<const void*>(node));
        if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr && visit.value.tensor().storage)
            meet(static_cast<const void*>(visit.value.tensor().storage.get()));
        return WalkStep::kInto;
    });
}

/// What two parts have in common becomes two, since each is a file, a column or a line of its own.
void add_sharing(const DictNode& dict, std::vector<Loss>& losses) {
    std::unordered_map<const void*, std::size_t> held;
    for (std::size_t i = 0; i < dict.entries.size(); ++i) {
        std::optional<std::size_t> shared;
        meet_nodes(dict.entries[i].second, [&](const void* node) {
            const auto [it, is_new] = held.emplace(node, i);
            if (!is_new && it->second != i && !shared) shared = it->second;
        });
        if (shared)
            losses.push_back({key_text(dict.entries[i].first), fmt::format("shares a value with '{}', which is stored "
                                                                           "apart from it",
                                                                           key_text(dict.entries[*shared].first))});
    }
}

/// Values that are written as JSON: what it cannot tell.
void add_json_losses(std::string_view name, const Value& value, std::vector<Loss>& losses) {
    walk(value, [&](const Visit& visit) {
        const std::string path = join_path(name, visit.path);
        const Node* node = visit.value.node();
        const auto lose = [&](std::string what) {
            losses.push_back({path, std::move(what)});
            return WalkStep::kOver;
        };
        if (visit.same_as != nullptr)
            return lose(fmt::format("is '{}' once more, in JSON it is a copy", *visit.same_as));
        if (visit.value.is(Kind::kTensor) && visit.path.empty() && is_known_array(name)) return WalkStep::kOver;
        const bool has_kind = visit.value.kind() <= Kind::kString
                                  ? !visit.value.is(Kind::kComplex)
                                  : visit.value.is(Kind::kList) || visit.value.is(Kind::kDict);
        if (!has_kind) return lose(fmt::format("is a {}, which JSON does not have", kind_name(visit.value.kind())));
        if (node != nullptr && !node->type.empty())
            losses.push_back({path, fmt::format("is a {}, which JSON cannot tell", node->type.str())});
        if (visit.value.is(Kind::kDict)) {
            for (const auto& [key, item] : visit.value.dict().entries) {
                if (!key.is(Kind::kString) || !key.type().empty()) return lose("has a key that is no text");
            }
        }
        return WalkStep::kInto;
    });
}

/// An array that comes back with another dtype or class.
void add_array_losses(std::string_view name, const TensorNode& tensor, DType dtype, std::vector<Loss>& losses) {
    if (tensor.dtype != dtype)
        losses.push_back({std::string(name),
                          fmt::format("is {}, and comes back as {}", dtype_name(tensor.dtype), dtype_name(dtype))});
    const bool is_plain = (tensor.type.empty() || tensor.type == "numpy.ndarray") && !tensor.requires_grad &&
                          tensor.dict.is_null() && tensor.layout.empty();
    if (!is_plain) losses.push_back({std::string(name), "is more than an array, and comes back as one"});
}

}  // namespace

void assemble(Document& document, const CalibrationParts& parts) {
    Pool& pool = document.pool();
    if (!parts.params.is(Kind::kDict)) throw_damaged("is a {}, not an object", kind_name(parts.params.kind()));
    const DictNode& params = parts.params.dict();
    const Value root = document.root = pool.dict();
    const auto add = [&](std::string_view name, Value value) {
        root.dict().entries.emplace_back(pool.string(std::string(name)), value);
    };
    for (const auto& field : kFields) {
        const Value* found = params.find(field.in_file);
        if (found == nullptr) {
            if (field.is_required) throw_damaged("has no '{}'", field.in_file);
            continue;
        }
        Value value = *found;
        if (field.type == Type::kMatrix) value = matrix_of(pool, value, field.in_file);
        if (field.type == Type::kVector) value = vector_of(pool, value, field.in_file);
        if (!fits(field.type, value))
            throw_damaged("'{}' is a {}, not {}", field.in_file, kind_name(value.kind()), wanted(field.type));
        add(field.name, value);
    }
    add("params_samp", parts.results.params);
    add("losses_samp", parts.results.losses);
    add("batch_num_samp", parts.results.batches);
    add("method_samp", parts.results.methods);
    add("series_samp", parts.series);
    const bool is_list = parts.plan.is(Kind::kList) || parts.plan.is(Kind::kTuple);
    add(is_list ? "samplers" : "scheduler", parts.plan);
    add("loss_function", parts.loss);
    for (const auto& [key, value] : params.entries) {  // of versions to come
        if (key.is(Kind::kString) && !is_known(key.as_string())) add(key.as_string(), value);
    }
}

CalibrationParts take_apart(Pool& pool, const Value& root) {
    const DictNode& dict = root.dict();
    CalibrationParts parts;
    parts.params = pool.dict();
    const auto value_of = [&](std::string_view name) {
        const Value* value = dict.find(name);
        return value != nullptr ? *value : Value();
    };
    parts.results = {value_of("params_samp"), value_of("losses_samp"), value_of("batch_num_samp"),
                     value_of("method_samp"), 0};
    parts.results.rows = static_cast<std::size_t>(std::max<std::int64_t>(0, rows_of(root, "losses_samp")));
    for (const auto in_file : kFileOrder) {
        const auto field =
            std::find_if(kFields.begin(), kFields.end(), [&](const Field& known) { return known.in_file == in_file; });
        const Value* found = dict.find(field->name);
        Value value = found != nullptr ? *found : Value();
        // What the SQLite kind does not keep follows from the rest.
        if (found == nullptr && in_file == "n_jobs") value = Value::integer(1);
        if (found == nullptr && in_file == "n_sampled_params")
            value = Value::integer(static_cast<std::int64_t>(parts.results.rows));
        parts.params.dict().entries.emplace_back(pool.string(std::string(in_file)), value);
    }
    parts.series = value_of("series_samp");
    parts.plan = dict.find("scheduler") != nullptr ? value_of("scheduler") : value_of("samplers");
    parts.loss = value_of("loss_function");
    static constexpr std::string_view kOthers[] = {"params_samp", "losses_samp", "batch_num_samp", "method_samp",
                                                   "series_samp", "scheduler",   "samplers",       "loss_function"};
    for (const auto& [key, value] : dict.entries) {
        if (!key.is(Kind::kString)) continue;
        const bool is_field = std::any_of(kFields.begin(), kFields.end(),
                                          [&](const Field& field) { return field.name == key.as_string(); });
        const bool is_other = std::find(std::begin(kOthers), std::end(kOthers), key.as_string()) != std::end(kOthers);
        if (!is_field && !is_other) parts.params.dict().entries.emplace_back(key, value);
    }
    return parts;
}

std::vector<Loss> calibration_losses(const Value& root) {
    if (!is_calibration_state(root)) return {{"", "is no calibration of black-it"}};
    std::vector<Loss> losses;
    const DictNode& dict = root.dict();
    for (const auto& field : kFields) {
        const Value* value = dict.find(field.name);
        if (value == nullptr) {
            if (field.is_required) losses.push_back({"", fmt::format("has no '{}'", field.name)});
        } else if (!fits(field.type, *value)) {
            losses.push_back({std::string(field.name),
                              fmt::format("is a {}, not {}", kind_name(value->kind()), wanted(field.type))});
        }
    }
    for (const auto& [name, dimensions] : {std::pair{"params_samp", 2u},
                                           {"losses_samp", 1u},
                                           {"batch_num_samp", 1u},
                                           {"method_samp", 1u},
                                           {"series_samp", 4u}}) {
        if (!is_numbers(dict.find(name), dimensions))
            losses.push_back({name, fmt::format("is no array of numbers in {} dimensions", dimensions)});
    }
    const Value* series = dict.find("series_samp");
    if (series != nullptr && series->is(Kind::kTensor) && series->tensor().dtype != DType::kFloat64)
        losses.push_back({"series_samp", fmt::format("is {}, not float64", dtype_name(series->tensor().dtype))});
    if (!losses.empty()) return losses;
    const std::int64_t rows = rows_of(root, "losses_samp");
    for (const std::string_view name : {"params_samp", "batch_num_samp", "method_samp"}) {
        if (rows_of(root, name) != rows)
            losses.push_back(
                {std::string(name), fmt::format("has {} rows, losses_samp has {}", rows_of(root, name), rows)});
    }
    return losses;
}

std::vector<Loss> kept_apart_losses(const Document& document, Keeper keeper) {
    std::vector<Loss> losses;
    const DictNode& dict = document.root.dict();
    if (!document.root.type().empty())
        losses.push_back({"", fmt::format("is a {}; what is read again is a plain dict", document.root.type())});
    Pool scratch;
    Document again;
    assemble(again, take_apart(scratch, document.root));
    std::vector<std::string_view> order, found;
    for (const auto& [key, value] : again.root.dict().entries) order.push_back(key.as_string());
    for (const auto& [key, value] : dict.entries) {
        if (!key.is(Kind::kString)) {
            losses.push_back({key_text(key), "is under a key that is no text"});
            continue;
        }
        found.push_back(key.as_string());
    }
    std::erase_if(order,
                  [&](std::string_view name) { return std::find(found.begin(), found.end(), name) == found.end(); });
    if (order != found) losses.push_back({"", "has its fields in another order than comes back"});
    for (const auto& [key, value] : dict.entries) {
        if (!key.is(Kind::kString)) continue;
        const std::string_view name = key.as_string();
        const bool is_array = is_known_array(name);
        const bool is_result =
            std::find(std::begin(kResultFields), std::end(kResultFields), name) != std::end(kResultFields);
        if ((is_array || is_result) && value.is(Kind::kTensor)) {
            const bool is_count = name == "batch_num_samp" || name == "method_samp";
            const bool keeps_dtype = keeper == Keeper::kDatabase || name == "series_samp";
            const TensorNode& tensor = value.tensor();
            add_array_losses(name, tensor,
                             keeps_dtype ? tensor.dtype
                             : is_count  ? DType::kInt64
                                         : DType::kFloat64,
                             losses);
        } else if (name != "scheduler" && name != "samplers" && name != "loss_function") {
            add_json_losses(name, value, losses);
        }
    }
    add_sharing(dict, losses);
    for (auto& loss : attribute_losses(document, {"blackit:", "npy:", "pickle:"}, "a calibration"))
        losses.push_back(std::move(loss));
    return losses;
}

std::vector<Finding> check_counts(const Value& root) {
    std::vector<Finding> findings;
    const auto summary = summarize_calibration(root);
    if (!summary) return findings;
    const std::int64_t rows = rows_of(root, "losses_samp");
    const std::int64_t series = rows_of(root, "series_samp");
    const std::int64_t sampled = summary->sampled.value_or(rows);
    // A batch after the last of the results: the JSON file is that of the next save.
    const std::int64_t batches_done = summary->last_batch ? *summary->last_batch + 1 : 0;
    if (series > rows && sampled == rows) {
        findings.push_back(
            {Finding::Severity::kWarning, "series_samp",
             fmt::format("has {} rows but {} parameters were sampled: stale rows of an earlier calibration in "
                         "the same folder (a save only adds rows beyond those that are there)",
                         series, rows)});
    } else if (summary->batches != batches_done || series < rows || sampled != rows) {
        const bool is_between =
            summary->batches == batches_done + 1 || (series < rows && summary->batches == batches_done);
        std::string what = fmt::format(
            "calibration_params.json says {} batches and {} parameters, the results have {} batches and {} rows, the "
            "series "
            "{} rows",
            summary->batches, sampled, batches_done, rows, series);
        if (is_between) what += ": the folder was caught between two writes of a save";
        findings.push_back({Finding::Severity::kDamage, "", what});
    }
    return findings;
}

}  // namespace ckpt
