// The elements of datasets as blobs.
#pragma once

#include <memory>

#include "formats/shared/h5/chunk_index.hpp"
#include "formats/shared/h5/filters.hpp"
#include "formats/shared/h5/helpers.hpp"
#include "libckpt/chunk_cache.hpp"

namespace ckpt::h5 {

/// What all datasets of a file share when their chunks are decoded.
struct ChunkSupport {
    std::shared_ptr<ChunkCache> cache;
    std::shared_ptr<Helpers> helpers;
};

/// Writes a pattern of one element over and over; `phase` is where in the element the run begins. An empty one is
/// zeros.
void fill_run(std::span<std::byte> out, const std::string& element, std::uint64_t phase);

/// See H5File::data. Of what lies in this file as it is: no virtual and no external data, and some.
BlobPtr data_blob(const std::shared_ptr<const Image>& image, const ChunkSupport& support, const Dataset& dataset);

/// See H5File::check_data. `blob` is one that `data_blob` made.
void check_blob(const Blob& blob, const Context& context);

}  // namespace ckpt::h5
