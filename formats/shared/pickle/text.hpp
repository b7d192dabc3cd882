// Text as pickles hold it: UTF-8 with surrogates, latin-1, Python's literals.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ckpt {

/// UTF-8 in which lone surrogates may stand (Python's "surrogatepass"); no overlong forms, nothing beyond U+10FFFF.
bool is_utf8_with_surrogates(std::string_view bytes);
/// Bytes of text whose code points are all below 256; nullopt otherwise.
std::optional<std::string> utf8_to_latin1(std::string_view text);
std::string latin1_to_utf8(std::string_view bytes);

/// A quoted Python 2 string literal with its escapes, as protocol 0 writes one.
std::optional<std::string> parse_python_string(std::string_view literal);
/// Text in "raw-unicode-escape", as protocol 0 writes it; gives UTF-8.
std::optional<std::string> parse_raw_unicode_escape(std::string_view text);
/// The same, back: what Python writes for UTF-8 `text` (surrogates and whatever would end the line are escaped).
std::string raw_unicode_escaped(std::string_view text);
/// What Python's repr prints for a float.
std::string python_float(double value);
/// repr of a float: digits, inf, nan.
std::optional<double> parse_python_float(std::string_view text);

}  // namespace ckpt
