// The table of `ckpt ls`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/checkpoint_record.hpp"

namespace ckpt {

struct LsListing {
    const std::vector<CheckpointEntry>& entries;
    const std::vector<CheckpointFacts>& facts;          ///< one for each
    const std::vector<std::optional<double>>& indices;  ///< on the axis that was asked for
    const std::vector<JudgedPointer>& pointers;
    bool is_opened = false;  ///< the facts are from reading each
};

/// Table, summary, and what pointer files and links say that is not so; ends with a newline. On a terminal long reasons
/// are shortened.
std::string ls_table(const LsListing& listing, bool is_terminal);

}  // namespace ckpt
