// Attributes that other layouts hang on nodes: kept beside a pickle, so that Python shows what it always shows.
#pragma once

#include <optional>
#include <string_view>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// A dict from paths to dicts of attributes by name, of all attributes that the pickle itself does not say (those with
/// `own_prefix` and `pickle:` are its own); nullopt where there are none.
std::optional<Value> collect_node_attributes(Pool& scratch, const Document& document, std::string_view own_prefix);

/// The way back. Warns of entries that lead nowhere; `place` names where they were read ("record 'x'").
void apply_node_attributes(Document& document, const Value& collected, std::string_view place, const Context& context);

}  // namespace ckpt
