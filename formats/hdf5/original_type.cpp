// Marks for types, and the way from values back to elements.
#include "formats/hdf5/original_type.hpp"

#include <algorithm>
#include <cstring>

#include "formats/hdf5/numbers.hpp"
#include "formats/hdf5/schema.hpp"
#include "formats/hdf5/text.hpp"
#include "formats/hdf5/types.hpp"
#include "formats/shared/h5/cursor.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/meaning.hpp"

namespace ckpt::hdf5 {
namespace {

constexpr std::uint64_t kMaxHeldBytes = std::uint64_t{1} << 30;  ///< elements that have to be in memory
constexpr std::size_t kMaxRank = 32;

/// The type that a value would be written in if nothing were kept; empty where it would be no dataset of its own.
std::string own_message(const Value& value) {
    switch (value.kind()) {
        case Kind::kNull:
            return h5::ieee_type(4).message;
        case Kind::kTensor: {
            const StoredType stored = stored_type(value.tensor().dtype);
            return stored.says_the_dtype ? stored.type.message : "";
        }
        case Kind::kString:
            return is_plain_text(value.as_string()) ? h5::text_type().message : "";
        case Kind::kList: {
            const auto data =
                value.node()->attribute(kPackedMark) != nullptr ? packed(value.sequence().items) : std::nullopt;
            return data ? data->type.message : "";
        }
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
        case Kind::kComplex: {
            auto dtype = dtype_of_numpy_scalar(value.type());
            if (value.type().empty()) {
                dtype = value.is(Kind::kBool)      ? DType::kBool
                        : value.is(Kind::kFloat)   ? DType::kFloat64
                        : value.is(Kind::kComplex) ? DType::kComplex128
                        : value.as_int64()         ? DType::kInt64
                                                   : DType::kUInt64;
            }
            return dtype ? stored_type(*dtype).type.message : "";
        }
        default:
            return "";
    }
}

/// Members of records, each from a blob of its own, and zeros between them.
class RecordBlob final : public Blob {
public:
    struct Column {
        BlobPtr elements;
        std::uint64_t offset_bytes;
        std::uint64_t size_bytes;
    };
    RecordBlob(std::vector<Column> columns, std::uint64_t count, std::uint64_t record_bytes)
        : columns_(std::move(columns)), count_(count), record_bytes_(record_bytes) {}

