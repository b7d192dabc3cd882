// Text as HDF5 holds it: names of links, and strings without NUL.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libckpt/utf8.hpp"

namespace ckpt::h5 {

/// Text that a string of HDF5 can hold: strict UTF-8 without NUL.
bool is_plain_text(std::string_view text);

/// A file's bytes as text: bytes that are not UTF-8 become lone surrogates U+DC80 to U+DCFF, as Python has them.
std::string name_to_text(std::string_view name);
/// The same, back: the bytes that such surrogates stand for; other text as it is.
std::string text_to_name(std::string_view text);

}  // namespace ckpt::h5
