// Whether a folder is whole.
#pragma once

#include <vector>

#include "libckpt/format.hpp"

namespace ckpt::dcp {

/// Quick: that every tensor is covered exactly once, that every item is where the metadata says and is what it says.
/// Full: the checksums of all items as well. Collects what it finds; throws only for what is no metadata at all.
std::vector<Finding> verify_folder(const Source& source, VerifyLevel level, const Context& context);

}  // namespace ckpt::dcp
