// The safetensors kind: chunks in safetensors files, and no metadata beside them.
#pragma once

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt::dcp {

/// Keys of a file's metadata.
inline constexpr std::string_view kShardingInfo = "DCP_SHARDING_INFO";
inline constexpr std::string_view kVersion = "DCP_VERSION";

/// Whether a file of this name is one rank's: "shard-00001-model-00001-of-00001.safetensors".
bool is_shard_name(std::string_view name) noexcept;

/// All files of one save as one document: each tensor is put together from the chunks that the files have of it. Throws
/// Error (kDamaged).
Document read_shards(const Source& source, const Context& context);

}  // namespace ckpt::dcp
