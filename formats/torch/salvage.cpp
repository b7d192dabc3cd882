// Records by whatever tells where they are, and the pickle over them.
#include "formats/torch/salvage.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "formats/shared/zip/verify_zip.hpp"
#include "formats/shared/zip/zip_walk.hpp"
#include "formats/torch/read_zip.hpp"
#include "formats/torch/remains.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kDescriptor = "PK\7\x08";
constexpr std::size_t kDescriptorBytes = 16;
constexpr unsigned kHasDescriptor = 8;
constexpr std::uint64_t kSearchedBytes = std::uint64_t{1} << 26;  // for the pickle, which stands first
constexpr std::uint64_t kQuicklyReadBytes = std::uint64_t{1} << 28;
constexpr std::string_view kNoDirectory = "the archive has no directory";

std::string folded(std::string_view name) {
    std::string result(name);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}

/// What the pickle of an archive says of its storages: where a record ends is not to be searched for then.
class StorageSizes final : public PickleReaderHooks {
public:
    Value persistent_load(Pool&, Value id) override {
        if (id.is(Kind::kTuple)) {
            const StorageId storage = parse_storage_id(id.sequence().items, "");
            sizes_.try_emplace(folded(storage.key), storage.size_bytes);
        }
        return {};
    }
    bool empty() const noexcept { return sizes_.empty(); }
    /// Of a record "PREFIX/data/KEY".
    std::optional<std::uint64_t> find(std::string_view record) const {
        const auto slash = record.find('/');
        if (slash == std::string_view::npos) return std::nullopt;
        const std::string name = folded(record.substr(slash + 1));
        const auto found = name.starts_with("data/") ? sizes_.find(name.substr(5)) : sizes_.end();
        return found != sizes_.end() ? std::optional(found->second) : std::nullopt;
    }

private:
    std::unordered_map<std::string, std::uint64_t> sizes_;
};

StorageSizes sizes_of(const BlobPtr& bytes, const std::vector<ZipEntry>& known, const Context& context) {
    StorageSizes sizes;
    const auto is_pickle = [](const ZipEntry& entry) { return folded(entry.name).ends_with("/data.pkl"); };
    std::vector<ZipEntry> first;
    const std::vector<ZipEntry>* entries = &known;
    if (std::none_of(known.begin(), known.end(), is_pickle)) {
        first = local_zip_entries(*bytes, 0, std::min(bytes->size_bytes(), kSearchedBytes), context);
        entries = &first;
    }
    const auto found = std::find_if(entries->begin(), entries->end(), is_pickle);
    if (found == entries->end()) return sizes;
    try {
        const Unzipped unzipped = unzip(bytes, *found, context.limits.max_header_bytes);
        if (unzipped.bytes == nullptr) return sizes;
        Pool scratch;
        read_pickle_remains(read_all(*unzipped.bytes, context.limits.max_header_bytes), scratch, sizes, context);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
    }
    return sizes;
}

/// The records of an archive, by name without prefix, folded.
class Records {
public:
    Records(const BlobPtr& bytes, SalvageCheck check, const Context& context) : bytes_(bytes), context_(context) {
        std::vector<ZipEntry> entries;
        bool is_sound = false;
        for (ZipArchive& archive : zip_archives_before(*bytes, bytes->size_bytes(), context)) {
            if (archive.begin != 0 || archive.entries.empty()) continue;
            entries = std::move(archive.entries);
            is_sound =
                archive.problems.empty() && std::none_of(entries.begin(), entries.end(), [](const ZipEntry& entry) {
                    return !entry.problem.empty() || entry.local_name != entry.name;
                });
            break;
        }
        has_directory_ = !entries.empty();
        const StorageSizes sizes = is_sound ? StorageSizes() : sizes_of(bytes, entries, context);
        for (ZipEntry& entry : entries) {
            if (entry.problem.empty()) add(std::move(entry));
        }
        if (is_sound) return;
        if (check == SalvageCheck::kNow && sizes.empty() && bytes->size_bytes() > kQuicklyReadBytes)
            throw Error(ErrorCode::kRefused, "all of it would have to be read");
        const SizeHint hint = [&](std::string_view name) { return sizes.find(name); };
        for (ZipEntry& entry : local_zip_entries(*bytes, 0, bytes->size_bytes(), context, kMostZipEntries, hint))
            add(std::move(entry));
    }

