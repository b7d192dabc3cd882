// Classes that Python lacks: as dicts tagged `__type__`, and back (formats/torch/README.md: "Classes that Python
// lacks").
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "libckpt/document.hpp"

namespace ckpt {

/// Whether a pickle can name what made the node: false for a class without a module, and for those of Julia (of its
/// own modules, or with braces). Nodes without a recipe are not asked.
bool has_python_recipe(const Node& node);

/// The dict that stands for a value with a class of its own. Its parts are those of the value itself, nothing is
/// copied.
Value tagged_value(Pool& scratch, Value value);

/// Whether tensors are written as what Python can hash (torch's) or not (arrays).
enum class TensorKeys : bool { kHashable, kUnhashable };

/// Whether Python can hash the value as it is written: a key of a dict or an item of a set must be so.
bool is_hashable(const Value& value, TensorKeys tensors = TensorKeys::kHashable);
/// The tuple that stands for a key that Python could not hash: names of tags and what they say, in turn; nullopt for
/// one that contains itself or is nested too deep. An array is in it as its dtype, shape, strides and bytes.
std::optional<Value> hashable_value(Pool& scratch, const Value& value, TensorKeys tensors = TensorKeys::kHashable);

/// Whether a dict or set has keys or items that Python could not hash as they are written; those of a set with a class
/// of its own are its tag's business.
bool has_unhashable_keys(const Node& node, TensorKeys tensors = TensorKeys::kHashable);
/// Whether one of them cannot even be written as a tuple.
bool has_impossible_key(const Value& value, TensorKeys tensors = TensorKeys::kHashable);
/// The dict or set with tuples in their place. Calls `on_tagged` with the class of each.
Value with_hashable_keys(Pool& scratch, const Value& value, const std::function<void(const std::string&)>& on_tagged,
                         TensorKeys tensors = TensorKeys::kHashable);

/// Puts the values back that tagged dicts and tuples stand for, everywhere in the document. What only looks alike stays
/// so.
void restore_tagged_values(Document& document);
/// The same everywhere below a value, and for itself.
void restore_tagged_values(Pool& pool, Value& root);

}  // namespace ckpt
