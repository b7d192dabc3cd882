// Bits of a BitArray as bools.
#pragma once

#include "libckpt/blob.hpp"

namespace ckpt::jld2 {

/// `count` bytes 0 or 1 from the bits of `chunks`, 64 to a little-endian word, the lowest first. Computed when it is
/// read. Throws Error (kDamaged) if there are fewer bits.
BlobPtr unpacked_bits(BlobPtr chunks, std::uint64_t count);
/// The same, back: the last word is filled up with zeros. `bools` has a byte for each.
BlobPtr packed_bits(BlobPtr bools);

}  // namespace ckpt::jld2
