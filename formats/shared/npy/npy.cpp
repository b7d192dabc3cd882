// Headers and data of .npy.
#include "formats/shared/npy/npy.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "formats/shared/npy/descr.hpp"
#include "formats/shared/npy/literal.hpp"
#include "formats/shared/pickle/arrays.hpp"
#include "formats/shared/pickle/text.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kLayout = "npy:__layout__";
constexpr std::uint64_t kMostHeaderBytes = std::uint64_t{1} << 24;
constexpr std::size_t kMostDimensions = 64;
constexpr std::size_t kAlignBytes = 64;    // header and data together, as NumPy pads
constexpr std::size_t kGrowthDigits = 21;  // room in which the first dimension may grow, since NumPy 1.24
constexpr std::string_view kReconstruct = "numpy._core.multiarray._reconstruct";

struct Header {
    int version = 1;
    Value descr;
    bool fortran = false;
    std::vector<std::int64_t> shape;
    std::uint64_t data_bytes = 0;  ///< where the data begin
};

std::string read_some(const Blob& blob, std::uint64_t offset, std::uint64_t count) {
    std::string bytes(static_cast<std::size_t>(count), '\0');
    blob.read(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    return bytes;
}

Header read_header(Pool& pool, const Blob& blob) {
    const std::uint64_t size = blob.size_bytes();
    const std::string start = read_some(blob, 0, std::min<std::uint64_t>(size, 12));
    if (!start.starts_with(kNpySignature.substr(0, start.size()))) throw_damaged("does not begin as a .npy does");
    if (start.size() < 10) throw_damaged("the header ends at byte {}", size);
    Header header;
    header.version = static_cast<unsigned char>(start[6]);
    if (header.version < 1 || header.version > 3 || start[7] != 0) {
        throw_damaged("the header has version {}.{}; 1.0 to 3.0 are known", header.version,
                      static_cast<unsigned char>(start[7]));
    }
    std::uint32_t length = 0;
    const std::size_t width = header.version == 1 ? 2 : 4;
    if (start.size() < 8 + width) throw_damaged("the header ends at byte {}", size);
    std::memcpy(&length, start.data() + 8, width);
    header.data_bytes = 8 + width + length;
    if (header.data_bytes > size || length > kMostHeaderBytes)
        throw_damaged("the header is said to end at byte {}, the file has {}", header.data_bytes, size);
    std::string text = read_some(blob, 8 + width, length);
    if (header.version < 3) text = latin1_to_utf8(text);
    if (!is_utf8_with_surrogates(text)) throw_damaged("the header is no UTF-8");
    const Value dict = parse_python_literal(pool, text);
    if (!dict.is(Kind::kDict)) throw_damaged("the header is a {}, not a dict", kind_name(dict.kind()));
    for (const std::string_view key : {"descr", "fortran_order", "shape"}) {
        if (dict.dict().find(key) == nullptr) throw_damaged("the header has no '{}'", key);
    }
    if (dict.dict().entries.size() != 3)
        throw_damaged("the header has {} keys, expected 3", dict.dict().entries.size());
    const Value* order = dict.dict().find("fortran_order");
    if (!order->is(Kind::kBool)) throw_damaged("the header's 'fortran_order' is a {}", kind_name(order->kind()));
    header.fortran = order->as_bool();
    header.descr = *dict.dict().find("descr");
    const Value* shape = dict.dict().find("shape");
    if (!shape->is(Kind::kTuple)) throw_damaged("the header's 'shape' is a {}, not a tuple", kind_name(shape->kind()));
    for (const auto& item : shape->sequence().items) {
        const auto number = item.as_int64();
        if (!number || *number < 0) {
            throw_damaged("the header's 'shape' holds {}, which is no size",
                          item.is(Kind::kInt) ? item.integer_text() : fmt::format("a {}", kind_name(item.kind())));
        }
        header.shape.push_back(*number);
    }
    if (header.shape.size() > kMostDimensions) throw_damaged("the array has {} dimensions", header.shape.size());
    return header;
}

std::uint64_t count_of(const std::vector<std::int64_t>& shape) {
    std::uint64_t count = 1;
    bool overflows = false;
    for (const auto size : shape) {
        if (size == 0) return 0;
        overflows = overflows || __builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &count);
    }
    if (overflows) throw_damaged("the array has more than 2^64 elements");
    return count;
}

/// What a rewrite needs to give the same header: "3>" for version 3 and big-endian elements; empty for the usual.
void keep_layout(Pool& pool, Node& node, const Header& header, bool big_endian) {
    std::string layout;
    if (header.version > 1) layout = std::to_string(header.version);
    if (big_endian) layout += '>';
    if (!layout.empty()) node.set_attribute(kLayout, pool.string(layout));
}
std::string_view kept_layout(const Node& node) {
    const Value* layout = node.attribute(kLayout);
    return layout != nullptr && layout->is(Kind::kString) ? layout->as_string() : std::string_view();
}
int kept_version(const Node& node) {
    const std::string_view layout = kept_layout(node);
    return layout.empty() || layout[0] < '1' || layout[0] > '3' ? 1 : layout[0] - '0';
}

