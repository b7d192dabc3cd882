// Loops without branches, so that compilers make vectors of them.
#include "libckpt/numbers.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace ckpt {
namespace {

template <typename T>
T load(const std::byte* bytes, std::size_t i) noexcept {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    return value;
}
template <typename T>
void store(std::byte* bytes, std::size_t i, T value) noexcept {
    std::memcpy(bytes + i * sizeof(T), &value, sizeof(T));
}

float float_of_half(std::uint16_t half) noexcept {
    // The exponent is off by 112; a multiplication makes that right for subnormal numbers too.
    const float magnitude = std::bit_cast<float>(std::uint32_t{half & 0x7fffu} << 13) * 0x1p112f;
    std::uint32_t bits = std::bit_cast<std::uint32_t>(magnitude);
    bits |= magnitude >= 65536.0f ? 0x7f800000u : 0u;
    return std::bit_cast<float>(bits | std::uint32_t{half & 0x8000u} << 16);
}

float float_of_bfloat(std::uint16_t bits) noexcept {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

const std::array<float, 256>& table_of(DType dtype) {
    const auto make = [](DType made) {
        std::array<float, 256> table;
        for (unsigned i = 0; i < 256; ++i)
            table[i] = static_cast<float>(float8_to_double(made, static_cast<std::uint8_t>(i)));
        return table;
    };
    static const std::array<float, 256> e4m3fn = make(DType::kFloat8E4M3FN);
    static const std::array<float, 256> e5m2 = make(DType::kFloat8E5M2);
    static const std::array<float, 256> e4m3fnuz = make(DType::kFloat8E4M3FNUZ);
    static const std::array<float, 256> e5m2fnuz = make(DType::kFloat8E5M2FNUZ);
    static const std::array<float, 256> e8m0 = make(DType::kFloat8E8M0FNU);
    switch (dtype) {
        case DType::kFloat8E4M3FN:
            return e4m3fn;
        case DType::kFloat8E5M2:
            return e5m2;
        case DType::kFloat8E4M3FNUZ:
            return e4m3fnuz;
        case DType::kFloat8E5M2FNUZ:
            return e5m2fnuz;
        default:
            return e8m0;
    }
}

template <typename From, typename To>
void decode_plain(const std::byte* bytes, std::span<To> out) noexcept {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<To>(load<From>(bytes, i));
}

template <typename To>
void decode(DType dtype, const std::byte* bytes, std::span<To> out) noexcept {
    switch (dtype) {
        case DType::kFloat32:
            return decode_plain<float>(bytes, out);
        case DType::kFloat64:
            return decode_plain<double>(bytes, out);
        case DType::kFloat16:
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = float_of_half(load<std::uint16_t>(bytes, i));
            return;
        case DType::kBFloat16:
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = float_of_bfloat(load<std::uint16_t>(bytes, i));
            return;
        case DType::kFloat8E4M3FN:
        case DType::kFloat8E5M2:
        case DType::kFloat8E4M3FNUZ:
        case DType::kFloat8E5M2FNUZ:
        case DType::kFloat8E8M0FNU: {
            const auto& table = table_of(dtype);
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = table[load<std::uint8_t>(bytes, i)];
            return;
        }
        case DType::kInt64:
            return decode_plain<std::int64_t>(bytes, out);
        case DType::kUInt64:
            return decode_plain<std::uint64_t>(bytes, out);
        case DType::kInt32:
        case DType::kQInt32:
            return decode_plain<std::int32_t>(bytes, out);
        case DType::kUInt32:
            return decode_plain<std::uint32_t>(bytes, out);
        case DType::kInt16:
            return decode_plain<std::int16_t>(bytes, out);
        case DType::kUInt16:
        case DType::kBits16:
            return decode_plain<std::uint16_t>(bytes, out);
        case DType::kInt8:
        case DType::kQInt8:
            return decode_plain<std::int8_t>(bytes, out);
        default:
            return decode_plain<std::uint8_t>(bytes, out);
    }
}

/// A float from which rounding to 22 bits or fewer comes out as it would from the double: what is cut off leaves a set
/// last bit behind.
float float_to_odd(double value) noexcept {
    const auto nearest = static_cast<float>(value);
    const auto bits = std::bit_cast<std::uint32_t>(nearest);
    const auto back = static_cast<double>(nearest);
    // Rounded away from zero: one step back. Where the last bit is set already nothing is to be done.
    const bool is_inexact = back != value && value == value;
    const bool is_above = std::fabs(back) > std::fabs(value);
    const std::uint32_t towards_zero = bits - (is_inexact && is_above ? 1u : 0u);
    return std::bit_cast<float>(towards_zero | (is_inexact ? 1u : 0u));
}

std::uint16_t half_of_float(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const std::uint32_t sign = bits >> 16 & 0x8000u;
    const std::uint32_t normal = (magnitude + 0xc8000fffu + (magnitude >> 13 & 1u)) >> 13;
    // Adding a half leaves a subnormal half's bits at the end, rounded.
    const std::uint32_t tiny = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    std::uint32_t result = magnitude < 0x38800000u ? tiny : normal;
    result = magnitude >= 0x477ff000u ? 0x7c00u : result;
    result = magnitude > 0x7f800000u ? 0x7e00u : result;
    return static_cast<std::uint16_t>(sign | result);
}

std::uint16_t bfloat_of_float(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

/// What differs between the two float8 kinds that hardware has.
struct Small {
    std::uint32_t mantissa_bits, bias, too_large, beyond, nan;
};

std::uint8_t small_of_float(float value, const Small& small) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const std::uint32_t cut = 23 - small.mantissa_bits;
    const std::uint32_t least_normal = (128 - small.bias) << 23;  // 2^(1 - bias)
    const std::uint32_t rebased = magnitude - ((127 - small.bias) << 23);
    const std::uint32_t normal = (rebased + ((1u << (cut - 1)) - 1) + (magnitude >> cut & 1u)) >> cut;
    const std::uint32_t magic = (128 - small.bias + cut) << 23;  // its last bit is the least subnormal number
    const std::uint32_t tiny =
        std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + std::bit_cast<float>(magic)) - magic;
    std::uint32_t result = magnitude < least_normal ? tiny : normal;
    result = result > small.too_large || magnitude >= 0x7f800000u ? small.beyond : result;
    result = magnitude > 0x7f800000u ? small.nan : result;
    return static_cast<std::uint8_t>((bits >> 24 & 0x80u) | result);
}

constexpr Small kE4M3FN{3, 7, 0x7e, 0x7e, 0x7f};
constexpr Small kE5M2{2, 15, 0x7b, 0x7c, 0x7f};

template <typename T, typename From>
T integer_of(From value) noexcept {
    // The bounds are powers of two, or one less than that: as a float the upper one may be rounded up, hence >=.
    constexpr auto least = static_cast<From>(std::numeric_limits<T>::min());
    constexpr auto beyond = static_cast<From>(std::numeric_limits<T>::max());
    if (!(value == value)) return 0;
    if (value <= least) return std::numeric_limits<T>::min();
    if (value >= beyond) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
}

template <typename T, typename From>
void encode_integers(std::span<const From> numbers, std::byte* out) noexcept {
    for (std::size_t i = 0; i < numbers.size(); ++i) store(out, i, integer_of<T>(numbers[i]));
}

template <typename From, typename Narrow>
void encode(DType dtype, std::span<const From> numbers, std::byte* out, const Narrow& narrow) noexcept {
    const std::size_t count = numbers.size();
    switch (dtype) {
        case DType::kFloat32:
            for (std::size_t i = 0; i < count; ++i) store(out, i, static_cast<float>(numbers[i]));
            return;
        case DType::kFloat64:
            for (std::size_t i = 0; i < count; ++i) store(out, i, static_cast<double>(numbers[i]));
            return;
        case DType::kFloat16:
            for (std::size_t i = 0; i < count; ++i) store(out, i, half_of_float(narrow(numbers[i])));
            return;
        case DType::kBFloat16:
            for (std::size_t i = 0; i < count; ++i) store(out, i, bfloat_of_float(narrow(numbers[i])));
            return;
        case DType::kFloat8E4M3FN:
            for (std::size_t i = 0; i < count; ++i) store(out, i, small_of_float(narrow(numbers[i]), kE4M3FN));
            return;
        case DType::kFloat8E5M2:
            for (std::size_t i = 0; i < count; ++i) store(out, i, small_of_float(narrow(numbers[i]), kE5M2));
            return;
        case DType::kFloat8E4M3FNUZ:
        case DType::kFloat8E5M2FNUZ:
        case DType::kFloat8E8M0FNU:
            for (std::size_t i = 0; i < count; ++i)
                store(out, i, double_to_float8(dtype, static_cast<double>(narrow(numbers[i]))));
            return;
        case DType::kBool:
            for (std::size_t i = 0; i < count; ++i) store<std::uint8_t>(out, i, numbers[i] != 0 ? 1 : 0);
            return;
        case DType::kInt64:
            return encode_integers<std::int64_t>(numbers, out);
        case DType::kUInt64:
            return encode_integers<std::uint64_t>(numbers, out);
        case DType::kInt32:
        case DType::kQInt32:
            return encode_integers<std::int32_t>(numbers, out);
        case DType::kUInt32:
            return encode_integers<std::uint32_t>(numbers, out);
        case DType::kInt16:
            return encode_integers<std::int16_t>(numbers, out);
        case DType::kUInt16:
        case DType::kBits16:
            return encode_integers<std::uint16_t>(numbers, out);
        case DType::kInt8:
        case DType::kQInt8:
            return encode_integers<std::int8_t>(numbers, out);
        default:
            return encode_integers<std::uint8_t>(numbers, out);
    }
}

}  // namespace

