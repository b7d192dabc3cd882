// Lists, dicts, sets, and the fields of structs and tuples.
#include <algorithm>
#include <cstring>

#include "formats/jld2/document_writer.hpp"
#include "formats/jld2/names.hpp"
#include "formats/shared/h5/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

/// Text that is written in the heap; libhdf5 would cut it at a NUL.
bool is_heap_text(const Value& value) {
    return ValueTypes::is_plain_key(value) && value.as_string().find('\0') == std::string_view::npos;
}
bool is_bare(const Value& value) {
    return value.node() == nullptr || value.node()->attributes == nullptr || value.node()->attributes->empty();
}

std::vector<std::int64_t> dims_of(const Value& list, TypePtr type) {
    const Value* dims = list.node()->attribute(kDimsAttribute);
    const bool has_rank = type->parameters.size() == 2 && type->parameters[1].integer != 1;
    if (!has_rank || dims == nullptr) return {static_cast<std::int64_t>(list.sequence().items.size())};
    std::vector<std::int64_t> sizes;
    for (const Value& dim : dims->sequence().items) sizes.push_back(dim.as_int64().value_or(0));
    return sizes;
}

/// Names of fields that have no bytes.
std::unordered_set<std::string_view> unstored_fields(const Value& object) {
    std::unordered_set<std::string_view> unstored;
    const Value* names = object.node()->attribute(kUnstoredAttribute);
    if (names != nullptr && (names->is(Kind::kTuple) || names->is(Kind::kList))) {
        for (const Value& name : names->sequence().items) {
            if (name.is(Kind::kString)) unstored.insert(name.as_string());
        }
    }
    return unstored;
}

Data numbers(const std::vector<std::int64_t>& values) {
    Data data;
    for (const std::int64_t value : values) data.number(8, static_cast<std::uint64_t>(value));
    return data;
}

}  // namespace

/// The bytes of a number as an element of a dtype; false if it has none there.
bool DocumentWriter::add_number(Data& data, const Value& value, DType dtype) {
    const unsigned width = dtype_width(dtype);
    std::string bytes(width, '\0');
    switch (value.kind()) {
        case Kind::kBool:
            bytes[0] = value.as_bool() ? 1 : 0;
            break;
        case Kind::kInt: {
            const std::string number = value.integer_bytes();
            const bool is_negative = !number.empty() && (static_cast<unsigned char>(number.back()) & 0x80) != 0;
            bytes.assign(width, is_negative ? '\xff' : '\0');
            std::memcpy(bytes.data(), number.data(), std::min<std::size_t>(number.size(), width));
            break;
        }
        case Kind::kFloat:
        case Kind::kComplex: {
            const unsigned part = value.is(Kind::kComplex) ? width / 2 : width;
            const std::complex<double> number =
                value.is(Kind::kComplex) ? value.as_complex() : std::complex<double>(value.as_double(), 0);
            const double parts[] = {number.real(), number.imag()};
            for (unsigned i = 0; i * part < width; ++i) {
                if (part == 2) {
                    const std::uint16_t half = double_to_float16(parts[i]);
                    std::memcpy(bytes.data() + i * part, &half, part);
                } else if (part == 4) {
                    const auto single = static_cast<float>(parts[i]);
                    std::memcpy(bytes.data() + i * part, &single, part);
                } else {
                    std::memcpy(bytes.data() + i * part, &parts[i], part);
                }
            }
            break;
        }
        default:
            return false;
    }
    data.bytes(bytes);
    return true;
}

void DocumentWriter::add_wide_integer(Data& data, const Value& value, TypePtr type) {
    constexpr std::size_t kWideBytes = 16;
    std::string bytes = value.integer_bytes();
    const bool is_negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
    bytes.resize(kWideBytes, type->is(kInt128Type) && is_negative ? '\xff' : '\0');
    data.bytes(bytes);
}

/// Numbers, texts and symbols that need nothing said of them stand in the struct itself.
bool DocumentWriter::add_in_place(Fields& fields, const std::string& name, const Value& value) {
    if (!is_bare(value)) return false;
    if (value.is(Kind::kString)) {
        const bool is_symbol = value.type() == kSymbolType;
        if (!is_symbol && !is_heap_text(value)) return false;
        fields.members.emplace_back(name, is_symbol ? type_writer_.symbol() : text_message());
        fields.data.append(type_writer_.symbol_data(h5::text_to_name(value.as_string())));
        return true;
    }
    const bool is_real = value.is(Kind::kBool) || value.is(Kind::kInt) || value.is(Kind::kFloat);
    if (!is_real || !notes_.note_of(value).empty()) return false;
    const TypePtr type = value_types_.type_of(value);
    if (type->is(kInt128Type) || type->is(kUInt128Type)) {
        add_wide_integer(fields.data, value, type);
    } else {
        const auto dtype = dtype_of(type);
        if (!dtype) return false;
        add_number(fields.data, value, *dtype);
    }
    fields.members.emplace_back(name, number_message(type_writer_, type));
    return true;
}

