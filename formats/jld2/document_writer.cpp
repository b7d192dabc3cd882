// Groups, scalars, texts, objects and tensors.
#include "formats/jld2/document_writer.hpp"

#include <algorithm>
#include <cstring>

#include "formats/jld2/bits.hpp"
#include "formats/jld2/converted.hpp"
#include "formats/jld2/names.hpp"
#include "formats/jld2/write_document.hpp"
#include "formats/shared/h5/link_name.hpp"
#include "formats/shared/h5/text.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::string_view kUserBlock("HDF5-based Julia Data Format, version 0.1.1\0 (ckpt " CKPT_VERSION
                                      " 64-bit LE)\0",
                                      sizeof("HDF5-based Julia Data Format, version 0.1.1\0 (ckpt " CKPT_VERSION
                                             " 64-bit LE)"));
constexpr std::string_view kBareRoot = "data";  // the name of a root that is no dict

std::string base62(const Value& integer) {
    constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string bytes = integer.integer_bytes();
    const bool is_negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
    if (is_negative) {
        unsigned carry = 1;
        for (char& byte : bytes) {
            carry += static_cast<unsigned char>(~byte);
            byte = static_cast<char>(carry);
            carry >>= 8;
        }
        if (carry != 0) bytes.push_back('\1');
    }
    std::string text;
    while (!bytes.empty()) {
        unsigned rest = 0;
        for (std::size_t i = bytes.size(); i-- > 0;) {
            rest = rest << 8 | static_cast<unsigned char>(bytes[i]);
            bytes[i] = static_cast<char>(rest / 62);
            rest %= 62;
        }
        text += kDigits[rest];
        while (!bytes.empty() && bytes.back() == '\0') bytes.pop_back();
    }
    if (text.empty()) text = "0";
    if (is_negative) text += '-';
    std::reverse(text.begin(), text.end());
    return text;
}

/// A Char's four bytes: UTF-8, the first in the highest.
std::string char_bytes(std::string_view text) {
    std::string bytes = h5::text_to_name(text).substr(0, 4);
    bytes.resize(4, '\0');
    std::reverse(bytes.begin(), bytes.end());
    return bytes;
}

/// The elements in Julia's order: those of the transposed view, row-major.
BlobPtr column_major_blob(const TensorNode& tensor) {
    TensorNode turned;
    turned.dtype = tensor.dtype;
    turned.shape.assign(tensor.shape.rbegin(), tensor.shape.rend());
    turned.stride.assign(tensor.stride.rbegin(), tensor.stride.rend());
    turned.offset = tensor.offset;
    turned.storage = tensor.storage;
    turned.conj = tensor.conj;
    turned.neg = tensor.neg;
    return logical_blob(turned);
}

}  // namespace

DocumentWriter::DocumentWriter(const Document& document, const WriteOptions& options, const Context& context)
    : document_(document),
      options_(options),
      context_(context),
      cuts_(document.root),
      value_types_(types_, &cuts_, options.named_tuples ? DictsAs::kNamedTuples : DictsAs::kDicts),
      notes_(scratch_, value_types_, cuts_),
      file_(options.compress.empty() ? Compression::kNone : Compression::kZlib, options.max_output_bytes),
      type_writer_(file_, types_) {
    notes_.survey(document.root);
}

ObjectId DocumentWriter::object_of(const Value& value) {
    if (value.node() == nullptr) {
        if (value.is_null()) {
            if (nothing_ == kNoObject) {
                nothing_ = file_.reserve();
                write_empty(types_.plain("Core.Nothing"), nothing_, {});
            }
            return nothing_;
        }
        const ObjectId id = file_.reserve();
        write_scalar(value, id, {});
        return id;
    }
    const auto known = objects_.find(value.node());
    if (known != objects_.end()) return known->second;
    if (value.type() == kDataTypeType && is_julia_object(value)) {
        const TypePtr named = types_.parse(value.node()->recipe->callable);
        if (named != nullptr) return objects_[value.node()] = type_writer_.type_value(named);
    }
    const ObjectId id = objects_[value.node()] = file_.reserve();
    tasks_.push_back({value, id});
    return id;
}

/// A part of a container, or nothing where a ring is cut.
Value DocumentWriter::part(const Node* holder, std::size_t index, const Value& value) const {
    return cuts_.has(holder, index) ? Value::null() : value;
}

