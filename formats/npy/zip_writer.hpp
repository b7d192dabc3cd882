// A zip archive as a write plan, member by member, front to back.
#pragma once

#include <string>
#include <vector>

#include "libckpt/write_plan.hpp"

namespace ckpt {

enum class ZipPacking : bool { kStored, kDeflated };

struct ZipSource {
    std::string name;
    std::vector<Extent> extents;  ///< literals and blobs
};

/// Sizes and checksums stand behind each member and in the directory, so the archive can go to a pipe.
PlannedFile plan_zip(std::vector<ZipSource> members, ZipPacking packing);

}  // namespace ckpt
