// The elements of several tensors as those of one, computed when they are read.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/dtype.hpp"

namespace ckpt {

/// How numbers at one place of several tensors become one number. x_i are those of the inputs, b that of the base.
struct Formula {
    enum class Kind : std::uint8_t {
        kMean,   ///< sum of w_i x_i, divided by the sum of w_i
        kSlerp,  ///< of the first two inputs as vectors: along the arc between them, `t` of the way
        kTask,   ///< b + scale * (sum of w_i d_i), d_i = x_i - b
    } kind = Kind::kMean;
    std::vector<double> weights;  ///< one for each input
    double t = 0;
    double scale = 1;    ///< kTask
    double density = 1;  ///< kTask: the share of d_i that is kept, by `keep`
    enum class Keep : std::uint8_t { kAll, kLargest, kRandom } keep = Keep::kAll;
    /// kTask: only the d_i whose sign is that of the sum of all count, and their sum is divided by that of their
    /// weights where `normalizes`.
    bool elects_sign = false;
    bool normalizes = false;
    std::uint64_t seed = 0;  ///< kRandom
    bool is_fast = false;    ///< in float32 instead of float64
};

/// A blob of the combined numbers of `inputs` (and `base`, for kTask), of which all have dtype `from` and as many
/// numbers; as those of dtype `to`, rounded once to nearest, ties to even; integers to the nearest. `name` tells the
/// random choices of this tensor from those of others.
///
/// Reads in pieces of at most 32 MiB in all. kSlerp needs sums over the whole tensors, kLargest a threshold for each of
/// the inputs: these are found in passes of their own, once, when the first byte is wanted. `too_large` counts what
/// comes out beyond the range of `to`, or is null.
BlobPtr combined_blob(std::vector<BlobPtr> inputs, BlobPtr base, DType from, DType to,
                      std::shared_ptr<const Formula> formula, const std::string& name,
                      std::shared_ptr<std::atomic<std::uint64_t>> too_large);

}  // namespace ckpt
