// What the numbers of a tensor are like, in one pass.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

/// Counts are of logical elements; of a complex one both parts count. The others are those of the finite elements, and
/// nullopt where there are none.
struct TensorStatistics {
    std::uint64_t elements = 0;
    std::uint64_t nan = 0;
    std::uint64_t infinite = 0;
    std::uint64_t zeros = 0;      ///< of both signs
    std::uint64_t denormals = 0;  ///< nearer to 0 than the least normal number of the dtype
    std::optional<double> least;
    std::optional<double> greatest;
    std::optional<double> mean;
    std::optional<double> deviation;  ///< standard deviation, divided by the number of elements (as NumPy's `std`)
    std::optional<double> norm;       ///< root of the sum of squares; without overflow where the result has none
};

/// Reads the tensor once, with a buffer of bounded size. The tensor must have a storage and pass check_bounds; elements
/// that are packed several to a byte count as bytes. In double arithmetic, whatever the dtype: the mean of N elements
/// has a relative error of some N / 65536 roundings. Throws what reading throws, and Error (kCancelled).
TensorStatistics statistics_of(const TensorNode& tensor, const Context& context);

/// How often numbers lie where. Bars of one width between the least and the greatest finite number; the last edge is in
/// the last bar.
struct TensorHistogram {
    std::vector<double> edges;  ///< one more than there are bars; empty where no number is finite
    std::vector<std::uint64_t> counts;
};

/// Reads the tensor twice, as `statistics_of`. One bar where all numbers are the same.
TensorHistogram histogram_of(const TensorNode& tensor, std::size_t bars, const Context& context);

}  // namespace ckpt
