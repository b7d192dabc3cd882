// torch's rebuild functions, read as data.
#include "formats/shared/torch/rebuild.hpp"

#include <algorithm>
#include <cstring>

#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

// What a nested or sparse tensor's index tensors may weigh for its shape to be worked out while reading the structure.
constexpr std::uint64_t kMostIndexBytes = std::uint64_t{1} << 20;

std::string global_name(const Value& value) {
    if (!value.is(Kind::kObject) || !value.node()->recipe || value.node()->recipe->how != Recipe::How::kGlobal)
        return {};
    return value.node()->recipe->callable;
}

std::int64_t integer(const Value& value, std::string_view what) {
    const auto number = value.as_int64();
    if (!number) {
        throw_damaged("a tensor's {} is {}, not a 64-bit number", what,
                      value.is(Kind::kInt) ? value.integer_text() : fmt::format("a {}", kind_name(value.kind())));
    }
    return *number;
}

std::vector<std::int64_t> integers(const Value& value, std::string_view what) {
    if (!value.is(Kind::kTuple) && !value.is(Kind::kList))
        throw_damaged("a tensor's {} is a {}, not a tuple", what, kind_name(value.kind()));
    std::vector<std::int64_t> numbers;
    for (const auto& item : value.sequence().items) numbers.push_back(integer(item, what));
    return numbers;
}

bool boolean(const Value& value, std::string_view what) {
    if (!value.is(Kind::kBool)) throw_damaged("a tensor's {} is a {}, not a bool", what, kind_name(value.kind()));
    return value.as_bool();
}

const TensorNode& tensor_of(const Value& value, std::string_view what) {
    if (!value.is(Kind::kTensor)) throw_damaged("a tensor's {} is a {}, not a tensor", what, kind_name(value.kind()));
    return value.tensor();
}

/// The integers of a small index tensor; nullopt if it is too large to be read with the structure.
std::optional<std::vector<std::int64_t>> small_integers(const TensorNode& tensor) {
    tensor.check_bounds("indices");
    const auto bytes = tensor.logical_bytes();
    if (!tensor.storage || !bytes || *bytes > kMostIndexBytes ||
        (tensor.dtype != DType::kInt64 && tensor.dtype != DType::kInt32))
        return std::nullopt;
    const std::string raw = read_all(*logical_blob(tensor), kMostIndexBytes);
    std::vector<std::int64_t> numbers;
    const unsigned width = dtype_width(tensor.dtype);
    for (std::size_t at = 0; at + width <= raw.size(); at += width) {
        std::int64_t number = 0;
        if (width == 8) {
            std::memcpy(&number, raw.data() + at, 8);
        } else {
            std::int32_t narrow = 0;
            std::memcpy(&narrow, raw.data() + at, 4);
            number = narrow;
        }
        numbers.push_back(number);
    }
    return numbers;
}

/// Backward hooks are an empty OrderedDict in every file seen; others are kept, never called.
void keep_hooks(TensorNode& node, const Value& hooks) {
    const bool is_empty = hooks.is_null() || (hooks.is(Kind::kDict) && hooks.dict().entries.empty());
    if (!is_empty) node.set_attribute("torch:hooks", hooks);
}

/// What hangs on a tensor: a dict of attributes, or a pair of one and a dict of slots.
void set_state(TensorNode& node, Value state) {
    if (state.is(Kind::kTuple) && state.sequence().items.size() == 2) {
        node.set_attribute("torch:slots", state.sequence().items[1]);
        state = state.sequence().items[0];
    }
    if (state.is(Kind::kDict) && !state.dict().entries.empty()) node.dict = state;
}

void check_count(const std::string& function, std::size_t count, std::size_t least, std::size_t most) {
    if (count < least || count > most)
        throw_damaged("{} has {} arguments, expected {} to {}", function, count, least, most);
}

