// Streaming decompression with a window of what was unpacked last.
#include "formats/dcp/zstd_blob.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "libckpt/error.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::size_t kStepBytes = std::size_t{128} << 10;
constexpr std::uint64_t kKeptBytes = std::uint64_t{1} << 20;  // items that small stay in memory
constexpr std::uint64_t kEndBytes = std::uint64_t{192}
                                    << 10;  // of larger ones: head and tail, where a zip has its tables
constexpr std::uint64_t kWindowBytes = std::uint64_t{16} << 20;  // what lies shortly before is not unpacked again

/// One pass over the packed bytes.
class Decoder {
public:
    explicit Decoder(const Blob& packed) : packed_(packed), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
        if (!stream_) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);
    }

    /// Up to `out.size()` bytes; 0 at the end. Throws where the stream breaks or ends inside a frame.
    std::size_t next(std::span<std::byte> out) {
        ZSTD_outBuffer output{out.data(), out.size(), 0};
        while (output.pos < output.size) {
            if (input_.pos == input_.size && !refill()) {
                if (is_open_) throw_damaged("its zstd frame ends early, after {} bytes", packed_.size_bytes());
                break;
            }
            const std::size_t before = output.pos;
            const std::size_t left = ZSTD_decompressStream(stream_.get(), &output, &input_);
            if (ZSTD_isError(left) != 0) {
                throw_damaged("{}: {}", has_begun_ ? "its zstd frame is damaged" : "its bytes are no zstd frame",
                              ZSTD_getErrorName(left));
            }
            has_begun_ = true;
            is_open_ = left != 0;
            if (!is_open_ && output.pos == before && input_.pos == input_.size && at_ == packed_.size_bytes()) break;
        }
        return output.pos;
    }

private:
    bool refill() {
        const std::uint64_t size = std::min<std::uint64_t>(kStepBytes, packed_.size_bytes() - at_);
        if (size == 0) return false;
        buffer_.resize(static_cast<std::size_t>(size));
        packed_.read(at_, buffer_);
        at_ += size;
        input_ = {buffer_.data(), buffer_.size(), 0};
        return true;
    }

    const Blob& packed_;
    std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
    std::vector<std::byte> buffer_;
    ZSTD_inBuffer input_{nullptr, 0, 0};
    std::uint64_t at_ = 0;
    bool is_open_ = true;
    bool has_begun_ = false;
};

/// A large item: its ends in memory, the middle unpacked again when it is read.
class ZstdBlob final : public Blob {
public:
    ZstdBlob(BlobPtr packed, std::uint64_t size_bytes, std::string head, std::string tail)
        : packed_(std::move(packed)), size_bytes_(size_bytes), head_(std::move(head)), tail_(std::move(tail)) {}

    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes_ || out.size() > size_bytes_ - offset_bytes)
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes_);
        const std::uint64_t tail_begin = size_bytes_ - tail_.size();
        if (offset_bytes + out.size() <= head_.size()) {
            std::memcpy(out.data(), head_.data() + offset_bytes, out.size());
        } else if (offset_bytes >= tail_begin) {
            std::memcpy(out.data(), tail_.data() + (offset_bytes - tail_begin), out.size());
        } else {
            const std::lock_guard lock(mutex_);
            read_unpacked(offset_bytes, out);
        }
    }

private:
    /// Serves from the window what is in it, and unpacks on for the rest.
    void read_unpacked(std::uint64_t offset, std::span<std::byte> out) const {
        if (!decoder_ || offset < unpacked_ - window_.size()) {
            decoder_ = std::make_unique<Decoder>(*packed_);
            unpacked_ = 0;
            window_.clear();
        }
        while (unpacked_ < offset + out.size()) {
            const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(kStepBytes, size_bytes_ - unpacked_));
            const std::size_t old = window_.size();
            window_.resize(old + step);
            const std::size_t count = decoder_->next(std::as_writable_bytes(std::span(window_.data() + old, step)));
            window_.resize(old + count);
            unpacked_ += count;
            if (count == 0) throw_damaged("its zstd frames unpack to {} bytes only", unpacked_);
            // What is wanted stays, and so does what was unpacked shortly before: reads may come slightly out of order.
            const std::uint64_t begin = unpacked_ - window_.size();
            const std::uint64_t keep = std::min(offset, unpacked_ > kWindowBytes ? unpacked_ - kWindowBytes : 0);
            if (keep > begin + kWindowBytes / 4) window_.erase(0, static_cast<std::size_t>(keep - begin));
        }
        std::memcpy(out.data(), window_.data() + (offset - (unpacked_ - window_.size())), out.size());
        if (unpacked_ == size_bytes_ && offset + out.size() == size_bytes_) {  // read to its end: done with
            decoder_.reset();
            window_ = {};
            unpacked_ = 0;
        }
    }

    BlobPtr packed_;
    std::uint64_t size_bytes_;
    std::string head_, tail_;
    mutable std::mutex mutex_;
    mutable std::unique_ptr<Decoder> decoder_;
    mutable std::string window_;
    mutable std::uint64_t unpacked_ = 0;
};

}  // namespace

BlobPtr zstd_blob(BlobPtr packed, std::uint64_t limit_bytes) {
    Decoder decoder(*packed);
    std::string all, tail;
    std::vector<std::byte> buffer(kStepBytes);
    std::uint64_t size = 0;
    while (const std::size_t count = decoder.next(buffer)) {
        size += count;
        if (size > limit_bytes) throw_damaged("its zstd frames unpack to more than {} bytes", limit_bytes);
        const auto* bytes = reinterpret_cast<const char*>(buffer.data());
        if (all.size() < kKeptBytes + kStepBytes) all.append(bytes, count);
        tail.append(bytes, count);
        if (tail.size() > 2 * kEndBytes) tail.erase(0, tail.size() - kEndBytes);
    }
    if (size == all.size() && size <= kKeptBytes) return memory_blob(std::move(all));
    all.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kEndBytes, all.size())));
    all.shrink_to_fit();
    if (tail.size() > kEndBytes) tail.erase(0, tail.size() - kEndBytes);
    tail.shrink_to_fit();
    return std::make_shared<ZstdBlob>(std::move(packed), size, std::move(all), std::move(tail));
}

}  // namespace ckpt::dcp
