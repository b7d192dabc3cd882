// A document as what torch's planner makes of a state dict: flat names with tensors and values.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "formats/dcp/metadata.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt::dcp {

struct FlatItem {
    std::string name;            ///< the path's parts, joined by dots
    std::vector<PathPart> path;  ///< keys as text, as torch has them
    std::string shown_path;      ///< as messages name it
    Value value;
    bool is_tensor = false;  ///< one that may be cut; any other stands in an archive as a value
    std::size_t same = 0;    ///< of tensors: the first item that shows the same elements; itself for most
};

struct FlatDocument {
    std::vector<FlatItem> items;  ///< in document order
    std::vector<Loss> losses;
    /// Names and paths do not say all: classes, other keys than text, empty dicts, ties.
    bool needs_structure = false;
    std::unordered_map<const Node*, std::string> names;  ///< of nodes that are items
    std::uint64_t views = 0;  ///< tensors that share a storage with others which show other elements of it
};

/// Dicts are entered, lists where they hold tensors or dicts, tuples never (README: "Written").
FlatDocument flatten(const Document& document);

}  // namespace ckpt::dcp
