// Numbers and lists of plain values as HDF5 holds them.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "formats/shared/h5/write.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

/// Appends the bytes of a number, which are little-endian wherever this runs.
template <typename T>
void put_bits(std::string& out, T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}

/// A number as a scalar of an element type; nullopt where it is of another kind or would change.
std::optional<h5::WriteData> numpy_number(const Value& value, DType dtype);

/// A list of plain numbers of one kind, or of plain texts, as one array; nullopt for anything else, and for no items.
std::optional<h5::WriteData> packed(const std::vector<Value>& items);

}  // namespace ckpt::hdf5
