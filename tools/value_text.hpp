// Values as text and as JSON: what `get` prints.
#pragma once

#include <string>

#include "libckpt/value.hpp"

namespace ckpt {

/// Of a scalar its plain text (None, true, 0.5, the characters of a string); of a container one line per entry, nested
/// ones indented; of a tensor its dtype and shape and, as NumPy prints them, its elements: those at the edges where
/// there are more than a thousand. Ends in a newline. Throws Error (kRefused) for more than a million lines, or more
/// than a thousand levels.
std::string value_text(const Value& value);

/// The same as JSON, complete: tensors as {"dtype", "shape", "data"}, bytes as {"hex"}, what has a class of its own
/// with its "type". Numbers that JSON cannot hold are strings.
std::string value_json(const Value& value);

}  // namespace ckpt
