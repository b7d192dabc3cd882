// Nodes as their notes say they are: in place where the kind stays, else by another node in all their places.
#include <unordered_set>

#include "formats/jld2/converted.hpp"
#include "formats/jld2/notes.hpp"
#include "formats/shared/h5/text.hpp"
#include "formats/shared/views/storages.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

class NoteReader {
public:
    NoteReader(Document& document, const ObjectReader::Noted& noted, SharedStorages& storages)
        : document_(document), noted_(noted), node_(*noted.node), storages_(storages) {}

    /// The node that takes the place of the one that was read; nullptr if that one stays.
    Node* run() {
        Node* made = remade();
        Node& node = made != nullptr ? *made : node_;
        if (!noted_.type.empty()) node.type = noted_.type;
        if (const Value* attributes = dict("attributes")) {
            for (const auto& [name, value] : attributes->dict().entries) {
                if (name.is(Kind::kString)) node.set_attribute(name.as_string(), value);
            }
        }
        add_recipe(node);
        return made;
    }

    /// Items that would have been rings for Julia.
    void close_rings() {
        const Value* ring = find("ring");
        if (ring == nullptr || !ring->is(Kind::kList)) return;
        const auto& items = ring->sequence().items;
        for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
            const auto index = static_cast<std::size_t>(items[i].as_uint64().value_or(~std::uint64_t{0}));
            Value* place = nullptr;
            if (node_.kind == Kind::kDict) {
                auto& entries = static_cast<DictNode&>(node_).entries;
                if (index < entries.size()) place = &entries[index].second;
            } else if (node_.kind == Kind::kList || node_.kind == Kind::kTuple) {
                auto& parts = static_cast<SequenceNode&>(node_).items;
                if (index < parts.size()) place = &parts[index];
            }
            if (place == nullptr) throw_damaged("'{}': its note names an item {}", noted_.path, index);
            *place = items[i + 1];
        }
    }

