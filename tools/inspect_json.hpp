// `inspect --json`: every node of a document as one entry, streamed.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libckpt/document.hpp"
#include "tools/session.hpp"

namespace ckpt {

enum class Digest : std::uint8_t { kNone, kXxh3, kSha256 };

struct InspectOptions {
    Digest digest = Digest::kNone;
    bool stats = false;                  ///< what the elements of each tensor are like
    std::size_t bars = 0;                ///< of histograms; 0: none
    std::uint64_t max_digest_bytes = 0;  ///< over all tensors: a fill value makes any number of elements out of nothing
    std::size_t max_depth = 1000;        ///< deeper nodes are counted, not listed: a path is as long as its depth
};

/// Which tensors are over the same first element of one storage as one before: tied, so they count once.
class TiedTensors {
public:
    /// False for a tensor that is tied to one seen before.
    bool is_new(const TensorNode& tensor) {
        const bool is_alone = !tensor.storage || tensor.storage.use_count() == 1;  // most are
        return is_alone || seen_.emplace(tensor.storage.get(), tensor.offset).second;
    }

private:
    std::set<std::pair<const Storage*, std::int64_t>> seen_;
};

/// A storage of which tensors see less than half.
struct KeptStorage {
    std::string path;  ///< the first tensor that sees it
    std::uint64_t stored_bytes = 0;
    std::uint64_t live_bytes = 0;
};

/// Totals over the tensors of a document.
struct Totals {
    std::uint64_t tensors = 0;
    std::uint64_t parameters = 0;     ///< elements of the tensors in the model role, tied ones once
    std::uint64_t elements = 0;       ///< of all tensors
    std::uint64_t logical_bytes = 0;  ///< what the tensors would take by themselves
    std::uint64_t stored_bytes = 0;   ///< what their storages take
    std::uint64_t live_bytes = 0;     ///< the part of the storages that a tensor sees
    std::uint64_t storages = 0;
    std::uint64_t values = 0;
};
/// `kept`, if given, is filled with the storages that are worth a hint, in the order of the document.
Totals count_totals(const Document& document, std::vector<KeptStorage>* kept = nullptr);

/// Writes the whole answer to the session's stdout. Returns why digests could not be computed, each naming its tensor.
std::vector<Error> print_inspect_json(Session& session, const Document& document, const std::string& file,
                                      std::uint64_t file_bytes, const InspectOptions& options);

}  // namespace ckpt
