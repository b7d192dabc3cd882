// Python literals as they stand in .npy headers: parsed, never evaluated.
#pragma once

#include <string>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// Text, integers (Python 2's 3L too), True, False, None, tuples, lists and dicts of these. Throws Error (kDamaged)
/// naming the byte.
Value parse_python_literal(Pool& pool, std::string_view text);

/// What Python's repr prints for such a value.
std::string python_literal(const Value& value);

}  // namespace ckpt
