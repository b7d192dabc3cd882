// What a node means, without what only tells how its file once put it.
#pragma once

#include <functional>

#include "libckpt/value.hpp"

namespace ckpt {

/// Is the recipe part of what the node means? That of a tensor, scalar, text, tuple or set is provenance: kind, type
/// and content say what it is, and another layout need not keep it.
bool has_meaning_recipe(const Node& node);

/// Calls `visit` for each value that is part of what the node means: contents, attributes, a recipe with meaning.
void for_each_meaning(const Node& node, const std::function<void(const Value&)>& visit);

}  // namespace ckpt
