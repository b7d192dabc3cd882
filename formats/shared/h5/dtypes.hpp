// Element types that HDF5 and the model have in common, and scalars of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/shared/h5/datatype.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/value.hpp"

namespace ckpt::h5 {

/// The dtype of which an HDF5 type is; nullopt where there is none (text, compounds, floats of other widths).
/// Enumerations are of their base type, bit fields unsigned.
std::optional<DType> dtype_of(const Datatype& type);
/// Whether elements have to be reversed to be little-endian, and in which width.
unsigned swapped_width(const Datatype& type);

/// The NumPy scalar type of a dtype ("numpy.float32"), or empty.
std::string numpy_scalar_name(DType dtype);
std::optional<DType> dtype_of_numpy_scalar(std::string_view name);

/// A number of a type that has numbers in Python; `bytes` are one little-endian element. Other widths than Python's own
/// have their NumPy type.
Value number_value(Pool& pool, DType dtype, const std::byte* bytes);

}  // namespace ckpt::h5
