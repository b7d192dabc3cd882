// Values that an index names and that were not looked at, because who asked wanted the index alone.
#pragma once

#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// The type of the object that stands for such a value. Its attributes say where it is stored.
inline constexpr std::string_view kStoredType = "stored";

/// Whether `root` is such an object, or leads to one.
bool holds_stored(const Value& root);

}  // namespace ckpt
