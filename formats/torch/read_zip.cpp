// data.pkl and its storages as a document.
#include "formats/torch/read_zip.hpp"

#include <algorithm>

#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/node_attributes.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/torch/object.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "libckpt/crc32.hpp"

namespace ckpt {
namespace {

// Checksums are for `verify`; in passing only as many are looked at as cost nothing.
constexpr std::uint64_t kCheckedBytes = 4096;
constexpr std::uint64_t kCheckedInAll = 65536;

/// Checksums that do not match where reading them costs nothing.
void check_small_members(const TorchArchive& archive, const Context& context) {
    std::uint64_t budget = kCheckedInAll;
    for (const auto& member : archive.zip().members()) {
        if (member.crc32 == 0 || member.size_bytes > std::min(budget, kCheckedBytes)) continue;
        budget -= member.size_bytes;
        const std::string bytes = read_all(*archive.zip().blob(member, kCheckedBytes), kCheckedBytes);
        if (crc32(0, std::as_bytes(std::span(bytes.data(), bytes.size()))) != member.crc32) {
            context.warn(fmt::format("member '{}' has a wrong checksum (torch does not look at it)", member.name));
        }
    }
}

/// Storages that nothing refers to.
void point_out_leftovers(const TorchArchive& archive, const TorchRebuilder& rebuilder, const Context& context) {
    for (const auto& member : archive.zip().members()) {
        const std::string_view record = std::string_view(member.name).substr(archive.prefix().size() + 1);
        if (!record.starts_with("data/") || rebuilder.knows_storage(record.substr(5))) continue;
        context.warn(fmt::format("storage '{}' of {} bytes is used by nothing", member.name, member.size_bytes));
    }
}

void read_saved(const TorchArchive& archive, const Context& context, Document& document) {
    const std::string pickle = archive.pickle(context);
    TorchRebuilder rebuilder(archive, context);
    PickleFacts facts;
    try {
        document.root = read_pickle(pickle, document.pool(), rebuilder, context, &facts);
    } catch (const Error&) {
        warn_of_globals(facts.globals, context);
        throw;
    }
    warn_of_globals(facts.globals, context);
    if (facts.size_bytes < pickle.size()) {
        context.warn(fmt::format("{} bytes after the end of the pickle in data.pkl are ignored, as torch does",
                                 pickle.size() - facts.size_bytes));
    }
    if (facts.protocol != 2) document.set_attribute("torch:pickle_protocol", Value::integer(facts.protocol));
    if (pickle.find("__kind__") != std::string::npos) restore_tagged_values(document);
    if (const ZipMember* member = archive.record(kAttributesRecord)) {
        const std::string attributes = archive.pickle_bytes(*member, context);
        apply_node_attributes(document, read_pickle(attributes, document.pool(), rebuilder, context),
                              fmt::format("record '{}'", kAttributesRecord), context);
    }
    if (archive.kind() == ArchiveKind::kSave) point_out_leftovers(archive, rebuilder, context);
    settle_torch_values(document.root, context);
    rebuilder.check_all_bounds();
}

/// Whether the first member lies in no folder, or in that of additional files of an old torch.export.
bool begins_without_folder(const File& file) {
    constexpr std::size_t kHeader = 30, kMostName = 64;
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(file.size_bytes(), kHeader + kMostName)), '\0');
    file.read(0, std::as_writable_bytes(std::span(head.data(), head.size())));
    if (head.size() <= kHeader) return false;
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(head[26])) |
                      static_cast<std::size_t>(static_cast<unsigned char>(head[27])) << 8;
    const std::string_view name = std::string_view(head).substr(kHeader, size);
    return name.find('/') == name.npos || name.starts_with("extra_files/");
}

}  // namespace

std::string_view archive_layout(ArchiveKind kind) noexcept {
    switch (kind) {
        case ArchiveKind::kScript:
            return "torchscript";
        case ArchiveKind::kPackage:
            return "torch-package";
        case ArchiveKind::kExport:
            return "torch-export";
        default:
            return "torch";
    }
}

Document read_torch_zip(const std::shared_ptr<const File>& file, const Context& context) {
    if (begins_without_folder(*file)) {
        const ZipDirectory zip = ZipDirectory::read(file, context);
        if (is_old_export(zip)) {
            Document document;
            document.format = archive_layout(ArchiveKind::kExport);
            read_old_export(zip, context, document);
            return document;
        }
    }
    const TorchArchive archive = TorchArchive::open(file, context);
    Document document;
    document.format = archive_layout(archive.kind());
    archive.describe(document);
    switch (archive.kind()) {
        case ArchiveKind::kPackage:
            read_package(archive, context, document);
            break;
        case ArchiveKind::kExport:
            read_export(archive, context, document);
            break;
        case ArchiveKind::kScript:
            read_saved(archive, context, document);
            mark_script_modules(archive, context, document);
            break;
        case ArchiveKind::kSave:
            read_saved(archive, context, document);
            break;
    }
    check_small_members(archive, context);
    return document;
}

}  // namespace ckpt
