// HDF5 datatypes: what one element of a dataset or an attribute is made of.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ckpt::h5 {

class Cursor;
struct Datatype;
using DatatypePtr = std::shared_ptr<const Datatype>;

/// Numbered as in the file.
enum class TypeClass : std::uint8_t {
    kInteger,
    kFloat,
    kTime,
    kString,  ///< fixed length; variable strings are kVlen with `is_string`
    kBitField,
    kOpaque,
    kCompound,
    kReference,
    kEnum,
    kVlen,
    kArray,
    kComplex,
};

enum class ByteOrder : std::uint8_t { kLittle, kBig, kVax };
enum class StringPadding : std::uint8_t { kNulTerminated, kNulPadded, kSpacePadded };
/// kRevised: the kinds of HDF5 1.12 (object, region, attribute), told apart by each element.
enum class ReferenceKind : std::uint8_t { kObject, kRegion, kRevised };

/// Where the fields of a float lie, in bits from the lowest.
struct FloatFields {
    std::uint8_t sign = 0;
    std::uint8_t exponent_at = 0;
    std::uint8_t exponent_bits = 0;
    std::uint8_t mantissa_at = 0;
    std::uint8_t mantissa_bits = 0;
    std::uint8_t normalization = 0;  ///< 0 none, 1 highest bit always set, 2 highest bit implied
    std::uint32_t bias = 0;

    bool operator==(const FloatFields&) const = default;
};

struct CompoundMember {
    std::string name;
    std::uint32_t offset_bytes = 0;
    DatatypePtr type;
};

struct EnumMember {
    std::string name;
    std::string bytes;  ///< the value as the file has it, in the base type's order
};

/// One datatype, checked: sizes are positive (fixed strings may be empty), fields lie inside, members do not overlap.
/// A plain value; only the fields of its class mean anything.
struct Datatype {
    TypeClass cls = TypeClass::kInteger;
    std::uint8_t version = 1;      ///< of the message; 1 to 5
    std::uint32_t size_bytes = 0;  ///< of one element in the file; 16 for variable strings and sequences

    ByteOrder order = ByteOrder::kLittle;  ///< integer, float, bit field, time
    bool is_signed = false;                ///< integer
    std::uint16_t bit_offset = 0;          ///< integer, float, bit field
    std::uint16_t precision_bits = 0;      ///< integer, float, bit field, time
    FloatFields fields;                    ///< float

    bool is_string = false;                                 ///< vlen: text, else a sequence of `base`
    bool is_utf8 = false;                                   ///< strings of both kinds
    StringPadding padding = StringPadding::kNulTerminated;  ///< strings of both kinds
    std::string tag;                                        ///< opaque
    ReferenceKind reference = ReferenceKind::kObject;       ///< reference

    std::vector<CompoundMember> members;   ///< compound, in the file's order
    std::vector<EnumMember> enum_members;  ///< enum, in the file's order
    DatatypePtr base;                      ///< enum, vlen, array, complex
    std::vector<std::uint32_t> dims;       ///< array

    /// Do elements point into the global heap (variable strings, sequences, region references)?
    bool has_heap_references() const;
    /// IEEE-style binary16, binary32 or binary64 in either byte order.
    bool is_ieee_float() const;
    /// A 16-bit float with sign, 8 bits of exponent and 7 of mantissa.
    bool is_bfloat16() const;
    /// h5py's convention: an enum {FALSE, TRUE} of one byte.
    bool is_h5py_bool() const;
    /// h5py's convention: a compound {r, i} of two equal floats, or the complex class of HDF5 2.0.
    bool is_complex() const;
    /// The float that a complex type (`is_complex`) is made of.
    const Datatype& complex_part() const;
};

/// Whose files are read: JLD2 0.4.51 and 0.4.52 wrote datatypes of version 0 where they meant 3.
enum class Dialect : std::uint8_t { kHdf5, kJld2 };

/// Parses a datatype message. Throws Error (kDamaged), and (kUnsupported) for classes and versions nobody knows yet.
DatatypePtr read_datatype(Cursor& cursor, Dialect dialect);

}  // namespace ckpt::h5
