// The tree around the tensors: values as text, those that are shared, large or tensors as a numbered list.
#include "formats/safetensors/rest.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/shared/json/json_cursor.hpp"
#include "formats/shared/value_text/value_text.hpp"
#include "libckpt/error.hpp"
#include "libckpt/meaning.hpp"
#include "libckpt/utf8.hpp"

namespace ckpt::safetensors {
namespace {

constexpr std::string_view kBegin = "{\"ckpt\":1,";

std::string hex(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

/// Nodes that are met more than once.
std::unordered_set<const Node*> shared_nodes(Value root) {
    std::unordered_set<const Node*> met, shared;
    std::vector<const Node*> open;
    const auto meet = [&](Value value) {
        const Node* node = value.node();
        if (node == nullptr) return;
        if (met.insert(node).second) {
            open.push_back(node);
        } else {
            shared.insert(node);
        }
    };
    meet(root);
    while (!open.empty()) {
        const Node* node = open.back();
        open.pop_back();
        for_each_meaning(*node, meet);
    }
    return shared;
}

class RestWriter {
public:
    RestWriter(const Document& document, const std::function<std::string(const TensorNode&)>& name_of)
        : root_(document.root),
          name_of_(name_of),
          shared_(shared_nodes(document.root)),
          texts_([this](const Node& node) { return shared_.contains(&node); },
                 [this](Value value) { return set_aside(value); }) {}

    std::string run() {
        std::string text = fmt::format("{}\"root\":{},\"values\":[", kBegin, texts_.text(root_));
        // Records put further values aside, so the list grows while it is written.
        for (std::size_t i = 0; i < aside_.size(); ++i) text += (i == 0 ? "" : ",") + record(aside_[i]);
        return text + "]}";
    }

private:
    ValueReference set_aside(Value value) {
        const auto [found, is_new] = numbers_.emplace(value.node(), aside_.size());
        if (is_new) aside_.push_back(value);
        return {ValueReference::Where::kAsideValue, found->second, ""};
    }

    std::string pairs(const std::vector<std::pair<Value, Value>>& entries) const {
        std::string text = "[";
        for (const auto& [key, value] : entries)
            text += fmt::format("{}[{},{}]", text.size() > 1 ? "," : "", texts_.text(key), texts_.text(value));
        return text + "]";
    }

    std::string record(Value value) {
        const Node& node = *value.node();
        std::string text = "{" + content(value);
        if (!node.type.empty()) text += ",\"type\":" + texts_.text(scratch_.string(node.type));
        if (node.recipe && has_meaning_recipe(node)) text += ",\"recipe\":" + texts_.recipe(*node.recipe, false);
        if (node.attributes) text += ",\"attributes\":" + texts_.object(*node.attributes);
        return text + "}";
    }

    std::string content(Value value) {
        switch (value.kind()) {
            case Kind::kTensor: {
                const TensorNode& tensor = value.tensor();
                std::string text = "\"tensor\":" + json_quoted(name_of_(tensor));
                if (tensor.requires_grad) text += ",\"requires_grad\":true";
                if (!tensor.dict.is_null()) text += ",\"state\":" + texts_.text(tensor.dict);
                return text;
            }
            case Kind::kDict:
                return "\"dict\":" + pairs(value.dict().entries);
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                return fmt::format("\"{}\":{}", kind_name(value.kind()), texts_.list(value.sequence().items));
            case Kind::kObject:
                return fmt::format("\"object\":{{\"items\":{},\"entries\":{}}}", texts_.list(value.object().items),
                                   pairs(value.object().entries));
            case Kind::kString:
                return is_strict_utf8(value.as_string()) ? "\"str\":" + json_quoted(value.as_string())
                                                         : fmt::format("\"text\":\"{}\"", hex(value.as_string()));
            case Kind::kBytes:
                return fmt::format("\"bytes\":\"{}\"", hex(value.as_bytes()));
            default:
                return "\"number\":" + texts_.text(bare(value));
        }
    }

    /// A number without what makes it stand aside.
    Value bare(Value value) {
        if (value.is(Kind::kBool)) return Value::boolean(value.as_bool());
        if (value.is(Kind::kFloat)) return Value::real(value.as_double());
        if (value.is(Kind::kComplex)) return scratch_.complex(value.as_complex());
        return scratch_.integer(value.integer_bytes());
    }

    Value root_;
    const std::function<std::string(const TensorNode&)>& name_of_;
    std::unordered_set<const Node*> shared_;
    ValueTextWriter texts_;
    Pool scratch_;
    std::vector<Value> aside_;
    std::unordered_map<const Node*, std::uint64_t> numbers_;
};

/// A record's members as they stand in the text.
using Members = std::vector<std::pair<std::string, std::string_view>>;

std::optional<std::string_view> find(const Members& members, std::string_view name) {
    const auto found = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == name; });
    return found == members.end() ? std::nullopt : std::optional(found->second);
}

class RestReader {
public:
    RestReader(Document& document, std::string_view text)
        : document_(document),
          text_(text),
          texts_(
              document.pool(), [this](const ValueReference& reference) { return resolve(reference); },
              [this](const std::string& key) { return document_.pool().string(key); }) {}