/// Whether the writer would make the tensor by the very call that made it, so that it need not be remembered.
bool is_usual(const Recipe& recipe, const TensorNode& tensor) {
    if (recipe.callable != "torch._utils._rebuild_tensor_v2" || tensor.attributes) return false;
    const auto& args = recipe.args.sequence().items;
    const bool has_hooks = args.size() == 6 && args[5].is(Kind::kDict) && args[5].dict().entries.empty() &&
                           args[5].type() == "collections.OrderedDict" && !args[5].node()->recipe;
    return has_hooks && args[2].is(Kind::kTuple) && args[3].is(Kind::kTuple) && storage_class(tensor.dtype).has_value();
}

}  // namespace

void copy_tensor(const TensorNode& from, TensorNode& to) {
    to.dtype = from.dtype;
    to.shape = from.shape;
    to.stride = from.stride;
    to.offset = from.offset;
    to.storage = from.storage;
    to.conj = from.conj;
    to.neg = from.neg;
    to.requires_grad = from.requires_grad;
    to.layout = from.layout;
    if (from.quantization) to.quantization = std::make_unique<Quantization>(*from.quantization);
    to.parts = from.parts;
    to.dict = from.dict;
}

TensorNode* TorchRebuilder::make_tensor(Pool& pool) {
    auto* node = pool.make<TensorNode>();
    views_.push_back(node);
    return node;
}

void TorchRebuilder::check_all_bounds() const {
    for (const TensorNode* view : views_) {
        // A Parameter of a sparse or nested tensor has no strides: its parts are checked.
        if (view->layout.empty() || view->layout == "meta") view->check_bounds("(out of sight)");
    }
}

StoragePtr TorchRebuilder::load_storage(const StorageId& id) {
    const auto known = storages_.find(id.key);
    if (known != storages_.end()) {
        const std::uint64_t there = known->second.storage->blob->size_bytes();
        if (there != id.size_bytes) {
            throw_damaged("storage '{}{}' holds {} bytes, its {} needs {}", source_.place(), id.key, there, id.cls.name,
                          id.size_bytes);
        }
        if (known->second.first_class != id.cls.name && !(id.cls.is_byte_like() && known->second.byte_like)) {
            context_.warn(fmt::format("storage '{}{}' is named as {} and as {}; torch takes the first for both",
                                      source_.place(), id.key, known->second.first_class, id.cls.name));
        }
        return known->second.storage;
    }
    auto storage = std::make_shared<Storage>();
    storage->blob = source_.storage_bytes(id, context_);
    storage->location = id.location;
    storages_[id.key] = {storage, id.cls.name, id.cls.is_byte_like()};
    return storage;
}

TensorNode* TorchRebuilder::make_storage(Pool& pool, const StorageClass& cls, StoragePtr storage, std::uint64_t count) {
    auto* node = pool.make<TensorNode>();
    node->type = cls.name;
    node->dtype = cls.shown_dtype();
    node->shape = {static_cast<std::int64_t>(count)};
    node->stride = {1};
    node->storage = std::move(storage);
    return node;
}

Value TorchRebuilder::storage_value(Pool& pool, const StorageId& id) {
    const auto [it, is_new] = storage_values_.try_emplace({id.key, id.cls.name});
    const StoragePtr storage = load_storage(id);
    if (is_new) it->second = Value::of(make_storage(pool, id.cls, storage, id.count));
    return it->second;
}

Value TorchRebuilder::persistent_load(Pool& pool, Value id) {
    if (!id.is(Kind::kTuple)) throw_damaged("a persistent id is a {}, not a tuple", kind_name(id.kind()));
    return storage_value(pool, parse_storage_id(id.sequence().items, source_.place()));
}

