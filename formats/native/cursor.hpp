// msgpack item by item, without a tree of it in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ckpt::native {

/// What an item begins with; of an array or a map, its items follow as tokens of their own.
struct Token {
    enum class Type : std::uint8_t {
        kNil,
        kBool,
        kUnsigned,
        kNegative,
        kFloat,
        kText,
        kBytes,
        kArray,
        kMap,
        kExtension
    };
    Type type = Type::kNil;
    std::int8_t extension_type = 0;
    std::uint64_t number = 0;     ///< kUnsigned; kBool: 0 or 1; kArray: items; kMap: pairs
    std::int64_t negative = 0;    ///< kNegative
    double real = 0;              ///< kFloat
    std::string_view bytes = {};  ///< kText, kBytes, kExtension
};
/// "an array", "text", ... for messages.
std::string_view type_name(Token::Type type) noexcept;

/// A place in msgpack bytes, which must outlive it. Nothing in them is believed: a container is refused that has more
/// items than there are bytes left. All members throw Error (kDamaged), naming what the bytes are, where the bytes end
/// early or are no msgpack.
class Cursor {
public:
    Cursor(std::string_view bytes, std::string_view what) : bytes_(bytes), what_(what) {}

    std::string_view what() const noexcept { return what_; }
    std::size_t offset() const noexcept { return at_; }
    std::size_t bytes_left() const noexcept { return bytes_.size() - at_; }
    /// To a place where an item begins, as `offset` gave it.
    void seek(std::size_t offset) noexcept { at_ = offset; }

    Token next();
    /// The next token's type.
    Token::Type peek() const;
    /// Over an item with all that is in it.
    void skip(std::uint64_t items = 1);
    /// Throws Error (kDamaged) unless all bytes are used up.
    void expect_end() const;

private:
    std::string_view take(std::uint64_t size);
    std::uint64_t big_endian(unsigned width);
    Token sized(Token::Type type, std::uint64_t size);
    Token container(Token::Type type, std::uint64_t size) const;
    Token integer(unsigned head);

    std::string_view bytes_;
    std::string_view what_;
    std::size_t at_ = 0;
};

}  // namespace ckpt::native
