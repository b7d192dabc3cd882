// Recursion follows parameters of types only; it is bounded, and no type may contain itself.
#include "formats/jld2/type_reader.hpp"

#include <algorithm>

#include "formats/jld2/names.hpp"
#include "formats/jld2/value_types.hpp"
#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/h5/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr unsigned kMaxTypeDepth = 1000;
constexpr unsigned kWideIntegerBytes = 16;
constexpr std::uint64_t kMostParameterBytes = std::uint64_t{1} << 24;

const h5::CompoundMember* find_member(const h5::Datatype& type, std::string_view name) {
    if (type.cls != h5::TypeClass::kCompound) return nullptr;
    const auto found = std::find_if(type.members.begin(), type.members.end(),
                                    [name](const h5::CompoundMember& m) { return m.name == name; });
    return found != type.members.end() ? &*found : nullptr;
}

std::string_view member_bytes(const h5::CompoundMember& member, std::string_view element) {
    return element.substr(member.offset_bytes, member.type->size_bytes);
}

}  // namespace

/// Counts levels of recursion.
struct TypeReader::Entered {
    explicit Entered(unsigned& depth) : depth_(depth) {
        if (++depth_ > kMaxTypeDepth) {
            --depth_;
            throw_damaged("Julia types are nested more than {} deep", kMaxTypeDepth);
        }
    }
    ~Entered() { --depth_; }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    unsigned& depth_;
};

std::string TypeReader::text(const h5::Datatype& type, std::string_view element) const {
    h5::require(type.cls == h5::TypeClass::kVlen && type.is_string, "the name of a Julia type is no text");
    return h5::name_to_text(file_.heap_value(type, element).bytes);
}

std::vector<std::uint64_t> TypeReader::references(const h5::Datatype& type, std::string_view element) const {
    h5::require(type.cls == h5::TypeClass::kVlen && !type.is_string && type.base->cls == h5::TypeClass::kReference,
                "the parameters of a Julia type are no references");
    const h5::HeapValue found = file_.heap_value(type, element);
    std::vector<std::uint64_t> addresses;
    for (std::size_t i = 0; i < found.count; ++i) {
        const auto bytes = std::string_view(found.bytes).substr(i * type.base->size_bytes, type.base->size_bytes);
        addresses.push_back(file_.reference(*type.base, bytes).address);
    }
    return addresses;
}

std::vector<std::uint64_t> TypeReader::references(const h5::Attribute& attribute) const {
    h5::require(attribute.type->cls == h5::TypeClass::kReference, "attribute '{}' holds no references", attribute.name);
    std::vector<std::uint64_t> addresses;
    const std::size_t size = attribute.type->size_bytes;
    for (std::size_t at = 0; at + size <= attribute.bytes.size(); at += size) {
        addresses.push_back(
            file_.reference(*attribute.type, std::string_view(attribute.bytes).substr(at, size)).address);
    }
    return addresses;
}

