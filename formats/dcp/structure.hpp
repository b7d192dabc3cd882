// What flat names cannot say: classes, key types, empty dicts, ties (README: "What we add").
#pragma once

#include <string>
#include <unordered_map>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt::dcp {

/// The document's tree as a pickle in which every node of `names` is a reference to the item of that name.
std::string structure_bytes(const Document& document, const std::unordered_map<const Node*, std::string>& names);

/// Makes the document's root what such a pickle says, with the items' values in place of the references. Throws Error
/// (kDamaged) where it names an item that is not there; the root is as it was then.
void restore_structure(const std::string& bytes, Document& document,
                       const std::unordered_map<std::string, Value>& values, const Context& context);

}  // namespace ckpt::dcp
