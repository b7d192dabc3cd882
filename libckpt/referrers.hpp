// What leads to a checkpoint or names it: links, pointer files, what a run says is its best.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libckpt/pointers.hpp"
#include "libckpt/run_folder.hpp"

namespace ckpt {

struct Referrers {
    /// For each checkpoint why it must stay: "best.pt leads here", "latest names it".
    std::vector<std::vector<std::string>> reasons;
    /// Pointer files that name what is not there; those of folders below the root by their path.
    std::vector<Pointer> stale;
};

/// Looks at the folder `root`, the one that holds it, and every folder that holds one of the checkpoints: at all their
/// links (to a checkpoint, a file of it, or by way of others), at pointer files, and at `trainer_state.json` beside the
/// checkpoints and in the newest that has one.
Referrers find_referrers(const std::vector<const CheckpointEntry*>& checkpoints, const std::string& root);

}  // namespace ckpt