    std::uint64_t size_bytes() const noexcept override { return count_ * record_bytes_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes) {
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        }
        constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;
        const std::uint64_t records_at_once = std::max<std::uint64_t>(1, kBlockBytes / record_bytes_);
        std::vector<std::byte> block;
        std::vector<std::byte> column_bytes;
        while (!out.empty()) {
            const std::uint64_t first = offset_bytes / record_bytes_;
            const auto skip = static_cast<std::size_t>(offset_bytes % record_bytes_);
            const std::uint64_t count =
                std::min(records_at_once, (skip + out.size() + record_bytes_ - 1) / record_bytes_);
            block.assign(static_cast<std::size_t>(count * record_bytes_), std::byte{0});
            for (const Column& column : columns_) {
                column_bytes.resize(static_cast<std::size_t>(count * column.size_bytes));
                column.elements->read(first * column.size_bytes, column_bytes);
                for (std::uint64_t i = 0; i < count; ++i) {
                    std::copy_n(column_bytes.data() + i * column.size_bytes, column.size_bytes,
                                block.data() + i * record_bytes_ + column.offset_bytes);
                }
            }
            const std::size_t size = std::min(out.size(), block.size() - skip);
            std::memcpy(out.data(), block.data() + skip, size);
            out = out.subspan(size);
            offset_bytes += size;
        }
    }

private:
    std::vector<Column> columns_;
    std::uint64_t count_;
    std::uint64_t record_bytes_;
};

/// Below 2^63; nullopt where there is no such number.
std::optional<std::uint64_t> product(const std::vector<std::uint64_t>& dims, std::uint64_t element_bytes) {
    std::uint64_t result = element_bytes;
    for (const std::uint64_t dim : dims) {
        if (__builtin_mul_overflow(result, dim, &result) || result >> 63 != 0) return std::nullopt;
    }
    return result;
}

/// nullptr where no mark says a type.
h5::DatatypePtr marked_type(const Value& value) {
    const Value* mark = value.node() == nullptr ? nullptr : value.node()->attribute(kTypeMark);
    if (mark == nullptr || !mark->is(Kind::kBytes)) return nullptr;
    try {
        h5::Cursor cursor(mark->as_bytes(), {}, "datatype");
        return h5::read_datatype(cursor, h5::Dialect::kHdf5);
    } catch (const Error&) {
        return nullptr;
    }
}

std::optional<std::vector<std::uint64_t>> marked_shape(const Node& node) {
    const Value* mark = node.attribute(kShapeMark);
    if (mark == nullptr || !mark->is(Kind::kList) || mark->sequence().items.size() > kMaxRank) return std::nullopt;
    std::vector<std::uint64_t> dims;
    for (const Value& item : mark->sequence().items) {
        const auto dim = item.as_uint64();
        if (!dim || *dim >> 62 != 0) return std::nullopt;
        dims.push_back(*dim);
    }
    return dims;
}

/// The dimensions of the dataset of which `value` holds the elements.
std::optional<std::vector<std::uint64_t>> dims_of(const Value& value, const h5::Datatype& type) {
    if (auto dims = marked_shape(*value.node())) return dims;
    if (value.is(Kind::kTensor)) {
        const auto& shape = value.tensor().shape;
        std::vector<std::uint64_t> dims(shape.begin(), shape.end());
        const h5::Datatype* inner = &type;
        std::vector<std::uint64_t> tail;
        for (; inner->cls == h5::TypeClass::kArray; inner = inner->base.get())
            tail.insert(tail.end(), inner->dims.begin(), inner->dims.end());
        if (tail.size() > dims.size() || !std::equal(tail.rbegin(), tail.rend(), dims.rbegin())) return std::nullopt;
        dims.resize(dims.size() - tail.size());
        return dims;
    }
    if (value.is(Kind::kList)) return std::vector<std::uint64_t>{value.sequence().items.size()};
    return std::vector<std::uint64_t>();
}

/// Leaves of lists in lists, row-major; false unless the lists have these lengths.
bool flatten(const Value& value, const std::vector<std::uint64_t>& dims, std::vector<Value>& leaves) {
    leaves = {value};
    for (const std::uint64_t dim : dims) {
        std::vector<Value> next;
        for (const Value& list : leaves) {
            if (!list.is(Kind::kList) || !list.type().empty() || list.sequence().items.size() != dim) return false;
            next.insert(next.end(), list.sequence().items.begin(), list.sequence().items.end());
        }
        leaves = std::move(next);
    }
    return true;
}

bool has_class(const Value& value) {
    return value.node() != nullptr && (!value.node()->type.empty() || has_meaning_recipe(*value.node()));
}

/// What is kept of `count` floats that no dtype holds; nullptr where nothing fits.
BlobPtr exact_elements(const h5::Datatype& type, const Value& value, std::uint64_t count) {
    const Value* kept = value.node() == nullptr ? nullptr : value.node()->attribute(kExactMark);
    if (kept == nullptr || converts_exactly(type)) return nullptr;
    BlobPtr bytes;
    if (kept->is(Kind::kBytes)) bytes = memory_blob(std::string(kept->as_bytes()));
    if (kept->is(Kind::kTensor) && kept->tensor().dtype == DType::kUInt8 && kept->tensor().storage)
        bytes = logical_blob(kept->tensor());
    const auto wanted = product({count}, type.size_bytes);
    return bytes && wanted && bytes->size_bytes() == *wanted ? bytes : nullptr;
}

/// Where elements are that no layout has to tell.
bool is_on_cpu(const Storage& storage) {
    return storage.location.empty() || storage.location == "cpu";
}

/// What a reference says; nullptr for values that are none.
const DictNode* reference_state(const Value& value) {
    const bool is_reference = value.is(Kind::kObject) && value.type() == kReferenceType && value.node()->recipe &&
                              value.node()->recipe->state.is(Kind::kDict);
    const DictNode* state = is_reference ? &value.node()->recipe->state.dict() : nullptr;
    return state != nullptr && state->find("path") != nullptr ? state : nullptr;
}

bool is_object_reference(const Value& value) {
    const DictNode* state = reference_state(value);
    return state != nullptr && state->entries.size() == 1 && value.node()->attribute(kSelectionMark) == nullptr;
}

/// Of a reference to a region; nullptr for other values.
const Value* selection_of(const Value& value) {
    const Value* mark = reference_state(value) == nullptr ? nullptr : value.node()->attribute(kSelectionMark);
    return mark != nullptr && mark->is(Kind::kBytes) ? mark : nullptr;
}

/// The older kind of reference (HDF5 before 1.12) that all references in lists are of; nullptr where none fits.
h5::DatatypePtr older_reference_type(const Value& value) {
    std::vector<Value> todo = {value};
    bool has_object = false;
    bool has_region = false;
    while (!todo.empty()) {
        const Value next = todo.back();
        todo.pop_back();
        if (next.is(Kind::kList)) {
            todo.insert(todo.end(), next.sequence().items.begin(), next.sequence().items.end());
        } else if (is_object_reference(next)) {
            has_object = true;
        } else if (selection_of(next) != nullptr) {
            has_region = true;
        } else if (!next.is_null()) {
            return nullptr;
        }
    }
    if (has_object && has_region) return nullptr;
    auto type = std::make_shared<h5::Datatype>();
    type->cls = h5::TypeClass::kReference;
    type->reference = has_region ? h5::ReferenceKind::kRegion : h5::ReferenceKind::kObject;
    type->size_bytes = has_region ? h5::kRegionReferenceBytes : h5::kObjectReferenceBytes;
    return type;
}

bool is_revised_reference(const h5::Datatype& type) {
    return type.cls == h5::TypeClass::kReference && type.reference == h5::ReferenceKind::kRevised;
}

std::optional<DType> number_dtype(const h5::Datatype& type) {
    const auto natural = dtype_of(type);
    return natural ? natural : converted_dtype(type);
}

}  // namespace

