// A file by its first bytes, and what is said of it.
#include "formats/shared/scan/scan.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

#include <fmt/format.h>

#include "formats/shared/scan/scanner.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/error.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

bool ScanReport::has_more() const noexcept {
    return unlisted > 0 || std::any_of(findings.begin(), findings.end(), [](const ScanFinding& finding) {
               return finding.cls != ScanFinding::Class::kNote;
           });
}

ScanReport scan_file(const std::string& path, const Context& context) {
    const auto file = File::open(path, context);
    scan::Scanner scanner(context);
    const auto slash = path.rfind('/');
    scanner.file(File::blob(file), slash == std::string::npos ? path : path.substr(slash + 1));
    return scanner.take();
}

namespace scan {
namespace {

constexpr std::size_t kLegacyPickles = 5;
constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";

struct Packed {
    std::string_view head;
    std::string_view name;
};
// Compressors that Python programs wrap pickles in, and that are not unpacked here.
constexpr std::array<Packed, 4> kPacked = {{{"\xfd"
                                             "7zXZ",
                                             "xz"},
                                            {"\x04\x22\x4d\x18", "lz4"},
                                            {"7z\xbc\xaf\x27\x1c", "7-Zip"},
                                            {"Rar!", "RAR"}}};

/// lzma's older kind: properties and the size of its dictionary.
bool begins_like_lzma(std::string_view head) {
    if (head.size() < 5 || head[0] != '\x5d') return false;
    std::uint64_t dictionary = 0;
    for (std::size_t i = 5; i-- > 1;) dictionary = dictionary << 8 | static_cast<unsigned char>(head[i]);
    return dictionary >= 4096 &&
           (std::has_single_bit(dictionary) || (dictionary % 3 == 0 && std::has_single_bit(dictionary / 3)));
}

bool has_suffix(std::string_view name, std::string_view suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
}

/// Files whose layout has no pickles.
bool is_known_without(std::string_view head) {
    const bool is_safetensors =
        head.size() > 9 && head[8] == '{' && head.substr(3, 5) == std::string_view("\0\0\0\0\0", 5);
    return is_safetensors ||
           head.starts_with(
               "\x89"
               "CKPT") ||
           head.starts_with("CKPT");
}

}  // namespace

std::string inside(const std::string& place, std::string_view inner) {
    return place.empty() ? std::string(inner) : fmt::format("{} > {}", place, inner);
}

std::string bytes_of(const Blob& bytes, std::uint64_t at, std::uint64_t most) {
    if (at >= bytes.size_bytes()) return {};
    std::string result(static_cast<std::size_t>(std::min(most, bytes.size_bytes() - at)), '\0');
    bytes.read(at, std::as_writable_bytes(std::span(result.data(), result.size())));
    return result;
}

void Scanner::file(const BlobPtr& bytes, const std::string& name) {
    if (bytes->size_bytes() == 0) {
        damage("", "is empty (0 bytes)");
        return;
    }
    const bool is_named = has_suffix(name, ".pkl") || has_suffix(name, ".pickle") || name == ".metadata";
    embedded_budget_ = 8 * bytes->size_bytes() + (std::uint64_t{1} << 26);
    is_shard_ = has_suffix(name, ".distcp");
    const bool is_zip = bytes_of(*bytes, 0, 4) == "PK\3\4";
    const bool is_something = any(bytes, "", 0, is_named ? Belief::kLikely : Belief::kMaybe);
    // Programs that find archives from their end see one in any file.
    if (!is_zip && !zip_archives_before(*bytes, bytes->size_bytes(), context_).empty() &&
        bytes_of(*bytes, 0, 4) != "PK\5\6") {
        if (is_something)
            find({ScanFinding::Class::kUnknown,
                  "a zip archive behind something else: programs disagree what the file is", "", "", 0, 1});
        if (!is_something) damage("", "is a zip archive with something before it, which torch takes for no archive");
        zip(bytes, "", 0);
        return;
    }
    if (is_something) return;
    // Bytes of any kind: a program may be told where in them the pickle begins.
    embedded(bytes, 0, bytes->size_bytes(), "", 0);
    if (report_.pickle_count > 0) report_.kind = "pickle among other bytes";
}

bool Scanner::any(const BlobPtr& bytes, const std::string& place, int depth, Belief belief) {
    if (depth > kMostDepth) {
        unseen(fmt::format("more than {} containers in each other", kMostDepth), place);
        return true;
    }
    const std::string head = bytes_of(*bytes, 0, 8192);
    const bool is_file = depth == 0;
    const auto is = [&](std::string_view kind) {
        if (is_file && report_.kind.empty()) report_.kind = kind;
        return true;
    };
    if (head.starts_with("PK\3\4")) return is("zip archive") && zip(bytes, place, depth);
    if (head.starts_with("\x1f\x8b") && gzip(bytes, place, depth)) return is("gzip");
    if (head.starts_with("\x93NUMPY")) return is("NumPy array") && npy(bytes, place, depth);
    if (head.starts_with("SQLite format 3")) return is("SQLite database") && sqlite(bytes, place, depth);
    if (head.starts_with("\x37\x7f\x06\x82") || head.starts_with("\x37\x7f\x06\x83"))
        return is("SQLite log") && sqlite_log(bytes, place, depth);
    // What is told by bytes further on may be a pickle all the same, which has those in a text.
    const auto is_late = [&](std::string_view kind) {
        if (pickles(bytes, 0, place, depth, Belief::kMaybe).count > 0)
            unseen(fmt::format("is a pickle and begins as {} does, too", kind), place);
        return is(kind);
    };
    if (begins_like_tar(head)) return is_late("tar archive") && tar(bytes, place, depth);
    if (head.starts_with("\x28\xb5\x2f\xfd")) return is("zstd") && zstd(bytes, place, depth);
    if (head.starts_with(kHdf5)) return is("HDF5 file") && hdf5(bytes, place, depth);
    for (std::uint64_t at = 512; at + 8 < bytes->size_bytes() && at != 0 && (is_file || at < head.size()); at *= 2) {
        if (bytes_of(*bytes, at, 8) == kHdf5) return is_late("HDF5 file") && hdf5(bytes, place, depth);
    }
    if (head.starts_with("BZh")) return is("bzip2") && bzip2(bytes, place, depth);
    if (begins_like_zlib(head) && zlib(bytes, place, depth)) return is("zlib");
    if (begins_like_lzma(head)) {
        unseen("begins as lzma does, which is not unpacked here", place);
        return is("lzma");
    }
    if (head.size() > 8 && head.compare(4, 4, "PTMF") == 0) {
        unseen("TorchScript code for mobile devices, which torch.jit.load runs", place);
        return is_late("TorchScript flatbuffer");
    }
    for (const Packed& packed : kPacked) {
        if (!head.starts_with(packed.head)) continue;
        unseen(fmt::format("begins as {} does, which is not unpacked here", packed.name), place);
        return true;
    }
    if (belief == Belief::kMaybe && head.size() >= 2 && head[0] == '\x80' && static_cast<unsigned char>(head[1]) <= 5)
        belief = Belief::kLikely;
    // A safetensors header may have a length that reads as PROTO does.
    if (is_known_without(head) && head[2] == '\0' && belief == Belief::kLikely) belief = Belief::kMaybe;
    // The magic number of torch.save, as a pickled number or as text.
    const bool is_legacy =
        head.find("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") < 16 || head.find("119547037146038801333356") < 8;
    if (is_legacy && is_file) {
        legacy(bytes);
        return true;
    }
    const Streams streams = pickles(bytes, 0, place, depth, belief);
    if (streams.count == 0) return is_known_without(head) && is("layout without pickles");
    if (is_file) report_.kind = "pickle";
    if (streams.end < bytes->size_bytes()) {
        note(fmt::format("{} bytes behind the pickle", bytes->size_bytes() - streams.end), place, streams.end);
        behind_break(bytes, streams.end, place, depth);
    }
    return true;
}

void Scanner::legacy(const BlobPtr& bytes) {
    report_.kind = "legacy torch stream";
    std::map<std::string, std::uint64_t> sizes;
    bool has_untyped = false;
    const Streams streams = pickles(
        bytes, 0, "", 0, Belief::kLikely,
        [&](const std::string& cls, const std::string& key, std::uint64_t count) {
            has_untyped = has_untyped || cls == kUntypedStorage;
            const auto type = storage_type(std::string_view(cls).substr(cls.rfind('.') + 1));
            if (!type) return;
            sizes.try_emplace(
                key, type->counts_bytes || type->untyped ? count : dtype_bytes(type->dtype, count).value_or(0));
        },
        kLegacyPickles);
    judge_legacy(streams, has_untyped);
    std::uint64_t end = streams.end;  // of the storages behind the pickles, each with its count
    for (const auto& [key, size] : sizes) end += 8 + std::min(size, bytes->size_bytes() + 1);
    if (streams.count < 5 || end > bytes->size_bytes()) {
        if (streams.count == 5)
            damage("", fmt::format("its storages end at byte {}, the file at byte {}", end, bytes->size_bytes()));
        embedded(bytes, std::min(streams.end, bytes->size_bytes()), bytes->size_bytes(), "", 0);
    } else if (end < bytes->size_bytes()) {
        note(fmt::format("{} bytes behind the storages", bytes->size_bytes() - end), "", end);
        embedded(bytes, end, bytes->size_bytes(), "", 0);
        pickles(bytes, end, "behind the storages", 0, Belief::kMaybe);
    }
}

void Scanner::judge_legacy(const Streams& streams, bool has_untyped) {
    report_.is_for_torch = true;
    for (std::size_t g = 0; g < report_.weights_only.size(); ++g) {
        WeightsOnlyVerdict& verdict = report_.weights_only[g];
        verdict.is_accepted = true;
        for (const PickleAudit& audit : streams.audits) {
            if (audit.refusals[g].empty()) continue;
            verdict = {false, audit.refusals[g]};
            break;
        }
        if (verdict.is_accepted && g >= 3 && has_untyped)
            verdict = {false, "it cannot load untyped storages of such a file, though it writes them"};
    }
    if (streams.count < 5) damage("", fmt::format("has {} of the five pickles of a legacy file", streams.count));
}

void Scanner::find(ScanFinding finding) {
    std::string key =
        fmt::format("{}\n{}\n{}\n{}", static_cast<int>(finding.cls), finding.what, finding.how, finding.place);
    const auto found = seen_.find(key);
    if (found != seen_.end()) {
        ++report_.findings[found->second].count;
        return;
    }
    // The rest may be there to hide what is dangerous: that has as much room again.
    const bool is_dangerous = finding.cls == ScanFinding::Class::kDangerous;
    if (report_.findings.size() >= (is_dangerous ? 2 : 1) * ScanReport::kMostListed) {
        if (finding.cls != ScanFinding::Class::kNote) ++report_.unlisted;
        return;
    }
    seen_.emplace(std::move(key), report_.findings.size());
    report_.findings.push_back(std::move(finding));
}

void Scanner::note(std::string what, const std::string& place, std::uint64_t at) {
    find({ScanFinding::Class::kNote, std::move(what), "", place, at, 1});
}

void Scanner::unseen(std::string what, const std::string& place, std::uint64_t at) {
    find({ScanFinding::Class::kUnknown, std::move(what), "", place, at, 1});
}

void Scanner::damage(const std::string& place, std::string_view what) {
    if (report_.damage.size() < ScanReport::kMostListed)
        report_.damage.push_back(place.empty() ? std::string(what) : fmt::format("'{}': {}", place, what));
}

void Scanner::count_name(const AuditedName& name) {
    auto found = globals_.find(name.full);
    if (found == globals_.end()) {
        if (globals_.size() >= ScanReport::kMostListed) return;
        found =
            globals_
                .emplace(name.full,
                         ScannedGlobal{name.full, name.is_known ? classify_global(name.full) : GlobalClass::kUnknown, 0,
                                       weights_only_name(name.full)})
                .first;
    }
    ++found->second.count;
}

ScanReport Scanner::take() {
    // A name that is called is told with its call.
    std::unordered_set<std::string> used;
    for (const ScanFinding& finding : report_.findings) {
        if (finding.how != kNamed) used.insert(finding.place + '\n' + finding.what);
    }
    std::erase_if(report_.findings, [&](const ScanFinding& finding) {
        const std::string key = finding.place + '\n' + finding.what;
        return finding.how == kNamed && (used.count(key) != 0 || excused_.count(key) != 0);
    });
    for (auto& [name, global] : globals_) report_.globals.push_back(std::move(global));
    return std::move(report_);
}

}  // namespace scan
}  // namespace ckpt
