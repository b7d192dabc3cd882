// Numbers become scalars and tensors, texts become strings and lists, compounds become columns.
#include "formats/hdf5/elements.hpp"

#include <cstring>

#include "formats/hdf5/schema.hpp"
#include "formats/hdf5/text.hpp"
#include "formats/hdf5/types.hpp"
#include "libckpt/error.hpp"

namespace ckpt::hdf5 {
namespace {

// Items of lists are values of their own; this many is more than any list of names or rows of a real file.
constexpr std::uint64_t kMaxItems = std::uint64_t{1} << 22;

/// One member of all records of a compound.
class MemberBlob final : public Blob {
public:
    MemberBlob(BlobPtr records, std::uint64_t record_bytes, std::uint64_t offset_bytes, std::uint64_t member_bytes)
        : records_(std::move(records)),
          record_bytes_(record_bytes),
          offset_bytes_(offset_bytes),
          member_bytes_(member_bytes) {}

    std::uint64_t size_bytes() const noexcept override {
        return records_->size_bytes() / record_bytes_ * member_bytes_;
    }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes) {
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        }
        constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;
        const std::uint64_t records_at_once = std::max<std::uint64_t>(1, kBlockBytes / record_bytes_);
        std::vector<std::byte> block;
        while (!out.empty()) {
            const std::uint64_t record = offset_bytes / member_bytes_;
            const std::uint64_t skip = offset_bytes % member_bytes_;
            const std::uint64_t count =
                std::min(records_at_once, (skip + out.size() + member_bytes_ - 1) / member_bytes_);
            block.resize(static_cast<std::size_t>(count * record_bytes_));
            records_->read(record * record_bytes_, block);
            for (std::uint64_t i = 0; i < count; ++i) {
                const std::uint64_t from = i == 0 ? skip : 0;
                const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(member_bytes_ - from, out.size()));
                std::memcpy(out.data(), block.data() + i * record_bytes_ + offset_bytes_ + from, size);
                out = out.subspan(size);
                offset_bytes += size;
            }
        }
    }

private:
    BlobPtr records_;
    std::uint64_t record_bytes_;
    std::uint64_t offset_bytes_;
    std::uint64_t member_bytes_;
};

std::string_view class_name(h5::TypeClass cls) {
    switch (cls) {
        case h5::TypeClass::kInteger:
            return "integers of this width";
        case h5::TypeClass::kFloat:
            return "floats of this layout";
        case h5::TypeClass::kTime:
            return "time types";
        case h5::TypeClass::kBitField:
            return "bit fields of this width";
        case h5::TypeClass::kComplex:
            return "complex numbers of this width";
        default:
            return "elements of this type";
    }
}

std::uint64_t count_of(const std::vector<std::uint64_t>& dims) {
    std::uint64_t count = 1;
    for (const std::uint64_t dim : dims) count *= dim;
    return count;
}

std::string fixed_text(const h5::Datatype& type, std::string_view element) {
    switch (type.padding) {
        case h5::StringPadding::kNulTerminated:
            return std::string(element.substr(0, element.find('\0')));
        case h5::StringPadding::kNulPadded:
            return std::string(element.substr(0, element.find_last_not_of('\0') + 1));
        case h5::StringPadding::kSpacePadded:
            return std::string(element.substr(0, element.find_last_not_of(' ') + 1));
    }
    return std::string(element);
}

}  // namespace

Value hdf5_object(Pool& pool, std::string_view type, const std::vector<std::pair<std::string, Value>>& state) {
    auto* node = pool.make<ObjectNode>();
    node->type = type;
    node->recipe = std::make_unique<Recipe>();
    node->recipe->callable = type;
    const Value dict = pool.dict();
    for (const auto& [name, value] : state) dict.dict().entries.emplace_back(pool.string(name), value);
    node->recipe->state = dict;
    return Value::of(node);
}

Value ElementReader::tensor(DType dtype, const Dims& dims, BlobPtr data) {
    auto* node = pool_.make<TensorNode>();
    node->dtype = dtype;
    node->shape.assign(dims.begin(), dims.end());
    node->stride = contiguous_strides(node->shape);
    node->storage = std::make_shared<const Storage>(Storage{std::move(data), ""});
    return Value::of(node);
}

