// What the state of a hyper-parameter search says, whatever the layout that holds it (pyhopper's keys).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

enum class SearchDirection : std::uint8_t { kUnknown, kMin, kMax };

struct SearchSummary {
    std::optional<double> best_f;  ///< nullopt: None, nothing was evaluated
    std::size_t evaluated = 0;     ///< with a result, by the history, or by the cache where no history is kept
    std::size_t pruned = 0;
    std::size_t nans = 0;
    std::size_t cached = 0;
    bool has_history = false;
    bool has_cache = false;
    SearchDirection direction = SearchDirection::kUnknown;  ///< which way the history's best moved, else the cache
    bool is_running = false;                                ///< saved inside of run()
    std::optional<std::int64_t> step;                       ///< of the run under way
    std::optional<double> seconds;                          ///< for which that run has gone on
    std::optional<double> seconds_per_candidate;
    /// Candidates that the run under way rejected because they were evaluated before; nullopt where the file does not
    /// tell.
    std::optional<std::int64_t> duplicates;
    std::string pruner;  ///< "none", "without state", "quantile, 8 seen", "top 5, 13 seen"
    Value best;          ///< the best parameters, null if there are none
    /// The better result that best_f does not know yet: the file was saved before the best was updated.
    std::optional<double> newer_best_f;
    std::size_t newer_best_at = 0;  ///< its place in the history
    /// Lists of the history whose lengths do not fit the others', in words.
    std::vector<std::string> uneven;
};

/// Whether a value is such a state: a dict with `history`, `cache`, `best_f` and `best_solution`.
bool is_search_state(const Value& root);

/// Reads only kinds and numbers; never fails on a state, whatever its parts are. Nullopt for anything else.
std::optional<SearchSummary> summarize_search(const Value& root);

/// The plain parameters of a candidate (an object with `unwrapped_value`, or the dict itself); `candidate` itself where
/// it is none.
Value candidate_parameters(const Value& candidate);

}  // namespace ckpt
