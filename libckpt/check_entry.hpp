// The check of a checkpoint of a run folder with all that belongs to it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/check.hpp"
#include "libckpt/run_folder.hpp"

namespace ckpt {

/// What is missing of files whose names count them (`-00002-of-00003`), with its number; empty where nothing is. Of one
/// set in two divisions, one may be left in pieces from an earlier save: an index tells which holds, else one of them
/// must be whole.
std::string missing_of_counted(const std::vector<std::string>& files, bool has_index);
/// Whether a name is one of those.
bool is_counted(std::string_view name);

/// What belongs to a checkpoint beside that which is at its path.
struct EntryRest {
    std::string missing;             ///< which of its files is not there; empty where none is known to be missing
    std::vector<std::string> files;  ///< paths of the others, each to be checked by itself
    std::string folder;              ///< in which they are
};

/// Checks what `check_checkpoint` checks, and besides:
/// - of a set of files every part, and whether some are missing: a gap in their numbers, or fewer than each of the
///   other sets of the series has;
/// - of a folder with a folder for each rank (`mp_rank_00`) whether it has fewer than each of those around it;
/// - of a folder whether each file of those is there whose names count them (`-00002-of-00003`);
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

    /// What `check_rest` checks, for who checks it otherwise. Throws Error (kCancelled) only.
    EntryRest rest_of(const CheckpointEntry& entry, const Context& context) const;
    /// Whether the rest is all that can be checked: the folder itself is of no known layout.
    static bool is_of_others(const CheckpointEntry& entry, const CheckResult& own);
    /// Whether the result of the rest is that of the checkpoint, where `own` is valid or `is_of_others`.
    static bool counts(const CheckpointEntry& entry, const CheckResult& own, const CheckResult& rest);

private:
    std::vector<std::string> parts_of(const CheckpointEntry& entry) const;
    static std::string gap_in(const std::vector<std::string>& parts);
    std::string missing_part(const CheckpointEntry& entry) const;
    std::string missing_ranks(const CheckpointEntry& entry) const;

    const Registry& registry_;
    std::optional<NameTable> names_;  ///< where there are sets
    /// Of a folder and series the paths of its folders, in order.
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> folders_;
    /// Of a folder and series how many parts its sets without gaps have, ascending.
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> counts_;
};

}  // namespace ckpt
