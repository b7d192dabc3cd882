// NumPy's .npy (NEP 1): one array behind a header, versions 1 to 3. Bytes only: .npz members and database cells are
// this too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"
#include "libckpt/value.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt {

inline constexpr std::string_view kNpySignature = "\x93NUMPY";

/// The array of a .npy: a tensor over a part of `bytes`; of dtypes that tensors do not have (text, records, times,
/// objects) the object that a pickle of the same array gives. Header versions other than the lowest that would do, and
/// byte orders, stay as attributes (`npy:__layout__`). Throws Error (kDamaged) naming `place` (may be empty).
Value read_npy(Pool& pool, const BlobPtr& bytes, std::string_view place, const Context& context);

/// Why a value cannot be a .npy, or empty.
std::string npy_obstacle(const Value& value);

/// Header and data of a value without obstacle, byte for byte as np.save writes them.
std::vector<Extent> npy_extents(const Value& value);

}  // namespace ckpt
