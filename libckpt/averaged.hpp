// The averages of a model's weights that a checkpoint holds beside them, or in their place.
#pragma once

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// The state dict of the averaged weights (EMA, SWA) as the root: those of the part with that role, or the model's own
/// where it is the average. The count and the component `module.` of torch's AveragedModel are left out, with a note.
/// The root is null where there are none.
Document averaged_weights(const Document& document, const Context& context);

}  // namespace ckpt
