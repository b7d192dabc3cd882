// Names, widths and numeric values of element types.
#include "libckpt/dtype.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace ckpt {
namespace {

constexpr std::array<DTypeInfo, kDTypeCount> kInfo = {{
    {"bool", DTypeClass::kBool, 8},
    {"uint8", DTypeClass::kUnsigned, 8},
    {"uint16", DTypeClass::kUnsigned, 16},
    {"uint32", DTypeClass::kUnsigned, 32},
    {"uint64", DTypeClass::kUnsigned, 64},
    {"int8", DTypeClass::kSigned, 8},
    {"int16", DTypeClass::kSigned, 16},
    {"int32", DTypeClass::kSigned, 32},
    {"int64", DTypeClass::kSigned, 64},
    {"float16", DTypeClass::kFloat, 16},
    {"bfloat16", DTypeClass::kFloat, 16},
    {"float32", DTypeClass::kFloat, 32},
    {"float64", DTypeClass::kFloat, 64},
    {"float8_e4m3fn", DTypeClass::kFloat, 8},
    {"float8_e5m2", DTypeClass::kFloat, 8},
    {"float8_e4m3fnuz", DTypeClass::kFloat, 8},
    {"float8_e5m2fnuz", DTypeClass::kFloat, 8},
    {"float8_e8m0fnu", DTypeClass::kFloat, 8},
    {"float4_e2m1fn_x2", DTypeClass::kBits, 8},
    {"complex32", DTypeClass::kComplex, 32},
    {"complex64", DTypeClass::kComplex, 64},
    {"complex128", DTypeClass::kComplex, 128},
    {"bcomplex32", DTypeClass::kComplex, 32},
    {"qint8", DTypeClass::kQuantized, 8},
    {"quint8", DTypeClass::kQuantized, 8},
    {"qint32", DTypeClass::kQuantized, 32},
    {"quint4x2", DTypeClass::kQuantized, 4},
    {"quint2x4", DTypeClass::kQuantized, 2},
    {"bits8", DTypeClass::kBits, 8},
    {"bits16", DTypeClass::kBits, 16},
    {"bits1x8", DTypeClass::kBits, 8},
    {"bits2x4", DTypeClass::kBits, 8},
    {"bits4x2", DTypeClass::kBits, 8},
}};

template <typename T>
T load(const std::byte* bytes) noexcept {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

/// A small binary float by its fields. `special` is whether all exponent bits set means infinity and NaN (IEEE).
double small_float(std::uint32_t bits, int exponent_bits, int mantissa_bits, int bias, bool special) noexcept {
    const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const std::uint32_t exponent = (bits >> mantissa_bits) & ((1u << exponent_bits) - 1);
    const bool negative = ((bits >> (mantissa_bits + exponent_bits)) & 1u) != 0;
    double value = 0;
    if (special && exponent == (1u << exponent_bits) - 1) {
        value = mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    } else if (exponent == 0) {
        value = std::ldexp(static_cast<double>(mantissa), 1 - bias - mantissa_bits);
    } else {
        value = std::ldexp(static_cast<double>(mantissa | (1u << mantissa_bits)),
                           static_cast<int>(exponent) - bias - mantissa_bits);
    }
    return negative ? -value : value;
}

/// Rounds |value| to a float of the given fields, to nearest, ties to even. Returns exponent and mantissa bits (no
/// sign); a result beyond the largest exponent is returned as is, so that the caller applies its type's overflow rule.
std::uint32_t round_magnitude(double magnitude, int mantissa_bits, int bias) noexcept {
    if (magnitude == 0) return 0;
    int exponent = 0;
    std::frexp(magnitude, &exponent);
    exponent -= 1;  // magnitude = 1.m * 2^exponent
    const int smallest = 1 - bias;
    const int scale = (exponent < smallest ? smallest : exponent) - mantissa_bits;
    const double units =
        std::nearbyint(std::ldexp(magnitude, -scale));  // exact scaling; ties to even by the default mode
    const auto mantissa = static_cast<std::uint64_t>(units);
    // A carry out of the mantissa moves into the exponent by itself.
    const std::uint64_t base =
        exponent < smallest ? 0 : static_cast<std::uint64_t>(exponent - smallest) << mantissa_bits;
    return static_cast<std::uint32_t>(base + mantissa);
}

struct Float8Fields {
    int exponent_bits, mantissa_bits, bias;
};
Float8Fields fields_of(DType dtype) noexcept {
    switch (dtype) {
        case DType::kFloat8E4M3FN:
            return {4, 3, 7};
        case DType::kFloat8E5M2:
            return {5, 2, 15};
        case DType::kFloat8E4M3FNUZ:
            return {4, 3, 8};
        default:
            return {5, 2, 16};  // float8_e5m2fnuz
    }
}

}  // namespace

const DTypeInfo& dtype_info(DType dtype) noexcept {
    return kInfo[static_cast<std::size_t>(dtype)];
}

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kInfo.size(); ++i) {
        if (kInfo[i].name == name) return static_cast<DType>(i);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> dtype_bytes(DType dtype, std::uint64_t count) noexcept {
    const unsigned bits = dtype_info(dtype).bits;
    std::uint64_t total = 0;
    if (bits >= 8) {
        if (__builtin_mul_overflow(count, std::uint64_t{bits / 8}, &total)) return std::nullopt;
    } else {
        const std::uint64_t per_byte = 8 / bits;
        total = count / per_byte + (count % per_byte != 0 ? 1 : 0);
    }
    return (total >> 63) != 0 ? std::nullopt : std::optional(total);
}

unsigned dtype_width(DType dtype) noexcept {
    return dtype_info(dtype).bits / 8;
}

double float16_to_double(std::uint16_t bits) noexcept {
    return small_float(bits, 5, 10, 15, true);
}

double bfloat16_to_double(std::uint16_t bits) noexcept {
    return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16));
}

