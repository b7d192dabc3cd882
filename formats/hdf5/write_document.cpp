// Values become groups and datasets; what HDF5 has no words for becomes attributes under "ckpt:".
#include "formats/hdf5/write_document.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "formats/hdf5/numbers.hpp"
#include "formats/hdf5/original_layout.hpp"
#include "formats/hdf5/original_type.hpp"
#include "formats/hdf5/schema.hpp"
#include "formats/hdf5/survey.hpp"
#include "formats/hdf5/text.hpp"
#include "formats/hdf5/types.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "formats/shared/value_text/value_text.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/meaning.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::hdf5 {
namespace {

constexpr std::size_t kMaxRank = 32;
constexpr std::uint64_t kMaxRestoredAttributeBytes = std::uint64_t{1} << 30;

h5::WriteData integer_data(std::uint64_t value, bool is_signed = true) {
    h5::WriteData data{h5::integer_type(8, is_signed), h5::scalar_space(), "", {}};
    h5::put(data.bytes, 8, value);
    return data;
}
h5::WriteData integers_data(const std::vector<std::int64_t>& values) {
    h5::WriteData data{h5::integer_type(8, true), h5::simple_space({values.size()}), "", {}};
    for (const std::int64_t value : values) h5::put(data.bytes, 8, static_cast<std::uint64_t>(value));
    return data;
}
h5::WriteData true_data() {
    return {h5::bool_type(), h5::scalar_space(), "\1", {}};
}
h5::WriteData bytes_data(std::string_view bytes) {
    return {h5::integer_type(1, false), h5::simple_space({bytes.size()}), std::string(bytes), {}};
}

class DocumentWriter {
public:
    DocumentWriter(const Document& document, h5::Codec codec, Layouts layouts, std::uint64_t most_bytes)
        : document_(document),
          codec_(codec),
          layouts_(layouts),
          survey_(document),
          texts_([this](const Node& node) { return survey_.is_shared(node); },
                 [this](Value value) { return set_aside(value); }),
          types_([this](const std::string& path) { return reference_target(path); },
                 [this](const Node& node) { return survey_.is_shared(node); }),
          writer_(most_bytes) {}

    bool is_described() const noexcept { return is_described_; }

    WritePlan run() {
        const Value& root = document_.root;
        const bool is_group =
            is_written_as_group(root) && (root.node() == nullptr || root.node()->attribute(kTypeMark) == nullptr);
        std::string aside_name = "ckpt:aside";
        if (is_group) {
            root_ = object_for(root);
        } else {
            root_ = writer_.add_group();
            writer_.attribute(root_, std::string(kRoot), h5::text_data("value"));
            writer_.link(root_, "value", object_for(root));
        }
        finish_groups();
        if (!document_.attributes.empty()) {
            writer_.attribute(root_, std::string(kDocument), h5::text_data(texts_.object(document_.attributes)));
        }
        writer_.attribute(root_, std::string(kSchema), integer_data(kSchemaVersion));
        if (!aside_.empty()) {
            while (root_names_.contains(aside_name)) aside_name += '~';
            const auto group = writer_.add_group();
            writer_.link(root_, aside_name, group);
            writer_.attribute(root_, std::string(kAside), h5::text_data(aside_name));
            for (std::size_t i = 0; i < aside_.size(); ++i) {  // grows while it is written
                writer_.link(group, std::to_string(i), object_for(aside_[i]));
                finish_groups();
            }
        }
        set_targets();
        for (SoftLink& link : soft_links_) writer_.soften(root_, link.group, link.name, std::move(link.target));
        return writer_.plan(root_);
    }

private:
    using ObjectId = h5::Writer::ObjectId;

    /// A group whose members are still to be written.
    struct Group {
        ObjectId id;
        std::vector<std::pair<std::string, Value>> members;
        std::size_t next = 0;
    };
    /// A hard link that was a soft one in the file that was read.
    struct SoftLink {
        ObjectId group;
        std::string name;
        std::string target;
    };
    struct Target {
        std::uint32_t number;
        const Node* node;
    };

