// What a node means, without what only tells how its file once put it.
#pragma once

#include <functional>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// Is the recipe part of what the node means? That of a tensor, scalar, text, tuple or set is provenance: kind, type
/// and content say what it is, and another layout need not keep it.
bool has_meaning_recipe(const Node& node);

/// Whether an attribute only says how its file stored the node (chunks, filters, fill value): advice for a writer of
/// the same format, no part of the value, so that others need not keep it. By name: `__layout__` behind the format's
/// prefix.
bool is_storage_attribute(std::string_view name) noexcept;

/// Calls `visit` for each value that is part of what the node means: contents, attributes, a recipe with meaning.
void for_each_meaning(const Node& node, const std::function<void(const Value&)>& visit);

}  // namespace ckpt
