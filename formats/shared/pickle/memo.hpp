// The memo of a pickle: picklers remember everything, and hardly ever come back to it.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// Which slots a stream reads. Looks through it once, up to its end or to where it breaks.
class MemoReads {
public:
    explicit MemoReads(std::string_view pickle);

    /// False only for slots that are never fetched.
    bool is_read(std::uint64_t slot) const noexcept {
        return slot < slots_.size() ? slots_[static_cast<std::size_t>(slot)] : slot >= kMostSlots ? has_far_ : has_all_;
    }
    /// Whether the top of the stack is ever doubled (DUP), so that what stands there may stand elsewhere too.
    bool has_copies() const noexcept { return has_copies_; }

    /// Slots beyond are not told apart.
    static constexpr std::uint64_t kMostSlots = std::uint64_t{1} << 26;

private:
    void add(std::uint64_t slot);

    std::vector<bool> slots_;
    bool has_far_ = false;
    bool has_all_ = false;
    bool has_copies_ = false;
};

/// What was put into slots that are read.
class PickleMemo {
public:
    explicit PickleMemo(std::string_view pickle) : reads_(pickle) {}

    const MemoReads& reads() const noexcept { return reads_; }
    /// True if the value is kept, since the stream comes back to it.
    bool put(std::uint64_t slot, const Value& value);
    /// nullptr for a slot that was never written.
    const Value* find(std::uint64_t slot) const;
    /// Slots written, each once: the one that MEMOIZE takes.
    std::uint64_t size() const noexcept { return size_; }

private:
    MemoReads reads_;
    std::unordered_map<std::uint64_t, Value> values_;
    std::vector<bool> written_;
    std::unordered_set<std::uint64_t> far_written_;
    std::uint64_t size_ = 0;
};

}  // namespace ckpt
