// Types of values, from their kinds, classes and attributes.
#include "formats/jld2/value_types.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "formats/jld2/names.hpp"
#include "formats/shared/h5/dtypes.hpp"

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

bool has_text_keys(const DictNode& dict) {
    return std::all_of(dict.entries.begin(), dict.entries.end(),
                       [](const auto& entry) { return entry.first.is(Kind::kString) && entry.first.type().empty(); });
}

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

TypePtr ValueTypes::type_of(const Value& value, unsigned depth) {
    if (value.node() != nullptr) {
        if (const auto found = known_.find(value.node()); found != known_.end()) return found->second;
        if (depth > kMostNested) return types_.plain("Core.Any");
        const TypePtr type = node_type(value, depth);
        known_.emplace(value.node(), type);
        return type;
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
        items.push_back(type_of(value, depth + 1));
    }
    return types_.named_tuple(names, items);
}

TypePtr ValueTypes::object_type(const Value& value) {
    const Recipe* recipe = value.node()->recipe.get();
    if (recipe == nullptr) return types_.plain("Core.Any");
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
    if (value.type() == kDataTypeType) return types_.plain(kDataTypeType);
    return types_.plain("Core.Any");
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
            if (const TypePtr type = attribute_type(node)) return type;
            return types_.array(types_.plain("Core.Any"), 1);
        case Kind::kTuple: {
            std::vector<TypePtr> items;
            for (const Value& item : value.sequence().items) items.push_back(type_of(item, depth + 1));
            return types_.tuple(items);
        }
        case Kind::kSet:
            if (const TypePtr type = attribute_type(node)) return type;
            return types_.plain("Base.Set", {TypeParameter::of(types_.plain("Core.Any"))});
        case Kind::kDict: {
            const TypePtr type = attribute_type(node);
            if (type != nullptr && type->is(kNamedTupleType) && type->parameters.empty())
                return named_tuple_of(value.dict(), depth);
            if (type != nullptr) return type;
            const TypePtr any = types_.plain("Core.Any");
            const TypePtr key = has_text_keys(value.dict()) ? types_.plain("Core.String") : any;
            return types_.plain("Base.Dict", {TypeParameter::of(key), TypeParameter::of(any)});
        }
        case Kind::kTensor: {
            if (const TypePtr type = attribute_type(node)) return type;
            const TypePtr element = element_type(types_, value.tensor().dtype);
            return element != nullptr ? types_.array(element, value.tensor().shape.size()) : types_.plain("Core.Any");
        }
        case Kind::kObject:
            return object_type(value);
    }
    return types_.plain("Core.Any");
}

}  // namespace ckpt::jld2