void TypeKeeper::keep(Value& value, const h5::DatatypePtr& type, const h5::Dataspace& space) {
    const bool is_tensor = value.is(Kind::kTensor);
    if (is_tensor && type == usual_ && value.tensor().dtype == usual_dtype_) return;
    const h5::DatatypePtr kept = is_revised_reference(*type) ? older_reference_type(value) : type;
    const auto written = kept ? h5::encode_type(*kept) : std::nullopt;
    const std::size_t rank = space.dims.size();
    if (!written || (written->message == own_message(value) && (rank <= 1 || is_tensor))) {
        if (is_tensor) usual_ = type, usual_dtype_ = value.tensor().dtype;
        return;
    }
    if (value.node() == nullptr)
        value = value.is_null() ? Value::of(pool_.make<Node>(Kind::kNull)) : pool_.typed_scalar(value, "");
    const auto [found, is_new] = messages_.try_emplace(written->message);
    if (is_new) found->second = pool_.bytes(written->message);
    value.node()->set_attribute(kTypeMark, found->second);
    // One sequence looks like a dataset of its items, one null reference like no element at all.
    const bool is_sequence = type->cls == h5::TypeClass::kVlen && !type->is_string;
    const bool is_odd_scalar = space.kind == h5::Dataspace::Kind::kScalar && (is_sequence || value.is_null());
    if (!is_odd_scalar && (rank == 0 || value.is(Kind::kTensor) || (rank == 1 && value.is(Kind::kList)))) return;
    const Value shape = pool_.list();
    for (const std::uint64_t dim : space.dims) shape.sequence().items.push_back(Value::unsigned_integer(dim));
    value.node()->set_attribute(kShapeMark, shape);
}

std::optional<h5::WriteType> TypeRestorer::type_of(const Value& value) {
    const h5::DatatypePtr type = marked_type(value);
    return type ? h5::encode_type(*type) : std::nullopt;
}

std::optional<RestoredElements> TypeRestorer::restore(const Value& value) const {
    const h5::DatatypePtr type = marked_type(value);
    if (!type) return std::nullopt;
    try {
        auto written = h5::encode_type(*type);
        if (!written) return std::nullopt;
        if (value.is_null() && !marked_shape(*value.node()))
            return RestoredElements{{std::move(*written), h5::null_space(), ""}, nullptr};
        const auto dims = dims_of(value, *type);
        if (!dims || dims->size() > kMaxRank || !product(*dims, type->size_bytes)) return std::nullopt;
        auto part = encode(*type, value, *dims, true);
        if (!part) return std::nullopt;
        RestoredElements restored{{std::move(*written), h5::simple_space(*dims), ""}, nullptr};
        restored.data.items = std::move(part->items);
        restored.data.references = std::move(part->references);
        restored.blob = std::move(part->blob);
        const bool is_tensor = value.is(Kind::kTensor);
        const bool must_be_held = !restored.data.items.empty() || !restored.data.references.empty();
        if (must_be_held || (!is_tensor && restored.blob->size_bytes() <= 4096)) {
            restored.data.bytes = read_all(*restored.blob, kMaxHeldBytes);
            restored.blob = nullptr;
        }
        return restored;
    } catch (const Error& error) {
        // A mark that is no type, or one of another kind of value: what it hangs on is written as what it is.
        if (error.code() == ErrorCode::kDamaged || error.code() == ErrorCode::kUnsupported) return std::nullopt;
        throw;
    }
}

