// What a comparison of two checkpoints came to, as text and as JSON.
#pragma once

#include <string>

#include "libckpt/compare.hpp"

namespace ckpt {

/// A line for each difference, and a table by role; one line where there is none. At most `most` lines of differences,
/// then how many more there are.
std::string diff_text(const DocumentComparison& comparison, std::size_t most);
/// {"a", "b", "same", "differences": [...], "roles": [...]}, all differences.
std::string diff_json(const DocumentComparison& comparison, const std::string& a, const std::string& b);

}  // namespace ckpt
