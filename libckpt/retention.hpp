// Which checkpoints of a run to keep and which to remove: rules and what is there, to a plan with reasons.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// A checkpoint as retention sees it. Nothing here is looked up: the caller fills everything.
struct RetentionItem {
    std::string name;             ///< what globs are matched against
    std::string path;             ///< and its path below the folder; may be empty
    std::string series;           ///< rules apply to each series by itself
    std::optional<double> index;  ///< on the axis of the series: epoch, step, ...
    double time_seconds = 0;      ///< of the last modification, since 1970
    std::uint64_t bytes = 0;      ///< of all its files
    std::optional<double> metric;
    std::string why_invalid;  ///< empty where it passed the check
    /// Why it must stay whatever the rules say: "last.ckpt leads here", "is younger than 10 min". Empty: it need not.
    std::vector<std::string> protections;
};

enum class MetricMode : std::uint8_t { kMin, kMax };

/// What to keep; the rules are OR-ed. Numbers count valid checkpoints only.
struct KeepRules {
    std::optional<std::uint64_t> last;
    bool first = false;
    /// Those whose index is a multiple; with `closest` of each multiple the one next to it, half a step away at most,
    /// the later one of two.
    std::optional<double> every;
    bool closest = false;
    std::optional<std::uint64_t> best;  ///< by `RetentionItem::metric`; what has none is kept, as nobody knows
    MetricMode mode = MetricMode::kMin;
    std::optional<double> within_seconds;  ///< not older than the newest by more
    /// The last one of each of the last N hours, days, weeks (beginning on Monday) in which there is one, local time.
    std::optional<std::uint64_t> hourly, daily, weekly;
    std::vector<double> indices;
    std::vector<std::string> globs;
    bool all = false;  ///< every valid one: for who removes damaged ones and leftovers only
    bool removes_invalid = false;
    bool by_time = false;  ///< newer is a later time, whatever the index

    /// Whether there is a rule at all.
    bool is_empty() const noexcept;
};

struct Verdict {
    bool is_kept = true;
    bool is_newest_valid = false;      ///< of its series
    std::vector<std::string> reasons;  ///< why it is kept ("last 3", "newest valid"), or why it is removed
};

/// By index, or `by_time`; what has no index is older than what has one, and among its like goes by time.
bool is_older(const RetentionItem& a, const RetentionItem& b, bool by_time);

/// A verdict for each item, in their order. The newest valid one of each series is kept under any rules, and so is what
/// is protected; what is not valid is kept unless `removes_invalid` or asked for by index or name. Newest last is the
/// order of `is_older`; of equals the later in `items` is the newer. Deterministic. Throws Error (kUsage) for a bad
/// glob or an `every` that is not positive.
std::vector<Verdict> plan_retention(const std::vector<RetentionItem>& items, const KeepRules& rules);

}  // namespace ckpt
