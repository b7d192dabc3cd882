// Classes that Python lacks: as dicts tagged `__type__`, and back (formats/torch/README.md: "Classes that Python
// lacks").
#pragma once

#include <optional>

#include "libckpt/document.hpp"

namespace ckpt {

/// Whether a pickle can name what made the node: false for a class without a module, and for those of Julia (of its
/// own modules, or with braces). Nodes without a recipe are not asked.
bool has_python_recipe(const Node& node);

/// The dict that stands for a value with a class of its own. Its parts are those of the value itself, nothing is
/// copied.
Value tagged_value(Pool& scratch, Value value);

/// Whether Python can hash the value as it is written: a key of a dict or an item of a set must be so.
bool is_hashable(const Value& value);
/// The tuple that stands for a key that Python could not hash: names of tags and what they say, in turn; nullopt for
/// one that contains itself or is nested too deep.
std::optional<Value> hashable_value(Pool& scratch, const Value& value);

/// Puts the values back that tagged dicts and tuples stand for, everywhere in the document. What only looks alike stays
/// so.
void restore_tagged_values(Document& document);

}  // namespace ckpt
