// Chunks: raw bytes to stored bytes and back (README: "Codecs").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "libckpt/dtype.hpp"

namespace ckpt::native {

enum class CodecId : std::uint8_t { kRaw = 0, kZstd = 1, kPlanes = 2, kFloat = 3, kSparse = 4 };
inline constexpr unsigned kFirstReservedCodec = 16;

/// What the elements of a chunk are, as far as a codec cares.
enum class ElementKind : std::uint8_t {
    kText,      ///< bytes in which runs come again
    kWidth1,    ///< numbers of one byte: integers, float8, bool, packed types
    kWidth2,    ///< integers
    kWidth4,    ///< integers
    kWidth8,    ///< integers
    kFloat16,   ///< floats by their sign, exponent and mantissa
    kBFloat16,  ///
    kFloat32,   ///
    kFloat64,   ///
};

/// Complex types count as two floats of half their width.
ElementKind element_kind(DType dtype) noexcept;
/// 1 to 8.
unsigned element_bytes(ElementKind kind) noexcept;

/// Appends the smallest form that a trial on a sample finds, never more bytes than the raw ones. Thread-safe,
/// deterministic.
CodecId encode_chunk(std::span<const std::byte> raw, ElementKind kind, std::string& out);

bool is_known(CodecId codec) noexcept;

/// The way back, into exactly `raw`. Throws Error (kDamaged) where the stored bytes do not give just as many,
/// (kUnsupported) for codecs that are not known. Never writes outside of `raw`, whatever the bytes are. Thread-safe.
void decode_chunk(CodecId codec, std::span<const std::byte> stored, std::span<std::byte> raw);

/// One zstd frame at a level for text and indices, and back.
std::string zstd_frame(std::span<const std::byte> raw, int level);
void zstd_unframe(std::span<const std::byte> frame, std::span<std::byte> raw);

}  // namespace ckpt::native
