// Datatypes that were read, as messages again. Facts: hdf5.md, 5.
#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/image.hpp"
#include "formats/shared/h5/write.hpp"
#include "formats/shared/h5/write_bytes.hpp"

namespace ckpt::h5 {
namespace {

// Versions that every libhdf5 reads: 1 for plain classes, 3 where names and dimensions need no padding.
constexpr unsigned kPlainVersion = 1;
constexpr unsigned kDenseVersion = 3;
constexpr std::size_t kMaxMembers = 65535;
constexpr std::size_t kMaxMessageBytes = 60000;  // a message has at most 65535, an attribute a name and a shape as well

bool put_type(std::string& out, const Datatype& type, unsigned depth);

void put_head(std::string& out, const Datatype& type, unsigned version, std::uint64_t bits, std::uint64_t size_bytes) {
    put(out, 1, version << 4 | static_cast<unsigned>(type.cls));
    put(out, 3, bits);
    put(out, 4, size_bytes);
}

unsigned order_bit(const Datatype& type) {
    return type.order == ByteOrder::kBig ? 1 : 0;
}

void put_integer(std::string& out, const Datatype& type) {
    const bool is_signed = type.cls == TypeClass::kInteger && type.is_signed;
    put_head(out, type, kPlainVersion, order_bit(type) | (is_signed ? 8U : 0U), type.size_bytes);
    put(out, 2, type.bit_offset);
    put(out, 2, type.precision_bits);
}

void put_float(std::string& out, const Datatype& type) {
    const FloatFields& fields = type.fields;
    const unsigned order = type.order == ByteOrder::kVax ? 0x41 : order_bit(type);
    // Earlier versions have no VAX order.
    const unsigned version = type.order == ByteOrder::kVax ? kDenseVersion : kPlainVersion;
    put_head(out, type, version, order | unsigned{fields.normalization} << 4 | unsigned{fields.sign} << 8,
             type.size_bytes);
    put(out, 2, type.bit_offset);
    put(out, 2, type.precision_bits);
    for (const std::uint8_t field :
         {fields.exponent_at, fields.exponent_bits, fields.mantissa_at, fields.mantissa_bits})
        put(out, 1, field);
    put(out, 4, fields.bias);
}

unsigned text_bits(const Datatype& type) {
    return static_cast<unsigned>(type.padding) | (type.is_utf8 ? 16U : 0U);
}

bool put_opaque(std::string& out, const Datatype& type) {
    std::string tag = type.tag;
    tag.resize((tag.size() + 8) / 8 * 8, '\0');  // with its NUL, in multiples of 8
    if (tag.size() > 255) return false;
    put_head(out, type, kPlainVersion, tag.size(), type.size_bytes);
    out += tag;
    return true;
}

bool put_compound(std::string& out, const Datatype& type, unsigned depth) {
    if (type.members.size() > kMaxMembers) return false;
    put_head(out, type, kDenseVersion, type.members.size(), type.size_bytes);
    for (const CompoundMember& member : type.members) {
        out += member.name;
        out += '\0';
        put(out, encoded_bytes(type.size_bytes), member.offset_bytes);
        if (!put_type(out, *member.type, depth + 1)) return false;
    }
    return true;
}

bool put_enum(std::string& out, const Datatype& type, unsigned depth) {
    if (type.enum_members.size() > kMaxMembers) return false;
    put_head(out, type, kDenseVersion, type.enum_members.size(), type.size_bytes);
    if (!put_type(out, *type.base, depth + 1)) return false;
    for (const EnumMember& member : type.enum_members) {
        out += member.name;
        out += '\0';
    }
    for (const EnumMember& member : type.enum_members) out += member.bytes;
    return true;
}

bool put_array(std::string& out, const Datatype& type, unsigned depth) {
    put_head(out, type, kDenseVersion, 0, type.size_bytes);
    put(out, 1, type.dims.size());
    for (const std::uint32_t dim : type.dims) put(out, 4, dim);
    return put_type(out, *type.base, depth + 1);
}

bool put_vlen(std::string& out, const Datatype& type, unsigned depth) {
    if (type.size_bytes != kHeapReferenceBytes) return false;
    const unsigned text = static_cast<unsigned>(type.padding) << 4 | (type.is_utf8 ? 0x100U : 0U);
    put_head(out, type, kPlainVersion, type.is_string ? 1U | text : 0U, kHeapReferenceBytes);
    return put_type(out, *type.base, depth + 1);
}

bool put_reference(std::string& out, const Datatype& type) {
    const bool is_region = type.reference == ReferenceKind::kRegion;
    const std::uint32_t size_bytes = is_region ? kRegionReferenceBytes : kObjectReferenceBytes;
    if (type.reference == ReferenceKind::kRevised || type.size_bytes != size_bytes) return false;
    put_head(out, type, kPlainVersion, is_region ? 1 : 0, size_bytes);
    return true;
}

/// Recursion is bounded by kMaxTypeDepth, which no type that was read exceeds.
bool put_type(std::string& out, const Datatype& type, unsigned depth) {
    if (depth > kMaxTypeDepth) return false;
    switch (type.cls) {
        case TypeClass::kInteger:
        case TypeClass::kBitField:
            put_integer(out, type);
            return true;
        case TypeClass::kFloat:
            put_float(out, type);
            return true;
        case TypeClass::kTime:
            put_head(out, type, kPlainVersion, order_bit(type), type.size_bytes);
            put(out, 2, type.precision_bits);
            return true;
        case TypeClass::kString:
            put_head(out, type, kPlainVersion, text_bits(type), type.size_bytes);
            return true;
        case TypeClass::kOpaque:
            return put_opaque(out, type);
        case TypeClass::kReference:
            return put_reference(out, type);
        case TypeClass::kCompound:
            return put_compound(out, type, depth);
        case TypeClass::kEnum:
            return put_enum(out, type, depth);
        case TypeClass::kArray:
            return put_array(out, type, depth);
        case TypeClass::kVlen:
            return put_vlen(out, type, depth);
        case TypeClass::kComplex:
            break;  // libhdf5 before 2.0 cannot read it
    }
    return false;
}

}  // namespace

std::optional<WriteType> encode_type(const Datatype& type) {
    WriteType written{{}, type.size_bytes};
    // What does not fit a message of an object header cannot be written.
    if (!put_type(written.message, type, 0) || written.message.size() > kMaxMessageBytes) return std::nullopt;
    return written;
}

}  // namespace ckpt::h5
