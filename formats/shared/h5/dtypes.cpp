// The table of element types.
#include "formats/shared/h5/dtypes.hpp"

#include <array>
#include <utility>

namespace ckpt::h5 {
namespace {

constexpr std::array<std::pair<DType, std::string_view>, 14> kNumpyScalars = {{
    {DType::kBool, "numpy.bool"},
    {DType::kUInt8, "numpy.uint8"},
    {DType::kUInt16, "numpy.uint16"},
    {DType::kUInt32, "numpy.uint32"},
    {DType::kUInt64, "numpy.uint64"},
    {DType::kInt8, "numpy.int8"},
    {DType::kInt16, "numpy.int16"},
    {DType::kInt32, "numpy.int32"},
    {DType::kInt64, "numpy.int64"},
    {DType::kFloat16, "numpy.float16"},
    {DType::kFloat32, "numpy.float32"},
    {DType::kFloat64, "numpy.float64"},
    {DType::kComplex64, "numpy.complex64"},
    {DType::kComplex128, "numpy.complex128"},
}};

std::optional<DType> integer_dtype(std::uint32_t size_bytes, bool is_signed) {
    switch (size_bytes) {
        case 1:
            return is_signed ? DType::kInt8 : DType::kUInt8;
        case 2:
            return is_signed ? DType::kInt16 : DType::kUInt16;
        case 4:
            return is_signed ? DType::kInt32 : DType::kUInt32;
        case 8:
            return is_signed ? DType::kInt64 : DType::kUInt64;
        default:
            return std::nullopt;
    }
}

}  // namespace

std::optional<DType> dtype_of(const Datatype& type) {
    if (type.is_h5py_bool()) return DType::kBool;
    if (type.is_bfloat16()) return DType::kBFloat16;
    if (type.is_ieee_float()) {
        return type.size_bytes == 2 ? DType::kFloat16 : type.size_bytes == 4 ? DType::kFloat32 : DType::kFloat64;
    }
    if (type.is_complex()) {
        const auto part = dtype_of(type.complex_part());
        if (part == DType::kFloat16) return DType::kComplex32;
        if (part == DType::kFloat32) return DType::kComplex64;
        if (part == DType::kFloat64) return DType::kComplex128;
        if (part == DType::kBFloat16) return DType::kBComplex32;
        return std::nullopt;
    }
    switch (type.cls) {
        case TypeClass::kInteger:
        case TypeClass::kBitField:
            if (type.bit_offset != 0 || type.precision_bits != 8 * type.size_bytes) return std::nullopt;
            return integer_dtype(type.size_bytes, type.is_signed);
        case TypeClass::kTime:  // seconds since 1970, as time_t has them
            if (type.precision_bits != 8 * type.size_bytes) return std::nullopt;
            return integer_dtype(type.size_bytes, true);
        case TypeClass::kEnum:
            return dtype_of(*type.base);
        default:
            return std::nullopt;
    }
}

unsigned swapped_width(const Datatype& type) {
    if (type.is_complex()) return swapped_width(type.complex_part());
    if (type.cls == TypeClass::kEnum) return swapped_width(*type.base);
    return type.order == ByteOrder::kBig && type.size_bytes > 1 ? type.size_bytes : 0;
}

std::string numpy_scalar_name(DType dtype) {
    for (const auto& [known, name] : kNumpyScalars) {
        if (known == dtype) return std::string(name);
    }
    return "";
}

std::optional<DType> dtype_of_numpy_scalar(std::string_view name) {
    if (name == "numpy.bool_") return DType::kBool;
    for (const auto& [dtype, known] : kNumpyScalars) {
        if (known == name) return dtype;
    }
    return std::nullopt;
}

Value number_value(Pool& pool, DType dtype, const std::byte* bytes) {
    const DTypeInfo& info = dtype_info(dtype);
    Value value;
    switch (info.cls) {
        case DTypeClass::kBool:
            value = Value::boolean(*bytes != std::byte{0});
            break;
        case DTypeClass::kFloat:
            value = Value::real(element_as_double(dtype, bytes));
            break;
        case DTypeClass::kComplex: {
            value = pool.complex(element_as_complex(dtype, bytes));
            if (dtype != DType::kComplex128) value.node()->type = numpy_scalar_name(dtype);
            return value;
        }
        default: {
            std::uint64_t bits = 0;
            const unsigned width = dtype_width(dtype);
            for (unsigned i = 0; i < width; ++i) bits |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
            if (info.cls == DTypeClass::kSigned) {
                const unsigned unused = 64 - 8 * width;
                value = Value::integer(static_cast<std::int64_t>(bits << unused) >> unused);
            } else {
                value = Value::unsigned_integer(bits);
            }
        }
    }
    const bool is_pythons = dtype == DType::kBool || dtype == DType::kFloat64 || dtype == DType::kInt64 ||
                            (dtype == DType::kUInt64 && !value.as_int64());
    return is_pythons ? value : pool.typed_scalar(value, numpy_scalar_name(dtype));
}

}  // namespace ckpt::h5
