// Several checkpoints as one: the histories of searches and of calibrations, joined.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/search_state.hpp"

namespace ckpt {

/// A checkpoint to be merged, and what messages call it.
struct MergeInput {
    std::string name;
    Document document;
};

struct HistoryOptions {
    /// Which results of a search are the better ones; kUnknown: what the histories show.
    SearchDirection direction = SearchDirection::kUnknown;
};

/// A kind of state that remembers what was tried, and how several such memories become one.
struct HistoryKind {
    std::string_view name;  ///< "search", "calibration"
    bool (*is)(const Value& root);
    /// The joined state, in the words of the first input. Throws Error (kRefused) naming the inputs and what differs,
    /// where they do not belong together.
    Document (*join)(std::span<const MergeInput> inputs, const HistoryOptions& options, const Context& context);
};

/// The kind of a document, or nullptr: it has no history.
const HistoryKind* history_kind(const Value& root);

/// The histories of several searches as one, as if a single search had made all evaluations, in the order of the
/// inputs.
///
/// A candidate that several searches evaluated is there once: candidates are told apart by the keys of the caches,
/// which are matched to the history by their order (where that does not fit, by results that occur once); without a key
/// a candidate is always kept. A result outranks a pruned or NaN evaluation of the same candidate, the first result
/// others. Times count from the earliest start. The best, and the best so far at each evaluation, are found anew; where
/// the best candidate is in a history only, what the search knew of its choices is put together from the other inputs.
/// Pruners of one kind are joined. There is no run under way in the result.
Document join_searches(std::span<const MergeInput> inputs, const HistoryOptions& options, const Context& context);

/// The results of several calibrations of one model as one: rows and batches in the order of the inputs, batches
/// counted on; the scheduler, the loss function and the random generators are those of the first, with which the
/// calibration goes on. Samplers keep their numbers by the names of their classes.
Document join_calibrations(std::span<const MergeInput> inputs, const HistoryOptions& options, const Context& context);

}  // namespace ckpt
