// Storages that are no larger than what is used of them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt {

/// A tensor of a document and the path at which it is met first. In document order, each node once.
struct PlacedTensor {
    std::string path;
    TensorNode* tensor;
};
std::vector<PlacedTensor> tensors_of(const Document& document);

/// Whoever changes tensors of a copied document says which, so that no recipe speaks of what they were: theirs, and
/// those of the composite tensors whose parts they are.
void forget_recipes(const std::vector<PlacedTensor>& tensors, const std::unordered_set<const Node*>& changed);

struct Cut {
    std::uint64_t storages = 0;       ///< that had more than what is used
    std::uint64_t dropped_bytes = 0;  ///< that nothing uses
};

/// Gives the tensors of a document, which must have been copied (`copied_tree`), new storages where parts of theirs are
/// used by none of them: tensors whose bytes overlap stay in one, others get each their own. Strides stay; the new
/// storages are slices of the old ones, and as lazy. Storages that are in use from end to end stay.
Cut cut_storages(Document& document);

/// Gives each tensor of a copied document a storage of its own, row-major, without gaps. Tensors that show the same
/// elements stay tied. Tensors without data, and such whose elements share bytes, are left.
void make_contiguous(Document& document);

}  // namespace ckpt
