// What torch.save put into an archive, for layouts that are made of such archives.
#pragma once

#include <string>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// The value of a whole torch.save archive (torch 1.6 and later). `file` is named by errors of what is decoded. Nodes
/// live in the document's pool; what the document is, is left to the caller. Every tensor is checked against its
/// storage. Throws Error (kDamaged; kNotCheckpoint, kUnsupported for zips of something else).
Value read_torch_object(const BlobPtr& bytes, const std::string& file, Document& document, const Context& context);

/// Gives classes' names to what only torch knows to be a dtype, a layout or a quantization scheme, and checks each
/// tensor's bounds.
void settle_torch_values(const Value& root, const Context& context);

}  // namespace ckpt
