// Encodings and literals of pickled text.
#include "formats/shared/pickle/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

/// Decodes one code point at `at`; returns its length, 0 if there is none.
std::size_t decode(std::string_view bytes, std::size_t at, std::uint32_t& code) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
    const unsigned char lead = byte(0);
    std::size_t length = 0;
    if (lead < 0x80) {
        code = lead;
        return 1;
    }
    if ((lead & 0xe0) == 0xc0) {
        length = 2;
        code = lead & 0x1fu;
    } else if ((lead & 0xf0) == 0xe0) {
        length = 3;
        code = lead & 0x0fu;
    } else if ((lead & 0xf8) == 0xf0) {
        length = 4;
        code = lead & 0x07u;
    } else {
        return 0;
    }
    if (at + length > bytes.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
        code = (code << 6) | (byte(i) & 0x3fu);
    }
    static constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    return code < kSmallest[length] || code > 0x10ffff ? 0 : length;
}

std::optional<std::uint32_t> hex_digits(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Whether a decimal number without sign that is no double is too small for one, not too large.
bool is_below_one(std::string_view text) {
    const std::size_t e = text.find_first_of("eE");
    const std::string_view digits = text.substr(0, e);
    const std::size_t first = digits.find_first_not_of("0.");
    const std::size_t point = std::min(digits.find('.'), digits.size());
    // The power of ten of the first digit, without the exponent.
    const auto power = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first) - (first < point ? 1 : 0);
    if (e == std::string_view::npos) return power < 0;
    std::string_view exponent = text.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    std::int64_t shift = 0;
    const auto error = std::from_chars(exponent.data(), exponent.data() + exponent.size(), shift).ec;
    if (error != std::errc()) return exponent.starts_with('-');
    return shift < -power;
}

}  // namespace

bool is_utf8_with_surrogates(std::string_view bytes) {
    std::uint32_t code = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = decode(bytes, at, code);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::optional<std::string> utf8_to_latin1(std::string_view text) {
    std::string bytes;
    std::uint32_t code = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = decode(text, at, code);
        if (length == 0 || code > 0xff) return std::nullopt;
        bytes += static_cast<char>(code);
        at += length;
    }
    return bytes;
}

std::string latin1_to_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    for (const char c : bytes) append_utf8(text, static_cast<unsigned char>(c));
    return text;
}

std::optional<std::string> parse_python_string(std::string_view literal) {
    while (!literal.empty() && (literal.back() == '\r' || literal.back() == ' ')) literal.remove_suffix(1);
    if (literal.size() < 2 || literal.front() != literal.back() || (literal.front() != '\'' && literal.front() != '"'))
        return std::nullopt;
    literal = literal.substr(1, literal.size() - 2);
    std::string bytes;
    for (std::size_t i = 0; i < literal.size(); ++i) {
        if (literal[i] != '\\') {
            bytes += literal[i];
            continue;
        }
        if (++i == literal.size()) return std::nullopt;
        switch (literal[i]) {
            case '\n':
                break;
            case 'n':
                bytes += '\n';
                break;
            case 't':
                bytes += '\t';
                break;
            case 'r':
                bytes += '\r';
                break;
            case 'a':
                bytes += '\a';
                break;
            case 'b':
                bytes += '\b';
                break;
            case 'f':
                bytes += '\f';
                break;
            case 'v':
                bytes += '\v';
                break;
            case '\\':
            case '\'':
            case '"':
                bytes += literal[i];
                break;
            case 'x': {
                const auto code = i + 2 < literal.size() ? hex_digits(literal.substr(i + 1, 2)) : std::nullopt;
                if (!code) return std::nullopt;
                bytes += static_cast<char>(*code);
                i += 2;
                break;
            }
            default:
                if (literal[i] >= '0' && literal[i] <= '7') {
                    unsigned code = 0;
                    std::size_t digits = 0;
                    for (; digits < 3 && i < literal.size() && literal[i] >= '0' && literal[i] <= '7'; ++digits, ++i) {
                        code = code * 8 + static_cast<unsigned>(literal[i] - '0');
                    }
                    --i;
                    bytes += static_cast<char>(code);
                } else {
                    bytes += '\\';
                    bytes += literal[i];
                }
        }
    }
    return bytes;
}

std::optional<std::string> parse_raw_unicode_escape(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char kind = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
        if (kind == 'u' || kind == 'U') {
            const std::size_t digits = kind == 'u' ? 4 : 8;
            const auto code = i + 2 + digits <= text.size() ? hex_digits(text.substr(i + 2, digits)) : std::nullopt;
            if (!code || *code > 0x10ffff) return std::nullopt;
            append_utf8(result, *code);
            i += 1 + digits;
        } else {
            append_utf8(result, static_cast<unsigned char>(text[i]));
            if (kind == '\\') result += text[++i];  // the second of a pair escapes nothing
        }
    }
    return result;
}

std::string raw_unicode_escaped(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t code = 0;
        const std::size_t length = std::max<std::size_t>(decode(text, at, code), 1);
        at += length;
        const bool ends_line = code == 0 || code == '\n' || code == '\r' || code == 0x1a || code == '\\';
        if (code > 0xffff) {
            result += fmt::format("\\U{:08x}", code);
        } else if (code > 0xff || ends_line) {
            result += fmt::format("\\u{:04x}", code);
        } else {
            result += static_cast<char>(code);
        }
    }
    return result;
}

std::string python_float(double value) {
    if (value != value) return "nan";
    if (value - value != 0) return value > 0 ? "inf" : "-inf";
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

std::optional<double> parse_python_float(std::string_view text) {
    bool negative = false;
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        negative = text.front() == '-';
        text.remove_prefix(1);
    }
    // from_chars takes a minus of its own, and nan(...).
    if (text.empty() || text.front() == '-' || text.back() == ')') return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) {
        if (!is_below_one(text)) return std::nullopt;
        value = 0;
    } else if (error != std::errc()) {
        return std::nullopt;
    }
    return negative ? -value : value;
}

}  // namespace ckpt
