// `inspect` of a search state or a calibration: what a person wants to know of it, before its tree.
#pragma once

#include <string>
#include <vector>

#include "libckpt/calibration_state.hpp"
#include "libckpt/run_facts.hpp"
#include "libckpt/search_state.hpp"

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

}  // namespace ckpt
