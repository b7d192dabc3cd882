// Interning, printing and parsing of Julia types.
#include "formats/jld2/julia_type.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr unsigned kMaxNesting = 1000;
constexpr std::string_view kSpecial = "{}(), \\:<>";

std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (kSpecial.find(c) != std::string_view::npos) text += '\\';
        text += c;
    }
    return text;
}

void add_key(std::string& key, const TypeParameter& parameter) {
    switch (parameter.kind) {
        case TypeParameter::Kind::kType:
            key += fmt::format("t{};", parameter.type->number);
            break;
        case TypeParameter::Kind::kInteger:
            key += fmt::format("i{};", parameter.integer);
            break;
        case TypeParameter::Kind::kBool:
            key += parameter.integer != 0 ? "b1;" : "b0;";
            break;
        case TypeParameter::Kind::kSymbol:
        case TypeParameter::Kind::kOther:
            key += fmt::format("{}{}:{};", parameter.kind == TypeParameter::Kind::kSymbol ? 's' : 'o',
                               parameter.text.size(), parameter.text);
            break;
        case TypeParameter::Kind::kTuple:
            key += '(';
            for (const auto& item : parameter.items) add_key(key, item);
            key += ')';
            break;
        case TypeParameter::Kind::kValue:
            key += fmt::format("v{};{}:{}(", parameter.type->number, parameter.text.size(), parameter.text);
            for (const auto& item : parameter.items) {
                key += fmt::format("{}:{}", item.field.size(), item.field);
                add_key(key, item);
            }
            key += ')';
            break;
    }
}

class Printer {
public:
    std::string run(TypePtr type) {
        print(type, 0);
        return std::move(out_);
    }

private:
    void check(unsigned depth) const {
        if (out_.size() > JuliaTypes::kMaxTextBytes || depth > kMaxNesting) {
            throw_error(ErrorCode::kRefused, "a Julia type is longer than {} bytes or deeper than {} levels",
                        JuliaTypes::kMaxTextBytes, kMaxNesting);
        }
    }
    void print(TypePtr type, unsigned depth) {
        check(depth);
        if (type->kind == JuliaType::Kind::kWhere) {
            out_ += '(';
            print(type->parameters[0], depth + 1);
            out_ += " where ";
            const TypePtr lower = type->parameters[1].type;
            const TypePtr upper = type->parameters[2].type;
            const bool is_free = lower->is("Core.Union") && lower->parameters.empty() && upper->is("Core.Any");
            if (!is_free) {
                print(lower, depth + 1);
                out_ += "<:";
            }
            out_ += escaped(type->name);
            if (!is_free) {
                out_ += "<:";
                print(upper, depth + 1);
            }
            out_ += ')';
            return;
        }
        out_ += escaped(type->name);
        // A name without a dot and without braces is a variable.
        const bool has_dot = type->name.find('.') != std::string::npos;
        const bool is_bare = type->parameters.empty() && !type->is("Core.Union") && !type->is("Core.Tuple");
        if (type->kind == JuliaType::Kind::kVariable || (is_bare && has_dot)) return;
        out_ += '{';
        for (std::size_t i = 0; i < type->parameters.size(); ++i) {
            if (i > 0) out_ += ", ";
            print(type->parameters[i], depth + 1);
        }
        out_ += '}';
    }
    void print(const TypeParameter& parameter, unsigned depth) {
        check(depth);
        switch (parameter.kind) {
            case TypeParameter::Kind::kType:
                return print(parameter.type, depth);
            case TypeParameter::Kind::kInteger:
                out_ += std::to_string(parameter.integer);
                return;
            case TypeParameter::Kind::kBool:
                out_ += parameter.integer != 0 ? "true" : "false";
                return;
            case TypeParameter::Kind::kSymbol:
                out_ += ':' + escaped(parameter.text);
                return;
            case TypeParameter::Kind::kOther:
                out_ += '?' + escaped(parameter.text);
                return;
            case TypeParameter::Kind::kTuple:
                out_ += '(';
                for (const auto& item : parameter.items) {
                    print(item, depth + 1);
                    out_ += ", ";
                }
                if (parameter.items.size() > 1) out_.resize(out_.size() - 2);
                if (parameter.items.size() == 1) out_.pop_back();
                out_ += ')';
                return;
            case TypeParameter::Kind::kValue:
                print(parameter.type, depth + 1);
                out_ += '(';
                if (!parameter.text.empty()) {
                    out_ += '=';
                    for (const char byte : parameter.text)
                        out_ += fmt::format("{:02x}", static_cast<unsigned char>(byte));
                }
                for (std::size_t i = 0; i < parameter.items.size(); ++i) {
                    if (i > 0) out_ += ", ";
                    out_ += escaped(parameter.items[i].field) + ' ';
                    print(parameter.items[i], depth + 1);
                }
                out_ += ')';
                return;
        }
    }

