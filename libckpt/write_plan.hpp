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
#include "libckpt/error.hpp"
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

/// Its size as far as it is known: the raw size of encoded ones.
std::uint64_t planned_bytes(const Extent& extent) noexcept;

struct PlannedFile {
    std::string name;             ///< relative to the output folder; empty for a single-file output
    std::vector<Extent> extents;  ///< contiguous, in file order
};

/// An output would be larger than it may be.
class TooLarge : public Error {
public:
    using Error::Error;
};

/// Adds up what an output will have while it is planned: parts of encoded data take memory, and there is a limit to it.
class OutputBound {
public:
    static constexpr std::uint64_t kAnySize = std::uint64_t{1} << 62;  ///< whose offsets still fit in all layouts
    static constexpr std::uint64_t kMostEncoded = std::uint64_t{1} << 44;

    explicit OutputBound(std::uint64_t most_bytes) : most_bytes_(most_bytes) {}
    /// Throws TooLarge (kRefused) once there are more than the bound.
    void add(std::uint64_t bytes);

private:
    std::uint64_t most_bytes_;
    std::uint64_t bytes_ = 0;
};

/// Everything one output consists of. Deterministic: the same document and options give the same plan.
struct WritePlan {
    std::vector<PlannedFile> files;
    bool is_folder = false;

    /// Bytes of all extents whose size is known, raw size for encoded ones; what progress counts. At most
    /// 2^64 - 1.
    std::uint64_t total_bytes() const noexcept;
};

}  // namespace ckpt
