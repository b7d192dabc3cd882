// A ring of slots: threads decode ahead, the caller takes in order.
#include "formats/native/chunk_pass.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ckpt::native {
namespace {

/// Chunks whose raw bytes are no more than this together are decoded as one job: many are tiny.
constexpr std::uint64_t kJobBytes = kChunkBytes;

/// Some consecutive chunks.
struct Slot {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::vector<std::byte> raw;
    std::vector<std::pair<std::uint64_t, Error>> failures;
    std::exception_ptr broken;
    bool is_ready = false;
};

class Pass {
public:
    Pass(const ChunkStore& store, const Context& context) : store_(store), context_(context) {
        const std::size_t threads = context.thread_count();
        slots_.resize(threads + 1);
        try {
            for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
        } catch (const std::system_error&) {  // the system has no more: those there are do it, or the caller
        }
    }
    ~Pass() {
        {
            const std::lock_guard lock(mutex_);
            is_stopped_ = true;
        }
        changed_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    void run(const TakeChunk& take) {
        while (taken_chunks_ < store_.chunks().size()) {
            Slot& slot = slots_[taken_ % slots_.size()];
            if (threads_.empty()) {
                begin(slot);
                decode(slot);
            } else {
                wait(slot);
            }
            if (slot.broken) std::rethrow_exception(slot.broken);
            hand_out(slot, take);
            release(slot);
        }
    }

private:
    void wait(const Slot& slot) {
        std::unique_lock lock(mutex_);
        while (!slot.is_ready) {
            changed_.wait_for(lock, std::chrono::milliseconds(50));
            context_.check_cancelled();
        }
    }

    void hand_out(Slot& slot, const TakeChunk& take) {
        context_.check_cancelled();
        auto failure = slot.failures.begin();
        for (std::uint64_t chunk = slot.begin; chunk < slot.end; ++chunk) {
            if (failure != slot.failures.end() && failure->first == chunk) {
                take(chunk, {}, &failure->second);
                ++failure;
                continue;
            }
            take(chunk, raw_of(slot, chunk), nullptr);
        }
    }

    void release(Slot& slot) {
        {
            const std::lock_guard lock(mutex_);
            taken_chunks_ = slot.end;
            slot.is_ready = false;
            ++taken_;
        }
        changed_.notify_all();
    }

    /// Gives the next chunks to a slot.
    void begin(Slot& slot) {
        slot.begin = begun_chunks_;
        std::uint64_t bytes = 0;
        do {
            bytes += store_.chunks()[static_cast<std::size_t>(begun_chunks_++)].raw_bytes;
        } while (begun_chunks_ < store_.chunks().size() &&
                 bytes + store_.chunks()[static_cast<std::size_t>(begun_chunks_)].raw_bytes <= kJobBytes);
        slot.end = begun_chunks_;
        ++begun_;
    }

    std::span<std::byte> raw_of(Slot& slot, std::uint64_t chunk) const {
        return std::span(slot.raw).subspan(
            static_cast<std::size_t>(store_.position(chunk) - store_.position(slot.begin)),
            static_cast<std::size_t>(store_.chunks()[static_cast<std::size_t>(chunk)].raw_bytes));
    }

    void decode(Slot& slot) {
        slot.failures.clear();
        slot.broken = nullptr;
        try {
            slot.raw.resize(static_cast<std::size_t>(store_.position(slot.end) - store_.position(slot.begin)));
            for (std::uint64_t chunk = slot.begin; chunk < slot.end; ++chunk) {
                try {
                    store_.decode(chunk, raw_of(slot, chunk));
                } catch (const Error& error) {
                    if (error.code() != ErrorCode::kDamaged && error.code() != ErrorCode::kUnsupported) throw;
                    slot.failures.emplace_back(chunk, error);
                }
            }
        } catch (...) {
            slot.broken = std::current_exception();
        }
    }

    void work() {
        while (true) {
            Slot* mine = nullptr;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock,
                              [this] { return is_stopped_ || is_all_begun() || begun_ < taken_ + slots_.size(); });
                if (is_stopped_ || is_all_begun()) return;
                mine = &slots_[begun_ % slots_.size()];
                begin(*mine);
            }
            decode(*mine);
            {
                const std::lock_guard lock(mutex_);
                mine->is_ready = true;
            }
            changed_.notify_all();
        }
    }
    bool is_all_begun() const { return begun_chunks_ >= store_.chunks().size(); }

    const ChunkStore& store_;
    const Context& context_;
    std::vector<Slot> slots_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t begun_ = 0;  ///< jobs
    std::size_t taken_ = 0;
    std::uint64_t begun_chunks_ = 0;
    std::uint64_t taken_chunks_ = 0;
    bool is_stopped_ = false;
};

}  // namespace

void for_each_chunk(const ChunkStore& store, const Context& context, const TakeChunk& take) {
    Pass(store, context).run(take);
}

}  // namespace ckpt::native