double float8_to_double(DType dtype, std::uint8_t bits) noexcept {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    switch (dtype) {
        case DType::kFloat8E8M0FNU:
            return bits == 0xff ? kNan : std::ldexp(1.0, int{bits} - 127);
        case DType::kFloat8E5M2:
            return small_float(bits, 5, 2, 15, true);
        case DType::kFloat8E4M3FN:
            if ((bits & 0x7f) == 0x7f) return kNan;
            break;
        default:  // the FNUZ kinds have one NaN where the others have negative zero
            if (bits == 0x80) return kNan;
    }
    const auto fields = fields_of(dtype);
    return small_float(bits, fields.exponent_bits, fields.mantissa_bits, fields.bias, false);
}

// As torch does, doubles become floats first: a value that lies within half a float's step of a tie is rounded twice.
std::uint16_t double_to_float16(double exact) noexcept {
    const auto value = static_cast<double>(static_cast<float>(exact));
    const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
    if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
    if (std::isinf(value)) return static_cast<std::uint16_t>(sign | 0x7c00);
    const std::uint32_t bits = round_magnitude(std::fabs(value), 10, 15);
    return static_cast<std::uint16_t>(sign | (bits > 0x7c00 ? 0x7c00 : bits));
}

std::uint16_t double_to_bfloat16(double exact) noexcept {
    const auto value = static_cast<double>(static_cast<float>(exact));
    const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
    if (std::isnan(value)) return 0x7fc0;  // torch keeps no sign here
    if (std::isinf(value)) return static_cast<std::uint16_t>(sign | 0x7f80);
    const std::uint32_t bits = round_magnitude(std::fabs(value), 7, 127);
    return static_cast<std::uint16_t>(sign | (bits > 0x7f80 ? 0x7f80 : bits));
}

