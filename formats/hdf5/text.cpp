// UTF-8, surrogate escapes, and names for keys.
#include "formats/hdf5/text.hpp"

#include <fmt/format.h>

#include "libckpt/path.hpp"

namespace ckpt::hdf5 {
namespace {

constexpr std::size_t kMaxNameBytes = 1000;  // far below what HDF5 can hold; longer keys stand in full in ckpt:keys

unsigned char byte_at(std::string_view text, std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}
bool is_continuation(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/// Bytes of the well-formed character at `at`; 0 if there is none.
std::size_t character_bytes(std::string_view text, std::size_t at) {
    const unsigned char a = byte_at(text, at);
    const unsigned char b = byte_at(text, at + 1);
    if (a < 0x80) return 1;
    if (a >= 0xc2 && a < 0xe0) return is_continuation(b) ? 2 : 0;
    if (!is_continuation(b) || !is_continuation(byte_at(text, at + 2))) return 0;
    if (a >= 0xe0 && a < 0xf0) return (a == 0xe0 && b < 0xa0) || (a == 0xed && b >= 0xa0) ? 0 : 3;
    if (a >= 0xf0 && a < 0xf5 && is_continuation(byte_at(text, at + 3)))
        return (a == 0xf0 && b < 0x90) || (a == 0xf4 && b >= 0x90) ? 0 : 4;
    return 0;
}

/// The byte that the surrogate escape at `at` stands for; -1 if there is none.
int escaped_byte(std::string_view text, std::size_t at) {
    const unsigned char b = byte_at(text, at + 1);
    const unsigned char c = byte_at(text, at + 2);
    if (byte_at(text, at) != 0xed || (b != 0xb2 && b != 0xb3) || !is_continuation(c)) return -1;
    return (b == 0xb2 ? 0x80 : 0xc0) | (c & 0x3f);  // U+DC80 is ED B2 80, U+DCC0 is ED B3 80
}

bool is_legal_name(std::string_view name) {
    return !name.empty() && name != "." && name.size() <= kMaxNameBytes &&
           name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

/// What no name may hold, as %XX; what is no UTF-8, as question marks.
std::string legible(std::string_view text) {
    if (text.empty()) return "%";
    if (text == ".") return "%2E";
    std::string name;
    for (std::size_t at = 0; at < text.size() && name.size() < kMaxNameBytes - 8;) {
        const std::size_t size = character_bytes(text, at);
        if (size == 0) {
            name += '?';
            at += 1;
        } else if (text[at] == '/' || text[at] == '\0') {
            name += text[at] == '/' ? "%2F" : "%00";
            at += 1;
        } else {
            name += text.substr(at, size);
            at += size;
        }
    }
    return name;
}

}  // namespace

bool is_strict_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_bytes(text, at);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

bool is_plain_text(std::string_view text) {
    return text.find('\0') == std::string_view::npos && is_strict_utf8(text);
}

std::string name_to_text(std::string_view name) {
    std::string text;
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t size = character_bytes(name, at);
        if (size > 0) {
            text += name.substr(at, size);
            at += size;
            continue;
        }
        const unsigned char byte = byte_at(name, at);  // 0x80 at least: lower ones are characters
        text += '\xed';
        text += static_cast<char>(byte < 0xc0 ? 0xb2 : 0xb3);
        text += static_cast<char>(0x80 | (byte & 0x3f));
        at += 1;
    }
    return text;
}

LinkName link_name(const Value& key) {
    if (!key.is(Kind::kString) || !key.type().empty()) return {legible(key_text(key)), false};
    const std::string_view text = key.as_string();
    std::string name;
    for (std::size_t at = 0; at < text.size();) {
        const int byte = escaped_byte(text, at);
        if (byte >= 0) {
            name += static_cast<char>(byte);
            at += 3;
        } else {
            name += text[at++];
        }
    }
    if (is_legal_name(name) && name_to_text(name) == text) return {std::move(name), true};
    return {legible(text), false};
}

}  // namespace ckpt::hdf5
