// Rules of retention: each by itself, and what holds for any of them.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/retention.hpp"

using namespace ckpt;

namespace {

constexpr double kHour = 3600;
constexpr double kDay = 24 * kHour;
// 2026-03-02 12:00 UTC, a Monday.
constexpr double kNoon = 1772452800;

RetentionItem item(double index, double time = kNoon) {
    RetentionItem result;
    result.name = fmt::format("checkpoint={}.jld2", index);
    result.series = "checkpoint=#.jld2";
    result.index = index;
    result.time_seconds = time;
    return result;
}

std::vector<RetentionItem> run(std::initializer_list<double> indices) {
    std::vector<RetentionItem> items;
    for (const double index : indices) items.push_back(item(index, kNoon + index));
    return items;
}

std::vector<double> kept(const std::vector<RetentionItem>& items, const KeepRules& rules) {
    const auto verdicts = plan_retention(items, rules);
    REQUIRE(verdicts.size() == items.size());
    std::vector<double> result;
    for (std::size_t i = 0; i < items.size(); ++i) {
        CHECK_FALSE(verdicts[i].reasons.empty());
        if (verdicts[i].is_kept) result.push_back(items[i].index.value_or(-1));
    }
    return result;
}

using Indices = std::vector<double>;

struct LocalTime {
    explicit LocalTime(const char* zone) { set(zone); }
    ~LocalTime() { set("UTC"); }
    LocalTime(const LocalTime&) = delete;
    LocalTime& operator=(const LocalTime&) = delete;

private:
    static void set(const char* zone) {
        ::setenv("TZ", zone, 1);
        ::tzset();
    }
};

}  // namespace

TEST_CASE("the last and the first are kept, whatever the order they come in", "[retention]") {
    KeepRules rules;
    CHECK(rules.is_empty());
    rules.last = 2;
    CHECK_FALSE(rules.is_empty());
    CHECK(kept(run({10, 9, 1, 2}), rules) == Indices{10, 9});
    rules.first = true;
    CHECK(kept(run({10, 9, 1, 2}), rules) == Indices{10, 9, 1});
    rules = {};
    rules.last = 100;
    CHECK(kept(run({1, 2}), rules) == Indices{1, 2});
    rules.last = 0;
    CHECK(kept(run({1, 2}), rules) == Indices{2});  // the newest valid one stays under any rule
    CHECK(plan_retention({}, rules).empty());
}

TEST_CASE("multiples are kept, or what is closest to them", "[retention]") {
    KeepRules rules;
    rules.every = 10;
    CHECK(kept(run({5, 10, 15, 20, 25}), rules) == Indices{10, 20, 25});
    CHECK(kept(run({9, 19, 29}), rules) == Indices{29});
    rules.closest = true;
    CHECK(kept(run({9, 12, 19, 29, 31}), rules) == Indices{9, 19, 31});  // 10, 20, 30: the later one of two
    CHECK(kept(run({1000000000, 7, 1}), rules) == Indices{1000000000, 7, 1});
    CHECK(kept(run({1000000000, 12, 7}), rules) == Indices{1000000000, 12});
    rules.every = 0.5;
    CHECK(kept(run({0.25, 0.5, 0.75, 1}), rules) == Indices{0.5, 1});
    rules.every = 0;
    CHECK_THROWS_AS(plan_retention(run({1}), rules), Error);
    rules.every = NAN;
    CHECK_THROWS_AS(plan_retention(run({1}), rules), Error);
}

TEST_CASE("the best by a metric are kept, and what has none", "[retention]") {
    auto items = run({1, 2, 3, 4, 5});
    const double losses[] = {0.5, 0.1, 0.3, NAN, 0.1};
    for (std::size_t i = 0; i < items.size(); ++i) items[i].metric = losses[i];
    KeepRules rules;
    rules.best = 1;
    CHECK(kept(items, rules) == Indices{5});  // of equals the newer one
    rules.best = 2;
    CHECK(kept(items, rules) == Indices{2, 5});
    rules.mode = MetricMode::kMax;
    CHECK(kept(items, rules) == Indices{1, 3, 5});  // 5 is the newest
    items[1].metric.reset();
    CHECK(kept(items, rules) == Indices{1, 2, 3, 5});
    rules.best = 100;
    CHECK(kept(items, rules) == Indices{1, 2, 3, 5});  // NaN is no best
}

