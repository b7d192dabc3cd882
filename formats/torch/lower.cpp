// Making torch's calls out of tensors that did not come from torch.
#include "formats/torch/lower.hpp"

#include <algorithm>

#include "formats/torch/storage_types.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

bool is_storage_value(const Node& node) {
    return node.kind == Kind::kTensor && node.type.ends_with("Storage") && storage_type(node.type).has_value();
}

}  // namespace

TorchLowering::TorchLowering(const Document& document) {
    std::unordered_map<const Storage*, DType> first;
    walk(document.root, [&](const Visit& visit) {
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
        key_texts_.push_back(scratch.string(std::to_string(storages_.size())));
        storages_.push_back(tensor.storage);
    }
    if (storage_word_.is_null()) storage_word_ = scratch.string("storage");
    const std::string location = tensor.storage->location.empty() ? "cpu" : tensor.storage->location;
    Value& location_text = texts_[location];
    if (location_text.is_null()) location_text = scratch.string(location);
    return scratch.tuple({storage_word_, global(scratch, node.type), key_texts_[it->second], location_text,
                          Value::integer(tensor.shape.front())});
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

/// Backward hooks: always an empty OrderedDict.
Value TorchLowering::hooks(Pool& scratch) {
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
    const bool untyped = !storage_class(tensor.dtype) || (mixed != mixed_.end() && mixed->second);
    Call made;
    made.callable = untyped ? "torch._utils._rebuild_tensor_v3" : "torch._utils._rebuild_tensor_v2";
    made.args = {storage_value(scratch, tensor.storage, tensor.dtype, untyped),
                 Value::integer(tensor.offset),
                 integers(scratch, tensor.shape),
                 integers(scratch, tensor.stride),
                 Value::boolean(tensor.requires_grad),
                 hooks(scratch)};
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
        for (const auto& [key, value] : tensor.parts) {
            if (key == name) return value;
        }
        throw_error(ErrorCode::kRefused, "a {} tensor has no part '{}'", tensor.layout, name);
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
                 scratch.tuple(std::move(parameters)), Value::boolean(tensor.requires_grad), hooks(scratch)}};
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
    if (!tensor.storage) throw_error(ErrorCode::kRefused, "a tensor of layout '{}' cannot be written", tensor.layout);
    return view_call(scratch, tensor);
}

Value TorchLowering::lower_tensor(Pool& scratch, const TensorNode& tensor) {
    const bool is_parameter = tensor.type == "torch.nn.parameter.Parameter";
    if (tensor.layout == "uninitialized" || (is_parameter && tensor.layout == "meta"))
        return call(scratch, tensor_call(scratch, tensor));
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
        if (tensor.quantization) data.quantization = std::make_unique<Quantization>(*tensor.quantization);
        Call made{
            tensor.dict.is_null() ? "torch._utils._rebuild_parameter" : "torch._utils._rebuild_parameter_with_state",
            {call(scratch, tensor_call(scratch, data)), Value::boolean(tensor.requires_grad), hooks(scratch)}};
        if (!tensor.dict.is_null()) made.args.push_back(tensor.dict);
        return call(scratch, std::move(made));
    }
    Call inner = tensor_call(scratch, tensor);
    const bool is_plain = tensor.type.empty() && tensor.dict.is_null();
    if (is_plain) return call(scratch, std::move(inner));
    return call(scratch,
                {"torch._tensor._rebuild_from_type_v2",
                 {global(scratch, inner.callable), global(scratch, tensor.type.empty() ? "torch.Tensor" : tensor.type),
                  scratch.tuple(std::move(inner.args)), tensor.dict.is_null() ? scratch.dict() : tensor.dict}});
}

/// An object of a class that Python does not have: a dict that says what it was.
Value TorchLowering::lower_object(Pool& scratch, const Node& node) {
    const Value dict = scratch.dict();
    auto& entries = dict.dict().entries;
    entries.emplace_back(scratch.string("__type__"), scratch.string(node.type));
    Value self = Value::of(const_cast<Node*>(&node));
    for (const auto& child : children(self)) entries.emplace_back(scratch.string(child.component), child.value);
    return dict;
}

std::optional<Value> TorchLowering::lower(Pool& scratch, Value value) {
    const Node& node = *value.node();
    if (value.is(Kind::kTensor) && node.type != "numpy.ndarray") return lower_tensor(scratch, value.tensor());
    if (auto numpy = PickleWriterHooks::lower(scratch, value)) return numpy;
    switch (value.kind()) {
        case Kind::kTensor: {  // an array of a dtype that NumPy does not have
            TensorNode* plain = scratch.make<TensorNode>();
            const TensorNode& tensor = value.tensor();
            plain->dtype = tensor.dtype;
            plain->shape = tensor.shape;
            plain->stride = tensor.stride;
            plain->offset = tensor.offset;
            plain->storage = tensor.storage;
            return lower_tensor(scratch, *plain);
        }
        case Kind::kTuple:
            if (node.type == "torch.Size")
                return call(scratch, {"torch.Size", {scratch.tuple(value.sequence().items)}});
            return call(scratch, {node.type, {scratch.tuple(value.sequence().items)}});
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
            if (const auto* scalar = dynamic_cast<const ScalarNode*>(&node)) return scalar->value;
            return std::nullopt;
        case Kind::kComplex:
            return scratch.complex(value.as_complex());
        case Kind::kBytes:
            return scratch.bytes(std::string(value.as_bytes()));
        case Kind::kList: {
            const Value list = scratch.list();
            list.sequence().items = value.sequence().items;
            return list;
        }
        case Kind::kSet: {
            const Value set = scratch.set();
            set.sequence().items = value.sequence().items;
            return set;
        }
        case Kind::kDict: {
            const Value dict = scratch.dict();
            dict.dict().entries = value.dict().entries;
            dict.dict().entries.emplace_back(scratch.string("__type__"), scratch.string(node.type));
            return dict;
        }
        case Kind::kObject:
            return lower_object(scratch, node);
        default:
            return std::nullopt;
    }
}

}  // namespace ckpt
