// A blob's bytes one behind the other, through a window; long payloads are stepped over unread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libckpt/blob.hpp"

namespace ckpt {

class AuditBytes {
public:
    AuditBytes(BlobPtr blob, std::uint64_t begin) : blob_(std::move(blob)), size_(blob_->size_bytes()), at_(begin) {}

    std::uint64_t at() const noexcept { return at_; }
    std::uint64_t left() const noexcept { return size_ - at_; }
    /// The next byte; nullopt at the end.
    std::optional<unsigned char> byte() {
        if (at_ >= size_) return std::nullopt;
        if (at_ < window_begin_ || at_ - window_begin_ >= window_.size()) load(at_);
        return static_cast<unsigned char>(window_[static_cast<std::size_t>(at_++ - window_begin_)]);
    }
    /// A little-endian number of so many bytes; nullopt (and the end) where there are fewer.
    std::optional<std::uint64_t> number(unsigned width);
    /// At most `left()`.
    void skip(std::uint64_t count) noexcept { at_ += count; }
    struct Line {
        std::uint64_t begin = 0, size = 0;  ///< without its end
    };
    /// Up to '\n'; nullopt (and nothing is stepped over) without one.
    std::optional<Line> line();
    /// Bytes anywhere in the blob, also those that lie behind.
    std::string range(std::uint64_t begin, std::uint64_t size) const;

private:
    void load(std::uint64_t at);

    BlobPtr blob_;
    std::uint64_t size_;
    std::uint64_t at_;
    std::uint64_t window_begin_ = 0;
    std::uint64_t next_window_bytes_ = 4096;  ///< small at first: many that are tried are none
    std::string window_;
};

/// Text in UTF-8 whose code points are the bytes of a container's head.
bool begins_like_text_of_container(std::string_view head) noexcept;

}  // namespace ckpt
