// What the `descr` of a .npy header says, as the dtype that a pickle of the same array has, and back.
#pragma once

#include <cstdint>
#include <optional>

#include "libckpt/value.hpp"

namespace ckpt {

struct DescrType {
    std::optional<DType> native;  ///< a dtype that tensors have
    bool big_endian = false;
    bool has_objects = false;       ///< the data are a pickle
    std::uint64_t item_bytes = 0;   ///< may be 0 for empty text
    std::uint64_t align_bytes = 1;  ///< of the pickled dtype
    Value dtype;                    ///< the inert `numpy.dtype(...)`; null where `native` says it all
};

/// From text ('<f8') or a list of fields. Throws Error (kDamaged).
DescrType parse_descr(Pool& pool, const Value& descr);

/// The descr of an inert dtype, or nullopt where it cannot be said in a header (aligned gaps are void fields).
std::optional<Value> descr_of(Pool& scratch, const Value& dtype);

}  // namespace ckpt
