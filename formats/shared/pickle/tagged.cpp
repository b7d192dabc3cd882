// Tagging and restoring; neither recurses, so depth and cycles are harmless.
#include "formats/shared/pickle/tagged.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace ckpt {
namespace {

constexpr std::string_view kType = "__type__";
constexpr std::string_view kKind = "__kind__";
constexpr std::string_view kHow = "__how__";
constexpr std::string_view kCallable = "__callable__";
constexpr std::string_view kArgs = "__args__";
constexpr std::string_view kKwargs = "__kwargs__";
constexpr std::string_view kState = "__state__";
constexpr std::string_view kItems = "__items__";
constexpr std::string_view kEntries = "__entries__";
constexpr std::string_view kValue = "__value__";
constexpr std::string_view kAttributes = "__attributes__";  // of keys only: those of values are found by their paths
constexpr std::array kReserved = {kType,  kKind,  kHow,     kCallable, kArgs,      kKwargs,
                                  kState, kItems, kEntries, kValue,    kAttributes};
constexpr unsigned kMostNestedKeys = 100;

using Entries = std::vector<std::pair<Value, Value>>;

bool is_text_key(const Value& key, std::string_view text) {
    return key.is(Kind::kString) && key.as_string() == text;
}

/// Entries that can stand beside the tags: text keys, none of which is a tag's name.
bool can_stand_beside_tags(const Entries& entries) {
    return std::all_of(entries.begin(), entries.end(), [](const auto& entry) {
        return entry.first.is(Kind::kString) &&
               std::find(kReserved.begin(), kReserved.end(), entry.first.as_string()) == kReserved.end();
    });
}

bool is_empty(const Value& value) {
    return value.is_null() || (value.is(Kind::kTuple) && value.sequence().items.empty()) ||
           (value.is(Kind::kDict) && value.type().empty() && value.dict().entries.empty());
}

class Tagger {
public:
    Tagger(Pool& scratch, const Value& value) : scratch_(scratch), value_(value), tagged_(scratch.dict()) {}

    Value run() {
        const Node& node = *value_.node();
        const bool is_global = node.recipe && node.recipe->how == Recipe::How::kGlobal;
        add(kType, scratch_.string(node.type));
        add(kKind, scratch_.string(std::string(is_global ? "global" : kind_name(value_.kind()))));
        if (is_global) {
            add(kCallable, scratch_.string(node.recipe->callable));
            return tagged_;
        }
        if (node.recipe) add_recipe(*node.recipe, node.type);
        switch (value_.kind()) {
            case Kind::kObject:
                add_items(value_.object().items);
                if (!value_.object().entries.empty()) add_entries(value_.object().entries);
                break;
            case Kind::kDict:
                if (can_stand_beside_tags(value_.dict().entries) && !node.recipe) {
                    for (const auto& entry : value_.dict().entries) tagged_.dict().entries.push_back(entry);
                } else {
                    add_entries(value_.dict().entries);
                }
                break;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                add_items(value_.sequence().items);
                break;
            default:
                add(kValue, plain_scalar());
        }
        return tagged_;
    }

private:
    void add(std::string_view key, Value value) {
        tagged_.dict().entries.emplace_back(scratch_.string(std::string(key)), value);
    }
    void add_recipe(const Recipe& recipe, const std::string& type) {
        add(kHow, scratch_.string(recipe.how == Recipe::How::kNew ? "new" : "call"));
        if (recipe.callable != type) add(kCallable, scratch_.string(recipe.callable));
        if (!is_empty(recipe.args)) add(kArgs, recipe.args);
        if (!is_empty(recipe.kwargs)) add(kKwargs, recipe.kwargs);
        const Value& state = recipe.state;
        if (state.is_null()) return;
        if (value_.is(Kind::kObject) && state.is(Kind::kDict) && state.type().empty() && !is_empty(state) &&
            can_stand_beside_tags(state.dict().entries)) {
            for (const auto& entry : state.dict().entries) tagged_.dict().entries.push_back(entry);
        } else {
            add(kState, state);
        }
    }
    void add_items(const std::vector<Value>& items) {
        if (items.empty() && value_.is(Kind::kObject)) return;
        const Value list = scratch_.list();
        list.sequence().items = items;
        add(kItems, list);
    }
    void add_entries(const Entries& entries) {
        const Value dict = scratch_.dict();
        dict.dict().entries = entries;
        add(kEntries, dict);
    }
    Value plain_scalar() {
        switch (value_.kind()) {
            case Kind::kString:
                return scratch_.string(std::string(value_.as_string()));
            case Kind::kBytes:
                return scratch_.bytes(std::string(value_.as_bytes()));
            case Kind::kComplex:
                return scratch_.complex(value_.as_complex());
            case Kind::kTensor: {
                const TensorNode& tensor = value_.tensor();
                auto* plain = scratch_.make<TensorNode>();
                plain->dtype = tensor.dtype;
                plain->shape = tensor.shape;
                plain->stride = tensor.stride;
                plain->offset = tensor.offset;
                plain->storage = tensor.storage;
                return Value::of(plain);
            }
            case Kind::kInt:
                return scratch_.integer(value_.integer_bytes());
            default:
                if (const auto* scalar = dynamic_cast<const ScalarNode*>(value_.node())) return scalar->value;
                return {};
        }
    }

