// Filters applied to chunks that are written.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/shared/h5/h5.hpp"

namespace ckpt::h5 {

/// Whether a filter can be applied here; others are skipped, chunk by chunk, as HDF5's filter masks allow.
bool can_encode(unsigned filter_id) noexcept;

struct FilteredChunk {
    std::string stored;
    std::uint32_t mask = 0;  ///< bit i: filter i was skipped
};
/// Puts a chunk through a pipeline. Filters that cannot be applied, and those that would make it larger, are skipped.
/// Deterministic and thread-safe.
FilteredChunk apply_filters(std::string chunk, std::span<const Filter> filters, std::uint32_t element_bytes);

}  // namespace ckpt::h5
