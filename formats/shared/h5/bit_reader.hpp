// Numbers of any width packed without gaps, the most significant bit first: as n-bit and scale-offset store them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "formats/shared/h5/cursor.hpp"

namespace ckpt::h5 {

/// Does not own its bytes. Throws Error (kDamaged) that begins with the filter's name.
class BitReader {
public:
    BitReader(std::span<const std::byte> bytes, std::string_view filter) : bytes_(bytes), filter_(filter) {}

    /// The next number, of 0 to 64 bits.
    std::uint64_t take(unsigned bits) {
        constexpr unsigned kWindowBits = 56;  // the most that a byte can be added to
        if (bits <= kWindowBits) return take_few(bits);
        const std::uint64_t high = take_few(bits - 32);
        return high << 32 | take_few(32);
    }

private:
    std::uint64_t take_few(unsigned bits) {
        while (loaded_ < bits) {
            require(at_ < bytes_.size(), "{}: a chunk's packed bits end after {} bytes", filter_, bytes_.size());
            window_ = window_ << 8 | std::to_integer<std::uint64_t>(bytes_[at_++]);
            loaded_ += 8;
        }
        loaded_ -= bits;
        return window_ >> loaded_ & ((std::uint64_t{1} << bits) - 1);
    }

    std::span<const std::byte> bytes_;
    std::string_view filter_;
    std::size_t at_ = 0;
    std::uint64_t window_ = 0;  ///< its lowest `loaded_` bits are still to be taken
    unsigned loaded_ = 0;
};

}  // namespace ckpt::h5