const CommittedType& TypeReader::committed(std::uint64_t address) {
    if (const auto found = committed_.find(address); found != committed_.end()) {
        if (!found->second) throw_damaged("the Julia type at address {} contains itself", address);
        return *found->second;
    }
    const Entered entered(depth_);
    committed_[address] = nullptr;
    try {
        const auto object = file_.object(address);
        auto type = std::make_unique<CommittedType>();
        type->datatype = object->named_datatype();
        std::vector<std::string> names;
        std::vector<std::uint64_t> addresses;
        const h5::AttributeList list = object->attributes();
        for (const h5::Attribute& attribute : list.attributes) {
            if (attribute.name == "julia_type") {
                type->julia = data_type(*attribute.type, attribute.bytes);
            } else if (attribute.name == "written_type") {
                type->written = data_type(*attribute.type, attribute.bytes);
            } else if (attribute.name == "field_names") {
                const std::size_t size = attribute.type->size_bytes;
                for (std::size_t at = 0; at + size <= attribute.bytes.size(); at += size)
                    names.push_back(text(*attribute.type, std::string_view(attribute.bytes).substr(at, size)));
            } else if (attribute.name == "field_datatypes" || attribute.name == "field_types") {
                addresses = references(attribute);
            }
        }
        for (const Error& error : list.errors) throw error;
        const auto& members = type->datatype->members;
        type->member_types.resize(members.size());
        if (names.empty()) {
            for (std::size_t i = 0; i < members.size() && i < addresses.size(); ++i)
                type->member_types[i] = addresses[i];
        } else {
            h5::require(names.size() == addresses.size(), "a Julia type has {} fields and {} types of them",
                        names.size(), addresses.size());
            for (std::size_t i = 0; i < names.size(); ++i) {
                type->fields.push_back({names[i], addresses[i]});
                for (std::size_t k = 0; k < members.size(); ++k) {
                    if (members[k].name == names[i]) type->member_types[k] = addresses[i];
                }
            }
        }
        return *(committed_[address] = std::move(type));
    } catch (...) {
        committed_.erase(address);
        throw;
    }
}

TypePtr TypeReader::data_type(const h5::Datatype& type, std::string_view element) {
    const auto* name = find_member(type, "name");
    const auto* parameters = find_member(type, "parameters");
    h5::require(name != nullptr && parameters != nullptr, "a Julia type has no name or no parameters");
    std::vector<TypeParameter> read;
    for (const std::uint64_t address : references(*parameters->type, member_bytes(*parameters, element)))
        read.push_back(parameter(address));
    return types_.plain(text(*name->type, member_bytes(*name, element)), std::move(read));
}

TypePtr TypeReader::type_value(const CommittedType& kind, std::string_view element) {
    if (kind.julia == nullptr) return nullptr;
    const h5::Datatype& type = *kind.datatype;
    const auto member = [&](std::string_view name) {
        const auto* found = find_member(type, name);
        h5::require(found != nullptr, "a Julia type of the kind {} has no '{}'", kind.julia->name, name);
        return found;
    };
    const auto reference = [&](std::string_view name) {
        const auto* found = member(name);
        h5::require(found->type->cls == h5::TypeClass::kReference, "'{}' of a Julia type is no reference", name);
        return file_.reference(*found->type, member_bytes(*found, element)).address;
    };
    if (kind.julia->is(kDataTypeType)) return data_type(type, element);
    if (kind.julia->is("Core.Union")) {
        std::vector<TypeParameter> parts;
        if (type.cls == h5::TypeClass::kVlen) {  // before JLD2 0.2: the types themselves
            const h5::HeapValue found = file_.heap_value(type, element);
            const std::size_t size = type.base->size_bytes;
            for (std::size_t at = 0; size > 0 && at + size <= found.bytes.size(); at += size)
                parts.push_back(
                    TypeParameter::of(data_type(*type.base, std::string_view(found.bytes).substr(at, size))));
            return types_.plain("Core.Union", std::move(parts));
        }
        for (const std::string_view name : {"datatype", "unionall"}) {
            const auto* found = member(name);
            for (const std::uint64_t address : references(*found->type, member_bytes(*found, element)))
                parts.push_back(TypeParameter::of(type_at(address)));
        }
        return types_.plain("Core.Union", std::move(parts));
    }
    if (kind.julia->is("Core.UnionAll")) {
        const TypePtr variable = type_at(reference("var"));
        const TypePtr body = type_at(reference("body"));
        if (variable->kind == JuliaType::Kind::kVariable)
            return types_.where(variable->name, types_.plain("Core.Union"), types_.plain("Core.Any"), body);
        h5::require(variable->kind == JuliaType::Kind::kWhere, "the variable of a Julia type is none");
        return types_.where(variable->name, variable->parameters[1].type, variable->parameters[2].type, body);
    }
    if (kind.julia->is("Core.TypeVar")) {
        const auto* name = member("name");
        std::string text;
        if (name->type->cls == h5::TypeClass::kVlen) text = this->text(*name->type, member_bytes(*name, element));
        h5::require(!text.empty(), "a type variable has no name");
        const TypePtr lower = type_at(reference("lb"));
        const TypePtr upper = type_at(reference("ub"));
        const TypePtr variable = types_.variable(text);
        if (lower->is("Core.Union") && lower->parameters.empty() && upper->is("Core.Any")) return variable;
        return types_.where(text, lower, upper, variable);  // a bounded variable, taken apart by its UnionAll
    }
    return nullptr;
}

