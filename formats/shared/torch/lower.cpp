// Making torch's calls out of tensors that did not come from torch.
#include "formats/shared/torch/lower.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

StoragePtr joined_storage(std::vector<BlobPtr> pieces) {
    auto storage = std::make_shared<Storage>();
    storage->blob = joined_blob(std::move(pieces));
    return storage;
}

/// The storage that all components of a nested tensor look into; null if there are several.
StoragePtr common_storage(const TensorNode& tensor) {
    StoragePtr common;
    for (const auto& [name, part] : tensor.parts) {
        const StoragePtr& storage = part.tensor().storage;
        if (!storage || (common && storage != common)) return nullptr;
        common = storage;
    }
    return common;
}

/// A tensor of 64-bit numbers that the writer itself needs.
Value index_tensor(Pool& scratch, const std::vector<std::int64_t>& numbers, std::vector<std::int64_t> shape) {
    std::string bytes(numbers.size() * 8, '\0');
    if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob(std::move(bytes));
    auto* node = scratch.make<TensorNode>();
    node->dtype = DType::kInt64;
    node->stride = contiguous_strides(shape);
    node->shape = std::move(shape);
    node->storage = std::move(storage);
    return Value::of(node);
}

/// What hangs on a tensor, as torch sets it again: its dict, or a pair of that and its slots; null for nothing.
Value state_of(Pool& scratch, const TensorNode& tensor) {
    const Value* slots = tensor.attribute("torch:slots");
    return slots != nullptr ? scratch.tuple({tensor.dict, *slots}) : tensor.dict;
}

bool is_storage_value(const Node& node) {
    return node.kind == Kind::kTensor && node.type.ends_with("Storage") && storage_type(node.type).has_value();
}

}  // namespace

std::string_view TorchLowering::obstacle(const TensorNode& tensor) {
    if (tensor.recipe) return {};
    const auto has_part = [&](std::string_view name) {
        return std::any_of(tensor.parts.begin(), tensor.parts.end(),
                           [&](const auto& part) { return part.first == name && part.second.is(Kind::kTensor); });
    };
    const std::string& layout = tensor.layout;
    if (layout.empty()) return tensor.storage ? "" : "is a tensor without data";
    if (layout == "meta" || layout == "uninitialized") return {};
    if (layout == "nested" || layout == "jagged") {
        const bool whole = std::all_of(tensor.parts.begin(), tensor.parts.end(), [](const auto& part) {
            return part.second.is(Kind::kTensor) && part.second.tensor().storage;
        });
        const bool has_shape = layout == "nested" || tensor.shape.size() >= 2;
        return whole && has_shape ? "" : "is a nested tensor some of whose components have no data";
    }
    const bool by_row = layout == "sparse_csr" || layout == "sparse_bsr";
    if (layout == "sparse_coo") {
        if (has_part("indices") && has_part("values")) return {};
    } else if (by_row || layout == "sparse_csc" || layout == "sparse_bsc") {
        if (has_part(by_row ? "crow_indices" : "ccol_indices") && has_part(by_row ? "col_indices" : "row_indices") &&
            has_part("values"))
            return {};
    } else {
        return "is a tensor of a layout that torch does not have";
    }
    return "is a sparse tensor some of whose parts are missing";
}

void TorchLowering::next_pickle() {
    key_texts_.clear();
    storage_values_.clear();
    globals_.clear();
    texts_.clear();
    storage_word_ = {};
}

TorchLowering::TorchLowering(const Document& document) {
    std::unordered_map<const Storage*, DType> first;
    walk(document.root, [&](const Visit& visit) {
        const Node* node = visit.value.node();
        if (node != nullptr && node->recipe && node->recipe->how == Recipe::How::kNew &&
            !node->recipe->kwargs.is_null())
            needs_protocol_4_ = true;
        if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr && visit.value.tensor().storage &&
            !visit.value.node()->recipe) {
            const TensorNode& tensor = visit.value.tensor();
            const Storage* storage = tensor.storage.get();
            const auto [it, is_new] = first.try_emplace(storage, tensor.dtype);
            const unsigned width = dtype_width(tensor.dtype);
            if (it->second != tensor.dtype || (width != 0 && storage->blob->size_bytes() % width != 0))
                mixed_[storage] = true;
        }
        return WalkStep::kInto;
    });
}

