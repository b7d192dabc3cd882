// A small recursive parser with a bound on its depth, and repr.
#include "formats/shared/npy/literal.hpp"

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

constexpr int kMostDepth = 40;
constexpr std::size_t kMostItems = 1u << 20;

class Parser {
public:
    Parser(Pool& pool, std::string_view text) : pool_(pool), text_(text) {}

    Value run() {
        const Value value = parse(0);
        skip();
        if (at_ != text_.size()) damaged("something behind its end");
        return value;
    }

private:
    [[noreturn]] void damaged(std::string_view what) const {
        throw_damaged("the header is no Python literal: {} at its byte {}", what, at_);
    }
    void skip() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
            ++at_;
    }
    bool take(char c) {
        skip();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool take_word(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }

    Value parse(int depth) {
        if (depth > kMostDepth) damaged(fmt::format("more than {} levels", kMostDepth));
        skip();
        if (at_ >= text_.size()) damaged("an early end");
        const char c = text_[at_];
        if (c == '{') return dict(depth);
        if (c == '(' || c == '[') return sequence(depth);
        if (c == '\'' || c == '"') return text();
        if ((c == 'u' || c == 'b') && at_ + 1 < text_.size() && (text_[at_ + 1] == '\'' || text_[at_ + 1] == '"')) {
            ++at_;
            return text();
        }
        if (take_word("True")) return Value::boolean(true);
        if (take_word("False")) return Value::boolean(false);
        if (take_word("None")) return Value::null();
        if (c == '-' || (c >= '0' && c <= '9')) return number();
        damaged("a name or a call");
    }

    Value number() {
        const std::size_t begin = at_;
        if (text_[at_] == '-') ++at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        const auto bytes = decimal_to_bytes(text_.substr(begin, at_ - begin));
        if (!bytes || at_ - begin > 1000) damaged("a number that is none");
        if (at_ < text_.size() && text_[at_] == 'L') ++at_;
        return pool_.integer(*bytes);
    }

    Value text() {
        const char quote = text_[at_++];
        std::string result;
        while (true) {
            if (at_ >= text_.size()) damaged("text without end");
            const char c = text_[at_++];
            if (c == quote) break;
            if (c != '\\') {
                result += c;
                continue;
            }
            if (at_ >= text_.size()) damaged("text without end");
            escape(result, text_[at_++]);
        }
        return pool_.string(std::move(result));
    }
    void escape(std::string& result, char c) {
        const auto digits = [&](int count) {
            std::uint32_t code = 0;
            for (int i = 0; i < count; ++i) {
                if (at_ >= text_.size()) damaged("a broken escape");
                const char d = text_[at_++];
                const int value = d >= '0' && d <= '9' ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : -1;
                if (value < 0) damaged("a broken escape");
                code = code * 16 + static_cast<std::uint32_t>(value);
            }
            return code;
        };
        switch (c) {
            case 'n':
                result += '\n';
                return;
            case 't':
                result += '\t';
                return;
            case 'r':
                result += '\r';
                return;
            case '\\':
            case '\'':
            case '"':
                result += c;
                return;
            case 'x':
                return append(result, digits(2));
            case 'u':
                return append(result, digits(4));
            case 'U':
                return append(result, digits(8));
            default:
                damaged("an unknown escape");
        }
    }
    void append(std::string& result, std::uint32_t code) const {
        if (code > 0x10ffff) damaged("an escape beyond Unicode");
        append_utf8(result, code);
    }

    Value sequence(int depth) {
        const bool is_tuple = text_[at_++] == '(';
        const char end = is_tuple ? ')' : ']';
        std::vector<Value> items;
        bool has_comma = false;
        while (!take(end)) {
            if (!items.empty() && !has_comma) damaged("a comma is missing");
            items.push_back(parse(depth + 1));
            if (items.size() > kMostItems) damaged("too many items");
            has_comma = take(',');
        }
        if (is_tuple && items.size() == 1 && !has_comma) return items.front();
        if (is_tuple) return pool_.tuple(std::move(items));
        const Value list = pool_.list();
        list.sequence().items = std::move(items);
        return list;
    }

    Value dict(int depth) {
        ++at_;
        const Value result = pool_.dict();
        bool has_comma = true;
        while (!take('}')) {
            if (!has_comma) damaged("a comma is missing");
            const Value key = parse(depth + 1);
            if (!take(':')) damaged("a colon is missing");
            result.dict().entries.emplace_back(key, parse(depth + 1));
            if (result.dict().entries.size() > kMostItems) damaged("too many entries");
            has_comma = take(',');
        }
        return result;
    }

    Pool& pool_;
    std::string_view text_;
    std::size_t at_ = 0;
};

std::string quoted(std::string_view text) {
    const char quote =
        text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
    std::string result(1, quote);
    for (const char c : text) {
        if (c == '\\' || c == quote) {
            result += '\\';
            result += c;
        } else if (c == '\n') {
            result += "\\n";
        } else if (c == '\t') {
            result += "\\t";
        } else if (c == '\r') {
            result += "\\r";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            result += c;
        }
    }
    return result + quote;
}

}  // namespace

Value parse_python_literal(Pool& pool, std::string_view text) {
    return Parser(pool, text).run();
}

std::string python_literal(const Value& value) {
    switch (value.kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kBool:
            return value.as_bool() ? "True" : "False";
        case Kind::kInt:
            return value.integer_text();
        case Kind::kString:
            return quoted(value.as_string());
        case Kind::kList:
        case Kind::kTuple: {
            const auto& items = value.sequence().items;
            const bool is_tuple = value.is(Kind::kTuple);
            std::string text = is_tuple ? "(" : "[";
            for (std::size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "" : ", ") + python_literal(items[i]);
            if (is_tuple && items.size() == 1) text += ',';
            return text + (is_tuple ? ')' : ']');
        }
        default:
            throw_error(ErrorCode::kInternal, "a {} in a Python literal", kind_name(value.kind()));
    }
}

}  // namespace ckpt