private:
    Pool& pool() { return document_.pool(); }

    const Value* find(std::string_view key) const {
        return noted_.more.is(Kind::kDict) ? noted_.more.dict().find(key) : nullptr;
    }
    const Value* dict(std::string_view key) const {
        const Value* value = find(key);
        return value != nullptr && value->is(Kind::kDict) ? value : nullptr;
    }
    std::string text(std::string_view key) const {
        const Value* value = find(key);
        return value != nullptr && value->is(Kind::kString) ? std::string(value->as_string()) : std::string();
    }
    bool flag(std::string_view key) const {
        const Value* value = find(key);
        return value != nullptr && value->is(Kind::kBool) && value->as_bool();
    }
    std::optional<std::int64_t> integer(std::string_view key) const {
        const Value* value = find(key);
        return value != nullptr ? value->as_int64() : std::nullopt;
    }
    std::optional<std::vector<std::int64_t>> integers(std::string_view key) const {
        const Value* value = find(key);
        if (value == nullptr || !value->is(Kind::kList)) return std::nullopt;
        std::vector<std::int64_t> numbers;
        for (const Value& item : value->sequence().items) {
            if (!item.as_int64())
                throw_damaged("'{}': its note has a '{}' of other things than integers", noted_.path, key);
            numbers.push_back(*item.as_int64());
        }
        return numbers;
    }
    const std::vector<Value>& list(std::string_view key) const {
        static const std::vector<Value> kNone;
        const Value* value = find(key);
        return value != nullptr && value->is(Kind::kList) ? value->sequence().items : kNone;
    }

    std::string bytes_of(const Node& node) const {
        const auto& tensor = static_cast<const TensorNode&>(node);
        if (node.kind != Kind::kTensor || tensor.dtype != DType::kUInt8 || !tensor.storage)
            throw_damaged("'{}': its note says bytes, it has none", noted_.path);
        return read_all(*logical_blob(tensor), kMostBytes);
    }

    Node* remade() {
        const std::string& kind = noted_.kind;
        if (kind == "bytes") {
            auto* bytes = pool().make<BytesNode>();
            bytes->bytes = bytes_of(node_);
            return bytes;
        }
        if (kind == "surrogates" && node_.kind == Kind::kString) {
            // Lone surrogates were written as the three bytes that UTF-8 would have for them.
            auto& text = static_cast<StringNode&>(node_).text;
            text = h5::text_to_name(text);
            return nullptr;
        }
        if (kind == "tuple" && node_.kind == Kind::kList) {
            auto* tuple = pool().make<SequenceNode>(Kind::kTuple);
            tuple->items = static_cast<SequenceNode&>(node_).items;
            return tuple;
        }
        if (kind == "plain") {
            node_.type.clear();
            return nullptr;
        }
        if (kind == "object") return object();
        if (kind == "tensor") return tensor_without_elements();
        if (node_.kind == Kind::kTensor) return tensor_with_elements();
        return nullptr;
    }

    void add_recipe(Node& node) {
        const std::string how = text("how");
        if (how.empty()) return;
        node.recipe = std::make_unique<Recipe>();
        Recipe& recipe = *node.recipe;
        recipe.how = how == "new" ? Recipe::How::kNew : how == "call" ? Recipe::How::kCall : Recipe::How::kGlobal;
        recipe.callable = text("callable");
        const auto length = integer("module_length").value_or(0);
        if (length < 0 || static_cast<std::size_t>(length) > recipe.callable.size())
            throw_damaged("'{}': its note names a module of {} characters", noted_.path, length);
        recipe.module_length = static_cast<std::size_t>(length);
        const auto value = [&](std::string_view key) {
            const Value* found = find(key);
            return found != nullptr ? *found : Value::null();
        };
        recipe.callee = value("callee");
        recipe.args = value("args");
        recipe.kwargs = value("kwargs");
        recipe.state = value("state");
    }

    Node* object() {
        auto* made = pool().make<ObjectNode>();
        made->items = list("items");
        const auto& keys = list("entry_keys");
        const auto& values = list("entry_values");
        for (std::size_t i = 0; i < keys.size() && i < values.size(); ++i)
            made->entries.emplace_back(keys[i], values[i]);
        return made;
    }

    void add_common(TensorNode& tensor) {
        tensor.requires_grad = flag("requires_grad");
        if (const Value* hanging = find("dict")) tensor.dict = *hanging;
        if (const Value* values = dict("quantization")) {
            const DictNode& from = values->dict();
            tensor.quantization = std::make_unique<Quantization>();
            const auto get = [&](const char* key) {
                const Value* found = from.find(key);
                return found != nullptr ? *found : Value::null();
            };
            if (get("scheme").is(Kind::kString)) tensor.quantization->scheme = get("scheme").as_string();
            if (get("scale").is(Kind::kFloat)) tensor.quantization->scale = get("scale").as_double();
            tensor.quantization->zero_point = get("zero_point").as_int64().value_or(0);
            tensor.quantization->axis = get("axis").as_int64().value_or(0);
            tensor.quantization->scales = get("scales");
            tensor.quantization->zero_points = get("zero_points");
        }
    }

    DType noted_dtype(DType otherwise) const {
        const std::string name = text("dtype");
        if (name.empty()) return otherwise;
        const auto dtype = dtype_from_name(name);
        if (!dtype) throw_damaged("'{}': its note names the dtype '{}', which nobody knows", noted_.path, name);
        return *dtype;
    }

    Node* tensor_without_elements() {
        auto* tensor = pool().make<TensorNode>();
        tensor->layout = text("layout");
        tensor->dtype = noted_dtype(DType::kFloat32);
        tensor->shape = integers("shape").value_or(std::vector<std::int64_t>());
        tensor->stride = integers("stride").value_or(std::vector<std::int64_t>());
        const auto& names = list("names");
        const auto& parts = list("parts");
        for (std::size_t i = 0; i < names.size() && i < parts.size(); ++i) {
            if (names[i].is(Kind::kString)) tensor->parts.emplace_back(names[i].as_string(), parts[i]);
        }
        add_common(*tensor);
        return tensor;
    }

    Node* tensor_with_elements() {
        auto& tensor = static_cast<TensorNode&>(node_);
        if (!tensor.storage) return nullptr;
        const DType read_as = tensor.dtype;
        tensor.dtype = noted_dtype(read_as);
        if (julia_dtype(tensor.dtype) != read_as)
            throw_damaged("'{}': its note says {}, its elements are {}", noted_.path, dtype_name(tensor.dtype),
                          dtype_name(read_as));
        const bool is_narrowed = tensor.dtype == DType::kBFloat16;
        if (is_narrowed) tensor.storage = over(narrowed_bfloat16(tensor.storage->blob));
        add_common(tensor);
        if (noted_.kind == "row-major") {
            const BlobPtr elements = logical_blob(tensor);
            tensor.stride = contiguous_strides(tensor.shape);
            tensor.storage = over(elements);
            return nullptr;
        }
        const auto number = integer("storage");
        const auto size = integer("storage_bytes");
        const auto stride = integers("stride");
        if (!number || !size || !stride || *size < 0) return nullptr;
        const bool is_packed = dtype_width(tensor.dtype) == 0;
        BlobPtr elements = is_packed ? tensor.storage->blob : logical_blob(tensor);
        if (is_packed) tensor.shape = integers("shape").value_or(tensor.shape);
        tensor.stride = *stride;
        tensor.offset = integer("offset").value_or(0);
        tensor.conj = flag("conj");
        tensor.neg = flag("neg");
        const auto key = static_cast<std::uint64_t>(*number);
        storages_.add({key, static_cast<std::uint64_t>(*size), text("location")}, tensor, std::move(elements),
                      noted_.path);
        if (const Value* bytes = find("bytes"); bytes != nullptr && bytes->is(Kind::kTensor))
            storages_.set_data(key, logical_blob(bytes->tensor()));
        return nullptr;
    }

    static StoragePtr over(BlobPtr blob) { return std::make_shared<const Storage>(Storage{std::move(blob), ""}); }

    Document& document_;
    const ObjectReader::Noted& noted_;
    Node& node_;
    SharedStorages& storages_;
};

/// Puts the new nodes into all places of the old ones.
void replace_nodes(Document& document, const std::unordered_map<const Node*, Node*>& remade) {
    std::unordered_set<Node*> seen;
    std::vector<Node*> todo;
    const auto meet = [&](Value& value) {
        if (value.node() == nullptr) return;
        if (const auto found = remade.find(value.node()); found != remade.end()) value = Value::of(found->second);
        if (seen.insert(value.node()).second) todo.push_back(value.node());
    };
    meet(document.root);
    while (!todo.empty()) {
        Node* node = todo.back();
        todo.pop_back();
        for_each_value(*node, meet);
    }
}

}  // namespace

void apply_notes(Document& document, const std::vector<ObjectReader::Noted>& noted) {
    SharedStorages storages;
    std::unordered_map<const Node*, Node*> remade;
    for (const auto& each : noted) {
        NoteReader reader(document, each, storages);
        reader.close_rings();
        if (Node* made = reader.run()) remade.emplace(each.node, made);
    }
    storages.finish();
    if (!remade.empty()) replace_nodes(document, remade);
}

}  // namespace ckpt::jld2