std::optional<Value> TorchLowering::persistent_id(Pool& scratch, const Node& node) {
    if (!is_storage_value(node)) return std::nullopt;
    const auto& tensor = static_cast<const TensorNode&>(node);
    if (!tensor.storage) return std::nullopt;
    const auto [it, is_new] = keys_.try_emplace(tensor.storage.get(), storages_.size());
    if (is_new) {
        storages_.push_back(tensor.storage);
    }
    key_texts_.resize(storages_.size());
    Value& key = key_texts_[it->second];
    if (key.is_null()) key = scratch.string(std::to_string(it->second));
    if (storage_word_.is_null()) storage_word_ = scratch.string("storage");
    const std::string location = tensor.storage->location.empty() ? "cpu" : tensor.storage->location;
    Value& location_text = texts_[location];
    if (location_text.is_null()) location_text = scratch.string(location);
    return scratch.tuple(
        {storage_word_, global(scratch, node.type), key, location_text, Value::integer(tensor.shape.front())});
}

Value TorchLowering::global(Pool& scratch, const std::string& name) {
    Value& value = globals_[name];
    if (value.is_null()) {
        auto* node = scratch.make<ObjectNode>();
        node->recipe = std::make_unique<Recipe>();
        node->recipe->how = Recipe::How::kGlobal;
        node->recipe->callable = name;
        value = Value::of(node);
    }
    return value;
}

Value TorchLowering::call(Pool& scratch, Call made) {
    auto* node = scratch.make<ObjectNode>();
    node->type = made.callable;
    node->recipe = std::make_unique<Recipe>();
    node->recipe->callable = made.callable;
    node->recipe->callee = global(scratch, made.callable);
    node->recipe->args = scratch.tuple(std::move(made.args));
    return Value::of(node);
}

Value TorchLowering::integers(Pool& scratch, const std::vector<std::int64_t>& numbers) {
    std::vector<Value> items;
    for (const auto number : numbers) items.push_back(Value::integer(number));
    return scratch.tuple(std::move(items));
}

/// Backward hooks: an empty OrderedDict, unless the file that was read had others.
Value TorchLowering::hooks(Pool& scratch, const TensorNode& tensor) {
    if (const Value* kept = tensor.attribute("torch:hooks")) return *kept;
    const Value dict = scratch.dict();
    dict.node()->type = "collections.OrderedDict";
    return dict;
}

Value TorchLowering::storage_value(Pool& scratch, const StoragePtr& storage, DType dtype, bool untyped) {
    const std::string class_name(untyped ? kUntypedStorage : *storage_class(dtype));
    Value& value = storage_values_[{storage.get(), class_name}];
    if (value.is_null()) {
        const std::uint64_t size = storage->blob->size_bytes();
        auto* node = scratch.make<TensorNode>();
        node->type = class_name;
        node->dtype = untyped ? DType::kUInt8 : dtype;
        const unsigned width = untyped ? 1 : std::max(1u, dtype_width(dtype));
        node->shape = {static_cast<std::int64_t>(size / width)};
        node->stride = {1};
        node->storage = storage;
        value = Value::of(node);
    }
    return value;
}

