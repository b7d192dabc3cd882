// Names of links for keys (README: "Names").
#pragma once

#include <string>

#include "formats/shared/h5/text.hpp"
#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

using h5::is_plain_text;
using h5::is_strict_utf8;
using h5::name_to_text;
using h5::text_to_name;

struct LinkName {
    std::string name;
    bool is_the_key = false;  ///< `name_to_text(name)` is the very key
};
/// A legible name for a key, legal in HDF5. Not necessarily unique.
LinkName link_name(const Value& key);

}  // namespace ckpt::hdf5
