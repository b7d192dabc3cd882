// Types of values, from their kinds, classes and attributes.
#include "formats/jld2/value_types.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "formats/jld2/names.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/h5/text.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::array<std::pair<DType, std::string_view>, 12> kNumbers = {{
    {DType::kBool, "Core.Bool"},
    {DType::kUInt8, "Core.UInt8"},
    {DType::kUInt16, "Core.UInt16"},
    {DType::kUInt32, "Core.UInt32"},
    {DType::kUInt64, "Core.UInt64"},
    {DType::kInt8, "Core.Int8"},
    {DType::kInt16, "Core.Int16"},
    {DType::kInt32, "Core.Int32"},
    {DType::kInt64, "Core.Int64"},
    {DType::kFloat16, "Core.Float16"},
    {DType::kFloat32, "Core.Float32"},
    {DType::kFloat64, "Core.Float64"},
}};

constexpr std::array<std::pair<DType, DType>, 3> kComplexParts = {{
    {DType::kComplex32, DType::kFloat16},
    {DType::kComplex64, DType::kFloat32},
    {DType::kComplex128, DType::kFloat64},
}};

}  // namespace

TypePtr element_type(JuliaTypes& types, DType dtype) {
    for (const auto& [known, name] : kNumbers) {
        if (known == dtype) return types.plain(name);
    }
    for (const auto& [whole, part] : kComplexParts) {
        if (whole == dtype) return types.plain("Base.Complex", {TypeParameter::of(element_type(types, part))});
    }
    return nullptr;
}

std::optional<DType> dtype_of(TypePtr type) {
    if (type->is("Base.Complex") && type->type_at(0) != nullptr) {
        const auto part = dtype_of(type->type_at(0));
        for (const auto& [whole, known] : kComplexParts) {
            if (part == known) return whole;
        }
        return std::nullopt;
    }
    for (const auto& [dtype, name] : kNumbers) {
        if (type->is(name)) return dtype;
    }
    return std::nullopt;
}

DType julia_dtype(DType dtype) {
    switch (dtype) {
        case DType::kBFloat16:
            return DType::kFloat32;
        case DType::kQInt8:
            return DType::kInt8;
        case DType::kQInt32:
            return DType::kInt32;
        case DType::kBComplex32:
            return DType::kUInt32;
        case DType::kBits16:
            return DType::kUInt16;
        default:
            break;
    }
    const DTypeClass cls = dtype_info(dtype).cls;
    const bool is_julias =
        std::any_of(kNumbers.begin(), kNumbers.end(), [&](const auto& n) { return n.first == dtype; });
    return is_julias || cls == DTypeClass::kComplex ? dtype : DType::kUInt8;
}

TypePtr ValueTypes::type_of(const Value& value, unsigned depth) {
    if (value.node() != nullptr) {
        if (const auto found = known_.find(value.node()); found != known_.end()) return found->second;
        if (depth > kMostNested) return types_.plain("Core.Any");
        known_[value.node()] = types_.plain("Core.Any");  // for what leads back here
        const TypePtr type = node_type(value, depth);
        return known_[value.node()] = type;
    }
    switch (value.kind()) {
        case Kind::kNull:
            return types_.plain("Core.Nothing");
        case Kind::kBool:
            return types_.plain("Core.Bool");
        case Kind::kInt:
            return types_.plain(value.as_int64() ? "Core.Int64" : "Core.UInt64");
        default:
            return types_.plain("Core.Float64");
    }
}

TypePtr ValueTypes::attribute_type(const Node& node) {
    const Value* attribute = node.attribute(kTypeAttribute);
    return attribute != nullptr && attribute->is(Kind::kString) ? types_.parse(attribute->as_string()) : nullptr;
}

TypePtr ValueTypes::named_tuple_of(const DictNode& dict, unsigned depth) {
    std::vector<std::string> names;
    std::vector<TypePtr> items;
    for (const auto& [key, value] : dict.entries) {
        names.emplace_back(key.is(Kind::kString) ? key.as_string() : std::string_view());
        const bool is_cut = cuts_ != nullptr && cuts_->has(&dict, items.size());
        items.push_back(is_cut ? types_.plain("Core.Nothing") : type_of(value, depth + 1));
    }
    return types_.named_tuple(names, items);
}

