// `inspect` for people: what it is, its roles with totals, and its tree with like siblings in one line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/document.hpp"
#include "libckpt/error.hpp"
#include "tools/session.hpp"

namespace ckpt {

struct TreeOptions {
    std::size_t max_depth = 0;  ///< levels shown; 0: chosen so that it fits the eye
};

void print_inspect_tree(Session& session, const Document& document, const std::string& file, std::uint64_t file_bytes,
                        const TreeOptions& options);
/// One line for each tensor: path, dtype, shape, bytes.
void print_tensors(Session& session, const Document& document);
/// One line for each tensor: what its elements are like. Tensors beyond `max_bytes` in all are not read. Returns why
/// some could not be, each naming its tensor.
/// With `bars`, how often numbers lie where as well.
std::vector<Error> print_statistics(Session& session, const Document& document, std::uint64_t max_bytes,
                                    std::size_t bars);

}  // namespace ckpt
