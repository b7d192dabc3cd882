// Well-formed UTF-8, as opposed to the WTF-8 that texts of the model may hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ckpt {

/// Bytes of the well-formed UTF-8 character at `at`; 0 if there is none.
std::size_t character_bytes(std::string_view text, std::size_t at);
/// Appends a code point below 2^21: as UTF-8, or as WTF-8 if it is a surrogate.
void append_utf8(std::string& text, char32_t code);
/// Well-formed UTF-8, without surrogates.
bool is_strict_utf8(std::string_view text);

}  // namespace ckpt
