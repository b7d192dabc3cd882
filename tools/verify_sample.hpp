// `verify --sample`: part of the data, chosen at random but the same each time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libckpt/format.hpp"

namespace ckpt {

/// A share of all pieces, or so many of them.
struct SampleSize {
    double share = 0;         ///< 0 to 1
    std::uint64_t count = 0;  ///< where the share is 0
};
/// "5%", "0.5%", "200"; nullopt for anything else, and for nothing.
std::optional<SampleSize> parse_sample(std::string_view text);

/// Reads the pieces of a sample and compares what checksums they have: members of zip archives; chunks (or 1 MiB) of
/// the storages of other layouts. At least one. The same seed gives the same pieces. The last finding is a note that
/// says how much was read. Throws Error where the structure cannot be read.
std::vector<Finding> check_sample(const Format& format, const Source& source, const SampleSize& size,
                                  std::uint64_t seed, const Context& context);

}  // namespace ckpt
