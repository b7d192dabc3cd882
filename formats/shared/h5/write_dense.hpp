// Dense storage of links and attributes: a fractal heap of one direct block, and B-trees of version 2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/shared/h5/write_bytes.hpp"

namespace ckpt::h5 {

/// Writes a version-2 B-tree of records that are sorted and of one size; returns its header's address.
std::uint64_t write_btree2(MetadataArea& area, unsigned type, const std::vector<std::string>& records);

struct HeapIds {
    std::uint64_t address = 0;
    std::vector<std::string> ids;  ///< one per object
};
/// Writes a fractal heap. `id_bytes` is 7 for links (32-bit heap offsets) and 8 for attributes (40-bit ones). Objects
/// over 4096 bytes are stored as huge objects.
HeapIds write_heap(MetadataArea& area, const std::vector<std::string>& objects, unsigned id_bytes);

}  // namespace ckpt::h5
