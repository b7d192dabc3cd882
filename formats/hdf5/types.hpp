// Element types between HDF5 and the model.
#pragma once

#include <optional>

#include "formats/shared/h5/datatype.hpp"
#include "formats/shared/h5/dtypes.hpp"
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

using h5::dtype_of;
using h5::dtype_of_numpy_scalar;
using h5::numpy_scalar_name;
using h5::swapped_width;

/// The dtype that numbers of unusual widths are read as: integers by their value, floats by theirs. nullopt for types
/// that are no numbers and for integers of more than 64 bits.
std::optional<DType> converted_dtype(const h5::Datatype& type);
/// Numbers of an unusual type as elements of `converted_dtype`, computed when they are read.
BlobPtr converted_blob(const h5::Datatype& type, BlobPtr elements);
/// Elements of an unusual type from numbers of its `converted_dtype`, computed when they are read. Numbers that the
/// type has are those it had; others lose bits.
BlobPtr unconverted_blob(const h5::Datatype& type, BlobPtr numbers);
/// Elements of a float type that does not convert exactly: those of `exact`, a blob of such elements, but where a
/// number is another than the element is read as, that number.
BlobPtr exact_blob(const h5::Datatype& type, BlobPtr exact, BlobPtr numbers);
/// Whether all values of the type are exact in its `converted_dtype`.
bool converts_exactly(const h5::Datatype& type);

/// Whether elements are integers of more than 64 bits: values of their own, of any size.
bool is_wide_integer(const h5::Datatype& type);
/// One of these as little-endian two's complement, not minimal.
std::string wide_integer(const h5::Datatype& type, std::string_view element);
/// The way back; nullopt where the value is no integer that the type has.
std::optional<std::string> wide_element(const h5::Datatype& type, const Value& value);

}  // namespace ckpt::hdf5
