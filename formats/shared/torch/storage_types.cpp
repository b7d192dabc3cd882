// The table of storage classes.
#include "formats/shared/torch/storage_types.hpp"

namespace ckpt {
namespace {

struct Row {
    std::string_view name;
    DType dtype;
};
constexpr Row kRows[] = {
    {"torch.DoubleStorage", DType::kFloat64},
    {"torch.FloatStorage", DType::kFloat32},
    {"torch.HalfStorage", DType::kFloat16},
    {"torch.BFloat16Storage", DType::kBFloat16},
    {"torch.LongStorage", DType::kInt64},
    {"torch.IntStorage", DType::kInt32},
    {"torch.ShortStorage", DType::kInt16},
    {"torch.CharStorage", DType::kInt8},
    {"torch.ByteStorage", DType::kUInt8},
    {"torch.BoolStorage", DType::kBool},
    {"torch.ComplexDoubleStorage", DType::kComplex128},
    {"torch.ComplexFloatStorage", DType::kComplex64},
    {"torch.QInt8Storage", DType::kQInt8},
    {"torch.QInt32Storage", DType::kQInt32},
    {"torch.QUInt8Storage", DType::kQUInt8},
    {"torch.QUInt4x2Storage", DType::kQUInt4x2},
    {"torch.QUInt2x4Storage", DType::kQUInt2x4},
};

}  // namespace

std::optional<StorageType> storage_type(std::string_view class_name) {
    const std::string_view last = class_name.substr(class_name.rfind('.') + 1);
    if (last == "UntypedStorage") return StorageType{DType::kUInt8, true, true};
    for (const auto& row : kRows) {
        if (row.name.substr(6) == last) return StorageType{row.dtype, false, dtype_info(row.dtype).bits < 8};
    }
    return std::nullopt;
}

std::optional<std::string_view> storage_class(DType dtype) {
    for (const auto& row : kRows) {
        if (row.dtype == dtype) return row.name;
    }
    return std::nullopt;
}

std::optional<DType> torch_dtype(std::string_view global) {
    if (!global.starts_with("torch.")) return std::nullopt;
    global.remove_prefix(6);
    if (global == "half") return DType::kFloat16;
    if (global == "float") return DType::kFloat32;
    if (global == "double") return DType::kFloat64;
    return dtype_from_name(global);
}

}  // namespace ckpt
