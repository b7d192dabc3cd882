// Where a pickle ends that stands among other bytes.
#pragma once

#include <cstdint>
#include <string>

#include "libckpt/file.hpp"

namespace ckpt {

/// A pickle cut out of a file.
struct PickleExtent {
    std::string bytes;    ///< up to and with STOP; of one that ends early, what was looked at
    std::string problem;  ///< why there is no STOP, with the place in the file; empty where there is one
};

/// The pickle that begins at `begin` of a file and may reach up to `end`. Looks at nothing behind it. An opcode that
/// there is none is the last of the bytes, for `read_pickle` to name. Throws Error (kRefused) for one of more than
/// `most_bytes`.
PickleExtent find_pickle(const File& file, std::uint64_t begin, std::uint64_t end, std::uint64_t most_bytes);

}  // namespace ckpt