    void attribute(ObjectId object, std::string_view name, h5::WriteData data) {
        writer_.attribute(object, std::string(name), std::move(data));
    }
    void attribute(ObjectId object, std::string_view name, std::string_view text) {
        attribute(object, name, h5::text_data(std::string(text)));
    }

    ValueReference set_aside(Value value) {
        aside_.push_back(value);
        return {ValueReference::Where::kAsideValue, aside_.size() - 1, ""};
    }

    /// Depth first, so that data lie in the document's order. Iterative: nesting has no limit.
    void finish_groups() {
        while (!groups_.empty()) {
            const std::size_t top = groups_.size() - 1;
            if (groups_[top].next == groups_[top].members.size()) {
                groups_.pop_back();
                continue;
            }
            const ObjectId parent = groups_[top].id;
            auto [name, value] = std::move(groups_[top].members[groups_[top].next++]);
            if (const auto target = soft_link_target(value)) {
                writer_.soft_link(parent, std::move(name), *target);
                continue;
            }
            if (const auto target = external_link_target(value)) {
                writer_.external_link(parent, std::move(name), target->first, target->second);
                continue;
            }
            const ObjectId object = object_for(value);  // may open another group
            writer_.link(parent, std::move(name), object);
        }
    }

    /// A text of a link's state, as HDF5 can hold it.
    static std::optional<std::string> link_text(const Value& link, std::string_view name) {
        constexpr std::size_t kMaxBytes = 32767;
        const Value& state = link.node()->recipe->state;
        const Value* text = state.is(Kind::kDict) ? state.dict().find(name) : nullptr;
        if (text == nullptr || !text->is(Kind::kString)) return std::nullopt;
        std::string bytes = text_to_name(text->as_string());
        const bool is_fine = !bytes.empty() && bytes.size() <= kMaxBytes && bytes.find('\0') == std::string::npos;
        return is_fine ? std::optional(std::move(bytes)) : std::nullopt;
    }
    static bool is_link(const Value& value, std::string_view type) {
        return value.is(Kind::kObject) && value.type() == type && value.node()->recipe && !value.node()->attributes;
    }
    /// A soft link that led nowhere in the file it was read from.
    static std::optional<std::string> soft_link_target(const Value& value) {
        return is_link(value, kSoftLinkType) ? link_text(value, "target") : std::nullopt;
    }
    /// The file and the path in it.
    static std::optional<std::pair<std::string, std::string>> external_link_target(const Value& value) {
        if (!is_link(value, kExternalLinkType)) return std::nullopt;
        auto file = link_text(value, "file");
        auto path = link_text(value, "path");
        if (!file || !path) return std::nullopt;
        return std::pair(std::move(*file), std::move(*path));
    }

    /// A number for the object that a reference's path leads to; which object that is, is known when all are made.
    std::optional<std::uint32_t> reference_target(const std::string& path) {
        if (const auto found = targets_.find(path); found != targets_.end()) return found->second.number;
        Value holder;
        const Value* value = path.empty() ? &document_.root : find_path(document_.root, path, holder);
        const Node* node = value == nullptr ? nullptr : value->node();
        if (node == nullptr) return std::nullopt;
        const bool is_view = value->is(Kind::kTensor) && value->tensor().storage;
        const Target target{writer_.add_target(), is_view ? survey_.view(value->tensor()).first : node};
        targets_.emplace(path, target);
        return target.number;
    }
    void set_targets() {
        for (const auto& [path, target] : targets_) {
            const auto found = objects_.find(target.node);
            if (found != objects_.end()) writer_.set_target(target.number, found->second);
        }
    }

    /// Which members of a group were soft links.
    void remember_soft_links(const Group& group, const DictNode& node) {
        const Value* mark = node.attribute(kSoftLinksMark);
        if (mark == nullptr || !mark->is(Kind::kDict)) return;
        std::unordered_map<std::string_view, std::string_view> targets;
        for (const auto& [name, target] : mark->dict().entries) {
            if (name.is(Kind::kString) && target.is(Kind::kString))
                targets.emplace(name.as_string(), target.as_string());
        }
        for (std::size_t i = 0; i < node.entries.size() && i < group.members.size(); ++i) {
            const auto& [key, value] = node.entries[i];
            if (!key.is(Kind::kString)) continue;
            const auto found = targets.find(key.as_string());
            if (found == targets.end() || found->second.empty()) continue;
            soft_links_.push_back({group.id, group.members[i].first, text_to_name(found->second)});
        }
    }

