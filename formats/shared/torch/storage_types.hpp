// Names of torch's storage classes and dtypes (formats/torch/README.md: "Storages").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libckpt/dtype.hpp"

namespace ckpt {

struct StorageType {
    DType dtype;
    bool untyped = false;       ///< counted in bytes; the tensor says what they are
    bool counts_bytes = false;  ///< the element count of a persistent id counts bytes (packed types)
};

/// By the last component of the class name: "FloatStorage" of `torch`, `torch.cuda` or any other module, as torch looks
/// it up.
std::optional<StorageType> storage_type(std::string_view class_name);
/// "torch.FloatStorage", or nullopt for the dtypes that only an untyped storage can hold (float8, uint16, ...).
std::optional<std::string_view> storage_class(DType dtype);
inline constexpr std::string_view kUntypedStorage = "torch.storage.UntypedStorage";

/// The dtype that a global names ("torch.float32"), or nullopt.
std::optional<DType> torch_dtype(std::string_view global);

}  // namespace ckpt
