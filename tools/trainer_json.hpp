// What stands in the `trainer_state.json` of a checkpoint folder.
#pragma once

#include <optional>
#include <string>

#include "libckpt/inside_index.hpp"
#include "libckpt/run_folder.hpp"

namespace ckpt {

/// A number of the file by its name: at the top, else the last of the log (`eval_loss`). nullopt where there is none.
std::optional<double> metric_of_trainer_state(const CheckpointEntry& entry, const std::string& metric);

/// The step; nothing where there is no such file.
InsideIndex index_of_trainer_state(const CheckpointEntry& entry);

}  // namespace ckpt