std::vector<AttributeSpec> DocumentWriter::note_attributes(const Value& value) {
    std::vector<AttributeSpec> attributes;
    const Note note = notes_.note_of(value);
    const auto add_text = [&](std::string name, std::string_view text) {
        if (text.empty()) return;
        Data data;
        data.bytes(text);
        attributes.push_back({std::move(name), fixed_text_message(text.size()), {}, data});
    };
    add_text("ckpt:kind", note.kind);
    add_text("ckpt:type", note.type);
    if (!note.more.is_null()) {
        Data data;
        data.reference(object_of(note.more));
        attributes.push_back({"ckpt:more", reference_message(), {}, data});
    }
    return attributes;
}

bool DocumentWriter::is_group(const Value& value) const {
    return value.is(Kind::kDict) && value.node()->attribute(kGroupAttribute) != nullptr && value.type().empty() &&
           !value.node()->recipe && cuts_.uses(value.node()) <= 1;
}

void DocumentWriter::fill_group(const Value& dict, ObjectId id, bool is_root) {
    std::vector<std::pair<std::string, ObjectId>> links;
    std::unordered_set<std::string> names = {std::string(is_root ? kTypesGroup : "")};
    const Value keys = scratch_.list();
    bool all_are_keys = true;
    std::size_t index = 0;
    for (const auto& [key, value] : dict.dict().entries) {
        h5::LinkName link = h5::link_name(key);
        if (!names.insert(link.name).second) {
            link.is_the_key = false;
            const std::string stem = link.name;
            for (std::size_t n = 2; !names.insert(link.name).second; ++n) link.name = fmt::format("{}~{}", stem, n);
        }
        all_are_keys = all_are_keys && link.is_the_key;
        keys.sequence().items.push_back(key);
        const Value entry = part(dict.node(), index++, value);
        ObjectId target = kNoObject;
        if (is_group(entry)) {
            target = file_.reserve();
            objects_[entry.node()] = target;
            groups_.insert(target);
            tasks_.push_back({entry, target});
        } else {
            target = object_of(entry);
        }
        links.emplace_back(link.name, target);
    }
    std::vector<AttributeSpec> attributes = note_attributes(dict);
    if (!all_are_keys) {
        Data data;
        data.reference(object_of(keys));
        attributes.push_back({"ckpt:keys", reference_message(), {}, data});
    }
    if (!is_root) return file_.set_group(id, links, attributes);
    // The types are known when everything is written.
    const ObjectId types = file_.reserve();
    root_links_ = std::move(links);
    root_attributes_ = std::move(attributes);
    types_group_ = types;
}

ObjectId DocumentWriter::root_object() {
    const ObjectId id = file_.reserve();
    if (document_.root.is(Kind::kDict)) {
        objects_[document_.root.node()] = id;
        fill_group(document_.root, id, true);
        return id;
    }
    root_links_.emplace_back(kBareRoot, object_of(document_.root));
    Data data;
    data.bytes(kBareRoot);
    root_attributes_.push_back({"ckpt:root", fixed_text_message(kBareRoot.size()), {}, data});
    types_group_ = file_.reserve();
    return id;
}

WritePlan DocumentWriter::plan() {
    const ObjectId root = root_object();
    std::size_t done = 0;
    while (!tasks_.empty()) {
        const Task task = tasks_.back();
        tasks_.pop_back();
        if ((++done & 0xff) == 0) context_.check_cancelled();
        if (groups_.contains(task.id)) {
            fill_group(task.value, task.id, false);
        } else {
            write(task);
        }
    }
    const auto types = type_writer_.links();
    file_.set_group(types_group_, types, {});
    if (!types.empty()) root_links_.emplace_back(kTypesGroup, types_group_);
    file_.set_group(root, root_links_, root_attributes_);
    say_what_changes();
    return file_.plan(root, kUserBlock);
}

void DocumentWriter::write(const Task& task) {
    const Value& value = task.value;
    std::vector<AttributeSpec> attributes = note_attributes(value);
    switch (value.kind()) {
        case Kind::kNull:
            return write_empty(types_.plain("Core.Nothing"), task.id, std::move(attributes));
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
        case Kind::kComplex:
            return write_scalar(value, task.id, std::move(attributes));
        case Kind::kString:
            return write_text(value, task.id, std::move(attributes));
        case Kind::kBytes:
            return file_.set_dataset(task.id, {integer_message(1, false),
                                               {Space::Kind::kSimple, {value.as_bytes().size()}},
                                               std::move(attributes),
                                               {},
                                               memory_blob(std::string(value.as_bytes()))});
        case Kind::kList:
            return write_list(value, task.id, std::move(attributes));
        case Kind::kTuple: {
            const TypePtr type = value_types_.type_of(value);
            if (!type->is("Core.Tuple")) return write_list(value, task.id, std::move(attributes));
            return write_fields(type, nullptr, tuple_fields(value), task.id, std::move(attributes));
        }
        case Kind::kSet:
            return write_set(value, task.id, std::move(attributes));
        case Kind::kDict:
            return write_dict(value, task.id, std::move(attributes));
        case Kind::kTensor:
            return write_tensor(value.tensor(), task.id, std::move(attributes));
        case Kind::kObject:
            return write_object(value, task.id, std::move(attributes));
    }
}