    static bool is_written_as_group(const Value& value) {
        switch (value.kind()) {
            case Kind::kDict:
            case Kind::kObject:
                return true;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                return !packed_form(value.sequence());
            case Kind::kTensor:
                return !value.tensor().parts.empty();
            default:
                return false;
        }
    }
    static std::optional<h5::WriteData> packed_form(const SequenceNode& node) {
        const bool is_wanted = node.items.size() > kMaxUnpackedItems || node.attribute(kPackedMark) != nullptr;
        return is_wanted ? packed(node.items) : std::nullopt;
    }

    /// The object that a value is, made if it is met for the first time.
    ObjectId object_for(const Value& value) {
        const Node* node = value.node();
        if (node == nullptr) return plain_scalar(value);
        if (value.is(Kind::kTensor) && value.tensor().storage) node = survey_.view(value.tensor()).first;
        if (const auto found = objects_.find(node); found != objects_.end()) return found->second;
        const ObjectId object = new_object(value);
        objects_.emplace(node, object);
        return object;
    }

    ObjectId new_object(const Value& value) {
        const Node& node = *value.node();
        if (const auto object = restored_object(value)) {
            if (!node.type.empty() && !value.is(Kind::kObject)) type_attribute(*object, node.type);
            if (layouts_ == Layouts::kKept) keep_layout(*object, value);
            node_attributes(*object, node);
            return *object;
        }
        ObjectId object = 0;
        switch (value.kind()) {
            case Kind::kNull:
            case Kind::kBool:
            case Kind::kInt:
            case Kind::kFloat:
            case Kind::kComplex:
                object = scalar(value);
                break;
            case Kind::kString:
                object = text(value.as_string());
                break;
            case Kind::kBytes:
                object = writer_.add_dataset(bytes_data(value.as_bytes()));
                attribute(object, kKind, kind_name(Kind::kBytes));
                break;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                object = sequence(value);
                break;
            case Kind::kDict:
                object = dict(value.dict());
                break;
            case Kind::kObject:
                is_described_ = is_described_ || value.type() == kReferenceType;
                object = this->object(value.object());
                break;
            case Kind::kTensor:
                object = tensor(value.tensor());
                break;
        }
        if (!node.type.empty()) type_attribute(object, node.type);
        if (!value.is(Kind::kObject) && has_meaning_recipe(node))
            attribute(object, kRecipe, texts_.recipe(*node.recipe, false));
        if (layouts_ == Layouts::kKept && !is_written_as_group(value)) keep_layout(object, value);
        node_attributes(object, node);
        return object;
    }

    /// Chunks, filters and fill value as the file had them; where they do not fit the value (any more), as always.
    void keep_layout(ObjectId object, const Value& value) {
        if (auto layout = kept_layout(value)) writer_.set_layout(object, std::move(*layout));
    }

    /// A dataset of the type that the value had in the file it was read from, or a datatype of its own; tensors are
    /// left to `tensor`.
    std::optional<ObjectId> restored_object(const Value& value) {
        if (value.is(Kind::kTensor) || value.node()->attribute(kTypeMark) == nullptr) return std::nullopt;
        if (value.is(Kind::kObject) && value.type() == kDatatypeType) {
            auto type = TypeRestorer::type_of(value);
            return type ? std::optional(writer_.add_datatype(std::move(*type))) : std::nullopt;
        }
        if (!is_restored_wholly(value)) return std::nullopt;
        auto restored = types_.restore(value);
        if (!restored) {
            is_described_ = true;
            return std::nullopt;
        }
        if (!restored->blob) return writer_.add_dataset(std::move(restored->data));
        return writer_.add_dataset(std::move(restored->data.type), std::move(restored->data.space),
                                   std::move(restored->blob), codec_);
    }
    /// Whether elements are all that there is to a value.
    static bool is_restored_wholly(const Value& value) {
        if (value.is(Kind::kObject)) return value.type() == kReferenceType;
        const bool is_number =
            value.is(Kind::kBool) || value.is(Kind::kInt) || value.is(Kind::kFloat) || value.is(Kind::kComplex);
        return !has_meaning_recipe(*value.node()) && (value.node()->type.empty() || is_number);
    }

