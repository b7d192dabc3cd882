// Elements of datasets as values: numbers, texts, references, structs.
#include <algorithm>
#include <array>

#include "formats/jld2/names.hpp"
#include "formats/jld2/object_reader.hpp"
#include "formats/jld2/value_types.hpp"
#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/h5/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr unsigned kMaxSingletonDepth = 32;

std::string_view part_of(const h5::CompoundMember& member, std::string_view element) {
    return element.substr(member.offset_bytes, member.type->size_bytes);
}

const h5::CompoundMember* find_member(const h5::Datatype& type, std::string_view name) {
    if (type.cls != h5::TypeClass::kCompound) return nullptr;
    const auto found = std::find_if(type.members.begin(), type.members.end(),
                                    [name](const h5::CompoundMember& m) { return m.name == name; });
    return found != type.members.end() ? &*found : nullptr;
}

/// The digits of big integers: 0-9, A-Z, a-z.
std::optional<std::string> base62_to_bytes(std::string_view text) {
    const bool is_negative = text.starts_with('-');
    if (is_negative) text.remove_prefix(1);
    constexpr std::size_t kMostDigits = 20000;  // the conversion takes quadratic time
    if (text.empty() || text.size() > kMostDigits) return std::nullopt;
    std::string bytes(1, '\0');
    for (const char c : text) {
        unsigned carry = 0;
        if (c >= '0' && c <= '9') {
            carry = static_cast<unsigned>(c - '0');
        } else if (c >= 'A' && c <= 'Z') {
            carry = static_cast<unsigned>(c - 'A') + 10;
        } else if (c >= 'a' && c <= 'z') {
            carry = static_cast<unsigned>(c - 'a') + 36;
        } else {
            return std::nullopt;
        }
        for (char& byte : bytes) {
            carry += 62U * static_cast<unsigned char>(byte);
            byte = static_cast<char>(carry);
            carry >>= 8;
        }
        if (carry != 0) bytes.push_back(static_cast<char>(carry));
    }
    bytes.push_back('\0');
    if (is_negative) {
        unsigned carry = 1;
        for (char& byte : bytes) {
            carry += static_cast<unsigned char>(~byte);
            byte = static_cast<char>(carry);
            carry >>= 8;
        }
    }
    return bytes;
}

/// A Char is its UTF-8 bytes, the first in the highest byte.
std::string char_text(std::string_view bytes) {
    std::string text(bytes.rbegin(), bytes.rend());
    while (text.size() > 1 && text.back() == '\0') text.pop_back();
    return h5::name_to_text(text);
}

}  // namespace

Value ObjectReader::name_object(std::string_view type, std::string callable) {
    auto* node = pool().make<ObjectNode>();
    node->type = type;
    node->recipe = std::make_unique<Recipe>();
    node->recipe->how = Recipe::How::kGlobal;
    node->recipe->callable = std::move(callable);
    return Value::of(node);
}

Value ObjectReader::undef() {
    if (undef_.is_null()) undef_ = name_object(kUndefType, std::string(kUndefType));
    return undef_;
}

void ObjectReader::set_type(Node& node, TypePtr type) {
    node.set_attribute(kTypeAttribute, pool().string(JuliaTypes::text(type)));
}

/// An object of a Julia type. Its recipe names the type with braces, which no class of another language has.
Value ObjectReader::julia_object(TypePtr type, Recipe::How how) {
    auto* node = pool().make<ObjectNode>();
    node->type = type->name;
    node->recipe = std::make_unique<Recipe>();
    node->recipe->how = how;
    node->recipe->callable = JuliaTypes::text(type);
    if (type->parameters.empty()) node->recipe->callable += "{}";
    return Value::of(node);
}

