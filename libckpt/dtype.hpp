// Element types of tensors: names, widths, and their values as numbers.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ckpt {

/// Names are torch's (`dtype_name`). Multi-byte elements are little-endian wherever the library holds them.
enum class DType : std::uint8_t {
    kBool,
    kUInt8,
    kUInt16,
    kUInt32,
    kUInt64,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kFloat16,
    kBFloat16,
    kFloat32,
    kFloat64,
    kFloat8E4M3FN,
    kFloat8E5M2,
    kFloat8E4M3FNUZ,
    kFloat8E5M2FNUZ,
    kFloat8E8M0FNU,
    kFloat4E2M1FNx2,
    kComplex32,
    kComplex64,
    kComplex128,
    kBComplex32,
    kQInt8,
    kQUInt8,
    kQInt32,
    kQUInt4x2,
    kQUInt2x4,
    kBits8,
    kBits16,
    kBits1x8,
    kBits2x4,
    kBits4x2,
};
inline constexpr std::size_t kDTypeCount = static_cast<std::size_t>(DType::kBits4x2) + 1;

enum class DTypeClass : std::uint8_t { kBool, kUnsigned, kSigned, kFloat, kComplex, kQuantized, kBits };

struct DTypeInfo {
    std::string_view name;  ///< torch's name without "torch.": "float32"
    DTypeClass cls;
    unsigned bits;  ///< per logical element: 4 for quint4x2 (a shape counts elements, two in a byte)
};

const DTypeInfo& dtype_info(DType dtype) noexcept;
inline std::string_view dtype_name(DType dtype) noexcept {
    return dtype_info(dtype).name;
}
std::optional<DType> dtype_from_name(std::string_view name) noexcept;
/// Bytes that `count` elements need, rounded up; nullopt on overflow of 63 bits.
std::optional<std::uint64_t> dtype_bytes(DType dtype, std::uint64_t count) noexcept;
/// Bytes of one element; 0 for the types that pack several elements into a byte (quint4x2, quint2x4).
unsigned dtype_width(DType dtype) noexcept;

/// Element values as Python would print them. `bytes` is one little-endian element. Quantized types give their integer
/// code; bits types and packed types their bytes as an unsigned integer.
double element_as_double(DType dtype, const std::byte* bytes) noexcept;
std::complex<double> element_as_complex(DType dtype, const std::byte* bytes) noexcept;

/// IEEE-style small floats to double, exactly. (bfloat16: 1-8-7; float16: 1-5-10; the float8 kinds: OCP and the FNUZ
/// variants.)
double float16_to_double(std::uint16_t bits) noexcept;
double bfloat16_to_double(std::uint16_t bits) noexcept;
double float8_to_double(DType dtype, std::uint8_t bits) noexcept;
/// What torch's `to(dtype)` gives: the small types round the nearest float32, ties to even, with each type's own rule
/// for what is too large (float16, bfloat16 and e5m2 give Inf, e4m3fn its largest number, the FNUZ kinds NaN).
std::uint16_t double_to_float16(double value) noexcept;
std::uint16_t double_to_bfloat16(double value) noexcept;
std::uint8_t double_to_float8(DType dtype, double value) noexcept;

}  // namespace ckpt
