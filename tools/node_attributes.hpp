// Attributes that the writer of a file hung on its nodes: `node/@name`.
#pragma once

#include <vector>

#include "libckpt/format.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {

/// The attributes of a node, in order, with the (escaped) path component under which each stands ("@units"). Those that
/// only say how a layout held the value ("hdf5:__type__", "pickle:byteorder") are none: an attribute counts if its
/// prefix names a layout whose files have attributes (Capabilities::has_attributes).
std::vector<Child> node_attributes(const Registry& registry, const Value& value);

}  // namespace ckpt
