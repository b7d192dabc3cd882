// Tensors in another dtype, computed as they are written.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/document.hpp"
#include "libckpt/path.hpp"

namespace ckpt {

/// A dtype by torch's name ("float8_e4m3fn"), or by a short one: f64 f32 f16 bf16 f8_e4m3 f8_e5m2 i64 ... u8, half,
/// double. nullopt for any other text.
std::optional<DType> dtype_from_short_name(std::string_view name) noexcept;

/// How many numbers of what was cast are too large for their new dtype. Counted when the bytes are computed, each once.
struct CastOverflow {
    std::string path;  ///< of the first tensor that shows the storage
    DType dtype = DType::kFloat32;
    std::uint64_t numbers = 0;
    std::shared_ptr<const std::atomic<std::uint64_t>> count;
};

struct CastResult {
    std::size_t tensors = 0;             ///< with another dtype than before
    std::vector<CastOverflow> overflow;  ///< one for each storage that was cast to a narrower range
};

/// Elements of a blob as those of another dtype: rounded to nearest, ties to even, as torch's `Tensor.to` has them.
/// Both dtypes are numbers (bool, integers, floats). Counts in `too_large`, unless it is null, what is finite and
/// beyond the range of a float dtype.
BlobPtr cast_blob(BlobPtr elements, DType from, DType to, std::shared_ptr<std::atomic<std::uint64_t>> too_large);

/// Forgets what told how a file had the elements of a tensor: of no use for those of another dtype.
void drop_stored_type(TensorNode& tensor);

/// Casts the floating-point tensors of a document that was copied (`copied_tree`), or, where patterns are given, the
/// tensors whose path one of them matches, integers too. Strides and ties stay. Quantized tensors, complex ones and
/// such whose elements share bytes stay as they are; named by a pattern without `*` or `?` they are refused (Error,
/// kRefused).
CastResult cast_tensors(Document& document, DType to, const std::vector<Glob>& only);

}  // namespace ckpt
