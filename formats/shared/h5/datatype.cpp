// Datatype messages. Facts: hdf5.md, 5; limits: 17.
#include "formats/shared/h5/datatype.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {
namespace {

constexpr unsigned kMaxNumberBytes = 64;

struct Nesting {
    unsigned depth;
    Dialect dialect;
    Nesting inner() const { return {depth + 1, dialect}; }
};

DatatypePtr read_nested(Cursor& cursor, Nesting at);

/// Names of members are padded to 8 bytes before version 3.
std::string read_padded_name(Cursor& cursor, unsigned version) {
    const std::size_t start = cursor.position();
    std::string name(cursor.text());
    if (version < 3) cursor.skip((8 - (cursor.position() - start) % 8) % 8);
    return name;
}

DatatypePtr array_of(DatatypePtr base, std::vector<std::uint32_t> dims) {
    auto type = std::make_shared<Datatype>();
    type->cls = TypeClass::kArray;
    type->version = 3;
    std::uint64_t size = base->size_bytes;
    for (const std::uint32_t dim : dims) {
        require(dim > 0, "array type has a dimension of 0");
        size = checked_product(size, dim, "array type");
        require(size <= kMaxElementBytes, "array type of {} bytes is over the limit of {}", size, kMaxElementBytes);
    }
    type->size_bytes = static_cast<std::uint32_t>(size);
    type->base = std::move(base);
    type->dims = std::move(dims);
    return type;
}

void read_bits(Datatype& type, Cursor& cursor) {
    type.bit_offset = cursor.u16();
    type.precision_bits = cursor.u16();
    require(type.size_bytes <= kMaxNumberBytes, "number of {} bytes", type.size_bytes);
    require(type.order != ByteOrder::kVax || type.size_bytes % 2 == 0, "float in VAX order has {} bytes",
            type.size_bytes);
    require(type.precision_bits > 0 && type.bit_offset + type.precision_bits <= 8 * type.size_bytes,
            "number of {} bytes has {} bits at bit {}", type.size_bytes, type.precision_bits, type.bit_offset);
}

void read_float(Datatype& type, unsigned bits, Cursor& cursor) {
    // Bit 6 counts from version 3 on; before, libhdf5 writes it for VAX order and reads big-endian.
    const unsigned order = (bits & 1) | (type.version >= 3 ? (bits >> 5) & 2 : 0);
    require(order != 2, "float has an unknown byte order");
    type.order = order == 0 ? ByteOrder::kLittle : order == 1 ? ByteOrder::kBig : ByteOrder::kVax;
    FloatFields& fields = type.fields;
    fields.normalization = static_cast<std::uint8_t>((bits >> 4) & 3);
    fields.sign = static_cast<std::uint8_t>(bits >> 8);
    read_bits(type, cursor);
    fields.exponent_at = cursor.u8();
    fields.exponent_bits = cursor.u8();
    fields.mantissa_at = cursor.u8();
    fields.mantissa_bits = cursor.u8();
    fields.bias = cursor.u32();
    const unsigned top = type.bit_offset + type.precision_bits;
    require(fields.exponent_bits > 0 && fields.mantissa_bits > 0 && fields.sign < top &&
                fields.exponent_at + fields.exponent_bits <= top && fields.mantissa_at + fields.mantissa_bits <= top,
            "float of {} bits has fields outside of them", type.precision_bits);
    std::array<std::pair<unsigned, unsigned>, 3> ranges = {
        {{fields.sign, fields.sign + 1U},
         {fields.exponent_at, fields.exponent_at + fields.exponent_bits},
         {fields.mantissa_at, fields.mantissa_at + fields.mantissa_bits}}};
    std::sort(ranges.begin(), ranges.end());
    require(ranges[0].second <= ranges[1].first && ranges[1].second <= ranges[2].first,
            "float has fields that overlap");
}

void read_text_kind(Datatype& type, unsigned padding, unsigned character_set) {
    require(padding <= 2 && character_set <= 1, "string has padding {} and character set {}", padding, character_set);
    type.padding = static_cast<StringPadding>(padding);
    type.is_utf8 = character_set == 1;
}

DatatypePtr read_old_inline_array(Cursor& cursor, Nesting at) {
    const unsigned rank = cursor.u8();
    cursor.skip(11);
    require(rank <= 4, "compound member of rank {}; 4 is the most there is", rank);
    std::array<std::uint32_t, 4> dims = {};
    for (std::uint32_t& dim : dims) dim = cursor.u32();
    DatatypePtr base = read_nested(cursor, at.inner());
    return rank == 0 ? base : array_of(std::move(base), {dims.begin(), dims.begin() + rank});
}

void check_members(const Datatype& type) {
    std::unordered_set<std::string_view> names;
    std::vector<const CompoundMember*> by_offset;
    for (const CompoundMember& member : type.members) {
        require(names.insert(member.name).second, "compound has two members '{}'", member.name);
        by_offset.push_back(&member);
    }
    std::sort(by_offset.begin(), by_offset.end(),
              [](const auto* a, const auto* b) { return a->offset_bytes < b->offset_bytes; });
    std::uint64_t end = 0;
    for (const CompoundMember* member : by_offset) {
        require(member->offset_bytes >= end, "compound member '{}' overlaps the one before", member->name);
        end = std::uint64_t{member->offset_bytes} + member->type->size_bytes;
        require(end <= type.size_bytes, "compound member '{}' ends at byte {} of {}", member->name, end,
                type.size_bytes);
    }
}

void read_compound(Datatype& type, unsigned bits, Cursor& cursor, Nesting at) {
    const unsigned count = bits & 0xffff;
    require(count > 0, "compound has no members");
    require(count <= cursor.left() / 2, "compound claims {} members in {} bytes", count, cursor.left());
    const unsigned offset_bytes = type.version < 3 ? 4 : encoded_bytes(type.size_bytes);
    for (unsigned i = 0; i < count; ++i) {
        CompoundMember member;
        member.name = read_padded_name(cursor, type.version);
        member.offset_bytes = static_cast<std::uint32_t>(cursor.number(offset_bytes));
        member.type = type.version == 1 ? read_old_inline_array(cursor, at) : read_nested(cursor, at.inner());
        type.members.push_back(std::move(member));
    }
    check_members(type);
}

void read_enum(Datatype& type, unsigned bits, Cursor& cursor, Nesting at) {
    const unsigned count = bits & 0xffff;
    type.base = read_nested(cursor, at.inner());
    require(type.base->cls == TypeClass::kInteger && type.base->size_bytes == type.size_bytes,
            "enum of {} bytes has a base that is no integer of that size", type.size_bytes);
    require(count <= cursor.left() / 2, "enum claims {} members in {} bytes", count, cursor.left());
    std::unordered_set<std::string> names;
    for (unsigned i = 0; i < count; ++i) {
        type.enum_members.push_back({read_padded_name(cursor, type.version), {}});
        const std::string& name = type.enum_members.back().name;
        require(!name.empty() && names.insert(name).second, "enum has an empty name or two members '{}'", name);
    }
    for (EnumMember& member : type.enum_members) member.bytes = cursor.take(type.size_bytes);
}

void read_array(Datatype& type, Cursor& cursor, Nesting at) {
    const unsigned rank = cursor.u8();
    require(rank >= 1 && rank <= kMaxRank, "array type of rank {}", rank);
    if (type.version < 3) cursor.skip(3);
    std::vector<std::uint32_t> dims(rank);
    for (std::uint32_t& dim : dims) dim = cursor.u32();
    if (type.version < 3) cursor.skip(4U * rank);
    const DatatypePtr array = array_of(read_nested(cursor, at.inner()), std::move(dims));
    require(array->size_bytes == type.size_bytes, "array type has {} bytes, its dimensions give {}", type.size_bytes,
            array->size_bytes);
    type.base = array->base;
    type.dims = array->dims;
}

void read_reference(Datatype& type, unsigned bits) {
    const unsigned kind = bits & 15;
    if (type.version >= 4 && kind >= 2) {
        require(kind <= 4 && ((bits >> 4) & 15) == 1, "reference type of kind {}", kind);
        type.reference = ReferenceKind::kRevised;
        return;
    }
    require(kind <= 1, "reference type of kind {}", kind);
    type.reference = kind == 0 ? ReferenceKind::kObject : ReferenceKind::kRegion;
}

void read_properties(Datatype& type, unsigned bits, Cursor& cursor, Nesting at) {
    type.order = (bits & 1) != 0 ? ByteOrder::kBig : ByteOrder::kLittle;
    switch (type.cls) {
        case TypeClass::kInteger:
            type.is_signed = (bits & 8) != 0;
            return read_bits(type, cursor);
        case TypeClass::kBitField:
            return read_bits(type, cursor);
        case TypeClass::kFloat:
            return read_float(type, bits, cursor);
        case TypeClass::kTime:
            type.precision_bits = cursor.u16();
            return;
        case TypeClass::kString:
            return read_text_kind(type, bits & 15, (bits >> 4) & 15);
        case TypeClass::kOpaque: {
            const std::string_view tag = cursor.take(bits & 255);
            type.tag = tag.substr(0, tag.find('\0'));
            return;
        }
        case TypeClass::kCompound:
            return read_compound(type, bits, cursor, at);
        case TypeClass::kReference:
            return read_reference(type, bits);
        case TypeClass::kEnum:
            return read_enum(type, bits, cursor, at);
        case TypeClass::kVlen:
            require((bits & 15) <= 1, "variable-length type of kind {}", bits & 15);
            type.is_string = (bits & 15) == 1;
            if (type.is_string) read_text_kind(type, (bits >> 4) & 15, (bits >> 8) & 15);
            type.base = read_nested(cursor, at.inner());
            require(type.size_bytes == 4 + cursor.widths().offset_bytes + 4, "variable-length type of {} bytes",
                    type.size_bytes);
            return;
        case TypeClass::kArray:
            return read_array(type, cursor, at);
        case TypeClass::kComplex:
            type.base = read_nested(cursor, at.inner());
            require(type.base->cls == TypeClass::kFloat && type.size_bytes == 2 * type.base->size_bytes,
                    "complex type is not two floats");
            return;
    }
}

/// Recursion is bounded by kMaxTypeDepth.
DatatypePtr read_nested(Cursor& cursor, Nesting at) {
    require(at.depth <= kMaxTypeDepth, "datatype is nested more than {} deep", kMaxTypeDepth);
    auto type = std::make_shared<Datatype>();
    const unsigned head = cursor.u8();
    const auto bits = static_cast<unsigned>(cursor.number(3));
    const unsigned cls = head & 15;
    type->version = static_cast<std::uint8_t>(head >> 4);
    type->size_bytes = cursor.u32();
    if (type->version == 0 && at.dialect == Dialect::kJld2) type->version = 3;
    require(type->version >= 1 && type->version <= 5, "datatype has version {}; 1 to 5 are known", type->version);
    require(cls <= static_cast<unsigned>(TypeClass::kComplex), "datatype has class {}; 0 to 11 are known", cls);
    type->cls = static_cast<TypeClass>(cls);
    require(type->cls != TypeClass::kComplex || type->version == 5, "complex type has version {}", type->version);
    // JLD2 writes the type of Union{} as an opaque one without bytes.
    const bool is_bottom = at.dialect == Dialect::kJld2 && type->cls == TypeClass::kOpaque;
    require(type->size_bytes > 0 || type->cls == TypeClass::kString || is_bottom, "datatype of 0 bytes");
    require(type->size_bytes <= kMaxElementBytes, "datatype of {} bytes is over the limit of {}", type->size_bytes,
            kMaxElementBytes);
    read_properties(*type, bits, cursor, at);
    return type;
}

bool is_float_with(const Datatype& type, unsigned size_bytes, FloatFields fields) {
    return type.cls == TypeClass::kFloat && type.size_bytes == size_bytes && type.precision_bits == 8 * size_bytes &&
           type.order != ByteOrder::kVax && type.fields == fields;
}

}  // namespace

