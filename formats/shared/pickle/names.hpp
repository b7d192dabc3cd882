// Python 2 and Python 3 names of what moved between them.
#pragma once

#include <string>
#include <string_view>

namespace ckpt {

/// Maps a global of protocol 2 or below to its Python 3 name, in place; names that did not move stay.
void to_python3_name(std::string& module, std::string& name);
/// The way back, as Python 3 writes globals at protocol 2 or below.
void to_python2_name(std::string& module, std::string& name);

}  // namespace ckpt
