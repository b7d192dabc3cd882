// A strict reader of JSON, value by value, for headers whose form is known: nothing is built, nothing is guessed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace ckpt {

/// Reads RFC 8259 and no more: no byte order mark, comments, trailing commas, NaN, lone surrogates or ill-formed UTF-8.
/// Every function throws Error (kDamaged) that names the byte, counted from `base_offset_bytes`. The text must outlive
/// the cursor.
class JsonCursor {
public:
    explicit JsonCursor(std::string_view text, std::uint64_t base_offset_bytes = 0)
        : text_(text), base_(base_offset_bytes) {}

    /// Of the next value, in words for a message: "null", "true", "a number", "a text", "a list", "an object",
    /// "nothing".
    std::string_view what_is_next();
    bool next_is_text() { return peek() == '"'; }
    bool next_is_object() { return peek() == '{'; }
    bool next_is_list() { return peek() == '['; }

    /// A text, its escapes resolved.
    std::string text();
    /// A number that is a count: digits alone, below 2^64. `what` is named in the message: "shape".
    std::uint64_t count(std::string_view what);
    /// Consumes `null` if that is next.
    bool take_null();
    /// Any value, checked; returns its text.
    std::string_view skip();

    /// Calls `member` for each key; it has to read the value. Throws Error where a key is there twice.
    void object(const std::function<void(const std::string& key)>& member);
    /// Calls `item` before each item; it has to read the value.
    void list(const std::function<void()>& item);

    /// Nothing but white space is left.
    void end();
    /// Of the next byte that is no white space.
    std::uint64_t position();

    /// Throws.
    [[noreturn]] void fail(std::string_view why) const;

private:
    static constexpr std::size_t kMostDepth = 127;

    void skip_space() noexcept;
    /// The next byte that is no white space; 0 at the end.
    char peek();
    void expect(char wanted, std::string_view why);
    void literal(std::string_view word);
    void number();
    char32_t escaped_unit();
    void enter();

    std::string_view text_;
    std::uint64_t base_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
};

/// `text` in quotes: `"`, `\` and control characters escaped (\b \t \n \f \r, others as \u001f), all else as it is.
std::string json_quoted(std::string_view text);

}  // namespace ckpt
