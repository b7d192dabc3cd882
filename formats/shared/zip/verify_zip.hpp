// Checking the bytes of a zip archive, member by member.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "libckpt/format.hpp"

namespace ckpt {

/// CRC-32 of all its bytes, read in pieces. Throws Error (kCancelled), and what reading throws.
std::uint32_t checksum_of(const Blob& blob, const Context& context);

/// A note where members have no checksum, which is no damage: torch can be told to write none.
std::optional<Finding> absent_checksums(const std::shared_ptr<const File>& file, const Context& context);

/// Whose reader of zip archives.
enum class ZipProgram : bool { kTorch, kPython };

/// Damage where the program reads something else than the member's bytes, or nothing: torch leaves the memory of a
/// member that is marked as a folder as it was; Python refuses one whose local header has another name. Throws Error
/// (kDamaged) where there is no archive.
std::vector<Finding> misread_members(const std::shared_ptr<const File>& file, ZipProgram program,
                                     const Context& context);

/// Reads every member and compares checksums.
std::vector<Finding> verify_zip_members(const std::shared_ptr<const File>& file, const Context& context);

}  // namespace ckpt
