// Internal to run folders: one reading of a folder's names.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/run_folder.hpp"

namespace ckpt {

/// So many names of a folder tell what it is.
inline constexpr std::size_t kManyNames = 64;

/// Adds what is in the folder, in no order; a file given as `path` is one checkpoint whatever its name. Throws Error
/// (kNotFound) naming the path when it cannot be read, (kUsage) for a bad pattern.
void scan_folder(const std::string& path, const ScanOptions& options, const Context& context,
                 std::vector<CheckpointEntry>& checkpoints, std::vector<SkippedEntry>& skipped);

/// In the current folder (".") the name alone, unless a command would take it for an option.
std::string path_in(const std::string& folder, std::string_view name);

}  // namespace ckpt