/// The one value of a type that has no data.
Value ObjectReader::singleton(TypePtr type, unsigned depth) {
    count_items(1);
    h5::require(depth <= kMaxSingletonDepth, "types without data are nested more than {} deep", kMaxSingletonDepth);
    if (type->is("Core.Nothing")) return Value::null();
    if (type->is(kMissingType)) return name_object(kMissingType, std::string(kMissingValue));
    if (type->is("Core.Tuple")) {
        std::vector<Value> items;
        for (const TypePtr item : item_types(type)) items.push_back(singleton(item, depth + 1));
        return pool().tuple(std::move(items));
    }
    if (type->is(kNamedTupleType)) {
        const Value dict = pool().dict();
        const auto names = names_of(type);
        const auto items = item_types(type);
        h5::require(names.size() == items.size(), "a NamedTuple has {} names and {} types", names.size(), items.size());
        for (std::size_t i = 0; i < names.size(); ++i)
            dict.dict().entries.emplace_back(pool().string(names[i]), singleton(items[i], depth + 1));
        named_tuples_.emplace_back(&dict.dict(), type);
        return dict;
    }
    if (type->is("Core.TypeofBottom")) return type_object(types_.plain("Core.Union"));
    const auto dot = type->name.rfind('.');
    const std::size_t last = dot == std::string::npos ? 0 : dot + 1;
    if (type->kind == JuliaType::Kind::kPlain && type->parameters.empty() && type->name.size() > last &&
        type->name[last] == '#') {
        std::string name = type->name;
        // typeof(sin) is called "#sin"; closures ("#12#13") have no other name.
        if (name.find('#', last + 1) == std::string::npos) name.erase(last, 1);
        return name_object(kFunctionType, std::move(name));
    }
    const Value object = julia_object(type, Recipe::How::kNew);
    object.node()->recipe->state = pool().dict();
    return object;
}

ObjectReader::Form ObjectReader::form_of(const h5::Datatype& type, const CommittedType* committed) const {
    const TypePtr julia = committed != nullptr ? committed->julia : nullptr;
    const bool is_compound = type.cls == h5::TypeClass::kCompound;
    if (julia == nullptr) return is_compound && !type.is_complex() ? Form::kNamedTuple : Form::kSimple;
    if (committed->written != nullptr) {
        const TypePtr written = committed->written;
        const TypePtr item = written->is("Core.Array") ? written->type_at(0) : nullptr;
        if (written->is("JLD2.SerializedDict") || (item != nullptr && item->is("Base.Pair"))) return Form::kDict;
        if (julia->is("Core.Tuple") && written->is("Core.Array")) return Form::kTuple;
        if (julia->is(kBigIntType) && type.cls == h5::TypeClass::kVlen) return Form::kSimple;
        return Form::kCustom;
    }
    if (!is_compound) {
        const bool is_simple = julia->is(kSymbolType) || julia->is(kCharType) || julia->is("Core.Bool") ||
                               type.cls == h5::TypeClass::kReference;
        return is_simple ? Form::kSimple : Form::kCustom;
    }
    if (julia->is("Base.Complex") && dtype_of(julia)) return Form::kSimple;
    if (julia->is(kDataTypeType) || julia->is("Core.Union") || julia->is("Core.UnionAll") || julia->is("Core.TypeVar"))
        return Form::kSimple;
    if (julia->is("JLD2.InlineUnionEl")) return Form::kSimple;
    if (julia->is("Core.Tuple")) return Form::kTuple;
    if (julia->is(kNamedTupleType)) return Form::kNamedTuple;
    if (julia->is("Base.BitArray") && find_member(type, "chunks") != nullptr) return Form::kBits;
    if (julia->is("Base.Set") && find_member(type, "dict") != nullptr) return Form::kSet;
    return Form::kStruct;
}

Value ObjectReader::shell(Form form, const CommittedType* committed) {
    count_items(1);
    switch (form) {
        case Form::kTuple:
            return pool().tuple();
        case Form::kNamedTuple:
        case Form::kGroup:
            return pool().dict();
        case Form::kDict: {
            const Value dict = pool().dict();
            const TypePtr type = committed->julia;
            const bool is_usual = type->is("Base.Dict") && type->parameters.size() == 2 &&
                                  type->type_at(0) == types_.plain("Core.String") &&
                                  type->type_at(1) == types_.plain("Core.Any");
            if (!is_usual) set_type(dict.dict(), type);
            if (committed->written->is(kSerializedDictType)) shareable_.insert(dict.node());
            return dict;
        }
        case Form::kSet: {
            const Value set = pool().set();
            if (committed->julia->type_at(0) != types_.plain("Core.Any")) set_type(*set.node(), committed->julia);
            return set;
        }
        case Form::kBits: {
            auto* tensor = pool().make<TensorNode>();
            tensor->dtype = DType::kBool;
            set_type(*tensor, committed->julia);
            return Value::of(tensor);
        }
        case Form::kCustom:
            return julia_object(committed->julia, Recipe::How::kCall);
        case Form::kStruct:
            return julia_object(committed->julia, Recipe::How::kNew);
        case Form::kSimple:
        case Form::kList:
            break;
    }
    return pool().list();
}

