// JSON as Python writes it: integers of any width, NaN and Infinity, the order of keys.
#pragma once

#include <string>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// Objects as dicts, arrays as lists. Throws Error (kDamaged) naming the byte.
Value parse_json_text(Pool& pool, std::string_view text);

/// What Python's json.dump writes: ", " and ": " between, repr of floats, ASCII only. Tensors of float64 and int64 are
/// nested arrays. Throws Error (kRefused) for what JSON does not have.
std::string json_text(const Value& value);

}  // namespace ckpt
