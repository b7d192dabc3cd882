// How elements of a dtype are stored.
#include "formats/hdf5/types.hpp"

namespace ckpt::hdf5 {

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

}  // namespace ckpt::hdf5
