// Flat names put together to the tree that they were.
#pragma once

#include <functional>

#include "formats/dcp/metadata.hpp"
#include "libckpt/document.hpp"

namespace ckpt::dcp {

/// The tree of all items, as their paths say; `make` gives the value of each. Dicts have their keys in the order of the
/// items. Throws Error (kDamaged) for paths that contradict each other: two of one item, one through another's value, a
/// list with a long gap, a container that is a list here and a dict there. Paths are compared before anything is made.
Value build_tree(const std::vector<Item>& items, Pool& pool, const std::function<Value(const Item&)>& make,
                 const std::function<void(std::string)>& warn);

}  // namespace ckpt::dcp
