// Escaping, splitting and matching of paths inside a checkpoint.
#include "libckpt/path.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

/// A key as Python's repr would print it, for keys that are no text.
std::string python_text(const Value& key, bool quoted) {
    switch (key.kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kBool:
            return key.as_bool() ? "True" : "False";
        case Kind::kInt:
            return key.integer_text();
        case Kind::kFloat: {
            const double value = key.as_double();
            if (value != value) return "nan";
            if (value - value != 0) return value > 0 ? "inf" : "-inf";
            std::string text = fmt::format("{}", value);
            if (text.find_first_of(".e") == std::string::npos) text += ".0";
            return text;
        }
        case Kind::kComplex:
            return fmt::format("({}{:+}j)", key.as_complex().real(), key.as_complex().imag());
        case Kind::kString:
            return quoted ? fmt::format("'{}'", key.as_string()) : std::string(key.as_string());
        case Kind::kBytes: {
            std::string hex;
            for (const char c : key.as_bytes()) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
            return hex;
        }
        case Kind::kTuple:
            break;
        case Kind::kSet: {
            std::string items;
            for (const auto& item : key.sequence().items) {
                if (items.size() > 4096) break;
                const bool nested = item.is(Kind::kSet) || item.is(Kind::kTuple);
                items += (items.empty() ? "" : ", ") + (nested ? std::string("...") : python_text(item, true));
            }
            return items.empty() ? "frozenset()" : "frozenset({" + items + "})";
        }
        default: {
            const auto type = key.type();
            if (key.node() != nullptr && key.node()->recipe && key.node()->recipe->how == Recipe::How::kGlobal) {
                return key.node()->recipe->callable;
            }
            return fmt::format("<{}>", type.empty() ? kind_name(key.kind()) : type);
        }
    }
    return {};
}

/// Whether `set` (the inside of [...]) contains `c`.
bool in_set(std::string_view set, char c) {
    bool negated = false;
    if (!set.empty() && (set.front() == '!' || set.front() == '^')) {
        negated = true;
        set.remove_prefix(1);
    }
    bool found = false;
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i + 2 < set.size() && set[i + 1] == '-') {
            found = found || (set[i] <= c && c <= set[i + 2]);
            i += 2;
        } else {
            found = found || set[i] == c;
        }
    }
    return found != negated;
}

/// One component against one pattern part. Backtracks to the last star only, so it is quadratic at worst.
bool matches_part(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_text = 0;
    while (t < text.size()) {
        bool good = false;
        std::size_t next = p;
        if (p < pattern.size()) {
            if (pattern[p] == '*') {
                star = p++;
                star_text = t;
                continue;
            }
            if (pattern[p] == '?') {
                good = true;
                next = p + 1;
            } else if (pattern[p] == '[' && pattern.find(']', p + 2) != std::string_view::npos) {
                const std::size_t end = pattern.find(']', p + 2);
                good = in_set(pattern.substr(p + 1, end - p - 1), text[t]);
                next = end + 1;
            } else {
                const bool escaped = pattern[p] == '\\' && p + 1 < pattern.size();
                good = pattern[p + (escaped ? 1 : 0)] == text[t];
                next = p + (escaped ? 2 : 1);
            }
        }
        if (good) {
            p = next;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

/// Splits at slashes that are not escaped; keeps the escapes.
std::vector<std::string> raw_parts(std::string_view path) {
    std::vector<std::string> parts;
    if (path.empty()) return parts;
    std::string part;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '\\' && i + 1 < path.size()) {
            part += path[i];
            part += path[++i];
        } else if (path[i] == '/') {
            parts.push_back(std::move(part));
            part.clear();
        } else {
            part += path[i];
        }
    }
    parts.push_back(std::move(part));
    return parts;
}

/// The byte that a surrogate escape stands for: Python has U+DC80 to U+DCFF for bytes that are not UTF-8. -1 otherwise.
int escaped_byte(std::string_view text) {
    if (text.size() < 3 || text[0] != '\xed' || (text[1] != '\xb2' && text[1] != '\xb3')) return -1;
    return (text[1] == '\xb2' ? 0x80 : 0xc0) | (text[2] & 0x3f);
}

std::string unescape(std::string_view part) {
    if (part == "\\0") return {};
    std::string text;
    for (std::size_t i = 0; i < part.size(); ++i) {
        unsigned byte = 0;
        const bool is_byte = part.substr(i, 2) == "\\x" && part.size() - i >= 4 &&
                             std::from_chars(&part[i + 2], &part[i + 2] + 2, byte, 16).ptr == &part[i + 2] + 2;
        if (is_byte && byte >= 0x80) {
            text += '\xed';
            text += static_cast<char>(byte < 0xc0 ? 0xb2 : 0xb3);
            text += static_cast<char>(0x80 | (byte & 0x3f));
            i += 3;
            continue;
        }
        if (part[i] == '\\' && i + 1 < part.size()) ++i;
        text += part[i];
    }
    return text;
}

}  // namespace

