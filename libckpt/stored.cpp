// A walk that ends at the first.
#include "libckpt/stored.hpp"

#include "libckpt/walk.hpp"

namespace ckpt {

bool holds_stored(const Value& root) {
    bool found = false;
    walk(root, [&](const Visit& visit) {
        found = found || (visit.value.is(Kind::kObject) && visit.value.type() == kStoredType);
        if (found) return WalkStep::kStop;
        return visit.same_as != nullptr ? WalkStep::kOver : WalkStep::kInto;
    });
    return found;
}

}  // namespace ckpt
