// What is whole of a search state that was cut (README: "Cut files").
#pragma once

#include "formats/shared/pickle/pickle_file.hpp"

namespace ckpt {

/// Fills the document's root with the parts and the entries of the history that are whole; its damage says what is not.
void salvage_search(const PickleFile& file, Document& document, const Context& context);

}  // namespace ckpt
