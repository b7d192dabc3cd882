// Files that an HDF5 file names as part of its data: which of them may be read.
#pragma once

#include <string>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/context.hpp"

namespace ckpt::hdf5 {

/// For the file at a path; empty where the context allows no other files. A name is taken from the folder of the file
/// on; what it leads to, links followed, must be a regular file in or below the folder that the context allows, else
/// Error (kRefused) is thrown. nullptr where there is nothing.
h5::SiblingOpener sibling_opener(const std::string& file_path, const Context& context);

}  // namespace ckpt::hdf5
