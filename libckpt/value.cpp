// Values, nodes and their pool.
#include "libckpt/value.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

[[noreturn]] void wrong_kind(std::string_view wanted, Kind kind) {
    throw_error(ErrorCode::kInternal, "a {} was taken for a {}", kind_name(kind), wanted);
}

/// Minimal little-endian two's complement of a 64-bit number.
std::string minimal_bytes(std::uint64_t bits, bool negative) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &bits, 8);
    if (!negative && (bits >> 63) != 0) bytes.push_back('\0');
    return bytes;
}

/// Drops sign bytes that say nothing.
void trim(std::string& bytes) {
    while (bytes.size() > 1) {
        const auto last = static_cast<unsigned char>(bytes.back());
        const bool next_negative = (static_cast<unsigned char>(bytes[bytes.size() - 2]) & 0x80) != 0;
        if ((last == 0 && !next_negative) || (last == 0xff && next_negative)) {
            bytes.pop_back();
        } else {
            break;
        }
    }
    if (bytes.size() == 1 && bytes[0] == '\0') bytes.clear();
}

/// Magnitude of a two's complement number as 32-bit limbs, least first.
std::vector<std::uint32_t> magnitude(std::string_view bytes, bool negative) {
    std::vector<std::uint32_t> limbs((bytes.size() + 3) / 4 + 1, 0);
    std::uint32_t carry = negative ? 1 : 0;
    for (std::size_t i = 0; i < limbs.size() * 4; ++i) {
        std::uint32_t byte = i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : (negative ? 0xffu : 0u);
        if (negative) {
            byte = (~byte & 0xffu) + carry;
            carry = byte >> 8;
            byte &= 0xffu;
        }
        limbs[i / 4] |= byte << (8 * (i % 4));
    }
    return limbs;
}

}  // namespace

std::string_view kind_name(Kind kind) noexcept {
    static constexpr std::string_view kNames[] = {"null", "bool",  "int", "float", "complex", "string", "bytes",
                                                  "list", "tuple", "set", "dict",  "tensor",  "object"};
    return kNames[static_cast<std::size_t>(kind)];
}

Value Value::boolean(bool value) noexcept {
    Value result;
    result.kind_ = Kind::kBool;
    result.bits_.u = value ? 1 : 0;
    return result;
}
Value Value::integer(std::int64_t value) noexcept {
    Value result;
    result.kind_ = Kind::kInt;
    result.bits_.i = value;
    return result;
}
Value Value::unsigned_integer(std::uint64_t value) noexcept {
    Value result;
    result.kind_ = Kind::kInt;
    result.form_ = (value >> 63) != 0 ? Form::kUnsigned : Form::kInline;
    result.bits_.u = value;
    return result;
}
Value Value::real(double value) noexcept {
    Value result;
    result.kind_ = Kind::kFloat;
    result.bits_.d = value;
    return result;
}
Value Value::of(Node* node) noexcept {
    Value result;
    result.kind_ = node->kind;
    result.form_ = Form::kNode;
    result.bits_.node = node;
    return result;
}