/// Recursion is as deep as the type.
TypeRestorer::MaybePart TypeRestorer::encode(const h5::Datatype& type, const Value& value, const Dims& dims,
                                             bool is_outermost) const {
    if (!is_outermost && value.node() != nullptr && is_shared_(*value.node())) return std::nullopt;
    if (number_dtype(type)) return numbers(type, value, dims, is_outermost);
    if (type.cls == h5::TypeClass::kArray) {
        Dims whole = dims;
        whole.insert(whole.end(), type.dims.begin(), type.dims.end());
        return encode(*type.base, value, whole, is_outermost);
    }
    if (type.cls == h5::TypeClass::kCompound) return records(type, value, dims);
    return listed(type, value, dims);
}

TypeRestorer::MaybePart TypeRestorer::numbers(const h5::Datatype& type, const Value& value, const Dims& dims,
                                              bool is_outermost) const {
    const DType dtype = *number_dtype(type);
    BlobPtr blob;
    if (value.is(Kind::kTensor)) {
        const TensorNode& tensor = value.tensor();
        const bool is_plain =
            tensor.storage && tensor.dtype == dtype && tensor.parts.empty() && !tensor.quantization &&
            tensor.layout.empty() &&
            std::equal(tensor.shape.begin(), tensor.shape.end(), dims.begin(), dims.end(),
                       [](std::int64_t a, std::uint64_t b) { return a >= 0 && std::uint64_t(a) == b; });
        // A tensor within another value has nowhere to keep more than its elements.
        const bool is_bare = !tensor.requires_grad && !tensor.conj && !tensor.neg && tensor.dict.is_null() &&
                             !has_class(value) && tensor.storage && is_on_cpu(*tensor.storage);
        if (!is_plain || !(is_outermost || is_bare)) return std::nullopt;
        blob = logical_blob(tensor);
    } else {
        const bool is_scalar = dims.empty() && (value.type().empty() || dtype_of_numpy_scalar(value.type()) == dtype);
        const auto data = is_scalar ? numpy_number(value, dtype) : std::nullopt;
        if (!data) return std::nullopt;
        blob = memory_blob(data->bytes);
    }
    if (!dtype_of(type)) {
        if (BlobPtr exact = exact_elements(type, value, blob->size_bytes() / dtype_width(dtype)))
            return Part{exact_blob(type, std::move(exact), std::move(blob))};
        return Part{unconverted_blob(type, std::move(blob))};
    }
    const unsigned swapped = swapped_width(type);
    return Part{swapped == 0 ? std::move(blob) : byte_swapped_blob(std::move(blob), swapped)};
}

TypeRestorer::MaybePart TypeRestorer::records(const h5::Datatype& type, const Value& value, const Dims& dims) const {
    if (!value.is(Kind::kDict) || has_class(value)) return std::nullopt;
    const auto& entries = value.dict().entries;
    const auto count = product(dims, 1);
    if (entries.size() != type.members.size() || !count) return std::nullopt;
    Part whole;
    std::vector<RecordBlob::Column> columns;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const h5::CompoundMember& member = type.members[i];
        const auto& [key, column] = entries[i];
        if (!key.is(Kind::kString) || key.as_string() != name_to_text(member.name)) return std::nullopt;
        auto part = encode(*member.type, column, dims, false);
        if (!part) return std::nullopt;
        const std::uint64_t width = member.type->size_bytes;
        const auto moved = [&](std::uint64_t at) {
            return width == 0 ? 0 : at / width * type.size_bytes + member.offset_bytes + at % width;
        };
        for (h5::HeapItem& item : part->items) {
            item.offset_bytes = moved(item.offset_bytes);
            whole.items.push_back(std::move(item));
        }
        for (const h5::ReferencePlace& place : part->references)
            whole.references.push_back({moved(place.offset_bytes), place.target});
        columns.push_back({std::move(part->blob), member.offset_bytes, width});
    }
    whole.blob = std::make_shared<RecordBlob>(std::move(columns), *count, type.size_bytes);
    return whole;
}