TEST_CASE("times keep what is not much older than the newest, and one per hour, day, week", "[retention]") {
    const LocalTime utc("UTC");
    std::vector<RetentionItem> items;
    for (int i = 0; i < 10; ++i) items.push_back(item(i, kNoon + i * 0.5 * kHour));  // 12:00 to 16:30
    KeepRules rules;
    rules.within_seconds = kHour;
    CHECK(kept(items, rules) == Indices{7, 8, 9});
    rules = {};
    rules.hourly = 3;
    CHECK(kept(items, rules) == Indices{5, 7, 9});
    rules = {};
    rules.daily = 2;
    CHECK(kept(items, rules) == Indices{9});
    items.push_back(item(-1, kNoon - kDay));      // Sunday
    items.push_back(item(-2, kNoon - 2 * kDay));  // Saturday
    items.push_back(item(-9, kNoon - 9 * kDay));
    CHECK(kept(items, rules) == Indices{9, -1});
    rules = {};
    rules.weekly = 2;
    CHECK(kept(items, rules) == Indices{9, -1});
    rules.weekly = 3;
    CHECK(kept(items, rules) == Indices{9, -1, -9});
}

TEST_CASE("indices and globs keep by name", "[retention]") {
    KeepRules rules;
    rules.indices = {2, 7};
    CHECK(kept(run({1, 2, 3}), rules) == Indices{2, 3});
    rules = {};
    rules.globs = {"*=1.*", "nothing"};
    CHECK(kept(run({1, 2, 3}), rules) == Indices{1, 3});
    auto items = run({1, 2, 3});
    items[1].path = "a/epoch=2.ckpt";
    rules.globs = {"a"};
    CHECK(kept(items, rules) == Indices{2, 3});
}

TEST_CASE("by time the index orders nothing, and still keeps", "[retention]") {
    auto items = run({1, 2, 3, 4});
    for (std::size_t i = 0; i < items.size(); ++i) items[i].time_seconds = 100.0 - static_cast<double>(i);
    KeepRules rules;
    rules.by_time = true;
    rules.last = 1;
    CHECK(kept(items, rules) == Indices{1});
    rules.indices = {3};
    CHECK(kept(items, rules) == Indices{1, 3});
}

TEST_CASE("hours, days and weeks are those of the local clock, at the turn of the year and when it is put back",
          "[retention]") {
    const LocalTime berlin("CET-1CEST,M3.5.0,M10.5.0/3");
    const auto at = [](const char* text) {
        std::tm time = {};
        REQUIRE(::strptime(text, "%Y-%m-%d %H:%M", &time) != nullptr);
        time.tm_isdst = -1;
        return static_cast<double>(::mktime(&time));
    };
    const auto kept_at = [&](const std::vector<const char*>& times, const KeepRules& rules) {
        std::vector<RetentionItem> items;
        for (const char* time : times) items.push_back(item(static_cast<double>(items.size()), at(time)));
        return kept(items, rules);
    };
    KeepRules days;
    days.daily = 2;
    CHECK(kept_at({"2025-12-30 23:59", "2025-12-31 00:01", "2025-12-31 23:59", "2026-01-01 00:01"}, days) ==
          Indices{2, 3});
    // The night of 23 hours, and that of 25.
    CHECK(kept_at({"2026-03-28 23:30", "2026-03-29 01:30", "2026-03-29 03:30", "2026-03-30 00:10"}, days) ==
          Indices{2, 3});
    CHECK(kept_at({"2026-10-24 23:30", "2026-10-25 00:30", "2026-10-25 23:30", "2026-10-26 00:10"}, days) ==
          Indices{2, 3});
    KeepRules weeks;
    weeks.weekly = 2;  // 2025-12-29 is a Monday: one week on both sides of the new year
    CHECK(kept_at({"2025-12-28 12:00", "2025-12-29 00:10", "2025-12-31 12:00", "2026-01-04 23:50", "2026-01-05 00:10"},
                  weeks) == Indices{3, 4});
    KeepRules hours;
    hours.hourly = 2;
    CHECK(kept_at({"2026-01-01 09:59", "2026-01-01 10:00", "2026-01-01 10:59", "2026-01-01 11:00"}, hours) ==
          Indices{2, 3});
}

TEST_CASE("only valid checkpoints count, and damaged ones stay unless they are to be removed", "[retention]") {
    auto items = run({1, 2, 3, 4});
    items[3].why_invalid = "is cut short";
    items[1].why_invalid = "is empty";
    KeepRules rules;
    rules.last = 1;
    CHECK(kept(items, rules) == Indices{2, 3, 4});
    rules.removes_invalid = true;
    CHECK(kept(items, rules) == Indices{3});
    items[1].protections = {"latest names it"};
    CHECK(kept(items, rules) == Indices{2, 3});
    rules = {};
    rules.all = true;
    CHECK_FALSE(rules.is_empty());
    rules.removes_invalid = true;
    CHECK(kept(items, rules) == Indices{1, 2, 3});
    for (auto& each : items) each.why_invalid = "is empty";
    items[1].protections.clear();
    CHECK(kept(items, rules).empty());
}

