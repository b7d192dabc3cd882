// The address space of an HDF5 file: superblock, and bytes at addresses, each checked against the file's end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/datatype.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt::h5 {

/// Limits that no real file reaches (hdf5.md, 17.2).
inline constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{1} << 26;
inline constexpr std::size_t kMaxMessages = 65536;
inline constexpr std::size_t kMaxContinuations = 4096;
inline constexpr unsigned kMaxBtreeDepth = 32;
inline constexpr std::size_t kMaxBtreeNodes = std::size_t{1} << 20;
inline constexpr unsigned kMaxTypeDepth = 32;
inline constexpr std::uint64_t kMaxElementBytes = std::uint64_t{1} << 28;
inline constexpr unsigned kMaxRank = 32;
inline constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{1} << 29;
inline constexpr std::size_t kMaxChunks = std::size_t{1} << 22;
inline constexpr unsigned kMaxFilters = 32;
inline constexpr unsigned kMaxSoftLinkHops = 16;

/// A fractal heap of messages that several objects have.
struct SharedHeap {
    unsigned types = 0;  ///< bit i: messages of type i
    std::uint64_t address = 0;
};

/// What the superblock and its extension say.
struct Superblock {
    unsigned version = 0;
    Widths widths;
    std::uint64_t base = 0;  ///< where the signature was found: addresses count from there
    std::uint64_t end = 0;   ///< first address behind the stored end
    std::uint64_t root = 0;
    std::uint64_t extension = kUndefinedAddress;
    unsigned group_leaf_k = 4;
    unsigned group_internal_k = 16;
    unsigned chunk_k = 32;
};

/// Types that were parsed lately, by their messages: a file has few of them, and many datasets. Thread-safe.
class RecentTypes {
public:
    /// What `parse` made of these bytes lately, or makes of them now.
    template <typename Parse>
    DatatypePtr get(std::string_view message, const Parse& parse) {
        const std::scoped_lock lock(mutex_);
        for (const Entry& entry : entries_) {
            if (entry.type && entry.message == message) return entry.type;
        }
        DatatypePtr type = parse();
        if (message.size() > kMaxMessageBytes) return type;
        entries_[next_] = {std::string(message), type};
        next_ = (next_ + 1) % entries_.size();
        return type;
    }

private:
    static constexpr std::size_t kMaxMessageBytes = 1024;
    struct Entry {
        std::string message;
        DatatypePtr type;
    };
    std::mutex mutex_;
    std::array<Entry, 4> entries_;
    std::size_t next_ = 0;
};

/// Immutable and thread-safe. Small reads go through a few cached pages, since metadata lie close together.
class Image {
public:
    /// Finds the signature and reads the superblock (not the extension). See H5File::open for errors and warnings.
    Image(BlobPtr whole, const Context& context, Dialect dialect);

    const Superblock& superblock() const noexcept { return superblock_; }
    const Limits& limits() const noexcept { return limits_; }
    Widths widths() const noexcept { return superblock_.widths; }
    Dialect dialect() const noexcept { return dialect_; }
    /// Only while opening: K values of the superblock extension.
    void set_tree_widths(unsigned leaf, unsigned internal, unsigned chunk) noexcept;
    /// Only while opening: where shared messages lie.
    void set_shared_heaps(std::vector<SharedHeap> heaps) noexcept { shared_heaps_ = std::move(heaps); }
    const std::vector<SharedHeap>& shared_heaps() const noexcept { return shared_heaps_; }

    /// Throws Error (kDamaged) unless the bytes lie before the stored end.
    void check(std::uint64_t address, std::uint64_t size_bytes, std::string_view what) const;
    /// Bytes that are known to be few (metadata).
    std::string bytes(std::uint64_t address, std::uint64_t size_bytes, std::string_view what) const;
    /// Fills `out` from an address.
    void read(std::uint64_t address, std::span<std::byte> out, std::string_view what) const;
    /// The same bytes as a blob, a range of the file where the file has ranges.
    BlobPtr blob(std::uint64_t address, std::uint64_t size_bytes, std::string_view what) const;
    RecentTypes& recent_types() const noexcept { return recent_types_; }
    /// Bytes from `address` to the stored end, at most `limit_bytes`.
    std::uint64_t available(std::uint64_t address, std::uint64_t limit_bytes) const noexcept;

private:
    struct Page {
        std::uint64_t number = kUndefinedAddress;
        std::string bytes;
    };
    static constexpr std::uint64_t kPageBytes = 16384;
    static constexpr std::size_t kPages = 32;

    void find_signature();
    void parse_superblock(const Context& context);
    void read_cached(std::uint64_t position, std::span<std::byte> out) const;

    BlobPtr whole_;
    Dialect dialect_;
    Limits limits_;
    Superblock superblock_;
    std::vector<SharedHeap> shared_heaps_;
    mutable std::mutex mutex_;
    mutable std::array<Page, kPages> pages_;
    mutable RecentTypes recent_types_;
};

}  // namespace ckpt::h5
