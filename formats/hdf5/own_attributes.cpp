// Typed access to attributes under "ckpt:".
#include "formats/hdf5/own_attributes.hpp"

#include "formats/hdf5/schema.hpp"
#include "formats/hdf5/text.hpp"
#include "formats/hdf5/types.hpp"
#include "libckpt/error.hpp"

namespace ckpt::hdf5 {

std::string foreign_name(std::string_view name) {
    std::string full = fmt::format("{}{}", kForeignPrefix, name_to_text(name));
    if (looks_like_mark(name_to_text(name))) full.insert(kForeignPrefix.size(), "\\");
    return full;
}

OwnAttributes::OwnAttributes(const h5::H5File& file, h5::AttributeList list) : file_(&file) {
    for (h5::Attribute& attribute : list.attributes) {
        auto& into = attribute.name.starts_with(kPrefix) ? own_ : foreign_;
        into.push_back(std::move(attribute));
    }
}

const h5::Attribute* OwnAttributes::find(std::string_view name) const {
    for (const h5::Attribute& attribute : own_) {
        if (attribute.name == name) return &attribute;
    }
    return nullptr;
}

std::optional<std::string> OwnAttributes::text(std::string_view name) const {
    const h5::Attribute* attribute = find(name);
    if (attribute == nullptr) return std::nullopt;
    const bool is_scalar = attribute->space.kind == h5::Dataspace::Kind::kScalar;
    if (is_scalar && attribute->type->cls == h5::TypeClass::kVlen && attribute->type->is_string)
        return file_->heap_value(*attribute->type, attribute->bytes).bytes;
    if (is_scalar && attribute->type->cls == h5::TypeClass::kString)
        return attribute->bytes.substr(0, attribute->bytes.find('\0'));
    // Text that is no string of HDF5's is written as its bytes.
    if (attribute->space.dims.size() == 1 && dtype_of(*attribute->type) == DType::kUInt8) return attribute->bytes;
    throw_damaged("attribute '{}' is no text", name);
}

std::vector<std::int64_t> OwnAttributes::numbers(const h5::Attribute& attribute) const {
    const auto dtype = dtype_of(*attribute.type);
    const bool is_integer = dtype && attribute.type->cls == h5::TypeClass::kInteger;
    if (!is_integer || swapped_width(*attribute.type) != 0)
        throw_damaged("attribute '{}' holds no little-endian integers", attribute.name);
    std::vector<std::int64_t> values;
    const unsigned width = attribute.type->size_bytes;
    const unsigned unused = 64 - 8 * width;
    for (std::size_t at = 0; at + width <= attribute.bytes.size(); at += width) {
        std::uint64_t bits = 0;
        for (unsigned i = 0; i < width; ++i)
            bits |= std::uint64_t{static_cast<unsigned char>(attribute.bytes[at + i])} << (8 * i);
        const bool is_signed = attribute.type->is_signed;
        if (!is_signed && bits >> 63 != 0) throw_damaged("attribute '{}' holds {}", attribute.name, bits);
        values.push_back(is_signed ? static_cast<std::int64_t>(bits << unused) >> unused
                                   : static_cast<std::int64_t>(bits));
    }
    return values;
}

std::optional<std::int64_t> OwnAttributes::integer(std::string_view name) const {
    const h5::Attribute* attribute = find(name);
    if (attribute == nullptr) return std::nullopt;
    const auto values = numbers(*attribute);
    if (values.size() != 1) throw_damaged("attribute '{}' is no single integer", name);
    return values.front();
}

std::optional<std::vector<std::int64_t>> OwnAttributes::integers(std::string_view name) const {
    const h5::Attribute* attribute = find(name);
    if (attribute == nullptr) return std::nullopt;
    return numbers(*attribute);
}

bool OwnAttributes::flag(std::string_view name) const {
    const h5::Attribute* attribute = find(name);
    if (attribute == nullptr) return false;
    if (!attribute->type->is_h5py_bool() || attribute->bytes.size() != 1)
        throw_damaged("attribute '{}' is no bool", name);
    return attribute->bytes[0] != '\0';
}

}  // namespace ckpt::hdf5
