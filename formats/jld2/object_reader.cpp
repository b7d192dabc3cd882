// Groups, datasets and arrays as values. A task fills what was made before; references only make.
#include "formats/jld2/object_reader.hpp"

#include <algorithm>

#include "formats/jld2/bits.hpp"
#include "formats/jld2/names.hpp"
#include "formats/jld2/value_types.hpp"
#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/h5/text.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
constexpr std::uint64_t kItemsOfAnyFile = std::uint64_t{1} << 18;
constexpr std::uint64_t kItemsPerByte = 8;
constexpr std::uint64_t kMostScalarBytes = std::uint64_t{1} << 26;

std::vector<std::int64_t> reversed(const std::vector<std::uint64_t>& dims) {
    return {dims.rbegin(), dims.rend()};
}

std::uint64_t product_of(const std::vector<std::int64_t>& dims) {
    std::uint64_t product = 1;
    for (const std::int64_t dim : dims) {
        h5::require(dim >= 0, "an array has a size of {}", dim);
        if (dim == 0) return 0;
        product = h5::checked_product(product, static_cast<std::uint64_t>(dim), "dimensions");
    }
    return product;
}

}  // namespace

ObjectReader::ObjectReader(std::shared_ptr<const h5::H5File> file, std::string file_name, Document& document,
                           const Context& context)
    : file_(std::move(file)),
      file_name_(std::move(file_name)),
      document_(document),
      context_(context),
      type_reader_(*file_, types_),
      most_items_(kItemsOfAnyFile + kItemsPerByte * file_->size_bytes()) {
    places_.push_back({0, ""});
}

std::string ObjectReader::path_of(std::size_t place) const {
    std::vector<const std::string*> names;
    for (; place != 0; place = places_[place].parent) names.push_back(&places_[place].name);
    std::string path;
    for (auto it = names.rbegin(); it != names.rend(); ++it) {
        if (!path.empty()) path += '/';
        path += escape_key(**it);
    }
    return path.empty() ? "/" : path;
}

std::size_t ObjectReader::add_place(std::size_t parent, std::string name) {
    places_.push_back({parent, std::move(name)});
    return places_.size() - 1;
}

/// Values that are not held by a byte of their own (nothing, (), structs without fields) could be any number.
void ObjectReader::count_items(std::uint64_t count) {
    if (count > most_items_ - items_) {
        throw_error(ErrorCode::kRefused, "more than {} values in a file of {} bytes", most_items_, file_->size_bytes());
    }
    items_ += count;
}

/// Runs `work`; what cannot be read is noted, so that everything else can be.
template <typename Work>
void ObjectReader::keep_damage(std::size_t place, Work work) {
    try {
        work();
    } catch (const Error& error) {
        const bool is_fatal = error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kInternal;
        if (is_fatal) throw;
        document_.damage.emplace_back(error.code(), fmt::format("'{}': {}", path_of(place), error.message()));
    }
}

Value ObjectReader::value_at(std::uint64_t address, std::size_t parent, std::string name) {
    if (const auto found = met_.find(address); found != met_.end()) {
        met_again_.insert(found->second.node());
        return found->second;
    }
    count_items(1);
    const std::size_t place = add_place(parent, std::move(name));
    Value value = name_object(kDamagedType, std::string(kDamagedType));
    keep_damage(place, [&] { value = object_value(address, place); });
    met_[address] = value;
    return value;
}

Value ObjectReader::object_value(std::uint64_t address, std::size_t place) {
    const auto object = file_->object(address);
    switch (object->kind()) {
        case h5::ObjectKind::kNamedDatatype:
            return type_object(type_reader_.type_at(address));
        case h5::ObjectKind::kGroup: {
            Value dict = shell(Form::kGroup, nullptr);
            const ObjectNotes notes = read_notes(*object, place);
            dict.node()->set_attribute(kGroupAttribute, Value::boolean(true));
            met_[address] = dict;
            add_noted(dict, notes, place);
            tasks_.push_back({Form::kGroup, place, object, {}, nullptr, dict, notes});
            return dict;
        }
        case h5::ObjectKind::kDataset:
            break;
    }
    return dataset_value(object, place);
}

const CommittedType* ObjectReader::committed_type(const h5::Dataset& dataset) {
    if (!dataset.type_is_committed) return nullptr;
    const CommittedType& type = type_reader_.committed(dataset.type_address);
    return type.julia != nullptr ? &type : nullptr;
}