/// Elements that are values of their own.
TypeRestorer::MaybePart TypeRestorer::listed(const h5::Datatype& type, const Value& value, const Dims& dims) const {
    std::vector<Value> leaves;
    if (!flatten(value, dims, leaves)) return std::nullopt;
    const auto size = product({leaves.size()}, type.size_bytes);
    if (!size || *size > kMaxHeldBytes) return std::nullopt;
    Part part;
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(*size));
    for (const Value& leaf : leaves) {
        if (!add_item(type, leaf, bytes, part)) return std::nullopt;
    }
    part.blob = memory_blob(std::move(bytes));
    return part;
}

bool TypeRestorer::add_item(const h5::Datatype& type, const Value& value, std::string& bytes, Part& part) const {
    const std::size_t at = bytes.size();
    switch (type.cls) {
        case h5::TypeClass::kString: {
            if (!value.is(Kind::kString) || has_class(value)) return false;
            std::string text = text_to_name(value.as_string());
            if (text.size() > type.size_bytes) return false;
            text.resize(type.size_bytes, type.padding == h5::StringPadding::kSpacePadded ? ' ' : '\0');
            bytes += text;
            return true;
        }
        case h5::TypeClass::kOpaque:
            if (!value.is(Kind::kBytes) || has_class(value) || value.as_bytes().size() != type.size_bytes) return false;
            bytes += value.as_bytes();
            return true;
        case h5::TypeClass::kReference: {
            bytes.append(type.size_bytes, '\0');
            if (value.is_null()) return true;
            const Value* selection = selection_of(value);
            const bool is_region = type.reference == h5::ReferenceKind::kRegion;
            if (!(is_region ? selection != nullptr : is_object_reference(value))) return false;
            const Value* path = reference_state(value)->find("path");
            const auto target = path->is(Kind::kString) ? target_(std::string(path->as_string())) : std::nullopt;
            if (!target) return false;
            if (is_region) {
                h5::HeapItem item{at, 0, true, std::string(h5::kObjectReferenceBytes, '\0'), {{0, *target}}, {}};
                item.bytes += selection->as_bytes();
                part.items.push_back(std::move(item));
            } else {
                part.references.push_back({at, *target});
            }
            return true;
        }
        case h5::TypeClass::kVlen: {
            h5::HeapItem item;
            item.offset_bytes = at;
            if (type.is_string) {
                if (!value.is(Kind::kString) || has_class(value)) return false;
                item.bytes = text_to_name(value.as_string());
                if (item.bytes.size() >> 32 != 0 || item.bytes.find('\0') != std::string::npos) return false;
                item.count = static_cast<std::uint32_t>(item.bytes.size());
            } else if (!add_sequence(type, value, item)) {
                return false;
            }
            bytes.append(h5::kHeapReferenceBytes, '\0');
            part.items.push_back(std::move(item));
            return true;
        }
        default: {
            const auto element = is_wide_integer(type) && !has_class(value) ? wide_element(type, value) : std::nullopt;
            if (element) bytes += *element;
            return element.has_value();
        }
    }
}

/// A variable-length sequence: a tensor, list or dict of columns in one dimension.
bool TypeRestorer::add_sequence(const h5::Datatype& type, const Value& value, h5::HeapItem& item) const {
    const Value* sized = &value;
    while (sized->is(Kind::kDict) && !sized->dict().entries.empty()) sized = &sized->dict().entries.front().second;
    std::uint64_t count = 0;
    if (sized->is(Kind::kTensor) && !sized->tensor().shape.empty()) {
        count = static_cast<std::uint64_t>(std::max<std::int64_t>(sized->tensor().shape.front(), 0));
    } else if (sized->is(Kind::kList)) {
        count = sized->sequence().items.size();
    } else {
        return false;
    }
    if (count >> 32 != 0) return false;
    auto part = encode(*type.base, value, {count}, false);
    if (!part) return false;
    item.count = static_cast<std::uint32_t>(count);
    item.bytes = read_all(*part->blob, kMaxHeldBytes);
    item.items = std::move(part->items);
    item.references = std::move(part->references);
    return true;
}

}  // namespace ckpt::hdf5
