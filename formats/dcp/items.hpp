// Items: each a whole torch.save archive, of one tensor or one value, inside a file of the folder.
#pragma once

#include <string>
#include <vector>

#include "formats/dcp/folder.hpp"
#include "libckpt/document.hpp"

namespace ckpt::dcp {

/// What an item has to be, to be the chunk that the metadata says it is.
struct WantedTensor {
    std::string path;  ///< of the tensor, for messages
    DType dtype;
    SizeList sizes;
};

/// The elements of a stored chunk, row-major. Throws Error (kDamaged) where the item is no archive, no tensor, or
/// another than is wanted.
BlobPtr open_tensor(const Folder& folder, const Place& place, const WantedTensor& wanted);

/// A value; its nodes live in the document's pool. Throws Error (kDamaged).
Value open_value(const Folder& folder, const Place& place, const std::string& path, Document& document);

/// The value of a whole file of torch.save.
Value open_file(const Folder& folder, const std::string& name, Document& document);

}  // namespace ckpt::dcp
