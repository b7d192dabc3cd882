// The window, and what heads tell.
#include "formats/shared/pickle/audit_bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "formats/shared/pickle/audit.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kWindowBytes = std::uint64_t{1} << 16;

}  // namespace

std::optional<std::uint64_t> AuditBytes::number(unsigned width) {
    if (width > left()) {
        at_ = size_;
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width; ++i) value |= std::uint64_t{*byte()} << (8 * i);
    return value;
}

std::optional<AuditBytes::Line> AuditBytes::line() {
    const std::uint64_t begin = at_;
    for (std::uint64_t from = at_; from < size_;) {
        if (from < window_begin_ || from - window_begin_ >= window_.size()) load(from);
        const std::size_t within = static_cast<std::size_t>(from - window_begin_);
        const std::size_t found = window_.find('\n', within);
        if (found != std::string::npos) {
            at_ = window_begin_ + found + 1;
            return Line{begin, at_ - 1 - begin};
        }
        from = window_begin_ + window_.size();
    }
    return std::nullopt;
}

std::string AuditBytes::range(std::uint64_t begin, std::uint64_t size) const {
    if (begin >= window_begin_ && begin + size <= window_begin_ + window_.size())
        return window_.substr(static_cast<std::size_t>(begin - window_begin_), static_cast<std::size_t>(size));
    std::string bytes(static_cast<std::size_t>(size), '\0');
    blob_->read(begin, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    return bytes;
}

void AuditBytes::load(std::uint64_t at) {
    window_begin_ = at;
    window_.resize(static_cast<std::size_t>(std::min(next_window_bytes_, size_ - at)));
    next_window_bytes_ = std::min(kWindowBytes, 4 * next_window_bytes_);
    blob_->read(at, std::as_writable_bytes(std::span(window_.data(), window_.size())));
}

bool begins_like_zlib(std::string_view head) noexcept {
    // RFC 1950: deflate with a window of 32 KiB, no dictionary, and a check over both bytes.
    return head.size() >= 2 && head[0] == '\x78' &&
           (head[1] == '\x01' || head[1] == '\x5e' || head[1] == '\x9c' || head[1] == '\xda');
}

bool begins_like_container(std::string_view head) noexcept {
    if (head.size() >= 2 && head[0] == '\x80' && static_cast<unsigned char>(head[1]) <= 0x7f && head[1] <= 5)
        return true;
    constexpr std::array<std::string_view, 6> kHeads = {"PK\3\4",
                                                        "\x1f\x8b\x08",
                                                        "\x93NUMPY",
                                                        "\x89HDF\r\n\x1a\n",
                                                        "BZh",
                                                        "\xfd"
                                                        "7zXZ"};
    return begins_like_zlib(head) ||
           std::any_of(kHeads.begin(), kHeads.end(), [&](std::string_view start) { return head.starts_with(start); });
}

bool begins_like_text_of_container(std::string_view head) noexcept {
    if (head.size() >= 3 && head.starts_with("\xc2\x80") && static_cast<unsigned char>(head[2]) <= 5) return true;
    constexpr std::array<std::string_view, 6> kHeads = {"PK\3\4",
                                                        "\x1f\xc2\x8b\x08",
                                                        "\xc2\x93NUMPY",
                                                        "\xc2\x89HDF",
                                                        "BZh",
                                                        "\xc3\xbd"
                                                        "7zXZ"};
    if (head.size() >= 3 && head[0] == 'x')
        return head[1] == '\x01' || head[1] == '^' || head.substr(1, 2) == "\xc2\x9c" ||
               head.substr(1, 2) == "\xc3\x9a";
    return std::any_of(kHeads.begin(), kHeads.end(), [&](std::string_view start) { return head.starts_with(start); });
}

}  // namespace ckpt