    std::string out_;
};

/// Recursive descent, bounded in depth. Every function gives nullptr or false where the text is no type.
class Parser {
public:
    Parser(JuliaTypes& types, std::string_view text) : types_(types), text_(text) {}

    TypePtr run() {
        const TypePtr type = parse_type(0);
        return at_ == text_.size() ? type : nullptr;
    }

private:
    bool skip(std::string_view expected) {
        if (!text_.substr(at_).starts_with(expected)) return false;
        at_ += expected.size();
        return true;
    }
    std::string name() {
        std::string name;
        while (at_ < text_.size()) {
            char c = text_[at_];
            if (c == '\\' && at_ + 1 < text_.size()) {
                c = text_[++at_];
            } else if (kSpecial.find(c) != std::string_view::npos) {
                break;
            }
            name += c;
            ++at_;
        }
        return name;
    }

    TypePtr parse_type(unsigned depth) {
        if (depth > kMaxNesting) return nullptr;
        if (skip("(")) return parse_where(depth);
        const std::string head = name();
        if (head.empty()) return nullptr;
        if (!skip("{")) return head.find('.') == std::string::npos ? types_.variable(head) : types_.plain(head);
        std::vector<TypeParameter> parameters;
        while (!skip("}")) {
            if (!parameters.empty() && !skip(", ")) return nullptr;
            TypeParameter parameter;
            if (!parse_parameter(parameter, depth + 1)) return nullptr;
            parameters.push_back(std::move(parameter));
        }
        return types_.plain(head, std::move(parameters));
    }

    TypePtr parse_where(unsigned depth) {
        const TypePtr body = parse_type(depth + 1);
        if (body == nullptr || !skip(" where ")) return nullptr;
        TypePtr lower = types_.plain("Core.Union");
        TypePtr variable = parse_type(depth + 1);
        TypePtr upper = types_.plain("Core.Any");
        if (skip("<:")) {
            lower = std::exchange(variable, parse_type(depth + 1));
            upper = skip("<:") ? parse_type(depth + 1) : nullptr;
        }
        if (lower == nullptr || variable == nullptr || upper == nullptr) return nullptr;
        if (variable->kind != JuliaType::Kind::kVariable || !skip(")")) return nullptr;
        return types_.where(variable->name, lower, upper, body);
    }

