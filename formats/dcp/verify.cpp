// Reading with open ears, and checksums.
#include "formats/dcp/verify.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

#include <fmt/format.h>

#include "formats/dcp/folder.hpp"
#include "formats/dcp/read_document.hpp"
#include "formats/shared/torch/archive.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"

namespace ckpt::dcp {
namespace {

std::uint32_t checksum(const Blob& blob, const Context& context) {
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(blob.size_bytes(), 1u << 20)));
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < blob.size_bytes();) {
        context.check_cancelled();
        const auto size = std::min<std::uint64_t>(buffer.size(), blob.size_bytes() - done);
        const auto piece = std::span(buffer).first(static_cast<std::size_t>(size));
        blob.read(done, piece);
        crc = crc32(crc, piece);
        done += size;
    }
    return crc;
}

void check_item(const Folder& folder, const Place& place, const std::string& path, std::vector<Finding>& findings) {
    const Context& context = folder.context();
    const BlobPtr bytes = folder.bytes(place, ~std::uint64_t{0});
    const TorchArchive archive = TorchArchive::open(bytes, place.file, context);
    for (const ZipMember& member : archive.zip().members()) {
        const std::uint32_t crc = checksum(*archive.zip().blob(member, context.limits.max_inline_bytes), context);
        if (crc == member.crc32) continue;
        const bool is_absent = member.crc32 == 0;  // torch was told not to compute it
        findings.push_back(
            {is_absent ? Finding::Severity::kNote : Finding::Severity::kDamage, path,
             fmt::format("'{}' in its item at byte {} of '{}' {}", member.name, place.offset_bytes, place.file,
                         is_absent
                             ? "has no checksum"
                             : fmt::format("has the checksum {:08x}, its bytes give {:08x}", member.crc32, crc))});
    }
}

/// What is wrong with a file is wrong with all that it holds: said once, with how many values that concerns.
void add_damage(const std::vector<Error>& damage, std::vector<Finding>& findings) {
    struct Reason {
        std::string text;
        std::string first;  ///< the path of the first value
        std::size_t count = 0;
    };
    std::vector<Reason> reasons;
    std::unordered_map<std::string, std::size_t> known;
    for (const Error& error : damage) {
        const std::string& message = error.message();
        const std::size_t end = message.starts_with("'") ? message.find("': ") : std::string::npos;
        const bool has_path = end != std::string::npos;
        std::string text = has_path ? message.substr(end + 3) : message;
        const auto [reason, is_new] = known.try_emplace(text, reasons.size());
        if (is_new) reasons.push_back({std::move(text), has_path ? message.substr(1, end - 1) : "", 0});
        ++reasons[reason->second].count;
    }
    for (Reason& reason : reasons) {
        if (reason.count > 1) {
            reason.text += fmt::format(": {} values, '{}' and others", reason.count, reason.first);
            reason.first.clear();
        }
        findings.push_back({Finding::Severity::kDamage, std::move(reason.first), std::move(reason.text)});
    }
}

}  // namespace

std::vector<Finding> verify_folder(const Source& source, VerifyLevel level, const Context& context) {
    std::vector<Finding> findings;
    Context listening = context;
    listening.index_only = false;
    listening.on_warning = [&](std::string_view text) {
        findings.push_back({Finding::Severity::kWarning, "", std::string(text)});
    };
    const Document document = read_folder(source, listening);
    add_damage(document.damage, findings);
    if (level == VerifyLevel::kQuick) return findings;
    listening.on_warning = nullptr;
    const Folder folder(source.path, listening);
    const Metadata metadata = read_metadata(source, folder);
    const auto check = [&](const Item& item, std::size_t place) {
        try {
            check_item(folder, metadata.places[place], item.shown_path(), findings);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            // Said already, where the document could not be read either.
            if (document.damage.empty())
                findings.push_back({Finding::Severity::kDamage, item.shown_path(), error.message()});
        }
    };
    for (const Item& item : metadata.items) {
        if (!item.problem.empty()) continue;
        if (!item.is_tensor) check(item, item.place);
        for (const Chunk& chunk : item.chunks) check(item, chunk.place);
    }
    return findings;
}

}  // namespace ckpt::dcp
