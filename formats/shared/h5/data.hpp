// The elements of datasets as blobs.
#pragma once

#include <memory>

#include "formats/shared/h5/chunk_index.hpp"
#include "formats/shared/h5/filters.hpp"
#include "libckpt/chunk_cache.hpp"

namespace ckpt::h5 {

/// See H5File::data.
BlobPtr data_blob(const std::shared_ptr<const Image>& image, const std::shared_ptr<ChunkCache>& cache,
                  const Dataset& dataset);

}  // namespace ckpt::h5
