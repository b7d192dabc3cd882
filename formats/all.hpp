// Every layout that this build knows.
#pragma once

#include "libckpt/format.hpp"

namespace ckpt {

/// A registry of all layouts, in order of preference.
Registry all_formats();

}  // namespace ckpt
