// The two kinds of B-trees that index links, attributes, huge objects and chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {

enum class Btree1Kind : std::uint8_t { kGroup = 0, kChunks = 1 };

/// Walks a version-1 B-tree; `visit` gets each leaf's key (the one before the child) and child, in order.
/// Throws Error (kDamaged) on cycles, levels that do not fall by one, nodes with more entries than they hold.
void walk_btree1(const Image& image, std::uint64_t root, Btree1Kind kind, std::size_t key_bytes,
                 const std::function<void(std::string_view key, std::uint64_t child)>& visit);

/// Types of version-2 B-trees, numbered as in the file.
enum class Btree2Type : std::uint8_t {
    kHugeObject = 1,
    kLinkName = 5,
    kAttributeName = 8,
    kChunk = 10,
    kFilteredChunk = 11,
};

/// Walks a version-2 B-tree of one type and record size; `visit` gets the records in order.
/// Throws Error (kDamaged) on wrong checksums, cycles, counts that disagree.
void walk_btree2(const Image& image, std::uint64_t header, Btree2Type type, std::size_t record_bytes,
                 const std::function<void(std::string_view record)>& visit);

}  // namespace ckpt::h5
