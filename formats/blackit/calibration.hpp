// A calibration as a document, whichever files it came from (README: "The document").
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "formats/blackit/results_csv.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt {

/// A row-major tensor of float64 or int64 numbers.
template <typename T>
Value tensor_of(Pool& pool, const std::vector<T>& numbers, std::vector<std::int64_t> shape) {
    static_assert(sizeof(T) == 8);
    std::string bytes(numbers.size() * 8, '\0');
    if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob(std::move(bytes));
    auto* node = pool.make<TensorNode>();
    node->dtype = std::is_floating_point_v<T> ? DType::kFloat64 : DType::kInt64;
    node->stride = contiguous_strides(shape);
    node->shape = std::move(shape);
    node->storage = std::move(storage);
    return Value::of(node);
}

/// Fills `document.root` from the dict of calibration_params.json, the results, the series and the unpickled plan
/// (scheduler, or list of samplers) and loss. Throws Error (kDamaged) naming the field that is not what it should be.
struct CalibrationParts {
    Value params;  ///< with the names of the JSON file
    Results results;
    Value series, plan, loss;
};
void assemble(Document& document, const CalibrationParts& parts);

/// Takes a document apart again: the dict for the JSON file, and the rest.
CalibrationParts take_apart(Pool& pool, const Value& root);

/// What keeps a document from being a calibration; there is no allowing that.
std::vector<Loss> calibration_losses(const Value& root);

/// What a calibration would lose of a document that is one: sharing between parts, classes and dtypes that JSON and CSV
/// cannot tell, attributes.
enum class Keeper : std::uint8_t { kFolder, kDatabase };
std::vector<Loss> kept_apart_losses(const Document& document, Keeper keeper);

/// Counts that do not agree, each with what it means (README: "What is checked").
std::vector<Finding> check_counts(const Value& root);

}  // namespace ckpt
