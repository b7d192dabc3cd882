// The value model: every layout is read into these values and written from them.
#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/kind.hpp"
#include "libckpt/label.hpp"
#include "libckpt/size_list.hpp"

namespace ckpt {

struct Node;
struct StringNode;
struct BytesNode;
struct BigIntNode;
struct SequenceNode;
struct DictNode;
struct TensorNode;
struct ObjectNode;

/// A handle to a value: scalars in place, everything else a node of a Pool. Trivially copyable, 16 bytes.
///
/// Two handles to one node are the same object (sharing, ties and cycles are node identity). A handle does not own: it
/// is valid as long as the Pool that made its node, which a Document keeps.
class Value {
public:
    constexpr Value() noexcept : kind_(Kind::kNull), form_(Form::kInline), bits_{0} {}
    static Value null() noexcept { return {}; }
    static Value boolean(bool value) noexcept;
    static Value integer(std::int64_t value) noexcept;
    /// An unsigned number; the same value as `integer` where it fits in 63 bits.
    static Value unsigned_integer(std::uint64_t value) noexcept;
    static Value real(double value) noexcept;
    static Value of(Node* node) noexcept;

    Kind kind() const noexcept { return kind_; }
    bool is(Kind kind) const noexcept { return kind_ == kind; }
    bool is_null() const noexcept { return kind_ == Kind::kNull; }

    /// The node behind the value, or nullptr for a scalar held in place. Typed scalars (a numpy.float32) have a node.
    Node* node() const noexcept { return form_ == Form::kNode ? bits_.node : nullptr; }

    /// Each is valid for its kind only; a broken contract throws Error (kInternal).
    bool as_bool() const;
    double as_double() const;                                 ///< kFloat
    std::optional<std::int64_t> as_int64() const noexcept;    ///< nullopt if no int or out of range
    std::optional<std::uint64_t> as_uint64() const noexcept;  ///< nullopt if no int, negative or out of range
    std::complex<double> as_complex() const;
    std::string_view as_string() const;  ///< UTF-8; lone surrogates as their three bytes (WTF-8)
    std::string_view as_bytes() const;
    /// Any integer, however wide, as `decimal_text` gives it.
    std::string integer_text() const;
    /// An integer as minimal little-endian two's complement bytes.
    std::string integer_bytes() const;

    SequenceNode& sequence() const;  ///< kList, kTuple, kSet
    DictNode& dict() const;
    TensorNode& tensor() const;
    ObjectNode& object() const;
    /// The class name, or empty for a plain value of its kind.
    std::string_view type() const noexcept;

    /// Identity, not equality: the same scalar or the same node.
    friend bool operator==(const Value& a, const Value& b) noexcept {
        return a.kind_ == b.kind_ && a.form_ == b.form_ && a.bits_.u == b.bits_.u;
    }

private:
    enum class Form : std::uint8_t { kInline, kUnsigned, kNode };
    Kind kind_;
    Form form_;
    union Bits {
        std::uint64_t u;
        std::int64_t i;
        double d;
        Node* node;
    } bits_;
};

/// Name to Value, in order.
using NamedValues = std::vector<std::pair<std::string, Value>>;

/// How the language that wrote an object makes it again. Inert: nothing here is ever run.
struct Recipe {
    enum class How : std::uint8_t {
        kNew,     ///< cls.__new__(cls, *args, **kwargs), then state: pickle's NEWOBJ; a Julia struct
        kCall,    ///< callable(*args): pickle's REDUCE
        kGlobal,  ///< no construction: the class or function of that name itself
    };
    How how = How::kCall;
    std::string callable;  ///< full dotted name; equals the node's type for classes
    /// kGlobal: how many leading characters of `callable` name the module; 0 = up to the last dot.
    std::size_t module_length = 0;
    Value callee;  ///< the class or function as a value of its own, where the file has one; or null
    Value args;    ///< a tuple, or null for none
    Value kwargs;  ///< a dict, or null for none
    Value state;   ///< what is set afterwards (pickle's BUILD), or null
};

/// The common part of all nodes. Nodes are made by a Pool, filled by one thread, and constant once their document is
/// handed out. A document may have millions: they are kept small.
struct Node {
    explicit Node(Kind node_kind) : kind(node_kind) {}
    virtual ~Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    Label type;                      ///< class name ("collections.OrderedDict"); empty for the plain kind
    std::unique_ptr<Recipe> recipe;  ///< where the type alone does not say how to make it again
    /// Attributes with the prefix of the format that owns them ("hdf5:units", "torch:location"); null when there are
    /// none.
    std::unique_ptr<NamedValues> attributes;
    Kind kind;

