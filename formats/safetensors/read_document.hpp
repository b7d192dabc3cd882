// Files to documents.
#pragma once

#include <string>

#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt::safetensors {

inline constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
inline constexpr std::string_view kMetadataAttribute = "safetensors:metadata";
inline constexpr std::string_view kTypeAttribute = "safetensors:dtype";
inline constexpr std::string_view kShapeAttribute = "safetensors:shape";
/// Under this key of the metadata stands what is no tensor (README: "The rest").
inline constexpr std::string_view kRestKey = "ckpt";

/// One file. Throws Error (kDamaged).
Document read_file(const Source& source, const Context& context);

/// The tensors of one file whose bytes are all there; `damage` lists the others. Throws Error (kDamaged) where the
/// header is not whole.
Document salvage_file(const Source& source, const Context& context);

/// The files of an index, checked against it. Throws Error (kDamaged) naming the file.
Document read_sharded(const std::string& index_path, const Context& context);

}  // namespace ckpt::safetensors