ObjectNotes ObjectReader::read_notes(const h5::Object& object, std::size_t place) {
    ObjectNotes notes;
    const h5::AttributeList list = object.attributes();
    for (const Error& error : list.errors) context_.warn(fmt::format("'{}': {}", path_of(place), error.message()));
    for (const h5::Attribute& attribute : list.attributes) {
        const bool is_reference = attribute.type->cls == h5::TypeClass::kReference && !attribute.bytes.empty();
        if (attribute.name == "dimensions" && attribute.type->cls == h5::TypeClass::kInteger &&
            attribute.type->size_bytes == 8) {
            notes.dimensions.emplace();
            for (std::size_t at = attribute.bytes.size(); at >= 8; at -= 8)
                notes.dimensions->push_back(
                    static_cast<std::int64_t>(h5::little_endian(std::string_view(attribute.bytes).substr(at - 8, 8))));
        } else if (attribute.name == "julia_type" && is_reference) {
            notes.element_type = file_->reference(*attribute.type, attribute.bytes).address;
        } else if (attribute.name == "ckpt:more" && is_reference) {
            notes.more = file_->reference(*attribute.type, attribute.bytes).address;
        } else if (attribute.name == "ckpt:keys" && is_reference) {
            notes.keys = file_->reference(*attribute.type, attribute.bytes).address;
        } else if (attribute.type->cls == h5::TypeClass::kString) {
            if (attribute.name == "ckpt:root") notes.root = attribute.bytes;
            if (attribute.name == "ckpt:kind") notes.kind = attribute.bytes;
            if (attribute.name == "ckpt:type") notes.type = attribute.bytes;
        }
    }
    return notes;
}

void ObjectReader::add_noted(Value& value, const ObjectNotes& notes, std::size_t place) {
    if (notes.kind.empty() && notes.type.empty() && notes.more == 0) return;
    if (value.node() == nullptr) {  // held in place: a node for what is said of it
        Node* node = nullptr;
        if (value.is_null()) {
            node = pool().make<Node>(Kind::kNull);
        } else {
            auto* scalar = pool().make<ScalarNode>(value.kind());
            scalar->value = value;
            node = scalar;
        }
        value = Value::of(node);
    }
    noted_.push_back({value.node(), notes.kind, notes.type, {}, path_of(place)});
    if (notes.more != 0) more_.emplace_back(noted_.size() - 1, notes.more);
}

Value ObjectReader::dataset_value(std::shared_ptr<const h5::Object> object, std::size_t place) {
    const std::uint64_t address = object->address();
    h5::Dataset dataset = object->dataset();
    const CommittedType* type = committed_type(dataset);
    const ObjectNotes notes = read_notes(*object, place);
    Value value;
    Form form = Form::kSimple;
    switch (dataset.space.kind) {
        case h5::Dataspace::Kind::kNull:
            value = null_value(dataset, type, notes);
            break;
        case h5::Dataspace::Kind::kScalar:
            form = form_of(*dataset.type, type);
            if (form == Form::kSimple) {
                value = simple(*dataset.type, type, read_all(*file_->data(dataset), kMostScalarBytes), place, "1");
            } else if (form == Form::kSet) {
                value = set_of(*dataset.type, type, read_all(*file_->data(dataset), kMostScalarBytes));
                if (filled_sets_.contains(value.node())) form = Form::kSimple;
            } else {
                value = shell(form, type);
            }
            break;
        case h5::Dataspace::Kind::kSimple:
            value = array_value(dataset, type, notes, place);
            if (value.is(Kind::kList)) form = Form::kList;
            break;
    }
    add_noted(value, notes, place);
    met_[address] = value;
    if (form != Form::kSimple)
        tasks_.push_back({form, place, std::move(object), std::move(dataset), type, value, notes});
    return value;
}

void ObjectReader::set_dims(Node& list, const std::vector<std::int64_t>& dims) {
    if (dims.size() == 1) return;
    const Value value = pool().tuple();
    for (const std::int64_t dim : dims) value.sequence().items.push_back(Value::integer(dim));
    list.set_attribute(kDimsAttribute, value);
}

/// A dataset without bytes: the type says what it is.
Value ObjectReader::null_value(const h5::Dataset& dataset, const CommittedType* type, const ObjectNotes& notes) {
    const bool is_reference = dataset.type->cls == h5::TypeClass::kReference;
    if (!notes.dimensions) {
        if (type == nullptr) return Value::null();
        if (type->written == nullptr) return singleton(type->julia);
        const Value value = shell(Form::kCustom, type);  // a pointer, as which JLD2 writes nothing
        value.node()->recipe->args = pool().tuple({singleton(type->written)});
        return value;
    }
    const TypePtr element = type != nullptr ? type->julia : types_.plain("Core.Union");
    const std::uint64_t count = product_of(*notes.dimensions);
    h5::require(type != nullptr || is_reference, "an array without bytes does not say what it is of");
    count_items(count);
    const Value list = pool().list();
    for (std::uint64_t i = 0; i < count && type != nullptr; ++i) list.sequence().items.push_back(singleton(element));
    set_type(*list.node(), types_.array(element, notes.dimensions->size()));
    set_dims(*list.node(), *notes.dimensions);
    return list;
}

