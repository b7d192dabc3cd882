// Reading a search state.
#include "libckpt/search_state.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ckpt {
namespace {

/// The value under a text key of a dict, or null.
Value at(const Value& value, std::string_view key) {
    if (!value.is(Kind::kDict)) return {};
    const Value* found = value.dict().find(key);
    return found != nullptr ? *found : Value();
}

std::optional<double> number(const Value& value) {
    if (value.is(Kind::kFloat)) return value.as_double();
    if (value.is(Kind::kInt)) {
        if (const auto whole = value.as_int64()) return static_cast<double>(*whole);
    }
    if (value.is(Kind::kBool)) return value.as_bool() ? 1 : 0;
    return std::nullopt;
}

const std::vector<Value>* list_at(const Value& value, std::string_view key) {
    const Value found = at(value, key);
    return found.is(Kind::kList) || found.is(Kind::kTuple) ? &found.sequence().items : nullptr;
}
std::size_t length_at(const Value& value, std::string_view key) {
    const auto* list = list_at(value, key);
    return list != nullptr ? list->size() : 0;
}

/// Which way the best of the history moved; where it did not, on which side of it the results lie.
SearchDirection direction_of(const Value& history) {
    const auto* results = list_at(history, "log_f");
    const auto* bests = list_at(history, "log_best_f");
    if (results == nullptr || bests == nullptr) return SearchDirection::kUnknown;
    std::optional<double> before;
    for (const auto& item : *bests) {
        const auto best = number(item);
        if (!best || std::isnan(*best)) continue;
        if (before && *best != *before) return *best > *before ? SearchDirection::kMax : SearchDirection::kMin;
        before = best;
    }
    for (const auto& item : *results) {
        const auto result = number(item);
        if (before && result && *result != *before)
            return *result < *before ? SearchDirection::kMax : SearchDirection::kMin;
    }
    return SearchDirection::kUnknown;
}

/// On which side of the best the results of a cache lie: for searches that keep no history. What a pruned candidate
/// came to may lie on the other side; then nothing is told.
SearchDirection direction_of_cache(const Value& cache, double best) {
    if (!cache.is(Kind::kDict)) return SearchDirection::kUnknown;
    bool any_less = false, any_greater = false;
    for (const auto& [key, item] : cache.dict().entries) {
        const auto result = number(item);
        any_less = any_less || (result && *result < best);
        any_greater = any_greater || (result && *result > best);
    }
    if (any_less == any_greater) return SearchDirection::kUnknown;
    return any_less ? SearchDirection::kMax : SearchDirection::kMin;
}

void look_for_newer_best(const Value& root, SearchSummary& summary) {
    const auto* results = list_at(at(root, "history"), "log_f");
    if (results == nullptr) return;
    for (std::size_t i = 0; i < results->size(); ++i) {
        const auto result = number((*results)[i]);
        if (!result || std::isnan(*result)) continue;
        const auto known = summary.newer_best_f ? summary.newer_best_f : summary.best_f;
        const bool is_better = !known || (summary.direction == SearchDirection::kMax && *result > *known) ||
                               (summary.direction == SearchDirection::kMin && *result < *known);
        if (!is_better) continue;
        summary.newer_best_f = result;
        summary.newer_best_at = i;
    }
}

std::string pruner_text(const Value& root) {
    if (!root.is(Kind::kDict) || root.dict().find("pruner") == nullptr) return "none";
    const Value pruner = at(root, "pruner");
    if (!pruner.is(Kind::kDict)) return "without state";
    const Value count = at(pruner, "n");
    const std::string rungs = count.is(Kind::kInt) ? count.integer_text() + " intermediate results" : "not used yet";
    if (list_at(pruner, "intermediates") != nullptr) return fmt::format("quantile, {}", rungs);
    if (list_at(pruner, "top_k_of") != nullptr)
        return fmt::format("top-k, {} candidates kept, {}", length_at(pruner, "top_k_of"), rungs);
    return "of an unknown kind";
}

void look_at_run(const Value& root, SearchSummary& summary) {
    const Value run = at(root, "run_context");
    summary.is_running = !run.is_null();
    const Value past = at(run, "run_history");
    const Value schedule = at(run, "schedule");
    summary.step = at(schedule, "step").as_int64();
    summary.seconds = number(at(schedule, "runtime"));
    summary.seconds_per_candidate = number(at(past, "estimated_candidate_runtime"));
    const auto evaluated = at(past, "total_amount").as_int64();
    const auto pruned = at(past, "total_pruned").as_int64();
    if (!summary.step || !evaluated || !pruned || !summary.has_history) return;
    // The step counts what came before the evaluation that was just saved, rejected candidates as well.
    const std::int64_t done = *evaluated + *pruned + static_cast<std::int64_t>(summary.nans);
    const std::int64_t rejected = *summary.step + 1 - done;
    if (rejected >= 0) summary.duplicates = rejected;
}

void look_for_uneven(const Value& history, SearchSummary& summary) {
    const auto compare = [&](std::string_view first, std::initializer_list<std::string_view> others) {
        const std::size_t count = length_at(history, first);
        for (const auto name : others) {
            const auto* list = list_at(history, name);
            if (list != nullptr && list->size() != count)
                summary.uneven.push_back(
                    fmt::format("history/{} has {} entries, history/{} has {}", name, list->size(), first, count));
        }
    };
    // log_best_f is shorter after a resume by pyhopper 1.1, which does not restore it.
    compare("log_candidate", {"log_types", "log_f", "log_finished_at", "log_runtime"});
    compare("pruned_candidates", {"pruned_types", "pruned_finished_at", "pruned_runtime"});
    compare("nan_candidates", {"nan_types", "nan_finished_at", "nan_runtime"});
}

}  // namespace

