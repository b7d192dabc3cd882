// Whether chunks fill their tensor exactly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/dcp/metadata.hpp"

namespace ckpt::dcp {

/// Why the chunks do not tile a tensor of this shape, naming them; empty if they do: all inside of it, no element in
/// two, none in none. Chunks without elements may lie anywhere inside.
std::string tiling_problem(const SizeList& shape, const std::vector<Chunk>& chunks);

}  // namespace ckpt::dcp