    void type_attribute(ObjectId object, const std::string& type) {
        if (is_plain_text(type)) {
            attribute(object, kType, type);
        } else {
            attribute(object, kType, bytes_data(type));
        }
    }

    ObjectId plain_scalar(const Value& value) {
        h5::WriteData data;
        switch (value.kind()) {
            case Kind::kNull:
                return writer_.add_dataset({h5::ieee_type(4), h5::null_space(), "", {}});
            case Kind::kBool:
                return writer_.add_dataset(
                    {h5::bool_type(), h5::scalar_space(), std::string(1, value.as_bool() ? '\1' : '\0'), {}});
            case Kind::kInt:
                if (const auto number = value.as_int64())
                    return writer_.add_dataset(integer_data(static_cast<std::uint64_t>(*number)));
                return writer_.add_dataset(integer_data(*value.as_uint64(), false));
            default:
                data.type = h5::ieee_type(8);
                put_bits(data.bytes, value.as_double());
                return writer_.add_dataset(std::move(data));
        }
    }

    /// A number with a node of its own: one with a class, a complex one, or one that needs more than 64 bits.
    ObjectId scalar(const Value& value) {
        if (const auto dtype = dtype_of_numpy_scalar(value.type())) {
            if (auto data = numpy_number(value, *dtype)) return writer_.add_dataset(std::move(*data));
        }
        if (value.is(Kind::kComplex)) {
            h5::WriteData data{h5::complex_type(h5::ieee_type(8)), h5::scalar_space(), "", {}};
            put_bits(data.bytes, value.as_complex().real());
            put_bits(data.bytes, value.as_complex().imag());
            return writer_.add_dataset(std::move(data));
        }
        if (value.is(Kind::kInt) && !value.as_int64() && !value.as_uint64()) {
            const ObjectId object = writer_.add_dataset(h5::text_data(value.integer_text()));
            attribute(object, kKind, kind_name(Kind::kInt));
            return object;
        }
        const auto* node = dynamic_cast<const ScalarNode*>(value.node());
        return plain_scalar(node != nullptr ? node->value : Value::null());
    }

    ObjectId text(std::string_view text) {
        if (is_plain_text(text)) return writer_.add_dataset(h5::text_data(std::string(text)));
        const ObjectId object = writer_.add_dataset(bytes_data(text));
        attribute(object, kKind, kind_name(Kind::kString));
        return object;
    }

    ObjectId sequence(const Value& value) {
        const SequenceNode& node = value.sequence();
        if (auto data = packed_form(node)) {
            const ObjectId object = writer_.add_dataset(std::move(*data));
            attribute(object, kKind, kind_name(value.kind()));
            return object;
        }
        const ObjectId object = writer_.add_group();
        attribute(object, kKind, kind_name(value.kind()));
        Group group{object, {}};
        for (std::size_t i = 0; i < node.items.size(); ++i)
            group.members.emplace_back(std::to_string(i), node.items[i]);
        groups_.push_back(std::move(group));
        return object;
    }

    /// Adds entries as members, under names that are unique among `taken` and themselves, and says where a name is not
    /// its key.
    void add_entries(Group& group, const std::vector<std::pair<Value, Value>>& entries,
                     std::unordered_set<std::string> taken) {
        std::vector<Value> keys;
        bool are_names_keys = true;
        // Text comes first: an integer key 1 beside the text "1" is the one that gets another name.
        std::unordered_set<std::string> own;
        for (const auto& [key, value] : entries) {
            if (LinkName link = link_name(key); link.is_the_key && !taken.contains(link.name))
                own.insert(std::move(link.name));
        }
        for (const auto& [key, value] : entries) {
            LinkName link = link_name(key);
            const std::string wanted = link.name;
            const bool is_own = link.is_the_key && own.erase(wanted) > 0;
            for (int copy = 2; (!is_own && own.contains(link.name)) || !taken.insert(link.name).second; ++copy)
                link = {fmt::format("{}~{}", wanted, copy), false};
            are_names_keys &= link.is_the_key;
            keys.push_back(key);
            group.members.emplace_back(std::move(link.name), value);
        }
        if (!are_names_keys) attribute(group.id, kKeys, texts_.list(keys));
        if (group.id == root_) root_names_ = std::move(taken);
    }

