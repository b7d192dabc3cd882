// The table of element types.
#include "formats/hdf5/types.hpp"

#include <array>
#include <utility>

namespace ckpt::hdf5 {
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

StoredType stored_type(DType dtype) {
    switch (dtype) {
        case DType::kBool:
            return {h5::bool_type(), true};
        case DType::kFloat16:
            return {h5::ieee_type(2), true};
        case DType::kBFloat16:
            return {h5::bfloat16_type(), true};
        case DType::kFloat32:
            return {h5::ieee_type(4), true};
        case DType::kFloat64:
            return {h5::ieee_type(8), true};
        case DType::kComplex32:
            return {h5::complex_type(h5::ieee_type(2)), true};
        case DType::kComplex64:
            return {h5::complex_type(h5::ieee_type(4)), true};
        case DType::kComplex128:
            return {h5::complex_type(h5::ieee_type(8)), true};
        case DType::kBComplex32:
            return {h5::complex_type(h5::bfloat16_type()), true};
        case DType::kQInt8:
            return {h5::integer_type(1, true), false};
        case DType::kQInt32:
            return {h5::integer_type(4, true), false};
        default:
            break;
    }
    const DTypeClass cls = dtype_info(dtype).cls;
    const bool is_integer = cls == DTypeClass::kSigned || cls == DTypeClass::kUnsigned;
    const unsigned width = dtype_width(dtype) == 0 ? 1 : dtype_width(dtype);
    return {h5::integer_type(width, cls == DTypeClass::kSigned), is_integer};
}

std::optional<DType> dtype_of(const h5::Datatype& type) {
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
        case h5::TypeClass::kInteger:
        case h5::TypeClass::kBitField:
            if (type.bit_offset != 0 || type.precision_bits != 8 * type.size_bytes) return std::nullopt;
            return integer_dtype(type.size_bytes, type.is_signed);
        case h5::TypeClass::kEnum:
            return dtype_of(*type.base);
        default:
            return std::nullopt;
    }
}

unsigned swapped_width(const h5::Datatype& type) {
    if (type.is_complex()) return swapped_width(type.complex_part());
    if (type.cls == h5::TypeClass::kEnum) return swapped_width(*type.base);
    return type.order == h5::ByteOrder::kBig && type.size_bytes > 1 ? type.size_bytes : 0;
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

}  // namespace ckpt::hdf5
