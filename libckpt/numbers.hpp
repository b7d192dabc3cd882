// Blocks of elements as numbers to compute with, and back: what casts, averages and comparisons are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libckpt/dtype.hpp"

namespace ckpt {

/// The type of one part of a complex dtype; of any other the dtype itself, or uint8 where elements share bytes.
DType number_dtype(DType dtype) noexcept;
/// How many numbers of `number_dtype` there are in one element: 2 for complex ones, else 1.
unsigned numbers_per_element(DType dtype) noexcept;

/// `out.size()` numbers that lie one behind the other, as `element_as_double` has them. Not for complex dtypes and such
/// as share bytes: ask `number_dtype` first. Integers of 64 bits are rounded.
void decode_numbers(DType dtype, const std::byte* bytes, std::span<double> out) noexcept;
/// The same, rounded to float where it has to be.
void decode_numbers(DType dtype, const std::byte* bytes, std::span<float> out) noexcept;

/// How a number comes to a small float type.
enum class Rounding : std::uint8_t {
    kOnce,      ///< to nearest, ties to even: never further off than half a unit in the last place
    kLikeTorch  ///< by way of float32, as `Tensor.to` does: the same but for doubles right beside a tie
};

/// Numbers as elements of a dtype, with its own rule for what is too large (see dtype.hpp). Integers: float16 and wider
/// floats are truncated towards zero, beyond the range the nearest there is, NaN is 0; bool is whether it is not zero.
void encode_numbers(DType dtype, std::span<const double> numbers, std::byte* out, Rounding rounding) noexcept;
void encode_numbers(DType dtype, std::span<const float> numbers, std::byte* out) noexcept;

/// The largest finite number of a float dtype; infinity for others.
double greatest_finite(DType dtype) noexcept;
/// Magnitudes from which on a finite number is too large for a float dtype: rounded, it is infinite, NaN, or (e4m3fn)
/// the greatest there is. Infinity for dtypes with no such bound.
double overflow_from(DType dtype) noexcept;
/// How many bits of a number a float dtype keeps, the leading one counted; 0 for others.
unsigned significant_bits(DType dtype) noexcept;

}  // namespace ckpt
