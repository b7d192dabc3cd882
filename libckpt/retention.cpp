// Rules, one after the other, over each series.
#include "libckpt/retention.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/series.hpp"

namespace ckpt {
namespace {

constexpr std::int64_t kDaySeconds = 24 * 60 * 60;

/// Seconds since 1970 as a clock on the wall counts them.
std::int64_t local_seconds(double time_seconds) {
    const auto time = static_cast<std::time_t>(std::floor(time_seconds));
    std::tm local = {};
    if (::localtime_r(&time, &local) == nullptr) return time;
    return time + local.tm_gmtoff;
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

class SeriesPlanner {
public:
    SeriesPlanner(const std::vector<RetentionItem>& items, const KeepRules& rules, std::vector<std::size_t> members,
                  std::vector<Verdict>& verdicts)
        : items_(items), rules_(rules), verdicts_(verdicts), members_(std::move(members)) {
        std::stable_sort(members_.begin(), members_.end(), [this](std::size_t a, std::size_t b) {
            return is_older(items_[a], items_[b], rules_.by_time);
        });
        for (const std::size_t i : members_) {
            if (items_[i].why_invalid.empty()) valid_.push_back(i);
        }
    }

    void run() {
        if (!valid_.empty()) {
            keep(valid_.back(), "newest valid");
            verdicts_[valid_.back()].is_newest_valid = true;
        }
        keep_ends();
        keep_multiples();
        keep_best();
        keep_by_time();
        keep_named();
    }

private:
    void keep(std::size_t item, std::string reason) {
        verdicts_[item].is_kept = true;
        verdicts_[item].reasons.push_back(std::move(reason));
    }

    void keep_ends() {
        if (rules_.first && !valid_.empty()) keep(valid_.front(), "first");
        const std::size_t count =
            static_cast<std::size_t>(std::min<std::uint64_t>(rules_.last.value_or(0), valid_.size()));
        for (std::size_t i = valid_.size() - count; i < valid_.size(); ++i)
            keep(valid_[i], fmt::format("last {}", *rules_.last));
    }

    void keep_multiples() {
        if (!rules_.every) return;
        const double step = *rules_.every;
        const std::string reason = fmt::format("every {}", index_text(step));
        if (!rules_.closest) {
            for (const std::size_t i : valid_) {
                if (items_[i].index && std::fmod(*items_[i].index, step) == 0) keep(i, reason);
            }
            return;
        }
        std::map<double, std::size_t> nearest;  // by multiple
        for (const std::size_t i : valid_) {
            if (!items_[i].index) continue;
            const double multiple = std::floor(*items_[i].index / step + 0.5) * step;
            const auto [held, is_new] = nearest.try_emplace(multiple, i);
            const auto distance = [&](std::size_t item) { return std::abs(*items_[item].index - multiple); };
            if (!is_new && distance(i) <= distance(held->second)) held->second = i;
        }
        for (const auto& [multiple, i] : nearest)
            keep(i, fmt::format("{}, closest to {}", reason, index_text(multiple)));
    }

    void keep_best() {
        if (!rules_.best) return;
        std::vector<std::size_t> ranked;
        for (auto it = valid_.rbegin(); it != valid_.rend(); ++it) {
            const auto& metric = items_[*it].metric;
            if (!metric) keep(*it, "has no such metric");
            if (metric && !std::isnan(*metric)) ranked.push_back(*it);
        }
        std::stable_sort(ranked.begin(), ranked.end(), [this](std::size_t a, std::size_t b) {
            const double x = *items_[a].metric;
            const double y = *items_[b].metric;
            return rules_.mode == MetricMode::kMin ? x < y : x > y;
        });
        if (ranked.size() > *rules_.best) ranked.resize(static_cast<std::size_t>(*rules_.best));
        for (const std::size_t i : ranked) keep(i, fmt::format("best {}", *rules_.best));
    }

    void keep_by_time() {
        std::vector<std::size_t> by_time = valid_;
        std::stable_sort(by_time.begin(), by_time.end(), [this](std::size_t a, std::size_t b) {
            return items_[a].time_seconds < items_[b].time_seconds;
        });
        if (by_time.empty()) return;
        if (rules_.within_seconds) {
            const double oldest = items_[by_time.back()].time_seconds - *rules_.within_seconds;
            for (const std::size_t i : by_time) {
                if (items_[i].time_seconds >= oldest) keep(i, "within the time of the newest");
            }
        }
        // 1970 began on a Thursday.
        keep_buckets(by_time, rules_.hourly, "hourly", 3600, 0);
        keep_buckets(by_time, rules_.daily, "daily", kDaySeconds, 0);
        keep_buckets(by_time, rules_.weekly, "weekly", 7 * kDaySeconds, 3 * kDaySeconds);
    }

    void keep_buckets(const std::vector<std::size_t>& by_time, const std::optional<std::uint64_t>& most,
                      std::string_view name, std::int64_t bucket_seconds, std::int64_t shift_seconds) {
        if (!most) return;
        std::set<std::int64_t> met;
        for (auto it = by_time.rbegin(); it != by_time.rend(); ++it) {
            const std::int64_t bucket =
                floor_divided(local_seconds(items_[*it].time_seconds) + shift_seconds, bucket_seconds);
            if (met.contains(bucket)) continue;
            if (met.size() == *most) return;
            met.insert(bucket);
            keep(*it, fmt::format("{} {}", name, *most));
        }
    }

    void keep_named() {
        for (const std::size_t i : members_) {
            if (rules_.all && items_[i].why_invalid.empty()) keep(i, "sound");
            for (const double index : rules_.indices) {
                if (items_[i].index == index) keep(i, fmt::format("index {}", index_text(index)));
            }
            for (const std::string& glob : rules_.globs) {
                if (Glob(glob).matches(items_[i].name) ||
                    (!items_[i].path.empty() && Glob(glob).matches(items_[i].path)))
                    keep(i, fmt::format("matches '{}'", glob));
            }
        }
    }

    const std::vector<RetentionItem>& items_;
    const KeepRules& rules_;
    std::vector<Verdict>& verdicts_;
    std::vector<std::size_t> members_;  ///< the oldest first
    std::vector<std::size_t> valid_;
};

}  // namespace

bool KeepRules::is_empty() const noexcept {
    return !all && !last && !first && !every && !best && !within_seconds && !hourly && !daily && !weekly &&
           indices.empty() && globs.empty();
}

bool is_older(const RetentionItem& a, const RetentionItem& b, bool by_time) {
    if (!by_time && (a.index || b.index)) return a.index < b.index;  // nullopt is less than any number
    return a.time_seconds < b.time_seconds;
}

std::vector<Verdict> plan_retention(const std::vector<RetentionItem>& items, const KeepRules& rules) {
    if (rules.every && !(*rules.every > 0))
        throw_error(ErrorCode::kUsage, "every {}: the step must be more than 0", *rules.every);
    std::vector<Verdict> verdicts(items.size(), Verdict{false, false, {}});
    std::map<std::string, std::vector<std::size_t>> series;
    for (std::size_t i = 0; i < items.size(); ++i) series[items[i].series].push_back(i);
    for (auto& [name, members] : series) SeriesPlanner(items, rules, std::move(members), verdicts).run();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const RetentionItem& item = items[i];
        Verdict& verdict = verdicts[i];
        verdict.reasons.insert(verdict.reasons.end(), item.protections.begin(), item.protections.end());
        if (!item.protections.empty()) verdict.is_kept = true;
        if (!item.why_invalid.empty() && !rules.removes_invalid) {
            verdict.is_kept = true;
            verdict.reasons.push_back("damaged, and only --remove-invalid removes it");
        }
        if (!verdict.is_kept) verdict.reasons.push_back(item.why_invalid.empty() ? "no rule keeps it" : "damaged");
    }
    return verdicts;
}

}  // namespace ckpt
