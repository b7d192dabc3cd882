// What torch.load(weights_only=True) takes, and a document put into those words (README: "Weights only").
#pragma once

#include <vector>

#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt {

/// What would be left out or change its class: values that weights_only loading refuses and that have no equal among
/// those it takes, in document order.
std::vector<Loss> weights_only_losses(const Document& document);

/// The document in plain words: a Namespace as the dict of its attributes, NumPy's numbers as numbers and its arrays as
/// tensors, tuples as they are; of what is a loss the nearest, or None. Ties stay.
Document weights_only_document(const Document& document);

}  // namespace ckpt
