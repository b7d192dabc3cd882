// Layouts that are torch's as well, and can only be read: older ones, and those of its other exporters.
#pragma once

#include <memory>
#include <vector>

#include "libckpt/format.hpp"

namespace ckpt {

/// torch-legacy, torch-tar, torchscript, torch-package, torch-export.
std::vector<std::unique_ptr<Format>> make_torch_neighbours();

}  // namespace ckpt
