// Arrays are flattened into memory: a pickle holds their bytes anyway.
#include "formats/shared/pickle/numpy.hpp"

#include <algorithm>
#include <cstring>

#include "formats/shared/pickle/text.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kOldModule = "numpy.core";

struct NumpyType {
    std::string_view code;  ///< of the dtype's string, without byte order
    DType dtype;
    std::string_view scalar;
};
constexpr NumpyType kTypes[] = {
    {"b1", DType::kBool, "numpy.bool_"},          {"u1", DType::kUInt8, "numpy.uint8"},
    {"u2", DType::kUInt16, "numpy.uint16"},       {"u4", DType::kUInt32, "numpy.uint32"},
    {"u8", DType::kUInt64, "numpy.uint64"},       {"i1", DType::kInt8, "numpy.int8"},
    {"i2", DType::kInt16, "numpy.int16"},         {"i4", DType::kInt32, "numpy.int32"},
    {"i8", DType::kInt64, "numpy.int64"},         {"f2", DType::kFloat16, "numpy.float16"},
    {"f4", DType::kFloat32, "numpy.float32"},     {"f8", DType::kFloat64, "numpy.float64"},
    {"c8", DType::kComplex64, "numpy.complex64"}, {"c16", DType::kComplex128, "numpy.complex128"},
};

struct ParsedType {
    std::string code;
    bool big_endian = false;
    const NumpyType* native = nullptr;
};

/// From the inert `numpy.dtype(code, False, True)` and its state (3, order, ...).
std::optional<ParsedType> parse_dtype(const Value& value) {
    if (!value.is(Kind::kObject) || !value.node()->recipe || value.node()->recipe->callable != "numpy.dtype")
        return std::nullopt;
    const Recipe& recipe = *value.node()->recipe;
    if (!recipe.args.is(Kind::kTuple) || recipe.args.sequence().items.empty()) return std::nullopt;
    const Value code = recipe.args.sequence().items[0];
    if (!code.is(Kind::kString)) return std::nullopt;
    ParsedType type;
    type.code = code.as_string();
    if (recipe.state.is(Kind::kTuple) && recipe.state.sequence().items.size() > 1 &&
        recipe.state.sequence().items[1].is(Kind::kString)) {
        type.big_endian = recipe.state.sequence().items[1].as_string() == ">";
    }
    if (!type.code.empty() &&
        (type.code[0] == '<' || type.code[0] == '>' || type.code[0] == '|' || type.code[0] == '=')) {
        type.big_endian = type.code[0] == '>';
        type.code.erase(0, 1);
    }
    for (const auto& known : kTypes) {
        if (known.code == type.code) type.native = &known;
    }
    return type;
}

std::string swapped(std::string_view bytes, std::size_t width) {
    std::string result(bytes);
    for (std::size_t at = 0; at + width <= result.size(); at += width) {
        std::reverse(result.begin() + static_cast<std::ptrdiff_t>(at),
                     result.begin() + static_cast<std::ptrdiff_t>(at + width));
    }
    return result;
}

std::string little_endian(std::string_view bytes, const ParsedType& type) {
    if (!type.big_endian) return std::string(bytes);
    const bool complex = dtype_info(type.native->dtype).cls == DTypeClass::kComplex;
    return swapped(bytes, dtype_width(type.native->dtype) / (complex ? 2 : 1));
}

/// Fills `tensor`; false when the numbers do not fit together.
bool fill(TensorNode& tensor, const ParsedType& type, const Value& shape, bool fortran, std::string_view bytes) {
    if (!shape.is(Kind::kTuple)) return false;
    std::vector<std::int64_t> sizes;
    for (const auto& item : shape.sequence().items) {
        const auto size = item.as_int64();
        if (!size || *size < 0) return false;
        sizes.push_back(*size);
    }
    tensor.dtype = type.native->dtype;
    tensor.shape = std::move(sizes);
    const auto needed = tensor.logical_bytes();
    if (!needed || *needed != bytes.size()) return false;
    tensor.stride = fortran ? column_major_strides(tensor.shape) : contiguous_strides(tensor.shape);
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob(little_endian(bytes, type));
    tensor.storage = std::move(storage);
    tensor.layout.clear();
    if (type.big_endian) tensor.set_attribute("pickle:byteorder", Value::boolean(true));
    return true;
}

