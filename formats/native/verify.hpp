// Every byte of a native file against its checksums.
#pragma once

#include <vector>

#include "libckpt/format.hpp"

namespace ckpt::native {

/// Quick: header, footer, index, where chunks lie. Full: every record, every checksum, every storage decoded. Findings
/// are named after the tensors they concern. A file without an index gets notes on what can be salvaged.
std::vector<Finding> verify_native(const Source& source, VerifyLevel level, const Context& context);

}  // namespace ckpt::native