DatatypePtr read_datatype(Cursor& cursor, Dialect dialect) {
    return read_nested(cursor, {0, dialect});
}

bool Datatype::has_heap_references() const {
    switch (cls) {
        case TypeClass::kVlen:
            return true;
        case TypeClass::kReference:
            return reference != ReferenceKind::kObject;
        case TypeClass::kArray:
            return base->has_heap_references();
        case TypeClass::kCompound:
            return std::any_of(members.begin(), members.end(),
                               [](const CompoundMember& m) { return m.type->has_heap_references(); });
        default:
            return false;
    }
}

bool Datatype::is_ieee_float() const {
    return is_float_with(*this, 2, {15, 10, 5, 0, 10, 2, 15}) || is_float_with(*this, 4, {31, 23, 8, 0, 23, 2, 127}) ||
           is_float_with(*this, 8, {63, 52, 11, 0, 52, 2, 1023});
}

bool Datatype::is_bfloat16() const {
    return is_float_with(*this, 2, {15, 7, 8, 0, 7, 2, 127});
}

bool Datatype::is_h5py_bool() const {
    if (cls != TypeClass::kEnum || size_bytes != 1 || enum_members.size() != 2) return false;
    const auto has = [this](std::string_view name, char value) {
        return std::any_of(enum_members.begin(), enum_members.end(),
                           [&](const EnumMember& m) { return m.name == name && m.bytes.front() == value; });
    };
    return has("FALSE", 0) && has("TRUE", 1);
}

bool Datatype::is_complex() const {
    if (cls == TypeClass::kComplex) return true;
    if (cls != TypeClass::kCompound || members.size() != 2 || members[0].name != "r" || members[1].name != "i")
        return false;
    const Datatype& real = *members[0].type;
    const Datatype& imaginary = *members[1].type;
    return real.cls == TypeClass::kFloat && imaginary.cls == TypeClass::kFloat && members[0].offset_bytes == 0 &&
           members[1].offset_bytes == real.size_bytes && size_bytes == 2 * real.size_bytes &&
           real.size_bytes == imaginary.size_bytes && real.order == imaginary.order &&
           real.fields == imaginary.fields && real.precision_bits == imaginary.precision_bits &&
           real.bit_offset == imaginary.bit_offset;
}

const Datatype& Datatype::complex_part() const {
    return cls == TypeClass::kComplex ? *base : *members.front().type;
}

}  // namespace ckpt::h5
