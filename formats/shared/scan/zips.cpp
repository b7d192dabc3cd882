// Archives: every member that any program may come to, and what torch.load would say of the whole.
#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "formats/shared/scan/scanner.hpp"
#include "formats/shared/torch/archive.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/error.hpp"

namespace ckpt::scan {
namespace {

constexpr unsigned kEncrypted = 1;
constexpr std::uint64_t kDescriptorBytes = 24;
constexpr std::uint64_t kPeekedBytes = std::uint64_t{1} << 16;
constexpr std::size_t kMostHidden = std::size_t{1} << 16;
constexpr std::size_t kMostArchives = 100'000;  // one behind the other
constexpr std::uint64_t kCheckedBytes = std::uint64_t{1} << 20;
constexpr std::size_t kSince210 = 3;  // kWeightsOnlyGenerations: 2.13, and what 2.10 began

std::string folded(std::string_view name) {
    std::string result(name);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}
bool ends_with_component(std::string_view name, std::string_view last) {
    return name == last ||
           (name.size() > last.size() && name.ends_with(last) && name[name.size() - last.size() - 1] == '/');
}

enum class Kind : std::uint8_t { kPlain, kSave, kScript, kPackage, kExport, kNpz };

/// What the members' names say of an archive.
struct Shape {
    Kind kind = Kind::kPlain;
    std::string prefix;                              ///< with its slash, folded; empty without one
    const ZipEntry* pickle = nullptr;                ///< the one that torch takes for data.pkl
    std::map<std::string, const ZipEntry*> by_name;  ///< folded; the first of each
};

Shape shape_of(const ZipArchive& archive) {
    Shape shape;
    bool all_npy = !archive.entries.empty();
    bool has_code = false;
    bool has_constants = false;
    for (const ZipEntry& entry : archive.entries) {
        const std::string name = folded(entry.name);
        if (shape.prefix.empty() && name.find('/') != std::string::npos)
            shape.prefix = name.substr(0, name.find('/') + 1);
        shape.by_name.emplace(name, &entry);
        all_npy = all_npy && name.ends_with(".npy");
        has_code = has_code || name.starts_with(shape.prefix + "code/");
        has_constants = has_constants || ends_with_component(name, "constants.pkl");
        if (ends_with_component(name, ".data/extern_modules")) shape.kind = Kind::kPackage;
        if (ends_with_component(name, "archive_format")) shape.kind = Kind::kExport;
    }
    const auto found = shape.by_name.find(shape.prefix + "data.pkl");
    if (found != shape.by_name.end()) shape.pickle = found->second;
    if (shape.kind != Kind::kPlain) return shape;
    if (has_constants)
        shape.kind = Kind::kScript;
    else if (shape.pickle != nullptr)
        shape.kind = Kind::kSave;
    else if (all_npy)
        shape.kind = Kind::kNpz;
    return shape;
}

std::string_view kind_text(Kind kind) {
    switch (kind) {
        case Kind::kSave:
            return "torch archive";
        case Kind::kScript:
            return "TorchScript archive";
        case Kind::kPackage:
            return "torch.package archive";
        case Kind::kExport:
            return "torch.export archive";
        case Kind::kNpz:
            return "NumPy archive";
        default:
            return "zip archive";
    }
}

/// Bytes of so many elements of a storage class, or nullopt where the class is not known.
std::optional<std::uint64_t> storage_size(const std::string& cls, std::uint64_t count) {
    const auto dot = cls.rfind('.');
    const auto type = storage_type(dot == std::string::npos ? cls : cls.substr(dot + 1));
    if (!type || count >> 56 != 0) return std::nullopt;
    return type->untyped || type->counts_bytes ? count : dtype_bytes(type->dtype, count);
}

}  // namespace

bool Scanner::zip(const BlobPtr& bytes, const std::string& place, int depth) {
    std::uint64_t end = bytes->size_bytes();
    bool is_whole = true;
    std::size_t count = 0;
    try {
        while (end > 0) {
            const auto archives = zip_archives_before(*bytes, end, context_);
            if (archives.empty()) break;
            if (archives.size() > 1)
                find({ScanFinding::Class::kUnknown,
                      fmt::format("{} end records: programs disagree which directory counts", archives.size()), "",
                      place, archives.front().directory_at, 1});
            std::uint64_t begin = end;
            for (const ZipArchive& archive : archives) {
                begin = std::min(begin, archive.begin);
                if (archive.end < end && &archive == &archives.front()) {
                    note(fmt::format("{} bytes behind the end of the archive", end - archive.end), place, archive.end);
                    embedded(bytes, archive.end, end, place, depth);
                }
                is_whole = archive.begin == 0 && count == 0;
                const std::string inner = is_whole ? place : inside(place, fmt::format("archive at {}", archive.begin));
                zip_archive(bytes, archive, inner, depth, is_whole && depth == 0);
                ++count;
            }
            if (begin >= end) break;
            end = begin;
            if (count < kMostArchives) continue;
            unseen(fmt::format("more than {} archives one behind the other", kMostArchives), place, end);
            return true;
        }
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        unseen(error.message(), place);
        return true;
    }
    if (count > 1) {
        const std::string what = fmt::format("{} archives one behind the other", count);
        // The shards of a distributed checkpoint are made so.
        if (is_shard_)
            note(what, place);
        else
            find({ScanFinding::Class::kUnknown, what + ": programs disagree which one counts", "", place, 0, 1});
    }
    if (end == 0) return true;
    if (count == 0) damage(place, fmt::format("the zip archive has no end record: the file ends at byte {}", end));
    if (bytes_of(*bytes, 0, 4) != "PK\3\4") {
        if (depth > 0 || count > 0) embedded(bytes, 0, end, place, depth);
        return true;
    }
    const auto entries = local_zip_entries(*bytes, 0, end, context_, kMostHidden);
    if (entries.size() == kMostHidden) unseen("has too much that may be members of no directory", place);
    for (const ZipEntry& entry : entries) {
        const bool is_storage = folded(entry.name).find("/data/") != std::string::npos;
        zip_entry(bytes, entry, place, depth, is_storage, {}, nullptr);
    }
    return true;
}

void Scanner::zip_archive(const BlobPtr& bytes, const ZipArchive& archive, const std::string& place, int depth,
                          bool is_whole) {
    for (const std::string& problem : archive.problems) damage(place, problem);
    const Shape shape = shape_of(archive);
    if (depth == 0) report_.kind = kind_text(shape.kind);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> covered;
    std::vector<std::string> sizes;
    std::map<std::string, const ZipEntry*> names;
    const StorageCheck check = [&](const std::string& cls, const std::string& key, std::uint64_t elements) {
        const auto found = shape.by_name.find(shape.prefix + "data/" + folded(key));
        const auto wanted = storage_size(cls, elements);
        if (!sizes.empty() || !wanted) return;
        if (found == shape.by_name.end()) {
            sizes.push_back(fmt::format("storage 'data/{}' is missing", key));
        } else if (found->second->size_bytes != *wanted) {
            sizes.push_back(fmt::format("storage 'data/{}' has {} bytes, its {} needs {}", key,
                                        found->second->size_bytes, cls, *wanted));
        }
    };
    Streams torch_pickle;
    std::uint64_t code = 0;
    for (const ZipEntry& entry : archive.entries) {
        const std::string name = folded(entry.name);
        const auto [other, is_new] = names.emplace(name, &entry);
        if (!is_new) {
            find({ScanFinding::Class::kUnknown,
                  fmt::format("two members '{}' and '{}': programs disagree which one counts", other->second->name,
                              entry.name),
                  "", place, entry.header_at, 1});
        }
        if (entry.data_at != 0) covered.emplace_back(entry.header_at, entry.data_at + entry.stored_bytes);
        const bool is_storage = (shape.kind == Kind::kSave || shape.kind == Kind::kScript) && is_new &&
                                name.starts_with(shape.prefix + "data/");
        const bool is_program = (name.ends_with(".py") || name.ends_with(".pyc"));
        if (is_program) ++code;
        zip_entry(bytes, entry, place, depth, is_storage, &entry == shape.pickle ? check : StorageCheck(),
                  &entry == shape.pickle ? &torch_pickle : nullptr);
    }
    if (code > 0) {
        const bool is_script = shape.kind == Kind::kScript;
        find({ScanFinding::Class::kUnknown,
              is_script ? "TorchScript code, which torch.jit.load compiles"
                        : "Python source, which importing from the archive runs",
              fmt::format("{} members", code), place, 0, 1});
    } else if (shape.kind == Kind::kScript) {
        note("a member constants.pkl: torch.load takes the file for TorchScript", place);
    }
    // Bytes that belong to no member.
    std::sort(covered.begin(), covered.end());
    covered.emplace_back(archive.directory_at, archive.directory_at);
    std::uint64_t behind = archive.begin;
    for (const auto& [begin, end] : covered) {
        if (begin > behind && begin - behind > kDescriptorBytes && begin <= archive.directory_at) {
            note(fmt::format("{} bytes that belong to no member", begin - behind), place, behind);
            const auto hidden = local_zip_entries(*bytes, behind, begin, context_, kMostHidden);
            if (hidden.size() == kMostHidden) unseen("has too much that may be members of no directory", place, behind);
            for (const ZipEntry& entry : hidden) zip_entry(bytes, entry, place, depth, false, {}, nullptr);
            if (hidden.empty()) embedded(bytes, behind, begin, place, depth);
        }
        behind = std::max(behind, end);
    }
    if (is_whole && (shape.kind == Kind::kSave || shape.kind == Kind::kScript)) {
        judge_torch(bytes, torch_pickle, sizes);
        if (shape.kind == Kind::kScript) {
            for (std::size_t g = 0; g < report_.weights_only.size(); ++g)
                report_.weights_only[g] = {
                    false, g < 2 ? "it loads TorchScript whatever weights_only says" : "it is a TorchScript archive"};
        }
    }
}

void Scanner::zip_entry(const BlobPtr& bytes, const ZipEntry& entry, const std::string& place, int depth,
                        bool is_storage, const StorageCheck& storages, Streams* streams) {
    context_.check_cancelled();
    const std::string inner = inside(place, entry.in_directory ? entry.name : entry.name + " (in no directory)");
    if (!entry.problem.empty()) damage(inner, entry.problem);
    if (entry.name.ends_with('/') && entry.size_bytes == 0) return;
    if (entry.in_directory && entry.problem.empty() && entry.local_name != entry.name)
        note(fmt::format("its local header calls it '{}'; torch takes the directory's name", entry.local_name), inner,
             entry.header_at);
    if (entry.in_directory && (entry.flags & kEncrypted) != 0) {
        unseen("an encrypted member", inner, entry.header_at);
        return;
    }
    if ((entry.local_flags & kEncrypted) != 0 && entry.in_directory)
        note("its local header says that it is encrypted; torch does not look at that", inner, entry.header_at);
    const std::string name = folded(entry.name);
    const bool is_named = name.ends_with(".pkl") || name.ends_with(".pickle") || name.ends_with("_pkl");
    if (entry.method != 0 && streams == nullptr && !is_named && entry.size_bytes > kPeekedBytes) {
        // Numbers may be packed and of any size.
        const Unzipped peek = unzip(bytes, entry, kPeekedBytes);
        const auto numbers = peek.bytes ? npy_head(*peek.bytes) : std::nullopt;
        if (numbers && numbers->problem.empty() && !numbers->has_objects) return;
        const std::string head = peek.bytes ? bytes_of(*peek.bytes, 0, 4) : std::string();
        if (is_storage && peek.bytes && !begins_like_container(head)) return;
    }
    const Unzipped unzipped = unzip(bytes, entry, kMostUnpackedBytes);
    if (unzipped.is_over_limit || (unzipped.bytes == nullptr && entry.problem.empty())) {
        unseen(unzipped.problem, inner, entry.header_at);
    } else if (!unzipped.problem.empty() && entry.problem.empty()) {
        damage(inner, unzipped.problem);
    }
    if (streams != nullptr && unzipped.bytes != nullptr && unzipped.bytes->size_bytes() == 0) damage(inner, "is empty");
    if (unzipped.bytes == nullptr || unzipped.bytes->size_bytes() == 0) return;
    const BlobPtr& content = unzipped.bytes;
    if (is_storage && !is_named) {
        // Numbers, which may look like anything: only what is whole and names well counts.
        const std::string head = bytes_of(*content, 0, 4);
        if (head == "PK\3\4") zip(content, inner, depth + 1);
        if (npy_head(*content)) npy(content, inner, depth + 1);  // numpy.load takes the archive for its own
        if (head.size() == 4 && head[0] == '\x80' && static_cast<unsigned char>(head[1]) <= 5)
            pickles(content, 0, inner, depth + 1, Belief::kMaybe);
        return;
    }
    const bool is_pickle = streams != nullptr || is_named;
    if (is_pickle && content->size_bytes() <= kCheckedBytes && entry.crc32 != 0 && entry.method == 0) {
        const std::string all = bytes_of(*content, 0, kCheckedBytes);
        if (crc32(0, std::as_bytes(std::span(all.data(), all.size()))) != entry.crc32)
            note("its checksum is wrong; torch does not look at that", inner);
    }
    if (is_pickle && bytes_of(*content, 0, 4) != "PK\3\4") {
        const Streams found = pickles(content, 0, inner, depth, Belief::kSure, storages);
        if (found.end < content->size_bytes()) {
            note(fmt::format("{} bytes behind the pickle", content->size_bytes() - found.end), inner, found.end);
            embedded(content, found.end, content->size_bytes(), inner, depth);
        }
        if (streams != nullptr) *streams = found;
        return;
    }
    const std::string head = bytes_of(*content, 0, 4);
    if (head ==
            "\x7f"
            "ELF" ||
        head.starts_with("MZ")) {
        find({ScanFinding::Class::kUnknown, "machine code", "", inner, 0, 1});
        return;
    }
    if (name == "config.json" && head.starts_with("{")) keras(bytes_of(*content, 0, kMostConfigBytes), inner);
    any(content, inner, depth + 1, Belief::kMaybe);
}

void Scanner::judge_torch(const BlobPtr& bytes, const Streams& pickle, const std::vector<std::string>& size_refusals) {
    report_.is_for_torch = true;
    std::string wrong;
    Context quiet = context_;
    quiet.on_warning = nullptr;
    quiet.on_note = nullptr;
    try {
        TorchArchive::open(bytes, "", quiet);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        damage("", error.message());
        // Of these torch takes the first, or both.
        const bool is_taken = error.message().find("overlap") != std::string::npos ||
                              error.message().find("there are two members") != std::string::npos;
        if (!is_taken) wrong = error.message();
    }
    for (const std::string& size : size_refusals) damage("", size);
    if (pickle.audits.empty() && wrong.empty()) wrong = "it has no data.pkl";
    for (std::size_t g = 0; g < report_.weights_only.size(); ++g) {
        WeightsOnlyVerdict& verdict = report_.weights_only[g];
        verdict.why = !wrong.empty() ? wrong : pickle.audits.front().refusals[g];
        if (verdict.why.empty() && g >= kSince210 && !size_refusals.empty()) verdict.why = size_refusals.front();
        verdict.is_accepted = verdict.why.empty();
    }
}

}  // namespace ckpt::scan
