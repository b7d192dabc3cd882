// A candidate of a search, made of its plain parameters.
#pragma once

#include <cstddef>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// What a search keeps as its best candidate, for plain parameters that stand in a history: each choice wrapped
/// together with the number of its option, as the candidates in `examples` show which parameters are choices. The plain
/// parameters themselves where no example wraps anything. `unknown` becomes the number of choices whose option no
/// example tells: they get one that no choice has, so that the search draws them anew. Throws Error (kRefused) for more
/// than 200 levels.
Value search_candidate(Pool& pool, const Value& plain, const std::vector<Value>& examples, std::size_t& unknown);

}  // namespace ckpt