    bool parse_parameter(TypeParameter& out, unsigned depth) {
        if (depth > kMaxNesting || at_ >= text_.size()) return false;
        const char c = text_[at_];
        if (c == ':') {
            ++at_;
            out = TypeParameter::symbol(name());
            return true;
        }
        if (c == '?') {
            ++at_;
            out.kind = TypeParameter::Kind::kOther;
            out.text = name();
            return true;
        }
        if (c == '-' || (c >= '0' && c <= '9')) {
            const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out.integer);
            if (error != std::errc()) return false;
            at_ = static_cast<std::size_t>(end - text_.data());
            out.kind = TypeParameter::Kind::kInteger;
            return true;
        }
        const std::size_t start = at_;
        if (c == '(') {
            ++at_;
            if (parse_tuple(out, depth)) return true;
            at_ = start;
        }
        out = {};
        const std::string_view rest = text_.substr(at_);
        for (const std::string_view word : {"true", "false"}) {
            const bool ends = rest.size() > word.size() &&
                              (rest[word.size()] == ',' || rest[word.size()] == '}' || rest[word.size()] == ')');
            if (!rest.starts_with(word) || !ends) continue;
            at_ += word.size();
            out.kind = TypeParameter::Kind::kBool;
            out.integer = word == "true" ? 1 : 0;
            return true;
        }
        out.type = parse_type(depth);
        return out.type != nullptr && (!skip("(") || parse_value(out, depth));
    }

    /// What stands between the parentheses behind the type of a value.
    bool parse_value(TypeParameter& out, unsigned depth) {
        out.kind = TypeParameter::Kind::kValue;
        if (skip("=")) {
            while (!skip(")")) {
                unsigned byte = 0;
                if (at_ + 2 > text_.size()) return false;
                const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 2, byte, 16);
                if (error != std::errc() || end != text_.data() + at_ + 2) return false;
                out.text += static_cast<char>(byte);
                at_ += 2;
            }
            return true;
        }
        while (!skip(")")) {
            if (!out.items.empty() && !skip(", ")) return false;
            const std::string field = name();
            TypeParameter item;
            if (!skip(" ") || !parse_parameter(item, depth + 1)) return false;
            item.field = field;
            out.items.push_back(std::move(item));
        }
        return true;
    }

    bool parse_tuple(TypeParameter& out, unsigned depth) {
        out = TypeParameter::tuple({});
        while (!skip(")")) {
            if (!out.items.empty() && !skip(", ")) return false;
            TypeParameter item;
            if (!parse_parameter(item, depth + 1)) return false;
            out.items.push_back(std::move(item));
            if (out.items.size() == 1 && skip(",)")) return true;
        }
        return out.items.size() != 1;
    }

    JuliaTypes& types_;
    std::string_view text_;
    std::size_t at_ = 0;
};

/// Tuple types in JLD2's spellings: "Core.Tuple" and "Tuple" list the items, "NTuple" counts them.
bool is_tuple_name(std::string_view name) {
    return name == "Core.Tuple" || name == "Tuple" || name == "NTuple" || name == "Core.NTuple";
}

}  // namespace

TypeParameter TypeParameter::of(TypePtr type) {
    TypeParameter parameter;
    parameter.type = type;
    return parameter;
}
TypeParameter TypeParameter::of(std::int64_t integer) {
    TypeParameter parameter;
    parameter.kind = Kind::kInteger;
    parameter.integer = integer;
    return parameter;
}
TypeParameter TypeParameter::symbol(std::string text) {
    TypeParameter parameter;
    parameter.kind = Kind::kSymbol;
    parameter.text = std::move(text);
    return parameter;
}
TypeParameter TypeParameter::tuple(std::vector<TypeParameter> items) {
    TypeParameter parameter;
    parameter.kind = Kind::kTuple;
    parameter.items = std::move(items);
    return parameter;
}

TypeParameter TypeParameter::value(TypePtr type, std::string bytes, std::vector<TypeParameter> fields) {
    TypeParameter parameter;
    parameter.kind = Kind::kValue;
    parameter.type = type;
    parameter.text = std::move(bytes);
    parameter.items = std::move(fields);
    return parameter;
}

TypePtr JuliaType::type_at(std::size_t index) const noexcept {
    if (index >= parameters.size() || parameters[index].kind != TypeParameter::Kind::kType) return nullptr;
    return parameters[index].type;
}

TypePtr JuliaTypes::intern(JuliaType type) {
    std::string key = fmt::format("{}{}:{}", static_cast<int>(type.kind), type.name.size(), type.name);
    for (const auto& parameter : type.parameters) add_key(key, parameter);
    const auto [it, is_new] = by_key_.try_emplace(std::move(key), nullptr);
    if (is_new) {
        type.number = static_cast<std::uint32_t>(types_.size());
        types_.push_back(std::move(type));
        it->second = &types_.back();
    }
    return it->second;
}

