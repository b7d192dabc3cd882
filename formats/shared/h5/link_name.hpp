// Names of links for keys.
#pragma once

#include <string>

#include "libckpt/value.hpp"

namespace ckpt::h5 {

struct LinkName {
    std::string name;
    bool is_the_key = false;  ///< `name_to_text(name)` is the very key
};
/// A legible name for a key, legal in HDF5: what no name may hold stands as %XX. Not necessarily unique.
LinkName link_name(const Value& key);

}  // namespace ckpt::h5
