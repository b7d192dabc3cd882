// Text as HDF5 holds it: names of links, and strings without NUL (README: "Names").
#pragma once

#include <string>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

/// Well-formed UTF-8, without surrogates.
bool is_strict_utf8(std::string_view text);
/// Text that a string of HDF5 can hold: strict UTF-8 without NUL.
bool is_plain_text(std::string_view text);

/// A link's name as text: bytes that are not UTF-8 become lone surrogates U+DC80 to U+DCFF, as Python has them.
std::string name_to_text(std::string_view name);

struct LinkName {
    std::string name;
    bool is_the_key = false;  ///< `name_to_text(name)` is the very key
};
/// A legible name for a key, legal in HDF5. Not necessarily unique.
LinkName link_name(const Value& key);

}  // namespace ckpt::hdf5
