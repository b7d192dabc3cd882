// Every byte of every dataset of a file.
#pragma once

#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/format.hpp"

namespace ckpt::hdf5 {

/// A finding for each dataset that cannot be read whole, by the path at which it is met first. The structure is taken
/// to be sound: what cannot be listed is passed over. Throws Error (kCancelled).
std::vector<Finding> verify_data(const h5::H5File& file, const Context& context);

}  // namespace ckpt::hdf5