    Pool& scratch_;
    const Value& value_;
    Value tagged_;
};

/// A tagged value as a tuple, and everything in it as well.
class KeyTagger {
public:
    KeyTagger(Pool& scratch, TensorKeys tensors) : scratch_(scratch), tensors_(tensors) {}

    std::optional<Value> run(const Value& value, unsigned depth = 0) {
        if (is_hashable(value, tensors_)) return value;
        if (depth > kMostNestedKeys) return std::nullopt;
        const Node& node = *value.node();
        if (value.is(Kind::kTensor)) return array(value.tensor());
        std::vector<Value> parts;
        const auto add = [&](std::string_view name, const std::optional<Value>& part) {
            if (!part) return false;
            parts.push_back(scratch_.string(std::string(name)));
            parts.push_back(*part);
            return true;
        };
        const bool is_plain = node.type.empty() && !node.recipe && (!node.attributes || node.attributes->empty());
        if (is_plain && value.is(Kind::kTuple)) return items(value.sequence().items, depth);
        // Containers as they are: their items and entries are what a tag would list.
        const bool is_container = value.is(Kind::kList) || value.is(Kind::kTuple) || value.is(Kind::kSet) ||
                                  value.is(Kind::kDict) || value.is(Kind::kObject);
        bool is_sound = true;
        if (node.recipe || !is_container) {
            for (const auto& [key, part] : Tagger(scratch_, value).run().dict().entries) {
                const std::string_view name = key.as_string();
                const bool is_kept = !is_container || (name != kItems && name != kEntries);
                if (is_kept) is_sound = is_sound && add(name, run(part, depth + 1));
            }
        } else {
            add(kType, scratch_.string(node.type));
            add(kKind, scratch_.string(std::string(kind_name(value.kind()))));
        }
        if (value.is(Kind::kList) || value.is(Kind::kTuple) || value.is(Kind::kSet))
            is_sound = is_sound && add(kItems, items(value.sequence().items, depth));
        if (value.is(Kind::kObject) && !value.object().items.empty())
            is_sound = is_sound && add(kItems, items(value.object().items, depth));
        const Entries* held = value.is(Kind::kDict)     ? &value.dict().entries
                              : value.is(Kind::kObject) ? &value.object().entries
                                                        : nullptr;
        if (held != nullptr && !held->empty()) is_sound = is_sound && add(kEntries, entries(*held, depth));
        if (node.attributes != nullptr && !node.attributes->empty()) {
            Entries attributes;
            for (const auto& [name, attribute] : *node.attributes)
                attributes.emplace_back(scratch_.string(name), attribute);
            is_sound = is_sound && add(kAttributes, entries(attributes, depth));
        }
        return is_sound ? std::optional(scratch_.tuple(std::move(parts))) : std::nullopt;
    }

private:
    /// Of an array all that it is, if it is nothing else and small enough for a key.
    std::optional<Value> array(const TensorNode& tensor) {
        constexpr std::uint64_t kMostBytes = 1u << 20;
        const bool is_plain = tensor.storage && tensor.layout.empty() && !tensor.conj && !tensor.neg &&
                              !tensor.requires_grad && !tensor.quantization && tensor.dict.is_null();
        if (!is_plain || tensor.storage->blob->size_bytes() > kMostBytes) return std::nullopt;
        const auto numbers = [&](const auto& sizes) {
            std::vector<Value> parts;
            for (const auto size : sizes) parts.push_back(Value::integer(size));
            return scratch_.tuple(std::move(parts));
        };
        const auto text = [&](std::string_view name) { return scratch_.string(std::string(name)); };
        const Value facts = scratch_.tuple({text(dtype_name(tensor.dtype)), numbers(tensor.shape),
                                            numbers(tensor.stride), Value::integer(tensor.offset),
                                            scratch_.bytes(read_all(*tensor.storage->blob, kMostBytes))});
        return scratch_.tuple({text(kType), text(tensor.type), text(kKind), text("tensor"), text(kValue), facts});
    }

