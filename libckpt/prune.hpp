// Retention carried out on a folder: looks at its checkpoints, plans, and removes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libckpt/check.hpp"
#include "libckpt/identity.hpp"
#include "libckpt/pointers.hpp"
#include "libckpt/retention.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/run_folder.hpp"

namespace ckpt {

struct PruneOptions {
    KeepRules rules;
    std::string root;    ///< the folder that was scanned
    std::string axis;    ///< what orders the checkpoints: as RunFolder::newest has it
    std::string metric;  ///< of `rules.best`: a number in the name, or a path in the file (of several the last element)
    double min_age_seconds = 0;
    std::string min_age_text;  ///< the same as reasons say it
    VerifyLevel level = VerifyLevel::kQuick;
    bool removes_leftovers = false;
    std::vector<Role> stripped;  ///< what would be removed is written without these instead
    std::string trash;           ///< a folder to move to, where each keeps its path below `root`; empty: remove
    /// Asked for the metric of a checkpoint that has it neither in its name nor inside; may be empty.
    std::function<std::optional<double>(const CheckpointEntry& entry, const std::string& metric)> metric_beside;
};

struct PruneSubject {
    enum class Action : std::uint8_t { kKeep, kStrip, kRemove } action = Action::kKeep;
    CheckpointEntry entry;
    CheckResult check;
    bool is_young = false;  ///< younger than the bound
    RetentionItem item;
    Verdict verdict;
    std::optional<Identity> identity;
    std::vector<std::string> dropped;  ///< for kStrip: files that hold nothing but what is to go
};

/// What an interrupted save or removal left.
struct Leftover {
    std::string path;
    std::uint64_t bytes = 0;
    std::string why;
};

class PrunePlan {
public:
    /// Opens every checkpoint of the folder, its index only unless the level says otherwise, in parallel; what calls
    /// itself the last or the best is no subject. Removes nothing. Throws Error (kRefused) where `rules.best` is asked
    /// for and no checkpoint has the metric.
    PrunePlan(const Registry& registry, RunFolder folder, PruneOptions options, const Context& context);

    const std::vector<PruneSubject>& subjects() const noexcept { return subjects_; }
    /// Leftovers of interrupted saves that are to be removed, oldest names first.
    const std::vector<Leftover>& leftovers() const noexcept { return leftovers_; }
    /// Pointers that name what is not there.
    const std::vector<Pointer>& stale_pointers() const noexcept { return stale_; }
    std::size_t count(PruneSubject::Action action) const;
    bool has_work() const { return !leftovers_.empty() || count(PruneSubject::Action::kKeep) != subjects_.size(); }
    /// Folders that have checkpoints, all of which are to be removed.
    std::vector<std::string> emptied_folders() const;
    /// What is freed by removing the checkpoints that are to be removed, and the leftovers: nothing where they move to
    /// a trash on their file system, and nothing for a file that has another hard link.
    std::uint64_t removed_bytes() const;
    std::uint64_t leftover_bytes() const;
    const PruneOptions& options() const noexcept { return options_; }

    /// What could not be done: path and reason.
    using Failures = std::vector<std::pair<std::string, std::string>>;
    struct Done {
        std::uint64_t freed_bytes = 0;
        Failures failures;
    };
    /// Writes a document in place of the file it was read from, atomically; throws Error.
    using Rewrite = std::function<void(const Document& document, const std::string& path)>;
    /// The oldest first, each looked at once more: what has changed since the plan was made is left alone, and so is
    /// everything of a series whose newest valid checkpoint has, and what a link or pointer has come to lead to. Goes
    /// on where one fails. Throws Error (kCancelled), (kOutput) where the trash cannot be made.
    Done carry_out(const Rewrite& rewrite);

private:
    void take(const RunFolder& folder);
    void take_leftovers(const RunFolder& folder);
    void finish_removals();
    void choose_axes();
    void protect_targets();
    void check_all(const RunFolder& folder);
    void doubt_unfinished();
    void find_metrics();
    void decide();
    void spare_stripped();
    std::string why_not_stripped(PruneSubject& subject, const Context& context) const;
    void remove(const PruneSubject& subject, const Rewrite& rewrite, Done& done);
    void strip(const PruneSubject& subject, const Rewrite& rewrite, Done& done) const;
    std::uint64_t take_away(const std::vector<std::string>& paths) const;
    std::uint64_t freed_by(const std::vector<std::string>& paths) const;
    bool is_in_trash(const std::string& path) const;
    std::vector<const CheckpointEntry*> entries() const;
    const PruneSubject* newest_valid_of(const PruneSubject& subject) const;

    const Registry& registry_;
    PruneOptions options_;
    Context context_;
    std::vector<PruneSubject> subjects_;
    std::vector<Leftover> leftovers_;
    std::vector<Pointer> stale_;
};

}  // namespace ckpt
