// Other names for the tensors of a model: prefixes taken off or put on, and rules in sed's words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt {

/// The state dicts of a document: its root where that is the model, else its parts that are models (trained, averaged),
/// else the root. Paths and nodes; empty where the root is no dict.
struct StateDict {
    std::string path;
    DictNode* dict;
};
std::vector<StateDict> state_dicts(const Document& document);

/// What was taken off the keys of one state dict.
struct Stripped {
    std::string path;
    std::string prefix;       ///< all of it: "module._orig_mod."
    std::size_t keys = 0;     ///< from which it was taken
    std::size_t lacking = 0;  ///< keys that do not begin with a prefix which others have: nothing was taken off then
    std::string lacks;        ///< the first of them
    std::string lacked;       ///< the prefix that it lacks
};

/// Takes whole leading components (up to a dot) off the keys of each state dict of a copied document, as long as all of
/// its keys begin with one of `prefixes`, in any nesting, and something is left of each. A root or part whose only
/// entry is a dict of that name gives way to it. torch's `_metadata` follows. Throws Error (kRefused) listing keys that
/// would come out the same, where only some of the keys begin with a prefix.
std::vector<Stripped> strip_prefixes(Document& document, const std::vector<std::string>& prefixes);

/// What wrappers of torch put before the names of a model: DistributedDataParallel, torch.compile, DeepSpeed, FSDP.
const std::vector<std::string>& wrapper_prefixes();

/// Puts a whole component before all keys of each state dict (a dot is added where it has none at its end). Returns how
/// many keys there are.
std::size_t add_prefix(Document& document, std::string_view prefix);

/// A rule as sed writes it: s/regex/replacement/flags, with any character for the slash; flags g (all, not the first
/// only) and i (letters of either case). `\1` to `\9` and `&` in the replacement stand for groups and the whole.
struct RenameRule {
    std::string regex;
    std::string replacement;  ///< as ECMAScript has it
    bool is_global = false;
    bool ignores_case = false;
};
/// Throws Error (kUsage) saying what is wrong.
RenameRule parse_rename(std::string_view text);

/// Applies the rules in order to the keys of each state dict of a copied document, and of the dicts in it: of those the
/// rules see paths within the state dict, of which they may not change the number of components. Returns how many keys
/// changed. Throws Error (kRefused) listing names that would come out the same.
std::size_t rename_keys(Document& document, const std::vector<RenameRule>& rules);

}  // namespace ckpt