/// Elements that no dtype holds, as the bytes that they are.
Value ElementReader::raw_elements(const h5::Datatype& type, Dims dims, BlobPtr data) {
    dims.push_back(type.size_bytes);
    return tensor(DType::kUInt8, dims, std::move(data));
}

Value ElementReader::value(const h5::Datatype& type, const h5::Dataspace& space, const BlobPtr& data) {
    if (space.kind == h5::Dataspace::Kind::kNull) return {};
    const Dims& dims = space.dims;
    const auto natural = dtype_of(type);
    if (const auto dtype = natural ? natural : converted_dtype(type)) {
        const unsigned swapped = natural ? swapped_width(type) : 0;
        BlobPtr elements = !natural       ? converted_blob(type, data)
                           : swapped == 0 ? data
                                          : byte_swapped_blob(data, swapped);
        const bool is_rounded = !natural && !converts_exactly(type);
        if (is_rounded && rounded_bits_.insert(type.precision_bits).second) {
            context_.warn(
                fmt::format("floats of {} bits are shown as {}, which rounds them; their own bits are kept beside it",
                            type.precision_bits, dtype_name(*dtype)));
        }
        const bool is_number = dims.empty() && !numpy_scalar_name(*dtype).empty();
        if (!is_number) {
            Value numbers = tensor(*dtype, dims, std::move(elements));
            if (is_rounded) numbers.node()->set_attribute(kExactMark, raw_elements(type, dims, data));
            return numbers;
        }
        const std::string bytes = read_all(*elements, 16);
        Value number = h5::number_value(pool_, *dtype, reinterpret_cast<const std::byte*>(bytes.data()));
        if (is_rounded) {
            if (number.node() == nullptr) number = pool_.typed_scalar(number, "");
            number.node()->set_attribute(kExactMark, pool_.bytes(read_all(*data, type.size_bytes)));
        }
        return number;
    }
    if (type.cls == h5::TypeClass::kArray) {
        h5::Dataspace whole = space;
        whole.kind = h5::Dataspace::Kind::kSimple;
        for (const std::uint32_t dim : type.dims) {
            whole.dims.push_back(dim);
            whole.element_count *= dim;  // the product is the data's size, which is known to fit
        }
        return value(*type.base, whole, data);
    }
    if (type.cls == h5::TypeClass::kCompound) return columns(type, dims, data);
    if (count_of(dims) > kMaxItems - items_) {
        throw_error(ErrorCode::kRefused, "{} elements as values of their own are more than the limit of {}",
                    count_of(dims), kMaxItems);
    }
    items_ += count_of(dims);
    return nested(type, dims, data);
}

Value ElementReader::columns(const h5::Datatype& type, const Dims& dims, const BlobPtr& data) {
    const Value dict = pool_.dict();
    h5::Dataspace space;
    space.kind = dims.empty() ? h5::Dataspace::Kind::kScalar : h5::Dataspace::Kind::kSimple;
    space.dims = dims;
    space.element_count = count_of(dims);
    for (const h5::CompoundMember& member : type.members) {
        const auto column =
            std::make_shared<MemberBlob>(data, type.size_bytes, member.offset_bytes, member.type->size_bytes);
        dict.dict().entries.emplace_back(pool_.string(name_to_text(member.name)), value(*member.type, space, column));
    }
    return dict;
}

/// Lists in lists, one level for each dimension.
Value ElementReader::nested(const h5::Datatype& type, const Dims& dims, const BlobPtr& data) {
    const std::string bytes = read_all(*data, context_.limits.max_inline_bytes);
    const std::size_t size = type.size_bytes;
    if (dims.empty()) return item(type, bytes);
    std::vector<Value> level;
    for (std::uint64_t i = 0; i < count_of(dims); ++i)
        level.push_back(item(type, std::string_view(bytes).substr(static_cast<std::size_t>(i) * size, size)));
    for (std::size_t d = dims.size(); d-- > 0;) {
        std::uint64_t lists = 1;
        for (std::size_t i = 0; i < d; ++i) lists *= dims[i];
        if (lists > kMaxItems) throw_error(ErrorCode::kRefused, "{} empty lists are more than the limit", lists);
        std::vector<Value> above;
        auto from = level.begin();
        for (std::uint64_t i = 0; i < lists; ++i) {
            const Value list = pool_.list();
            const auto to = from + static_cast<std::ptrdiff_t>(level.empty() ? 0 : dims[d]);
            list.sequence().items.assign(from, to);
            from = to;
            if (d + 1 == dims.size()) list.node()->set_attribute(kPackedMark, Value::boolean(true));
            above.push_back(list);
        }
        level = std::move(above);
    }
    return level.front();
}