std::string escape_key(std::string_view key) {
    if (key.empty()) return "\\0";
    // All of a key at once, without a branch: a walk asks for hundreds of thousands. \xed begins a surrogate.
    unsigned is_special = 0;
    for (const char c : key) {
        is_special |= static_cast<unsigned>(c == '/') | static_cast<unsigned>(c == '\\') |
                      static_cast<unsigned>(c == '@') | static_cast<unsigned>(c == '\xed');
    }
    const bool is_plain = is_special == 0;
    if (is_plain) return std::string(key);  // nearly all keys there are
    std::string text;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (const int byte = escaped_byte(key.substr(i)); byte >= 0) {
            text += fmt::format("\\x{:02x}", byte);
            i += 2;
            continue;
        }
        // What begins with an @ is the attribute of a node.
        if (key[i] == '/' || key[i] == '\\' || (key[i] == '@' && i == 0)) text += '\\';
        text += key[i];
    }
    return text;
}

std::string key_text(const Value& key) {
    if (key.is(Kind::kString)) return escape_key(key.as_string());
    if (!key.is(Kind::kTuple)) return escape_key(python_text(key, false));
    // Tuples of tuples occur as keys, so this keeps a stack of its own.
    struct Level {
        const SequenceNode* node;
        std::size_t next = 0;
    };
    std::vector<Level> stack{{&key.sequence()}};
    std::string text = "(";
    constexpr std::size_t kLongest = 4096;  // a shared tuple doubled thirty times is a legal key
    while (!stack.empty()) {
        Level& level = stack.back();
        if (level.next == level.node->items.size() || text.size() > kLongest) {
            if (text.size() > kLongest && level.next != level.node->items.size()) text += "...";
            text += level.node->items.size() == 1 ? ",)" : ")";
            stack.pop_back();
            continue;
        }
        if (level.next > 0) text += ", ";
        const Value item = level.node->items[level.next++];
        if (item.is(Kind::kTuple)) {
            text += '(';
            stack.push_back({&item.sequence()});
        } else {
            text += python_text(item, true);
        }
    }
    return escape_key(text);
}

std::vector<std::string> split_path(std::string_view path) {
    auto parts = raw_parts(path);
    for (auto& part : parts) part = unescape(part);
    return parts;
}

std::string join_path(std::string_view parent, std::string_view escaped_component) {
    std::string path(parent);
    if (!path.empty()) path += '/';
    return path += escaped_component;
}

Glob::Glob(std::string_view pattern) : pattern_(pattern), parts_(raw_parts(pattern)) {
    while (!parts_.empty() && parts_.back().empty()) parts_.pop_back();  // "model/" means "model"
}

bool Glob::part_matches(std::string_view part, std::string_view component) {
    const std::string text = unescape(component);
    return part == "\\0" ? text.empty() : matches_part(part, text);
}

bool Glob::matches(std::string_view path) const {
    const auto components = raw_parts(path);
    // reachable[p]: the parts before p can match the components read so far.
    std::vector<char> reachable(parts_.size() + 1, 0);
    const auto spread = [&](std::vector<char>& states) {
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            if (states[p] != 0 && parts_[p] == "**") states[p + 1] = 1;
        }
    };
    reachable[0] = 1;
    spread(reachable);
    for (const auto& component : components) {
        if (reachable[parts_.size()] != 0 && !parts_.empty()) return true;  // an ancestor matched
        std::vector<char> next(parts_.size() + 1, 0);
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            if (reachable[p] == 0) continue;
            if (parts_[p] == "**") {
                next[p] = 1;
            } else if (part_matches(parts_[p], component)) {
                next[p + 1] = 1;
            }
        }
        spread(next);
        reachable = std::move(next);
    }
    return reachable[parts_.size()] != 0;
}

}  // namespace ckpt
