// Values as JSON and back.
#include "formats/shared/value_text/value_text.hpp"

#include <bit>
#include <cmath>

#include <nlohmann/json.hpp>

#include "libckpt/error.hpp"
#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

// A text is for small things; whatever is larger stands aside.
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxTextBytes = std::size_t{32} << 10;

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

std::string from_hex(std::string_view text) {
    const auto digit = [](char c) -> unsigned {
        if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
        if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
        throw_damaged("'{}' is no hexadecimal digit", c);
    };
    if (text.size() % 2 != 0) throw_damaged("hexadecimal text of odd length {}", text.size());
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 2)
        bytes.push_back(static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1])));
    return bytes;
}

Json real_json(double value) {
    if (std::isfinite(value)) return value;
    if (std::isinf(value)) return Json{{"float", value > 0 ? "inf" : "-inf"}};
    return Json{{"float", fmt::format("{:016x}", std::bit_cast<std::uint64_t>(value))}};
}

Json reference_json(const ValueReference& reference) {
    if (reference.where == ValueReference::Where::kAsideValue) return Json{{"aside", reference.number}};
    return Json{{"link", reference.link}};
}

std::string_view how_name(Recipe::How how) {
    return how == Recipe::How::kNew ? "new" : how == Recipe::How::kCall ? "call" : "global";
}

/// Gives up (nullopt) on values that are shared, large, or of a kind that JSON text is not for.
class Encoder {
public:
    explicit Encoder(const std::function<bool(const Node&)>& is_shared) : is_shared_(is_shared) {}

    std::optional<Json> run(Value value) {
        Json json;
        if (!encode(value, json, 0)) return std::nullopt;
        return json;
    }

private:
    bool encode(Value value, Json& out, int depth) {
        if (depth > kMaxDepth || (budget_ -= 8) < 0) return false;
        const Node* node = value.node();
        if (node != nullptr && node->attributes) return false;
        switch (value.kind()) {
            case Kind::kNull:
                out = nullptr;
                return node == nullptr;
            case Kind::kBool:
                return typed("bool", node, value.as_bool(), out);
            case Kind::kInt:
                return integer(value, out);
            case Kind::kFloat:
                return typed("float", node, real_json(value.as_double()), out);
            case Kind::kComplex:
                out = Json{{"complex", {real_json(value.as_complex().real()), real_json(value.as_complex().imag())}}};
                return add_type(node, out);
            case Kind::kString:
                return text(value, out);
            case Kind::kBytes:
                if ((budget_ -= static_cast<std::int64_t>(value.as_bytes().size())) < 0) return false;
                out = Json{{"bytes", hex(value.as_bytes())}};
                return add_type(node, out);
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                return sequence(value, out, depth);
            case Kind::kDict:
                return dict(value.dict(), out, depth);
            case Kind::kObject:
                return object(value.object(), out, depth);
            case Kind::kTensor:
                return false;
        }
        return false;
    }