void DocumentWriter::write_empty(TypePtr type, ObjectId id, std::vector<AttributeSpec> attributes) {
    file_.set_dataset(id,
                      {type_writer_.commit_empty(type), {Space::Kind::kNull, {}}, std::move(attributes), {}, nullptr});
}

/// A struct, tuple or named tuple; without stored fields it has no bytes.
void DocumentWriter::write_fields(TypePtr type, TypePtr written, const Fields& fields, ObjectId id,
                                  std::vector<AttributeSpec> attributes) {
    if (fields.members.empty()) return write_empty(type, id, std::move(attributes));
    file_.set_dataset(id, {type_writer_.commit(type, written, fields.members, fields.all),
                           {},
                           std::move(attributes),
                           fields.data,
                           nullptr});
}

void DocumentWriter::write_scalar(const Value& value, ObjectId id, std::vector<AttributeSpec> attributes) {
    const TypePtr type = value_types_.type_of(value);
    if (type->is(kBigIntType)) {
        Data data;
        data.heap(file_.heap_text(base62(value)));
        const TypeMessage message = type_writer_.commit(type, types_.plain("Core.String"), text_message());
        return file_.set_dataset(id, {message, {}, std::move(attributes), data, nullptr});
    }
    Data data;
    if (const auto dtype = dtype_of(type)) {
        add_number(data, value, *dtype);
    } else {
        add_wide_integer(data, value, type);
    }
    file_.set_dataset(id, {number_message(type_writer_, type), {}, std::move(attributes), data, nullptr});
}

void DocumentWriter::write_text(const Value& value, ObjectId id, std::vector<AttributeSpec> attributes) {
    Data data;
    if (value.type() == kSymbolType) {
        data = type_writer_.symbol_data(h5::text_to_name(value.as_string()));
        return file_.set_dataset(id, {type_writer_.symbol(), {}, std::move(attributes), data, nullptr});
    }
    if (value.type() == kCharType) {
        data.bytes(char_bytes(value.as_string()));
        const TypeMessage type = type_writer_.commit(types_.plain(kCharType), nullptr, opaque_message(4));
        return file_.set_dataset(id, {type, {}, std::move(attributes), data, nullptr});
    }
    const bool is_escaped = ValueTypes::is_plain_text(value.as_string());
    data.bytes(is_escaped ? h5::text_to_name(value.as_string()) : std::string(value.as_string()));
    file_.set_dataset(id, {fixed_text_message(data.size()), {}, std::move(attributes), data, nullptr});
}

void DocumentWriter::write_object(const Value& value, ObjectId id, std::vector<AttributeSpec> attributes) {
    const TypePtr type = value_types_.type_of(value);
    if (value.type() == kDamagedType) return write_empty(types_.plain("Core.Nothing"), id, std::move(attributes));
    if (!is_julia_object(value)) {
        Fields fields;
        for (const VisibleField& field : visible_fields(scratch_, value)) {
            add_field(fields, field.name, part(value.node(), field.index, field.value), Unstored::kNever);
        }
        return write_fields(type, nullptr, fields, id, std::move(attributes));
    }
    const Recipe& recipe = *value.node()->recipe;
    if (recipe.how == Recipe::How::kGlobal) {
        const bool is_lost = value.type() == kDataTypeType || value.type() == kUndefType;
        return write_empty(is_lost ? types_.plain("Core.Nothing") : type, id, std::move(attributes));
    }
    if (recipe.how == Recipe::How::kNew)
        return write_fields(type, nullptr, struct_fields(value), id, std::move(attributes));
    const bool has_argument = recipe.args.is(Kind::kTuple) && recipe.args.sequence().items.size() == 1;
    const Value written = has_argument ? recipe.args.sequence().items[0] : Value::null();
    if (written.is(Kind::kBytes)) {
        Data data;
        data.bytes(written.as_bytes());
        const TypeMessage opaque = opaque_message(static_cast<std::uint32_t>(std::max<std::size_t>(1, data.size())));
        return file_.set_dataset(
            id, {type_writer_.commit(type, nullptr, opaque), {}, std::move(attributes), data, nullptr});
    }
    const TypePtr written_type = value_types_.type_of(written);
    if (written.type() == kDataTypeType && is_julia_object(written) && written_type->is(kDataTypeType)) {
        TypeMessage in_place = type_writer_.data_type();  // as Type{T} is written
        in_place.committed = kNoObject;
        const TypePtr named = types_.parse(written.node()->recipe->callable);
        if (named != nullptr)
            return file_.set_dataset(id, {type_writer_.commit(type, written_type, in_place),
                                          {},
                                          std::move(attributes),
                                          type_writer_.data_type_element(named),
                                          nullptr});
    }
    if (has_argument && is_without_data(written_type))
        return file_.set_dataset(id, {type_writer_.commit_empty(type, written_type),
                                      {Space::Kind::kNull, {}},
                                      std::move(attributes),
                                      {},
                                      nullptr});
    if (written.is(Kind::kString) && written.type().empty()) {
        Data data;
        data.heap(file_.heap_text(h5::text_to_name(written.as_string())));
        return file_.set_dataset(
            id, {type_writer_.commit(type, written_type, text_message()), {}, std::move(attributes), data, nullptr});
    }
    if (written.is(Kind::kTuple) && written_type->is("Core.Tuple"))
        return write_fields(type, written_type, tuple_fields(written), id, std::move(attributes));
    if (written.is(Kind::kDict) && written_type->is(kNamedTupleType))
        return write_fields(type, written_type, named_tuple_fields(written.dict(), written_type), id,
                            std::move(attributes));
    if (is_julia_object(written) && written.node()->recipe->how == Recipe::How::kNew)
        return write_fields(type, written_type, struct_fields(written), id, std::move(attributes));
    Fields fields;
    if (add_in_place(fields, "1", written)) {
        return file_.set_dataset(id, {type_writer_.commit(type, written_type, fields.members.front().second),
                                      {},
                                      std::move(attributes),
                                      fields.data,
                                      nullptr});
    }
    Data data;
    data.reference(object_of(written));
    file_.set_dataset(
        id, {type_writer_.commit(type, written_type, reference_message()), {}, std::move(attributes), data, nullptr});
}

