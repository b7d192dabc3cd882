// Fractal heaps: where groups with many links and objects with many attributes keep them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {

/// An open fractal heap; keeps the blocks that it read. Not thread-safe; lives as long as one listing.
class FractalHeap {
public:
    /// Throws Error (kDamaged); (kUnsupported) for heaps whose blocks are filtered.
    FractalHeap(const Image& image, std::uint64_t address);

    std::size_t id_bytes() const noexcept { return id_bytes_; }
    /// The object with a heap id; valid until the next call. Throws Error (kDamaged).
    std::string_view get(std::string_view id);

private:
    struct Block {
        std::uint64_t address = 0;
        std::uint64_t size_bytes = 0;
        std::optional<std::string> bytes;  ///< once read
    };
    struct HugeObject {
        std::uint64_t address = 0;
        std::uint64_t size_bytes = 0;
    };
    struct IndirectBlock {
        std::uint64_t address = 0;
        std::uint64_t heap_offset = 0;
        unsigned rows = 0;
    };

    void read_header();
    void check_header() const;
    /// Finds all direct blocks, by their place in the heap's address space.
    void map_blocks();
    void map_indirect(const IndirectBlock& indirect, std::vector<IndirectBlock>& pending);
    std::uint64_t row_block_bytes(unsigned row) const;
    const std::string& block_bytes(std::uint64_t heap_offset, Block& block);
    std::string_view managed(std::uint64_t offset, std::uint64_t size_bytes);
    std::string huge(Cursor& id);

    const Image& image_;
    std::uint64_t address_;
    std::size_t id_bytes_ = 0;
    bool has_checksums_ = false;
    std::uint64_t max_managed_bytes_ = 0;
    std::uint64_t huge_tree_ = kUndefinedAddress;
    std::uint64_t width_ = 0;
    std::uint64_t start_bytes_ = 0;
    std::uint64_t max_direct_bytes_ = 0;
    unsigned heap_bits_ = 0;
    std::uint64_t root_ = kUndefinedAddress;
    unsigned rows_ = 0;
    unsigned direct_rows_ = 0;
    unsigned offset_bytes_ = 0;
    unsigned size_field_bytes_ = 0;
    bool is_mapped_ = false;
    std::map<std::uint64_t, Block> blocks_;  ///< by offset in the heap
    std::string single_;                     ///< the object that was got last, where it stands in no block
    std::optional<std::unordered_map<std::uint64_t, HugeObject>> huge_objects_;
};

}  // namespace ckpt::h5
