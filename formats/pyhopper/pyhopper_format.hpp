// The layout `pyhopper`: the state of a hyper-parameter search, a pickle in gzip.
#pragma once

#include <memory>

#include "libckpt/format.hpp"

namespace ckpt {

std::unique_ptr<Format> make_pyhopper_format();

}  // namespace ckpt