DType number_dtype(DType dtype) noexcept {
    switch (dtype) {
        case DType::kComplex32:
            return DType::kFloat16;
        case DType::kBComplex32:
            return DType::kBFloat16;
        case DType::kComplex64:
            return DType::kFloat32;
        case DType::kComplex128:
            return DType::kFloat64;
        default:
            return dtype_width(dtype) == 0 ? DType::kUInt8 : dtype;
    }
}

unsigned numbers_per_element(DType dtype) noexcept {
    return dtype_info(dtype).cls == DTypeClass::kComplex ? 2 : 1;
}

void decode_numbers(DType dtype, const std::byte* bytes, std::span<double> out) noexcept {
    decode(dtype, bytes, out);
}

void decode_numbers(DType dtype, const std::byte* bytes, std::span<float> out) noexcept {
    decode(dtype, bytes, out);
}

void encode_numbers(DType dtype, std::span<const double> numbers, std::byte* out, Rounding rounding) noexcept {
    if (rounding == Rounding::kOnce) {
        encode(dtype, numbers, out, float_to_odd);
    } else {
        encode(dtype, numbers, out, [](double number) { return static_cast<float>(number); });
    }
}

void encode_numbers(DType dtype, std::span<const float> numbers, std::byte* out) noexcept {
    encode(dtype, numbers, out, [](float number) { return number; });
}

