// Objects of a file become values, each once; what hangs on them is filled in afterwards, so that nothing recurses.
#include "formats/hdf5/read_document.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "formats/hdf5/elements.hpp"
#include "formats/hdf5/original_layout.hpp"
#include "formats/hdf5/original_type.hpp"
#include "formats/hdf5/own_attributes.hpp"
#include "formats/hdf5/programs.hpp"
#include "formats/hdf5/schema.hpp"
#include "formats/hdf5/tables.hpp"
#include "formats/hdf5/text.hpp"
#include "formats/hdf5/types.hpp"
#include "formats/shared/value_text/value_text.hpp"
#include "formats/shared/views/storages.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::hdf5 {
namespace {

std::optional<Kind> kind_from_name(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(Kind::kObject); ++i) {
        if (kind_name(static_cast<Kind>(i)) == name) return static_cast<Kind>(i);
    }
    return std::nullopt;
}

/// An error that names the object.
class PlacedError : public Error {
public:
    using Error::Error;
};

class DocumentReader {
public:
    DocumentReader(const std::shared_ptr<const h5::H5File>& file, const std::string& file_name, AxisOrder axes,
                   const Context& context)
        : file_(file),
          file_name_(file_name),
          axes_(axes),
          context_(context),
          elements_(*file, document_.pool(), context),
          types_(document_.pool()),
          layouts_(document_.pool()),
          keys_(document_.pool()),
          no_attributes_(std::make_shared<const OwnAttributes>(*file, h5::AttributeList())) {}

    Document run() {
        document_.format = "hdf5";
        places_.add(0, nullptr);
        in_place(0, [&] { read_root(); });
        while (!tasks_.empty()) {
            const Task task = std::move(tasks_.back());
            tasks_.pop_back();
            keep_damage(task.place, [&] { finish(task); });
            if ((++done_ & 0xff) == 0) context_.check_cancelled();
        }
        storages_.finish();
        for (const Shell& shell : shells_) {
            if (shell.held.is(Kind::kList)) shell.object->items = shell.held.sequence().items;
            if (shell.held.is(Kind::kDict)) shell.object->entries = shell.held.dict().entries;
        }
        for (const auto& reference : elements_.references()) {
            const auto found = places_.find(reference.address);
            reference.path->text = found ? path_of(*found) : "(no link leads there)";
        }
        return std::move(document_);
    }

private:
    /// Each link to the dataset is a tensor object of its own, like this one.
    struct Distinct {
        TensorNode* first = nullptr;
        std::optional<SharedStorages::Claim> claim;  ///< where it is a view
        BlobPtr elements;
        std::size_t place = 0;
    };
    /// An object that is there, but not filled.
    struct Task {
        std::size_t place;
        std::shared_ptr<const h5::Object> object;
        std::shared_ptr<const OwnAttributes> attributes;
        Value value;
        bool is_group;
    };
    /// Items or entries of an object, which are a list or dict of their own in the file.
    struct Shell {
        ObjectNode* object;
        Value held;
    };
    using Member = std::pair<Value, Value>;  ///< name and value

    std::string path_of(std::size_t place) const {
        std::vector<const StringNode*> names;
        for (; place != 0; place = places_[place].parent) names.push_back(places_[place].name);
        std::string path;
        for (auto it = names.rbegin(); it != names.rend(); ++it) {
            if (!path.empty()) path += '/';
            path += escape_key((*it)->text);
        }
        return path;
    }

    /// Runs `work`; errors without a path get the one of the place.
    template <typename Work>
    void in_place(std::size_t place, Work work) {
        try {
            work();
        } catch (const PlacedError&) {
            throw;
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            const std::string name = fmt::format("'{}'", shown_path(place));
            const bool is_named = error.message().find(name) != std::string::npos;
            throw PlacedError(error.code(), is_named ? error.message() : name + ": " + error.message());
        }
    }
    std::string shown_path(std::size_t place) const {
        const std::string path = path_of(place);
        return path.empty() ? "/" : path;
    }

    Pool& pool() { return document_.pool(); }

