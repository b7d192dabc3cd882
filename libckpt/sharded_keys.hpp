// A training state under the keys that Lightning's sharded strategies save and load: optimizer states by name.
#pragma once

#include "libckpt/document.hpp"

namespace ckpt {

/// The reverse of `to_trainer_keys`: `state_dict` is `model` as well, the very same (a Trainer's FSDP strategy looks
/// for the one name, its ModelParallelStrategy for the other); the list `optimizer_states` the entries `optimizer_0`,
/// `optimizer_1`, ...; states of optimizers are by the names of the model's parameters in place of their numbers, and
/// so are `param_groups`. What is so already stays.
///
/// A number's name is what the group says (`param_names`), else what follows from the order of the model's state dict
/// and from the shapes of the states: buffers, integers and names of tied tensors are no parameters of their own.
/// Throws Error (kRefused) where more than one naming would do, or none.
void to_sharded_keys(Document& document);

}  // namespace ckpt
