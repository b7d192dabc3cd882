// Attributes that other layouts hang on nodes: kept beside the pickle, so that torch.load shows what it always shows
// (README: "Attributes").
#pragma once

#include <optional>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// The record's name, without prefix. torch does not look at records that it does not know.
inline constexpr std::string_view kAttributesRecord = ".ckpt/attributes.pkl";

/// A dict from paths to dicts of attributes by name, of all attributes that the pickle itself does not say; nullopt
/// where there are none.
std::optional<Value> collect_node_attributes(Pool& scratch, const Document& document);

/// The way back. Warns of entries that lead nowhere.
void apply_node_attributes(Document& document, const Value& collected, const Context& context);

}  // namespace ckpt
