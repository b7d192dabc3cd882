// Cancellation and the number of threads.
#include "libckpt/context.hpp"

#include <algorithm>
#include <thread>

#include "libckpt/error.hpp"

namespace ckpt {

void Context::check_cancelled() const {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) throw Error(ErrorCode::kCancelled, "interrupted");
}

unsigned Context::thread_count() const {
    return threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace ckpt
