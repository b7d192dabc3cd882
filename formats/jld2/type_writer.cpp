// Committed types, parameters, unions and variables.
#include "formats/jld2/type_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "formats/jld2/names.hpp"
#include "formats/jld2/value_types.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

/// Looks at each type below once, until `wanted` says yes.
template <typename Wanted>
bool any_type(TypePtr type, const Wanted& wanted) {
    std::vector<TypePtr> todo = {type};
    std::unordered_set<TypePtr> seen = {type};
    while (!todo.empty()) {
        const TypePtr next = todo.back();
        todo.pop_back();
        if (wanted(*next)) return true;
        for (const TypeParameter& parameter : next->parameters) {
            if (parameter.kind == TypeParameter::Kind::kType && seen.insert(parameter.type).second)
                todo.push_back(parameter.type);
        }
    }
    return false;
}

Space scalar_space() {
    return {};
}

}  // namespace

bool has_variables(TypePtr type) {
    return any_type(type, [](const JuliaType& t) { return t.kind == JuliaType::Kind::kVariable; });
}

bool is_writable(TypePtr type) {
    const auto is_lost = [](const TypeParameter& parameter, const auto& again) -> bool {
        return parameter.kind == TypeParameter::Kind::kOther ||
               std::any_of(parameter.items.begin(), parameter.items.end(),
                           [&](const TypeParameter& item) { return again(item, again); });
    };
    return !any_type(type, [&](const JuliaType& t) {
        return std::any_of(t.parameters.begin(), t.parameters.end(),
                           [&](const TypeParameter& p) { return is_lost(p, is_lost); });
    });
}

TypeMessage number_message(TypeWriter& writer, TypePtr type) {
    if (type->is(kInt128Type) || type->is(kUInt128Type)) return integer_message(16, type->is(kInt128Type));
    const auto dtype = dtype_of(type);
    if (!dtype) throw Error(ErrorCode::kInternal, "no number type: " + JuliaTypes::text(type));
    const DTypeInfo& info = dtype_info(*dtype);
    switch (info.cls) {
        case DTypeClass::kBool:
            return bool_message();
        case DTypeClass::kFloat:
            return float_message(info.bits / 8);
        case DTypeClass::kComplex: {
            const TypeMessage part = float_message(info.bits / 16);
            return writer.commit(type, nullptr, Members{{"re", part}, {"im", part}});
        }
        default:
            return integer_message(info.bits / 8, info.cls == DTypeClass::kSigned);
    }
}

TypeMessage TypeWriter::data_type() {
    const auto found = by_key_.find("DataType");
    if (found != by_key_.end()) return found->second;
    TypeMessage type = compound_message({{"name", text_message()}, {"parameters", reference_list_message()}});
    type.committed = file_.reserve();
    committed_.push_back(type.committed);
    by_key_.emplace("DataType", type);
    Data data;  // it describes itself
    data.heap(file_.heap_text(kDataTypeType));
    data.heap({});
    file_.set_type(type.committed, type, {{"julia_type", type, scalar_space(), data}});
    return type;
}

Data TypeWriter::data_type_element(TypePtr type) {
    Data data;
    data.heap(file_.heap_text(type->is(kUnionTypeName) ? "Core.Union" : type->name));
    std::vector<ObjectId> parameters;
    for (const TypeParameter& item : type->parameters) parameters.push_back(parameter(item));
    data.heap(file_.heap_references(parameters));
    return data;
}

AttributeSpec TypeWriter::type_attribute(std::string name, TypePtr type) {
    return {std::move(name), data_type(), scalar_space(), data_type_element(type)};
}

TypeMessage TypeWriter::commit_new(const std::string& key, TypePtr julia, TypePtr written, TypeMessage datatype,
                                   std::vector<AttributeSpec> attributes) {
    data_type();  // comes first
    std::vector<AttributeSpec> all = {type_attribute("julia_type", julia)};
    if (written != nullptr) all.push_back(type_attribute("written_type", written));
    for (AttributeSpec& attribute : attributes) all.push_back(std::move(attribute));
    datatype.committed = file_.reserve();
    committed_.push_back(datatype.committed);
    file_.set_type(datatype.committed, datatype, all);
    by_key_.emplace(key, datatype);
    return datatype;
}