Node* TorchRebuilder::construct(Pool& pool, std::unique_ptr<Recipe>& recipe) {
    if (recipe->how == Recipe::How::kCall && recipe->callable.starts_with("torch.")) {
        if (recipe->callable == "torch.Size") {
            const auto& args = recipe->args.sequence().items;
            if (args.size() != 1 || !args[0].is(Kind::kTuple)) return nullptr;
            auto* node = pool.make<SequenceNode>(Kind::kTuple);
            node->type = recipe->callable;
            node->items = args[0].sequence().items;
            return node;
        }
        if (recipe->callable == "torch.nn.parameter.UninitializedParameter" ||
            recipe->callable == "torch.nn.parameter.UninitializedBuffer") {
            auto* node = pool.make<TensorNode>();
            node->type = recipe->callable;
            node->layout = "uninitialized";
            const auto& args = recipe->args.sequence().items;
            node->requires_grad = !args.empty() && args[0].is(Kind::kBool) && args[0].as_bool();
            return node;
        }
        TensorNode* node = rebuild(pool, recipe->callable, recipe->args);
        if (node != nullptr && is_usual(*recipe, *node)) recipe.reset();
        // Gone since torch 2.0: what is read from such a file is written in the current form.
        if (node != nullptr && recipe && recipe->callable == "torch._utils._rebuild_sparse_csr_tensor") recipe.reset();
        return node;
    }
    return PickleReaderHooks::construct(pool, recipe);
}

TensorNode* TorchRebuilder::rebuild(Pool& pool, const std::string& function, const Value& args_value) {
    if (!args_value.is(Kind::kTuple)) throw_damaged("{} has no tuple of arguments", function);
    const auto& args = args_value.sequence().items;
    if (function == "torch._utils._rebuild_tensor" || function == "torch._utils._rebuild_tensor_v2" ||
        function == "torch._utils._rebuild_tensor_v3") {
        return rebuild_view(pool, function, args);
    }
    if (function == "torch._utils._rebuild_parameter" || function == "torch._utils._rebuild_parameter_with_state") {
        check_count(function, args.size(), 3, function.ends_with("_state") ? 4 : 3);
        return rebuild_parameter(pool, args);
    }
    if (function == "torch._tensor._rebuild_from_type_v2" || function == "torch._tensor._rebuild_from_type") {
        check_count(function, args.size(), 4, 4);
        return rebuild_from_type(pool, args);
    }
    if (function == "torch._utils._rebuild_qtensor") {
        check_count(function, args.size(), 7, 7);
        return rebuild_quantized(pool, args);
    }
    if (function == "torch._utils._rebuild_sparse_tensor" || function == "torch._utils._rebuild_sparse_csr_tensor") {
        check_count(function, args.size(), 2, 2);
        return rebuild_sparse(pool, args);
    }
    if (function == "torch._utils._rebuild_meta_tensor_no_storage") {
        check_count(function, args.size(), 4, 4);
        return rebuild_meta(pool, args);
    }
    if (function == "torch._utils._rebuild_nested_tensor") {
        check_count(function, args.size(), 4, 4);
        return rebuild_nested(pool, args);
    }
    if (function == "torch.nested._internal.nested_tensor._rebuild_njt") return rebuild_jagged(pool, args);
    return nullptr;
}

TensorNode* TorchRebuilder::rebuild_view(Pool& pool, const std::string& function, const std::vector<Value>& args) {
    const bool v3 = function.ends_with("_v3");
    if (function.ends_with("_rebuild_tensor")) {
        check_count(function, args.size(), 4, 4);
    } else {
        check_count(function, args.size(), v3 ? 7 : 6, v3 ? 8 : 7);
    }
    const TensorNode& storage = tensor_of(args[0], "storage");
    const auto type = storage_type(storage.type);
    if (!type) throw_damaged("{}: its first argument is no storage", function);
    auto* node = make_tensor(pool);
    node->dtype = type->dtype;
    if (v3) {
        const auto dtype = torch_dtype(global_name(args[6]));
        if (!dtype) throw_damaged("'{}' is no dtype that is known", global_name(args[6]));
        node->dtype = *dtype;
    }
    node->storage = storage.storage;
    node->offset = integer(args[1], "storage offset");
    node->shape = integers(args[2], "size");
    node->stride = integers(args[3], "stride");
    if (args.size() > 4) node->requires_grad = boolean(args[4], "requires_grad");
    if (args.size() > 5) keep_hooks(*node, args[5]);
    const std::size_t metadata = v3 ? 7 : 6;
    if (args.size() > metadata && args[metadata].is(Kind::kDict)) {
        const auto flag = [&](std::string_view name) {
            const Value* value = args[metadata].dict().find(name);
            return value != nullptr && value->is(Kind::kBool) && value->as_bool();
        };
        node->conj = flag("conj");
        node->neg = flag("neg");
    }
    return node;
}

