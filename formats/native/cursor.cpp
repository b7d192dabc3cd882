// The heads of msgpack's items, by its specification (github.com/msgpack/msgpack).
#include "formats/native/cursor.hpp"

#include <bit>

#include "libckpt/error.hpp"

namespace ckpt::native {

using Type = Token::Type;

std::string_view type_name(Type type) noexcept {
    switch (type) {
        case Type::kNil:
            return "nil";
        case Type::kBool:
            return "a bool";
        case Type::kUnsigned:
        case Type::kNegative:
            return "an integer";
        case Type::kFloat:
            return "a float";
        case Type::kText:
            return "text";
        case Type::kBytes:
            return "bytes";
        case Type::kArray:
            return "an array";
        case Type::kMap:
            return "a map";
        case Type::kExtension:
            break;
    }
    return "an extension";
}

std::string_view Cursor::take(std::uint64_t size) {
    if (size > bytes_.size() - at_)
        throw_damaged("{}: ends at byte {} where {} more are due", what_, bytes_.size(), size - (bytes_.size() - at_));
    const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += taken.size();
    return taken;
}

std::uint64_t Cursor::big_endian(unsigned width) {
    std::uint64_t value = 0;
    for (const char byte : take(width)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
}

Token Cursor::sized(Type type, std::uint64_t size) {
    Token token;
    token.type = type;
    if (type == Type::kExtension) token.extension_type = static_cast<std::int8_t>(big_endian(1));
    token.bytes = take(size);
    return token;
}

Token Cursor::container(Type type, std::uint64_t size) const {
    const std::uint64_t left = bytes_.size() - at_;
    if (size > (type == Type::kMap ? left / 2 : left))
        throw_damaged("{}: {} of {} items at byte {} has {} bytes to hold them", what_, type_name(type), size, at_,
                      left);
    Token token;
    token.type = type;
    token.number = size;
    return token;
}

/// 0xcc to 0xcf: unsigned of 1, 2, 4, 8 bytes; 0xd0 to 0xd3: signed.
Token Cursor::integer(unsigned head) {
    const unsigned width = 1U << (head & 3);
    const std::uint64_t bits = big_endian(width);
    Token token;
    token.type = Type::kUnsigned;
    token.number = bits;
    const unsigned unused = 64 - 8 * width;
    const std::int64_t number = static_cast<std::int64_t>(bits << unused) >> unused;
    if (head >= 0xd0 && number < 0) {
        token.type = Type::kNegative;
        token.negative = number;
    }
    return token;
}

Token Cursor::next() {
    const std::size_t begin = at_;
    const unsigned head = static_cast<unsigned char>(take(1)[0]);
    Token token;
    if (head < 0x80) {
        token.type = Type::kUnsigned;
        token.number = head;
        return token;
    }
    if (head >= 0xe0) {
        token.type = Type::kNegative;
        token.negative = static_cast<std::int8_t>(head);
        return token;
    }
    if (head < 0x90) return container(Type::kMap, head & 0xf);
    if (head < 0xa0) return container(Type::kArray, head & 0xf);
    if (head < 0xc0) return sized(Type::kText, head & 0x1f);
    if (head >= 0xcc && head <= 0xd3) return integer(head);
    switch (head) {
        case 0xc0:
            return token;
        case 0xc2:
        case 0xc3:
            token.type = Type::kBool;
            token.number = head & 1;
            return token;
        case 0xc4:
        case 0xc5:
        case 0xc6:
            return sized(Type::kBytes, big_endian(1U << (head - 0xc4)));
        case 0xc7:
        case 0xc8:
        case 0xc9:
            return sized(Type::kExtension, big_endian(1U << (head - 0xc7)));
        case 0xca:
            token.type = Type::kFloat;
            token.real = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(big_endian(4))));
            return token;
        case 0xcb:
            token.type = Type::kFloat;
            token.real = std::bit_cast<double>(big_endian(8));
            return token;
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
            return sized(Type::kExtension, std::uint64_t{1} << (head - 0xd4));
        case 0xd9:
        case 0xda:
        case 0xdb:
            return sized(Type::kText, big_endian(1U << (head - 0xd9)));
        case 0xdc:
        case 0xdd:
            return container(Type::kArray, big_endian(head == 0xdc ? 2 : 4));
        case 0xde:
        case 0xdf:
            return container(Type::kMap, big_endian(head == 0xde ? 2 : 4));
        default:
            throw_damaged("{}: byte {:#04x} at {} is no msgpack", what_, head, begin);
    }
}

Type Cursor::peek() const {
    return Cursor(*this).next().type;
}

void Cursor::skip(std::uint64_t items) {
    // Never more than two items are due for each byte that is left, so this does not overflow.
    for (; items > 0; --items) {
        const Token token = next();
        if (token.type == Type::kArray) items += token.number;
        if (token.type == Type::kMap) items += 2 * token.number;
    }
}

void Cursor::expect_end() const {
    if (at_ != bytes_.size()) throw_damaged("{}: {} bytes follow its end", what_, bytes_.size() - at_);
}

}  // namespace ckpt::native