    std::shared_ptr<const OwnAttributes> attributes_of(const h5::Object& object, std::size_t place) {
        h5::AttributeList list = object.attributes();
        for (const Error& error : list.errors) note_damage(place, error);
        if (list.attributes.empty()) return no_attributes_;
        return std::make_shared<const OwnAttributes>(*file_, std::move(list));
    }

    ValueTextReader texts(const std::vector<Member>* members = nullptr) {
        return {pool(),
                [this, members](const ValueReference& reference) {
                    if (reference.where == ValueReference::Where::kAsideValue) return aside(reference.number);
                    for (std::size_t i = 0; members != nullptr && i < members->size(); ++i) {
                        if ((*members)[i].first.as_string() == name_to_text(reference.link))
                            return (*members)[i].second;
                    }
                    throw_damaged("there is no member '{}', which its recipe names", reference.link);
                },
                [this](const std::string& name) { return key_of(name); }};
    }

    Value aside(std::uint64_t number) {
        const auto found = aside_.find(std::to_string(number));
        if (found == aside_.end()) throw_damaged("value {} should stand aside, and does not", number);
        return value_at(found->second, aside_place_, key_node(found->first));
    }

    void read_root() {
        const auto object = file_->object(file_->root_address());
        const auto attributes = attributes_of(*object, 0);
        if (const auto schema = attributes->integer(kSchema)) {
            if (*schema != kSchemaVersion) {
                throw_error(ErrorCode::kUnsupported, "is written in schema {} of ckpt; this version reads schema {}",
                            *schema, kSchemaVersion);
            }
            document_.producer = "ckpt";
        } else {
            document_.producer = producer_of(*attributes);
        }
        if (const auto name = attributes->text(kAside)) {
            aside_name_ = *name;
            read_aside(*object);
        }
        if (const auto name = attributes->text(kRoot)) {
            const h5::LinkList list = object->links();
            const auto link =
                std::find_if(list.links.begin(), list.links.end(), [&](const h5::Link& l) { return l.name == *name; });
            if (link == list.links.end()) throw_damaged("there is no '{}', which should be the root", *name);
            document_.root = linked_value(*link, key_node(link->name), 0, file_->root_address());
        } else {
            document_.root = group_value(object, attributes, 0);
        }
        if (const auto text = attributes->text(kDocument)) {
            for (const auto& [name, value] : texts().object(*text)) document_.set_attribute(name, value);
        }
    }

    void read_aside(const h5::Object& root) {
        for (const h5::Link& link : root.links().links) {
            if (link.name != aside_name_ || link.kind != h5::Link::Kind::kHard) continue;
            aside_place_ = places_.add(0, key_node(aside_name_));
            const auto group = file_->object(link.address);
            if (group->kind() != h5::ObjectKind::kGroup) throw_damaged("'{}' is no group", aside_name_);
            for (const h5::Link& item : group->links().links) {
                if (item.kind == h5::Link::Kind::kHard) aside_.emplace(item.name, item.address);
            }
            return;
        }
        throw_damaged("there is no group '{}', in which values should stand aside", aside_name_);
    }

    Value linked_value(const h5::Link& link, StringNode* key, std::size_t parent, std::uint64_t group) {
        switch (link.kind) {
            case h5::Link::Kind::kHard:
                return value_at(link.address, parent, key);
            case h5::Link::Kind::kSoft:
                if (const auto address = file_->resolve(group, link.target)) return value_at(*address, parent, key);
                return hdf5_object(pool(), kSoftLinkType, {{"target", pool().string(name_to_text(link.target))}});
            case h5::Link::Kind::kExternal:
                return hdf5_object(pool(), kExternalLinkType,
                                   {{"file", pool().string(name_to_text(link.file))},
                                    {"path", pool().string(name_to_text(link.target))}});
            case h5::Link::Kind::kUser:
                break;
        }
        return hdf5_object(
            pool(), kUserLinkType,
            {{"class", Value::integer(link.user_type)}, {"data", pool().bytes(std::string(link.target))}});
    }

