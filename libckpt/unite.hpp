// The parts of several checkpoints in one: the model of one, the optimizer of another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/merge.hpp"

namespace ckpt {

/// Whose value is taken where several inputs have one under the same name, and not the same.
enum class Prefer : std::uint8_t { kNone, kFirst, kLast };

struct Union {
    Document document;
    std::vector<std::string> conflicts;  ///< with kNone: what is not the same, with its path; then there is no document
    std::size_t decided = 0;             ///< conflicts that a preference decided
};

/// All entries of all inputs, those of the first before those of the others; dicts that several have are united in the
/// same way. What several have is the same when `compare_documents` finds no difference in names, classes, dtypes,
/// shapes and values. Roots that are no dicts are an Error (kRefused), as are dicts nested more than 1000 deep.
Union unite(const std::vector<MergeInput>& inputs, Prefer prefer, const Context& context);

}  // namespace ckpt