    const std::string& prefix() const noexcept { return prefix_; }
    bool has_directory() const noexcept { return has_directory_; }
    const BlobPtr& bytes() const noexcept { return bytes_; }
    const ZipEntry* find(std::string_view record) const {
        const auto found = by_name_.find(folded(prefix_ + std::string(record)));
        return found != by_name_.end() ? &found->second : nullptr;
    }
    /// A small or packed record, as far as it is there.
    std::string content(const ZipEntry& entry) const {
        const Unzipped unzipped = unzip(bytes_, entry, context_.limits.max_header_bytes);
        return unzipped.bytes ? read_all(*unzipped.bytes, context_.limits.max_header_bytes) : std::string();
    }
    bool is_other_kind() const {
        return std::any_of(by_name_.begin(), by_name_.end(), [](const auto& item) {
            return item.first.ends_with("/.data/extern_modules") || item.first.ends_with("/archive_format");
        });
    }

private:
    void add(ZipEntry entry) {
        const auto slash = entry.name.find('/');
        if (prefix_.empty() && slash != std::string::npos) prefix_ = entry.name.substr(0, slash + 1);
        by_name_.try_emplace(folded(entry.name), std::move(entry));
    }

    BlobPtr bytes_;
    const Context& context_;
    std::string prefix_;
    bool has_directory_ = false;
    std::map<std::string, ZipEntry> by_name_;
};

/// The storages of an archive.
class ZipRemains final : public Remains {
public:
    ZipRemains(const Records& records, SalvageCheck check, const Context& context)
        : records_(records), check_(check), context_(context) {
        const ZipEntry* order = records.find("byteorder");
        if (order != nullptr && records.content(*order).starts_with("big")) set_big_endian();
    }

    std::string_view place() const noexcept override { return "data/"; }
    /// Storages that have no checksum.
    std::uint64_t unchecked() const noexcept { return unchecked_; }

private:
    BlobPtr part_of(const StorageId& id, StoragePart& part) const override {
        const ZipEntry* entry = records_.find("data/" + id.key);
        if (entry == nullptr) {
            part.why = fmt::format("storage 'data/{}' is missing", id.key);
            return nullptr;
        }
        if (entry->method != 0) return unpacked(id, *entry, part);
        const std::uint64_t there = std::min(id.size_bytes, records_.bytes()->size_bytes() - entry->data_at);
        if (entry->is_whole && entry->stored_bytes != id.size_bytes) {
            part.why = fmt::format("storage 'data/{}' holds {} bytes, its {} needs {}", id.key, entry->stored_bytes,
                                   id.cls.name, id.size_bytes);
            return nullptr;
        }
        const std::uint64_t reach = entry->is_whole ? there : std::min(there, entry->stored_bytes);
        if (reach < id.size_bytes) {
            part.whole_bytes = reach;
            part.why = fmt::format("storage 'data/{}' has {} of its {} bytes", id.key, reach, id.size_bytes);
            return slice_blob(records_.bytes(), entry->data_at, reach);
        }
        BlobPtr blob = slice_blob(records_.bytes(), entry->data_at, id.size_bytes);
        if (!entry->is_whole && !is_last_of_file(*entry, id.size_bytes)) {
            part.why = fmt::format("storage 'data/{}' does not end as its header says", id.key);
            return nullptr;
        }
        check(id, *entry, blob, part);
        return blob;
    }
    BlobPtr unpacked(const StorageId& id, const ZipEntry& entry, StoragePart& part) const {
        const Unzipped unzipped = unzip(records_.bytes(), entry, context_.limits.max_inline_bytes);
        const std::uint64_t size = unzipped.bytes ? unzipped.bytes->size_bytes() : 0;
        if (!unzipped.problem.empty() || size != id.size_bytes) {
            part.why =
                fmt::format("storage 'data/{}' {}", id.key,
                            unzipped.problem.empty() ? fmt::format("unpacks to {} bytes", size) : unzipped.problem);
            return nullptr;
        }
        check(id, entry, unzipped.bytes, part);
        return unzipped.bytes;
    }
    void check(const StorageId& id, const ZipEntry& entry, const BlobPtr& blob, StoragePart& part) const {
        part.whole_bytes = id.size_bytes;
        // torch writes 0 where it computes none.
        if (check_ == SalvageCheck::kAll && entry.crc32 == 0 && id.size_bytes > 0) ++unchecked_;
        if (check_ == SalvageCheck::kNow || entry.crc32 == 0) return;
        const std::uint32_t crc = checksum_of(*blob, context_);
        if (crc == entry.crc32) return;
        part.whole_bytes = 0;
        part.why =
            fmt::format("storage 'data/{}' has the checksum {:08x}, its bytes give {:08x}", id.key, entry.crc32, crc);
    }
    /// The file ends within what stands behind the bytes of an entry without an end, or where the next entry begins and
    /// no descriptor was promised.
    bool is_last_of_file(const ZipEntry& entry, std::uint64_t size) const {
        const std::uint64_t behind = entry.data_at + size;
        const std::uint64_t left = records_.bytes()->size_bytes() - behind;
        if ((entry.local_flags & kHasDescriptor) == 0) return entry.stored_bytes == size;
        if (left >= kDescriptorBytes) return false;
        std::string rest(static_cast<std::size_t>(left), '\0');
        records_.bytes()->read(behind, std::as_writable_bytes(std::span(rest.data(), rest.size())));
        return kDescriptor.starts_with(std::string_view(rest).substr(0, kDescriptor.size()));
    }

