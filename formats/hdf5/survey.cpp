// One pass over the document, then one over the tensors of each storage.
#include "formats/hdf5/survey.hpp"

#include <algorithm>

#include "formats/shared/views/views.hpp"
#include "libckpt/meaning.hpp"

namespace ckpt::hdf5 {
namespace {

/// Two tensor objects that one dataset can stand for: nothing tells them apart but their identity.
bool is_twin(const TensorNode& a, const TensorNode& b) {
    const auto is_bare = [](const TensorNode& t) {
        return t.dict.is_null() && !t.attributes && !t.quantization && t.parts.empty();
    };
    return is_bare(a) && is_bare(b) && a.dtype == b.dtype && a.shape == b.shape && a.stride == b.stride &&
           a.offset == b.offset && a.conj == b.conj && a.neg == b.neg && a.requires_grad == b.requires_grad &&
           a.type == b.type && a.layout == b.layout;
}

bool is_whole_storage(const TensorNode& tensor) {
    return tensor.offset == 0 && tensor.stride == contiguous_strides(tensor.shape) && !tensor.conj && !tensor.neg &&
           tensor.logical_bytes() == std::optional(tensor.storage->blob->size_bytes());
}

}  // namespace

Survey::Survey(const Document& document) {
    std::vector<const Node*> todo;
    const auto meet = [&](const Value& value) {
        const Node* node = value.node();
        if (node == nullptr || ++meetings_[node] > 1) return;
        if (value.is(Kind::kTensor) && value.tensor().storage) tensors_.push_back(&value.tensor());
        todo.push_back(node);
    };
    meet(document.root);
    for (const auto& [name, value] : document.attributes) meet(value);
    while (!todo.empty()) {
        const Node* node = todo.back();
        todo.pop_back();
        for_each_meaning(*node, meet);
    }
    sort_views();
}

bool Survey::is_shared(const Node& node) const {
    const auto found = meetings_.find(&node);
    return found != meetings_.end() && found->second > 1;
}

void Survey::sort_views() {
    std::unordered_map<const Storage*, std::size_t> groups;
    std::vector<std::vector<const TensorNode*>> tensors;
    for (const TensorNode* tensor : tensors_) {
        const auto [group, is_new] = groups.try_emplace(tensor->storage.get(), tensors.size());
        if (is_new) tensors.emplace_back();
        tensors[group->second].push_back(tensor);
    }
    for (const auto& group : tensors) sort_storage(group);
}

void Survey::sort_storage(const std::vector<const TensorNode*>& tensors) {
    std::vector<const TensorNode*> firsts;
    // Twins are looked for among neighbours in this order only, so that ten thousand views stay quick.
    std::vector<const TensorNode*> sorted = tensors;
    std::stable_sort(sorted.begin(), sorted.end(), [](const TensorNode* a, const TensorNode* b) {
        return std::tie(a->offset, a->dtype, a->shape, a->stride) < std::tie(b->offset, b->dtype, b->shape, b->stride);
    });
    for (const TensorNode* tensor : sorted) {
        View& view = views_[tensor];
        const bool has_twin =
            !firsts.empty() && is_twin(*firsts.back(), *tensor) && !is_shared(*tensor) && !is_shared(*firsts.back());
        if (!has_twin) {
            view.first = tensor;
            firsts.push_back(tensor);
            continue;
        }
        view.first = firsts.back();
        view.is_distinct = true;
        views_[firsts.back()].is_distinct = true;
    }
    if (firsts.size() == 1 && is_whole_storage(*firsts.front())) {
        for (const TensorNode* tensor : tensors) views_[tensor].is_whole = true;
        return;
    }
    const std::uint64_t number = storages_++;
    bool is_given_back = true;
    for (const TensorNode* tensor : firsts) {
        is_given_back &= tensor->element_count() == std::optional<std::uint64_t>(0) || is_invertible(*tensor);
    }
    for (const TensorNode* tensor : tensors) views_[tensor].storage_number = number;
    if (!is_given_back) views_[views_[tensors.front()].first].needs_storage_data = true;
}

}  // namespace ckpt::hdf5
