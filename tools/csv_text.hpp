// Values as rows of comma-separated values.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// Writes a value in pieces to `sink`. A tensor: its innermost dimension is a row, the others are counted through; one
/// of one dimension is a column. A list of plain values: a column. A dict of such lists: a column for each under its
/// name, short ones with empty cells at their end; dicts in it are columns by their path. A list of dicts: a row for
/// each, a column for each key. Texts with commas, quotes or line ends are in quotes. Throws Error (kUnsupported) for
/// anything else.
void write_csv(const Value& value, const std::function<void(std::string_view)>& sink);

}  // namespace ckpt
