// Files that must be written front to back: pipes, and files whose parts are encoded on the way.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt {

/// Takes the next bytes of the file, in order.
using Sink = std::function<void(std::span<const std::byte>)>;
/// Told how many raw bytes were done with.
using Done = std::function<void(std::uint64_t raw_bytes)>;

/// Gives all extents of `file` to `sink`, in order, on the calling thread; encoded ones are read and encoded ahead by
/// `context.thread_count()` threads, which keep two chunks more than they are, raw and encoded. Late extents that need
/// later ones are left to the caller, who gets their place as zeros; `results` (one per extent) is filled for all
/// others. Throws what reading, encoding and `sink` throw, and Error (kCancelled).
void write_in_order(const PlannedFile& file, std::vector<ExtentResult>& results, const Sink& sink, const Done& done,
                    const Context& context);

}  // namespace ckpt
