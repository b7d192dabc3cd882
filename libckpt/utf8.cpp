// UTF-8, byte by byte.
#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}
bool is_continuation(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

}  // namespace

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

void append_utf8(std::string& text, char32_t code) {
    if (code < 0x80) {
        text += static_cast<char>(code);
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    constexpr unsigned char kFirst[] = {0, 0xc0, 0xe0, 0xf0};
    text += static_cast<char>(kFirst[more] | (code >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
}

bool is_strict_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_bytes(text, at);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

}  // namespace ckpt
