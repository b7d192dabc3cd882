// Tensors as arrays, and what arrays cannot say as metadata.
#include "formats/shared/pickle/arrays.hpp"

#include <algorithm>
#include <unordered_set>

#include "formats/shared/pickle/numpy.hpp"
#include "formats/shared/pickle/tagged.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kMetadataKey = "ckpt";
constexpr std::string_view kArrayType = "numpy.ndarray";
constexpr std::size_t kMostDimensions = 32;  // of NumPy 1
constexpr std::uint64_t kMostBufferBytes = std::uint64_t{1} << 32;

/// The dtype of the same width that NumPy has; nullopt for elements that share bytes.
std::optional<DType> array_dtype(DType dtype) {
    if (is_numpy_dtype(dtype)) return dtype;
    switch (dtype_width(dtype)) {
        case 1:
            return DType::kUInt8;
        case 2:
            return DType::kUInt16;
        case 4:
            return DType::kUInt32;
        case 8:
            return DType::kUInt64;
        default:
            return std::nullopt;
    }
}

Value integers(Pool& pool, const std::vector<std::int64_t>& numbers, std::int64_t factor = 1) {
    std::vector<Value> items;
    for (const auto number : numbers) items.push_back(Value::integer(number * factor));
    return pool.tuple(std::move(items));
}

std::optional<std::vector<std::int64_t>> to_integers(const Value& value) {
    if (!value.is(Kind::kTuple)) return std::nullopt;
    std::vector<std::int64_t> numbers;
    for (const auto& item : value.sequence().items) {
        const auto number = item.as_int64();
        if (!number) return std::nullopt;
        numbers.push_back(*number);
    }
    return numbers;
}

/// A dict that is filled by name.
class Facts {
public:
    explicit Facts(Pool& pool) : pool_(pool), dict_(pool.dict()) {}
    void add(std::string_view name, Value value) {
        dict_.dict().entries.emplace_back(pool_.string(std::string(name)), value);
    }
    void add(std::string_view name, std::string_view text) { add(name, pool_.string(std::string(text))); }
    bool is_empty() const { return dict_.dict().entries.empty(); }
    Value dict() const { return dict_; }

private:
    Pool& pool_;
    Value dict_;
};

Value quantization_facts(Pool& pool, const Quantization& quantization) {
    Facts facts(pool);
    facts.add("scheme", quantization.scheme);
    facts.add("scale", Value::real(quantization.scale));
    facts.add("zero_point", Value::integer(quantization.zero_point));
    facts.add("axis", Value::integer(quantization.axis));
    facts.add("scales", quantization.scales);
    facts.add("zero_points", quantization.zero_points);
    return facts.dict();
}

/// What holds for tensors with and without data.
void add_common(Pool& pool, Facts& facts, const TensorNode& tensor) {
    if (tensor.requires_grad) facts.add("requires_grad", Value::boolean(true));
    if (tensor.conj) facts.add("conj", Value::boolean(true));
    if (tensor.neg) facts.add("neg", Value::boolean(true));
    if (tensor.quantization) facts.add("quantization", quantization_facts(pool, *tensor.quantization));
    if (!tensor.dict.is_null()) facts.add("dict", tensor.dict);
    if (tensor.storage && !tensor.storage->location.empty() && tensor.storage->location != "cpu")
        facts.add("location", tensor.storage->location);
}

std::string_view text_of(const DictNode& facts, std::string_view name) {
    const Value* value = facts.find(name);
    return value != nullptr && value->is(Kind::kString) ? value->as_string() : std::string_view();
}
bool is_set(const DictNode& facts, std::string_view name) {
    const Value* value = facts.find(name);
    return value != nullptr && value->is(Kind::kBool) && value->as_bool();
}

void apply_common(const DictNode& facts, TensorNode& tensor) {
    tensor.requires_grad = is_set(facts, "requires_grad");
    tensor.conj = is_set(facts, "conj");
    tensor.neg = is_set(facts, "neg");
    if (const Value* dict = facts.find("dict")) tensor.dict = *dict;
    const Value* quantization = facts.find("quantization");
    if (quantization == nullptr || !quantization->is(Kind::kDict)) return;
    const DictNode& said = quantization->dict();
    auto made = std::make_unique<Quantization>();
    made->scheme = text_of(said, "scheme");
    if (const Value* scale = said.find("scale"); scale != nullptr && scale->is(Kind::kFloat))
        made->scale = scale->as_double();
    if (const Value* zero = said.find("zero_point")) made->zero_point = zero->as_int64().value_or(0);
    if (const Value* axis = said.find("axis")) made->axis = axis->as_int64().value_or(0);
    if (const Value* scales = said.find("scales")) made->scales = *scales;
    if (const Value* zeros = said.find("zero_points")) made->zero_points = *zeros;
    tensor.quantization = std::move(made);
}

