// Chunked datasets for writing: the shape of chunks, their encoding, and the index over them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/shared/h5/write.hpp"

namespace ckpt::h5 {

/// How a dataset is cut: chunks of `dims` elements that are contiguous in row-major order, but for the last along
/// `cut_dimension`, which is padded.
struct ChunkPlan {
    std::vector<std::uint64_t> dims;
    std::uint64_t chunk_bytes = 0;  ///< decoded, padding included

    /// A part of the dataset's bytes that is one chunk.
    struct Part {
        std::vector<std::uint64_t> offset;  ///< of its first element, per dimension
        std::uint64_t offset_bytes = 0;
        std::uint64_t size_bytes = 0;  ///< without padding
    };
    std::vector<Part> parts;  ///< in row-major order
};

/// Chunks of about 1 MiB. `shape` has at least one dimension and no zeros.
ChunkPlan plan_chunks(const std::vector<std::uint64_t>& shape, std::uint32_t element_bytes);

/// The filter pipeline message: shuffle (for elements of several bytes), then the codec.
std::string filter_message(Codec codec, std::uint32_t element_bytes);
/// Pads, shuffles and encodes one chunk. Pure and thread-safe.
std::function<Encoded(std::span<const std::byte>)> chunk_encoder(Codec codec, std::uint32_t element_bytes,
                                                                 std::uint64_t chunk_bytes);

/// Bytes that the version-1 B-tree over `count` chunks takes. Its root is the last node.
std::uint64_t chunk_tree_bytes(std::size_t count, std::size_t rank);
/// The tree's root, if the tree begins at `start`; no address for a tree over nothing.
std::uint64_t chunk_tree_root(std::uint64_t start, std::size_t count, std::size_t rank);

struct StoredPart {
    std::uint64_t address = 0;
    std::uint64_t size_bytes = 0;
    std::uint32_t filter_mask = 0;
};
/// The tree itself. `stored` says where the parts of the plan came to lie.
std::string chunk_tree(std::uint64_t start, const ChunkPlan& plan, const std::vector<std::uint64_t>& shape,
                       const std::vector<StoredPart>& stored);

}  // namespace ckpt::h5
