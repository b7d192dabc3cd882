// What a training run was, as Mammoth's names and arguments tell it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libckpt/document.hpp"

namespace ckpt {

/// Empty where it is not told.
struct RunFacts {
    std::string base;  ///< what the user put before the name
    std::string model;
    std::string dataset;
    std::string dataset_config;
    std::optional<std::int64_t> buffer_size;  ///< 0: without
    std::optional<std::int64_t> epochs;
    std::string timestamp;  ///< of the run's start, as the name has it: "20240229-233005"
    std::string id;

    bool is_empty() const noexcept { return model.empty() && dataset.empty() && timestamp.empty(); }
};

/// From a name of either form, `[BASE_]MODEL_DATASET_[CONFIG_]BUFFER_EPOCHS_TIMESTAMP[_ID]_TASK.pt` (TASK: a number,
/// `last` or `joint`; it and `.pt` may be absent). Read outwards from the timestamp; models and datasets may have
/// underscores, and are told apart by the names that Mammoth has. Nothing for any other name.
RunFacts run_facts_of_name(std::string_view name);

/// From the arguments that a checkpoint of Mammoth holds, be they a dict or a Namespace. Nothing for any other
/// document.
RunFacts run_facts_of(const Document& document);

}  // namespace ckpt
