// Checking the bytes of a zip archive, member by member.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "libckpt/format.hpp"

namespace ckpt {

/// A note where members have no checksum, which is no damage: torch can be told to write none.
std::optional<Finding> absent_checksums(const std::shared_ptr<const File>& file, const Context& context);

/// Reads every member and compares checksums.
std::vector<Finding> verify_zip_members(const std::shared_ptr<const File>& file, const Context& context);

}  // namespace ckpt
