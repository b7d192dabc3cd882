// The logical elements of a tensor, row-major, whatever its strides: for digests, layouts without strides, and
// statistics.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libckpt/value.hpp"

namespace ckpt {

/// A blob of the tensor's logical elements, row-major, little-endian; conj and neg applied. Computed when pulled, with
/// bounded buffers; shares the storage's bytes (and file range) where the tensor is contiguous. Packed types (quint4x2)
/// give their packed bytes. The tensor must have a storage and pass check_bounds.
BlobPtr logical_blob(const TensorNode& tensor);

/// XXH3-128 of `logical_blob`, 32 hex digits, most significant first. Throws what reading throws.
std::string digest_xxh3_128(const Blob& blob);
/// SHA-256, 64 hex digits.
std::string digest_sha256(const Blob& blob);
std::string sha256_hex(std::string_view bytes);

}  // namespace ckpt
