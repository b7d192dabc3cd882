// Which charts are drawn of a checkpoint, and what stands together in one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/curves.hpp"

namespace ckpt {

struct Named {
    std::string name;
    Value value;
};

/// What one wants to see of a checkpoint: the history of a search, the losses of a calibration, else the curves of its
/// log. Empty where it has none of these. `title` stands over curves of a log.
std::vector<Chart> usual_charts(const Document& document, const std::string& title, const Context& context);

/// The named values: curves in one chart, of a dict in one for each kind of number; tensors as histograms, but for
/// those of one dimension in a log. A search or calibration as `usual_charts` has it.
/// Histograms of tensors of more than `max_bytes` are refused (Error, kRefused).
std::vector<Chart> charts_of(const Document& document, const std::vector<Named>& values, const std::string& title,
                             std::size_t bars, std::uint64_t max_bytes, const Context& context);

/// "loss" for train_loss and val_loss, "value" where they have no word in common.
std::string y_label_of(const std::vector<Curve>& curves);

}  // namespace ckpt
