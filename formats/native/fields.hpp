// What the index and names are made of, out of msgpack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/native/cursor.hpp"
#include "libckpt/dtype.hpp"

namespace ckpt::native {

/// Throws Error (kDamaged): `what` is of another type than `wanted`. `at` says what the bytes are.
[[noreturn]] void unexpected(const Cursor& at, Token::Type found, std::string_view what, std::string_view wanted);

/// The items of an array, one behind the other; the cursor goes on with each that is asked for.
class Fields {
public:
    /// Throws Error (kDamaged) where no array stands, or one of less than `least` items.
    Fields(Cursor& cursor, std::string_view what, std::uint64_t least = 0);

    std::size_t size() const noexcept { return static_cast<std::size_t>(size_); }
    bool more() const noexcept { return left_ != 0; }
    /// The cursor, for one more item, which the caller takes whole.
    Cursor& item() {
        --left_;
        return cursor_;
    }
    /// Whether there is one more item, and it is not nil. A nil is passed over.
    bool has();
    /// Over the items that nobody asked for: later versions may have more.
    void end();

private:
    Cursor& cursor_;
    std::uint64_t size_ = 0;
    std::uint64_t left_ = 0;
};

// Each takes one item and throws Error (kDamaged), naming it as `what`, where it is of another type.

std::uint64_t unsigned_number(Cursor& cursor, std::string_view what);
std::int64_t signed_number(Cursor& cursor, std::string_view what);
std::vector<std::int64_t> numbers(Cursor& cursor, std::string_view what);
double real(Cursor& cursor, std::string_view what);
bool boolean(Cursor& cursor, std::string_view what);
/// UTF-8 in which lone surrogates may stand.
std::string_view text(Cursor& cursor, std::string_view what);
/// Throws Error (kUnsupported) for a name that is not known.
DType dtype(Cursor& cursor);

// The same for a token that was taken already; `at` says what the bytes are.

std::uint64_t unsigned_of(const Cursor& at, const Token& token, std::string_view what);
std::string_view text_of(const Cursor& at, const Token& token, std::string_view what);
std::string_view bytes_of(const Cursor& at, const Token& token, std::string_view what);

/// Whether a size of the shape is not known, but differs from row to row.
bool is_ragged(const std::vector<std::int64_t>& shape);

}  // namespace ckpt::native