bool is_search_state(const Value& root) {
    if (!root.is(Kind::kDict)) return false;
    const DictNode& dict = root.dict();
    const bool has_parts = dict.find("cache") != nullptr && dict.find("best_f") != nullptr &&
                           dict.find("best_solution") != nullptr && dict.find("history") != nullptr;
    return has_parts && at(root, "history").is(Kind::kDict);
}

Value candidate_parameters(const Value& candidate) {
    if (!candidate.is(Kind::kObject) || !candidate.node()->recipe) return candidate;
    const Value plain = at(candidate.node()->recipe->state, "unwrapped_value");
    return plain.is_null() ? candidate : plain;
}

std::optional<SearchSummary> summarize_search(const Value& root) {
    if (!is_search_state(root)) return std::nullopt;
    SearchSummary summary;
    const Value history = at(root, "history");
    summary.best_f = number(at(root, "best_f"));
    summary.evaluated = length_at(history, "log_candidate");
    summary.pruned = length_at(history, "pruned_candidates");
    summary.nans = length_at(history, "nan_candidates");
    summary.has_history = summary.evaluated + summary.pruned + summary.nans > 0;
    const Value cache = at(at(root, "cache"), "cache");
    if (cache.is(Kind::kDict)) summary.cached = cache.dict().entries.size();
    summary.has_cache = summary.cached > 0;
    summary.direction = direction_of(history);
    // The run under way is told of a new best before best_f is.
    const auto run_best = number(at(at(at(root, "run_context"), "run_history"), "best_f"));
    if (run_best && summary.best_f && *run_best != *summary.best_f && !std::isnan(*run_best))
        summary.direction = *run_best > *summary.best_f ? SearchDirection::kMax : SearchDirection::kMin;
    if (summary.direction == SearchDirection::kUnknown && summary.best_f && !summary.has_history)
        summary.direction = direction_of_cache(cache, *summary.best_f);
    summary.best = candidate_parameters(at(root, "best_solution"));
    summary.pruner = pruner_text(root);
    look_for_newer_best(root, summary);
    look_at_run(root, summary);
    look_for_uneven(history, summary);
    return summary;
}

}  // namespace ckpt
