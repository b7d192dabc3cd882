// A checkpoint in several files with an index, as Hugging Face's libraries write it: `model.safetensors.index.json`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

struct ShardIndex {
    /// File by file in the order in which the index names them first; the names of each in the index's order.
    std::vector<std::pair<std::string, std::vector<std::string>>> files;
    std::vector<std::pair<std::string, std::string>> metadata;  ///< its texts
    std::optional<std::uint64_t> total_size_bytes;              ///< as the index says
};

/// The index of a source: the source itself, where its name ends in `suffix` (".safetensors.index.json"), or the one
/// file of a folder whose name does. nullopt if there is none, or if there are several.
std::optional<std::string> shard_index_path(const Source& source, std::string_view suffix);

/// Opens the files that an index names, and nothing outside of its folder.
class ShardFolder {
public:
    /// Throws Error (kDamaged) for an index that is no such JSON or names something that is no file's name.
    ShardFolder(std::string index_path, const Context& context);

    const ShardIndex& index() const noexcept { return index_; }
    /// A file that the index names. A link is followed only within the folder, or to where the index itself is linked
    /// from (a cache that keeps the files' bytes elsewhere). Throws Error (kDamaged).
    std::shared_ptr<const File> open(const std::string& name, const Context& context) const;

private:
    std::string path_, folder_;
    ShardIndex index_;
};

/// What `metadata` says of names that stand for another: those that no entry of the root has, with the name of one that
/// has. They become the document's aliases.
void take_aliases(Document& document, const std::vector<std::pair<std::string, std::string>>& metadata);

/// The index's bytes, as huggingface_hub writes them.
std::string shard_index_bytes(const std::vector<std::pair<std::string, std::string>>& weight_map,
                              std::uint64_t total_size_bytes,
                              const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace ckpt