TorchLowering::Call TorchLowering::view_call(Pool& scratch, const TensorNode& tensor) {
    const auto mixed = mixed_.find(tensor.storage.get());
    // On a storage that several dtypes share torch itself writes uint8 by its own class, the others untyped.
    const bool is_mixed = mixed != mixed_.end() && mixed->second && tensor.dtype != DType::kUInt8;
    const bool untyped = is_mixed || !storage_class(tensor.dtype);
    Call made;
    made.callable = untyped ? "torch._utils._rebuild_tensor_v3" : "torch._utils._rebuild_tensor_v2";
    made.args = {storage_value(scratch, tensor.storage, tensor.dtype, untyped),
                 Value::integer(tensor.offset),
                 integers(scratch, tensor.shape),
                 integers(scratch, tensor.stride),
                 Value::boolean(tensor.requires_grad),
                 hooks(scratch, tensor)};
    if (untyped) made.args.push_back(global(scratch, "torch." + std::string(dtype_name(tensor.dtype))));
    if (tensor.conj || tensor.neg) {
        const Value metadata = scratch.dict();
        if (tensor.conj) metadata.dict().entries.emplace_back(scratch.string("conj"), Value::boolean(true));
        if (tensor.neg) metadata.dict().entries.emplace_back(scratch.string("neg"), Value::boolean(true));
        made.args.push_back(metadata);
    }
    return made;
}

/// The innermost call of a tensor by its layout; types and attributes are wrapped around it.
TorchLowering::Call TorchLowering::tensor_call(Pool& scratch, const TensorNode& tensor) {
    const auto dtype = [&] { return global(scratch, "torch." + std::string(dtype_name(tensor.dtype))); };
    const auto part = [&](std::string_view name) {
        const auto found = std::find_if(tensor.parts.begin(), tensor.parts.end(),
                                        [&](const auto& entry) { return entry.first == name; });
        return found->second;  // `obstacle` has seen that it is there
    };
    if (tensor.quantization && tensor.storage) {
        const Quantization& quantization = *tensor.quantization;
        const bool per_tensor = quantization.scheme.starts_with("per_tensor");
        const std::string scheme =
            quantization.scheme == "per_channel_affine_float_qparams" ? "per_channel_affine" : quantization.scheme;
        std::vector<Value> parameters = {global(scratch, "torch." + scheme)};
        if (per_tensor) {
            parameters.push_back(Value::real(quantization.scale));
            parameters.push_back(Value::integer(quantization.zero_point));
        } else {
            parameters.insert(parameters.end(),
                              {quantization.scales, quantization.zero_points, Value::integer(quantization.axis)});
        }
        return {"torch._utils._rebuild_qtensor",
                {storage_value(scratch, tensor.storage, tensor.dtype, false), Value::integer(tensor.offset),
                 integers(scratch, tensor.shape), integers(scratch, tensor.stride),
                 scratch.tuple(std::move(parameters)), Value::boolean(tensor.requires_grad), hooks(scratch, tensor)}};
    }
    if (tensor.layout == "meta") {
        return {"torch._utils._rebuild_meta_tensor_no_storage",
                {dtype(), integers(scratch, tensor.shape), integers(scratch, tensor.stride),
                 Value::boolean(tensor.requires_grad)}};
    }
    if (tensor.layout == "uninitialized") return {tensor.type, {Value::boolean(tensor.requires_grad)}};
    if (tensor.layout.starts_with("sparse_")) {
        const Value layout =
            call(scratch, {"torch.serialization._get_layout", {scratch.string("torch." + tensor.layout)}});
        const bool by_row = tensor.layout == "sparse_csr" || tensor.layout == "sparse_bsr";
        std::vector<Value> data;
        if (tensor.layout == "sparse_coo") {
            data = {part("indices"), part("values"), integers(scratch, tensor.shape)};
            const Value* coalesced = tensor.attribute("torch:is_coalesced");
            if (coalesced != nullptr) data.push_back(*coalesced);
        } else {
            data = {part(by_row ? "crow_indices" : "ccol_indices"), part(by_row ? "col_indices" : "row_indices"),
                    part("values"), integers(scratch, tensor.shape)};
        }
        return {"torch._utils._rebuild_sparse_tensor", {layout, scratch.tuple(std::move(data))}};
    }
    if (tensor.layout == "nested") return nested_call(scratch, tensor);
    if (tensor.layout == "jagged") return jagged_call(scratch, tensor);
    return view_call(scratch, tensor);
}