TypeMessage TypeWriter::commit(TypePtr julia, TypePtr written, const TypeMessage& datatype) {
    const std::string key =
        fmt::format("{} {} {}", julia->number, written != nullptr ? written->number + 1 : 0, datatype.message);
    const auto found = by_key_.find(key);
    return found != by_key_.end() ? found->second : commit_new(key, julia, written, datatype, {});
}

TypeMessage TypeWriter::commit(TypePtr julia, TypePtr written, const Members& members, const FieldTypes& all) {
    const TypeMessage compound = compound_message(members);
    std::string key =
        fmt::format("{} {} {}", julia->number, written != nullptr ? written->number + 1 : 0, compound.message);
    for (const auto& [name, type] : members) key += fmt::format(" {}", type.committed);
    for (const auto& [name, type] : all) key += fmt::format(" {} {}", name, type);
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) return found->second;
    std::vector<AttributeSpec> attributes;
    const bool has_committed = std::any_of(members.begin(), members.end(),
                                           [](const auto& member) { return member.second.committed != kNoObject; });
    if (has_committed) {
        Data data;
        for (const auto& [name, type] : members) data.reference(type.committed);
        attributes.push_back({"field_datatypes", reference_message(), {Space::Kind::kSimple, {members.size()}}, data});
    }
    if (!all.empty()) {  // as JLD2 0.5 says them; earlier versions do not look
        Data names, types;
        for (const auto& [name, type] : all) {
            names.heap(file_.heap_text(name));
            types.reference(type);
        }
        const Space space{Space::Kind::kSimple, {all.size()}};
        attributes.push_back({"field_names", text_message(), space, names});
        attributes.push_back({"field_types", reference_message(), space, types});
    }
    return commit_new(key, julia, written, compound, std::move(attributes));
}

TypeMessage TypeWriter::commit_empty(TypePtr julia, TypePtr written) {
    const std::string key = fmt::format("{} {} empty", julia->number, written != nullptr ? written->number + 1 : 0);
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) return found->second;
    Data one;
    one.number(1, 1);
    return commit_new(key, julia, written, opaque_message(1), {{"empty", integer_message(1, false), {}, one}});
}

TypeMessage TypeWriter::symbol() {
    return commit(types_.plain(kSymbolType), nullptr, text_message());
}

Data TypeWriter::symbol_data(std::string_view text) {
    Data data;
    data.heap(file_.heap_text(text));
    return data;
}

std::vector<std::pair<std::string, ObjectId>> TypeWriter::links() const {
    std::vector<std::pair<std::string, ObjectId>> links;
    for (const ObjectId id : committed_) links.emplace_back(fmt::format("{:08d}", links.size() + 1), id);
    return links;
}

ObjectId TypeWriter::scalar(const TypeMessage& type, const Data& data) {
    const ObjectId id = file_.reserve();
    file_.set_dataset(id, {type, {}, {}, data, nullptr});
    return id;
}

ObjectId TypeWriter::empty(TypePtr type) {
    const TypeMessage committed = commit_empty(type);
    const ObjectId id = file_.reserve();
    file_.set_dataset(id, {committed, {Space::Kind::kNull, {}}, {}, {}, nullptr});
    return id;
}

TypeWriter::Element TypeWriter::element(const TypeParameter& parameter) {
    switch (parameter.kind) {
        case TypeParameter::Kind::kSymbol:
            return {types_.plain(kSymbolType), symbol(), symbol_data(parameter.text)};
        case TypeParameter::Kind::kBool: {
            Data data;
            data.number(1, parameter.integer != 0 ? 1 : 0);
            return {types_.plain("Core.Bool"), bool_message(), data};
        }
        case TypeParameter::Kind::kInteger: {
            Data data;
            data.number(8, static_cast<std::uint64_t>(parameter.integer));
            return {types_.plain("Core.Int64"), integer_message(8, true), data};
        }
        case TypeParameter::Kind::kTuple:
        case TypeParameter::Kind::kValue:
            break;
        default:
            throw Error(ErrorCode::kRefused, "a parameter of a Julia type cannot be written");
    }
    const bool is_tuple = parameter.kind == TypeParameter::Kind::kTuple;
    if (!is_tuple && !parameter.text.empty()) {
        Data data;
        data.bytes(parameter.text);
        const TypePtr type = parameter.type;
        const bool is_number = dtype_of(type) || type->is(kInt128Type) || type->is(kUInt128Type);
        TypeMessage message = is_number
                                  ? number_message(*this, type)
                                  : commit(type, nullptr, opaque_message(static_cast<std::uint32_t>(data.size())));
        return {type, std::move(message), data};
    }
    Members members;
    Data data;
    std::vector<TypePtr> items;
    for (const TypeParameter& item : parameter.items) {
        Element part = element(item);
        items.push_back(part.julia);
        if (!part.type) continue;  // has no bytes
        members.emplace_back(is_tuple ? std::to_string(items.size()) : item.field, *part.type);
        data.append(part.data);
    }
    const TypePtr type = is_tuple ? types_.tuple(items) : parameter.type;
    if (members.empty()) return {type, std::nullopt, {}};
    return {type, commit(type, nullptr, members), data};
}

