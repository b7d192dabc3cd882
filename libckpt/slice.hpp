// A part of a tensor or list by NumPy's subscripts: `w[0:2, :, -1]`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt {

/// One of the subscripts between the brackets.
struct Subscript {
    enum class Kind : std::uint8_t { kIndex, kRange, kEllipsis } kind = Kind::kIndex;
    std::optional<std::int64_t> first;  ///< of an index the index itself; negative ones count from the end
    std::optional<std::int64_t> end;
    std::int64_t step = 1;
};

/// `PATH[...]` as the path and its subscripts; nullopt where it does not end in brackets. Throws Error (kUsage) where
/// what is between them is none: indices, `a:b:c` with a positive step, one `...`.
struct SlicedPath {
    std::string path;
    std::vector<Subscript> subscripts;
};
std::optional<SlicedPath> parse_slice(std::string_view text);

/// The part of a tensor, as a view of it, or of a list or tuple; a single item where it is an index. The pool owns what
/// is made. Throws Error (kNotFound) where an index is out of range or there are more subscripts than dimensions,
/// (kUsage) where the value has no dimensions at all.
Value sliced(Pool& pool, const Value& value, const std::vector<Subscript>& subscripts);

/// A number, or a list of numbers of one kind, as a tensor of float64 or int64; a tensor as it is; nullopt for anything
/// else.
std::optional<Value> as_tensor(Pool& pool, const Value& value);

}  // namespace ckpt