/// A strided nested tensor: one buffer, and the size, strides and offset of each component in it.
TorchLowering::Call TorchLowering::nested_call(Pool& scratch, const TensorNode& tensor) {
    const std::size_t rank = tensor.shape.empty() ? 0 : tensor.shape.size() - 1;
    const auto count = static_cast<std::int64_t>(tensor.parts.size());
    std::vector<std::int64_t> sizes, strides, offsets;
    std::vector<BlobPtr> pieces;
    std::int64_t elements = 0;
    const StoragePtr shared = common_storage(tensor);
    for (const auto& [name, value] : tensor.parts) {
        const TensorNode& part = value.tensor();
        const auto part_strides = shared ? part.stride : contiguous_strides(part.shape);
        sizes.insert(sizes.end(), part.shape.begin(), part.shape.end());
        strides.insert(strides.end(), part_strides.begin(), part_strides.end());
        offsets.push_back(shared ? part.offset : elements);
        elements += static_cast<std::int64_t>(part.element_count().value_or(0));
        if (!shared) pieces.push_back(logical_blob(part));
    }
    auto* buffer = scratch.make<TensorNode>();
    buffer->dtype = tensor.dtype;
    buffer->storage = shared ? shared : joined_storage(std::move(pieces));
    buffer->shape = {
        static_cast<std::int64_t>(buffer->storage->blob->size_bytes() / std::max(1u, dtype_width(tensor.dtype)))};
    buffer->stride = {1};
    const std::vector<std::int64_t> table = {count, static_cast<std::int64_t>(rank)};
    return {"torch._utils._rebuild_nested_tensor",
            {Value::of(buffer), index_tensor(scratch, sizes, table), index_tensor(scratch, strides, table),
             index_tensor(scratch, offsets, {count})}};
}

/// A jagged tensor: the rows of all components one after the other, and where each component begins.
TorchLowering::Call TorchLowering::jagged_call(Pool& scratch, const TensorNode& tensor) {
    std::vector<std::int64_t> offsets = {0};
    std::vector<BlobPtr> pieces;
    StoragePtr shared = common_storage(tensor);
    auto* values = scratch.make<TensorNode>();
    values->dtype = tensor.dtype;
    values->shape.assign(tensor.shape.begin() + 1, tensor.shape.end());
    for (const auto& [name, value] : tensor.parts) {
        const TensorNode& part = value.tensor();
        const TensorNode& first = tensor.parts.front().second.tensor();
        const bool follows = shared && part.stride == first.stride && !part.stride.empty() &&
                             part.offset == first.offset + offsets.back() * first.stride[0];
        if (!follows) shared = nullptr;
        offsets.push_back(offsets.back() + part.shape.at(0));
        pieces.push_back(logical_blob(part));
    }
    values->shape[0] = offsets.back();
    values->stride = shared ? tensor.parts.front().second.tensor().stride : contiguous_strides(values->shape);
    values->offset = shared ? tensor.parts.front().second.tensor().offset : 0;
    values->storage = shared ? shared : joined_storage(std::move(pieces));
    const Value arguments = scratch.dict();
    const auto count = static_cast<std::int64_t>(offsets.size());
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, Value>>{
             {"values", Value::of(values)},
             {"offsets", index_tensor(scratch, offsets, {count})},
             {"lengths", Value::null()},
             {"_ragged_idx", Value::integer(1)},
             {"_metadata_cache", scratch.dict()},
             {"requires_grad", Value::boolean(tensor.requires_grad)}}) {
        arguments.dict().entries.emplace_back(scratch.string(name), value);
    }
    return {"torch.nested._internal.nested_tensor._rebuild_njt", {arguments}};
}

