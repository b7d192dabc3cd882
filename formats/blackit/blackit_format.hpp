// The layouts `blackit` and `blackit-sqlite`: the saving folders of black-it's calibrations.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_blackit_format();
std::unique_ptr<Format> make_blackit_sqlite_format();

}  // namespace ckpt
