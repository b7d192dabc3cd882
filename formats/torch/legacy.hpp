// The stream that torch.save wrote before torch 1.6 (README: "The legacy stream").
#pragma once

#include <string_view>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"
#include "libckpt/format.hpp"

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

/// The document without tensors whose storages are not all in the file, or have another count than the pickle says;
/// `damage` lists them. Bytes have no checksum. Throws Error (kDamaged) where a pickle before the storages is not
/// whole.
Document salvage_legacy(const Source& source, const Context& context);
/// The same as findings: each tensor that is lost, each that is whole, and a sum.
std::vector<Finding> survey_legacy(const Source& source, const Context& context);

}  // namespace ckpt
