// What is to be written: files as lists of extents. Formats make plans; one executor carries them out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt {

/// What the executor found out about an extent once it was written.
struct ExtentResult {
    std::uint64_t offset_bytes = 0;  ///< in its file
    std::uint64_t size_bytes = 0;    ///< as stored
    std::uint32_t crc32 = 0;         ///< of the stored bytes, where the extent asked for it
    std::string note;                ///< of encoded extents: what their encoder had to say
    Digest128 raw_digest;            ///< where an extent began a digest: of the raw bytes of its run
};

/// Bytes known now.
struct LiteralExtent {
    std::string bytes;
};
/// Bytes that another blob yields, unchanged.
struct BlobExtent {
    BlobPtr blob;
};
/// What an encoder makes of raw bytes.
struct Encoded {
    std::string stored;
    std::string note;  ///< for late extents: a few bytes that only the encoder knows
};
/// Whether an extent's raw bytes are hashed, and with which others: kMore goes on where the encoded extent before left
/// off.
enum class RawDigest : std::uint8_t { kNone, kBegin, kMore };
/// Part of a blob that goes through an encoder; its stored size is known only afterwards. Parts are at most a few MiB.
struct EncodedExtent {
    BlobPtr blob;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
    /// Pure and thread-safe.
    std::function<Encoded(std::span<const std::byte>)> encode;
    RawDigest digest = RawDigest::kNone;
};
/// Bytes of a known size that follow from the results of other extents: directories, footers, a superblock.
///
/// Made after all other extents of the file are written, in file order; `results` has one item per extent of this file,
/// and is complete but for the checksums of later late extents. Must return exactly `size_bytes` bytes, unless
/// `size_bytes` is kUnknownSize (allowed for a tail of late extents only).
struct LateExtent {
    static constexpr std::uint64_t kUnknownSize = ~std::uint64_t{0};
    std::uint64_t size_bytes = 0;
    std::function<std::string(std::span<const ExtentResult> results)> make;
    /// Follows from extents behind it: then the plan cannot be written front to back, to a pipe.
    bool needs_later = false;
};

struct Extent {
    std::variant<LiteralExtent, BlobExtent, EncodedExtent, LateExtent> content;
    bool want_crc32 = false;
};

struct PlannedFile {
    std::string name;             ///< relative to the output folder; empty for a single-file output
    std::vector<Extent> extents;  ///< contiguous, in file order
};

/// Everything one output consists of. Deterministic: the same document and options give the same plan.
struct WritePlan {
    std::vector<PlannedFile> files;
    bool is_folder = false;

    /// Bytes of all extents whose size is known, raw size for encoded ones; what progress counts.
    std::uint64_t total_bytes() const noexcept;
};

}  // namespace ckpt