bool Value::as_bool() const {
    if (kind_ != Kind::kBool) wrong_kind("bool", kind_);
    if (form_ == Form::kNode) return static_cast<ScalarNode*>(bits_.node)->value.as_bool();
    return bits_.u != 0;
}
double Value::as_double() const {
    if (kind_ != Kind::kFloat) wrong_kind("float", kind_);
    if (form_ == Form::kNode) return static_cast<ScalarNode*>(bits_.node)->value.as_double();
    return bits_.d;
}
std::optional<std::int64_t> Value::as_int64() const noexcept {
    if (kind_ != Kind::kInt || form_ == Form::kUnsigned) return std::nullopt;
    if (form_ == Form::kInline) return bits_.i;
    const auto* scalar = dynamic_cast<const ScalarNode*>(bits_.node);
    return scalar != nullptr ? scalar->value.as_int64() : std::nullopt;
}
std::optional<std::uint64_t> Value::as_uint64() const noexcept {
    if (kind_ != Kind::kInt) return std::nullopt;
    if (form_ == Form::kUnsigned) return bits_.u;
    if (form_ == Form::kInline) return bits_.i >= 0 ? std::optional<std::uint64_t>(bits_.u) : std::nullopt;
    const auto* scalar = dynamic_cast<const ScalarNode*>(bits_.node);
    return scalar != nullptr ? scalar->value.as_uint64() : std::nullopt;
}
std::complex<double> Value::as_complex() const {
    if (kind_ != Kind::kComplex) wrong_kind("complex", kind_);
    const auto* scalar = static_cast<ScalarNode*>(bits_.node);
    return {scalar->value.as_double(), scalar->imaginary};
}
std::string_view Value::as_string() const {
    if (kind_ != Kind::kString) wrong_kind("string", kind_);
    return static_cast<StringNode*>(bits_.node)->text;
}
std::string_view Value::as_bytes() const {
    if (kind_ != Kind::kBytes) wrong_kind("bytes", kind_);
    return static_cast<BytesNode*>(bits_.node)->bytes;
}
std::string Value::integer_text() const {
    if (const auto small = as_int64()) return fmt::format("{}", *small);
    if (const auto large = as_uint64()) return fmt::format("{}", *large);
    return decimal_text(integer_bytes());
}
std::string Value::integer_bytes() const {
    if (kind_ != Kind::kInt) wrong_kind("int", kind_);
    std::string bytes;
    if (form_ == Form::kNode) {
        if (const auto* big = dynamic_cast<const BigIntNode*>(bits_.node)) return big->bytes;
        return static_cast<const ScalarNode*>(bits_.node)->value.integer_bytes();
    }
    bytes = minimal_bytes(bits_.u, form_ == Form::kInline && bits_.i < 0);
    trim(bytes);
    return bytes;
}
SequenceNode& Value::sequence() const {
    if (kind_ != Kind::kList && kind_ != Kind::kTuple && kind_ != Kind::kSet) wrong_kind("list", kind_);
    return *static_cast<SequenceNode*>(bits_.node);
}
DictNode& Value::dict() const {
    if (kind_ != Kind::kDict) wrong_kind("dict", kind_);
    return *static_cast<DictNode*>(bits_.node);
}
TensorNode& Value::tensor() const {
    if (kind_ != Kind::kTensor) wrong_kind("tensor", kind_);
    return *static_cast<TensorNode*>(bits_.node);
}
ObjectNode& Value::object() const {
    if (kind_ != Kind::kObject) wrong_kind("object", kind_);
    return *static_cast<ObjectNode*>(bits_.node);
}
std::string_view Value::type() const noexcept {
    return form_ == Form::kNode ? std::string_view(bits_.node->type) : std::string_view();
}

const Value* Node::attribute(std::string_view name) const noexcept {
    if (!attributes) return nullptr;
    for (const auto& [key, value] : *attributes) {
        if (key == name) return &value;
    }
    return nullptr;
}
void Node::set_attribute(std::string_view name, Value value) {
    if (!attributes) attributes = std::make_unique<NamedValues>();
    for (auto& [key, old] : *attributes) {
        if (key == name) {
            old = value;
            return;
        }
    }
    attributes->emplace_back(name, value);
}

const Value* DictNode::find(std::string_view key) const noexcept {
    for (const auto& [name, value] : entries) {
        if (name.is(Kind::kString) && static_cast<const StringNode*>(name.node())->text == key) return &value;
    }
    return nullptr;
}

void for_each_value(Node& node, const std::function<void(Value&)>& visit) {
    if (node.recipe) {
        for (Value* value : {&node.recipe->callee, &node.recipe->args, &node.recipe->kwargs, &node.recipe->state})
            visit(*value);
    }
    if (node.attributes) {
        for (auto& [name, value] : *node.attributes) visit(value);
    }
    const auto pairs = [&](std::vector<std::pair<Value, Value>>& entries) {
        for (auto& [key, value] : entries) {
            visit(key);
            visit(value);
        }
    };
    switch (node.kind) {
        case Kind::kList:
        case Kind::kTuple:
        case Kind::kSet:
            for (auto& item : static_cast<SequenceNode&>(node).items) visit(item);
            break;
        case Kind::kDict:
            pairs(static_cast<DictNode&>(node).entries);
            break;
        case Kind::kTensor: {
            auto& tensor = static_cast<TensorNode&>(node);
            for (auto& [name, part] : tensor.parts) visit(part);
            visit(tensor.dict);
            if (tensor.quantization) {
                visit(tensor.quantization->scales);
                visit(tensor.quantization->zero_points);
            }
            break;
        }
        case Kind::kObject:
            for (auto& item : static_cast<ObjectNode&>(node).items) visit(item);
            pairs(static_cast<ObjectNode&>(node).entries);
            break;
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
        case Kind::kComplex:
            if (auto* scalar = dynamic_cast<ScalarNode*>(&node)) visit(scalar->value);
            break;
        default:
            break;
    }
}