/// Whether the value's own type says it all: also of structs, whose types do not tell. Depth is that of types.
bool DocumentWriter::is_without_bytes(const Value& value) {
    const TypePtr type = value_types_.type_of(value);
    if (is_without_data(type)) return true;
    const auto all_without = [this](const std::vector<std::pair<Value, Value>>& entries) {
        return std::all_of(entries.begin(), entries.end(),
                           [this](const auto& e) { return is_without_bytes(e.second); });
    };
    if (type->is("Core.Tuple") && value.is(Kind::kTuple)) {
        const auto& items = value.sequence().items;
        return std::all_of(items.begin(), items.end(), [this](const Value& item) { return is_without_bytes(item); });
    }
    if (type->is(kNamedTupleType) && value.is(Kind::kDict))
        return type == value_types_.named_tuple_of(value.dict()) && all_without(value.dict().entries);
    const bool is_struct = is_julia_object(value) && value.node()->recipe->how == Recipe::How::kNew;
    if (!is_struct) return false;
    const Value& state = value.node()->recipe->state;
    const auto unstored = unstored_fields(value);
    return !state.is(Kind::kDict) ||
           std::all_of(state.dict().entries.begin(), state.dict().entries.end(), [&](const auto& e) {
               return e.first.is(Kind::kString) && unstored.contains(e.first.as_string());
           });
}

void DocumentWriter::add_field(Fields& fields, const std::string& name, const Value& value, Unstored unstored) {
    if (unstored == Unstored::kWithoutData && is_without_bytes(value)) return;
    if (add_in_place(fields, name, value)) return;
    fields.members.emplace_back(name, reference_message());
    const bool is_unassigned = value.type() == kUndefType && is_julia_object(value);
    fields.data.reference(is_unassigned ? kNoObject : object_of(value));
}

DocumentWriter::Fields DocumentWriter::tuple_fields(const Value& tuple) {
    Fields fields;
    std::size_t index = 0;
    for (const Value& item : tuple.sequence().items) {
        const Value shown = part(tuple.node(), index, item);
        add_field(fields, std::to_string(++index), shown, Unstored::kWithoutData);
    }
    return fields;
}

DocumentWriter::Fields DocumentWriter::named_tuple_fields(const DictNode& dict, TypePtr type) {
    Fields fields;
    const auto items = item_types(type);
    for (std::size_t i = 0; i < dict.entries.size(); ++i) {
        const Value shown = part(&dict, i, dict.entries[i].second);
        const bool is_stored = i < items.size() && !is_without_data(items[i]) &&
                               !(items[i] == value_types_.type_of(shown) && is_without_bytes(shown));
        if (!is_stored) continue;
        add_field(fields, h5::text_to_name(dict.entries[i].first.as_string()), shown, Unstored::kNever);
    }
    return fields;
}

DocumentWriter::Fields DocumentWriter::struct_fields(const Value& object) {
    Fields fields;
    const Recipe& recipe = *object.node()->recipe;
    if (!recipe.state.is(Kind::kDict)) return fields;
    const auto unstored = unstored_fields(object);
    for (const auto& [key, value] : recipe.state.dict().entries) {
        if (!key.is(Kind::kString)) continue;
        const std::string name = h5::text_to_name(key.as_string());
        if (unstored.contains(key.as_string())) {
            fields.all.emplace_back(name, type_writer_.commit_empty(value_types_.type_of(value)).committed);
        } else {
            add_field(fields, name, value, Unstored::kNever);
            fields.all.emplace_back(name, fields.members.back().second.committed);
        }
    }
    if (unstored.empty() || value_types_.type_of(object)->is("Base.Pair")) fields.all.clear();
    return fields;
}

void DocumentWriter::write_references(const std::vector<Value>& items, TypePtr element, ObjectId id, const Space& space,
                                      std::vector<AttributeSpec> attributes, const Node* holder) {
    Data type;
    type.reference(type_writer_.type_value(element));
    attributes.insert(attributes.begin(), {"julia_type", reference_message(), {}, type});
    Data data;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool is_unassigned = items[i].type() == kUndefType && is_julia_object(items[i]);
        data.reference(is_unassigned ? kNoObject : object_of(part(holder, i, items[i])));
    }
    file_.set_dataset(id, {reference_message(), space, std::move(attributes), data, nullptr});
}

