// A folder of torch's distributed checkpoints as a document.
#pragma once

#include <string>
#include <vector>

#include "formats/dcp/folder.hpp"
#include "formats/dcp/metadata.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt::dcp {

/// Values now, tensors later: their chunks are opened and checked here unless the context says that the index is
/// enough. What cannot be read is `Document::damage`; a metadata file that makes no sense throws Error (kDamaged).
Document read_folder(const Source& source, const Context& context);

/// What the folder's metadata says. Throws Error (kDamaged) without any, or for what is none.
Metadata read_metadata(const Source& source, const Folder& folder);

/// The files that say what is where: ".metadata", or those of the ranks where each wrote its own. Empty if there are
/// none.
std::vector<std::string> metadata_names(const Source& source);

}  // namespace ckpt::dcp
