// JSON, byte by byte.
#include "formats/shared/json/json_cursor.hpp"

#include <limits>
#include <unordered_set>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

void JsonCursor::fail(std::string_view why) const {
    throw Error(ErrorCode::kDamaged, fmt::format("no JSON at byte {}: {}", base_ + at_, why)).at(base_ + at_);
}

void JsonCursor::skip_space() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
        ++at_;
}

char JsonCursor::peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
}

std::uint64_t JsonCursor::position() {
    skip_space();
    return base_ + at_;
}

void JsonCursor::expect(char wanted, std::string_view why) {
    if (peek() != wanted) fail(why);
    ++at_;
}

std::string_view JsonCursor::what_is_next() {
    const char c = peek();
    if (at_ == text_.size()) return "nothing";
    if (c == '"') return "a text";
    if (c == '{') return "an object";
    if (c == '[') return "a list";
    if (c == '-' || is_digit(c)) return "a number";
    for (const std::string_view word : {"null", "true", "false"}) {
        if (text_.substr(at_).starts_with(word)) return word;
    }
    return "no JSON";
}

char32_t JsonCursor::escaped_unit() {
    char32_t unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
            fail("\\u wants four hexadecimal digits");
        unit = unit << 4 | static_cast<char32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

std::string JsonCursor::text() {
    expect('"', "a text was expected");
    std::string out;
    while (true) {
        if (at_ == text_.size()) fail("a text has no end");
        const char c = text_[at_];
        if (c == '"') {
            ++at_;
            return out;
        }
        if (static_cast<unsigned char>(c) < 0x20) fail("a text holds a control character");
        if (c != '\\') {
            const std::size_t size = character_bytes(text_, at_);
            if (size == 0) fail("a text is no UTF-8");
            out += text_.substr(at_, size);
            at_ += size;
            continue;
        }
        ++at_;
        const char escape = at_ < text_.size() ? text_[at_++] : '\0';
        constexpr std::string_view kNames = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        if (const auto found = kNames.find(escape); escape != '\0' && found != std::string_view::npos) {
            out += kMeanings[found];
        } else if (escape == 'u') {
            char32_t unit = escaped_unit();
            if (unit >= 0xd800 && unit < 0xdc00) {
                if (text_.substr(at_, 2) != "\\u") fail("half of a surrogate pair");
                at_ += 2;
                const char32_t low = escaped_unit();
                if (low < 0xdc00 || low > 0xdfff) fail("half of a surrogate pair");
                unit = 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
            } else if (unit >= 0xdc00 && unit < 0xe000) {
                fail("half of a surrogate pair");
            }
            append_utf8(out, unit);
        } else {
            --at_;
            fail("an escape that JSON lacks");
        }
    }
}

std::uint64_t JsonCursor::count(std::string_view what) {
    const std::string_view next = what_is_next();
    if (next != "a number") throw_damaged("{} holds {} where a count must be", what, next);
    const std::size_t start = at_;
    number();
    const std::string_view digits = text_.substr(start, at_ - start);
    std::uint64_t value = 0;
    for (const char c : digits) {
        if (!is_digit(c)) throw_damaged("{} holds {}, which is no count", what, digits.substr(0, 40));
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10)
            throw_damaged("{} holds {}, beyond 64 bits", what, digits.substr(0, 40));
        value = value * 10 + digit;
    }
    return value;
}

void JsonCursor::number() {
    const auto digits = [this] {
        const std::size_t start = at_;
        while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
        if (at_ == start) fail("a number lacks digits");
    };
    if (text_[at_] == '-') ++at_;
    if (at_ + 1 < text_.size() && text_[at_] == '0' && is_digit(text_[at_ + 1])) fail("a number begins with 0");
    digits();
    if (at_ < text_.size() && text_[at_] == '.') {
        ++at_;
        digits();
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
        ++at_;
        if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
        digits();
    }
}

void JsonCursor::literal(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) fail("a value was expected");
    at_ += word.size();
}

bool JsonCursor::take_null() {
    if (peek() != 'n') return false;
    literal("null");
    return true;
}

void JsonCursor::enter() {
    if (++depth_ > kMostDepth) fail(fmt::format("nested more than {} levels", kMostDepth));
}

void JsonCursor::object(const std::function<void(const std::string& key)>& member) {
    expect('{', "an object was expected");
    enter();
    std::unordered_set<std::string> keys;
    if (peek() == '}') {
        ++at_;
    } else {
        while (true) {
            if (peek() != '"') fail("a key in quotes was expected");
            const std::string key = text();
            if (!keys.insert(key).second) throw_damaged("{} is there twice", json_quoted(key.substr(0, 200)));
            expect(':', "a colon was expected");
            member(key);
            if (peek() == ',') {
                ++at_;
                continue;
            }
            expect('}', "a comma or the end of the object was expected");
            break;
        }
    }
    --depth_;
}

void JsonCursor::list(const std::function<void()>& item) {
    expect('[', "a list was expected");
    enter();
    if (peek() == ']') {
        ++at_;
    } else {
        while (true) {
            item();
            if (peek() == ',') {
                ++at_;
                continue;
            }
            expect(']', "a comma or the end of the list was expected");
            break;
        }
    }
    --depth_;
}

std::string_view JsonCursor::skip() {
    const char c = peek();
    const std::size_t start = at_;
    // Depth is bounded by kMostDepth, so the calls are.
    if (c == '{') {
        object([this](const std::string&) { skip(); });
    } else if (c == '[') {
        list([this] { skip(); });
    } else if (c == '"') {
        static_cast<void>(text());
    } else if (c == '-' || is_digit(c)) {
        number();
    } else {
        literal(c == 't' ? "true" : c == 'f' ? "false" : "null");
    }
    return text_.substr(start, at_ - start);
}

void JsonCursor::end() {
    skip_space();
    if (at_ != text_.size()) fail("something follows the value");
}

std::string json_quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\r':
                out += "\\r";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
                } else {
                    out += c;
                }
        }
    }
    return out + "\"";
}

}  // namespace ckpt