Value ElementReader::item(const h5::Datatype& type, std::string_view element) {
    switch (type.cls) {
        case h5::TypeClass::kString:
            return pool_.string(name_to_text(fixed_text(type, element)));
        case h5::TypeClass::kOpaque:
            return pool_.bytes(std::string(element));
        case h5::TypeClass::kReference:
            return reference(type, element);
        case h5::TypeClass::kVlen: {
            h5::HeapValue found = file_.heap_value(type, element);
            if (type.is_string) return pool_.string(name_to_text(found.bytes.substr(0, found.bytes.find('\0'))));
            h5::Dataspace space;
            space.kind = h5::Dataspace::Kind::kSimple;
            space.dims = {found.count};
            space.element_count = found.count;
            return value(*type.base, space, memory_blob(std::move(found.bytes)));
        }
        default:
            if (is_wide_integer(type)) return pool_.integer(wide_integer(type, element));
            throw_error(ErrorCode::kUnsupported, "{} are not read", class_name(type.cls));
    }
}

Value ElementReader::reference(const h5::Datatype& type, std::string_view element) {
    const h5::Reference found = file_.reference(type, element);
    if (found.kind == h5::Reference::Kind::kNull) return {};
    const Value path = pool_.string("");
    std::vector<std::pair<std::string, Value>> state = {{"path", path}};
    if (found.file.empty()) {
        references_.push_back({static_cast<StringNode*>(path.node()), found.address});
    } else {
        static_cast<StringNode*>(path.node())->text = "(in another file)";
        state.emplace_back("file", pool_.string(name_to_text(found.file)));
    }
    if (found.kind == h5::Reference::Kind::kAttribute)
        state.emplace_back("attribute", pool_.string(name_to_text(found.attribute)));
    if (found.kind == h5::Reference::Kind::kRegion) add_region(found.region, state);
    Value object = hdf5_object(pool_, kReferenceType, state);
    if (found.kind == h5::Reference::Kind::kRegion && found.file.empty())
        object.node()->set_attribute(kSelectionMark, pool_.bytes(found.selection));
    return object;
}

/// How many elements a region has, and its corners; of a region of single blocks or points, these.
void ElementReader::add_region(const h5::Selection& region, std::vector<std::pair<std::string, Value>>& state) {
    if (region.kind == h5::Selection::Kind::kAll) return;
    state.emplace_back("points", Value::unsigned_integer(region.count(0)));
    const auto numbers = [this](const auto& values) {
        const Value list = pool_.list();
        for (const std::uint64_t value : values) list.sequence().items.push_back(Value::unsigned_integer(value));
        return list;
    };
    std::vector<std::uint64_t> first;
    std::vector<std::uint64_t> last;
    for (const auto& [low, high] : region.bounds()) {
        first.push_back(low);
        last.push_back(high);
    }
    if (first.empty() || region.count(0) == 0) return;
    const Value bounds = pool_.list();
    bounds.sequence().items = {numbers(first), numbers(last)};
    state.emplace_back("bounds", bounds);
    if (region.kind == h5::Selection::Kind::kRegular) return;
    if (region.corners.size() > kMaxItems - items_)
        throw_error(ErrorCode::kRefused, "regions of more than {} coordinates", kMaxItems);
    items_ += region.corners.size();
    state.emplace_back(region.kind == h5::Selection::Kind::kPoints ? "coordinates" : "corners",
                       numbers(region.corners));
}

}  // namespace ckpt::hdf5
