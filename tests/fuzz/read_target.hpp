// What a fuzzer runs: read bytes as a checkpoint, walk it, pull some of its data.
#pragma once

#include <cstddef>
#include <cstdint>

/// Reads `size` bytes as a file of any layout. Library errors are normal; anything else (a crash, a foreign exception)
/// is a finding. Returns whether the bytes could be read.
bool fuzz_read_bytes(const std::uint8_t* data, std::size_t size);
