// Attributes that a layout has no place for: of nodes they are losses, of the document facts about another file.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt {

/// The attributes of nodes that begin with none of `own_prefixes` and say more than how a file stored its node, one
/// loss for each: "has the attribute 'hdf5:units', which LAYOUT has no place for". `layout` as it stands in a sentence.
std::vector<Loss> attribute_losses(const Document& document, std::initializer_list<std::string_view> own_prefixes,
                                   std::string_view layout);

/// Notes which facts about the file that was read (`torch:prefix`) are not kept; `layout` as above.
void note_dropped_facts(const Document& document, std::initializer_list<std::string_view> own_prefixes,
                        std::string_view layout, const Context& context);

}  // namespace ckpt