/// Order 'K': the shape is that of the data in memory, `axes` says where each axis of the array lies in it. False where
/// it is no permutation.
bool permute(TensorNode& tensor, const Value& axes) {
    if (!axes.is(Kind::kTuple) || axes.sequence().items.size() != tensor.shape.size()) return false;
    std::vector<std::int64_t> shape, stride;
    std::vector<bool> seen(tensor.shape.size());
    for (const auto& item : axes.sequence().items) {
        const auto axis = item.as_uint64();
        if (!axis || *axis >= seen.size() || seen[*axis]) return false;
        seen[*axis] = true;
        shape.push_back(tensor.shape[*axis]);
        stride.push_back(tensor.stride[*axis]);
    }
    tensor.shape = std::move(shape);
    tensor.stride = std::move(stride);
    return true;
}

bool is_numpy(std::string_view callable, std::string_view name) {
    return callable == std::string("numpy._core.") + std::string(name) ||
           callable == std::string("numpy.core.") + std::string(name);
}

void mark_generation(Pool& pool, Node& node, std::string_view callable) {
    if (callable.starts_with("numpy.core.")) node.set_attribute("pickle:numpy", pool.string(std::string(kOldModule)));
}

Node* make_scalar(Pool& pool, const Recipe& recipe) {
    const auto& args = recipe.args.sequence().items;
    if (args.size() != 2 || !args[1].is(Kind::kBytes)) return nullptr;
    const auto type = parse_dtype(args[0]);
    if (!type) return nullptr;
    const std::string_view raw = args[1].as_bytes();
    if (type->native != nullptr && raw.size() == dtype_width(type->native->dtype)) {
        const std::string bytes = little_endian(raw, *type);
        const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
        const auto& info = dtype_info(type->native->dtype);
        ScalarNode* node = nullptr;
        if (info.cls == DTypeClass::kComplex) {
            node = pool.make<ScalarNode>(Kind::kComplex);
            const auto value = element_as_complex(type->native->dtype, data);
            node->value = Value::real(value.real());
            node->imaginary = value.imag();
        } else if (info.cls == DTypeClass::kFloat) {
            node = pool.make<ScalarNode>(Kind::kFloat);
            node->value = Value::real(element_as_double(type->native->dtype, data));
        } else if (info.cls == DTypeClass::kBool) {
            node = pool.make<ScalarNode>(Kind::kBool);
            node->value = Value::boolean(bytes[0] != 0);
        } else {
            std::uint64_t bits = 0;
            if (info.cls == DTypeClass::kSigned && (bytes.back() & 0x80) != 0) bits = ~std::uint64_t{0};
            std::memcpy(&bits, bytes.data(), bytes.size());
            node = pool.make<ScalarNode>(Kind::kInt);
            node->value = info.cls == DTypeClass::kSigned ? Value::integer(static_cast<std::int64_t>(bits))
                                                          : Value::unsigned_integer(bits);
        }
        node->type = type->native->scalar;
        return node;
    }
    if (type->code.size() > 1 && type->code[0] == 'S') {
        auto* node = pool.make<BytesNode>();
        node->type = "numpy.bytes_";
        node->bytes = raw;
        return node;
    }
    return nullptr;
}

Value global(Pool& pool, const std::string& name) {
    auto* node = pool.make<ObjectNode>();
    node->recipe = std::make_unique<Recipe>();
    node->recipe->how = Recipe::How::kGlobal;
    node->recipe->callable = name;
    return Value::of(node);
}

ObjectNode* call(Pool& pool, const std::string& callable, std::vector<Value> args) {
    auto* node = pool.make<ObjectNode>();
    node->type = callable;
    node->recipe = std::make_unique<Recipe>();
    node->recipe->callable = callable;
    node->recipe->args = pool.tuple(std::move(args));
    return node;
}

Value dtype_object(Pool& pool, std::string_view code, bool big_endian) {
    auto* node =
        call(pool, "numpy.dtype", {pool.string(std::string(code)), Value::boolean(false), Value::boolean(true)});
    const Value minus = Value::integer(-1);
    const char* order =
        code == "b1" || code.back() == '1' ? (code == "b1" || code == "u1" || code == "i1" ? "|" : "<") : "<";
    if (big_endian) order = ">";
    node->recipe->state = pool.tuple({Value::integer(3), pool.string(order), Value::null(), Value::null(),
                                      Value::null(), minus, minus, Value::integer(0)});
    return Value::of(node);
}

