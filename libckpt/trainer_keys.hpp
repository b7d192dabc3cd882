// A sharded training state under the keys that a Lightning Trainer resumes from.
#pragma once

#include "libckpt/document.hpp"

namespace ckpt {

/// Renames what Lightning's sharded strategies save to what its Trainer loads from one file: `model` becomes
/// `state_dict`; `optimizer_0`, `optimizer_1`, ... (or `optimizer`) the list `optimizer_states`, their states by the
/// number of a parameter in place of its name, as `param_groups` count them. The Trainer's keys come in its order, all
/// others behind them. What is so already stays. Throws Error (kRefused) without a model, or where a state belongs to
/// no parameter of a group.
void to_trainer_keys(Document& document);

}  // namespace ckpt