std::optional<std::uint64_t> TensorNode::element_count() const noexcept {
    std::uint64_t count = 1;
    bool is_empty = false;
    for (const std::int64_t size : shape) {
        if (size < 0) return std::nullopt;
        is_empty = is_empty || size == 0;
    }
    if (is_empty) return 0;
    for (const std::int64_t size : shape) {
        std::uint64_t next = 0;
        if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &next) || (next >> 63) != 0) {
            return std::nullopt;
        }
        count = next;
    }
    return count;
}

std::optional<std::uint64_t> TensorNode::logical_bytes() const noexcept {
    const auto count = element_count();
    return count ? dtype_bytes(dtype, *count) : std::nullopt;
}

bool TensorNode::is_contiguous() const noexcept {
    std::int64_t expected = 1;
    for (const std::int64_t size : shape) {
        if (size == 0) return true;
    }
    if (stride.size() != shape.size()) return false;
    for (std::size_t i = shape.size(); i-- > 0;) {
        if (shape[i] == 1) continue;
        if (stride[i] != expected) return false;
        if (__builtin_mul_overflow(expected, shape[i], &expected)) return false;
    }
    return true;
}

void TensorNode::check_bounds(std::string_view path) const {
    if (stride.size() != shape.size()) {
        throw_damaged("tensor '{}' has {} dimensions but {} strides", path, shape.size(), stride.size());
    }
    if (offset < 0) throw_damaged("tensor '{}' has the negative storage offset {}", path, offset);
    bool is_empty = false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] < 0) throw_damaged("tensor '{}' has the negative size {}", path, shape[i]);
        if (stride[i] < 0) throw_damaged("tensor '{}' has the negative stride {}", path, stride[i]);
        is_empty = is_empty || shape[i] == 0;
    }
    if (!element_count() || !logical_bytes()) {
        throw_damaged("tensor '{}': the product of its sizes overflows 64 bits", path);
    }
    if (is_empty || !storage) return;
    std::uint64_t last = static_cast<std::uint64_t>(offset);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        std::uint64_t step = 0;
        if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape[i] - 1), static_cast<std::uint64_t>(stride[i]),
                                   &step) ||
            __builtin_add_overflow(last, step, &last) || (last >> 62) != 0) {
            throw_damaged("tensor '{}': its strides overflow 64 bits", path);
        }
    }
    const auto needed = dtype_bytes(dtype, last + 1);
    if (!needed || *needed > storage->blob->size_bytes()) {
        throw_damaged("tensor '{}' needs {} bytes of its storage, which has {}", path, needed.value_or(UINT64_MAX),
                      storage->blob->size_bytes());
    }
}

Pool::~Pool() {
    if (!blocks_.empty()) blocks_.back().unused = left_;
    for (const Block& block : blocks_) {
        std::byte* at = block.bytes.get();
        for (std::byte* const end = at + (block.size - block.unused); at != end;) {
            Node* node = std::launder(reinterpret_cast<Node*>(at));
            at += node->pool_bytes_;
            node->~Node();
        }
    }
}

void Pool::add_block() {
    if (!blocks_.empty()) blocks_.back().unused = left_;
    const std::size_t size = blocks_.empty() ? kFirstBlockBytes : std::min(kMostBlockBytes, 2 * blocks_.back().size);
    blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size, 0});
    next_ = blocks_.back().bytes.get();
    left_ = size;
}

Value Pool::string(std::string text) {
    auto* node = make<StringNode>();
    node->text = std::move(text);
    return Value::of(node);
}
Value Pool::bytes(std::string bytes) {
    auto* node = make<BytesNode>();
    node->bytes = std::move(bytes);
    return Value::of(node);
}
Value Pool::list() {
    return Value::of(make<SequenceNode>(Kind::kList));
}
Value Pool::tuple(std::vector<Value> items) {
    auto* node = make<SequenceNode>(Kind::kTuple);
    node->items = std::move(items);
    return Value::of(node);
}
Value Pool::set() {
    return Value::of(make<SequenceNode>(Kind::kSet));
}
Value Pool::dict() {
    return Value::of(make<DictNode>());
}
Value Pool::complex(std::complex<double> value) {
    auto* node = make<ScalarNode>(Kind::kComplex);
    node->value = Value::real(value.real());
    node->imaginary = value.imag();
    return Value::of(node);
}
Value Pool::integer(std::string_view twos_complement) {
    std::string bytes(twos_complement);
    trim(bytes);
    const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
    if (bytes.size() <= 8) {
        std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
        std::memcpy(&bits, bytes.data(), bytes.size());
        return Value::integer(static_cast<std::int64_t>(bits));
    }
    if (bytes.size() == 9 && bytes.back() == '\0') {
        std::uint64_t bits = 0;
        std::memcpy(&bits, bytes.data(), 8);
        return Value::unsigned_integer(bits);
    }
    auto* node = make<BigIntNode>();
    node->bytes = std::move(bytes);
    return Value::of(node);
}
Value Pool::typed_scalar(Value value, std::string type) {
    auto* node = make<ScalarNode>(value.kind());
    node->value = value;
    node->type = std::move(type);
    return Value::of(node);
}

