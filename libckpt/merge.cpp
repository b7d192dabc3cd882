// The kinds of histories.
#include "libckpt/merge.hpp"

#include <algorithm>
#include <iterator>

#include "libckpt/calibration_state.hpp"

namespace ckpt {
namespace {

constexpr HistoryKind kKinds[] = {
    {"search", is_search_state, join_searches},
    {"calibration", is_calibration_state, join_calibrations},
};

}  // namespace

const HistoryKind* history_kind(const Value& root) {
    const auto* found =
        std::find_if(std::begin(kKinds), std::end(kKinds), [&](const HistoryKind& kind) { return kind.is(root); });
    return found != std::end(kKinds) ? found : nullptr;
}

}  // namespace ckpt
