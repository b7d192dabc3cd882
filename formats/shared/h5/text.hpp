// Text as HDF5 holds it: names of links, and strings without NUL.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ckpt::h5 {

/// Bytes of the well-formed UTF-8 character at `at`; 0 if there is none.
std::size_t character_bytes(std::string_view text, std::size_t at);
/// Well-formed UTF-8, without surrogates.
bool is_strict_utf8(std::string_view text);
/// Text that a string of HDF5 can hold: strict UTF-8 without NUL.
bool is_plain_text(std::string_view text);

/// A file's bytes as text: bytes that are not UTF-8 become lone surrogates U+DC80 to U+DCFF, as Python has them.
std::string name_to_text(std::string_view name);
/// The same, back: the bytes that such surrogates stand for; other text as it is.
std::string text_to_name(std::string_view text);

}  // namespace ckpt::h5