    static bool add_type(const Node* node, Json& out) {
        if (node != nullptr && !node->type.empty()) out["type"] = node->type;
        return true;
    }
    static bool typed(const char* kind, const Node* node, Json value, Json& out) {
        if (node == nullptr || node->type.empty()) {
            out = std::move(value);
            return true;
        }
        out = value.is_object() ? std::move(value) : Json{{kind, std::move(value)}};
        return add_type(node, out);
    }
    static bool integer(Value value, Json& out) {
        if (const auto small = value.as_int64()) return typed("int", value.node(), *small, out);
        out = Json{{"int", value.integer_text()}};
        return add_type(value.node(), out);
    }
    bool text(Value value, Json& out) {
        const std::string_view text = value.as_string();
        if ((budget_ -= static_cast<std::int64_t>(text.size())) < 0) return false;
        if (!is_strict_utf8(text)) {
            out = Json{{"text", hex(text)}};
            return add_type(value.node(), out);
        }
        const bool is_plain = value.type().empty();
        out = is_plain ? Json(std::string(text)) : Json{{"str", std::string(text)}};
        return is_plain || add_type(value.node(), out);
    }
    bool items(const std::vector<Value>& values, Json& out, int depth) {
        out = Json::array();
        for (const Value& value : values) {
            if (!encode(value, out.emplace_back(), depth + 1)) return false;
        }
        return true;
    }
    bool sequence(Value value, Json& out, int depth) {
        const auto& node = value.sequence();
        const bool has_identity = !value.is(Kind::kTuple) || !node.items.empty();
        if ((has_identity && is_shared_(node)) || (value.is(Kind::kList) && node.recipe)) return false;
        Json list;
        if (!items(node.items, list, depth)) return false;
        if (value.is(Kind::kList) && node.type.empty()) {
            out = std::move(list);
            return true;
        }
        out = Json{{std::string(kind_name(value.kind())), std::move(list)}};
        return add_type(&node, out);
    }
    bool pairs(const std::vector<std::pair<Value, Value>>& entries, Json& out, int depth) {
        out = Json::array();
        for (const auto& [key, value] : entries) {
            Json pair = Json::array({nullptr, nullptr});
            if (!encode(key, pair[0], depth + 1) || !encode(value, pair[1], depth + 1)) return false;
            out.push_back(std::move(pair));
        }
        return true;
    }
    bool dict(const DictNode& node, Json& out, int depth) {
        if (is_shared_(node)) return false;
        Json entries;
        if (!pairs(node.entries, entries, depth)) return false;
        out = Json{{"dict", std::move(entries)}};
        add_type(&node, out);
        return add_recipe(node, out, depth);
    }
    bool object(const ObjectNode& node, Json& out, int depth) {
        const bool is_global = node.recipe && node.recipe->how == Recipe::How::kGlobal;
        if ((!is_global && is_shared_(node)) || !node.items.empty() || !node.entries.empty()) return false;
        out = Json{{"object", nullptr}};
        add_type(&node, out);
        return add_recipe(node, out, depth);
    }
    bool add_recipe(const Node& node, Json& out, int depth) {
        if (!node.recipe) return true;
        const Recipe& recipe = *node.recipe;
        Json json{{"how", how_name(recipe.how)}, {"callable", recipe.callable}};
        if (!is_strict_utf8(recipe.callable)) return false;
        if (recipe.module_length != 0) json["module_length"] = recipe.module_length;
        const auto add = [&](const char* name, Value part) {
            return part.is_null() || encode(part, json[name], depth + 1);
        };
        const bool is_whole = add("callee", recipe.callee) && add("args", recipe.args) &&
                              add("kwargs", recipe.kwargs) && add("state", recipe.state);
        out["recipe"] = std::move(json);
        return is_whole;
    }

    const std::function<bool(const Node&)>& is_shared_;
    std::int64_t budget_ = kMaxTextBytes;
};

class Decoder {
public:
    Decoder(Pool& pool, const std::function<Value(const ValueReference&)>& resolve,
            const std::function<Value(const std::string&)>& key)
        : pool_(pool), resolve_(resolve), key_(key) {}

    Value decode(const Json& json, int depth = 0) const {
        // A reference may stand for anything, so a text that we wrote is never deeper than what it holds itself.
        if (depth > 2 * kMaxDepth) throw_damaged("a value's text is nested more than {} levels", 2 * kMaxDepth);
        switch (json.type()) {
            case Json::value_t::null:
                return {};
            case Json::value_t::boolean:
                return Value::boolean(json.get<bool>());
            case Json::value_t::number_integer:
                return Value::integer(json.get<std::int64_t>());
            case Json::value_t::number_unsigned:
                return Value::unsigned_integer(json.get<std::uint64_t>());
            case Json::value_t::number_float:
                return Value::real(json.get<double>());
            case Json::value_t::string:
                return pool_.string(json.get<std::string>());
            case Json::value_t::array: {
                const Value list = pool_.list();
                list.sequence().items = items(json, depth);
                return list;
            }
            default:
                return tagged(json, depth);
        }
    }

