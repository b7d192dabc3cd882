// The index in memory: which chunks there are, and which storages lie in them (README: "Index").
#pragma once

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

}  // namespace ckpt::native