Value ObjectReader::array_value(const h5::Dataset& dataset, const CommittedType* type, const ObjectNotes& notes,
                                std::size_t place) {
    const auto dims = notes.dimensions ? *notes.dimensions : reversed(dataset.space.dims);
    h5::require(product_of(dims) == dataset.space.element_count, "its dimensions need {} elements, it has {}",
                product_of(dims), dataset.space.element_count);
    std::optional<DType> dtype;
    if (type == nullptr) {
        const bool is_bool = dataset.type->cls == h5::TypeClass::kBitField && dataset.type->size_bytes == 1;
        dtype = is_bool ? DType::kBool : h5::dtype_of(*dataset.type);
    } else if (type->written == nullptr && dataset.type->cls == h5::TypeClass::kCompound) {
        dtype = dtype_of(type->julia);
        if (dtype && dtype_width(*dtype) != dataset.type->size_bytes) dtype.reset();
    } else if (type->julia->is("Core.Bool") && dataset.type->size_bytes == 1) {
        dtype = DType::kBool;
    }
    if (!dtype) return shell(Form::kList, type);
    auto* tensor = pool().make<TensorNode>();
    tensor->dtype = *dtype;
    tensor->shape = dims;
    tensor->stride = column_major_strides(dims);
    BlobPtr data = placed_blob(file_->data(dataset), file_name_, fmt::format("'{}'", path_of(place)));
    data = byte_swapped_blob(std::move(data), type == nullptr ? h5::swapped_width(*dataset.type) : 0);
    tensor->storage = std::make_shared<const Storage>(Storage{std::move(data), ""});
    tensor->check_bounds(path_of(place));
    return Value::of(tensor);
}

void ObjectReader::finish(const Task& task) {
    switch (task.form) {
        case Form::kGroup:
            return fill_group(task);
        case Form::kList:
            return fill_list(task);
        default:
            return fill(task.form, task.value, *task.dataset.type, task.type,
                        read_all(*file_->data(task.dataset), kMostScalarBytes), task.place);
    }
}

void ObjectReader::fill_group(const Task& task) {
    const bool is_root = task.place == 0;
    const h5::LinkList list = task.object->links(h5::LinkOrder::kStored);
    for (const Error& error : list.errors) context_.warn(fmt::format("'{}': {}", path_of(task.place), error.message()));
    auto& entries = task.value.dict().entries;
    for (const h5::Link& link : list.links) {
        if (is_root && link.name == kTypesGroup) continue;
        const std::string name = h5::name_to_text(link.name);
        std::optional<std::uint64_t> address;
        if (link.kind == h5::Link::Kind::kHard) address = link.address;
        if (link.kind == h5::Link::Kind::kSoft) address = file_->resolve(task.object->address(), link.target);
        if (!address) {
            context_.warn(fmt::format("'{}': the link '{}' leads out of the file or nowhere, and is left out",
                                      path_of(task.place), name));
            continue;
        }
        entries.emplace_back(pool().string(name), value_at(*address, task.place, name));
    }
    if (task.notes.keys != 0)
        keys_.push_back({&task.value.dict(), value_at(task.notes.keys, task.place, "ckpt:keys"), task.place});
}

