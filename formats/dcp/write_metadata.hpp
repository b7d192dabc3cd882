// `.metadata` as torch pickles it.
#pragma once

#include <string>
#include <vector>

#include "formats/dcp/metadata.hpp"

namespace ckpt::dcp {

/// The bytes of the pickle, as torch 2.13 reads it: items in order, their chunks and places. `structure` may be empty.
std::string metadata_bytes(const Metadata& metadata);

}  // namespace ckpt::dcp