TypePtr ValueTypes::object_type(const Value& value) {
    const Recipe* recipe = value.node()->recipe.get();
    if (!is_julia_object(value)) {
        std::vector<std::string> names;
        std::vector<TypePtr> items;
        for (const VisibleField& field : visible_fields(scratch_, value)) {
            names.push_back(field.name);
            items.push_back(types_.plain("Core.Any"));
        }
        return types_.named_tuple(names, items);
    }
    if (recipe->how != Recipe::How::kGlobal) {
        const TypePtr type = types_.parse(recipe->callable);
        return type != nullptr && type->kind == JuliaType::Kind::kPlain ? type : types_.plain("Core.Any");
    }
    if (value.type() == kMissingType) return types_.plain(kMissingType);
    if (value.type() == kFunctionType) {
        const auto dot = recipe->callable.rfind('.');
        std::string name = recipe->callable;
        const std::size_t last = dot == std::string::npos ? 0 : dot + 1;
        if (name.find('#', last) == std::string::npos) name.insert(last, 1, '#');
        return types_.plain(name);
    }
    if (value.type() == kDataTypeType) {
        const TypePtr named = types_.parse(recipe->callable);
        if (named == nullptr || named->kind == JuliaType::Kind::kVariable) return types_.plain(kDataTypeType);
        if (named->kind == JuliaType::Kind::kWhere) return types_.plain("Core.UnionAll");
        if (!named->is("Core.Union")) return types_.plain(kDataTypeType);
        return types_.plain(named->parameters.empty() ? "Core.TypeofBottom" : kUnionTypeName);
    }
    return types_.plain("Core.Any");
}

bool ValueTypes::is_plain_key(const Value& key) {
    return key.is(Kind::kString) && key.type().empty() && key.node()->attributes == nullptr &&
           is_plain_text(key.as_string());
}

bool ValueTypes::is_plain_text(std::string_view text) {
    return h5::name_to_text(h5::text_to_name(text)) == text;
}

/// Of numbers and texts, whose elements are written in place: others are converted by Julia where they can be.
bool ValueTypes::fits(const Value& value, TypePtr type) {
    if (type->is(kInt128Type) || type->is(kUInt128Type)) {
        if (!value.is(Kind::kInt) || (!value.type().empty() && type_of(value) != type)) return false;
        const std::string bytes = value.integer_bytes();
        const bool is_negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
        return type->is(kInt128Type) ? bytes.size() <= 16 : !is_negative && bytes.size() <= 17;
    }
    if (value.type() == kUndefType && is_julia_object(value)) return !dtype_of(type);
    if (type->is("Core.String")) return is_plain_key(value);
    if (dtype_of(type) || type->is(kSymbolType) || type->is(kCharType))
        return value.kind() <= Kind::kString && type_of(value) == type;
    return true;
}

TypePtr ValueTypes::list_type(const Value& list) {
    const TypePtr any = types_.array(types_.plain("Core.Any"), 1);
    const TypePtr type = attribute_type(*list.node());
    const TypePtr element = type != nullptr && type->is("Core.Array") ? type->type_at(0) : nullptr;
    if (element == nullptr || type->parameters.size() != 2) return any;
    const auto& items = list.sequence().items;
    const bool is_sound =
        (cuts_ == nullptr || cuts_->of(list.node()) == nullptr) &&
        std::all_of(items.begin(), items.end(), [&](const Value& item) { return fits(item, element); });
    if (!is_sound) return any;
    const Value* dims = list.node()->attribute(kDimsAttribute);
    std::int64_t count = 1;
    std::size_t rank = 1;
    if (dims != nullptr && dims->is(Kind::kTuple)) {
        rank = dims->sequence().items.size();
        for (const Value& dim : dims->sequence().items) {
            if (__builtin_mul_overflow(count, dim.as_int64().value_or(-1), &count)) return any;
        }
    } else {
        count = static_cast<std::int64_t>(items.size());
    }
    return count == static_cast<std::int64_t>(items.size()) ? types_.array(element, rank) : types_.array(element, 1);
}

TypePtr ValueTypes::dict_type(const Value& value, unsigned depth) {
    const DictNode& dict = value.dict();
    const TypePtr any = types_.plain("Core.Any");
    const bool has_plain_keys = std::all_of(dict.entries.begin(), dict.entries.end(),
                                            [](const auto& entry) { return is_plain_key(entry.first); });
    TypePtr type = attribute_type(dict);
    const bool is_offered = dicts_ == DictsAs::kNamedTuples && type == nullptr && !dict.entries.empty() &&
                            dict.entries.size() <= kMostTupleItems;
    if (is_offered && has_plain_keys && std::all_of(dict.entries.begin(), dict.entries.end(), [](const auto& entry) {
            return is_identifier(entry.first.as_string());
        }))
        type = types_.plain(kNamedTupleType);
    if (type != nullptr && type->is(kNamedTupleType) && has_plain_keys) {
        const TypePtr derived = named_tuple_of(dict, depth);
        const bool is_same = !type->parameters.empty() && names_of(type) == names_of(derived) &&
                             item_types(type).size() == dict.entries.size();
        bool is_sound = is_same;
        const auto items = item_types(type);
        for (std::size_t i = 0; i < dict.entries.size() && is_sound; ++i) {
            const Value& item = dict.entries[i].second;
            is_sound = fits(item, items[i]) && (!is_without_data(items[i]) || type_of(item, depth + 1) == items[i]);
        }
        return is_sound ? type : derived;
    }
    TypePtr key = type != nullptr && type->parameters.size() == 2 ? type->type_at(0) : nullptr;
    TypePtr item = type != nullptr && type->parameters.size() == 2 ? type->type_at(1) : nullptr;
    const bool is_dict = type != nullptr && type->kind == JuliaType::Kind::kPlain && type->name.ends_with("Dict") &&
                         key != nullptr && item != nullptr;
    const bool keys_fit =
        is_dict && (key->is(kSymbolType) ? has_plain_keys
                                         : std::all_of(dict.entries.begin(), dict.entries.end(),
                                                       [&](const auto& entry) { return fits(entry.first, key); }));
    if (!keys_fit) key = has_plain_keys ? types_.plain("Core.String") : any;
    const bool items_fit = is_dict && (cuts_ == nullptr || cuts_->of(&dict) == nullptr) &&
                           std::all_of(dict.entries.begin(), dict.entries.end(),
                                       [&](const auto& entry) { return fits(entry.second, item); });
    if (!items_fit) item = any;
    return types_.plain(is_dict ? std::string_view(type->name) : "Base.Dict",
                        {TypeParameter::of(key), TypeParameter::of(item)});
}

