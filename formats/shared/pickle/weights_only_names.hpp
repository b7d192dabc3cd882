// The names that torch.load(weights_only=True) accepts by itself, by generation of torch.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ckpt {

/// Releases of torch that differ in what they accept: each stands for those up to the next.
inline constexpr std::array<std::string_view, 5> kWeightsOnlyGenerations = {"1.13", "2.2", "2.6", "2.13", "2.14"};

/// What must have been imported in the process before a name is accepted.
enum class WeightsOnlyNeed : std::uint8_t { kNothing, kDistributed, kNested };

struct WeightsOnlyName {
    std::uint8_t generations = 0;  ///< bit g: kWeightsOnlyGenerations[g] accepts it
    WeightsOnlyNeed need = WeightsOnlyNeed::kNothing;
};

/// Of a global by its Python 3 name; no generations for a name that none accepts.
WeightsOnlyName weights_only_name(std::string_view global) noexcept;

}  // namespace ckpt