Value TorchLowering::lower_tensor(Pool& scratch, const TensorNode& tensor) {
    const bool is_parameter = tensor.type == "torch.nn.parameter.Parameter";
    if (tensor.layout == "uninitialized") return call(scratch, tensor_call(scratch, tensor));
    if (is_parameter) {
        TensorNode data;  // the tensor inside of a parameter does not require gradients by itself
        data.dtype = tensor.dtype;
        data.shape = tensor.shape;
        data.stride = tensor.stride;
        data.offset = tensor.offset;
        data.storage = tensor.storage;
        data.conj = tensor.conj;
        data.neg = tensor.neg;
        data.layout = tensor.layout;
        data.parts = tensor.parts;
        if (const Value* coalesced = tensor.attribute("torch:is_coalesced"))
            data.set_attribute("torch:is_coalesced", *coalesced);
        if (tensor.quantization) data.quantization = std::make_unique<Quantization>(*tensor.quantization);
        const Value state = state_of(scratch, tensor);
        Call made{
            state.is_null() ? "torch._utils._rebuild_parameter" : "torch._utils._rebuild_parameter_with_state",
            {call(scratch, tensor_call(scratch, data)), Value::boolean(tensor.requires_grad), hooks(scratch, tensor)}};
        if (!state.is_null()) made.args.push_back(state);
        return call(scratch, std::move(made));
    }
    Call inner = tensor_call(scratch, tensor);
    const Value state = state_of(scratch, tensor);
    const bool is_plain = tensor.type.empty() && state.is_null() && tensor.layout != "jagged";
    if (is_plain) return call(scratch, std::move(inner));
    const std::string type = !tensor.type.empty()        ? tensor.type
                             : tensor.layout == "jagged" ? "torch.nested._internal.nested_tensor.NestedTensor"
                                                         : "torch.Tensor";
    return call(scratch, {"torch._tensor._rebuild_from_type_v2",
                          {global(scratch, inner.callable), global(scratch, type), scratch.tuple(std::move(inner.args)),
                           state.is_null() ? scratch.dict() : state}});
}

void TorchLowering::note_tagged(const std::string& type) {
    if (type.empty()) return;
    if (std::find(tagged_types_.begin(), tagged_types_.end(), type) == tagged_types_.end())
        tagged_types_.push_back(type);
}

Value TorchLowering::hashable(Pool& scratch, const Value& value) {
    return with_hashable_keys(scratch, value, [this](const std::string& type) { note_tagged(type); });
}

Value TorchLowering::tagged(Pool& scratch, Value value) {
    note_tagged(std::string(value.type()));
    const Value dict = tagged_value(scratch, value);
    return has_unhashable_keys(*dict.node()) ? hashable(scratch, dict) : dict;
}

bool TorchLowering::must_lower(const Node& node) {
    if (node.kind == Kind::kTensor) return false;
    if (node.kind == Kind::kString) return !node.type.empty() && !node.recipe;
    return !has_python_recipe(node) || has_unhashable_keys(node);
}

std::optional<Value> TorchLowering::lower(Pool& scratch, Value value) {
    const Node& node = *value.node();
    if (value.is(Kind::kTensor) && node.type != "numpy.ndarray") {
        if (!obstacle(value.tensor()).empty()) return Value::null();  // a loss that the caller has allowed
        return lower_tensor(scratch, value.tensor());
    }
    if (has_python_recipe(node)) {
        if (auto numpy = PickleWriterHooks::lower(scratch, value)) return numpy;
    }
    if (node.type == "torch.Size" && value.is(Kind::kTuple))
        return call(scratch, {"torch.Size", {scratch.tuple(value.sequence().items)}});
    if (node.type.empty() && !value.is(Kind::kObject)) {  // a plain value that is a node for its attributes' sake
        if (value.is_null()) return Value::null();
        if (const auto* scalar = dynamic_cast<const ScalarNode*>(&node)) return scalar->value;
    }
    if (has_python_recipe(node) && has_unhashable_keys(node)) return hashable(scratch, value);
    return tagged(scratch, value);
}

}  // namespace ckpt