ObjectId TypeWriter::parameter(const TypeParameter& parameter) {
    if (parameter.kind == TypeParameter::Kind::kType) return type_value(parameter.type);
    const std::string key = JuliaTypes::key(parameter);
    const auto found = parameters_.find(key);
    if (found != parameters_.end()) return found->second;
    const Element value = element(parameter);
    const ObjectId id = value.type ? scalar(*value.type, value.data) : empty(value.julia);
    parameters_.emplace(key, id);
    return id;
}

ObjectId TypeWriter::type_value(TypePtr type) {
    if (type->kind == JuliaType::Kind::kVariable) {
        for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
            if (it->first == type->name) return it->second;
        }
        // A variable that nothing binds stands for anything.
        return type_value(types_.plain("Core.Any"));
    }
    if (!has_variables(type)) {
        const auto found = values_.find(type);
        if (found != values_.end()) return found->second;
        const ObjectId id = new_type_value(type);
        values_.emplace(type, id);
        return id;
    }
    std::string scope;
    for (const auto& [name, id] : variables_) scope += fmt::format("{} {};", name, id);
    const auto [found, is_new] = bound_values_.try_emplace({type, scope}, kNoObject);
    if (is_new) {
        const ObjectId id = new_type_value(type);
        bound_values_[{type, scope}] = id;
        return id;
    }
    return found->second;
}

ObjectId TypeWriter::new_type_value(TypePtr type) {
    if (type->kind == JuliaType::Kind::kWhere) {
        const Members variable_members = {{"name", symbol()}, {"lb", reference_message()}, {"ub", reference_message()}};
        Data variable;
        variable.append(symbol_data(type->name));
        variable.reference(type_value(type->parameters[1].type));
        variable.reference(type_value(type->parameters[2].type));
        const ObjectId bound = scalar(commit(types_.plain("Core.TypeVar"), nullptr, variable_members), variable);
        variables_.emplace_back(type->name, bound);
        Data data;
        data.reference(bound);
        data.reference(type_value(type->parameters[0].type));
        variables_.pop_back();
        const Members members = {{"var", reference_message()}, {"body", reference_message()}};
        return scalar(commit(types_.plain("Core.UnionAll"), nullptr, members), data);
    }
    if (type->is("Core.Union")) {
        if (type->parameters.empty()) return empty(types_.plain("Core.TypeofBottom"));
        std::vector<ObjectId> datatypes, unionalls;
        std::string words;
        for (const TypeParameter& part : type->parameters) {
            const bool is_where = part.type != nullptr && part.type->kind == JuliaType::Kind::kWhere;
            (is_where ? unionalls : datatypes).push_back(parameter(part));
            if (part.type != nullptr) words += (words.empty() ? "" : ", ") + part.type->name;
        }
        Data data;
        data.heap(file_.heap_text("Union{" + words + "}"));
        data.heap(file_.heap_references(datatypes));
        data.heap(file_.heap_references(unionalls));
        const Members members = {{"description", text_message()},
                                 {"datatype", reference_list_message()},
                                 {"unionall", reference_list_message()}};
        return scalar(commit(types_.plain("Core.Union"), nullptr, members), data);
    }
    return scalar(data_type(), data_type_element(type));
}

}  // namespace ckpt::jld2
