// How far two tensors are apart.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

/// What counts as equal. An element passes if either rule lets it; NaN is equal to NaN, an infinity to itself.
struct Tolerance {
    double relative = 0;               ///< |a - b| <= absolute + relative * |b|
    double absolute = 0;               ///< as in NumPy's `allclose`
    std::optional<std::uint64_t> ulp;  ///< so many floats of the (coarser) dtype apart
    bool is_exact() const noexcept { return relative == 0 && absolute == 0 && !ulp; }
    /// For numbers by themselves: as float64.
    bool passes(double a, double b) const noexcept;
};

/// Numbers of logical elements; of a complex one both parts count.
struct TensorDistance {
    std::uint64_t numbers = 0;
    std::uint64_t differing = 0;       ///< beyond the tolerance
    std::uint64_t unlike = 0;          ///< among them: only one is NaN or infinite, or the infinities differ
    double greatest = 0;               ///< of |a - b|, where both are finite
    double mean = 0;                   ///< of the same
    std::optional<double> cosine;      ///< of the angle between the finite numbers; nullopt where one side is all 0
    std::optional<std::uint64_t> ulp;  ///< the most floats apart; for floats only, and finite ones
};

struct TensorPair {
    const TensorNode* a;
    const TensorNode* b;
};

/// Of each pair: nullopt where all bytes are the same, else the distance. Both of a pair must have a storage, pass
/// check_bounds and have one shape; dtypes may differ, as long as both are complex or neither.
///
/// Storages whose files say the digest of their bytes are recognised by it without being decoded, and those that are
/// one place of one file without being read. Of the others bytes are compared first; only tensors that differ are
/// looked at as numbers. In parallel, with some MiB for each thread. Throws what reading throws, and Error
/// (kCancelled).
std::vector<std::optional<TensorDistance>> tensor_distances(const std::vector<TensorPair>& pairs,
                                                            const Tolerance& tolerance, const Context& context);

}  // namespace ckpt
