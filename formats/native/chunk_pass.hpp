// All chunks of a file, checked and decoded on threads, given out in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "formats/native/chunk_store.hpp"
#include "libckpt/context.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {

/// Given the raw bytes of a chunk, valid during the call only; or why there are none (kDamaged, kUnsupported).
using TakeChunk = std::function<void(std::uint64_t chunk, std::span<const std::byte> raw, const Error* failure)>;

/// Reads, checks and decodes each chunk once, on `context.threads` threads; calls `take` on the calling thread, in the
/// order of the chunks. Holds at most four chunks per thread. Throws other errors than those of a chunk, and what
/// `take` throws.
void for_each_chunk(const ChunkStore& store, const Context& context, const TakeChunk& take);

}  // namespace ckpt::native
