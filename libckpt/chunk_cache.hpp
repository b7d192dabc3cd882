// Decoded chunks that are likely to be read again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

namespace ckpt {

/// A buffer whose bytes are not touched before they are written: a hostile size costs nothing.
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t size_bytes)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(size_bytes)), size_(size_bytes) {}
    std::byte* data() noexcept { return bytes_.get(); }
    const std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }
    std::span<std::byte> span() noexcept { return {bytes_.get(), size_}; }
    std::span<const std::byte> span() const noexcept { return {bytes_.get(), size_}; }
    /// Keeps the first bytes.
    void shrink(std::size_t size_bytes) noexcept { size_ = std::min(size_, size_bytes); }

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

/// Decoded chunks of all datasets (or storages) of a file, the least recently used leaving first. Thread-safe.
class ChunkCache {
public:
    using Decoded = std::shared_ptr<const Buffer>;
    /// In bytes. One chunk may be larger: the last one is always kept, since the next read often wants it again.
    static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

    /// A number that no other dataset has.
    std::uint64_t new_dataset();
    /// nullptr if it is not there.
    Decoded find(std::uint64_t dataset, std::uint64_t chunk);
    void add(std::uint64_t dataset, std::uint64_t chunk, Decoded decoded);

private:
    struct Key {
        std::uint64_t dataset;
        std::uint64_t chunk;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct Entry {
        Key key;
        Decoded decoded;
    };
    std::mutex mutex_;
    std::uint64_t datasets_ = 0;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  ///< most recently used first
    std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key_;
};

}  // namespace ckpt
