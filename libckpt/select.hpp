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
    /// The model's state dict itself becomes the root, where there is exactly one.
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

/// What the selection takes, in new containers around the same leaves (classes, attributes and sharing kept). A list or
/// tuple of which only some items are taken keeps those, in order. `complement`: everything that it does not take
/// instead.
enum class Side : bool { kTaken, kRest };
Selected select(const Document& document, const Selection& selection, Side side);

}  // namespace ckpt