SizeList contiguous_strides(const SizeList& shape) {
    SizeList strides(shape.size());
    std::int64_t step = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
        strides[i] = step;
        if (__builtin_mul_overflow(step, std::max<std::int64_t>(shape[i], 1), &step)) step = INT64_MAX;
    }
    return strides;
}
SizeList column_major_strides(const SizeList& shape) {
    SizeList strides(shape.size());
    std::int64_t step = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        strides[i] = step;
        if (__builtin_mul_overflow(step, std::max<std::int64_t>(shape[i], 1), &step)) step = INT64_MAX;
    }
    return strides;
}

std::string decimal_text(std::string_view twos_complement) {
    const bool negative = !twos_complement.empty() && (static_cast<unsigned char>(twos_complement.back()) & 0x80) != 0;
    // Quadratic: a number of a megabyte would take minutes, so very wide ones are shown in hexadecimal.
    constexpr std::size_t kWidestDecimalBytes = 8192;
    auto limbs = magnitude(twos_complement, negative);
    std::string text;
    if (twos_complement.size() > kWidestDecimalBytes) {
        while (limbs.size() > 1 && limbs.back() == 0) limbs.pop_back();
        text = fmt::format("{}0x{:x}", negative ? "-" : "", limbs.back());
        for (std::size_t i = limbs.size() - 1; i-- > 0;) text += fmt::format("{:08x}", limbs[i]);
        return text;
    }
    while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
    std::vector<std::uint32_t> groups;  // of nine decimal digits, least first
    while (!limbs.empty()) {
        std::uint64_t remainder = 0;
        for (std::size_t i = limbs.size(); i-- > 0;) {
            const std::uint64_t part = (remainder << 32) | limbs[i];
            limbs[i] = static_cast<std::uint32_t>(part / 1000000000u);
            remainder = part % 1000000000u;
        }
        groups.push_back(static_cast<std::uint32_t>(remainder));
        while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
    }
    if (groups.empty()) return "0";
    text = fmt::format("{}{}", negative ? "-" : "", groups.back());
    for (std::size_t i = groups.size() - 1; i-- > 0;) text += fmt::format("{:09}", groups[i]);
    return text;
}

std::optional<std::string> decimal_to_bytes(std::string_view text) {
    const bool negative = !text.empty() && text.front() == '-';
    std::string_view digits = negative ? text.substr(1) : text;
    std::string bytes;  // little-endian magnitude
    if (digits.size() > 2 && digits.substr(0, 2) == "0x") {
        digits.remove_prefix(2);
        for (std::size_t end = digits.size(); end > 0; end -= std::min<std::size_t>(end, 2)) {
            const std::size_t begin = end >= 2 ? end - 2 : 0;
            unsigned byte = 0;
            for (const char c : digits.substr(begin, end - begin)) {
                const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                                       : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                                                              : 16u;
                if (digit == 16u) return std::nullopt;
                byte = byte * 16 + digit;
            }
            bytes.push_back(static_cast<char>(byte));
        }
    } else {
        if (digits.empty()) return std::nullopt;
        std::vector<std::uint32_t> limbs;
        for (const char c : digits) {
            if (c < '0' || c > '9') return std::nullopt;
            std::uint64_t carry = static_cast<std::uint64_t>(c - '0');
            for (auto& limb : limbs) {
                carry += std::uint64_t{limb} * 10;
                limb = static_cast<std::uint32_t>(carry);
                carry >>= 32;
            }
            if (carry != 0) limbs.push_back(static_cast<std::uint32_t>(carry));
        }
        for (const auto limb : limbs) {
            for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(limb >> shift));
        }
    }
    bytes.push_back('\0');  // room for the sign
    if (negative) {
        unsigned carry = 1;
        for (auto& c : bytes) {
            const unsigned byte = (~static_cast<unsigned char>(c) & 0xffu) + carry;
            c = static_cast<char>(byte);
            carry = byte >> 8;
        }
    }
    trim(bytes);
    return bytes;
}

}  // namespace ckpt
