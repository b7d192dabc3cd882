// What is whole in a damaged file: records found without the index, or chunks checked with it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/native/index_read.hpp"
#include "libckpt/format.hpp"

namespace ckpt::native {

/// What the records beside the chunks say.
struct Scan {
    std::vector<ChunkEntry> chunks;           ///< whole ones in order; an entry of raw_bytes 0 where some are missing
    std::vector<std::uint64_t> whole_bytes;   ///< raw bytes from each of them on to the next that is missing
    std::vector<NamedStorage> storages;       ///< in the order of their numbers
    std::vector<std::uint64_t> first_chunks;  ///< places in `chunks`, or beyond its end
    std::uint64_t whole_chunks = 0;
    std::uint64_t unknown_codecs = 0;  ///< chunks that are whole, but of codecs that are not known; not in `chunks`
    std::uint64_t skipped_bytes = 0;   ///< that belong to no sound record

    /// Whether all chunks of the i-th storage are there.
    bool is_whole(std::size_t i) const;
};

/// Goes from record to record, and over what is damaged to the next sound one. Reads every byte once.
Scan scan_records(const Source& source, const Context& context);

/// With a sound index: the document, tensors that are not whole replaced by null. Without: a dict of what the records
/// name. `damage` says what was lost.
Document salvage_native(const Source& source, const Context& context);

}  // namespace ckpt::native