TypePtr TypeReader::type_at(std::uint64_t address) {
    if (const auto found = values_.find(address); found != values_.end()) {
        if (found->second == nullptr) throw_damaged("the Julia type at address {} contains itself", address);
        return found->second;
    }
    const Entered entered(depth_);
    values_[address] = nullptr;
    try {
        const TypePtr type = read_type_at(address);
        return values_[address] = type;
    } catch (...) {
        values_.erase(address);
        throw;
    }
}

TypePtr TypeReader::read_type_at(std::uint64_t address) {
    const auto object = file_.object(address);
    if (object->kind() == h5::ObjectKind::kNamedDatatype) {
        const CommittedType& type = committed(address);
        if (type.julia == nullptr) throw_damaged("the datatype at address {} is no Julia type", address);
        return type.julia;
    }
    const h5::Dataset dataset = object->dataset();
    TypePtr type = nullptr;
    if (dataset.type_is_committed) {
        const CommittedType& kind = committed(dataset.type_address);
        if (dataset.space.kind == h5::Dataspace::Kind::kNull) {
            if (kind.julia != nullptr && kind.julia->is("Core.TypeofBottom")) type = types_.plain("Core.Union");
        } else {
            type = type_value(kind, read_all(*file_.data(dataset), kMostParameterBytes));
        }
    }
    if (type == nullptr) throw_damaged("the object at address {} is no Julia type", address);
    // Where a bounded variable stands for itself, its bounds are said by the UnionAll around it.
    return type;
}

TypeParameter TypeReader::parameter(std::uint64_t address) {
    const Entered entered(depth_);
    const auto object = file_.object(address);
    if (object->kind() == h5::ObjectKind::kNamedDatatype) return TypeParameter::of(type_at(address));
    const h5::Dataset dataset = object->dataset();
    const CommittedType* kind = dataset.type_is_committed ? &committed(dataset.type_address) : nullptr;
    if (dataset.space.kind == h5::Dataspace::Kind::kNull) {
        if (kind != nullptr && kind->julia != nullptr && kind->julia->is("Core.TypeofBottom"))
            return TypeParameter::of(type_at(address));
        if (kind != nullptr && kind->julia != nullptr) return value_without_bytes(kind->julia);
    } else if (dataset.space.kind == h5::Dataspace::Kind::kScalar) {
        const bool is_type = kind != nullptr && kind->julia != nullptr &&
                             (kind->julia->is(kDataTypeType) || kind->julia->is("Core.Union") ||
                              kind->julia->is("Core.UnionAll") || kind->julia->is("Core.TypeVar"));
        if (is_type) {
            const TypePtr type = type_at(address);
            // A bounded variable inside of the type that it belongs to.
            if (kind->julia->is("Core.TypeVar") && type->kind == JuliaType::Kind::kWhere)
                return TypeParameter::of(types_.variable(type->name));
            return TypeParameter::of(type);
        }
        return element_parameter(*dataset.type, kind, read_all(*file_.data(dataset), kMostParameterBytes));
    }
    TypeParameter other;
    other.kind = TypeParameter::Kind::kOther;
    if (kind != nullptr && kind->julia != nullptr) other.text = kind->julia->name;
    return other;
}

