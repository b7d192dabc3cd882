// The network inside of a Mammoth model, as a state dict of its own.
#pragma once

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// Whether `extract` may make a backbone of the document: a checkpoint of Mammoth, whose model is more than its
/// network.
bool has_backbone(const Document& document);

/// The model's state dict under the names that Mammoth's `--loadcheck` takes: `net.` and the network's own name,
/// without the components of wrappers (`module.`, `_orig_mod.`) before and behind `net.`, in any nesting. Only whole
/// leading components are stripped; what follows the first `net.` and its wrappers is the network's own, another `net.`
/// too. Names that stand for one tensor stay tied. Entries that are not the network's are left out, with a note. Throws
/// Error (kRefused) listing names that would come out the same.
Document backbone(const Document& document, const Context& context);

}  // namespace ckpt
