// `inspect --json`: every node of a document as one entry, streamed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/document.hpp"
#include "tools/session.hpp"

namespace ckpt {

enum class Digest : std::uint8_t { kNone, kXxh3, kSha256 };

struct InspectOptions {
    Digest digest = Digest::kNone;
    std::size_t max_depth = 1000;  ///< deeper nodes are counted, not listed: a path is as long as its depth
};

/// Totals over the tensors of a document.
struct Totals {
    std::uint64_t tensors = 0;
    std::uint64_t parameters = 0;     ///< elements of the tensors in the model role
    std::uint64_t elements = 0;       ///< of all tensors
    std::uint64_t logical_bytes = 0;  ///< what the tensors would take by themselves
    std::uint64_t stored_bytes = 0;   ///< what their storages take
    std::uint64_t live_bytes = 0;     ///< the part of the storages that a tensor sees
    std::uint64_t storages = 0;
    std::uint64_t values = 0;
};
Totals count_totals(const Document& document);

/// Writes the whole answer to the session's stdout. Returns why digests could not be computed, each naming its tensor.
std::vector<Error> print_inspect_json(Session& session, const Document& document, const std::string& file,
                                      std::uint64_t file_bytes, const InspectOptions& options);

}  // namespace ckpt