    void run() {
        for (const auto& [key, value] : document_.root.dict().entries)
            tensors_.emplace(key.as_string(), Named{value, false});
        for (const auto& [alias, target] : document_.aliases) aliases_.emplace(alias, target);
        std::string_view root;
        JsonCursor json(text_);
        json.object([&](const std::string& key) {
            if (key != "values") {
                const std::string_view value = json.skip();
                if (key == "root") root = value;
                return;
            }
            json.list([&] {
                Members& members = records_.emplace_back();
                json.object([&](const std::string& name) { members.emplace_back(name, json.skip()); });
            });
        });
        json.end();
        if (root.empty()) throw_damaged("has no root");
        for (const Members& members : records_) values_.push_back(shell(members));
        for (std::size_t i = 0; i < records_.size(); ++i) fill(values_[i], records_[i]);
        const Value tree = texts_.value(root);
        keep_unnamed(tree);
        document_.root = tree;
        std::erase_if(document_.aliases, [this](const auto& alias) { return !aliases_.contains(alias.first); });
    }

private:
    struct Named {
        Value value;
        bool is_used;
    };

    Value resolve(const ValueReference& reference) const {
        if (reference.where != ValueReference::Where::kAsideValue || reference.number >= values_.size())
            throw_damaged("refers to value {} of {}", reference.number, values_.size());
        return values_[static_cast<std::size_t>(reference.number)];
    }

    /// The tensor of that name, or one tied to that for which the name stands.
    Value tensor(const std::string& name) {
        if (const auto found = tensors_.find(name); found != tensors_.end()) {
            if (found->second.is_used) throw_damaged("has tensor {} in two places", json_quoted(name));
            found->second.is_used = true;
            return found->second.value;
        }
        const auto alias = aliases_.find(name);
        if (alias == aliases_.end()) throw_damaged("names a tensor {} that is not in the file", json_quoted(name));
        const Value tied = tied_tensor(document_.pool(), tensors_.at(alias->second).value.tensor());
        aliases_.erase(alias);
        return tied;
    }

    /// The node of a record, empty yet: others may refer to it before it is filled.
    Value shell(const Members& members) {
        Pool& pool = document_.pool();
        if (const auto name = find(members, "tensor")) return tensor(JsonCursor(*name).text());
        if (find(members, "dict")) return pool.dict();
        if (find(members, "list")) return pool.list();
        if (find(members, "tuple")) return Value::of(pool.make<SequenceNode>(Kind::kTuple));
        if (find(members, "set")) return pool.set();
        if (find(members, "object")) return Value::of(pool.make<ObjectNode>());
        if (const auto text = find(members, "str")) return pool.string(JsonCursor(*text).text());
        for (const auto kind : {"text", "bytes"}) {
            if (const auto text = find(members, kind)) return texts_.value(fmt::format("{{\"{}\":{}}}", kind, *text));
        }
        const auto number = find(members, "number");
        if (!number) throw_damaged("has a value of no kind that is known");
        const Value value = texts_.value(*number);
        const auto type = find(members, "type");
        return value.node() != nullptr ? value : pool.typed_scalar(value, type ? JsonCursor(*type).text() : "");
    }

    std::vector<std::pair<Value, Value>> pairs(std::string_view text) const {
        std::vector<std::pair<Value, Value>> entries;
        JsonCursor json(text);
        json.list([&] {
            std::vector<Value> pair;
            json.list([&] { pair.push_back(texts_.value(json.skip())); });
            if (pair.size() != 2) throw_damaged("has an entry of {} values, not a key and a value", pair.size());
            entries.emplace_back(pair[0], pair[1]);
        });
        return entries;
    }

    void fill(Value value, const Members& members) {
        Node& node = *value.node();
        for (const auto& [name, text] : members) {
            if (name == "dict") {
                value.dict().entries = pairs(text);
            } else if (name == "list" || name == "tuple" || name == "set") {
                value.sequence().items = texts_.list(text);
            } else if (name == "object") {
                JsonCursor json(text);
                json.object([&, object = &value.object()](const std::string& part) {
                    const std::string_view values = json.skip();
                    if (part == "items") object->items = texts_.list(values);
                    if (part == "entries") object->entries = pairs(values);
                });
            } else if (name == "requires_grad" && value.is(Kind::kTensor)) {
                value.tensor().requires_grad = text == "true";
            } else if (name == "state" && value.is(Kind::kTensor)) {
                value.tensor().dict = texts_.value(text);
            } else if (name == "type") {
                node.type = texts_.value(text).as_string();
            } else if (name == "recipe") {
                node.recipe = std::make_unique<Recipe>(texts_.recipe(text));
            } else if (name == "attributes") {
                node.attributes = std::make_unique<NamedValues>(texts_.object(text));
            }
        }
    }

    /// What another program added to the file stays at the root.
    void keep_unnamed(Value tree) {
        for (const auto& [key, value] : document_.root.dict().entries) {
            if (tensors_.at(std::string(key.as_string())).is_used) continue;
            if (!tree.is(Kind::kDict)) throw_damaged("lacks tensor {}", json_quoted(key.as_string()));
            tree.dict().entries.emplace_back(key, value);
        }
    }

    Document& document_;
    std::string_view text_;
    ValueTextReader texts_;
    std::unordered_map<std::string, Named> tensors_;
    std::unordered_map<std::string, std::string> aliases_;
    std::vector<Members> records_;
    std::vector<Value> values_;
};

}  // namespace

bool is_rest(std::string_view text) {
    return text.starts_with(kBegin);
}

std::string rest_text(const Document& document, const std::function<std::string(const TensorNode&)>& name_of) {
    return RestWriter(document, name_of).run();
}

void restore_rest(Document& document, std::string_view text) {
    try {
        RestReader(document, text).run();
    } catch (const Error& error) {
        throw_damaged("__metadata__ 'ckpt': {}", error.message());
    }
}

}  // namespace ckpt::safetensors
