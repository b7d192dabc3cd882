// Where the chunks of a dataset are: the six kinds of chunk indexes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {

/// The chunks that a dataset's shape falls into, numbered row-major.
class ChunkGrid {
public:
    explicit ChunkGrid(const Dataset& dataset);

    std::size_t rank() const noexcept { return counts_.size(); }
    /// Chunks per dimension; 0 where the dataset has no elements.
    std::span<const std::uint64_t> counts() const noexcept { return counts_; }
    std::uint64_t total() const noexcept { return total_; }
    /// Number of the chunk at a place in the grid; nullopt outside.
    std::optional<std::uint64_t> number(std::span<const std::uint64_t> place) const noexcept;
    /// First element of a chunk, per dimension.
    std::vector<std::uint64_t> offset(std::uint64_t number) const;

private:
    std::vector<std::uint64_t> chunk_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 1;
};

struct StoredChunk {
    std::uint64_t number = 0;  ///< in the grid
    std::uint64_t address = 0;
    std::uint64_t stored_bytes = 0;
    std::uint32_t filter_mask = 0;
};

/// The stored chunks that lie in the grid, by number; chunks outside (of a dataset that shrank) are left out.
/// Throws Error (kDamaged), and (kRefused) for more than 2^22 chunks.
std::vector<StoredChunk> read_chunk_index(const Image& image, const Dataset& dataset, const ChunkGrid& grid);

/// How the elements of array indexes are written (hdf5.md, 11.4).
struct ChunkElementFormat {
    bool is_filtered = false;
    unsigned size_field_bytes = 0;
    unsigned element_bytes = 0;
    std::uint64_t chunk_bytes = 0;

    /// nullopt for a chunk that was never written.
    std::optional<StoredChunk> parse(std::string_view bytes, Widths widths) const;
};

/// An array of chunk places by linear chunk number.
class ChunkArray {
public:
    virtual ~ChunkArray() = default;
    virtual std::optional<StoredChunk> get(std::uint64_t index) = 0;
};

std::unique_ptr<ChunkArray> open_fixed_array(const Image& image, std::uint64_t address,
                                             const ChunkElementFormat& format);
std::unique_ptr<ChunkArray> open_extensible_array(const Image& image, std::uint64_t address,
                                                  const ChunkElementFormat& format);

}  // namespace ckpt::h5