/// A dict of a class that pickles cannot make by themselves is asked for by the writer; a plain value with a node is
/// not.
std::optional<Value> plain_of(const Node& node) {
    if (!node.type.empty() || node.kind == Kind::kObject) return std::nullopt;
    if (node.kind == Kind::kNull) return Value::null();
    if (const auto* scalar = dynamic_cast<const ScalarNode*>(&node); scalar != nullptr && node.kind != Kind::kComplex)
        return scalar->value;
    return std::nullopt;
}

}  // namespace

ArrayLowering::ArrayLowering(const Document& document) {
    walk(document.root, [&](const Visit& visit) {
        const Node* node = visit.value.node();
        if (node == nullptr || visit.same_as != nullptr) return WalkStep::kInto;
        if (node->recipe && node->recipe->how == Recipe::How::kNew && !node->recipe->kwargs.is_null())
            needs_protocol_4_ = true;
        if (visit.value.is(Kind::kTensor) && visit.value.tensor().storage) ++views_[visit.value.tensor().storage.get()];
        return WalkStep::kInto;
    });
}

/// An array that NumPy's own pickling says completely: its elements are all of its storage, in C or Fortran order.
bool ArrayLowering::is_plain_array(const TensorNode& tensor) const {
    if (tensor.type != kArrayType || !is_numpy_dtype(tensor.dtype) || !tensor.storage || !tensor.layout.empty())
        return false;
    if (tensor.conj || tensor.neg || tensor.requires_grad || !tensor.dict.is_null() || tensor.quantization)
        return false;
    const auto views = views_.find(tensor.storage.get());
    const bool is_alone = views == views_.end() || views->second == 1;
    const bool in_order = tensor.is_contiguous() || tensor.stride == column_major_strides(tensor.shape);
    return is_alone && in_order && tensor.offset == 0 && tensor.logical_bytes() == tensor.storage->blob->size_bytes();
}

bool ArrayLowering::must_lower(const Node& node) {
    if (node.kind == Kind::kTensor) return !node.recipe || !node.recipe->callable.starts_with("numpy.");
    if (node.kind == Kind::kString) return !node.type.empty() && !node.recipe;
    return !has_python_recipe(node) || has_unhashable_keys(node, TensorKeys::kUnhashable);
}

std::optional<Value> ArrayLowering::lower(Pool& scratch, Value value) {
    const Node& node = *value.node();
    if (value.is(Kind::kTensor)) {
        const TensorNode& tensor = value.tensor();
        if (is_plain_array(tensor)) return PickleWriterHooks::lower(scratch, value);
        const bool is_array = tensor.layout.empty() && tensor.storage && array_dtype(tensor.dtype) &&
                              tensor.shape.size() <= kMostDimensions;
        return is_array ? array_call(scratch, tensor) : tagged_tensor(scratch, tensor);
    }
    if (has_python_recipe(node)) {
        if (auto numpy = PickleWriterHooks::lower(scratch, value)) return numpy;
    }
    if (auto plain = plain_of(node)) return plain;
    const auto hashable = [&](const Value& held) {
        return with_hashable_keys(
            scratch, held, [this](const std::string& type) { note_tagged(type); }, TensorKeys::kUnhashable);
    };
    if (has_python_recipe(node) && has_unhashable_keys(node, TensorKeys::kUnhashable)) return hashable(value);
    note_tagged(node.type);
    const Value dict = tagged_value(scratch, value);
    return has_unhashable_keys(*dict.node(), TensorKeys::kUnhashable) ? hashable(dict) : dict;
}

void ArrayLowering::note_tagged(const std::string& type) {
    if (std::find(tagged_types_.begin(), tagged_types_.end(), type) == tagged_types_.end())
        tagged_types_.push_back(type);
}

std::vector<Loss> ArrayLowering::losses(const Document& document) {
    std::vector<Loss> losses;
    walk(document.root, [&](const Visit& visit) {
        if (visit.same_as == nullptr && has_impossible_key(visit.value, TensorKeys::kUnhashable))
            losses.push_back({visit.path, "has a key that Python cannot hash"});
        return WalkStep::kInto;
    });
    return losses;
}

