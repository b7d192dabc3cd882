// Counting what is met in ranges that may be read more than once, each place once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace ckpt {

/// Thread-safe. Does nothing where there is no counter.
class OnceCounter {
public:
    explicit OnceCounter(std::shared_ptr<std::atomic<std::uint64_t>> counter) : counter_(std::move(counter)) {}
    bool is_wanted() const noexcept { return counter_ != nullptr; }

    /// Counts the places [first, first + count) for which `counts(i)`, i from 0 on, but for those that were looked at
    /// before.
    template <typename Counts>
    void add(std::uint64_t first, std::size_t count, const Counts& counts) {
        if (!counter_ || count == 0) return;
        const std::scoped_lock lock(mutex_);
        std::uint64_t begin = first, end = first + count;
        std::uint64_t met = 0;
        auto it = ranges_.upper_bound(first);
        if (it != ranges_.begin() && std::prev(it)->second >= first) --it;
        std::uint64_t at = first;
        while (it != ranges_.end() && it->first <= first + count) {
            for (; at < it->first && at < first + count; ++at)
                met += counts(static_cast<std::size_t>(at - first)) ? 1 : 0;
            at = std::max(at, it->second);
            begin = std::min(begin, it->first);
            end = std::max(end, it->second);
            it = ranges_.erase(it);
        }
        for (; at < first + count; ++at) met += counts(static_cast<std::size_t>(at - first)) ? 1 : 0;
        ranges_[begin] = end;
        *counter_ += met;
    }

private:
    std::shared_ptr<std::atomic<std::uint64_t>> counter_;
    std::mutex mutex_;
    std::map<std::uint64_t, std::uint64_t> ranges_;  ///< beginnings and ends
};

}  // namespace ckpt