/// A new set, or the one that was made of the same Dict before.
Value ObjectReader::set_of(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes) {
    const std::uint64_t address = member_reference(type, "dict", bytes);
    Value& set = sets_by_dict_[address];
    if (set.is_null()) return set = shell(Form::kSet, committed);
    met_again_.insert(set.node());
    filled_sets_.insert(set.node());  // or will be, by whoever met it first
    return set;
}

Value ObjectReader::element(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes,
                            std::size_t place, std::string_view name) {
    if (type.size_bytes == 0 && type.cls == h5::TypeClass::kOpaque)
        return committed != nullptr ? singleton(committed->julia) : Value::null();
    const Form form = form_of(type, committed);
    if (form == Form::kSimple) return simple(type, committed, bytes, place, name);
    if (type.cls == h5::TypeClass::kReference) {  // a Dict that JLD2 wrote as its pairs, unassigned
        const std::uint64_t address = file_->reference(type, bytes).address;
        if (address == 0 || address == h5::kUndefinedAddress) return undef();
    }
    const Value value = form == Form::kSet ? set_of(type, committed, bytes) : shell(form, committed);
    if (!filled_sets_.contains(value.node())) fill(form, value, type, committed, bytes, place);
    return value;
}

void ObjectReader::fill(Form form, Value value, const h5::Datatype& type, const CommittedType* committed,
                        std::string_view bytes, std::size_t place) {
    switch (form) {
        case Form::kTuple: {
            if (type.cls == h5::TypeClass::kReference) {
                return fill_tuple_from_array(value.sequence(), file_->reference(type, bytes).address, place);
            }
            const auto items = item_types(committed->julia);
            for (std::size_t i = 0; i < items.size(); ++i) {
                const auto stored = member(type, committed, std::to_string(i + 1), bytes, place);
                value.sequence().items.push_back(stored ? *stored : singleton(items[i]));
            }
            return;
        }
        case Form::kNamedTuple:
            return fill_named_tuple(value.dict(), type, committed, bytes, place);
        case Form::kDict: {
            const std::uint64_t pairs = type.cls == h5::TypeClass::kReference ? file_->reference(type, bytes).address
                                                                              : member_reference(type, "kvvec", bytes);
            const TypePtr written = committed->written;
            const TypePtr pair = written->is("Core.Array") ? written->type_at(0) : committed->julia;
            const TypePtr key = pair->type_at(0);
            return fill_dict(value.dict(), pairs, key != nullptr && key->is(kSymbolType), place);
        }
        case Form::kSet: {
            const auto dict = member(type, committed, "dict", bytes, place);
            if (!dict) return;
            sets_.push_back({&value.sequence(), *dict});
            if (shareable_.contains(dict->node())) shareable_.insert(value.node());
            return;
        }
        case Form::kBits:
            return fill_bits(value.tensor(), type, *committed, bytes, place);
        case Form::kCustom:
            return fill_custom(value, type, *committed, bytes, place);
        default:
            return fill_struct(value, type, committed, bytes, place);
    }
}

std::uint64_t ObjectReader::member_reference(const h5::Datatype& type, std::string_view name,
                                             std::string_view element) const {
    const h5::CompoundMember* found = find_member(type, name);
    h5::require(found != nullptr && found->type->cls == h5::TypeClass::kReference, "there is no reference '{}'", name);
    return file_->reference(*found->type, part_of(*found, element)).address;
}

std::optional<Value> ObjectReader::member(const h5::Datatype& type, const CommittedType* committed,
                                          std::string_view name, std::string_view bytes, std::size_t place) {
    const h5::CompoundMember* found = find_member(type, name);
    if (found == nullptr) return std::nullopt;
    std::uint64_t address = 0;
    if (committed != nullptr && !committed->member_types.empty())
        address = committed->member_types.at(static_cast<std::size_t>(found - type.members.data()));
    const CommittedType* own = address != 0 ? &type_reader_.committed(address) : nullptr;
    return element(*found->type, own, part_of(*found, bytes), place, name);
}

