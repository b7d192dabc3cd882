// `inspect` of a search state, a calibration or a Trainer's checkpoint: what a person wants to know of it, before its
// tree.
#pragma once

#include <string>
#include <vector>

#include "libckpt/calibration_state.hpp"
#include "libckpt/run_facts.hpp"
#include "libckpt/search_state.hpp"
#include "libckpt/trainer_state.hpp"

namespace ckpt {

/// Lines for a person: result, counts, whether it runs, pruner, best parameters.
std::vector<std::string> search_lines(const SearchSummary& summary);
/// The same as a JSON object.
std::string search_json(const SearchSummary& summary);

/// Lines for a calibration: model, counts, best loss and its parameters, bounds, samplers and loss by class.
std::vector<std::string> calibration_lines(const CalibrationSummary& summary);
std::string calibration_json(const CalibrationSummary& summary);

/// "er on seq-cifar10, buffer 500, 50 epochs, started 20240229-233005".
std::string run_line(const RunFacts& facts);
/// One JSON object.
std::string run_json(const RunFacts& facts);

/// Lines for a Trainer's checkpoint: version, epoch, step, loops, callbacks, which weights are averages.
std::vector<std::string> trainer_lines(const TrainerSummary& summary);
std::string trainer_json(const TrainerSummary& summary);

}  // namespace ckpt