    std::optional<Value> items(const std::vector<Value>& values, unsigned depth) {
        std::vector<Value> parts;
        for (const Value& value : values) {
            const auto part = run(value, depth + 1);
            if (!part) return std::nullopt;
            parts.push_back(*part);
        }
        return scratch_.tuple(std::move(parts));
    }
    std::optional<Value> entries(const Entries& values, unsigned depth) {
        std::vector<Value> parts;
        for (const auto& [key, value] : values) {
            const auto pair = items({key, value}, depth);
            if (!pair) return std::nullopt;
            parts.push_back(*pair);
        }
        return scratch_.tuple(std::move(parts));
    }

    Pool& scratch_;
    TensorKeys tensors_;
};

/// Pairs as entries; nothing if the value is anything else.
Entries entries_of(const Value* value) {
    Entries entries;
    if (value == nullptr || !value->is(Kind::kTuple)) return entries;
    for (const Value& pair : value->sequence().items) {
        const bool is_pair = pair.is(Kind::kTuple) && pair.sequence().items.size() == 2;
        if (is_pair) entries.emplace_back(pair.sequence().items[0], pair.sequence().items[1]);
    }
    return entries;
}

/// What a tagged tuple says as the entries of a tagged dict; empty if it is no such thing.
Entries tags_in(const SequenceNode& tuple) {
    Entries entries;
    const auto& items = tuple.items;
    const bool is_tagged = tuple.type.empty() && !tuple.recipe && items.size() >= 4 && items.size() % 2 == 0 &&
                           is_text_key(items[0], kType) && is_text_key(items[2], kKind);
    for (std::size_t i = 0; is_tagged && i < items.size(); i += 2) entries.emplace_back(items[i], items[i + 1]);
    return entries;
}

/// What a tagged dict stands for, as a new node; null if the dict is no such thing.
class Restorer {
public:
    Restorer(Pool& pool, const Entries& entries) : pool_(pool), entries_(entries) {}