TEST_CASE("series do not compete, and what has no index is the oldest", "[retention]") {
    auto items = run({1, 2, 3});
    auto others = run({100, 200});
    for (auto& other : others) {
        other.series = "G_#.pth";
        items.push_back(other);
    }
    items.push_back(item(0));
    items.back().index.reset();
    KeepRules rules;
    rules.last = 1;
    CHECK(kept(items, rules) == Indices{3, 200});
    rules.last = 3;
    CHECK(kept(items, rules) == Indices{1, 2, 3, 100, 200});
}

TEST_CASE("of equal indices the later in the list is the newer; times decide where there are none", "[retention]") {
    std::vector<RetentionItem> items = {item(3, kNoon + 9), item(3, kNoon)};
    KeepRules rules;
    rules.last = 1;
    CHECK(kept(items, rules) == Indices{3});
    CHECK_FALSE(plan_retention(items, rules)[0].is_kept);
    rules.by_time = true;
    CHECK(plan_retention(items, rules)[0].is_kept);
    rules.by_time = false;
    for (RetentionItem& each : items) each.index.reset();
    CHECK(plan_retention(items, rules)[0].is_kept);
    CHECK_FALSE(plan_retention(items, rules)[1].is_kept);
}

TEST_CASE("what is asked for by its index or name stays, be it valid or not", "[retention]") {
    std::vector<RetentionItem> items = {item(1, kNoon), item(2, kNoon), item(3, kNoon), item(4, kNoon)};
    items[0].why_invalid = items[1].why_invalid = "is empty";
    KeepRules rules;
    rules.indices = {2};
    rules.removes_invalid = true;
    const auto verdicts = plan_retention(items, rules);
    CHECK_FALSE(verdicts[0].is_kept);
    CHECK(verdicts[1].is_kept);
}

TEST_CASE("for any folder and rules: the newest valid one and what is protected stay, a second run removes nothing",
          "[retention]") {
    const LocalTime utc("UTC");
    std::mt19937_64 random(7);
    const auto below = [&random](std::uint64_t most) { return random() % most; };
    std::size_t removed = 0;
    for (int round = 0; round < 3000; ++round) {
        std::vector<RetentionItem> items;
        const std::size_t count = below(25);
        for (std::size_t i = 0; i < count; ++i) {
            RetentionItem each = item(static_cast<double>(below(40)), kNoon - static_cast<double>(below(40 * 86400)));
            each.series = below(4) == 0 ? "b" : "a";
            if (below(8) == 0) each.index.reset();
            if (below(5) == 0) each.why_invalid = "is cut short";
            if (below(10) == 0) each.protections = {"is younger than 10 min"};
            if (below(4) != 0) each.metric = static_cast<double>(below(6));
            if (below(20) == 0) each.metric = NAN;
            items.push_back(each);
        }
        KeepRules rules;
        if (below(2) == 0) rules.last = below(5);
        rules.first = below(6) == 0;
        if (below(3) == 0) rules.every = static_cast<double>(1 + below(9));
        rules.closest = below(2) == 0;
        if (below(4) == 0) rules.best = below(4);
        rules.mode = below(2) == 0 ? MetricMode::kMin : MetricMode::kMax;
        if (below(4) == 0) rules.within_seconds = static_cast<double>(below(20 * 86400));
        if (below(4) == 0) rules.hourly = below(6);
        if (below(4) == 0) rules.daily = below(6);
        if (below(4) == 0) rules.weekly = below(4);
        if (below(6) == 0) rules.indices = {static_cast<double>(below(40))};
        rules.removes_invalid = below(2) == 0;

        const auto verdicts = plan_retention(items, rules);
        std::vector<RetentionItem> left;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const RetentionItem& each = items[i];
            REQUIRE_FALSE(verdicts[i].reasons.empty());
            if (!each.protections.empty()) REQUIRE(verdicts[i].is_kept);
            if (!each.why_invalid.empty() && !rules.removes_invalid) REQUIRE(verdicts[i].is_kept);
            bool is_newest_valid = each.why_invalid.empty();
            for (const RetentionItem& other : items) {
                if (!other.why_invalid.empty() || other.series != each.series) continue;
                const bool is_newer = other.index != each.index ? other.index > each.index
                                      : each.index              ? &other > &each
                                                                : other.time_seconds > each.time_seconds;
                is_newest_valid = is_newest_valid && !is_newer;
            }
            // Twins of index and time are both the newest here; one of them has to stay.
            if (is_newest_valid) {
                bool is_one_kept = false;
                for (std::size_t j = 0; j < items.size(); ++j) {
                    is_one_kept = is_one_kept || (verdicts[j].is_kept && items[j].why_invalid.empty() &&
                                                  items[j].series == each.series && items[j].index == each.index &&
                                                  items[j].time_seconds == each.time_seconds);
                }
                REQUIRE(is_one_kept);
            }
            if (verdicts[i].is_kept) left.push_back(each);
        }
        removed += items.size() - left.size();
        for (const Verdict& again : plan_retention(left, rules)) REQUIRE(again.is_kept);
    }
    CHECK(removed > 5000);
}
