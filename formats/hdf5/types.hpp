// Element types between HDF5 and the model.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/shared/h5/datatype.hpp"
#include "formats/shared/h5/write.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/dtype.hpp"

namespace ckpt::hdf5 {

struct StoredType {
    h5::WriteType type;
    bool says_the_dtype = false;  ///< else the dtype has to stand beside it
};
/// How elements of a dtype are stored. Types that pack several elements into a byte are stored as their bytes.
StoredType stored_type(DType dtype);

/// The dtype of which an HDF5 type is; nullopt where there is none (text, compounds, floats of other widths).
/// Enumerations are of their base type, bit fields unsigned.
std::optional<DType> dtype_of(const h5::Datatype& type);
/// Whether elements have to be reversed to be little-endian, and in which width.
unsigned swapped_width(const h5::Datatype& type);

/// The dtype that numbers of unusual widths are read as: integers by their value, floats by theirs. nullopt for types
/// that are no numbers and for integers of more than 64 bits.
std::optional<DType> converted_dtype(const h5::Datatype& type);
/// Numbers of an unusual type as elements of `converted_dtype`, computed when they are read.
BlobPtr converted_blob(const h5::Datatype& type, BlobPtr elements);
/// Whether all values of the type are exact in its `converted_dtype`.
bool converts_exactly(const h5::Datatype& type);

/// The NumPy scalar type of a dtype ("numpy.float32"), or empty.
std::string numpy_scalar_name(DType dtype);
std::optional<DType> dtype_of_numpy_scalar(std::string_view name);

}  // namespace ckpt::hdf5