double greatest_finite(DType dtype) noexcept {
    switch (dtype) {
        case DType::kFloat16:
            return 65504;
        case DType::kBFloat16:
            return 0x1.fep127;
        case DType::kFloat32:
            return static_cast<double>(std::numeric_limits<float>::max());
        case DType::kFloat64:
            return std::numeric_limits<double>::max();
        case DType::kFloat8E4M3FN:
            return 448;
        case DType::kFloat8E5M2:
            return 57344;
        case DType::kFloat8E4M3FNUZ:
            return 240;
        case DType::kFloat8E5M2FNUZ:
            return 57344;
        case DType::kFloat8E8M0FNU:
            return 0x1p127;
        default:
            return std::numeric_limits<double>::infinity();
    }
}

double overflow_from(DType dtype) noexcept {
    switch (dtype) {
        case DType::kFloat16:
            return 65520;
        case DType::kBFloat16:
            return 0x1.ffp127;
        case DType::kFloat32:
            return 0x1.ffffffp127;
        case DType::kFloat8E4M3FN:
            return std::nextafter(464.0f, 465.0f);  // 464 itself is a tie, whose even neighbour is 448
        case DType::kFloat8E5M2:
        case DType::kFloat8E5M2FNUZ:
            return 61440;
        case DType::kFloat8E4M3FNUZ:
            return 248;
        default:
            return HUGE_VAL;
    }
}

unsigned significant_bits(DType dtype) noexcept {
    switch (dtype) {
        case DType::kFloat16:
            return 11;
        case DType::kBFloat16:
            return 8;
        case DType::kFloat32:
            return 24;
        case DType::kFloat64:
            return 53;
        case DType::kFloat8E4M3FN:
        case DType::kFloat8E4M3FNUZ:
            return 4;
        case DType::kFloat8E5M2:
        case DType::kFloat8E5M2FNUZ:
            return 3;
        case DType::kFloat8E8M0FNU:
            return 1;
        default:
            return 0;
    }
}

}  // namespace ckpt
