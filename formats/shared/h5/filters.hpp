// Filters that chunks go through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/chunk_cache.hpp"

namespace ckpt::h5 {

/// Our name for a filter id, as the manuals have it ("gzip", "blosc"); empty for ids nobody registered.
std::string_view filter_name(unsigned id) noexcept;
/// Throws Error (kUnsupported) naming the first filter that this engine cannot undo.
void require_known_filters(std::span<const Filter> filters);

/// The checksum of that filter, over words that are big-endian whatever the data are (hdf5.md, 12.1).
std::uint32_t fletcher32(std::span<const std::byte> bytes);

/// Undoes the pipeline, last filter first, but for those that the mask says were skipped. The result has exactly
/// `size_bytes` bytes. Throws Error (kDamaged).
Buffer undo_filters(Buffer stored, std::span<const Filter> filters, std::uint32_t mask, std::size_t size_bytes);

}  // namespace ckpt::h5
