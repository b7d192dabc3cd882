// The weights of several like checkpoints as one: averages, and what is computed from differences to a base.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "libckpt/cast.hpp"
#include "libckpt/combine_blob.hpp"
#include "libckpt/merge.hpp"
#include "libckpt/path.hpp"

namespace ckpt {

struct CombineOptions {
    Formula formula;  ///< no weights: all 1
    /// Integers, flags and numbers by themselves that are averaged, too, and tensors that are no part of a model.
    std::vector<Glob> also;
    std::optional<DType> cast;    ///< of the result; else that of the inputs
    std::vector<Glob> cast_only;  ///< as in `cast_tensors`
};

struct Combination {
    Document document;
    /// What keeps the inputs from being combined, each with its path: names, shapes, dtypes that differ. Then the
    /// document is of no use.
    std::vector<std::string> mismatches;
    std::size_t combined = 0;      ///< tensors
    std::size_t numbers = 0;       ///< numbers by themselves that were averaged
    std::size_t kept_tensors = 0;  ///< those of the last input: integers, and what is no part of a model
    std::size_t kept_others = 0;   ///< leaves that are no tensors
    std::vector<CastOverflow> overflow;
};

/// Combines the floating-point and complex tensors of the models (averaged and trained ones, too) of all inputs by the
/// formula, elements by their place in logical order; where nothing says what a model is, all such tensors. Everything
/// else is as in the last input, which is to be the newest. `base` is needed for differences (Formula::Kind::kTask).
///
/// Lazy: the result reads the inputs when it is written. Classes, ties and (where all inputs have the same) strides are
/// those of the last input. Of `also` integers come out rounded to the nearest. A wrong number of inputs is an Error
/// (kUsage).
Combination combine(const std::vector<MergeInput>& inputs, const MergeInput* base, const CombineOptions& options,
                    const Context& context);

}  // namespace ckpt