/// The object that a pickle of the array has.
Value as_object(Pool& pool, const Header& header, const DescrType& type, std::string data) {
    auto* callee = pool.make<ObjectNode>();
    callee->recipe = std::make_unique<Recipe>();
    callee->recipe->how = Recipe::How::kGlobal;
    callee->recipe->callable = "numpy.ndarray";
    std::vector<Value> sizes;
    for (const auto size : header.shape) sizes.push_back(Value::integer(size));
    auto* node = pool.make<ObjectNode>();
    node->type = "numpy.ndarray";
    node->recipe = std::make_unique<Recipe>();
    node->recipe->callable = kReconstruct;
    node->recipe->args = pool.tuple({Value::of(callee), pool.tuple({Value::integer(0)}), pool.bytes("b")});
    node->recipe->state = pool.tuple({Value::integer(1), pool.tuple(std::move(sizes)), type.dtype,
                                      Value::boolean(header.fortran), pool.bytes(std::move(data))});
    keep_layout(pool, *node, header, false);
    return Value::of(node);
}

Value read_array(Pool& pool, const BlobPtr& bytes, const Context& context) {
    const Header header = read_header(pool, *bytes);
    const DescrType type = parse_descr(pool, header.descr);
    const std::uint64_t count = count_of(header.shape);
    const std::uint64_t there = bytes->size_bytes() - header.data_bytes;
    if (type.has_objects) {
        const std::string data =
            read_all(*slice_blob(bytes, header.data_bytes, there), context.limits.max_header_bytes);
        Document document;  // only for its pool
        ArrayReader hooks;
        const Value value = read_pickle(data, pool, hooks, context);
        document.root = value;
        hooks.settle(document);
        return document.root;
    }
    std::uint64_t needed = 0;
    if (__builtin_mul_overflow(count, type.item_bytes, &needed) || needed > there)
        throw_damaged("the array needs {} elements of {} bytes, {} bytes follow the header", count, type.item_bytes,
                      there);
    if (needed < there)
        context.warn(fmt::format("{} bytes after the end of the array at byte {} are ignored, as NumPy does",
                                 there - needed, header.data_bytes + needed));
    BlobPtr data = slice_blob(bytes, header.data_bytes, needed);
    if (!type.native) {
        if (needed > context.limits.max_inline_bytes) throw_damaged("an array of {} bytes of text or records", needed);
        return as_object(pool, header, type, read_all(*data, context.limits.max_inline_bytes));
    }
    auto* node = pool.make<TensorNode>();
    node->dtype = *type.native;
    node->shape = header.shape;
    node->stride = header.fortran ? column_major_strides(node->shape) : contiguous_strides(node->shape);
    if (type.big_endian && type.align_bytes > 1) {
        data = byte_swapped_blob(std::move(data), static_cast<unsigned>(type.align_bytes));
    }
    keep_layout(pool, *node, header, type.big_endian && type.align_bytes > 1);
    auto storage = std::make_shared<Storage>();
    storage->blob = std::move(data);
    node->storage = std::move(storage);
    node->check_bounds("array");
    return Value::of(node);
}

/// Of an inert array: where its parts stand, or nullptr.
const std::vector<Value>* array_state(const Value& value) {
    if (!value.is(Kind::kObject) || !value.node()->recipe) return nullptr;
    const Recipe& recipe = *value.node()->recipe;
    const bool is_array = recipe.callable == kReconstruct || recipe.callable == "numpy.core.multiarray._reconstruct";
    if (!is_array || !recipe.state.is(Kind::kTuple) || recipe.state.sequence().items.size() != 5) return nullptr;
    const auto& state = recipe.state.sequence().items;
    const bool is_whole = state[1].is(Kind::kTuple) && state[3].is(Kind::kBool);
    return is_whole ? &state : nullptr;
}

std::string_view code_of(DType dtype) {
    switch (dtype) {
        case DType::kBool:
            return "b1";
        case DType::kUInt8:
            return "u1";
        case DType::kUInt16:
            return "u2";
        case DType::kUInt32:
            return "u4";
        case DType::kUInt64:
            return "u8";
        case DType::kInt8:
            return "i1";
        case DType::kInt16:
            return "i2";
        case DType::kInt32:
            return "i4";
        case DType::kInt64:
            return "i8";
        case DType::kFloat16:
            return "f2";
        case DType::kFloat32:
            return "f4";
        case DType::kFloat64:
            return "f8";
        case DType::kComplex64:
            return "c8";
        case DType::kComplex128:
            return "c16";
        default:
            return "";
    }
}

