// What is no tensor, as JSON under one key of the metadata, and back (README: "The rest").
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libckpt/document.hpp"

namespace ckpt::safetensors {

/// Whether a text of the metadata is such JSON.
bool is_rest(std::string_view text);

/// The whole tree of a document, tensors by name. `name_of` is asked for each tensor node once.
std::string rest_text(const Document& document, const std::function<std::string(const TensorNode&)>& name_of);

/// Puts the tensors of the root, which are there by name, into the tree that `text` tells. Aliases become the tied
/// tensors that they were. Throws Error (kDamaged).
void restore_rest(Document& document, std::string_view text);

}  // namespace ckpt::safetensors
