// What a fuzzer runs: bytes are read as a checkpoint, all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ckpt_fuzz {

/// The path under which the bytes are read; the same at each call.
const std::string& input_path();

/// Reads `size` bytes as a file of any layout: structure, elements of all tensors (large ones: their beginning and
/// end), attributes; plans to write what was read now and then. Errors of the library are normal; anything else (a
/// crash, a foreign exception, an internal error) is a finding. Returns whether all could be read.
bool read_bytes(const std::uint8_t* data, std::size_t size);

}  // namespace ckpt_fuzz
