// The stream that torch.save wrote before torch 1.6 (README: "The legacy stream").
#pragma once

#include <string_view>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

/// Whether bytes begin as such a stream does: the pickle of torch's magic number, by any protocol.
bool begins_like_legacy(std::string_view head) noexcept;
/// The same of a file that ends within that pickle.
bool ends_within_legacy_magic(std::string_view head) noexcept;
/// A pickled number of that size which is not the magic one, and another pickle behind it: told from other pickles so
/// that it can be said.
bool begins_like_other_magic(std::string_view head) noexcept;

/// Throws Error (kDamaged) naming the part of the stream, and the byte, that is wrong or missing.
Document read_legacy(const Source& source, const Context& context);

}  // namespace ckpt
