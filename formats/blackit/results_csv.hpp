// calibration_results.csv: one row per sampled parameter vector, as pandas writes it.
#pragma once

#include <string>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// The four arrays of a calibration.
struct Results {
    Value params, losses, batches, methods;
    std::size_t rows = 0;
};

/// `parameters`: how many columns params_samp_0, ... there must be. Numbers are rounded to the nearest double, as their
/// digits say; an empty cell is NaN. Throws Error (kDamaged) naming line and column.
Results parse_results(Pool& pool, std::string_view text, std::size_t parameters);

/// What pandas' to_csv writes.
std::string results_text(const Results& results);

}  // namespace ckpt
