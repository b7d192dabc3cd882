// Carries out a write plan: atomic, parallel where sizes are known, nothing half-written.
#pragma once

#include <cstdint>
#include <string>

#include "libckpt/context.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt {

enum class Existing : std::uint8_t { kRefuse, kOverwrite };

/// Writes `plan` to `path`: temporary sibling, extents, fsync, rename, fsync of the folder.
///
/// Throws Error: kRefused if `path` exists (unless kOverwrite), kOutput when the system cannot write (message with its
/// reason), kCancelled after a raised flag; what a blob's read throws passes through. On any throw the temporary is
/// gone and `path` is as it was. Memory: a few MiB per thread. Bytes that do not change are copied with copy_file_range
/// where the system can.
void execute(const WritePlan& plan, const std::string& path, Existing existing, const Context& context);

/// Writes a single-file plan front to back to an open descriptor (stdout). Throws Error (kRefused) if a late extent
/// must come first.
void execute_to_descriptor(const WritePlan& plan, int descriptor, const Context& context);

}  // namespace ckpt