std::string module_of(const Node& node) {
    const Value* generation = node.attribute("pickle:numpy");
    return generation != nullptr && generation->is(Kind::kString) ? std::string(generation->as_string())
                                                                  : "numpy._core";
}

std::string scalar_bytes(const ScalarNode& node, DType dtype) {
    std::string bytes(dtype_width(dtype), '\0');
    const auto put = [&](const auto& value) {
        std::memcpy(bytes.data(), &value, std::min(bytes.size(), sizeof value));
    };
    switch (dtype) {
        case DType::kFloat64:
            put(node.value.as_double());
            break;
        case DType::kFloat32:
            put(static_cast<float>(node.value.as_double()));
            break;
        case DType::kFloat16:
            put(double_to_float16(node.value.as_double()));
            break;
        case DType::kBool:
            put(static_cast<char>(node.value.as_bool() ? 1 : 0));
            break;
        case DType::kComplex64: {
            const float parts[2] = {static_cast<float>(node.value.as_double()), static_cast<float>(node.imaginary)};
            put(parts);
            break;
        }
        case DType::kComplex128: {
            const double parts[2] = {node.value.as_double(), node.imaginary};
            put(parts);
            break;
        }
        default: {
            const std::string number = node.value.integer_bytes();
            const bool negative = !number.empty() && (number.back() & 0x80) != 0;
            std::fill(bytes.begin(), bytes.end(), negative ? '\xff' : '\0');
            std::memcpy(bytes.data(), number.data(), std::min(number.size(), bytes.size()));
        }
    }
    return bytes;
}

}  // namespace

Node* construct_numpy(Pool& pool, const Recipe& recipe) {
    if (recipe.how != Recipe::How::kCall || !recipe.callable.starts_with("numpy.")) return nullptr;
    const auto& args = recipe.args.sequence().items;
    if (is_numpy(recipe.callable, "multiarray.scalar")) {
        Node* node = make_scalar(pool, recipe);
        if (node != nullptr) mark_generation(pool, *node, recipe.callable);
        return node;
    }
    if (is_numpy(recipe.callable, "multiarray._reconstruct")) {
        if (args.empty() || !args[0].is(Kind::kObject) || !args[0].node()->recipe ||
            args[0].node()->recipe->callable != "numpy.ndarray")
            return nullptr;
        auto* node = pool.make<TensorNode>();
        node->type = "numpy.ndarray";
        node->layout = "pending";  // until its state arrives
        mark_generation(pool, *node, recipe.callable);
        return node;
    }
    if (is_numpy(recipe.callable, "numeric._frombuffer") && (args.size() == 4 || args.size() == 5) &&
        args[0].is(Kind::kBytes)) {
        const auto type = parse_dtype(args[1]);
        if (!type || type->native == nullptr || !args[3].is(Kind::kString)) return nullptr;
        auto* node = pool.make<TensorNode>();
        node->type = "numpy.ndarray";
        if (!fill(*node, *type, args[2], args[3].as_string() == "F", args[0].as_bytes())) return nullptr;
        if (args[3].as_string() == "K" && (args.size() != 5 || !permute(*node, args[4]))) return nullptr;
        // NumPy keeps the byte order of a buffer, but not that of an array's state.
        if (type->big_endian) node->set_attribute("pickle:frombuffer", Value::boolean(true));
        mark_generation(pool, *node, recipe.callable);
        return node;
    }
    return nullptr;
}

bool build_numpy(Pool&, Node& target, Value state) {
    if (target.kind != Kind::kTensor || target.type != "numpy.ndarray" || !state.is(Kind::kTuple)) return false;
    const auto& items = state.sequence().items;
    if (items.size() != 5 || !items[3].is(Kind::kBool) || !items[4].is(Kind::kBytes)) return false;
    const auto type = parse_dtype(items[2]);
    if (!type || type->native == nullptr) return false;
    return fill(static_cast<TensorNode&>(target), *type, items[1], items[3].as_bool(), items[4].as_bytes());
}

std::optional<DType> numpy_dtype_of(const Value& dtype, Value* metadata) {
    const auto type = parse_dtype(dtype);
    if (!type || type->native == nullptr || type->big_endian) return std::nullopt;
    const Value& state = dtype.node()->recipe->state;
    constexpr std::size_t kMetadata = 8;
    if (metadata != nullptr && state.is(Kind::kTuple) && state.sequence().items.size() > kMetadata)
        *metadata = state.sequence().items[kMetadata];
    return type->native->dtype;
}

