// A document's tree once more, to be changed.
#pragma once

#include "libckpt/document.hpp"

namespace ckpt {

/// The same document with containers, objects and tensors of its own: these may be changed without the other seeing
/// it. Sharing and rings are kept; scalars, texts and storages are those of the original. No recursion.
Document copied_tree(const Document& document);

}  // namespace ckpt