    /// The value of the object at an address; made when it is met first.
    Value value_at(std::uint64_t address, std::size_t parent, StringNode* key) {
        if (const auto found = places_.find(address)) {
            const auto distinct = distinct_.find(address);
            return distinct != distinct_.end() ? twin(distinct->second) : places_[*found].value;
        }
        if (places_.size() > context_.limits.max_nodes)
            throw_error(ErrorCode::kRefused, "more than {} objects", context_.limits.max_nodes);
        const std::size_t place = places_.add(parent, key);
        Value value;
        std::shared_ptr<const h5::Object> object;
        std::shared_ptr<const OwnAttributes> attributes;
        keep_damage(place, [&] {
            object = file_->object(address);
            attributes = attributes_of(*object, place);
            switch (object->kind()) {
                case h5::ObjectKind::kGroup:
                    value = group_value(object, attributes, place);
                    break;
                case h5::ObjectKind::kDataset:
                    value = dataset_value(object, attributes, place);
                    break;
                case h5::ObjectKind::kNamedDatatype:
                    value = hdf5_object(pool(), kDatatypeType, {});
                    types_.keep(value, object->named_datatype(), {});
                    tasks_.push_back({place, object, attributes, value, false});
                    break;
            }
        });
        if (!document_.damage.empty() && damaged_place_ == place) {
            value = hdf5_object(pool(), kDamagedType, {});
            places_.set_met(place, address, value);
            distinct_.erase(address);
            if (attributes && !attributes->foreign().empty())
                tasks_.push_back({place, object, attributes, value, false});
        }
        return value;
    }

