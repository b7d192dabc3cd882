// What kinds of values there are.
#pragma once

#include <cstdint>
#include <string_view>

namespace ckpt {

enum class Kind : std::uint8_t {
    kNull,
    kBool,
    kInt,
    kFloat,
    kComplex,
    kString,
    kBytes,
    kList,
    kTuple,
    kSet,
    kDict,
    kTensor,
    kObject
};
/// "null", "bool", "int", ... as `inspect --json` prints them.
std::string_view kind_name(Kind kind) noexcept;

}  // namespace ckpt