    ObjectId dict(const DictNode& node) {
        Group group{writer_.add_group(), {}};
        const ObjectId object = group.id;
        add_entries(group, node.entries, {});
        remember_soft_links(group, node);
        groups_.push_back(std::move(group));
        return object;
    }

    ObjectId object(const ObjectNode& node) {
        Group group{writer_.add_group(), {}};
        const ObjectId object = group.id;
        attribute(object, kKind, kind_name(Kind::kObject));
        std::unordered_set<std::string> taken = {std::string(kArgsLink),  std::string(kKwargsLink),
                                                 std::string(kStateLink), std::string(kCalleeLink),
                                                 std::string(kItemsLink), std::string(kEntriesLink)};
        const auto add = [&group](std::string_view name, const Value& value) {
            if (!value.is_null()) group.members.emplace_back(name, value);
        };
        if (node.recipe) {
            const Recipe& recipe = *node.recipe;
            add(kCalleeLink, recipe.callee);
            add(kArgsLink, recipe.args);
            add(kKwargsLink, recipe.kwargs);
            const bool are_attributes = recipe.state.is(Kind::kDict) && recipe.state.type().empty() &&
                                        !recipe.state.node()->recipe && !recipe.state.node()->attributes &&
                                        !survey_.is_shared(*recipe.state.node());
            Recipe written;
            written.how = recipe.how;
            written.callable = recipe.callable;
            written.module_length = recipe.module_length;
            written.callee = recipe.callee;
            written.args = recipe.args;
            written.kwargs = recipe.kwargs;
            if (!are_attributes) {
                written.state = recipe.state;
                add(kStateLink, recipe.state);
            }
            attribute(object, kRecipe, texts_.recipe(written, true));
            if (are_attributes) attribute(object, kStateMembers, true_data());
            if (are_attributes) add_entries(group, recipe.state.dict().entries, std::move(taken));
        }
        if (!node.items.empty()) {
            const Value list = scratch_.list();
            list.sequence().items = node.items;
            group.members.emplace_back(kItemsLink, list);
        }
        if (!node.entries.empty()) {
            const Value dict = scratch_.dict();
            dict.dict().entries = node.entries;
            group.members.emplace_back(kEntriesLink, dict);
        }
        groups_.push_back(std::move(group));
        return object;
    }

    ObjectId tensor(const TensorNode& node) {
        if (!node.parts.empty()) return composite(node);
        const StoredType stored = stored_type(node.dtype);
        bool has_odd_shape = !node.storage || node.shape.size() > kMaxRank || dtype_width(node.dtype) == 0;
        auto restored = restored_tensor(node);
        ObjectId object = 0;
        if (restored) {
            has_odd_shape = false;
            object = restored->blob
                         ? writer_.add_dataset(std::move(restored->data.type), std::move(restored->data.space),
                                               std::move(restored->blob), codec_)
                         : writer_.add_dataset(std::move(restored->data));
        } else if (!node.storage) {
            object = writer_.add_dataset({stored.type, h5::null_space(), "", {}});
        } else {
            BlobPtr elements = logical_blob(node);
            std::vector<std::uint64_t> dims(node.shape.begin(), node.shape.end());
            if (has_odd_shape) dims = {elements->size_bytes() / stored.type.element_bytes};
            object = writer_.add_dataset(stored.type, h5::simple_space(std::move(dims)), std::move(elements), codec_);
        }
        if (!node.storage || node.shape.empty() || has_odd_shape) attribute(object, kKind, kind_name(Kind::kTensor));
        if (!stored.says_the_dtype && !restored) attribute(object, kDType, dtype_name(node.dtype));
        if (has_odd_shape) attribute(object, kShape, integers_data(node.shape));
        tensor_attributes(object, node);
        if (node.storage) {
            storage_attributes(object, node);
        } else if (!node.stride.empty()) {
            attribute(object, kStride, integers_data(node.stride));
            if (node.offset != 0) attribute(object, kOffset, integer_data(static_cast<std::uint64_t>(node.offset)));
        }
        return object;
    }

