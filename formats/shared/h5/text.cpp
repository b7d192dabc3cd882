// Surrogate escapes.
#include "formats/shared/h5/text.hpp"

namespace ckpt::h5 {
namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}
bool is_continuation(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/// The byte that the surrogate escape at `at` stands for; -1 if there is none.
int escaped_byte(std::string_view text, std::size_t at) {
    const unsigned char b = byte_at(text, at + 1);
    const unsigned char c = byte_at(text, at + 2);
    if (byte_at(text, at) != 0xed || (b != 0xb2 && b != 0xb3) || !is_continuation(c)) return -1;
    return (b == 0xb2 ? 0x80 : 0xc0) | (c & 0x3f);  // U+DC80 is ED B2 80, U+DCC0 is ED B3 80
}

}  // namespace

bool is_plain_text(std::string_view text) {
    return text.find('\0') == std::string_view::npos && is_strict_utf8(text);
}

std::string name_to_text(std::string_view name) {
    unsigned char bits = 0;
    for (const char c : name) bits |= static_cast<unsigned char>(c);
    if (bits < 0x80) return std::string(name);  // nearly all names there are
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

std::string text_to_name(std::string_view text) {
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
    return name;
}

}  // namespace ckpt::h5
