// The elements of datasets as blobs.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "formats/shared/h5/chunk_index.hpp"
#include "formats/shared/h5/filters.hpp"

namespace ckpt::h5 {

/// Decoded chunks of all datasets of a file, the least recently used leaving first. Thread-safe.
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

/// See H5File::data.
BlobPtr data_blob(const std::shared_ptr<const Image>& image, const std::shared_ptr<ChunkCache>& cache,
                  const Dataset& dataset);

}  // namespace ckpt::h5
