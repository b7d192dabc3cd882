// Storages as blobs over chunks that are checked and decoded when they are read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/native/index.hpp"
#include "libckpt/chunk_cache.hpp"
#include "libckpt/file.hpp"

namespace ckpt::native {

/// The chunks of an open file. Thread-safe once it is filled.
class ChunkStore {
public:
    /// The raw bytes of all chunks, one behind the other, are what positions count.
    ChunkStore(std::shared_ptr<const File> file, std::vector<ChunkEntry> chunks, std::vector<StorageEntry> storages);

    const std::vector<ChunkEntry>& chunks() const noexcept { return chunks_; }
    const std::vector<StorageEntry>& storages() const noexcept { return storages_; }
    /// Position of a chunk's first raw byte; of all of them for the number behind the last.
    std::uint64_t position(std::uint64_t chunk) const { return positions_.at(static_cast<std::size_t>(chunk)); }
    /// The chunks that hold a storage: first, and one past the last.
    std::pair<std::uint64_t, std::uint64_t> chunks_of(std::uint64_t storage) const;

    /// The first storage with the very same bytes in the same place; mostly the storage itself.
    std::uint64_t first_like(std::uint64_t storage) const { return first_like_.at(static_cast<std::size_t>(storage)); }
    /// Those that are the first of their like and have bytes, in the order of their places.
    const std::vector<std::uint32_t>& in_order() const noexcept { return in_order_; }
    /// Those of `in_order` that have some bytes, but not all, in common with one before (README: "Index").
    const std::vector<std::uint32_t>& overlapping() const noexcept { return overlapping_; }
    /// Where a storage's bytes begin, as a position.
    std::uint64_t begin_of(std::uint64_t storage) const {
        const StorageEntry& entry = storages_.at(static_cast<std::size_t>(storage));
        return position(entry.first_chunk) + entry.offset;
    }

    /// Path of the tensor that errors name when a storage cannot be read; storages in one place have one.
    void set_name(std::uint64_t storage, std::string_view path);
    /// Valid until the next `set_name`.
    std::string_view name(std::uint64_t storage) const;

    /// Raw bytes of a storage. Throws Error (kDamaged) naming file, storage, chunk and checksums.
    void read(std::uint64_t storage, std::uint64_t offset, std::span<std::byte> out) const;
    /// Reads a chunk's stored bytes and compares their checksum. Throws Error (kDamaged).
    std::span<const std::byte> stored(std::uint64_t chunk, std::vector<std::byte>& buffer) const;

    /// Reads a chunk, checks and decodes it into exactly its raw bytes. Throws Error (kDamaged, kUnsupported).
    void decode(std::uint64_t chunk, std::span<std::byte> raw) const;

    /// A blob that keeps the store.
    static BlobPtr blob(const std::shared_ptr<const ChunkStore>& store, std::uint64_t storage);
    /// The storage that a blob made by `blob` stands for.
    static std::uint64_t number_of(const Blob& blob);

private:
    void place_storages();

    std::shared_ptr<const File> file_;
    std::vector<ChunkEntry> chunks_;
    std::vector<StorageEntry> storages_;
    std::vector<std::uint64_t> positions_;
    std::vector<std::uint32_t> first_like_;
    std::vector<std::uint32_t> in_order_;
    std::vector<std::uint32_t> overlapping_;
    std::string names_;  ///< one behind the other: there may be hundreds of thousands
    std::vector<std::pair<std::size_t, std::size_t>> name_places_;
    std::unique_ptr<ChunkCache> cache_;
};

}  // namespace ckpt::native
