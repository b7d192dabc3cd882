// A cursor over one structure of an HDF5 file: every read is checked against the structure's end.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {

/// Widths of addresses and lengths, in bytes: 2, 4 or 8.
struct Widths {
    unsigned offset_bytes = 8;
    unsigned length_bytes = 8;
};

/// Little-endian number of at most 8 bytes.
inline std::uint64_t little_endian(std::string_view bytes) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size() && i < 8; ++i) {
        value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
}

/// Bytes that the format reserves for numbers up to `limit`: 1 + log2(limit) / 8.
constexpr unsigned encoded_bytes(std::uint64_t limit) noexcept {
    unsigned bytes = 1;
    while (limit > 0xff) limit >>= 8, ++bytes;
    return bytes;
}

/// Does not own its bytes. Throws Error (kDamaged) that names the structure.
class Cursor {
public:
    Cursor(std::string_view bytes, Widths widths, std::string_view what)
        : bytes_(bytes), widths_(widths), what_(what) {}

    std::size_t position() const noexcept { return at_; }
    std::size_t left() const noexcept { return bytes_.size() - at_; }
    std::string_view what() const noexcept { return what_; }
    Widths widths() const noexcept { return widths_; }

    std::string_view take(std::uint64_t count) {
        if (count > left()) {
            throw_damaged("{} ends early: {} bytes wanted at {} of {}", what_, count, at_, bytes_.size());
        }
        const auto taken = bytes_.substr(at_, static_cast<std::size_t>(count));
        at_ += taken.size();
        return taken;
    }
    void skip(std::uint64_t count) { take(count); }
    /// A number of `width_bytes` bytes (up to 8).
    std::uint64_t number(unsigned width_bytes) { return little_endian(take(width_bytes)); }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    /// kUndefinedAddress if all bits are set, whatever the width.
    std::uint64_t address() { return widened(number(widths_.offset_bytes), widths_.offset_bytes); }
    std::uint64_t length() { return number(widths_.length_bytes); }
    /// A length that means "unlimited" (64 set bits) when all its bits are set.
    std::uint64_t length_or_unlimited() { return widened(length(), widths_.length_bytes); }
    /// Bytes up to a NUL, which is skipped.
    std::string_view text() {
        const auto end = bytes_.find('\0', at_);
        if (end == std::string_view::npos) throw_damaged("{}: a name has no end", what_);
        const auto taken = bytes_.substr(at_, end - at_);
        at_ = end + 1;
        return taken;
    }
    void signature(std::string_view expected) {
        if (take(4) != expected) throw_damaged("{}: signature '{}' is missing", what_, expected);
    }
    void version(unsigned expected) {
        const unsigned found = u8();
        if (found != expected) throw_damaged("{} has version {} instead of {}", what_, found, expected);
    }
    /// The checksum of everything before it.
    void checksum() {
        const std::uint32_t computed = metadata_checksum(bytes_.substr(0, at_));
        const std::uint32_t stored = u32();
        if (stored != computed) {
            throw_damaged("{}: checksum is {:08x}, its bytes give {:08x}", what_, stored, computed);
        }
    }

private:
    static std::uint64_t widened(std::uint64_t value, unsigned width) noexcept {
        return width < 8 && value == (std::uint64_t{1} << (8 * width)) - 1 ? kUndefinedAddress : value;
    }
    std::string_view bytes_;
    std::size_t at_ = 0;
    Widths widths_;
    std::string_view what_;
};

/// Throws Error (kDamaged) unless `condition` holds.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
    if (!condition) throw_damaged(text, std::forward<Args>(args)...);
}

/// a * b; throws Error (kDamaged) at 2^63 and above.
inline std::uint64_t checked_product(std::uint64_t a, std::uint64_t b, std::string_view what) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product) || product >> 63) throw_damaged("{}: {} x {} overflows", what, a, b);
    return product;
}

}  // namespace ckpt::h5
