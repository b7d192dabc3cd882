// Names in a pickle that could do harm if Python ran them: pointed out, never run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libckpt/context.hpp"

namespace ckpt {

/// Whether a name ("os.system") stands in a module whose functions run commands, open files or load code.
bool is_dangerous_global(std::string_view global);

/// Warns of each such name among the globals of a pickle.
void warn_of_globals(const std::vector<std::string>& globals, const Context& context);

}  // namespace ckpt
