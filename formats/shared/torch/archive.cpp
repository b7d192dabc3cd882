// Opening an archive: what kind of zip it is, and its small records.
#include "formats/shared/torch/archive.hpp"

#include <algorithm>
#include <charconv>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kSmallRecordBytes = 4096;

bool ends_with_component(std::string_view name, std::string_view last) {
    return name == last ||
           (name.size() > last.size() && name.ends_with(last) && name[name.size() - last.size() - 1] == '/');
}

/// Throws for a zip of something else.
ArchiveKind kind_of(const ZipDirectory& zip) {
    bool looks_like_torch = false;
    bool all_npy = true;
    for (const auto& member : zip.members()) {
        const std::string_view name = member.name;
        if (ends_with_component(name, ".data/extern_modules")) return ArchiveKind::kPackage;
        if (ends_with_component(name, "archive_format")) return ArchiveKind::kExport;
        for (const std::string_view known :
             {"data.pkl", "version", "byteorder", "serialization_id", "constants.pkl", "DATA.PKL"}) {
            looks_like_torch = looks_like_torch || ends_with_component(name, known);
        }
        all_npy = all_npy && name.ends_with(".npy");
    }
    if (looks_like_torch) return ArchiveKind::kSave;
    if (all_npy) throw Error(ErrorCode::kNotCheckpoint, "is a NumPy .npz archive, no torch checkpoint");
    throw_error(ErrorCode::kNotCheckpoint,
                "is a zip archive, but no torch checkpoint: it has no member FOLDER/data.pkl (its first is '{}')",
                zip.members().front().name);
}

std::string small_record(const ZipDirectory& zip, const ZipMember& member) {
    if (member.size_bytes > kSmallRecordBytes)
        throw_damaged("record '{}' has {} bytes, expected a few", member.name, member.size_bytes);
    return read_all(*zip.blob(member, kSmallRecordBytes), kSmallRecordBytes);
}

}  // namespace

TorchArchive TorchArchive::open(const std::shared_ptr<const File>& file, const Context& context) {
    return open(File::blob(file), file->path(), context);
}

TorchArchive TorchArchive::open(BlobPtr bytes, std::string file, const Context& context) {
    TorchArchive archive;
    archive.zip_ = ZipDirectory::read(std::move(bytes), std::move(file), context);
    archive.kind_ = kind_of(archive.zip_);
    const auto& members = archive.zip_.members();
    const std::size_t slash = members.front().name.find('/');
    if (slash == std::string::npos || slash == 0)
        throw_damaged("member '{}' lies in no folder; torch wants one folder for all", members.front().name);
    archive.prefix_ = members.front().name.substr(0, slash);
    for (const auto& member : members) {
        if (!member.name.starts_with(archive.prefix_ + "/")) {
            throw_damaged("member '{}' lies outside of the archive's folder '{}/'", member.name, archive.prefix_);
        }
    }
    const ZipMember* version = archive.record(".data/version");
    if (version == nullptr) version = archive.record("version");
    if (version == nullptr) throw_damaged("record '{}/version' is missing", archive.prefix_);
    const std::string text = small_record(archive.zip_, *version);
    int number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
        throw_damaged("record '{}' holds no number", version->name);
    }
    if (number < 1 || number > 10) throw_damaged("the archive has version {}; torch reads 1 to 10", number);
    if (const ZipMember* order = archive.record("byteorder")) {
        const std::string word = small_record(archive.zip_, *order);
        if (word != "little" && word != "big")
            throw_damaged("record '{}' says '{}', neither little nor big", order->name, word);
        archive.byte_order_ = word == "big" ? ByteOrder::kBig : ByteOrder::kLittle;
    }
    if (const ZipMember* alignment = archive.record(".storage_alignment")) {
        const std::string digits = small_record(archive.zip_, *alignment);
        unsigned value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size())
            throw_damaged("record '{}' holds no number", alignment->name);
    }
    if (archive.kind_ == ArchiveKind::kSave && archive.record("constants.pkl") != nullptr) {
        const bool has_code = std::any_of(members.begin(), members.end(), [&](const auto& member) {
            return member.name.starts_with(archive.prefix_ + "/code/");
        });
        if (has_code) archive.kind_ = ArchiveKind::kScript;
        if (!has_code) {
            context.warn(
                fmt::format("member '{}/constants.pkl': torch.load takes the file for TorchScript", archive.prefix_));
        }
    }
    return archive;
}