void DocumentWriter::write_list(const Value& list, ObjectId id, std::vector<AttributeSpec> attributes) {
    const TypePtr type = value_types_.type_of(list);
    const TypePtr element = type->type_at(0) != nullptr ? type->type_at(0) : types_.plain("Core.Any");
    const auto& items = list.sequence().items;
    const auto dims = dims_of(list, type);
    Space space{Space::Kind::kSimple, {dims.rbegin(), dims.rend()}};
    if (dims.empty()) {
        space.dims = {1};
        attributes.push_back({"dimensions", integer_message(8, true), {Space::Kind::kSimple, {0}}, {}});
    }
    if (is_without_data(element)) {
        const std::vector<std::int64_t> turned(dims.rbegin(), dims.rend());
        if (!dims.empty())
            attributes.push_back(
                {"dimensions", integer_message(8, true), {Space::Kind::kSimple, {dims.size()}}, numbers(turned)});
        return file_.set_dataset(
            id, {type_writer_.commit_empty(element), {Space::Kind::kNull, {}}, std::move(attributes), {}, nullptr});
    }
    if (!element->is("Core.Any") && write_list_in_place(items, element, id, space, attributes)) return;
    write_references(items, element, id, space, std::move(attributes), list.node());
}

/// Arrays whose elements are numbers, texts, or structs of numbers that nothing else refers to.
bool DocumentWriter::write_list_in_place(const std::vector<Value>& items, TypePtr element, ObjectId id,
                                         const Space& space, std::vector<AttributeSpec>& attributes) {
    TypeMessage type;
    Data data;
    const bool is_text = element->is("Core.String") || element->is(kSymbolType);
    const bool is_number = element->is(kInt128Type) || element->is(kUInt128Type) || dtype_of(element);
    const auto is_string = [](const Value& item) { return item.is(Kind::kString) && is_bare(item); };
    if ((is_text || element->is(kCharType)) && !std::all_of(items.begin(), items.end(), is_string)) return false;
    if (is_text) {
        if (element->is("Core.String") && !std::all_of(items.begin(), items.end(), is_heap_text)) return false;
        type = element->is(kSymbolType) ? type_writer_.symbol() : text_message();
        for (const Value& item : items) data.append(type_writer_.symbol_data(h5::text_to_name(item.as_string())));
    } else if (element->is(kCharType)) {
        type = type_writer_.commit(element, nullptr, opaque_message(4));
        for (const Value& item : items) {
            std::string bytes = h5::text_to_name(item.as_string()).substr(0, 4);
            bytes.resize(4, '\0');
            std::reverse(bytes.begin(), bytes.end());
            data.bytes(bytes);
        }
    } else if (is_number) {
        type = number_message(type_writer_, element);
        for (const Value& item : items) {
            if (dtype_of(element)) {
                add_number(data, item, *dtype_of(element));
                continue;
            }
            add_wide_integer(data, item, element);
        }
    } else {
        if (items.empty()) return false;
        Fields first;
        for (const Value& item : items) {
            const bool is_alone = item.node() != nullptr && cuts_.uses(item.node()) == 1 &&
                                  notes_.note_of(item).empty() && value_types_.type_of(item) == element;
            if (!is_alone) return false;
            const bool is_struct = item.is(Kind::kTuple) || (item.is(Kind::kDict) && element->is(kNamedTupleType)) ||
                                   (is_julia_object(item) && item.node()->recipe->how == Recipe::How::kNew);
            if (!is_struct) return false;
            const auto holds_numbers_only = [&] {
                const auto& parts = item.is(Kind::kTuple) ? item.sequence().items : std::vector<Value>();
                const DictNode* dict = item.is(Kind::kDict) ? &item.dict()
                                       : item.is(Kind::kObject) && item.node()->recipe->state.is(Kind::kDict)
                                           ? &item.node()->recipe->state.dict()
                                           : nullptr;
                const auto is_plain = [&](const Value& part) {
                    return is_bare(part) && (part.is(Kind::kBool) || part.is(Kind::kInt) || part.is(Kind::kFloat)) &&
                           dtype_of(value_types_.type_of(part));
                };
                return std::all_of(parts.begin(), parts.end(), is_plain) &&
                       (dict == nullptr || std::all_of(dict->entries.begin(), dict->entries.end(),
                                                       [&](const auto& entry) { return is_plain(entry.second); }));
            };
            if (!holds_numbers_only()) return false;
            Fields fields = item.is(Kind::kTuple)  ? tuple_fields(item)
                            : item.is(Kind::kDict) ? named_tuple_fields(item.dict(), element)
                                                   : struct_fields(item);
            if (fields.members.empty()) return false;
            if (first.members.empty()) first.members = fields.members;
            if (compound_message(fields.members).message != compound_message(first.members).message) return false;
            data.append(fields.data);
        }
        type = type_writer_.commit(element, nullptr, first.members);
    }
    file_.set_dataset(id, {type, space, std::move(attributes), data, nullptr});
    return true;
}

