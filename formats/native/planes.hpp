// Elements cut into planes and put together again: loops that a compiler turns into vector instructions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ckpt::native {

/// Byte planes of `count` elements of `width` (1, 2, 4, 8) bytes, most significant first, plane k at out + k * count;
/// elements are rotated left by a bit first where asked (README: "planes").
void split_planes(const std::byte* raw, std::size_t count, unsigned width, bool rotated, std::uint8_t* out);
void join_planes(const std::uint8_t* planes, std::size_t count, unsigned width, bool rotated, std::byte* raw);

/// The parts of README: "float", of bfloat16 (width 2) or float32 (width 4).
struct FloatParts {
    std::uint8_t* symbols;  ///< count
    std::uint8_t* middle;   ///< width - 2 planes of count
    std::uint8_t* rests;    ///< count, 6 bits each
};
/// The exponent to subtract, or -1 if the exponents span too much.
int float_base(const std::byte* raw, std::size_t count, unsigned width);
void split_floats(const std::byte* raw, std::size_t count, unsigned width, int base, const FloatParts& parts);
void join_floats(const FloatParts& parts, std::size_t count, unsigned width, int base, std::byte* raw);

/// `count` rests of 6 bits in packed_size(count) bytes.
std::size_t packed_size(std::size_t count) noexcept;
void pack_rests(const std::uint8_t* rests, std::size_t count, std::uint8_t* packed);
void unpack_rests(const std::uint8_t* packed, std::size_t count, std::uint8_t* rests);

}  // namespace ckpt::native
