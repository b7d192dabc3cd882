// What the state of a model's calibration says, whatever the layout that holds it (black-it's names).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

struct CalibrationSummary {
    std::string model;
    std::vector<double> lower, upper, precision;  ///< of each parameter
    std::int64_t ensemble_size = 0;
    std::int64_t batches = 0;                ///< done, by the state itself
    std::optional<std::int64_t> last_batch;  ///< the highest batch number of the results
    std::optional<std::int64_t> sampled;     ///< parameters, by the state itself
    std::int64_t rows = 0;                   ///< of the results
    std::optional<double> best_loss;         ///< the least that is no NaN
    std::int64_t best_row = 0;
    std::vector<double> best_parameters;
    std::string scheduler;  ///< class, or empty
    std::vector<std::string> samplers;
    std::string loss;
};

/// Whether a value is such a state: a dict with `parameters_bounds`, `params_samp`, `losses_samp`, `loss_function` and
/// the like.
bool is_calibration_state(const Value& root);

/// Reads results of up to 64 MiB. Nullopt for anything else than a state.
std::optional<CalibrationSummary> summarize_calibration(const Value& root);

}  // namespace ckpt
