// Classes that Python lacks: as dicts tagged `__type__`, and back (formats/torch/README.md: "Classes that Python
// lacks").
#pragma once

#include "libckpt/document.hpp"

namespace ckpt {

/// Whether a pickle can name what made the node: false for a class without a module, and for those of Julia (of its
/// own modules, or with braces). Nodes without a recipe are not asked.
bool has_python_recipe(const Node& node);

/// The dict that stands for a value with a class of its own. Its parts are those of the value itself, nothing is
/// copied.
Value tagged_value(Pool& scratch, Value value);

/// Puts the values back that tagged dicts stand for, everywhere in the document. Dicts that only look alike stay dicts.
void restore_tagged_values(Document& document);

}  // namespace ckpt