/// `nothing`, (), a function, a struct without fields: its type says it all.
TypeParameter TypeReader::value_without_bytes(TypePtr type) {
    if (!type->is("Core.Tuple")) return TypeParameter::value(type, {});
    TypeParameter tuple = TypeParameter::tuple({});
    for (const TypePtr item : item_types(type)) {
        const Entered entered(depth_);
        tuple.items.push_back(value_without_bytes(item));
    }
    return tuple;
}

TypeParameter TypeReader::element_parameter(const h5::Datatype& type, const CommittedType* committed_type,
                                            std::string_view element) {
    const Entered entered(depth_);
    const TypePtr julia = committed_type != nullptr ? committed_type->julia : nullptr;
    if (julia != nullptr && julia->is(kSymbolType) && type.cls == h5::TypeClass::kVlen)
        return TypeParameter::symbol(text(type, element));
    if (julia == nullptr && type.cls == h5::TypeClass::kInteger && type.size_bytes == 8 && type.is_signed)
        return TypeParameter::of(static_cast<std::int64_t>(h5::little_endian(element)));
    if (julia == nullptr && type.cls == h5::TypeClass::kBitField) {
        TypeParameter parameter = TypeParameter::of(element.front() != 0 ? 1 : 0);
        parameter.kind = TypeParameter::Kind::kBool;
        return parameter;
    }
    if (julia == nullptr && type.cls == h5::TypeClass::kInteger && type.size_bytes == kWideIntegerBytes)
        return TypeParameter::value(types_.plain(type.is_signed ? kInt128Type : kUInt128Type), std::string(element));
    if (julia == nullptr && h5::dtype_of(type))
        return TypeParameter::value(element_type(types_, *h5::dtype_of(type)), std::string(element));
    if (julia != nullptr && type.cls == h5::TypeClass::kOpaque)
        return TypeParameter::value(julia, std::string(element));
    if (julia != nullptr && type.cls == h5::TypeClass::kCompound) {
        const auto stored = [&](const h5::CompoundMember& found) {
            const std::uint64_t address =
                committed_type->member_types.at(static_cast<std::size_t>(&found - type.members.data()));
            return element_parameter(*found.type, address != 0 ? &committed(address) : nullptr,
                                     member_bytes(found, element));
        };
        if (julia->is("Core.Tuple")) {
            TypeParameter tuple = TypeParameter::tuple({});
            const auto items = item_types(julia);
            for (std::size_t i = 0; i < items.size(); ++i) {
                const auto* found = find_member(type, std::to_string(i + 1));
                tuple.items.push_back(found != nullptr ? stored(*found) : value_without_bytes(items[i]));
            }
            return tuple;
        }
        TypeParameter value = TypeParameter::value(julia, {});
        for (const h5::CompoundMember& found : type.members) {
            value.items.push_back(stored(found));
            value.items.back().field = found.name;
        }
        return value;
    }
    if (type.cls == h5::TypeClass::kReference) {
        const std::uint64_t address = file_.reference(type, element).address;
        // Tuples of many equal items are written as arrays.
        if (julia != nullptr && julia->is("Core.Tuple")) return array_parameter(address);
        if (address != 0 && address != h5::kUndefinedAddress) return parameter(address);
    }
    TypeParameter other;
    other.kind = TypeParameter::Kind::kOther;
    if (julia != nullptr) other.text = julia->name;
    return other;
}

TypeParameter TypeReader::array_parameter(std::uint64_t address) {
    const h5::Dataset dataset = file_.object(address)->dataset();
    const CommittedType* kind = dataset.type_is_committed ? &committed(dataset.type_address) : nullptr;
    const std::string bytes = read_all(*file_.data(dataset), kMostParameterBytes);
    TypeParameter tuple = TypeParameter::tuple({});
    const std::size_t size = dataset.type->size_bytes;
    for (std::size_t at = 0; size > 0 && at + size <= bytes.size(); at += size)
        tuple.items.push_back(element_parameter(*dataset.type, kind, std::string_view(bytes).substr(at, size)));
    return tuple;
}

}  // namespace ckpt::jld2