    Node* run() {
        const Entries& entries = entries_;
        const bool is_tagged = entries.size() >= 2 && is_text_key(entries[0].first, kType) &&
                               entries[0].second.is(Kind::kString) && is_text_key(entries[1].first, kKind) &&
                               entries[1].second.is(Kind::kString);
        if (!is_tagged) return nullptr;
        for (std::size_t i = 2; i < entries.size(); ++i) {
            const bool is_tag =
                entries[i].first.is(Kind::kString) &&
                std::find(kReserved.begin(), kReserved.end(), entries[i].first.as_string()) != kReserved.end();
            if (is_tag) {
                tags_.emplace(entries[i].first.as_string(), entries[i].second);
            } else {
                others_.push_back(entries[i]);
            }
        }
        Node* node = make(entries[1].second.as_string());
        if (node != nullptr) node->type = entries[0].second.as_string();
        if (node != nullptr && node->recipe && node->recipe->callable.empty()) node->recipe->callable = node->type;
        for (const auto& [name, attribute] : entries_of(tag(kAttributes))) {
            if (node != nullptr && name.is(Kind::kString)) node->set_attribute(name.as_string(), attribute);
        }
        return node;
    }

private:
    const Value* tag(std::string_view name) const {
        const auto found = tags_.find(name);
        return found != tags_.end() ? &found->second : nullptr;
    }
    std::string text(std::string_view name) const {
        const Value* value = tag(name);
        return value != nullptr && value->is(Kind::kString) ? std::string(value->as_string()) : std::string();
    }

    Node* make(std::string_view kind) {
        if (kind == "global") {
            auto* node = pool_.make<ObjectNode>();
            node->recipe = std::make_unique<Recipe>();
            node->recipe->how = Recipe::How::kGlobal;
            node->recipe->callable = text(kCallable);
            return node->recipe->callable.empty() ? nullptr : node;
        }
        if (kind == "object") return make_object();
        if (kind == "dict") return make_dict();
        for (const Kind sequence : {Kind::kList, Kind::kTuple, Kind::kSet}) {
            if (kind == kind_name(sequence)) return make_sequence(sequence);
        }
        return make_scalar(kind);
    }
    void add_recipe(Node& node) {
        const std::string how = text(kHow);
        if (how.empty()) return;
        node.recipe = std::make_unique<Recipe>();
        node.recipe->how = how == "new" ? Recipe::How::kNew : Recipe::How::kCall;
        node.recipe->callable = text(kCallable);
        const Value* args = tag(kArgs);
        node.recipe->args = args != nullptr ? *args : pool_.tuple();
        if (const Value* kwargs = tag(kKwargs)) node.recipe->kwargs = *kwargs;
        if (const Value* state = tag(kState)) node.recipe->state = *state;
    }
    Node* make_object() {
        auto* node = pool_.make<ObjectNode>();
        add_recipe(*node);
        if (const Value* items = tag(kItems); items != nullptr && (items->is(Kind::kList) || items->is(Kind::kTuple)))
            node->items = items->sequence().items;
        if (const Value* entries = tag(kEntries); entries != nullptr)
            node->entries = entries->is(Kind::kDict) ? entries->dict().entries : entries_of(entries);
        if (others_.empty()) return node;
        if (!node->recipe || !node->recipe->state.is_null()) return nullptr;
        node->recipe->state = pool_.dict();
        node->recipe->state.dict().entries = std::move(others_);
        return node;
    }
    Node* make_dict() {
        auto* node = pool_.make<DictNode>();
        add_recipe(*node);
        const Value* entries = tag(kEntries);
        if (entries != nullptr && entries->is(Kind::kDict)) {
            node->entries = entries->dict().entries;
        } else if (entries != nullptr) {
            node->entries = entries_of(entries);
        } else {
            node->entries = std::move(others_);
        }
        return node;
    }
    Node* make_sequence(Kind kind) {
        const Value* items = tag(kItems);
        if (items == nullptr || (!items->is(Kind::kList) && !items->is(Kind::kTuple))) return nullptr;
        auto* node = pool_.make<SequenceNode>(kind);
        add_recipe(*node);
        node->items = items->sequence().items;
        return node;
    }
    /// An array that was a key.
    Node* make_array(const Value& facts) {
        const auto& parts = facts.sequence().items;
        if (parts.size() != 5 || !parts[0].is(Kind::kString) || !parts[4].is(Kind::kBytes) || !parts[3].as_int64())
            return nullptr;
        const auto dtype = dtype_from_name(parts[0].as_string());
        if (!dtype) return nullptr;
        auto* node = pool_.make<TensorNode>();
        node->dtype = *dtype;
        for (const auto& [part, sizes] : {std::pair{parts[1], &node->shape}, std::pair{parts[2], &node->stride}}) {
            if (!part.is(Kind::kTuple)) return nullptr;
            for (const Value& size : part.sequence().items) sizes->push_back(size.as_int64().value_or(-1));
        }
        node->offset = *parts[3].as_int64();
        auto storage = std::make_shared<Storage>();
        storage->blob = memory_blob(std::string(parts[4].as_bytes()));
        node->storage = std::move(storage);
        if (std::any_of(node->shape.begin(), node->shape.end(), [](auto size) { return size < 0; })) return nullptr;
        node->check_bounds("a key");
        return node;
    }