std::uint8_t double_to_float8(DType dtype, double exact) noexcept {
    const auto single = static_cast<float>(exact);
    const auto value = static_cast<double>(single);
    const bool negative = std::signbit(value);
    if (dtype == DType::kFloat8E8M0FNU) {  // a power of two: the float's own exponent, no sign, no zero
        const auto bits = std::bit_cast<std::uint32_t>(single);
        const std::uint32_t exponent = bits >> 23 & 0xff;
        const std::uint32_t mantissa = bits & 0x7fffff;
        constexpr std::uint32_t kHalf = 0x400000;
        if (exponent == 0xff) return 0xff;  // infinities and NaN
        // The bit that ties are decided on is the implied one, which is set in every normal float.
        const bool is_up = mantissa > kHalf || (mantissa == kHalf && exponent > 0);
        return static_cast<std::uint8_t>(exponent + (is_up ? 1 : 0));
    }
    const auto fields = fields_of(dtype);
    const bool unsigned_zero = dtype == DType::kFloat8E4M3FNUZ || dtype == DType::kFloat8E5M2FNUZ;
    const auto sign = static_cast<std::uint8_t>(negative ? 0x80 : 0);
    const std::uint8_t nan = unsigned_zero ? 0x80 : static_cast<std::uint8_t>(sign | 0x7f);
    // Beyond the largest: e4m3fn saturates (infinities too), e5m2 has infinities, the FNUZ kinds have only NaN.
    const std::uint8_t beyond = dtype == DType::kFloat8E4M3FN ? static_cast<std::uint8_t>(sign | 0x7e)
                                : unsigned_zero               ? nan
                                                              : static_cast<std::uint8_t>(sign | 0x7c);
    if (std::isnan(value)) return nan;
    if (std::isinf(value)) return beyond;
    const std::uint32_t bits = round_magnitude(std::fabs(value), fields.mantissa_bits, fields.bias);
    const std::uint32_t largest = dtype == DType::kFloat8E4M3FN ? 0x7e : dtype == DType::kFloat8E5M2 ? 0x7b : 0x7f;
    if (bits > largest) return beyond;
    if (bits == 0 && unsigned_zero) return 0;
    return static_cast<std::uint8_t>(sign | bits);
}

double element_as_double(DType dtype, const std::byte* bytes) noexcept {
    switch (dtype) {
        case DType::kBool:
        case DType::kUInt8:
        case DType::kQUInt8:
        case DType::kQUInt4x2:
        case DType::kQUInt2x4:
        case DType::kBits8:
        case DType::kBits1x8:
        case DType::kBits2x4:
        case DType::kBits4x2:
        case DType::kFloat4E2M1FNx2:
            return load<std::uint8_t>(bytes);
        case DType::kUInt16:
        case DType::kBits16:
            return load<std::uint16_t>(bytes);
        case DType::kUInt32:
            return load<std::uint32_t>(bytes);
        case DType::kUInt64:
            return static_cast<double>(load<std::uint64_t>(bytes));
        case DType::kInt8:
        case DType::kQInt8:
            return load<std::int8_t>(bytes);
        case DType::kInt16:
            return load<std::int16_t>(bytes);
        case DType::kInt32:
        case DType::kQInt32:
            return load<std::int32_t>(bytes);
        case DType::kInt64:
            return static_cast<double>(load<std::int64_t>(bytes));
        case DType::kFloat16:
            return float16_to_double(load<std::uint16_t>(bytes));
        case DType::kBFloat16:
            return bfloat16_to_double(load<std::uint16_t>(bytes));
        case DType::kFloat32:
            return static_cast<double>(load<float>(bytes));
        case DType::kFloat64:
            return load<double>(bytes);
        case DType::kFloat8E4M3FN:
        case DType::kFloat8E5M2:
        case DType::kFloat8E4M3FNUZ:
        case DType::kFloat8E5M2FNUZ:
        case DType::kFloat8E8M0FNU:
            return float8_to_double(dtype, load<std::uint8_t>(bytes));
        default:
            return element_as_complex(dtype, bytes).real();
    }
}

std::complex<double> element_as_complex(DType dtype, const std::byte* bytes) noexcept {
    switch (dtype) {
        case DType::kComplex32:
            return {float16_to_double(load<std::uint16_t>(bytes)), float16_to_double(load<std::uint16_t>(bytes + 2))};
        case DType::kBComplex32:
            return {bfloat16_to_double(load<std::uint16_t>(bytes)), bfloat16_to_double(load<std::uint16_t>(bytes + 2))};
        case DType::kComplex64:
            return {load<float>(bytes), load<float>(bytes + 4)};
        case DType::kComplex128:
            return {load<double>(bytes), load<double>(bytes + 8)};
        default:
            return {element_as_double(dtype, bytes), 0.0};
    }
}

}  // namespace ckpt