/// The same bytes as values of the type that was written.
const CommittedType& ObjectReader::written_form(const CommittedType& committed) {
    auto& form = written_forms_[&committed];
    if (!form) {
        form = std::make_unique<CommittedType>(committed);
        form->julia = committed.written;
        form->written = nullptr;
    }
    return *form;
}

void ObjectReader::fill_custom(Value value, const h5::Datatype& type, const CommittedType& committed,
                               std::string_view bytes, std::size_t place) {
    Value inner;
    if (committed.written == nullptr) {
        inner = simple(type, nullptr, bytes, place, "1");
    } else if (type.cls == h5::TypeClass::kCompound || committed.written->is(kSymbolType) ||
               committed.written->is(kCharType)) {
        inner = element(type, &written_form(committed), bytes, place, "1");
    } else {
        inner = simple(type, nullptr, bytes, place, "1");
    }
    value.node()->recipe->args = pool().tuple({inner});
}

void ObjectReader::fill_struct(Value value, const h5::Datatype& type, const CommittedType* committed,
                               std::string_view bytes, std::size_t place) {
    const Value state = pool().dict();
    auto& entries = state.dict().entries;
    const Value unstored = pool().tuple();
    const auto add_unstored = [&](const std::string& name, TypePtr field_type) {
        entries.emplace_back(pool().string(name), singleton(field_type));
        unstored.sequence().items.push_back(pool().string(name));
    };
    if (committed->julia->is("Base.Pair")) {
        for (std::size_t i = 0; i < 2; ++i) {
            const std::string name = i == 0 ? "first" : "second";
            const TypePtr field_type = committed->julia->type_at(i);
            if (const auto stored = member(type, committed, name, bytes, place)) {
                entries.emplace_back(pool().string(name), *stored);
            } else if (field_type != nullptr) {
                add_unstored(name, field_type);
            }
        }
    } else if (!committed->fields.empty()) {
        for (const CommittedType::Field& field : committed->fields) {
            if (const auto stored = member(type, committed, field.name, bytes, place)) {
                entries.emplace_back(pool().string(field.name), *stored);
            } else if (field.type != 0) {
                add_unstored(field.name, type_reader_.type_at(field.type));
            }
        }
    } else {
        for (const h5::CompoundMember& stored : type.members)
            entries.emplace_back(pool().string(h5::name_to_text(stored.name)),
                                 *member(type, committed, stored.name, bytes, place));
    }
    value.node()->recipe->state = state;
    if (!unstored.sequence().items.empty()) value.node()->set_attribute(kUnstoredAttribute, unstored);
}

void ObjectReader::fill_named_tuple(DictNode& dict, const h5::Datatype& type, const CommittedType* committed,
                                    std::string_view bytes, std::size_t place) {
    const TypePtr julia = committed != nullptr ? committed->julia : nullptr;
    if (julia == nullptr || names_of(julia).empty()) {
        for (const h5::CompoundMember& stored : type.members)
            dict.entries.emplace_back(pool().string(h5::name_to_text(stored.name)),
                                      *member(type, committed, stored.name, bytes, place));
        named_tuples_.emplace_back(&dict, julia);
        return;
    }
    const auto names = names_of(julia);
    const auto items = item_types(julia);
    h5::require(names.size() == items.size(), "a NamedTuple has {} names and {} types", names.size(), items.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto stored = member(type, committed, h5::text_to_name(names[i]), bytes, place);
        dict.entries.emplace_back(pool().string(names[i]), stored ? *stored : singleton(items[i]));
    }
    named_tuples_.emplace_back(&dict, julia);
}

Value ObjectReader::text_value(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes) {
    const std::string raw = file_->heap_value(type, bytes).bytes;
    const TypePtr julia = committed != nullptr ? committed->julia : nullptr;
    if (julia != nullptr && julia->is(kBigIntType)) {
        const auto number = base62_to_bytes(raw);
        if (!number) throw_damaged("'{}' is no integer of up to 20000 digits in base 62", raw.substr(0, 40));
        const Value value = pool().integer(*number);
        if (!value.as_int64() && !value.as_uint64()) return value;
        return pool().typed_scalar(value, std::string(kBigIntType));
    }
    const Value value = pool().string(h5::name_to_text(raw));
    if (julia != nullptr && julia->is(kSymbolType)) value.node()->type = kSymbolType;
    return value;
}

