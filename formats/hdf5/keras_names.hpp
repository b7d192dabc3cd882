// Keras's own names for the parts of a model.
#pragma once

#include "libckpt/document.hpp"

namespace ckpt::hdf5 {

/// `document` is the model of a Keras file alone. Layers get the names and the order that attributes and configuration
/// give them, weights of the old format their names, weights of the new one the order of their numbers. What is of no
/// such file is left as it is.
void name_keras_model(Document& document);

}  // namespace ckpt::hdf5
