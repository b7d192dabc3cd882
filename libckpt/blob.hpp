// Bytes that may still be on disk: the one way tensor data moves through the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libckpt/xxh3.hpp"

namespace ckpt {

class File;

/// A run of bytes inside an open file.
struct FileRange {
    std::shared_ptr<const File> file;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
};

/// An immutable run of bytes, read on demand.
///
/// A blob owns what it reads from (an open file, another blob) and outlives the document it came from.
/// Every member is const and may be called from several threads at once.
class Blob {
public:
    virtual ~Blob() = default;

    /// Size in bytes once decoded; known without reading anything.
    virtual std::uint64_t size_bytes() const noexcept = 0;

    /// Fills `out` from `offset_bytes` on. Never returns short: throws Error (kDamaged) naming the bytes wanted and
    /// the bytes there are.
    virtual void read(std::uint64_t offset_bytes, std::span<std::byte> out) const = 0;

    /// The range of a file that holds exactly these bytes, when there is one: a copy then needs no buffer.
    virtual std::optional<FileRange> file_range() const { return std::nullopt; }

    /// The blobs that these bytes consist of, one behind the other, where they are several: each may have a file range
    /// of its own. Empty where they are not.
    virtual std::vector<std::shared_ptr<const Blob>> pieces() const { return {}; }

    /// Reads of this many bytes, at multiples of it, cost the least where bytes are computed; 0 where any will do. At
    /// most 32 MiB.
    virtual std::uint64_t best_read_bytes() const noexcept { return 0; }

    /// XXH3-128 of all bytes, where the file that holds them says it: not checked, but free.
    virtual std::optional<Digest128> known_digest() const { return std::nullopt; }
};

using BlobPtr = std::shared_ptr<const Blob>;

/// A blob over bytes in memory; takes them over.
BlobPtr memory_blob(std::string bytes);
/// A blob over a range of an open file. Throws Error (kDamaged) if the range leaves the file.
BlobPtr file_blob(FileRange range);
/// Part of another blob. Throws Error (kDamaged) if it leaves the blob. Keeps `file_range` where the whole has one.
BlobPtr slice_blob(BlobPtr whole, std::uint64_t offset_bytes, std::uint64_t size_bytes);
/// `size_bytes` zero bytes, held nowhere.
BlobPtr zero_blob(std::uint64_t size_bytes);
/// The same bytes with each group of `width_bytes` reversed (big-endian data as little-endian). The size must be a
/// multiple.
BlobPtr byte_swapped_blob(BlobPtr whole, unsigned width_bytes);
/// Blobs one behind the other.
BlobPtr joined_blob(std::vector<BlobPtr> pieces);
/// The same bytes; what goes wrong when they are read names the file and the place in it ("'model/w'"; may be empty).
/// For blobs that decode: those that only copy from a file name it already, and are given back as they are.
BlobPtr placed_blob(BlobPtr blob, std::string file, std::string place);

/// All bytes of a blob; throws Error (kRefused) if there are more than `limit_bytes`.
std::string read_all(const Blob& blob, std::uint64_t limit_bytes);

}  // namespace ckpt