    Node* make_scalar(std::string_view kind) {
        const Value* value = tag(kValue);
        if (value != nullptr && kind == "tensor" && value->is(Kind::kTuple)) return make_array(*value);
        if (value == nullptr || kind != kind_name(value->kind())) return nullptr;
        switch (value->kind()) {
            case Kind::kString: {
                auto* node = pool_.make<StringNode>();
                node->text = value->as_string();
                return node;
            }
            case Kind::kBytes: {
                auto* node = pool_.make<BytesNode>();
                node->bytes = value->as_bytes();
                return node;
            }
            case Kind::kTensor: {
                const TensorNode& tensor = value->tensor();
                auto* node = pool_.make<TensorNode>();
                node->dtype = tensor.dtype;
                node->shape = tensor.shape;
                node->stride = tensor.stride;
                node->offset = tensor.offset;
                node->storage = tensor.storage;
                return node;
            }
            case Kind::kComplex: {
                auto* node = pool_.make<ScalarNode>(Kind::kComplex);
                node->value = Value::real(value->as_complex().real());
                node->imaginary = value->as_complex().imag();
                return node;
            }
            case Kind::kBool:
            case Kind::kInt:
            case Kind::kFloat: {
                // Of a class of its own is none that was tagged; an integer of more than 64 bits is a node.
                if (!value->type().empty()) return nullptr;
                auto* node = pool_.make<ScalarNode>(value->kind());
                node->value = *value;
                return node;
            }
            default:
                return nullptr;
        }
    }

    Pool& pool_;
    const Entries& entries_;
    std::unordered_map<std::string_view, Value> tags_;
    Entries others_;
};

/// Types of Julia's own modules, and those with parameters in braces, be there none.
bool is_julias(std::string_view name) {
    const std::string_view root = name.substr(0, std::min(name.find('.'), name.size()));
    return root == "Main" || root == "Base" || root == "Core" || name.find('{') != std::string_view::npos;
}

}  // namespace

bool has_python_recipe(const Node& node) {
    if (!node.recipe || !node.recipe->callee.is_null() || node.recipe->module_length != 0) return true;
    const std::string& name = node.recipe->callable;
    return name.find('.') != std::string::npos && !is_julias(name) && !is_julias(node.type);
}

Value tagged_value(Pool& scratch, Value value) {
    return Tagger(scratch, value).run();
}

bool is_hashable(const Value& value, TensorKeys tensors) {
    const Node* node = value.node();
    if (node == nullptr) return true;
    switch (value.kind()) {
        case Kind::kTensor:
            return tensors == TensorKeys::kHashable;
        case Kind::kList:
        case Kind::kDict:
            if (node->type.empty() && !node->recipe) return false;
            break;
        case Kind::kSet:
            if (node->type.empty()) return false;
            break;
        case Kind::kTuple:
            if (!node->type.empty()) break;
            return std::all_of(value.sequence().items.begin(), value.sequence().items.end(),
                               [&](const Value& item) { return is_hashable(item, tensors); });
        case Kind::kString:
            return node->type.empty() || node->recipe;
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
        case Kind::kComplex:
            if (node->type.empty()) return true;
            break;
        default:
            break;
    }
    return node->recipe ? has_python_recipe(*node) : !is_julias(node->type) && value.kind() != Kind::kObject;
}

