// The index in memory: which chunks there are, and which storages lie in them (README: "Index").
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/native/codec.hpp"
#include "libckpt/document.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::native {

inline constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 20;       ///< raw, as written
inline constexpr std::uint64_t kMostChunkBytes = std::uint64_t{64} << 20;  ///< raw, as read
inline constexpr std::size_t kTextInStorageBytes = 4096;  ///< text and bytes from here on lie in a storage

struct ChunkEntry {
    std::uint64_t offset = 0;  ///< of the payload
    std::uint64_t stored_bytes = 0;
    std::uint64_t raw_bytes = 0;
    CodecId codec = CodecId::kRaw;
    std::uint64_t xxh3 = 0;
};

struct StorageEntry {
    std::uint64_t size_bytes = 0;
    std::uint64_t first_chunk = 0;
    std::uint64_t offset = 0;         ///< in the first chunk's raw bytes
    std::optional<Digest128> digest;  ///< unknown in what was salvaged
    std::string location;
};

/// As many bytes as an index, or names, that are stored in so many may have once they are unpacked (README: "Reading
/// what is damaged", "Index"): what shrinks more is stored as it is, and refused when it is not.
constexpr std::uint64_t most_index_bytes(std::uint64_t stored_bytes) {
    return (std::uint64_t{16} << 20) + 64 * stored_bytes;
}
/// As many raw bytes as a chunk that is stored in so many may have (README: "Records"): with it, and the 64 bytes of a
/// record's header, what a file decodes to is bounded by its size.
constexpr std::uint64_t most_chunk_bytes(std::uint64_t stored_bytes) {
    return std::min(kMostChunkBytes, kChunkBytes + 64 * std::min(stored_bytes, kMostChunkBytes));
}
/// Bytes of memory that all names of a file of this size may take, those of many tensors with one content included.
constexpr std::uint64_t most_memory_of_names(std::uint64_t file_bytes) {
    return (std::uint64_t{64} << 20) + 32 * std::min(file_bytes, std::uint64_t{1} << 40);
}
constexpr std::uint64_t most_names_bytes(std::uint64_t stored_bytes) {
    return (std::uint64_t{1} << 20) + 256 * stored_bytes;
}

}  // namespace ckpt::native