    Recipe recipe(const Json& json, int depth) const {
        Recipe recipe;
        const std::string how = text(json, "how");
        if (how == "new") {
            recipe.how = Recipe::How::kNew;
        } else if (how == "global") {
            recipe.how = Recipe::How::kGlobal;
        } else if (how != "call") {
            throw_damaged("a recipe says '{}', which is none of new, call, global", how);
        }
        recipe.callable = text(json, "callable");
        if (json.contains("module_length")) {
            const Json& length = json["module_length"];
            if (!length.is_number_unsigned() || length.get<std::uint64_t>() > recipe.callable.size())
                throw_damaged("a recipe's module_length is no length of its callable '{}'", recipe.callable);
            recipe.module_length = length.get<std::size_t>();
        }
        const auto part = [&](const char* name, Value& into) {
            if (json.contains(name)) into = decode(json[name], depth + 1);
        };
        part("callee", recipe.callee);
        part("args", recipe.args);
        part("kwargs", recipe.kwargs);
        part("state", recipe.state);
        return recipe;
    }

private:
    static std::string text(const Json& json, const char* name) {
        const auto found = json.is_object() ? json.find(name) : json.end();
        if (!json.is_object() || found == json.end() || !found->is_string())
            throw_damaged("a value's text lacks '{}'", name);
        return found->get<std::string>();
    }
    std::vector<Value> items(const Json& json, int depth) const {
        if (!json.is_array()) throw_damaged("a value's text has no list where one must be");
        std::vector<Value> values;
        for (const Json& item : json) values.push_back(decode(item, depth + 1));
        return values;
    }
    std::vector<std::pair<Value, Value>> pairs(const Json& json, int depth) const {
        std::vector<std::pair<Value, Value>> entries;
        if (!json.is_array()) throw_damaged("a dict's text has no list of entries");
        for (const Json& pair : json) {
            if (!pair.is_array() || pair.size() != 2) throw_damaged("a dict's text has an entry that is no pair");
            const Value key = pair[0].is_string() ? key_(pair[0].get<std::string>()) : decode(pair[0], depth + 1);
            entries.emplace_back(key, decode(pair[1], depth + 1));
        }
        return entries;
    }
    double real(const Json& json) const {
        if (json.is_number()) return json.get<double>();
        const std::string word = json.is_object()   ? text(json, "float")
                                 : json.is_string() ? json.get<std::string>()
                                                    : std::string();
        if (word == "inf") return HUGE_VAL;
        if (word == "-inf") return -HUGE_VAL;
        const std::string bytes = from_hex(word);
        if (bytes.size() != 8) throw_damaged("'{}' is no number", word);
        std::uint64_t bits = 0;
        for (const char byte : bytes) bits = bits << 8 | static_cast<unsigned char>(byte);
        return std::bit_cast<double>(bits);
    }
    Value integer(const Json& json) const {
        if (json.is_number_unsigned()) return Value::unsigned_integer(json.get<std::uint64_t>());
        if (json.is_number_integer()) return Value::integer(json.get<std::int64_t>());
        const auto bytes = json.is_string() ? decimal_to_bytes(json.get<std::string>()) : std::nullopt;
        if (!bytes) throw_damaged("a value's text has an integer that is none");
        return pool_.integer(*bytes);
    }
    Value with_type(Value value, const std::string& type) const {
        if (type.empty()) return value;
        if (value.node() == nullptr) return pool_.typed_scalar(value, type);
        value.node()->type = type;
        return value;
    }

    Value tagged(const Json& json, int depth) const {
        if (json.contains("aside")) {
            if (!json["aside"].is_number_unsigned()) throw_damaged("'aside' is no number");
            return resolve_({ValueReference::Where::kAsideValue, json["aside"].get<std::uint64_t>(), ""});
        }
        if (json.contains("link")) return resolve_({ValueReference::Where::kMember, 0, text(json, "link")});
        const std::string type = json.contains("type") ? text(json, "type") : std::string();
        const Value value = with_type(untyped(json, depth), type);
        if (json.contains("recipe")) {
            if (value.node() == nullptr) throw_damaged("a number's text has a recipe");
            value.node()->recipe = std::make_unique<Recipe>(recipe(json["recipe"], depth));
        }
        return value;
    }