    /// A tensor in the type that it had, where it is all there is of its storage: views share what they look into.
    std::optional<RestoredElements> restored_tensor(const TensorNode& node) const {
        if (!node.storage || node.attribute(kTypeMark) == nullptr || !survey_.view(node).is_whole) return std::nullopt;
        return types_.restore(Value::of(const_cast<TensorNode*>(&node)));
    }

    /// Sparse and nested tensors: a group of their parts.
    ObjectId composite(const TensorNode& node) {
        Group group{writer_.add_group(), {}};
        const ObjectId object = group.id;
        attribute(object, kKind, kind_name(Kind::kTensor));
        attribute(object, kDType, dtype_name(node.dtype));
        attribute(object, kShape, integers_data(node.shape));
        if (!node.stride.empty()) attribute(object, kStride, integers_data(node.stride));
        if (node.offset != 0) attribute(object, kOffset, integer_data(static_cast<std::uint64_t>(node.offset)));
        tensor_attributes(object, node);
        std::vector<std::pair<Value, Value>> entries;
        for (const auto& [name, part] : node.parts) entries.emplace_back(scratch_.string(name), part);
        add_entries(group, entries, {});
        groups_.push_back(std::move(group));
        return object;
    }

    void tensor_attributes(ObjectId object, const TensorNode& node) {
        if (!node.layout.empty()) attribute(object, kLayout, node.layout);
        if (node.requires_grad) attribute(object, kRequiresGrad, true_data());
        if (node.conj) attribute(object, kConj, true_data());
        if (node.neg) attribute(object, kNeg, true_data());
        if (!node.dict.is_null()) attribute(object, kDict, texts_.text(node.dict));
        if (!node.quantization) return;
        const Quantization& quantization = *node.quantization;
        std::vector<std::pair<std::string, Value>> members = {{"scheme", scratch_.string(quantization.scheme)}};
        if (quantization.scales.is_null()) {
            members.emplace_back("scale", Value::real(quantization.scale));
            members.emplace_back("zero_point", Value::integer(quantization.zero_point));
        } else {
            members.emplace_back("scales", quantization.scales);
            members.emplace_back("zero_points", quantization.zero_points);
            members.emplace_back("axis", Value::integer(quantization.axis));
        }
        attribute(object, kQuantization, texts_.object(members));
    }

    void storage_attributes(ObjectId object, const TensorNode& node) {
        const Survey::View& view = survey_.view(node);
        if (view.is_distinct) attribute(object, kDistinct, true_data());
        if (!node.storage->location.empty()) attribute(object, kLocation, node.storage->location);
        if (view.is_whole) return;
        attribute(object, kStorage, integer_data(view.storage_number));
        attribute(object, kStorageBytes, integer_data(node.storage->blob->size_bytes()));
        if (node.offset != 0) attribute(object, kOffset, integer_data(static_cast<std::uint64_t>(node.offset)));
        if (node.stride != contiguous_strides(node.shape)) attribute(object, kStride, integers_data(node.stride));
        if (view.needs_storage_data) attribute(object, kStorageData, texts_.text(storage_bytes(*node.storage)));
    }

    /// A storage that its views do not give back, as a tensor of its bytes.
    Value storage_bytes(const Storage& storage) {
        auto* bytes = scratch_.make<TensorNode>();
        objects_.emplace(bytes,
                         writer_.add_dataset(h5::integer_type(1, false), h5::simple_space({storage.blob->size_bytes()}),
                                             storage.blob, codec_));
        return Value::of(bytes);
    }

    void node_attributes(ObjectId object, const Node& node) {
        if (!node.attributes) return;
        std::vector<std::pair<std::string, Value>> others;
        for (const auto& [name, value] : *node.attributes) {
            if (is_mark(name)) continue;
            const std::string own_name = native_name(name);
            auto data = own_name.empty() ? std::nullopt : attribute_data(value);
            if (data) {
                attribute(object, own_name, std::move(*data));
            } else {
                others.emplace_back(name, value);
            }
        }
        if (!others.empty()) attribute(object, kAttributes, texts_.object(others));
    }

