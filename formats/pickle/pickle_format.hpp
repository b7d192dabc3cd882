// The layout `pickle`: Python pickles by themselves, bare or wrapped in gzip.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_pickle_format();

}  // namespace ckpt
