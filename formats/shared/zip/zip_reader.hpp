// Zip archives as torch reads them: by the central directory, with every number checked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

struct ZipMember {
    std::string name;
    bool deflated = false;
    bool has_folder_mark = false;           ///< the bit that DOS has for folders, on a member that has bytes
    bool has_other_local_name = false;      ///< the local header names it otherwise
    std::uint32_t crc32 = 0;                ///< as the directory has it; 0 may mean "not computed"
    std::uint64_t stored_bytes = 0;         ///< in the file
    std::uint64_t size_bytes = 0;           ///< decoded
    std::uint64_t header_offset_bytes = 0;  ///< of the local header
    std::uint64_t data_offset_bytes = 0;    ///< by the local header, not by any rule of alignment
};

/// The directory of a zip archive. Immutable after `read`; thread-safe.
class ZipDirectory {
public:
    /// Reads the end records, the central directory and each local header. Throws Error (kDamaged) on anything that
    /// contradicts itself (a member outside of the file, members that overlap, two names that differ only by case, end
    /// records that disagree); warns of what readers disagree about but which does no harm (trailing bytes, gaps, a
    /// local header with another name).
    static ZipDirectory read(const std::shared_ptr<const File>& file, const Context& context);
    /// The same of an archive anywhere; `file` is what errors of decoding name.
    static ZipDirectory read(BlobPtr bytes, std::string file, const Context& context);

    /// True if the bytes at the end of a file look like the end of a zip archive.
    static bool ends_like_zip(const std::shared_ptr<const File>& file);

    const std::vector<ZipMember>& members() const noexcept { return members_; }
    /// By name ignoring ASCII case, as torch looks names up; or nullptr.
    const ZipMember* find(std::string_view name) const;
    /// The decoded bytes. Stored members are ranges of the file; deflated ones are unpacked when they are first read
    /// (Error kDamaged then, if they do not unpack to their size), and one at a time is kept. Throws Error (kDamaged)
    /// for a deflated member that claims more than `limit_bytes`, or more than deflate can give.
    BlobPtr blob(const ZipMember& member, std::uint64_t limit_bytes) const;

private:
    class Unpacked;
    class DeflatedBlob;

    BlobPtr bytes_;
    std::string file_;
    std::shared_ptr<Unpacked> unpacked_;
    std::vector<ZipMember> members_;
    std::unordered_map<std::string, std::size_t> by_folded_name_;
};

}  // namespace ckpt