void ObjectReader::fill_list(const Task& task) {
    const h5::Dataset& dataset = task.dataset;
    const h5::Datatype& type = *dataset.type;
    const std::uint64_t count = dataset.space.element_count;
    count_items(count);
    TypePtr element_type = nullptr;
    if (task.type != nullptr) {
        element_type = task.type->julia;
        if (element_type->is("JLD2.InlineUnionEl")) element_type = types_.plain("Core.Union", element_type->parameters);
    } else if (type.cls == h5::TypeClass::kReference) {
        element_type =
            task.notes.element_type != 0 ? type_reader_.type_at(task.notes.element_type) : types_.plain("Core.Any");
    } else if (type.cls == h5::TypeClass::kString || (type.cls == h5::TypeClass::kVlen && type.is_string)) {
        element_type = types_.plain("Core.String");
    } else if (type.cls == h5::TypeClass::kInteger) {
        element_type = types_.plain(type.is_signed ? kInt128Type : kUInt128Type);
    }
    const auto dims = task.notes.dimensions ? *task.notes.dimensions : reversed(dataset.space.dims);
    Node& node = *task.value.node();
    if (element_type != nullptr && !(element_type->is("Core.Any") && dims.size() == 1))
        set_type(node, types_.array(element_type, dims.size()));
    set_dims(node, dims);
    auto& items = task.value.sequence().items;
    const BlobPtr data = file_->data(dataset);
    const std::size_t size = type.size_bytes;
    h5::require(size > 0 || count == 0, "an array of {} elements has no bytes", count);
    std::string block;
    for (std::uint64_t done = 0; done < count;) {
        context_.check_cancelled();
        const std::uint64_t step = std::min<std::uint64_t>(count - done, std::max<std::size_t>(1, kBlockBytes / size));
        block.resize(static_cast<std::size_t>(step) * size);
        data->read(done * size, std::as_writable_bytes(std::span(block.data(), block.size())));
        for (std::size_t i = 0; i < step; ++i) {
            Value item = element(type, task.type, std::string_view(block).substr(i * size, size), task.place,
                                 std::to_string(done + i));
            // Wide integers in an array of them are said to be so by the array.
            const bool is_wide =
                element_type != nullptr && (element_type->is(kInt128Type) || element_type->is(kUInt128Type));
            if (is_wide && item.is(Kind::kInt) && item.node() != nullptr)
                item = static_cast<ScalarNode*>(item.node())->value;
            items.push_back(item);
        }
        done += step;
    }
}

void ObjectReader::fill_bits(TensorNode& tensor, const h5::Datatype& type, const CommittedType& committed,
                             std::string_view bytes, std::size_t place) {
    const auto length = member(type, &committed, "len", bytes, place);
    h5::require(length && length->as_int64() && *length->as_int64() >= 0, "a BitArray has no length");
    std::vector<std::int64_t> dims;
    const auto& parameters = committed.julia->parameters;
    const bool is_vector = parameters.size() == 1 && parameters[0].integer == 1;
    const auto stored = is_vector ? std::nullopt : member(type, &committed, "dims", bytes, place);
    if (stored && stored->is(Kind::kTuple)) {
        for (const Value& dim : stored->sequence().items) {
            h5::require(dim.as_int64().has_value(), "a size of a BitArray is no integer");
            dims.push_back(*dim.as_int64());
        }
    } else if (is_vector) {
        dims = {*length->as_int64()};  // its `dims` were never set
    }
    const auto count = static_cast<std::uint64_t>(*length->as_int64());
    h5::require(product_of(dims) == count, "a BitArray has {} bits, its dimensions need {}", count, product_of(dims));
    const h5::Dataset chunks = file_->object(member_reference(type, "chunks", bytes))->dataset();
    h5::require(chunks.type->cls == h5::TypeClass::kInteger && chunks.type->size_bytes == 8,
                "the chunks of a BitArray are no words of 64 bits");
    BlobPtr words = placed_blob(file_->data(chunks), file_name_, fmt::format("'{}'", path_of(place)));
    tensor.shape = dims;
    tensor.stride = column_major_strides(dims);
    tensor.storage = std::make_shared<const Storage>(Storage{unpacked_bits(std::move(words), count), ""});
}

