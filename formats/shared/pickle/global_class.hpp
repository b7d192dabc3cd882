// Names that pickles look up, in three classes.
#pragma once

#include <cstdint>
#include <string_view>

namespace ckpt {

enum class GlobalClass : std::uint8_t {
    kHarmless,   ///< makes a tensor or a container of the same plain values that it is given, and nothing else
    kUnknown,    ///< anything: nobody here knows what it does
    kDangerous,  ///< runs commands or code, opens files or connections, or gets at what does
};

/// Of a full name ("torch._utils._rebuild_tensor_v2"). What is on no list is unknown. Names of the first class are
/// compared whole; those of the last by their modules, also where they are reached through another module
/// ("a.b.os.system").
GlobalClass classify_global(std::string_view full) noexcept;

/// Functions that are harmless with some arguments alone: `_codecs.encode`, `torch.storage._load_from_bytes`.
bool is_harmless_by_arguments(std::string_view full) noexcept;

}  // namespace ckpt
