// A recursive parser with a bound on its depth; numbers keep all their digits.
#include "formats/blackit/json_text.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "formats/shared/pickle/text.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

constexpr int kMostDepth = 100;

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
    [[noreturn]] void damaged(std::string_view what) const { throw_damaged("is no JSON: {} at byte {}", what, at_); }
    void skip() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
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
        if (c == '{') return object(depth);
        if (c == '[') return array(depth);
        if (c == '"') return pool_.string(string());
        if (take_word("true")) return Value::boolean(true);
        if (take_word("false")) return Value::boolean(false);
        if (take_word("null")) return Value::null();
        if (take_word("NaN")) return Value::real(std::numeric_limits<double>::quiet_NaN());
        if (take_word("Infinity")) return Value::real(std::numeric_limits<double>::infinity());
        if (take_word("-Infinity")) return Value::real(-std::numeric_limits<double>::infinity());
        return number();
    }
    Value number() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && std::string_view("+-.eE0123456789").find(text_[at_]) != std::string_view::npos)
            ++at_;
        const std::string_view token = text_.substr(begin, at_ - begin);
        if (token.empty()) damaged("no value");
        if (token.find_first_of(".eE") == std::string_view::npos) {
            if (token.size() > 5000) damaged("a number of too many digits");
            if (const auto bytes = decimal_to_bytes(token)) return pool_.integer(*bytes);
        } else if (const auto value = parse_python_float(token)) {
            return Value::real(*value);
        }
        at_ = begin;
        damaged("a number that is none");
    }
    unsigned hex4() {
        unsigned code = 0;
        for (int i = 0; i < 4; ++i) {
            const char d = at_ < text_.size() ? text_[at_++] : '?';
            const int digit = d >= '0' && d <= '9'   ? d - '0'
                              : d >= 'a' && d <= 'f' ? d - 'a' + 10
                              : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                     : -1;
            if (digit < 0) damaged("a broken escape");
            code = code * 16 + static_cast<unsigned>(digit);
        }
        return code;
    }
    std::string string() {
        ++at_;
        std::string out;
        while (true) {
            if (at_ >= text_.size()) damaged("text without end");
            const char c = text_[at_++];
            if (c == '"') break;
            if (c != '\\') {
                out += c;
                continue;
            }
            const char e = at_ < text_.size() ? text_[at_++] : '?';
            static constexpr std::string_view kNames = "\"\\/bfnrt", kChars = "\"\\/\b\f\n\r\t";
            if (const auto i = kNames.find(e); i != std::string_view::npos) {
                out += kChars[i];
            } else if (e == 'u') {
                unsigned code = hex4();
                if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_).starts_with("\\u")) {
                    const std::size_t before = at_;
                    at_ += 2;
                    const unsigned low = hex4();
                    if (low >= 0xdc00 && low < 0xe000) {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        at_ = before;
                    }
                }
                append_utf8(out, code);
            } else {
                damaged("an unknown escape");
            }
        }
        if (!is_utf8_with_surrogates(out)) damaged("text that is no UTF-8");
        return out;
    }
    Value array(int depth) {
        ++at_;
        const Value list = pool_.list();
        if (take(']')) return list;
        while (true) {
            list.sequence().items.push_back(parse(depth + 1));
            if (take(']')) return list;
            if (!take(',')) damaged("a comma is missing");
        }
    }
    Value object(int depth) {
        ++at_;
        const Value dict = pool_.dict();
        if (take('}')) return dict;
        while (true) {
            skip();
            if (at_ >= text_.size() || text_[at_] != '"') damaged("a key that is no text");
            const Value key = pool_.string(string());
            if (!take(':')) damaged("a colon is missing");
            const Value value = parse(depth + 1);
            if (dict.dict().find(key.as_string()) != nullptr)
                damaged(fmt::format("a second '{}' before this place", key.as_string()));
            dict.dict().entries.emplace_back(key, value);
            if (take('}')) return dict;
            if (!take(',')) damaged("a comma is missing");
        }
    }

    Pool& pool_;
    std::string_view text_;
    std::size_t at_ = 0;
};

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        unsigned code = c;
        std::size_t length = 1;
        if (c >= 0xf0) {
            length = 4;
            code = c & 0x07u;
        } else if (c >= 0xe0) {
            length = 3;
            code = c & 0x0fu;
        } else if (c >= 0xc0) {
            length = 2;
            code = c & 0x1fu;
        }
        for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
            code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
        i += length;
        static constexpr std::string_view kChars = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
        if (const auto at = code < 0x80 ? kChars.find(static_cast<char>(code)) : std::string_view::npos;
            at != std::string_view::npos) {
            out += '\\';
            out += kNames[at];
        } else if (code >= 0x20 && code < 0x7f) {
            out += static_cast<char>(code);
        } else if (code < 0x10000) {
            out += fmt::format("\\u{:04x}", code);
        } else {
            code -= 0x10000;
            out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
        }
    }
    return out + "\"";
}

std::string float_text(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return python_float(value);
}

std::string tensor_text(const TensorNode& tensor) {
    const std::string bytes = read_all(*logical_blob(tensor), std::uint64_t{1} << 32);
    const unsigned width = dtype_width(tensor.dtype);
    std::size_t at = 0;
    const auto nested = [&](const auto& self, std::size_t dimension) -> std::string {
        if (dimension == tensor.shape.size()) {
            const auto* element = reinterpret_cast<const std::byte*>(bytes.data() + at);
            at += width;
            const double value = element_as_double(tensor.dtype, element);
            if (dtype_info(tensor.dtype).cls == DTypeClass::kFloat) return float_text(value);
            return fmt::format("{}", static_cast<std::int64_t>(value));
        }
        std::string text = "[";
        for (std::int64_t i = 0; i < tensor.shape[dimension]; ++i)
            text += (i == 0 ? "" : ", ") + self(self, dimension + 1);
        return text + "]";
    };
    return nested(nested, 0);
}

std::string write(const Value& value, int depth) {
    if (depth > kMostDepth) throw_error(ErrorCode::kRefused, "JSON of more than {} levels", kMostDepth);
    switch (value.kind()) {
        case Kind::kNull:
            return "null";
        case Kind::kBool:
            return value.as_bool() ? "true" : "false";
        case Kind::kInt:
            return value.integer_text();
        case Kind::kFloat:
            return float_text(value.as_double());
        case Kind::kString:
            return quoted(value.as_string());
        case Kind::kTensor:
            return tensor_text(value.tensor());
        case Kind::kList:
        case Kind::kTuple: {
            std::string text = "[";
            for (const auto& item : value.sequence().items)
                text += (text.size() == 1 ? "" : ", ") + write(item, depth + 1);
            return text + "]";
        }
        case Kind::kDict: {
            std::string text = "{";
            for (const auto& [key, item] : value.dict().entries) {
                if (!key.is(Kind::kString)) throw Error(ErrorCode::kRefused, "a key that is no text cannot be JSON");
                text += (text.size() == 1 ? "" : ", ") + quoted(key.as_string()) + ": " + write(item, depth + 1);
            }
            return text + "}";
        }
        default:
            throw_error(ErrorCode::kRefused, "a {} cannot be JSON", kind_name(value.kind()));
    }
}

}  // namespace

Value parse_json_text(Pool& pool, std::string_view text) {
    return Parser(pool, text).run();
}

std::string json_text(const Value& value) {
    return write(value, 0);
}

}  // namespace ckpt