Value ArrayLowering::buffer(Pool& scratch, const StoragePtr& storage) {
    Value& value = buffers_[storage.get()];
    if (value.is_null()) {
        value = scratch.bytes(read_all(*storage->blob, kMostBufferBytes));
        value.node()->type = "builtins.bytearray";
    }
    return value;
}

Value ArrayLowering::array_call(Pool& scratch, const TensorNode& tensor) {
    const DType dtype = *array_dtype(tensor.dtype);
    const std::int64_t width = dtype_width(dtype);
    Facts facts(scratch);
    if (dtype != tensor.dtype) facts.add("dtype", dtype_name(tensor.dtype));
    if (!tensor.type.empty()) facts.add("type", tensor.type);
    add_common(scratch, facts, tensor);
    Value metadata;
    if (!facts.is_empty()) {
        Facts outer(scratch);
        outer.add(kMetadataKey, facts.dict());
        metadata = outer.dict();
    }
    auto* node = scratch.make<ObjectNode>();
    node->type = kArrayType;
    node->recipe = std::make_unique<Recipe>();
    node->recipe->callable = kArrayType;
    node->recipe->args = scratch.tuple({integers(scratch, tensor.shape), numpy_dtype(scratch, dtype, metadata),
                                        buffer(scratch, tensor.storage), Value::integer(tensor.offset * width),
                                        integers(scratch, tensor.stride, width)});
    return Value::of(node);
}

Value ArrayLowering::tagged_tensor(Pool& scratch, const TensorNode& tensor) {
    Facts facts(scratch);
    facts.add("dtype", dtype_name(tensor.dtype));
    facts.add("layout", tensor.layout);
    facts.add("shape", integers(scratch, tensor.shape));
    facts.add("stride", integers(scratch, tensor.stride));
    facts.add("offset", Value::integer(tensor.offset));
    if (tensor.storage) facts.add("storage", buffer(scratch, tensor.storage));
    if (!tensor.parts.empty()) {
        Facts parts(scratch);
        for (const auto& [name, part] : tensor.parts) parts.add(name, part);
        facts.add("parts", parts.dict());
    }
    add_common(scratch, facts, tensor);
    if (tensor.recipe && tensor.layout == "jagged") {  // the parts do not say what else its state remembers
        facts.add("made_by", tensor.recipe->callable);
        facts.add("args", tensor.recipe->args);
        facts.add("state", tensor.recipe->state);
    }
    Facts tagged(scratch);
    tagged.add("__type__", tensor.type);
    tagged.add("__kind__", "tensor");
    tagged.add("__value__", facts.dict());
    return tagged.dict();
}

Node* ArrayReader::construct(Pool& pool, std::unique_ptr<Recipe>& recipe) {
    const auto& args = recipe->args.sequence().items;
    const bool is_view = recipe->how == Recipe::How::kCall && recipe->callable == kArrayType && args.size() == 5 &&
                         args[2].is(Kind::kBytes) && args[2].type() == "builtins.bytearray";
    if (!is_view) return PickleReaderHooks::construct(pool, recipe);
    Value metadata;
    const auto dtype = numpy_dtype_of(args[1], &metadata);
    const auto shape = to_integers(args[0]);
    const auto stride = to_integers(args[4]);
    const auto offset = args[3].as_int64();
    if (!dtype || !shape || !stride || !offset) return nullptr;
    const std::int64_t width = dtype_width(*dtype);
    const auto is_whole = [&](std::int64_t bytes) { return bytes % width == 0; };
    if (!is_whole(*offset) || !std::all_of(stride->begin(), stride->end(), is_whole)) return nullptr;
    auto* node = pool.make<TensorNode>();
    node->dtype = *dtype;
    node->shape = *shape;
    for (const auto bytes : *stride) node->stride.push_back(bytes / width);
    node->offset = *offset / width;
    const Value* facts = metadata.is(Kind::kDict) ? metadata.dict().find(kMetadataKey) : nullptr;
    const DictNode* said = facts != nullptr && facts->is(Kind::kDict) ? &facts->dict() : nullptr;
    node->storage = storage_of(args[2], said != nullptr ? text_of(*said, "location") : std::string_view());
    if (said != nullptr) {
        node->type = text_of(*said, "type");
        apply_common(*said, *node);
        if (const auto own = dtype_from_name(text_of(*said, "dtype")); own && dtype_width(*own) == dtype_width(*dtype))
            node->dtype = *own;
    }
    for (const auto size : node->shape) {
        if (size < 0) return nullptr;
    }
    node->check_bounds("array");
    recipe.reset();  // ours: a tensor as it was, and for every layout
    return node;
}

