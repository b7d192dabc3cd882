// The same work on many things, by several threads.
#pragma once

#include <cstddef>
#include <functional>

#include "libckpt/context.hpp"

namespace ckpt {

/// Calls `work` with every number below `count`, each once, on up to `context.thread_count()` threads; in no order.
/// What it is given must be safe for that. Comes back when all have ended. Where some throw, the others that have begun
/// end, no more begin, and one of the exceptions is thrown on.
void for_each_parallel(std::size_t count, const Context& context, const std::function<void(std::size_t)>& work);

}  // namespace ckpt
