// Member by member.
#include "formats/shared/zip/verify_zip.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "formats/shared/zip/zip_reader.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"

namespace ckpt {

std::uint32_t checksum_of(const Blob& blob, const Context& context) {
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(blob.size_bytes(), 1u << 20)));
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < blob.size_bytes();) {
        const auto piece = std::span(buffer).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), blob.size_bytes() - done)));
        blob.read(done, piece);
        crc = crc32(crc, piece);
        done += piece.size();
        context.check_cancelled();
    }
    return crc;
}

std::optional<Finding> absent_checksums(const std::shared_ptr<const File>& file, const Context& context) {
    Context quiet = context;
    quiet.on_warning = nullptr;
    const ZipDirectory zip = ZipDirectory::read(file, quiet);
    const auto absent = std::count_if(zip.members().begin(), zip.members().end(), [](const ZipMember& member) {
        return member.crc32 == 0 && member.size_bytes > 0;
    });
    if (absent == 0) return std::nullopt;
    return Finding{
        Finding::Severity::kNote, "",
        fmt::format("{} of {} members have no checksum, as torch writes them when told so: a changed byte in "
                    "them is not seen",
                    absent, zip.members().size())};
}

std::vector<Finding> misread_members(const std::shared_ptr<const File>& file, ZipProgram program,
                                     const Context& context) {
    Context quiet = context;
    quiet.on_warning = nullptr;
    std::vector<Finding> findings;
    const ZipDirectory zip = ZipDirectory::read(file, quiet);
    for (const ZipMember& member : zip.members()) {
        if (program == ZipProgram::kTorch && member.has_folder_mark) {
            findings.push_back({Finding::Severity::kDamage, member.name,
                                "is marked as a folder: torch reads none of its bytes, and says nothing"});
        }
        if (program == ZipProgram::kPython && member.has_other_local_name) {
            findings.push_back({Finding::Severity::kDamage, member.name,
                                "has another name in its local header than in the directory: Python refuses it"});
        }
    }
    return findings;
}

std::vector<Finding> verify_zip_members(const std::shared_ptr<const File>& file, const Context& context) {
    std::vector<Finding> findings;
    // Who reads it has found what kind of archive it is.
    const ZipDirectory zip = ZipDirectory::read(file, context);
    for (const auto& member : zip.members()) {
        try {
            const std::uint32_t crc = checksum_of(*zip.blob(member, context.limits.max_inline_bytes), context);
            // torch writes 0 when told not to compute checksums, so a 0 that does not match is no damage.
            if (crc == member.crc32 || member.crc32 == 0) continue;
            findings.push_back({Finding::Severity::kDamage, member.name,
                                fmt::format("has the checksum {:08x}, its bytes give {:08x}", member.crc32, crc)});
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            findings.push_back({Finding::Severity::kDamage, member.name, error.message()});
        }
    }
    return findings;
}

}  // namespace ckpt