StoragePtr ArrayReader::storage_of(const Value& buffer, std::string_view location) {
    StoragePtr& storage = storages_[buffer.node()];
    if (!storage) {
        auto made = std::make_shared<Storage>();
        made->blob = memory_blob(std::string(buffer.as_bytes()));
        made->location = location;
        storage = std::move(made);
    }
    return storage;
}

/// A tensor without an array: {'__type__', '__kind__': 'tensor', '__value__': facts}; null where it is none.
TensorNode* ArrayReader::restored_tensor(Pool& pool, const DictNode& dict) {
    const auto& entries = dict.entries;
    if (!dict.type.empty() || entries.size() != 3 || text_of(dict, "__kind__") != "tensor") return nullptr;
    const Value* type = dict.find("__type__");
    const Value* value = dict.find("__value__");
    if (type == nullptr || !type->is(Kind::kString) || value == nullptr || !value->is(Kind::kDict)) return nullptr;
    const DictNode& facts = value->dict();
    const auto dtype = dtype_from_name(text_of(facts, "dtype"));
    const Value* shape_value = facts.find("shape");
    const Value* stride_value = facts.find("stride");
    const Value* offset = facts.find("offset");
    if (!dtype || shape_value == nullptr || stride_value == nullptr || offset == nullptr) return nullptr;
    const auto shape = to_integers(*shape_value);
    const auto stride = to_integers(*stride_value);
    if (!shape || !stride || !offset->as_int64()) return nullptr;
    if (std::any_of(shape->begin(), shape->end(), [](std::int64_t size) { return size < -1; })) return nullptr;
    auto* node = pool.make<TensorNode>();
    node->type = type->as_string();
    node->dtype = *dtype;
    node->layout = text_of(facts, "layout");
    node->shape = *shape;
    node->stride = *stride;
    node->offset = *offset->as_int64();
    if (const Value* buffer = facts.find("storage"); buffer != nullptr && buffer->is(Kind::kBytes))
        node->storage = storage_of(*buffer, text_of(facts, "location"));
    if (const Value* parts = facts.find("parts"); parts != nullptr && parts->is(Kind::kDict)) {
        for (const auto& [name, part] : parts->dict().entries) {
            if (name.is(Kind::kString) && (part.is(Kind::kTensor) || part.is(Kind::kDict)))
                node->parts.emplace_back(name.as_string(), part);
        }
    }
    apply_common(facts, *node);
    if (const Value* args = facts.find("args"); args != nullptr && args->is(Kind::kTuple)) {
        node->recipe = std::make_unique<Recipe>();
        node->recipe->callable = text_of(facts, "made_by");
        node->recipe->args = *args;
        if (const Value* state = facts.find("state")) node->recipe->state = *state;
    }
    return node;
}

void ArrayReader::restore_tensors(Document& document) {
    std::unordered_map<const Node*, Value> restored;
    std::unordered_set<Node*> seen;
    std::vector<Node*> todo;
    const auto meet = [&](Value& value) {
        Node* node = value.node();
        if (node == nullptr) return;
        if (const auto found = restored.find(node); found != restored.end()) {
            value = found->second;
            return;
        }
        if (!seen.insert(node).second) return;
        if (node->kind == Kind::kDict) {
            if (TensorNode* made = restored_tensor(document.pool(), static_cast<const DictNode&>(*node))) {
                value = Value::of(made);
                restored.emplace(node, value);
                seen.insert(made);
                node = made;
            }
        }
        todo.push_back(node);
    };
    meet(document.root);
    while (!todo.empty()) {
        Node* node = todo.back();
        todo.pop_back();
        for_each_value(*node, meet);
    }
}

void ArrayReader::settle(Document& document) {
    restore_tensors(document);
    restore_tagged_values(document);
    walk(
        document.root,
        [&](const Visit& visit) {
            if (visit.same_as != nullptr || !visit.value.is(Kind::kTensor)) return WalkStep::kInto;
            const TensorNode& tensor = visit.value.tensor();
            if (tensor.layout == "pending") throw_damaged("array '{}' has no contents", visit.path);
            for (const auto& [name, part] : tensor.parts) {
                if (!part.is(Kind::kTensor)) throw_damaged("tensor '{}' has a part that is no tensor", visit.path);
            }
            if (tensor.layout.empty() || tensor.layout == "meta") tensor.check_bounds(visit.path);
            return WalkStep::kInto;
        },
        100000);
}

}  // namespace ckpt
