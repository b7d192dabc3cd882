// Spans of bytes that tensors use, joined where they overlap.
#include "libckpt/storages.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "libckpt/elements.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

/// Bytes of a storage that a tensor uses, from the first to the last.
struct Span {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    std::uint64_t step = 1;  ///< offsets into the storage are multiples of it
    std::vector<TensorNode*> tensors;
};

Span span_of(TensorNode& tensor) {
    const std::uint64_t width = dtype_width(tensor.dtype);
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        last += static_cast<std::uint64_t>(tensor.shape[i] - 1) * static_cast<std::uint64_t>(tensor.stride[i]);
    const auto offset = static_cast<std::uint64_t>(tensor.offset);
    return {offset * width, (offset + last + 1) * width, width, {&tensor}};
}

/// Overlapping spans as one, in order.
std::vector<Span> joined(std::vector<Span> spans) {
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.first < b.first; });
    std::vector<Span> result;
    for (Span& span : spans) {
        if (result.empty() || span.first >= result.back().end) {
            result.push_back(std::move(span));
            continue;
        }
        Span& last = result.back();
        last.end = std::max(last.end, span.end);
        last.step = std::max(last.step, span.step);
        last.tensors.insert(last.tensors.end(), span.tensors.begin(), span.tensors.end());
    }
    return result;
}

}  // namespace

std::vector<PlacedTensor> tensors_of(const Document& document) {
    std::vector<PlacedTensor> tensors;
    walk(document.root, [&](const Visit& visit) {
        if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr)
            tensors.push_back({visit.path, &visit.value.tensor()});
        return WalkStep::kInto;
    });
    return tensors;
}

void forget_recipes(const std::vector<PlacedTensor>& tensors, const std::unordered_set<const Node*>& changed) {
    for (const auto& [path, tensor] : tensors) {
        const bool is_changed = changed.contains(tensor) ||
                                std::any_of(tensor->parts.begin(), tensor->parts.end(),
                                            [&](const auto& part) { return changed.contains(part.second.node()); });
        if (is_changed) tensor->recipe.reset();
    }
}

Cut cut_storages(Document& document) {
    std::unordered_set<const Node*> changed;
    const auto tensors = tensors_of(document);
    std::map<const Storage*, std::vector<Span>> users;
    std::map<const Storage*, std::vector<TensorNode*>> empty;
    std::vector<const Storage*> order;
    std::unordered_map<const Storage*, bool> is_fit;
    for (const auto& [path, tensor] : tensors) {
        if (!tensor->storage) continue;
        tensor->check_bounds(path);
        const Storage* storage = tensor->storage.get();
        if (is_fit.try_emplace(storage, true).second) order.push_back(storage);
        if (dtype_width(tensor->dtype) == 0) {
            is_fit[storage] = false;
        } else if (tensor->element_count().value_or(0) == 0) {
            empty[storage].push_back(tensor);
        } else {
            users[storage].push_back(span_of(*tensor));
        }
    }
    Cut cut;
    for (const Storage* storage : order) {
        const std::uint64_t size = storage->blob->size_bytes();
        if (!is_fit[storage] || size == 0) continue;
        const auto spans = joined(std::move(users[storage]));
        std::uint64_t used = 0;
        for (const Span& span : spans) used += span.end - span.first;
        if (used == size) continue;
        ++cut.storages;
        cut.dropped_bytes += size - used;
        const StoragePtr kept =
            spans.empty() ? empty[storage].front()->storage : spans.front().tensors.front()->storage;
        const auto slice = [&](std::uint64_t first, std::uint64_t end) {
            return std::make_shared<const Storage>(Storage{slice_blob(kept->blob, first, end - first), kept->location});
        };
        for (const Span& span : spans) {
            const std::uint64_t first = span.first / span.step * span.step;
            const StoragePtr part = slice(first, span.end);
            for (TensorNode* tensor : span.tensors) {
                tensor->offset -= static_cast<std::int64_t>(first / dtype_width(tensor->dtype));
                tensor->storage = part;
                changed.insert(tensor);
            }
        }
        for (TensorNode* tensor : empty[storage]) {
            tensor->offset = 0;
            tensor->storage = slice(0, 0);
            changed.insert(tensor);
        }
    }
    forget_recipes(tensors, changed);
    return cut;
}

void make_contiguous(Document& document) {
    using Key = std::tuple<const Storage*, DType, std::int64_t, std::vector<std::int64_t>, std::vector<std::int64_t>,
                           bool, bool>;
    std::map<Key, StoragePtr> made;
    std::vector<StoragePtr> kept;  // so that no address is used twice
    std::unordered_set<const Node*> changed;
    const auto tensors = tensors_of(document);
    for (const auto& [path, tensor] : tensors) {
        if (!tensor->storage || dtype_width(tensor->dtype) == 0) continue;
        tensor->check_bounds(path);
        kept.push_back(tensor->storage);
        const Key key(tensor->storage.get(), tensor->dtype, tensor->offset, tensor->shape, tensor->stride, tensor->conj,
                      tensor->neg);
        StoragePtr& storage = made[key];
        if (!storage)
            storage = std::make_shared<const Storage>(Storage{logical_blob(*tensor), tensor->storage->location});
        tensor->storage = storage;
        tensor->offset = 0;
        tensor->stride = contiguous_strides(tensor->shape);
        tensor->conj = tensor->neg = false;
        changed.insert(tensor);
    }
    forget_recipes(tensors, changed);
}

}  // namespace ckpt