    /// The name that a node attribute has in HDF5; empty for those of other layouts.
    static std::string native_name(std::string_view name) {
        if (!name.starts_with(kForeignPrefix)) return "";
        name.remove_prefix(kForeignPrefix.size());
        if (name.starts_with(kPrefix)) return "";
        if (name.starts_with('\\') && looks_like_mark(name)) name.remove_prefix(1);
        std::string bytes = text_to_name(name);
        return bytes.find('\0') == std::string::npos ? bytes : "";
    }

    /// A value as HDF5's own attribute; nullopt for what has to be kept as text.
    std::optional<h5::WriteData> attribute_data(const Value& value) const {
        constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 20;
        if (auto restored = types_.restore(value)) {
            if (restored->blob) restored->data.bytes = read_all(*restored->blob, kMaxRestoredAttributeBytes);
            return std::move(restored->data);
        }
        switch (value.kind()) {
            case Kind::kNull:
                return h5::WriteData{h5::ieee_type(4), h5::null_space(), "", {}};
            case Kind::kBool:
            case Kind::kInt:
            case Kind::kFloat:
            case Kind::kComplex: {
                const auto dtype = value.type().empty() ? std::nullopt : dtype_of_numpy_scalar(value.type());
                if (dtype) return numpy_number(value, *dtype);
                if (!value.type().empty()) return std::nullopt;
                if (value.is(Kind::kBool)) return numpy_number(value, DType::kBool);
                if (value.is(Kind::kFloat)) return numpy_number(value, DType::kFloat64);
                if (value.is(Kind::kComplex)) return numpy_number(value, DType::kComplex128);
                return numpy_number(value, value.as_int64() ? DType::kInt64 : DType::kUInt64);
            }
            case Kind::kString:
                if (!value.type().empty() || !is_plain_text(value.as_string())) return std::nullopt;
                return h5::text_data(std::string(value.as_string()));
            case Kind::kList: {
                const SequenceNode& node = value.sequence();
                if (!node.type.empty() || node.attribute(kPackedMark) == nullptr) return std::nullopt;
                return packed(node.items);
            }
            case Kind::kTensor: {
                const TensorNode& node = value.tensor();
                const StoredType stored = stored_type(node.dtype);
                const auto bytes = node.logical_bytes();
                const bool is_plain = node.storage && stored.says_the_dtype && node.type.empty() &&
                                      !node.shape.empty() && node.parts.empty() && node.dict.is_null() &&
                                      !node.quantization && bytes && *bytes <= kMaxBytes &&
                                      node.shape.size() <= kMaxRank;
                if (!is_plain) return std::nullopt;
                return h5::WriteData{stored.type,
                                     h5::simple_space({node.shape.begin(), node.shape.end()}),
                                     read_all(*logical_blob(node), kMaxBytes),
                                     {}};
            }
            default:
                return std::nullopt;
        }
    }

    const Document& document_;
    h5::Codec codec_;
    Layouts layouts_;
    Survey survey_;
    ValueTextWriter texts_;
    TypeRestorer types_;
    bool is_described_ = false;  ///< something is written in another type than it had
    h5::Writer writer_;
    Pool scratch_;
    std::unordered_map<const Node*, ObjectId> objects_;
    std::vector<Group> groups_;
    std::vector<Value> aside_;
    std::vector<SoftLink> soft_links_;
    std::map<std::string, Target> targets_;
    ObjectId root_ = 0;
    std::unordered_set<std::string> root_names_;
};

}  // namespace

WritePlan plan_document(const Document& document, h5::Codec codec, Layouts layouts, std::uint64_t most_bytes,
                        const Context& context) {
    DocumentWriter writer(document, codec, layouts, most_bytes);
    WritePlan plan = writer.run();
    if (writer.is_described()) {
        context.note(
            "some values cannot be written in the HDF5 type of the original (references to what no path leads to, to "
            "attributes or into other files): what is known of them is");
    }
    return plan;
}

}  // namespace ckpt::hdf5
