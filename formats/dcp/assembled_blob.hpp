// A tensor's row-major bytes out of boxes of it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/size_list.hpp"

namespace ckpt::dcp {

struct Piece {
    SizeList offsets;
    SizeList sizes;
    /// Its elements, row-major; called when they are first needed.
    std::function<BlobPtr()> open;
};

/// The pieces must tile `shape`. Elements have `width_bytes`. Reads gather from the pieces that they meet, each in runs
/// as long as they lie; memory is a buffer beside what is read. A single piece is given as it is.
BlobPtr assembled_blob(const SizeList& shape, unsigned width_bytes, std::vector<Piece> pieces);

/// Opens all pieces of a blob that `assembled_blob` made; throws what that throws. Of others nothing.
void open_pieces(const Blob& blob);

}  // namespace ckpt::dcp
