// The value tree as msgpack, and the storages that it needs.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/native/index.hpp"

namespace ckpt::native {

/// A storage of the document, or a long text that is stored like one.
struct SurveyedStorage {
    BlobPtr blob;
    ElementKind kind = ElementKind::kWidth1;
    std::string location;
    std::vector<const TensorNode*> tensors;  ///< that a path leads to
    std::vector<std::string> paths;          ///< of these
};

/// Looks through a document once, iteratively: numbers its nodes and storages in the order in which they are met.
class DocumentSurvey {
public:
    explicit DocumentSurvey(const Document& document);

    const std::vector<SurveyedStorage>& storages() const noexcept { return storages_; }
    /// The entries `nodes`, `root` and `attributes` of the index, key and value each, as msgpack.
    std::string pack_tree() const;

private:
    void meet(const Value& value);
    void add_storage(const Node& node);
    void name_tensors();
    bool is_in_place(const Node& node) const;

    const Document& document_;
    std::unordered_map<const Node*, std::uint32_t> meetings_;
    std::vector<const Node*> met_;
    std::unordered_map<const Node*, std::uint64_t> numbers_;  ///< of nodes in the index
    std::vector<const Node*> nodes_;
    std::unordered_map<const Storage*, std::size_t> storage_numbers_;
    std::unordered_map<const Node*, std::size_t> text_numbers_;
    std::vector<SurveyedStorage> storages_;
    std::vector<const Node*> todo_;
};

/// What stands beside a chunk about a storage that begins in it (README: "Names").
struct StorageName {
    std::uint64_t number = 0;
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
    const SurveyedStorage* storage = nullptr;
};
std::string pack_names(const std::vector<StorageName>& names);

/// The whole index; `tree` is what pack_tree gave.
std::string pack_index(const std::string& tree, const std::vector<ChunkEntry>& chunks,
                       const std::vector<StorageEntry>& storages);

}  // namespace ckpt::native
