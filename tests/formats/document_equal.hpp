// Whether two documents mean the same: kinds, values, classes, order, sharing, dtypes, shapes, strides, bytes.
#pragma once

#include <string>

#include "libckpt/document.hpp"

namespace ckpt::test {

/// The first difference as "PATH: WHAT", or empty. Provenance (recipes of tensors, scalars, bytes, sets) does not
/// count.
std::string document_difference(const Document& a, const Document& b);

}  // namespace ckpt::test
