// What a reader of hostile bytes must not do: take too long, take too much memory, open another file.
#pragma once

#include <cstdint>
#include <string>

namespace ckpt_fuzz {

/// Bounds of one input. Memory is the peak of resident pages; sanitizers need more for themselves.
inline constexpr double kMaxSeconds = 10;
inline constexpr std::uint64_t kMaxMemoryMiB = 256;

/// From here on, opening a path other than `allowed` is noted. Counts for the whole process.
void watch_opens(const std::string& allowed);
/// The first other path that was opened since, or empty.
std::string escaped_to();
/// Peak of resident memory, above what the process had when it called this first.
std::uint64_t peak_memory_mib();
/// `kMaxMemoryMiB`, or more where a sanitizer keeps freed memory.
std::uint64_t memory_limit_mib();

}  // namespace ckpt_fuzz
