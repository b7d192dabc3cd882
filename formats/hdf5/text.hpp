// Text and names of links, from the engine (README: "Names").
#pragma once

#include "formats/shared/h5/link_name.hpp"
#include "formats/shared/h5/text.hpp"

namespace ckpt::hdf5 {

using h5::is_plain_text;
using h5::link_name;
using h5::LinkName;
using h5::name_to_text;
using h5::text_to_name;

}  // namespace ckpt::hdf5