    /// The attribute, or nullptr.
    const Value* attribute(std::string_view name) const noexcept;
    void set_attribute(std::string_view name, Value value);

private:
    friend class Pool;
    std::uint16_t pool_bytes_ = 0;  ///< what it takes of its pool
};

/// A bool, int, float or complex that has a class of its own (numpy.float32, an IntEnum), or needs more than 64 bits.
struct ScalarNode : Node {
    using Node::Node;
    Value value;  ///< in place, or a BigIntNode; for kComplex the real part
    double imaginary = 0;
};
struct BigIntNode : Node {
    BigIntNode() : Node(Kind::kInt) {}
    std::string bytes;  ///< little-endian two's complement, minimal
};
struct StringNode : Node {
    StringNode() : Node(Kind::kString) {}
    std::string text;
};
/// Bytes and bytearray (type "builtins.bytearray").
struct BytesNode : Node {
    BytesNode() : Node(Kind::kBytes) {}
    std::string bytes;
};
/// A list, tuple or set (type "builtins.frozenset" for frozen ones); a set keeps the order of its file.
struct SequenceNode : Node {
    using Node::Node;
    std::vector<Value> items;
};
/// Keeps order; keys are values (optimizer states use integers). Keys are unique as their language compares them.
struct DictNode : Node {
    DictNode() : Node(Kind::kDict) {}
    std::vector<std::pair<Value, Value>> entries;
    /// The value under a text key, or nullptr. Linear.
    const Value* find(std::string_view key) const noexcept;
};

/// Bytes that one or more tensors look into. Identity is the pointer: two tensors with one storage are tied or views of
/// each other.
struct Storage {
    BlobPtr blob;  ///< little-endian elements
    /// What the file called the storage ("torch:location" cuda:0 and the like); owned by the format that read it.
    Label location;
};
using StoragePtr = std::shared_ptr<const Storage>;

/// How quantized integers map to numbers. Per tensor: scale and zero_point. Per channel: scales, zero_points (tensors),
/// axis.
struct Quantization {
    std::string scheme;  ///< torch's name: "per_tensor_affine", "per_channel_affine", ...
    double scale = 1;
    std::int64_t zero_point = 0;
    Value scales, zero_points;
    std::int64_t axis = 0;
};

/// A strided view of a storage. Strides and offset count elements; strides are never negative.
///
/// Composite tensors (sparse, nested) have no storage; their parts are tensors of their own, by name.
struct TensorNode : Node {
    TensorNode() : Node(Kind::kTensor) {}
    DType dtype = DType::kFloat32;
    bool conj = false;  ///< logical elements are the conjugates of the stored ones
    bool neg = false;   ///< logical elements are the negatives of the stored ones
    bool requires_grad = false;
    SizeList shape;  ///< logical order: W[i, j] is the same element in every language; -1 = ragged
    SizeList stride;
    std::int64_t offset = 0;
    StoragePtr storage;  ///< null: no data (meta, uninitialized) or composite
    Label layout;        ///< empty = strided; "sparse_coo", "sparse_csr", ..., "nested", "meta", "uninitialized"
    std::unique_ptr<Quantization> quantization;
    NamedValues parts;  ///< of composite tensors: indices, values; components of nested ones by number
    Value dict;         ///< attributes that hang on the tensor (`__dict__`), or null

    /// Product of the shape; nullopt on overflow or when ragged.
    std::optional<std::uint64_t> element_count() const noexcept;
    /// Bytes of the logical elements, materialised.
    std::optional<std::uint64_t> logical_bytes() const noexcept;
    /// Row-major without gaps (dimensions of size 1 may have any stride); always true for empty tensors.
    bool is_contiguous() const noexcept;
    /// Throws Error (kDamaged) unless there is a stride for each size, none of these and the offset is negative, their
    /// product fits in 64 bits, and all elements lie inside the storage, where there are elements and a storage.
    /// Checked arithmetic. `path` is named in the message.
    void check_bounds(std::string_view path) const;
};

/// Anything with a class that has no native kind. Its recipe says how it is made; items and entries are what it
/// contains when the class is list-like or dict-like.
struct ObjectNode : Node {
    ObjectNode() : Node(Kind::kObject) {}
    std::vector<Value> items;
    std::vector<std::pair<Value, Value>> entries;
};

/// Calls `visit` for every handle that a node holds: items, keys, parts, recipe, attributes, the value of a scalar with
/// a class. What it is given may be changed.
void for_each_value(Node& node, const std::function<void(Value&)>& visit);

/// Owns nodes. Freed all at once, without recursion, so depth, sharing and cycles cost nothing. Not thread-safe.
class Pool {
public:
    Pool() = default;
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    template <typename T, typename... Args>
    T* make(Args&&... args) {
        static_assert(alignof(T) <= kAlignment && sizeof(T) <= kFirstBlockBytes);
        constexpr std::size_t bytes = (sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
        if (left_ < bytes) add_block();
        T* node = new (next_) T(std::forward<Args>(args)...);
        node->pool_bytes_ = static_cast<std::uint16_t>(bytes);
        next_ += bytes;
        left_ -= bytes;
        ++size_;
        return node;
    }
    std::size_t size() const noexcept { return size_; }

    Value string(std::string text);
    Value bytes(std::string bytes);
    Value list();
    Value tuple(std::vector<Value> items = {});
    Value set();
    Value dict();
    Value complex(std::complex<double> value);
    /// An integer from little-endian two's complement bytes; in place where it fits in 64 bits.
    Value integer(std::string_view twos_complement);
    /// A scalar with a class. `value` must be a bool, int or float.
    Value typed_scalar(Value value, std::string type);

private:
    static constexpr std::size_t kAlignment = 8;
    static constexpr std::size_t kFirstBlockBytes = 4096;
    static constexpr std::size_t kMostBlockBytes = std::size_t{256} << 10;
    void add_block();

    /// Nodes one behind the other, up to `left_` bytes before the end of the last block, `unused` of the others.
    struct Block {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t size = 0;
        std::size_t unused = 0;
    };
    std::vector<Block> blocks_;
    std::byte* next_ = nullptr;
    std::size_t left_ = 0;
    std::size_t size_ = 0;
};

/// Row-major strides of a shape, in elements, as torch gives them (a dimension of size 0 counts as 1).
SizeList contiguous_strides(const SizeList& shape);
/// Column-major strides (Julia, Fortran).
SizeList column_major_strides(const SizeList& shape);
/// Decimal text of an integer given as little-endian two's complement; "0x" and hexadecimal digits, after a minus where
/// it is negative, when it is wider than 8192 bytes (decimal takes quadratic time).
std::string decimal_text(std::string_view twos_complement);
/// The same, back, from either form; nullopt if `text` is no integer. Hexadecimal digits are in lower case.
std::optional<std::string> decimal_to_bytes(std::string_view text);

}  // namespace ckpt
