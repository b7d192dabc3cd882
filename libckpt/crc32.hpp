// CRC-32 (the one of zip and gzip), and joining the checksums of pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt {

/// Continues `crc` (0 to begin) over `bytes`.
std::uint32_t crc32(std::uint32_t crc, std::span<const std::byte> bytes) noexcept;

/// The checksum of A followed by B, from those of A and of B and the size of B.
std::uint32_t crc32_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t size_b_bytes) noexcept;

}  // namespace ckpt
