// NumPy's arrays and scalars as they stand in pickles, of NumPy 1 and 2, and back.
#pragma once

#include <memory>
#include <optional>

#include "libckpt/value.hpp"

namespace ckpt {

/// A TensorNode (type "numpy.ndarray") or typed scalar for a call of NumPy's that makes one; nullptr for any other
/// call. Arrays made by
/// `_reconstruct` get their contents from `build_numpy`. Structured, object, text and time dtypes stay inert objects.
Node* construct_numpy(Pool& pool, const Recipe& recipe);
/// Fills an array with its state; false if the node is no such array or its dtype has no native equal.
bool build_numpy(Pool& pool, Node& target, Value state);
/// The pickle-level form of such a tensor or scalar, or nullopt if `value` is none.
std::optional<Value> lower_numpy(Pool& scratch, Value value);

/// Whether NumPy has the dtype under its own name.
bool is_numpy_dtype(DType dtype);
/// What an inert `numpy.dtype(...)` says: a little-endian dtype of numbers, and its metadata dict (or null); nullopt
/// for any other.
std::optional<DType> numpy_dtype_of(const Value& dtype, Value* metadata);
/// The way back. `metadata` may be null.
Value numpy_dtype(Pool& pool, DType dtype, Value metadata);

}  // namespace ckpt