void DocumentWriter::write_dict(const Value& dict, ObjectId id, std::vector<AttributeSpec> attributes) {
    const TypePtr type = value_types_.type_of(dict);
    if (type->is(kNamedTupleType))
        return write_fields(type, nullptr, named_tuple_fields(dict.dict(), type), id, std::move(attributes));
    dict_object(type, dict.dict().entries, dict.node(), dict_form(*dict.node()), id, std::move(attributes));
}

/// What JLD2 0.4.42 and later wrote once for several places is written so again: no other form loads as one Dict.
DocumentWriter::DictForm DocumentWriter::dict_form(const Node& node) const {
    return node.attribute(kSharedAttribute) != nullptr && cuts_.uses(&node) > 1 ? DictForm::kShared : DictForm::kPairs;
}

/// A reference to the array of its pairs, as JLD2 wrote Dicts before 0.4.42 and reads them ever since.
ObjectId DocumentWriter::dict_object(TypePtr type, const std::vector<std::pair<Value, Value>>& entries,
                                     const Node* holder, DictForm form, ObjectId id,
                                     std::vector<AttributeSpec> attributes) {
    const TypePtr key_type = type->type_at(0);
    const TypePtr item_type = type->type_at(1);
    const TypePtr pair = types_.plain("Base.Pair", {TypeParameter::of(key_type), TypeParameter::of(item_type)});
    const bool are_texts = (key_type->is("Core.String") || key_type->is(kSymbolType)) &&
                           std::all_of(entries.begin(), entries.end(), [&](const auto& entry) {
                               return key_type->is(kSymbolType) || is_heap_text(entry.first);
                           });
    const bool has_items = !is_without_data(item_type);
    Members members;
    TypeMessage first = reference_message();
    if (are_texts) first = key_type->is(kSymbolType) ? type_writer_.symbol() : text_message();
    if (dtype_of(key_type)) first = number_message(type_writer_, key_type);
    members.emplace_back("first", first);
    if (has_items)
        members.emplace_back("second",
                             dtype_of(item_type) ? number_message(type_writer_, item_type) : reference_message());
    Data data;
    std::size_t index = 0;
    for (const auto& [key, value] : entries) {
        if (are_texts) {
            data.append(type_writer_.symbol_data(h5::text_to_name(key.as_string())));
        } else if (dtype_of(key_type)) {
            add_number(data, key, *dtype_of(key_type));
        } else {
            data.reference(object_of(key));
        }
        const Value shown = holder != nullptr ? part(holder, index, value) : value;
        ++index;
        if (!has_items) continue;
        const bool is_unassigned = shown.type() == kUndefType && is_julia_object(shown);
        if (dtype_of(item_type)) {
            add_number(data, shown, *dtype_of(item_type));
        } else {
            data.reference(is_unassigned ? kNoObject : object_of(shown));
        }
    }
    const ObjectId pairs = file_.reserve();
    file_.set_dataset(
        pairs,
        {type_writer_.commit(pair, nullptr, members), {Space::Kind::kSimple, {entries.size()}}, {}, data, nullptr});
    Data reference;
    reference.reference(pairs);
    const TypeMessage committed =
        form == DictForm::kShared
            ? type_writer_.commit(type, types_.plain(kSerializedDictType), Members{{"kvvec", reference_message()}})
            : type_writer_.commit(type, types_.array(pair, 1), reference_message());
    file_.set_dataset(id, {committed, {}, std::move(attributes), reference, nullptr});
    return id;
}

void DocumentWriter::write_set(const Value& set, ObjectId id, std::vector<AttributeSpec> attributes) {
    TypePtr type = value_types_.type_of(set);
    TypePtr item = type->type_at(0) != nullptr ? type->type_at(0) : types_.plain("Core.Any");
    const TypePtr dict_type =
        types_.plain("Base.Dict", {TypeParameter::of(item), TypeParameter::of(types_.plain("Core.Nothing"))});
    std::vector<std::pair<Value, Value>> entries;
    for (const Value& value : set.sequence().items) entries.emplace_back(value, Value::null());
    const ObjectId dict = dict_object(dict_type, entries, nullptr, dict_form(*set.node()), file_.reserve(), {});
    Fields fields;
    fields.members.emplace_back("dict", reference_message());
    fields.data.reference(dict);
    write_fields(type, nullptr, fields, id, std::move(attributes));
}

}  // namespace ckpt::jld2
