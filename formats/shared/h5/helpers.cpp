// Jobs are handed out in order, so that all before the first failure have run.
#include "formats/shared/h5/helpers.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace ckpt::h5 {

void Helpers::run(std::size_t count, const std::function<void(std::size_t)>& job) {
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> is_stopped = false;
    std::mutex mutex;
    std::size_t failed = count;
    std::exception_ptr failure;
    const auto work = [&] {
        while (!is_stopped) {
            const std::size_t mine = next.fetch_add(1);
            if (mine >= count) return;
            try {
                job(mine);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (mine < failed) {
                    failed = mine;
                    failure = std::current_exception();
                }
                is_stopped = true;
            }
        }
    };
    std::vector<std::thread> threads;
    while (threads.size() + 1 < count) {
        if (free_.fetch_sub(1) <= 0) {
            ++free_;
            break;
        }
        try {
            threads.emplace_back(work);
        } catch (const std::system_error&) {  // the system has no more: the work is done all the same
            ++free_;
            break;
        }
    }
    work();
    for (std::thread& thread : threads) thread.join();
    free_ += static_cast<int>(threads.size());
    if (failure) std::rethrow_exception(failure);
}

}  // namespace ckpt::h5
