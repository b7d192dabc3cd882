// One zlib stream made of parts that are packed independently.
#pragma once

#include <vector>

#include "libckpt/write_plan.hpp"

namespace ckpt::jld2 {

/// Appends the extents of a zlib stream of a blob's bytes: its head, parts of 1 MiB that end at a byte, its end with
/// the checksum of all. Any inflater reads it as one stream.
void append_zlib_stream(std::vector<Extent>& extents, const BlobPtr& blob);

}  // namespace ckpt::jld2
