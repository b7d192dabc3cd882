// A zstd stream as the bytes that it unpacks to, of which nobody said how many there are.
#pragma once

#include <cstdint>

#include "libckpt/blob.hpp"

namespace ckpt::dcp {

/// Unpacks once to count the bytes and to see that all frames are whole: Error (kDamaged) where they are not, or where
/// there are more than `limit_bytes`. Little is kept in memory as it is; of more, reads decode on from where the last
/// one ended, and from the beginning again for what lies before. Reading front to back unpacks once.
BlobPtr zstd_blob(BlobPtr packed, std::uint64_t limit_bytes);

}  // namespace ckpt::dcp
