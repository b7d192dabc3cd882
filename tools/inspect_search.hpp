// `inspect` of a search state: what a person wants to know of it, before its tree.
#pragma once

#include <string>
#include <vector>

#include "libckpt/search_state.hpp"

namespace ckpt {

/// Lines for a person: result, counts, whether it runs, pruner, best parameters.
std::vector<std::string> search_lines(const SearchSummary& summary);
/// The same as a JSON object.
std::string search_json(const SearchSummary& summary);

}  // namespace ckpt
