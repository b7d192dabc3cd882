// Threads that help with the chunks of one read.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace ckpt::h5 {

/// How many threads may help all reads of a file at once. Thread-safe.
class Helpers {
public:
    explicit Helpers(unsigned count) : free_(static_cast<int>(count)) {}

    /// Runs jobs 0 to `count` - 1, on the calling thread and as many helpers as are free. If some fail, the error of
    /// the first of them is thrown, and jobs behind it may not have run.
    void run(std::size_t count, const std::function<void(std::size_t)>& job);

private:
    std::atomic<int> free_;
};

}  // namespace ckpt::h5