std::string header_text(const std::string& descr, bool fortran, const std::vector<std::int64_t>& shape,
                        int least_version) {
    std::string sizes = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) sizes += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    sizes += shape.size() == 1 ? ",)" : ")";
    std::string text =
        fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}", descr, fortran ? "True" : "False", sizes);
    if (!shape.empty()) {
        const std::string growing = std::to_string(fortran ? shape.back() : shape.front());
        text.append(kGrowthDigits - std::min(kGrowthDigits, growing.size()), ' ');
    }
    std::string encoded = text;
    int version = 3;
    if (auto latin = utf8_to_latin1(text)) {
        encoded = *latin;
        version = encoded.size() + 1 > 65535 - kAlignBytes ? 2 : 1;
    }
    version = std::max(version, least_version);
    if (version == 3) encoded = text;
    const std::size_t prefix = version == 1 ? 10 : 12;
    std::size_t length = encoded.size() + 1;
    const std::size_t padding = kAlignBytes - (prefix + length) % kAlignBytes;
    length += padding;
    encoded.append(padding, ' ');
    encoded += '\n';
    std::string header(kNpySignature);
    header += static_cast<char>(version);
    header += '\0';
    for (std::size_t i = 0; i < prefix - 8; ++i) header += static_cast<char>(length >> (8 * i) & 0xff);
    return header + encoded;
}

}  // namespace

Value read_npy(Pool& pool, const BlobPtr& bytes, std::string_view place, const Context& context) {
    try {
        return read_array(pool, bytes, context);
    } catch (const Error& error) {
        if (place.empty() || error.code() != ErrorCode::kDamaged) throw;
        throw_damaged("{}: {}", place, error.message());
    }
}

std::string npy_obstacle(const Value& value) {
    if (const auto* state = array_state(value)) {
        Pool scratch;
        if ((*state)[4].is(Kind::kList) || ((*state)[4].is(Kind::kBytes) && descr_of(scratch, (*state)[2]))) return {};
        return "is an array whose dtype a .npy header cannot say";
    }
    if (!value.is(Kind::kTensor)) return fmt::format("is a {}, not an array", kind_name(value.kind()));
    const TensorNode& tensor = value.tensor();
    if (!tensor.layout.empty() || !tensor.storage)
        return tensor.layout.empty() ? "is a tensor without data" : fmt::format("is a {} tensor", tensor.layout);
    if (code_of(tensor.dtype).empty()) return fmt::format("is {}, which NumPy does not have", dtype_name(tensor.dtype));
    if (tensor.shape.size() > 32) return fmt::format("has {} dimensions, NumPy has at most 32", tensor.shape.size());
    if (tensor.requires_grad) return "requires gradients, which an array cannot say";
    if (!tensor.type.empty() && tensor.type != "numpy.ndarray")
        return fmt::format("is a {}, which an array cannot say", tensor.type);
    if (!tensor.dict.is_null()) return "has attributes, which an array cannot have";
    return {};
}

std::vector<Extent> npy_extents(const Value& value) {
    std::vector<Extent> extents;
    if (const auto* state = array_state(value)) {
        Pool scratch;
        std::vector<std::int64_t> shape;
        for (const auto& item : (*state)[1].sequence().items) shape.push_back(item.as_int64().value_or(0));
        if ((*state)[4].is(Kind::kList)) {
            Document document;
            document.root = value;
            ArrayLowering lowering(document);
            extents.push_back(
                {LiteralExtent{header_text("'|O'", (*state)[3].as_bool(), shape, kept_version(*value.node()))}});
            extents.push_back({LiteralExtent{write_pickle(value, 4, lowering)}});
            return extents;
        }
        const auto descr = descr_of(scratch, (*state)[2]);
        if (!descr) throw_error(ErrorCode::kInternal, "an array whose dtype a header cannot say");
        extents.push_back({LiteralExtent{
            header_text(python_literal(*descr), (*state)[3].as_bool(), shape, kept_version(*value.node()))}});
        extents.push_back({LiteralExtent{std::string((*state)[4].as_bytes())}});
        return extents;
    }
    const TensorNode& tensor = value.tensor();
    const bool fortran = !tensor.is_contiguous() && tensor.stride == column_major_strides(tensor.shape);
    const bool one_byte = dtype_width(tensor.dtype) == 1;
    const bool big_endian = kept_layout(tensor).ends_with('>') && !one_byte;
    const std::string order = one_byte ? "|" : big_endian ? ">" : "<";
    BlobPtr data;
    if (fortran) {
        TensorNode flat;  // the elements in the order of memory
        flat.dtype = tensor.dtype;
        flat.shape = {static_cast<std::int64_t>(*tensor.element_count())};
        flat.stride = {1};
        flat.offset = tensor.offset;
        flat.storage = tensor.storage;
        flat.conj = tensor.conj;
        flat.neg = tensor.neg;
        data = logical_blob(flat);
    } else {
        data = logical_blob(tensor);
    }
    if (big_endian) {
        const bool is_complex = dtype_info(tensor.dtype).cls == DTypeClass::kComplex;
        data = byte_swapped_blob(std::move(data), dtype_width(tensor.dtype) / (is_complex ? 2 : 1));
    }
    extents.push_back({LiteralExtent{header_text("'" + order + std::string(code_of(tensor.dtype)) + "'", fortran,
                                                 tensor.shape, kept_version(tensor))}});
    if (data->size_bytes() > 0) extents.push_back({BlobExtent{std::move(data)}});
    return extents;
}

}  // namespace ckpt
