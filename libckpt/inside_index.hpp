// The index that a checkpoint itself holds, to be held against the one in its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libckpt/series.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

/// What a training state says of how far it came: at its top, in MMEngine's `meta` or fairseq's `extra_state`.
struct InsideIndex {
    std::optional<std::int64_t> epoch;  ///< "epoch", "current_epoch"
    std::optional<std::int64_t> step;   ///< "global_step", "global_steps", "step", "iteration", "iter"

    bool is_empty() const noexcept { return !epoch && !step; }
};
InsideIndex inside_index(const Value& root);
/// "holds epoch 12, step 400"; empty where it says nothing.
std::string index_text(const InsideIndex& inside);

/// What the two say where they differ by more than one ("holds epoch 12"), else empty. One is no difference: some
/// programs count what is done, others what comes next.
std::string disagreement(const NameMatch& name, const InsideIndex& inside);

}  // namespace ckpt
