// What a checkpoint of a Lightning Trainer says of its run, whatever the layout that holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

struct TrainerSummary {
    std::string version;  ///< of Lightning
    std::optional<std::int64_t> epoch, global_step;
    std::vector<std::string> loops;      ///< "fit_loop", ...
    std::vector<std::string> callbacks;  ///< classes, in order, without their arguments
    std::string best_model_path;         ///< of the first callback that has one
    std::size_t optimizers = 0, schedulers = 0;
    std::string averaged_path;  ///< where averaged weights stand; empty without any
    std::string trained_path;   ///< where the trained ones stand beside them
};

/// nullopt for what no Trainer saved.
std::optional<TrainerSummary> summarize_trainer(const Value& root);

}  // namespace ckpt
