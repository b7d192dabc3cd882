// One function per type of item.
#include "formats/native/fields.hpp"

#include <algorithm>

#include "formats/shared/pickle/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {

using Type = Token::Type;

namespace {
constexpr std::size_t kMostDimensions = 4096;  // torch and NumPy: 64
}

void unexpected(const Cursor& at, Type found, std::string_view what, std::string_view wanted) {
    throw_damaged("{}: {} is {}, not {}", at.what(), what, type_name(found), wanted);
}

Fields::Fields(Cursor& cursor, std::string_view what, std::uint64_t least) : cursor_(cursor) {
    const Token token = cursor.next();
    if (token.type != Type::kArray) unexpected(cursor, token.type, what, "an array");
    size_ = left_ = token.number;
    if (size_ < least) throw_damaged("{}: {} has {} items, {} are due", cursor.what(), what, size_, least);
}

bool Fields::has() {
    if (left_ == 0) return false;
    if (cursor_.peek() != Type::kNil) return true;
    item().skip();
    return false;
}

void Fields::end() {
    cursor_.skip(left_);
    left_ = 0;
}

std::uint64_t unsigned_of(const Cursor& at, const Token& token, std::string_view what) {
    if (token.type != Type::kUnsigned) unexpected(at, token.type, what, "a number from 0 on");
    return token.number;
}
std::uint64_t unsigned_number(Cursor& cursor, std::string_view what) {
    return unsigned_of(cursor, cursor.next(), what);
}

std::int64_t signed_number(Cursor& cursor, std::string_view what) {
    const Token token = cursor.next();
    if (token.type == Type::kNegative) return token.negative;
    const std::uint64_t number = unsigned_of(cursor, token, what);
    if (number > INT64_MAX) throw_damaged("{}: {} is {}, beyond 63 bits", cursor.what(), what, number);
    return static_cast<std::int64_t>(number);
}

std::string_view text_of(const Cursor& at, const Token& token, std::string_view what) {
    if (token.type != Type::kText) unexpected(at, token.type, what, "text");
    if (!is_utf8_with_surrogates(token.bytes)) throw_damaged("{}: {} is no UTF-8", at.what(), what);
    return token.bytes;
}
std::string_view text(Cursor& cursor, std::string_view what) {
    return text_of(cursor, cursor.next(), what);
}

std::string_view bytes_of(const Cursor& at, const Token& token, std::string_view what) {
    if (token.type != Type::kBytes) unexpected(at, token.type, what, "bytes");
    return token.bytes;
}

double real(Cursor& cursor, std::string_view what) {
    const Token token = cursor.next();
    if (token.type != Type::kFloat) unexpected(cursor, token.type, what, "a float");
    return token.real;
}

bool boolean(Cursor& cursor, std::string_view what) {
    const Token token = cursor.next();
    if (token.type != Type::kBool) unexpected(cursor, token.type, what, "a bool");
    return token.number != 0;
}

std::vector<std::int64_t> numbers(Cursor& cursor, std::string_view what) {
    Fields list(cursor, what);
    std::vector<std::int64_t> result;
    if (list.size() > kMostDimensions)
        throw_error(ErrorCode::kRefused, "{}: {} of {} dimensions is over the limit of {}", cursor.what(), what,
                    list.size(), kMostDimensions);
    result.reserve(list.size());
    while (list.more()) result.push_back(signed_number(list.item(), what));
    return result;
}

DType dtype(Cursor& cursor) {
    const std::string_view name = text(cursor, "a dtype");
    const auto found = dtype_from_name(name);
    if (!found) throw_error(ErrorCode::kUnsupported, "{}: '{}' is no dtype that is known", cursor.what(), name);
    return *found;
}

bool is_ragged(const std::vector<std::int64_t>& shape) {
    return std::any_of(shape.begin(), shape.end(), [](auto size) { return size < 0; });
}

}  // namespace ckpt::native
