// Checking the bytes of a zip archive of torch.
#pragma once

#include <memory>
#include <vector>

#include "libckpt/format.hpp"

namespace ckpt {

/// Reads every member and compares checksums.
std::vector<Finding> verify_torch_zip(const std::shared_ptr<const File>& file, const Context& context);

}  // namespace ckpt