TensorNode* TorchRebuilder::rebuild_parameter(Pool& pool, const std::vector<Value>& args) {
    if (!args[0].is(Kind::kTensor)) return nullptr;
    auto* node = make_tensor(pool);
    copy_tensor(args[0].tensor(), *node);
    node->type = "torch.nn.parameter.Parameter";
    node->requires_grad = boolean(args[1], "requires_grad");
    if (const Value* coalesced = args[0].node()->attribute("torch:is_coalesced"))
        node->set_attribute("torch:is_coalesced", *coalesced);
    keep_hooks(*node, args[2]);
    if (args.size() == 4) set_state(*node, args[3]);
    return node;
}

TensorNode* TorchRebuilder::rebuild_from_type(Pool& pool, const std::vector<Value>& args) {
    const std::string function = global_name(args[0]);
    const std::string type = global_name(args[1]);
    if (function.empty() || type.empty() || !args[2].is(Kind::kTuple)) return nullptr;
    TensorNode* node = rebuild(pool, function, args[2]);
    if (node == nullptr) return nullptr;
    if (type != "torch.Tensor") node->type = type;
    if (node->layout == "jagged") return node;  // its state repeats what its parts say
    set_state(*node, args[3]);
    return node;
}

TensorNode* TorchRebuilder::rebuild_quantized(Pool& pool, const std::vector<Value>& args) {
    const TensorNode& storage = tensor_of(args[0], "storage");
    const auto type = storage_type(storage.type);
    if (!type || !args[4].is(Kind::kTuple)) throw_damaged("a quantized tensor without storage or parameters");
    auto* node = make_tensor(pool);
    node->dtype = type->dtype;
    node->storage = storage.storage;
    node->offset = integer(args[1], "storage offset");
    node->shape = integers(args[2], "size");
    node->stride = integers(args[3], "stride");
    node->requires_grad = boolean(args[5], "requires_grad");
    const auto& parameters = args[4].sequence().items;
    auto quantization = std::make_unique<Quantization>();
    std::string scheme = parameters.empty() ? std::string() : global_name(parameters[0]);
    if (scheme.starts_with("torch.")) scheme.erase(0, 6);
    quantization->scheme = scheme;
    if (scheme.starts_with("per_tensor") && parameters.size() == 3) {
        if (!parameters[1].is(Kind::kFloat))
            throw_damaged("a quantized tensor's scale is a {}", kind_name(parameters[1].kind()));
        quantization->scale = parameters[1].as_double();
        quantization->zero_point = integer(parameters[2], "zero point");
    } else if (scheme.starts_with("per_channel") && parameters.size() == 4) {
        quantization->scales = parameters[1];
        quantization->zero_points = parameters[2];
        quantization->axis = integer(parameters[3], "quantization axis");
        if (quantization->axis < 0 || quantization->axis >= static_cast<std::int64_t>(node->shape.size())) {
            throw_damaged("a tensor of {} dimensions is quantized along axis {}", node->shape.size(),
                          quantization->axis);
        }
        if (parameters[2].is(Kind::kTensor) && dtype_info(parameters[2].tensor().dtype).cls == DTypeClass::kFloat) {
            quantization->scheme = "per_channel_affine_float_qparams";  // torch tells the two apart in the same way
        }
    } else {
        throw_damaged("'{}' with {} parameters is no quantization that is known", scheme, parameters.size());
    }
    node->quantization = std::move(quantization);
    return node;
}

