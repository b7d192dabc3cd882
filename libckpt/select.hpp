// Taking a part of a document: by role and by path.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libckpt/document.hpp"
#include "libckpt/path.hpp"
#include "libckpt/roles.hpp"

namespace ckpt {

struct Selection {
    /// The model's state dict itself becomes the root, where there is exactly one and nothing else is taken. Cannot be
    /// combined with `roles`.
    bool model_only = false;
    std::vector<Role> roles;  ///< empty: all
    struct Rule {
        bool keep;  ///< false: drop
        Glob glob;
    };
    std::vector<Rule> rules;  ///< in order, the last that matches a path counts
};

struct Selected {
    Document document;
    std::size_t tensors = 0;  ///< taken
    std::size_t leaves = 0;   ///< taken, tensors and scalars
};

/// What the selection takes (kTaken), or everything else (kRest), in new containers around the same leaves: classes,
/// attributes and sharing kept. A list or tuple of which only some items are taken keeps those, in order; a container
/// of which nothing is taken is gone; one of which all is taken stays the same node. Objects and what hangs on a
/// container
/// (`__dict__`, attributes) are taken whole. Where nothing is taken the root is an empty dict.
///
/// A container that stands in several places is judged in each, by its path there: it stays one where the same is taken
/// of it, and becomes several where not. A container that stands within itself is there what it is above: its parts
/// have one path, the way in, so what is dropped does not come back through a ring.
///
/// Takes time proportional to the containers times the different ways in which rules can still match below them,
/// however many paths lead to them; no recursion. Throws Error (kUsage) for a model only with roles.
enum class Side : bool { kTaken, kRest };
Selected select(const Document& document, const Selection& selection, Side side);

}  // namespace ckpt
