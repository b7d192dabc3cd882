// What has to be known of a whole document before any of it is written: which nodes are met more than once, and which
// tensors look into one storage.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt::hdf5 {

class Survey {
public:
    explicit Survey(const Document& document);

    /// Is the node met at more than one place?
    bool is_shared(const Node& node) const;

    /// How a tensor is written.
    struct View {
        const TensorNode* first = nullptr;  ///< of all tensors that show the same: one dataset serves them
        bool is_distinct = false;           ///< several tensor objects are that dataset
        bool is_whole = false;              ///< the dataset is all there is of its storage
        bool needs_storage_data = false;    ///< first view of a storage that its views do not give back
        std::uint64_t storage_number = 0;   ///< of storages that are not whole
    };
    const View& view(const TensorNode& tensor) const { return views_.at(&tensor); }

private:
    void sort_views();
    void sort_storage(const std::vector<const TensorNode*>& tensors);

    std::unordered_map<const Node*, std::uint32_t> meetings_;
    std::vector<const TensorNode*> tensors_;  ///< with a storage, in order of their first meeting
    std::unordered_map<const TensorNode*, View> views_;
    std::uint64_t storages_ = 0;
};

}  // namespace ckpt::hdf5