TensorNode* TorchRebuilder::rebuild_sparse(Pool& pool, const std::vector<Value>& args) {
    std::string layout;
    if (args[0].is(Kind::kObject) && args[0].node()->recipe && args[0].node()->recipe->args.is(Kind::kTuple)) {
        const auto& names = args[0].node()->recipe->args.sequence().items;
        if (names.size() == 1 && names[0].is(Kind::kString)) layout = names[0].as_string();
    }
    if (layout.starts_with("torch.")) layout.erase(0, 6);
    if (!args[1].is(Kind::kTuple)) throw_damaged("a sparse tensor without its parts");
    const auto& data = args[1].sequence().items;
    auto* node = pool.make<TensorNode>();
    node->layout = layout;
    if (layout == "sparse_coo") {
        if (data.size() < 3) throw_damaged("a sparse tensor with {} parts", data.size());
        const TensorNode& indices = tensor_of(data[0], "indices");
        node->parts = {{"indices", data[0]}, {"values", data[1]}};
        node->dtype = tensor_of(data[1], "values").dtype;
        node->shape = integers(data[2], "size");
        if (data.size() > 3) node->set_attribute("torch:is_coalesced", data[3]);
        if (const auto numbers = small_integers(indices);
            numbers && indices.shape.size() == 2 && indices.shape[1] > 0) {
            for (std::size_t i = 0; i < numbers->size(); ++i) {
                const auto row = i / static_cast<std::size_t>(indices.shape[1]);
                if (row >= node->shape.size() || (*numbers)[i] < 0 || (*numbers)[i] >= node->shape[row]) {
                    throw_damaged("a sparse tensor has the index {} in dimension {}, whose size is {}", (*numbers)[i],
                                  row, row < node->shape.size() ? node->shape[row] : 0);
                }
            }
        }
        return node;
    }
    const bool by_row = layout == "sparse_csr" || layout == "sparse_bsr";
    if (!by_row && layout != "sparse_csc" && layout != "sparse_bsc") return nullptr;
    if (data.size() < 4) throw_damaged("a sparse tensor with {} parts", data.size());
    node->parts = {{by_row ? "crow_indices" : "ccol_indices", data[0]},
                   {by_row ? "col_indices" : "row_indices", data[1]},
                   {"values", data[2]}};
    node->dtype = tensor_of(data[2], "values").dtype;
    node->shape = integers(data[3], "size");
    return node;
}

TensorNode* TorchRebuilder::rebuild_meta(Pool& pool, const std::vector<Value>& args) {
    const auto dtype = torch_dtype(global_name(args[0]));
    if (!dtype) throw_damaged("'{}' is no dtype that is known", global_name(args[0]));
    auto* node = pool.make<TensorNode>();
    node->layout = "meta";
    node->dtype = *dtype;
    node->shape = integers(args[1], "size");
    node->stride = integers(args[2], "stride");
    node->requires_grad = boolean(args[3], "requires_grad");
    return node;
}