std::optional<Value> hashable_value(Pool& scratch, const Value& value, TensorKeys tensors) {
    return KeyTagger(scratch, tensors).run(value);
}

bool has_unhashable_keys(const Node& node, TensorKeys tensors) {
    if (node.kind == Kind::kSet) {
        const auto& items = static_cast<const SequenceNode&>(node).items;
        return node.type.empty() &&
               !std::all_of(items.begin(), items.end(), [&](const Value& item) { return is_hashable(item, tensors); });
    }
    if (node.kind != Kind::kDict) return false;
    const auto& entries = static_cast<const DictNode&>(node).entries;
    return !std::all_of(entries.begin(), entries.end(),
                        [&](const auto& entry) { return is_hashable(entry.first, tensors); });
}

bool has_impossible_key(const Value& value, TensorKeys tensors) {
    const auto is_impossible = [&](const Value& key) {
        if (is_hashable(key, tensors)) return false;
        Pool scratch;
        return !hashable_value(scratch, key, tensors);
    };
    if (value.is(Kind::kSet))
        return value.type().empty() &&
               std::any_of(value.sequence().items.begin(), value.sequence().items.end(), is_impossible);
    return value.is(Kind::kDict) && std::any_of(value.dict().entries.begin(), value.dict().entries.end(),
                                                [&](const auto& entry) { return is_impossible(entry.first); });
}

Value with_hashable_keys(Pool& scratch, const Value& value, const std::function<void(const std::string&)>& on_tagged,
                         TensorKeys tensors) {
    const auto hashable = [&](const Value& key) {
        return hashable_value(scratch, key, tensors).value_or(Value::null());
    };
    if (value.is(Kind::kSet)) {
        const Value set = scratch.set();
        set.node()->type = value.type();
        for (const Value& item : value.sequence().items) set.sequence().items.push_back(hashable(item));
        return set;
    }
    const Value dict = scratch.dict();
    dict.node()->type = value.type();
    if (value.node()->recipe) dict.node()->recipe = std::make_unique<Recipe>(*value.node()->recipe);
    for (const auto& [key, item] : value.dict().entries) {
        const Value shown = hashable(key);
        if (const Node* node = key.node(); node != nullptr && shown.node() != node && !node->type.empty())
            on_tagged(node->type);
        dict.dict().entries.emplace_back(shown, item);
    }
    return dict;
}

void restore_tagged_values(Document& document) {
    restore_tagged_values(document.pool(), document.root);
}

void restore_tagged_values(Pool& pool, Value& root) {
    std::unordered_map<const Node*, Value> restored;
    std::unordered_set<Node*> seen;
    std::vector<Node*> todo;
    const auto meet = [&](Value& value) {
        Node* node = value.node();
        if (node == nullptr) return;
        if (const auto found = restored.find(node); found != restored.end()) {
            value = found->second;
            return;
        }
        if (!seen.insert(node).second) return;
        const bool is_plain = node->type.empty() && !node->recipe;
        if (is_plain && (node->kind == Kind::kDict || node->kind == Kind::kTuple)) {
            const Entries tags =
                node->kind == Kind::kTuple ? tags_in(static_cast<const SequenceNode&>(*node)) : Entries();
            const Entries& entries = node->kind == Kind::kTuple ? tags : static_cast<const DictNode&>(*node).entries;
            if (Node* made = Restorer(pool, entries).run()) {
                value = Value::of(made);
                restored.emplace(node, value);
                seen.insert(made);
                node = made;
            }
        }
        todo.push_back(node);
    };
    meet(root);
    while (!todo.empty()) {
        Node* node = todo.back();
        todo.pop_back();
        for_each_value(*node, meet);
    }
}

}  // namespace ckpt
