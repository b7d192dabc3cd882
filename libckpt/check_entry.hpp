// The check of a checkpoint of a run folder with all that belongs to it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libckpt/check.hpp"
#include "libckpt/run_folder.hpp"

namespace ckpt {

/// Checks what `check_checkpoint` checks, and besides:
/// - of a set of files every part, and whether some are missing: a gap in their numbers, or fewer than each of the
/// other
///   sets of the series has;
/// - of a folder the files beside the layout's own (`optimizer.pt`), without which a run cannot go on;
/// - of a folder of no known layout that holds files of known ones (a file for each rank) each of these.
/// Immutable and thread-safe.
class EntryChecker {
public:
    EntryChecker(const Registry& registry, const std::vector<CheckpointEntry>& all);

    /// Throws Error (kCancelled) only.
    CheckResult check(const CheckpointEntry& entry, VerifyLevel level, const Context& context) const;
    /// The same but for what `check_checkpoint` of its path says.
    CheckResult check_rest(const CheckpointEntry& entry, VerifyLevel level, const Context& context) const;

private:
    std::vector<std::string> parts_of(const CheckpointEntry& entry) const;
    static std::string gap_in(const std::vector<std::string>& parts);
    std::string missing_part(const CheckpointEntry& entry) const;

    const Registry& registry_;
    std::optional<NameTable> names_;  ///< where there are sets
    /// Of a folder and series how many parts its sets without gaps have, ascending.
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> counts_;
};

}  // namespace ckpt
