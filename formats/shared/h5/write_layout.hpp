// Datasets written in chunks of a given shape.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/shared/h5/write.hpp"
#include "formats/shared/h5/write_chunks.hpp"

namespace ckpt::h5 {

/// Whether a dataset of this shape can be written so: chunks of at most 64 MiB and at most 2^20 of them, sizes below
/// their maxima, a fill value of one element.
bool fits_layout(const WriteLayout& layout, const std::vector<std::uint64_t>& shape, std::uint32_t element_bytes);

/// Each chunk is a part of `chunked_blob`.
ChunkPlan plan_given_chunks(const WriteLayout& layout, const std::vector<std::uint64_t>& shape,
                            std::uint32_t element_bytes);
/// The elements chunk by chunk, each row-major, with fill values where a chunk sticks out.
BlobPtr chunked_blob(BlobPtr elements, const WriteLayout& layout, const std::vector<std::uint64_t>& shape,
                     std::uint32_t element_bytes);
/// The filter pipeline message.
std::string filters_message(std::span<const Filter> filters);
/// Applies the pipeline; the note holds the four bytes of the chunk's filter mask.
std::function<Encoded(std::span<const std::byte>)> filter_encoder(std::vector<Filter> filters,
                                                                  std::uint32_t element_bytes);

}  // namespace ckpt::h5
