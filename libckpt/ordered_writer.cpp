// One queue: workers encode ahead, the calling thread writes in order.
#include "libckpt/ordered_writer.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;

std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Encodes a file's encoded extents in order, a bounded number ahead of the one who takes them.
class Encoders {
public:
    Encoders(const std::vector<Extent>& extents, const Context& context) {
        for (const Extent& extent : extents) {
            if (const auto* encoded = std::get_if<EncodedExtent>(&extent.content)) jobs_.push_back(encoded);
        }
        const auto threads = std::min<std::size_t>(context.thread_count(), jobs_.size());
        slots_.resize(std::min(jobs_.size(), threads + 2));
        for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    }
    ~Encoders() {
        {
            const std::lock_guard lock(mutex_);
            stopped_ = true;
        }
        changed_.notify_all();
        for (auto& thread : threads_) thread.join();
    }
    Encoders(const Encoders&) = delete;
    Encoders& operator=(const Encoders&) = delete;

    struct Made {
        std::vector<std::byte> raw;
        Encoded encoded;
        std::exception_ptr failure;
        bool ready = false;
    };

    /// The next one, once it is there; gives up when the flag is raised. Valid until `release`.
    Made& next(const Context& context) {
        Made& slot = slots_[taken_ % slots_.size()];
        std::unique_lock lock(mutex_);
        while (!slot.ready) {
            changed_.wait_for(lock, std::chrono::milliseconds(50));
            context.check_cancelled();
        }
        if (slot.failure) std::rethrow_exception(slot.failure);
        return slot;
    }
    void release() {
        {
            const std::lock_guard lock(mutex_);
            slots_[taken_ % slots_.size()].ready = false;
            ++taken_;
        }
        changed_.notify_all();
    }

private:
    void work() {
        while (true) {
            std::size_t mine = 0;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock,
                              [this] { return stopped_ || begun_ == jobs_.size() || begun_ < taken_ + slots_.size(); });
                if (stopped_ || begun_ == jobs_.size()) return;
                mine = begun_++;
            }
            Made& slot = slots_[mine % slots_.size()];
            try {
                const EncodedExtent& job = *jobs_[mine];
                slot.raw.resize(static_cast<std::size_t>(job.size_bytes));
                job.blob->read(job.offset_bytes, slot.raw);
                slot.encoded = job.encode(slot.raw);
            } catch (...) {
                slot.failure = std::current_exception();
            }
            {
                const std::lock_guard lock(mutex_);
                slot.ready = true;
            }
            changed_.notify_all();
        }
    }

    std::vector<const EncodedExtent*> jobs_;
    std::vector<Made> slots_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t begun_ = 0;
    std::size_t taken_ = 0;
    bool stopped_ = false;
};

class OrderedWriter {
public:
    OrderedWriter(const PlannedFile& file, std::vector<ExtentResult>& results, const Sink& sink, const Done& done,
                  const Context& context)
        : extents_(file.extents),
          results_(results),
          sink_(sink),
          done_(done),
          context_(context),
          encoders_(file.extents, context) {}

    void run() {
        results_.assign(extents_.size(), {});
        for (std::size_t i = 0; i < extents_.size(); ++i) {
            results_[i].offset_bytes = offset_;
            if (const auto* literal = std::get_if<LiteralExtent>(&extents_[i].content)) {
                put(i, as_bytes(literal->bytes));
            } else if (const auto* blob = std::get_if<BlobExtent>(&extents_[i].content)) {
                put_blob(i, *blob->blob);
            } else if (const auto* late = std::get_if<LateExtent>(&extents_[i].content)) {
                put_late(i, *late);
            } else {
                put_encoded(i, std::get<EncodedExtent>(extents_[i].content));
            }
            context_.check_cancelled();
        }
    }

private:
    void put(std::size_t i, std::span<const std::byte> bytes) {
        if (extents_[i].want_crc32) results_[i].crc32 = crc32(results_[i].crc32, bytes);
        results_[i].size_bytes += bytes.size();
        offset_ += bytes.size();
        sink_(bytes);
        if (!std::holds_alternative<EncodedExtent>(extents_[i].content)) done_(bytes.size());
    }

    void put_blob(std::size_t i, const Blob& blob) {
        for (std::uint64_t at = 0; at < blob.size_bytes();) {
            buffer_.resize(static_cast<std::size_t>(std::min(kStepBytes, blob.size_bytes() - at)));
            blob.read(at, buffer_);
            put(i, buffer_);
            at += buffer_.size();
            context_.check_cancelled();
        }
    }

    void put_late(std::size_t i, const LateExtent& late) {
        if (late.needs_later) {
            put(i, as_bytes(std::string(static_cast<std::size_t>(late.size_bytes), '\0')));
            return;
        }
        const std::string made = late.make(results_);
        if (late.size_bytes != LateExtent::kUnknownSize && made.size() != late.size_bytes) {
            throw_error(ErrorCode::kInternal, "a late extent has {} bytes, planned were {}", made.size(),
                        late.size_bytes);
        }
        put(i, as_bytes(made));
    }

    void put_encoded(std::size_t i, const EncodedExtent& extent) {
        Encoders::Made& made = encoders_.next(context_);
        results_[i].note = std::move(made.encoded.note);
        if (extent.digest != RawDigest::kNone) {
            if (extent.digest == RawDigest::kBegin) {
                stream_.reset();
                digest_begin_ = i;
            }
            stream_.update(made.raw);
            results_[digest_begin_].raw_digest = stream_.digest();
        }
        const std::string stored = std::move(made.encoded.stored);
        const std::uint64_t raw_bytes = extent.size_bytes;
        encoders_.release();
        put(i, as_bytes(stored));
        done_(raw_bytes);
    }

    const std::vector<Extent>& extents_;
    std::vector<ExtentResult>& results_;
    const Sink& sink_;
    const Done& done_;
    const Context& context_;
    Encoders encoders_;
    Xxh3Stream stream_;
    std::size_t digest_begin_ = 0;
    std::uint64_t offset_ = 0;
    std::vector<std::byte> buffer_;
};

}  // namespace

void write_in_order(const PlannedFile& file, std::vector<ExtentResult>& results, const Sink& sink, const Done& done,
                    const Context& context) {
    OrderedWriter(file, results, sink, done, context).run();
}

}  // namespace ckpt