Value numpy_dtype(Pool& pool, DType dtype, Value metadata) {
    const auto known =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& type) { return type.dtype == dtype; });
    if (known == std::end(kTypes)) throw_error(ErrorCode::kInternal, "NumPy has no {}", dtype_name(dtype));
    const Value object = dtype_object(pool, known->code, false);
    if (metadata.is_null()) return object;
    auto& items = object.node()->recipe->state.sequence().items;
    items[0] = Value::integer(4);  // the version of states that have metadata
    items.push_back(metadata);
    return object;
}

bool is_numpy_dtype(DType dtype) {
    return std::any_of(std::begin(kTypes), std::end(kTypes), [&](const auto& type) { return type.dtype == dtype; });
}

std::optional<Value> lower_numpy(Pool& scratch, Value value) {
    const Node* node = value.node();
    if (node == nullptr || !node->type.starts_with("numpy.")) return std::nullopt;
    if (node->kind == Kind::kTensor && node->type == "numpy.ndarray") {
        const auto& tensor = static_cast<const TensorNode&>(*node);
        const auto known = std::find_if(std::begin(kTypes), std::end(kTypes),
                                        [&](const auto& type) { return type.dtype == tensor.dtype; });
        if (known == std::end(kTypes) || !tensor.storage) return std::nullopt;
        const bool fortran = !tensor.is_contiguous() && tensor.stride == column_major_strides(tensor.shape);
        std::string bytes;
        if (fortran) {
            TensorNode flat;
            flat.dtype = tensor.dtype;
            flat.shape = {static_cast<std::int64_t>(*tensor.element_count())};
            flat.stride = {1};
            flat.offset = tensor.offset;
            flat.storage = tensor.storage;
            bytes = read_all(*logical_blob(flat), std::uint64_t{1} << 32);
        } else {
            bytes = read_all(*logical_blob(tensor), std::uint64_t{1} << 32);
        }
        const bool big_endian = node->attribute("pickle:byteorder") != nullptr;
        if (big_endian) {
            const bool complex = dtype_info(tensor.dtype).cls == DTypeClass::kComplex;
            bytes = swapped(bytes, dtype_width(tensor.dtype) / (complex ? 2 : 1));
        }
        std::vector<Value> sizes;
        for (const auto size : tensor.shape) sizes.push_back(Value::integer(size));
        if (node->attribute("pickle:frombuffer") != nullptr) {
            const Value buffer = scratch.bytes(std::move(bytes));
            buffer.node()->type = "builtins.bytearray";
            return Value::of(call(scratch, module_of(*node) + ".numeric._frombuffer",
                                  {buffer, dtype_object(scratch, known->code, big_endian),
                                   scratch.tuple(std::move(sizes)), scratch.string(fortran ? "F" : "C")}));
        }
        auto* array = call(scratch, module_of(*node) + ".multiarray._reconstruct",
                           {global(scratch, "numpy.ndarray"), scratch.tuple({Value::integer(0)}), scratch.bytes("b")});
        array->recipe->state = scratch.tuple({Value::integer(1), scratch.tuple(std::move(sizes)),
                                              dtype_object(scratch, known->code, big_endian), Value::boolean(fortran),
                                              scratch.bytes(std::move(bytes))});
        return Value::of(array);
    }
    if (node->type == "numpy.bytes_" && node->kind == Kind::kBytes) {
        const auto& bytes = static_cast<const BytesNode&>(*node).bytes;
        auto* dtype =
            call(scratch, "numpy.dtype",
                 {scratch.string("S" + std::to_string(bytes.size())), Value::boolean(false), Value::boolean(true)});
        dtype->recipe->state = scratch.tuple({Value::integer(3), scratch.string("|"), Value::null(), Value::null(),
                                              Value::null(), Value::integer(static_cast<std::int64_t>(bytes.size())),
                                              Value::integer(1), Value::integer(0)});
        return Value::of(
            call(scratch, module_of(*node) + ".multiarray.scalar", {Value::of(dtype), scratch.bytes(bytes)}));
    }
    const auto known =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& type) { return type.scalar == node->type; });
    const auto* scalar = dynamic_cast<const ScalarNode*>(node);
    if (known == std::end(kTypes) || scalar == nullptr) return std::nullopt;
    return Value::of(
        call(scratch, module_of(*node) + ".multiarray.scalar",
             {dtype_object(scratch, known->code, false), scratch.bytes(scalar_bytes(*scalar, known->dtype))}));
}

}  // namespace ckpt