/// Entries are pairs {first, second}, in place or behind references. `address` is of the array of them.
void ObjectReader::fill_dict(DictNode& dict, std::uint64_t address, bool has_symbol_keys, std::size_t place) {
    const h5::Dataset dataset = file_->object(address)->dataset();
    const CommittedType* type = committed_type(dataset);
    if (dataset.space.kind == h5::Dataspace::Kind::kNull) return;  // no pair of types without data
    const bool is_inline = dataset.type->cls == h5::TypeClass::kCompound;
    h5::require(is_inline || dataset.type->cls == h5::TypeClass::kReference, "a Dict is no array of pairs");
    count_items(dataset.space.element_count);
    const BlobPtr data = file_->data(dataset);
    const std::size_t size = dataset.type->size_bytes;
    std::unordered_map<std::string, std::size_t> texts;
    std::string bytes(size, '\0');
    for (std::uint64_t i = 0; i < dataset.space.element_count; ++i) {
        data->read(i * size, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
        h5::Dataset pair = dataset;
        const CommittedType* pair_type = type;
        std::string pair_bytes = bytes;
        if (!is_inline) {
            pair = file_->object(file_->reference(*dataset.type, bytes).address)->dataset();
            pair_type = committed_type(pair);
            if (pair.space.kind != h5::Dataspace::Kind::kNull)
                pair_bytes = read_all(*file_->data(pair), kMostScalarBytes);
        }
        h5::require(pair_type != nullptr && pair_type->julia->is("Base.Pair"), "an entry of a Dict is no Pair");
        const auto part = [&](std::string_view name, std::size_t index, std::size_t at) {
            std::optional<Value> stored;
            if (pair.space.kind != h5::Dataspace::Kind::kNull)
                stored = member(*pair.type, pair_type, name, pair_bytes, at);
            if (stored) return *stored;
            const TypePtr without_data = pair_type->julia->type_at(index);
            h5::require(without_data != nullptr, "a Pair has no '{}'", name);
            return singleton(without_data);
        };
        Value key = part("first", 0, place);
        if (has_symbol_keys && key.is(Kind::kString)) key = pool().string(std::string(key.as_string()));
        const std::size_t below =
            add_place(place, key.is(Kind::kString) ? std::string(key.as_string()) : std::to_string(i));
        // The value is met under its key.
        const Value value = part("second", 1, below);
        if (key.is(Kind::kString) && key.type().empty()) {
            const auto [found, is_new] = texts.try_emplace(std::string(key.as_string()), dict.entries.size());
            if (!is_new) {  // Julia puts the later one in the place of the first
                dict.entries[found->second].second = value;
                continue;
            }
        }
        dict.entries.emplace_back(key, value);
    }
}

/// Tuples of many equal items are written as arrays of them.
void ObjectReader::fill_tuple_from_array(SequenceNode& tuple, std::uint64_t address, std::size_t place) {
    const h5::Dataset dataset = file_->object(address)->dataset();
    const CommittedType* type = committed_type(dataset);
    count_items(dataset.space.element_count);
    const BlobPtr data = file_->data(dataset);
    const std::size_t size = dataset.type->size_bytes;
    std::string bytes(size, '\0');
    for (std::uint64_t i = 0; i < dataset.space.element_count; ++i) {
        data->read(i * size, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
        tuple.items.push_back(element(*dataset.type, type, bytes, place, std::to_string(i)));
    }
}

/// A NamedTuple is marked as such; its type stands there in full only if the values do not say it.
void ObjectReader::name_types() {
    ValueTypes value_types(types_);
    for (const auto& [dict, type] : named_tuples_) {
        dict->set_attribute(kTypeAttribute, pool().string(std::string(kNamedTupleType)));
    }
    for (const auto& [dict, type] : named_tuples_) {
        if (type != nullptr && value_types.named_tuple_of(*dict) != type) set_type(*dict, type);
    }
}

Value ObjectReader::read_root() {
    const auto root = file_->object(file_->root_address());
    Value dict = pool().dict();
    met_[root->address()] = dict;
    const ObjectNotes root_notes = read_notes(*root, 0);
    add_noted(dict, root_notes, 0);
    tasks_.push_back({Form::kGroup, 0, root, {}, nullptr, dict, root_notes});
    std::uint64_t done = 0;
    const auto run = [&] {
        while (!tasks_.empty()) {
            const Task task = std::move(tasks_.back());
            tasks_.pop_back();
            keep_damage(task.place, [&] { finish(task); });
            if ((++done & 0xff) == 0) context_.check_cancelled();
        }
    };
    run();
    for (std::size_t i = 0; i < more_.size(); ++i) {  // grows while it is read
        const auto [index, address] = more_[i];
        const Value more = value_at(address, 0, "ckpt:more");
        noted_[index].more = more;
        run();
    }
    for (const PendingKeys& pending : keys_) {
        auto& entries = pending.dict->entries;
        const bool is_sound = pending.keys.is(Kind::kList) && pending.keys.sequence().items.size() == entries.size();
        // Names that Julia added have no keys beside them: then the names are the keys.
        if (!is_sound) continue;
        for (std::size_t i = 0; i < entries.size(); ++i) entries[i].first = pending.keys.sequence().items[i];
    }
    for (const PendingSet& pending : sets_) {
        if (!pending.dict.is(Kind::kDict)) continue;
        for (const auto& [key, value] : pending.dict.dict().entries) pending.set->items.push_back(key);
    }
    for (const Node* node : shareable_) {
        if (met_again_.contains(node)) const_cast<Node*>(node)->set_attribute(kSharedAttribute, Value::boolean(true));
    }
    name_types();
    if (!root_notes.root.empty() && dict.dict().entries.size() == 1 && dict.dict().find(root_notes.root) != nullptr)
        return *dict.dict().find(root_notes.root);
    return dict;
}

}  // namespace ckpt::jld2
