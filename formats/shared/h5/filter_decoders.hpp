// The decoders behind undo_filters: one function per filter, each with a limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::h5 {

/// Undoes one filter: fills the beginning of `out` from a chunk's stored bytes and the parameters of the filter
/// message, and returns how many bytes that are. All three may hold anything: a decoder reads only `stored`, writes
/// only `out`, and throws Error (kDamaged) beginning with the filter's name, also if more than `out` would be needed.
/// What `out` holds afterwards does not matter then. Thread-safe: no decoder has any state.
using Decoder = std::size_t (*)(std::span<const std::byte> stored, std::span<const std::uint32_t> parameters,
                                std::span<std::byte> out);

std::size_t decode_deflate(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_szip(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_nbit(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
/// Throws Error (kUnsupported) for E-scaling, which nothing writes.
std::size_t decode_scaleoffset(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_bzip2(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_lzf(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
/// Throws Error (kUnsupported) for a codec that the blosc library was built without.
std::size_t decode_blosc(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_bitshuffle(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_lz4(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);
std::size_t decode_zstd(std::span<const std::byte>, std::span<const std::uint32_t>, std::span<std::byte>);

/// Byte j of element i lies at j * n + i; bytes behind the last whole element stay where they are. `out` is as large as
/// `stored`; elements have at least 1 byte.
void unshuffle(std::span<const std::byte> stored, std::size_t element_bytes, std::span<std::byte> out) noexcept;

}  // namespace ckpt::h5