TensorNode* TorchRebuilder::rebuild_nested(Pool& pool, const std::vector<Value>& args) {
    const TensorNode& buffer = tensor_of(args[0], "buffer");
    const TensorNode& sizes = tensor_of(args[1], "sizes");
    const auto size_numbers = small_integers(sizes);
    const auto stride_numbers = small_integers(tensor_of(args[2], "strides"));
    const auto offsets = small_integers(tensor_of(args[3], "offsets"));
    if (!size_numbers || !stride_numbers || !offsets || sizes.shape.size() != 2) return nullptr;
    buffer.check_bounds("buffer");
    const auto count = static_cast<std::size_t>(sizes.shape[0]);
    const auto rank = static_cast<std::size_t>(sizes.shape[1]);
    if (size_numbers->size() != stride_numbers->size() || offsets->size() != count)
        throw_damaged("a nested tensor's sizes, strides and offsets differ in number");
    auto* node = pool.make<TensorNode>();
    node->layout = "nested";
    node->dtype = buffer.dtype;
    node->shape.assign(rank + 1, -1);
    node->shape[0] = static_cast<std::int64_t>(count);
    for (std::size_t i = 0; i < count; ++i) {
        auto* part = make_tensor(pool);
        copy_tensor(buffer, *part);
        part->shape.assign(size_numbers->begin() + static_cast<std::ptrdiff_t>(i * rank),
                           size_numbers->begin() + static_cast<std::ptrdiff_t>((i + 1) * rank));
        part->stride.assign(stride_numbers->begin() + static_cast<std::ptrdiff_t>(i * rank),
                            stride_numbers->begin() + static_cast<std::ptrdiff_t>((i + 1) * rank));
        if (__builtin_add_overflow(buffer.offset, (*offsets)[i], &part->offset))
            throw_damaged("a nested tensor's offset {} overflows", (*offsets)[i]);
        for (std::size_t k = 0; k < rank; ++k) {
            auto& whole = node->shape[k + 1];
            whole = i == 0 || whole == part->shape[k] ? part->shape[k] : -1;
        }
        node->parts.emplace_back(std::to_string(i), Value::of(part));
    }
    return node;
}

TensorNode* TorchRebuilder::rebuild_jagged(Pool& pool, const std::vector<Value>& args) {
    if (args.size() != 1 || !args[0].is(Kind::kDict)) return nullptr;
    // What is ragged in another dimension, or has holes, has no equal among the fields: it stays an inert call.
    const Value* lengths = args[0].dict().find("lengths");
    const Value* ragged = args[0].dict().find("_ragged_idx");
    if ((lengths != nullptr && !lengths->is_null()) || (ragged != nullptr && ragged->as_int64() != 1)) return nullptr;
    const Value* values = args[0].dict().find("values");
    if (values == nullptr) values = args[0].dict().find("_values");
    const Value* offsets_value = args[0].dict().find("offsets");
    if (offsets_value == nullptr) offsets_value = args[0].dict().find("_offsets");
    if (values == nullptr || offsets_value == nullptr || !values->is(Kind::kTensor) ||
        !offsets_value->is(Kind::kTensor))
        return nullptr;
    const TensorNode& flat = values->tensor();
    const auto offsets = small_integers(offsets_value->tensor());
    if (!offsets || offsets->empty() || flat.shape.empty() || !flat.layout.empty()) return nullptr;
    flat.check_bounds("values");
    auto* node = pool.make<TensorNode>();
    node->layout = "jagged";
    node->dtype = flat.dtype;
    node->shape = flat.shape;
    node->shape.insert(node->shape.begin(), static_cast<std::int64_t>(offsets->size() - 1));
    node->shape[1] = -1;
    for (std::size_t i = 0; i + 1 < offsets->size(); ++i) {
        auto* part = make_tensor(pool);
        copy_tensor(flat, *part);
        part->dict = {};
        if ((*offsets)[i] < 0 || (*offsets)[i + 1] < (*offsets)[i] || (*offsets)[i + 1] > flat.shape[0])
            throw_damaged("a jagged tensor's offsets do not rise");
        part->shape[0] = (*offsets)[i + 1] - (*offsets)[i];
        std::int64_t rows = 0;
        if (__builtin_mul_overflow((*offsets)[i], flat.stride[0], &rows) ||
            __builtin_add_overflow(flat.offset, rows, &part->offset))
            throw_damaged("a jagged tensor's offset {} overflows", (*offsets)[i]);
        node->parts.emplace_back(std::to_string(i), Value::of(part));
    }
    return node;
}

}  // namespace ckpt