void DocumentWriter::write_bits(const TensorNode& tensor, TypePtr type, ObjectId id,
                                std::vector<AttributeSpec> attributes) {
    const ObjectId chunks = file_.reserve();
    const BlobPtr words = packed_bits(column_major_blob(tensor));
    file_.set_dataset(chunks,
                      {integer_message(8, false), {Space::Kind::kSimple, {words->size_bytes() / 8}}, {}, {}, words});
    Members dims;
    std::vector<TypePtr> dim_types;
    Fields fields;
    fields.members.emplace_back("chunks", reference_message());
    fields.data.reference(chunks);
    fields.members.emplace_back("len", integer_message(8, true));
    fields.data.number(8, tensor.element_count().value_or(0));
    for (const std::int64_t dim : tensor.shape) {
        dims.emplace_back(std::to_string(dims.size() + 1), integer_message(8, true));
        dim_types.push_back(types_.plain("Core.Int64"));
        fields.data.number(8, static_cast<std::uint64_t>(dim));
    }
    if (!dims.empty()) fields.members.emplace_back("dims", type_writer_.commit(types_.tuple(dim_types), nullptr, dims));
    write_fields(type, nullptr, fields, id, std::move(attributes));
}

void DocumentWriter::write_tensor(const TensorNode& tensor, ObjectId id, std::vector<AttributeSpec> attributes) {
    const TypePtr type = value_types_.type_of(Value::of(const_cast<TensorNode*>(&tensor)));
    if (type->is("Base.BitArray")) return write_bits(tensor, type, id, std::move(attributes));
    if (!tensor.layout.empty() || !tensor.storage) {
        Fields fields;
        for (const auto& [name, value] : tensor.parts) add_field(fields, name, value, Unstored::kNever);
        return write_fields(type, nullptr, fields, id, std::move(attributes));
    }
    const bool is_packed = dtype_width(tensor.dtype) == 0;
    BlobPtr elements = is_packed ? tensor.storage->blob : column_major_blob(tensor);
    if (tensor.dtype == DType::kBFloat16) elements = widened_bfloat16(std::move(elements));
    elements = placed_blob(std::move(elements), "", "");
    Space space{Space::Kind::kSimple, {tensor.shape.rbegin(), tensor.shape.rend()}};
    if (is_packed) space.dims = {elements->size_bytes()};
    if (tensor.shape.empty() && !is_packed) {  // JLD2 says it so
        space.dims = {1};
        attributes.insert(attributes.begin(),
                          {"dimensions", integer_message(8, true), {Space::Kind::kSimple, {0}}, Data()});
    }
    const TypePtr element = element_type(types_, julia_dtype(tensor.dtype));
    file_.set_dataset(id,
                      {number_message(type_writer_, element), space, std::move(attributes), {}, std::move(elements)});
}

}  // namespace ckpt::jld2
