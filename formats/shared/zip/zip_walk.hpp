// Zip archives as loosely as any program might read them: all that could be a member, however it is found.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt {

struct ZipEntry {
    std::string name;        ///< by the directory; of an entry without one, by its local header
    std::string local_name;  ///< by its local header
    unsigned method = 0;
    unsigned flags = 0;        ///< of the directory
    unsigned local_flags = 0;  ///< of the local header
    std::uint32_t crc32 = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t size_bytes = 0;  ///< decoded, as it is said
    std::uint64_t header_at = 0;   ///< of the local header, in the bytes that were walked
    std::uint64_t data_at = 0;
    bool in_directory = true;
    bool is_whole = true;  ///< of an entry without directory: its end is known
    std::string problem;   ///< why its bytes cannot be got; empty where they can
};

inline constexpr std::size_t kMostZipEntries = std::size_t{1} << 20;

/// One archive among bytes.
struct ZipArchive {
    std::uint64_t begin = 0;            ///< where its offsets count from
    std::uint64_t end = 0;              ///< behind its end record and comment
    std::uint64_t directory_at = 0;     ///< in the bytes that were walked
    std::vector<ZipEntry> entries;      ///< in the directory's order
    std::vector<std::string> oddities;  ///< what programs read differently, and may: nothing is lost by it
    std::vector<std::string> problems;  ///< damage
};

/// The archives whose end records stand in the last 64 KiB before `end`; the last one first. Usually one; none where
/// there is no end record. Throws Error (kRefused) for a directory over the limits.
std::vector<ZipArchive> zip_archives_before(const Blob& bytes, std::uint64_t end, const Context& context);

/// Bytes of a stored member, by its name, where its header does not say them and something else does.
using SizeHint = std::function<std::optional<std::uint64_t>(std::string_view name)>;

/// Members by their local headers alone, of bytes from..to. The end of one whose header does not say it is where a data
/// descriptor says so; one without reaches to the next header (`is_whole` false). No more than `most`. Where `hint` is
/// right, the bytes of members are not read.
std::vector<ZipEntry> local_zip_entries(const Blob& bytes, std::uint64_t from, std::uint64_t to, const Context& context,
                                        std::size_t most = kMostZipEntries, const SizeHint& hint = {});

/// The decoded bytes of an entry, as far as they decode, and why no further.
struct Unzipped {
    BlobPtr bytes;        ///< nullptr where nothing can be got
    std::string problem;  ///< empty where all is well
    bool is_over_limit = false;
};
Unzipped unzip(const BlobPtr& bytes, const ZipEntry& entry, std::uint64_t limit_bytes);

}  // namespace ckpt
