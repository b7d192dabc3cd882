// Documents to files.
#pragma once

#include "formats/safetensors/flatten.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt::safetensors {

/// One file, or a folder of files with an index where `options.shard_bytes` says how large each may be.
WritePlan plan_document(const Document& document, const Flat& flat, const WriteOptions& options);

}  // namespace ckpt::safetensors