    Value untyped(const Json& json, int depth) const {
        const auto has = [&json](const char* name) { return json.contains(name); };
        if (has("bool")) {
            if (!json["bool"].is_boolean()) throw_damaged("a value's text has a bool that is none");
            return Value::boolean(json["bool"].get<bool>());
        }
        if (has("int")) return integer(json["int"]);
        if (has("float")) return Value::real(real(json["float"]));
        if (has("complex")) {
            const Json& parts = json["complex"];
            if (!parts.is_array() || parts.size() != 2) throw_damaged("a complex number's text has not two parts");
            return pool_.complex({real(parts[0]), real(parts[1])});
        }
        if (has("str")) return pool_.string(text(json, "str"));
        if (has("text")) return pool_.string(from_hex(text(json, "text")));
        if (has("bytes")) return pool_.bytes(from_hex(text(json, "bytes")));
        if (has("object")) return Value::of(pool_.make<ObjectNode>());
        if (has("dict")) {
            const Value dict = pool_.dict();
            dict.dict().entries = pairs(json["dict"], depth);
            return dict;
        }
        if (has("tuple")) return pool_.tuple(items(json["tuple"], depth));
        for (const auto& [name, value] : {std::pair("list", &Pool::list), std::pair("set", &Pool::set)}) {
            if (!has(name)) continue;
            const Value sequence = (pool_.*value)();
            sequence.sequence().items = items(json[name], depth);
            return sequence;
        }
        throw_damaged("a value's text is of no kind that is known");
    }

    Pool& pool_;
    const std::function<Value(const ValueReference&)>& resolve_;
    const std::function<Value(const std::string&)>& key_;
};

Json parse(std::string_view text) {
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) throw_damaged("'{}' is no JSON", text.substr(0, 60));
    return json;
}

}  // namespace

std::string ValueTextWriter::text(Value value) const {
    if (const auto json = Encoder(is_shared_).run(value)) return json->dump();
    return reference_json(set_aside_(value)).dump();
}

std::string ValueTextWriter::list(const std::vector<Value>& values) const {
    std::string text = "[";
    for (const Value& value : values) {
        if (text.size() > 1) text += ", ";
        text += this->text(value);
    }
    return text + "]";
}

std::string ValueTextWriter::object(const std::vector<std::pair<std::string, Value>>& members) const {
    std::string text = "{";
    for (const auto& [name, value] : members) {
        if (text.size() > 1) text += ", ";
        text += Json(name).dump(-1, ' ', false, Json::error_handler_t::replace) + ": " + this->text(value);
    }
    return text + "}";
}

std::string ValueTextWriter::recipe(const Recipe& recipe, bool parts_are_links) const {
    Json json{{"how", how_name(recipe.how)}, {"callable", recipe.callable}};
    if (recipe.module_length != 0) json["module_length"] = recipe.module_length;
    std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    text.pop_back();
    const auto add = [&](std::string_view name, Value part) {
        if (part.is_null()) return;
        text += fmt::format(",\"{}\":{}", name,
                            parts_are_links ? fmt::format("{{\"link\":\"__{}__\"}}", name) : this->text(part));
    };
    add("callee", recipe.callee);
    add("args", recipe.args);
    add("kwargs", recipe.kwargs);
    add("state", recipe.state);
    return text + "}";
}

Value ValueTextReader::value(std::string_view text) const {
    return Decoder(pool_, resolve_, key_).decode(parse(text));
}

std::vector<Value> ValueTextReader::list(std::string_view text) const {
    const Json json = parse(text);
    if (!json.is_array()) throw_damaged("'{}' is no list", text.substr(0, 60));
    std::vector<Value> values;
    for (const Json& item : json) values.push_back(Decoder(pool_, resolve_, key_).decode(item));
    return values;
}

std::vector<std::pair<std::string, Value>> ValueTextReader::object(std::string_view text) const {
    const Json json = parse(text);
    if (!json.is_object()) throw_damaged("'{}' is no object", text.substr(0, 60));
    std::vector<std::pair<std::string, Value>> members;
    for (const auto& [name, value] : json.items())
        members.emplace_back(name, Decoder(pool_, resolve_, key_).decode(value));
    return members;
}

Recipe ValueTextReader::recipe(std::string_view text) const {
    return Decoder(pool_, resolve_, key_).recipe(parse(text), 0);
}

}  // namespace ckpt