TypePtr JuliaTypes::plain(std::string_view name, std::vector<TypeParameter> parameters) {
    JuliaType type;
    type.name = name;
    if (is_tuple_name(name)) {
        type.name = "Core.Tuple";
        constexpr std::int64_t kMostItems = 1 << 16;
        const bool is_counted =
            name.ends_with("NTuple") && parameters.size() == 2 && parameters[0].kind == TypeParameter::Kind::kInteger;
        if (is_counted && (parameters[0].integer < 0 || parameters[0].integer > kMostItems))
            throw_damaged("a tuple type counts {} items", parameters[0].integer);
        if (is_counted) {
            const auto count = static_cast<std::size_t>(parameters[0].integer);
            const TypeParameter item = parameters[1];
            parameters.assign(count, item);
        }
    }
    type.parameters = std::move(parameters);
    return intern(std::move(type));
}

TypePtr JuliaTypes::variable(std::string_view name) {
    JuliaType type;
    type.kind = JuliaType::Kind::kVariable;
    type.name = name;
    return intern(std::move(type));
}

TypePtr JuliaTypes::where(std::string_view variable, TypePtr lower, TypePtr upper, TypePtr body) {
    JuliaType type;
    type.kind = JuliaType::Kind::kWhere;
    type.name = variable;
    type.parameters = {TypeParameter::of(body), TypeParameter::of(lower), TypeParameter::of(upper)};
    return intern(std::move(type));
}

TypePtr JuliaTypes::tuple(const std::vector<TypePtr>& items) {
    std::vector<TypeParameter> parameters;
    for (const TypePtr item : items) parameters.push_back(TypeParameter::of(item));
    return plain("Core.Tuple", std::move(parameters));
}

TypePtr JuliaTypes::named_tuple(const std::vector<std::string>& names, const std::vector<TypePtr>& items) {
    std::vector<TypeParameter> symbols;
    for (const auto& name : names) symbols.push_back(TypeParameter::symbol(name));
    return plain("Core.NamedTuple", {TypeParameter::tuple(std::move(symbols)), TypeParameter::of(tuple(items))});
}

TypePtr JuliaTypes::array(TypePtr element, std::size_t rank) {
    return plain("Core.Array", {TypeParameter::of(element), TypeParameter::of(static_cast<std::int64_t>(rank))});
}

std::string JuliaTypes::key(const TypeParameter& parameter) {
    std::string key;
    add_key(key, parameter);
    return key;
}

std::string JuliaTypes::text(TypePtr type) {
    return Printer().run(type);
}

TypePtr JuliaTypes::parse(std::string_view text) {
    if (text.size() > kMaxTextBytes) return nullptr;
    return Parser(*this, text).run();
}

bool is_without_data(TypePtr type) {
    // Tuples in tuples form a graph, in which each type is looked at once.
    std::vector<TypePtr> todo = {type};
    std::vector<TypePtr> seen = todo;
    while (!todo.empty()) {
        const TypePtr next = todo.back();
        todo.pop_back();
        if (next->is("Core.Nothing") || next->is("Base.Missing")) continue;
        if (next->kind == JuliaType::Kind::kPlain && next->parameters.empty()) {
            const auto dot = next->name.rfind('.');
            if (next->name.substr(dot + 1).starts_with('#')) continue;  // a function
        }
        if (!next->is("Core.Tuple") && !next->is("Core.NamedTuple")) return false;
        for (const TypePtr item : item_types(next)) {
            if (std::find(seen.begin(), seen.end(), item) != seen.end()) continue;
            seen.push_back(item);
            todo.push_back(item);
        }
    }
    return true;
}

std::vector<std::string> names_of(TypePtr named_tuple) {
    std::vector<std::string> names;
    if (!named_tuple->is("Core.NamedTuple") || named_tuple->parameters.empty()) return names;
    for (const auto& item : named_tuple->parameters[0].items) names.push_back(item.text);
    return names;
}

std::vector<TypePtr> item_types(TypePtr type) {
    if (type->is("Core.NamedTuple")) type = type->type_at(1);
    std::vector<TypePtr> items;
    if (type == nullptr || !type->is("Core.Tuple")) return items;
    for (std::size_t i = 0; i < type->parameters.size(); ++i) {
        const TypePtr item = type->type_at(i);
        if (item != nullptr) items.push_back(item);
    }
    return items;
}

}  // namespace ckpt::jld2