std::string TorchArchive::pickle(const Context& context) const {
    const ZipMember* member = record("data.pkl");
    if (member == nullptr) throw_damaged("record '{}/data.pkl' is missing", prefix_);
    if (member->name != prefix_ + "/data.pkl")
        context.warn(fmt::format("member '{}' is taken for data.pkl, as torch does", member->name));
    return pickle_bytes(*member, context);
}

std::string TorchArchive::pickle_bytes(const ZipMember& member, const Context& context) const {
    if (member.size_bytes > context.limits.max_header_bytes) {
        throw_error(ErrorCode::kRefused, "'{}' has {} bytes, the limit is {}", member.name, member.size_bytes,
                    context.limits.max_header_bytes);
    }
    return read_all(*zip_.blob(member, context.limits.max_header_bytes), context.limits.max_header_bytes);
}

BlobPtr TorchArchive::storage_bytes(const StorageId& id, const Context& context) const {
    const ZipMember* member = record("data/" + id.key);
    if (member == nullptr) throw_damaged("storage 'data/{}' is missing", id.key);
    if (member->size_bytes != id.size_bytes) {
        throw_damaged("storage 'data/{}' holds {} bytes, its {} needs {}", id.key, member->size_bytes, id.cls.name,
                      id.size_bytes);
    }
    if (id.key.find("..") != std::string::npos || id.key.starts_with("/")) {
        context.warn(fmt::format("storage key '{}' looks like a path; it is only a name here", id.key));
    }
    if (member->deflated) {
        context.warn(fmt::format(
            "storage 'data/{}' is compressed: torch.load(mmap=True) would take the compressed bytes for numbers",
            id.key));
    }
    const BlobPtr blob = zip_.blob(*member, context.limits.max_inline_bytes);
    return byte_order_ == ByteOrder::kBig ? byte_swapped_blob(blob, id.cls.swap_width()) : blob;
}

void TorchArchive::describe(Document& document) const {
    Pool& pool = document.pool();
    document.set_attribute("torch:prefix", pool.string(prefix_));
    const bool has_format = record(".format_version") != nullptr;
    const bool has_order = record("byteorder") != nullptr;
    if (kind_ == ArchiveKind::kScript) {
        document.producer = "TorchScript";
        return;
    }
    document.producer = has_format ? "torch 2.7 or later" : has_order ? "torch 2.1 to 2.6" : "torch 1.6 to 2.0";
    if (!has_format) return;  // an older file comes out in the current form: the rest is that form's own
    if (const ZipMember* alignment = record(".storage_alignment")) {
        const std::string digits = small_record(zip_, *alignment);
        if (digits != "64") document.set_attribute("torch:alignment", pool.string(digits));
    }
    // torch.serialization.set_crc32_options(False): all are 0. skip_data: those of the storages.
    bool any_crc = false;
    bool any_storage_crc = false;
    bool any_storage = false;
    for (const auto& member : zip_.members()) {
        if (member.size_bytes == 0) continue;
        const bool is_storage = member.name.starts_with(prefix_ + "/data/");
        any_storage = any_storage || is_storage;
        (is_storage ? any_storage_crc : any_crc) = (is_storage ? any_storage_crc : any_crc) || member.crc32 != 0;
    }
    if (!any_crc && !any_storage_crc) {
        document.set_attribute("torch:crc32", pool.string("none"));
    } else if (any_storage && !any_storage_crc) {
        document.set_attribute("torch:crc32", pool.string("no storages"));
    }
    const auto& members = zip_.members();
    const ZipMember* order = record("byteorder");
    const ZipMember* version = record("version");
    if (order != nullptr && version != nullptr && order > version && order >= members.data()) {
        document.set_attribute("torch:byteorder_last", Value::boolean(true));
    }
}

}  // namespace ckpt