/// Elements of a union of two types without references: the mask says which of the two there is.
Value ObjectReader::union_element(const h5::Datatype& type, const CommittedType& committed, std::string_view bytes,
                                  std::size_t place, std::string_view name) {
    const h5::CompoundMember* mask = find_member(type, "mask");
    h5::require(mask != nullptr, "a union has no mask");
    const bool is_second = part_of(*mask, bytes).front() != '\0';
    const std::string which = is_second ? "t2" : "t1";
    if (const h5::CompoundMember* found = find_member(type, which)) {
        const auto index = static_cast<std::size_t>(found - type.members.data());
        const std::uint64_t address = committed.member_types.at(index);
        const CommittedType* own = address != 0 ? &type_reader_.committed(address) : nullptr;
        return element(*found->type, own, part_of(*found, bytes), place, name);
    }
    const TypePtr other = committed.julia->type_at(is_second ? 1 : 0);
    h5::require(other != nullptr, "a union does not say its types");
    return singleton(other);
}

Value ObjectReader::simple(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes,
                           std::size_t place, std::string_view name) {
    const TypePtr julia = committed != nullptr ? committed->julia : nullptr;
    switch (type.cls) {
        case h5::TypeClass::kReference: {
            const std::uint64_t address = file_->reference(type, bytes).address;
            const bool is_null = address == 0 || address == h5::kUndefinedAddress;
            return is_null ? undef() : value_at(address, place, std::string(name));
        }
        case h5::TypeClass::kVlen:
            count_items(1);
            // JLD2 leaves unassigned slots zero; libhdf5, whose types are of version 1, so writes empty texts.
            if (type.is_string && type.version >= 3 && bytes.find_first_not_of('\0') == std::string_view::npos)
                return undef();
            if (type.is_string) return text_value(type, committed, bytes);
            break;
        case h5::TypeClass::kString: {
            count_items(1);
            std::string_view text = bytes;
            // Strings of JLD2 have no terminator; those of libhdf5 may.
            if (type.padding == h5::StringPadding::kNulTerminated) text = text.substr(0, text.find('\0'));
            return pool().string(h5::name_to_text(text));
        }
        case h5::TypeClass::kOpaque:
            count_items(1);
            if (julia != nullptr && julia->is("Core.Bool")) return Value::boolean(bytes.front() != '\0');
            if (julia != nullptr && julia->is(kCharType)) {
                const Value value = pool().string(char_text(bytes));
                value.node()->type = kCharType;
                return value;
            }
            return pool().bytes(std::string(bytes));
        case h5::TypeClass::kBitField:
            if (type.size_bytes == 1) return Value::boolean(bytes.front() != '\0');
            break;
        case h5::TypeClass::kCompound: {
            count_items(1);
            if (julia == nullptr) break;
            if (julia->is("JLD2.InlineUnionEl")) return union_element(type, *committed, bytes, place, name);
            if (const TypePtr value = type_reader_.type_value(*committed, bytes)) return type_object(value);
            const auto dtype = dtype_of(julia);
            h5::require(dtype && bytes.size() == dtype_width(*dtype), "a complex number has {} bytes", bytes.size());
            const Value value = h5::number_value(pool(), *dtype, reinterpret_cast<const std::byte*>(bytes.data()));
            if (value.node()->type.empty() && *dtype != DType::kComplex128)
                value.node()->type = JuliaTypes::text(julia);
            return value;
        }
        default:
            break;
    }
    constexpr unsigned kWideBytes = 16;
    if (type.cls == h5::TypeClass::kInteger && type.size_bytes == kWideBytes) {
        count_items(1);
        std::string number(bytes);
        if (!type.is_signed) number.push_back('\0');
        auto* node = pool().make<ScalarNode>(Kind::kInt);
        node->value = pool().integer(number);
        node->type = type.is_signed ? kInt128Type : kUInt128Type;
        return Value::of(node);
    }
    const auto dtype = h5::dtype_of(type);
    if (!dtype) throw_error(ErrorCode::kUnsupported, "elements of this HDF5 type are not read");
    std::string swapped(bytes);
    if (h5::swapped_width(type) != 0) std::reverse(swapped.begin(), swapped.end());
    return h5::number_value(pool(), *dtype, reinterpret_cast<const std::byte*>(swapped.data()));
}

}  // namespace ckpt::jld2
