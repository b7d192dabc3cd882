// Which children of a container share a line of the tree: numbered blocks of like names, runs of like siblings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/walk.hpp"

namespace ckpt {

/// Some children that stand on one line.
struct Fold {
    std::size_t end = 0;         ///< the first child behind it
    std::string name;            ///< "layers.{0..11}", "0 ... 5"
    std::size_t blocks = 0;      ///< how many like things it stands for
    std::string look;            ///< of siblings: what each of them is
    std::vector<Child> members;  ///< what each of them has, with the first one's values; empty where they differ
};

/// The blocks that begin at child `at`: consecutive text keys such as `layers.0.weight`, `layers.0.bias`,
/// `layers.1.weight`, ... with one prefix and, behind a number, the rest. Blocks that are alike in names, shapes and
/// dtypes fold from three on, others only where `is_crowded`. `end` is `at` where nothing folds.
Fold fold_blocks(const ChildList& children, std::size_t at, bool is_crowded);

/// Siblings from `at` on that are tensors of one look, or containers of the same member names: four or more. Containers
/// of tensors whose names differ in more than numbers fold only where `is_crowded`. `end` is `at` where nothing folds.
Fold fold_siblings(const ChildList& children, std::size_t at, bool is_crowded);

/// "64 x 3 x 3 x 3", "scalar"; "?" where a size is ragged.
std::string shape_text(const TensorNode& tensor);
/// Equal for tensors that may share a line: shape, dtype, layout, class.
std::string tensor_look(const TensorNode& tensor);

}  // namespace ckpt