TypePtr ValueTypes::tensor_type(const TensorNode& tensor) {
    if (!tensor.layout.empty() || !tensor.storage) {
        std::vector<std::string> names;
        std::vector<TypePtr> items;
        for (const auto& [name, part] : tensor.parts) {
            names.push_back(name);
            items.push_back(types_.plain("Core.Any"));
        }
        return types_.named_tuple(names, items);
    }
    return types_.array(element_type(types_, julia_dtype(tensor.dtype)),
                        dtype_width(tensor.dtype) == 0 ? 1 : tensor.shape.size());
}

TypePtr ValueTypes::node_type(const Value& value, unsigned depth) {
    const Node& node = *value.node();
    switch (value.kind()) {
        case Kind::kNull:
            return types_.plain("Core.Nothing");
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
        case Kind::kComplex: {
            if (const auto dtype = h5::dtype_of_numpy_scalar(node.type)) return element_type(types_, *dtype);
            if (node.type.starts_with("Core.") || node.type.starts_with("Base.")) {
                const TypePtr type = types_.parse(node.type);
                if (type != nullptr) return type;
            }
            if (value.is(Kind::kInt))
                return types_.plain(value.as_int64() ? "Core.Int64" : value.as_uint64() ? "Core.UInt64" : kBigIntType);
            const TypePtr real = types_.plain(value.is(Kind::kBool) ? "Core.Bool" : "Core.Float64");
            return value.is(Kind::kComplex) ? types_.plain("Base.Complex", {TypeParameter::of(real)}) : real;
        }
        case Kind::kString:
            if (node.type == kSymbolType || node.type == kCharType) return types_.plain(node.type);
            return types_.plain("Core.String");
        case Kind::kBytes:
            return types_.array(types_.plain("Core.UInt8"), 1);
        case Kind::kList:
            return list_type(value);
        case Kind::kTuple: {
            const TypePtr any = types_.plain("Core.Any");
            const auto& parts = value.sequence().items;
            std::vector<TypePtr> items;
            for (std::size_t i = 0; i < parts.size() && parts.size() <= kMostTupleItems; ++i) {
                const bool is_cut = cuts_ != nullptr && cuts_->has(&node, i);
                items.push_back(is_cut ? types_.plain("Core.Nothing") : type_of(parts[i], depth + 1));
            }
            const bool is_concrete =
                items.size() == parts.size() && std::find(items.begin(), items.end(), any) == items.end();
            return is_concrete ? types_.tuple(items) : types_.array(any, 1);
        }
        case Kind::kSet:
            if (const TypePtr type = attribute_type(node); type != nullptr && type->type_at(0) != nullptr) {
                const auto& items = value.sequence().items;
                const TypePtr element = type->type_at(0);
                const auto fits_in =
                    [&](const Value& item) {  // symbols are plain text where the set says what they are
                        return fits(item, element) || (element->is(kSymbolType) && is_plain_key(item));
                    };
                if (std::all_of(items.begin(), items.end(), fits_in)) return type;
            }
            return types_.plain("Base.Set", {TypeParameter::of(types_.plain("Core.Any"))});
        case Kind::kDict:
            return dict_type(value, depth);
        case Kind::kTensor: {
            const TensorNode& tensor = value.tensor();
            const TypePtr type = attribute_type(node);
            const bool is_bits = type != nullptr && type->is("Base.BitArray") && tensor.dtype == DType::kBool;
            if (is_bits && tensor.layout.empty() && tensor.storage) return type;
            return tensor_type(tensor);
        }
        case Kind::kObject:
            return object_type(value);
    }
    return types_.plain("Core.Any");
}

}  // namespace ckpt::jld2