    /// Runs `work`; what cannot be read is noted, so that everything else can be.
    template <typename Work>
    void keep_damage(std::size_t place, Work work) {
        try {
            in_place(place, work);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kInternal) throw;
            document_.damage.push_back(error);
            damaged_place_ = place;
        }
    }

    /// A link or an attribute that cannot be read: its object is there all the same. What this version does not know is
    /// no damage, and only said.
    void note_damage(std::size_t place, const Error& error) {
        const std::string message = fmt::format("'{}': {}", shown_path(place), error.message());
        if (error.code() == ErrorCode::kDamaged) {
            document_.damage.emplace_back(error.code(), message);
        } else {
            context_.warn(message);
        }
    }

    /// Another tensor object over the same storage.
    Value twin(const Distinct& met) {
        const TensorNode& first = *met.first;
        auto* node = pool().make<TensorNode>();
        node->type = first.type;
        node->dtype = first.dtype;
        node->shape = first.shape;
        node->stride = first.stride;
        node->offset = first.offset;
        node->storage = first.storage;
        node->conj = first.conj;
        node->neg = first.neg;
        node->requires_grad = first.requires_grad;
        node->layout = first.layout;
        if (met.claim) storages_.add(*met.claim, *node, met.elements, path_of(met.place));
        return Value::of(node);
    }

    Value group_value(const std::shared_ptr<const h5::Object>& object,
                      const std::shared_ptr<const OwnAttributes>& attributes, std::size_t place) {
        Kind kind = Kind::kDict;
        if (const auto name = attributes->text(kKind)) {
            const auto known = kind_from_name(*name);
            const bool is_group = known == Kind::kList || known == Kind::kTuple || known == Kind::kSet ||
                                  known == Kind::kDict || known == Kind::kObject || known == Kind::kTensor;
            if (!is_group) throw_damaged("'{}' is no kind of a group", *name);
            kind = *known;
        }
        Node* node = nullptr;
        switch (kind) {
            case Kind::kDict:
                node = pool().make<DictNode>();
                break;
            case Kind::kObject:
                node = pool().make<ObjectNode>();
                break;
            case Kind::kTensor:
                node = pool().make<TensorNode>();
                break;
            default:
                node = pool().make<SequenceNode>(kind);
        }
        node->type = attributes->text(kType).value_or("");
        const Value value = Value::of(node);
        places_.set_met(place, object->address(), value);
        tasks_.push_back({place, object, attributes, value, true});
        return value;
    }

    void finish(const Task& task) {
        const OwnAttributes& attributes = *task.attributes;
        Node& node = *task.value.node();
        if (task.is_group) {
            fill_group(task, node);
        } else if (task.value.is(Kind::kTensor)) {
            finish_tensor(task.value.tensor(), attributes);
        }
        const bool has_recipe = !task.value.is(Kind::kObject);
        if (const auto recipe = has_recipe ? attributes.text(kRecipe) : std::nullopt)
            node.recipe = std::make_unique<Recipe>(texts().recipe(*recipe));
        for (const h5::Attribute& attribute : attributes.foreign()) {
            try {
                Value value = elements_.value(*attribute.type, attribute.space, memory_blob(attribute.bytes));
                types_.keep(value, attribute.type, attribute.space);
                node.set_attribute(foreign_name(attribute.name), value);
            } catch (const Error& error) {
                if (error.code() == ErrorCode::kCancelled) throw;
                note_damage(task.place,
                            Error(error.code(), fmt::format("attribute '{}': {}", attribute.name, error.message())));
            }
        }
        if (const auto text = attributes.text(kAttributes)) {
            for (const auto& [name, value] : texts().object(*text)) node.set_attribute(name, value);
        }
    }

    void fill_group(const Task& task, Node& node) {
        h5::LinkList list = task.object->links();
        for (const Error& error : list.errors) note_damage(task.place, error);
        std::vector<Member> members;
        members.reserve(list.links.size());
        for (const h5::Link& link : list.links) {
            if (task.place == 0 && !aside_name_.empty() && link.name == aside_name_) continue;
            StringNode* key = key_node(link.name);
            const Value value = linked_value(link, key, task.place, task.object->address());
            if (link.kind == h5::Link::Kind::kSoft && value.type() != kSoftLinkType) keep_soft_link(node, link);
            members.emplace_back(Value::of(key), value);
        }
        list = {};  // a large group's are worth giving back
        switch (node.kind) {
            case Kind::kDict:
                static_cast<DictNode&>(node).entries = entries(*task.attributes, std::move(members));
                break;
            case Kind::kObject:
                fill_object(*task.attributes, members, static_cast<ObjectNode&>(node));
                break;
            case Kind::kTensor:
                fill_composite(*task.attributes, std::move(members), static_cast<TensorNode&>(node));
                break;
            default:
                for (std::size_t i = 0; i < members.size(); ++i) {
                    if (members[i].first.as_string() != std::to_string(i))
                        throw_damaged("item {} of a sequence is named '{}'", i, members[i].first.as_string());
                    static_cast<SequenceNode&>(node).items.push_back(members[i].second);
                }
        }
    }

    /// A soft link reads as what it leads to; that it was one is kept beside its group.
    void keep_soft_link(Node& group, const h5::Link& link) {
        const Value* mark = group.attribute(kSoftLinksMark);
        const Value links = mark != nullptr ? *mark : pool().dict();
        links.dict().entries.emplace_back(key_of(link.name), pool().string(name_to_text(link.target)));
        if (mark == nullptr) group.set_attribute(kSoftLinksMark, links);
    }

    /// Members as entries of a dict, under the keys that stand beside them where there are some.
    std::vector<Member> entries(const OwnAttributes& attributes, std::vector<Member> members) {
        const auto text = attributes.text(kKeys);
        if (!text) return members;
        const std::vector<Value> keys = texts().list(*text);
        if (keys.size() != members.size())
            throw_damaged("{} keys are named for {} members", keys.size(), members.size());
        for (std::size_t i = 0; i < keys.size(); ++i) members[i].first = keys[i];
        return members;
    }

    /// Keys of one text are one node, as names are in the memory of the program that wrote them.
    Value key_of(std::string_view name) { return Value::of(key_node(name)); }
    StringNode* key_node(std::string_view name) { return keys_.node(name_to_text(name)); }

    void fill_object(const OwnAttributes& attributes, std::vector<Member>& members, ObjectNode& node) {
        const auto take = [&members](std::string_view name) {
            const auto found = std::find_if(members.begin(), members.end(),
                                            [name](const Member& m) { return m.first.as_string() == name; });
            std::optional<Value> value;
            if (found == members.end()) return value;
            value = found->second;
            members.erase(found);
            return value;
        };
        if (const auto items = take(kItemsLink)) {
            if (!items->is(Kind::kList)) throw_damaged("'{}' is no list", kItemsLink);
            shells_.push_back({&node, *items});
        }
        if (const auto held = take(kEntriesLink)) {
            if (!held->is(Kind::kDict)) throw_damaged("'{}' is no dict", kEntriesLink);
            shells_.push_back({&node, *held});
        }
        const auto text = attributes.text(kRecipe);
        if (!text) return;
        node.recipe = std::make_unique<Recipe>(texts(&members).recipe(*text));
        for (const std::string_view name : {kCalleeLink, kArgsLink, kKwargsLink, kStateLink}) take(name);
        if (!attributes.flag(kStateMembers)) return;
        const Value state = pool().dict();
        state.dict().entries = entries(attributes, std::move(members));
        node.recipe->state = state;
    }

    // Datasets.

    Value dataset_value(const std::shared_ptr<const h5::Object>& object,
                        const std::shared_ptr<const OwnAttributes>& attributes, std::size_t place) {
        const h5::Dataset dataset = object->dataset();
        places_.set_met(place, object->address(), {});
        Value& value = places_[place].value;
        Distinct distinct;
        distinct.place = place;
        std::optional<Kind> kind;
        if (const auto name = attributes->text(kKind)) {
            kind = kind_from_name(*name);
            if (!kind) throw_damaged("'{}' is no kind of a value", *name);
        }
        const bool is_array = !dataset.space.dims.empty() && (attributes->has(kDType) || dtype_of(*dataset.type));
        if (kind == Kind::kTensor || (!kind && is_array)) {
            value = tensor_value(dataset, *attributes, distinct);
            if (distinct.first != nullptr) distinct_.emplace(object->address(), std::move(distinct));
        } else if (kind) {
            value = named_value(*kind, dataset, place);
        } else if (dataset.space.kind != h5::Dataspace::Kind::kNull) {
            value = elements_.value(*dataset.type, dataset.space, data_of(dataset, place));
        }
        const bool is_own_type = (kind && *kind != Kind::kTensor) || attributes->has(kDType);
        if (!is_own_type) types_.keep(value, dataset.type, dataset.space);
        if (axes_ == AxisOrder::kReversed && value.is(Kind::kTensor) && is_matlab_array(*attributes)) {
            reverse_axes(value.tensor());
        } else {
            layouts_.keep(value, dataset);
        }
        const bool is_decorated = !attributes->foreign().empty() || attributes->has(kAttributes);
        if (value.node() == nullptr && is_decorated) value = with_node(value);
        if (const auto type = attributes->text(kType); type && !type->empty()) {
            if (value.node() == nullptr) value = with_node(value);
            value.node()->type = *type;
        }
        const bool is_unfinished = is_decorated || attributes->has(kDict) || attributes->has(kQuantization) ||
                                   attributes->has(kStorageData) || attributes->has(kRecipe);
        if (is_unfinished && value.node() != nullptr) tasks_.push_back({place, object, attributes, value, false});
        return value;
    }

    /// Chunks are decoded long after the structure was read: their errors must say by themselves whose they are.
    BlobPtr data_of(const h5::Dataset& dataset, std::size_t place) const {
        BlobPtr blob = file_->data(dataset);
        if (blob->file_range()) return blob;
        return placed_blob(std::move(blob), file_name_, fmt::format("'{}'", shown_path(place)));
    }

    /// A node for a value that is held in place, so that attributes can hang on it.
    Value with_node(Value value) {
        return value.is_null() ? Value::of(pool().make<Node>(Kind::kNull)) : pool().typed_scalar(value, "");
    }

    /// A value whose kind stands beside it because its elements do not say it.
    Value named_value(Kind kind, const h5::Dataset& dataset, std::size_t place) {
        const auto data = [&] { return read_all(*data_of(dataset, place), context_.limits.max_inline_bytes); };
        const bool is_bytes = dataset.space.dims.size() == 1 && dtype_of(*dataset.type) == DType::kUInt8;
        switch (kind) {
            case Kind::kBytes:
                if (is_bytes) return pool().bytes(data());
                break;
            case Kind::kString:
                if (is_bytes) return pool().string(data());
                break;
            case Kind::kInt: {
                const Value text = elements_.value(*dataset.type, dataset.space, data_of(dataset, place));
                const auto number = text.is(Kind::kString) ? decimal_to_bytes(text.as_string()) : std::nullopt;
                if (number) return pool().integer(*number);
                break;
            }
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                if (dataset.space.dims.size() == 1) return packed_value(kind, dataset, place);
                break;
            default:
                break;
        }
        throw_damaged("a dataset of this type is no value of kind '{}'", kind_name(kind));
    }

    Value packed_value(Kind kind, const h5::Dataset& dataset, std::size_t place) {
        auto* node = pool().make<SequenceNode>(kind);
        const Value read = elements_.value(*dataset.type, dataset.space, data_of(dataset, place));
        if (read.is(Kind::kList)) {
            node->items = read.sequence().items;
        } else if (read.is(Kind::kTensor)) {
            const TensorNode& tensor = read.tensor();
            const std::string bytes = read_all(*tensor.storage->blob, context_.limits.max_inline_bytes);
            const unsigned width = dtype_width(tensor.dtype);
            for (std::size_t at = 0; at + width <= bytes.size(); at += width)
                node->items.push_back(
                    h5::number_value(pool(), tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + at)));
        } else {
            throw_damaged("the elements of a packed sequence are no values");
        }
        return Value::of(node);
    }

    Value tensor_value(const h5::Dataset& dataset, const OwnAttributes& attributes, Distinct& met) {
        auto* node = pool().make<TensorNode>();
        node->dtype = tensor_dtype(dataset, attributes);
        node->shape.assign(dataset.space.dims.begin(), dataset.space.dims.end());
        if (auto shape = attributes.integers(kShape)) node->shape = std::move(*shape);
        read_tensor_flags(attributes, *node);
        if (dataset.space.kind == h5::Dataspace::Kind::kNull) return Value::of(node);
        BlobPtr elements = data_of(dataset, met.place);
        if (const unsigned swapped = swapped_width(*dataset.type)) elements = byte_swapped_blob(elements, swapped);
        if (node->stride.empty()) node->stride = contiguous_strides(node->shape);
        const auto bytes = node->logical_bytes();
        if (!bytes || *bytes != elements->size_bytes() || node->stride.size() != node->shape.size())
            throw_damaged("the shape or the strides that stand beside a tensor are not those of its {} bytes",
                          elements->size_bytes());
        const std::string location = attributes.text(kLocation).value_or("");
        if (const auto number = attributes.integer(kStorage)) {
            const std::int64_t size = attributes.integer(kStorageBytes).value_or(-1);
            if (*number < 0 || size < 0) throw_damaged("storage {} has {} bytes", *number, size);
            met.claim =
                SharedStorages::Claim{static_cast<std::uint64_t>(*number), static_cast<std::uint64_t>(size), location};
            storages_.add(*met.claim, *node, elements, path_of(met.place));
        } else {
            node->storage = std::make_shared<const Storage>(Storage{elements, location});
            // Without strides of its own it is as large as its bytes are, which was looked at above.
            if (attributes.has(kStride) || attributes.has(kOffset)) node->check_bounds(path_of(met.place));
        }
        if (attributes.flag(kDistinct)) {
            met.first = node;
            met.elements = std::move(elements);
        }
        return Value::of(node);
    }

    static DType tensor_dtype(const h5::Dataset& dataset, const OwnAttributes& attributes) {
        const auto own = dtype_of(*dataset.type);
        const auto name = attributes.text(kDType);
        if (!name && own) return *own;
        if (!name) throw_error(ErrorCode::kUnsupported, "tensors of this type are not read");
        const auto dtype = dtype_from_name(*name);
        if (!dtype) throw_error(ErrorCode::kUnsupported, "elements of type '{}' are not known", *name);
        const unsigned width = dtype_width(*dtype) == 0 ? 1 : dtype_width(*dtype);
        if (width != dataset.type->size_bytes)
            throw_damaged("elements of type {} have {} bytes, those of the dataset {}", *name, width,
                          dataset.type->size_bytes);
        return *dtype;
    }

    static void read_tensor_flags(const OwnAttributes& attributes, TensorNode& node) {
        if (auto stride = attributes.integers(kStride)) node.stride = std::move(*stride);
        node.offset = attributes.integer(kOffset).value_or(0);
        node.layout = attributes.text(kLayout).value_or("");
        node.requires_grad = attributes.flag(kRequiresGrad);
        node.conj = attributes.flag(kConj);
        node.neg = attributes.flag(kNeg);
    }

    void fill_composite(const OwnAttributes& attributes, std::vector<Member> members, TensorNode& node) {
        const std::string name = attributes.text(kDType).value_or("");
        const auto dtype = dtype_from_name(name);
        if (!dtype) throw_error(ErrorCode::kUnsupported, "elements of type '{}' are not known", name);
        node.dtype = *dtype;
        node.shape = attributes.integers(kShape).value_or(std::vector<std::int64_t>());
        read_tensor_flags(attributes, node);
        for (const auto& [key, value] : entries(attributes, std::move(members))) {
            if (!key.is(Kind::kString)) throw_damaged("a part of a tensor has no name");
            node.parts.emplace_back(key.as_string(), value);
        }
        finish_tensor(node, attributes);
    }

    void finish_tensor(TensorNode& node, const OwnAttributes& attributes) {
        if (const auto text = attributes.text(kDict)) node.dict = texts().value(*text);
        if (const auto text = attributes.text(kQuantization)) {
            node.quantization = std::make_unique<Quantization>(quantization(*text));
        }
        const auto data = attributes.text(kStorageData);
        const auto number = attributes.integer(kStorage);
        if (!data || !number) return;
        const Value bytes = texts().value(*data);
        if (!bytes.is(Kind::kTensor) || !bytes.tensor().storage)
            throw_damaged("the bytes of storage {} are no dataset", *number);
        storages_.set_data(static_cast<std::uint64_t>(*number), bytes.tensor().storage->blob);
    }

    Quantization quantization(const std::string& text) {
        Quantization result;
        for (const auto& [name, value] : texts().object(text)) {
            if (name == "scheme" && value.is(Kind::kString)) {
                result.scheme = value.as_string();
            } else if (name == "scale" && value.is(Kind::kFloat)) {
                result.scale = value.as_double();
            } else if (name == "zero_point" && value.as_int64()) {
                result.zero_point = *value.as_int64();
            } else if (name == "axis" && value.as_int64()) {
                result.axis = *value.as_int64();
            } else if (name == "scales" && value.is(Kind::kTensor)) {
                result.scales = value;
            } else if (name == "zero_points" && value.is(Kind::kTensor)) {
                result.zero_points = value;
            } else {
                throw_damaged("its quantization has a '{}' that makes no sense", name);
            }
        }
        return result;
    }

    const std::shared_ptr<const h5::H5File>& file_;
    const std::string& file_name_;
    AxisOrder axes_;
    const Context& context_;
    Document document_;
    ElementReader elements_;
    TypeKeeper types_;
    LayoutKeeper layouts_;
    SharedStorages storages_;
    Places places_;
    std::unordered_map<std::uint64_t, Distinct> distinct_;
    std::vector<Task> tasks_;
    std::vector<Shell> shells_;
    KeyTable keys_;
    std::shared_ptr<const OwnAttributes> no_attributes_;
    std::unordered_map<std::string, std::uint64_t> aside_;
    std::string aside_name_;
    std::size_t aside_place_ = 0;
    std::size_t damaged_place_ = 0;  ///< of the last damage
    std::uint64_t done_ = 0;
};

}  // namespace

Document read_document(const std::shared_ptr<const h5::H5File>& file, const std::string& file_name, AxisOrder axes,
                       const Context& context) {
    return DocumentReader(file, file_name, axes, context).run();
}

}  // namespace ckpt::hdf5