    const Records& records_;
    SalvageCheck check_;
    const Context& context_;
    mutable std::uint64_t unchecked_ = 0;
};

/// Puts what a pickle had begun where it was to go: containers stand below their items on the stack.
Value put_together(PickleRemains& remains) {
    std::vector<Value>& stack = remains.stack;
    const auto is_begun = [](const Value& value) {  // a class that waits for its arguments
        return value.is(Kind::kObject) && value.node()->recipe && value.node()->recipe->how == Recipe::How::kGlobal;
    };
    while (!remains.marks.empty() || stack.size() > 1) {
        const std::size_t mark = remains.marks.empty() ? 1 : std::min(remains.marks.back(), stack.size());
        if (!remains.marks.empty()) remains.marks.pop_back();
        if (mark == 0) {
            stack.resize(std::min<std::size_t>(stack.size(), 1));
            continue;
        }
        std::vector<Value> items(stack.begin() + static_cast<std::ptrdiff_t>(mark), stack.end());
        items.erase(std::find_if(items.begin(), items.end(), is_begun), items.end());
        stack.resize(mark);
        const Value& target = stack.back();
        if (target.is(Kind::kList)) {
            auto& list = target.sequence().items;
            list.insert(list.end(), items.begin(), items.end());
        } else if (target.is(Kind::kDict)) {
            for (std::size_t i = 0; i + 1 < items.size(); i += 2)
                target.dict().entries.emplace_back(items[i], items[i + 1]);
        } else if (stack.size() > 1) {
            stack.pop_back();
        }
    }
    return stack.empty() ? Value::null() : stack.front();
}

Salvaged salvage(const Source& source, SalvageCheck check, const Context& context) {
    Salvaged result;
    Document& document = result.document;
    document.format = "torch";
    const Records records(File::blob(source.file), check, context);
    if (records.is_other_kind())
        throw Error(ErrorCode::kUnsupported,
                    "is an archive of torch.package or torch.export, of which no part is taken");
    const ZipEntry* entry = records.find("data.pkl");
    if (entry == nullptr) throw_damaged("the record data.pkl, which names the tensors, is not there");
    if (!records.has_directory()) {
        document.damage.emplace_back(
            ErrorCode::kDamaged,
            fmt::format("{}: the file ends at byte {}, probably too early", kNoDirectory, source.size_bytes));
    }
    const std::string pickle = records.content(*entry);
    const ZipRemains remains(records, check, context);
    TorchRebuilder rebuilder(remains, context);
    PickleRemains read = read_pickle_remains(pickle, document.pool(), rebuilder, context);
    const std::uint32_t crc = crc32(0, std::as_bytes(std::span(pickle.data(), pickle.size())));
    if (!read.error && check == SalvageCheck::kAll && entry->crc32 != 0 && crc != entry->crc32) {
        document.damage.emplace_back(
            ErrorCode::kDamaged,
            fmt::format(
                "data.pkl has the checksum {:08x}, its bytes give {:08x}: names, shapes and values may be wrong",
                entry->crc32, crc));
    }
    if (read.error) {
        document.damage.emplace_back(
            ErrorCode::kDamaged,
            fmt::format("data.pkl: {}; what it names from there on is lost", read.error->message()));
        document.root = put_together(read);
    } else {
        document.root = read.stack.front();
    }
    if (pickle.find("__kind__") != std::string::npos) restore_tagged_values(document);
    document.set_attribute("torch:prefix", document.pool().string(records.prefix().substr(
                                               0, records.prefix().empty() ? 0 : records.prefix().size() - 1)));
    settle_remains(result, remains, context);
    if (remains.unchecked() > 0) {
        result.note = fmt::format("{} storages have no checksum: whether they hold what was saved is not to be told",
                                  remains.unchecked());
    }
    return result;
}

}  // namespace

Document salvage_torch_zip(const Source& source, SalvageCheck check, const Context& context) {
    Salvaged found = salvage(source, check, context);
    if (!found.note.empty()) context.note(found.note);
    return std::move(found.document);
}

std::vector<Finding> survey_torch_zip(const Source& source, SalvageCheck check, const Context& context) {
    return findings_of(salvage(source, check, context), kNoDirectory);  // who asks has met that already
}

}  // namespace ckpt
