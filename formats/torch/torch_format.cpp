// The torch layout: archive, pickle and storages put together.
#include "formats/torch/torch_format.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "formats/shared/pickle/node_attributes.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/shards/shards.hpp"
#include "formats/shared/torch/archive.hpp"
#include "formats/shared/torch/archive_writer.hpp"
#include "formats/shared/torch/lower.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "formats/shared/zip/verify_zip.hpp"
#include "formats/torch/legacy.hpp"
#include "formats/torch/read_zip.hpp"
#include "formats/torch/salvage.hpp"
#include "formats/torch/tar.hpp"
#include "formats/torch/weights_only.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kZipSignature = "PK\3\4";
constexpr std::string_view kOldestMagic = "PYTORCH1";
// Finding records without a directory reads the file once.

std::string stem_of(const std::string& output_name) {
    // torch takes the base name without its last extension; a name with other than ASCII goes through a stream, whose
    // name is "archive".
    const auto slash = output_name.rfind('/');
    const std::string name = slash == std::string::npos ? output_name : output_name.substr(slash + 1);
    const auto dot = name.rfind('.');
    const std::string stem = dot == std::string::npos ? name : name.substr(0, dot);
    const bool ascii =
        std::all_of(stem.begin(), stem.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    return stem.empty() || !ascii ? "archive" : stem;
}

std::string text_attribute(const Document& document, std::string_view name) {
    const Value* value = document.attribute(name);
    return value != nullptr && value->is(Kind::kString) ? std::string(value->as_string()) : std::string();
}

bool holds_tensor(const Document& document) {
    bool found = false;
    walk(document.root, [&](const Visit& visit) {
        found = visit.value.is(Kind::kTensor) && visit.value.type() != "numpy.ndarray";
        return found ? WalkStep::kStop : WalkStep::kInto;
    });
    return found;
}

ArchiveOptions archive_options(const Document& document, const WriteOptions& options) {
    ArchiveOptions archive;
    const std::string prefix = text_attribute(document, "torch:prefix");
    archive.prefix = prefix.empty() ? stem_of(options.output_name) : prefix;
    const std::string alignment = text_attribute(document, "torch:alignment");
    unsigned bytes = 0;
    std::from_chars(alignment.data(), alignment.data() + alignment.size(), bytes);
    if (bytes > 0 && bytes <= 65536) archive.alignment_bytes = bytes;
    const std::string crc = text_attribute(document, "torch:crc32");
    if (crc == "none") archive.checksums = ArchiveChecksums::kNone;
    if (crc == "no storages") archive.checksums = ArchiveChecksums::kNoStorages;
    archive.byteorder_last = document.attribute("torch:byteorder_last") != nullptr;
    return archive;
}

class TorchFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "torch"; }
    std::vector<std::string_view> extensions() const override { return {"pt", "pth", "bin"}; }
    Capabilities capabilities() const override {
        Capabilities can{true, false, "torch.save zip archive (torch 1.6 and later)", "everything", {}, {}};
        can.has_weights_only = true;
        return can;
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder) return shard_index_path(source, kIndexSuffix) ? Evidence::kCertain : Evidence::kNo;
        if (source.name.ends_with(kIndexSuffix)) return Evidence::kLikely;
        const std::string_view head = source.head;
        if (head.starts_with(kOldestMagic)) return Evidence::kCertain;
        if (head.size() < kZipSignature.size() && !head.empty() && kZipSignature.starts_with(head))
            return Evidence::kLikely;
        if (head.starts_with(kZipSignature)) {
            if (first_member(head).ends_with(".npy")) return Evidence::kByName;  // NumPy's archive
            return looks_like_archive(head) ? Evidence::kCertain : Evidence::kLikely;
        }
        for (const std::string_view extension : {".pt", ".pth", ".bin"}) {
            if (source.name.ends_with(extension)) return Evidence::kByName;
        }
        return Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (const auto index = shard_index_path(source, kIndexSuffix)) return read_shards(*index, context);
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a torch.save archive");
        if (begins_like_legacy(source.head) || begins_like_other_magic(source.head))
            return read_legacy(source, context);
        if (begins_like_torch_tar(source.head)) return read_torch_tar(source, context);
        if (source.head.starts_with(kOldestMagic))
            throw Error(ErrorCode::kUnsupported, "is a preview archive that no released torch writes");
        if (source.size_bytes < kZipSignature.size())
            throw_damaged("ends inside its signature, at byte {}", source.size_bytes);
        if (!source.head.starts_with(kZipSignature)) {
            if (ZipDirectory::ends_like_zip(source.file)) {
                throw_damaged("is a zip archive with something before it; torch and others find it by its first bytes");
            }
            throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
        }
        return read_torch_zip(source.file, context);
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions& options) const override {
        std::vector<Loss> losses;
        if (options.weights_only) losses = weights_only_losses(document);
        walk(document.root, [&](const Visit& visit) {
            if (visit.same_as != nullptr) return WalkStep::kInto;
            if (has_impossible_key(visit.value)) losses.push_back({visit.path, "has a key that Python cannot hash"});
            if (!visit.value.is(Kind::kTensor)) return WalkStep::kInto;
            const auto what = TorchLowering::obstacle(visit.value.tensor());
            if (!what.empty()) losses.push_back({visit.path, std::string(what)});
            return WalkStep::kInto;
        });
        return losses;
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        if (!options.allow_loss) refuse_losses(preflight(document, options), "a torch archive");
        if (options.weights_only) {
            WriteOptions plain = options;
            plain.weights_only = false;
            return plan(weights_only_document(document), plain, context);
        }
        if (!options.compress.empty())
            throw Error(ErrorCode::kRefused, "torch.save archives are not compressed; --compress is for other layouts");
        int protocol = 2;
        if (const Value* kept = document.attribute("torch:pickle_protocol"))
            protocol = static_cast<int>(std::clamp<std::int64_t>(kept->as_int64().value_or(2), 0, 5));
        if (protocol == 0 && holds_tensor(document)) protocol = 2;  // 0 cannot refer to storages
        TorchLowering lowering(document);
        if (lowering.needs_protocol_4()) protocol = std::max(protocol, 4);
        std::string pickle = write_pickle(document.root, protocol, lowering);
        std::vector<ExtraRecord> extra;
        Pool scratch;
        if (const auto attributes = collect_node_attributes(scratch, document, "torch:")) {
            lowering.next_pickle();
            extra.push_back({std::string(kAttributesRecord), write_pickle(*attributes, protocol, lowering)});
        }
        for (const auto& type : lowering.tagged_types()) {
            context.note(
                fmt::format("Python has no class '{}': such values are written as dicts tagged __type__, and restored "
                            "on the way back",
                            type));
        }
        std::vector<BlobPtr> storages;
        for (const auto& storage : lowering.storages()) storages.push_back(storage->blob);
        WritePlan plan;
        plan.files.push_back(
            plan_archive(std::move(pickle), storages, std::move(extra), archive_options(document, options)));
        return plan;
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        // Archives are read member by member, shards file by file.
        const bool is_stream = begins_like_legacy(source.head) || begins_like_other_magic(source.head) ||
                               begins_like_torch_tar(source.head);
        auto findings = Format::verify(source, is_stream ? level : VerifyLevel::kQuick, context);
        if (!findings.empty() && source.head.starts_with(kZipSignature)) add_survey(source, level, context, findings);
        if (!findings.empty()) return findings;
        if (!source.is_folder && source.head.starts_with(kZipSignature)) {
            findings = misread_members(source.file, ZipProgram::kTorch, context);
            if (auto note = absent_checksums(source.file, context)) findings.push_back(std::move(*note));
        }
        if (level == VerifyLevel::kQuick) return findings;
        if (const auto index = shard_index_path(source, kIndexSuffix)) return verify_shards(*index, level, context);
        if (is_stream) return findings;
        for (Finding& finding : verify_zip_members(source.file, context)) findings.push_back(std::move(finding));
        return findings;
    }

    Document salvage(const Source& source, const Context& context) const override {
        if (source.is_folder || !source.head.starts_with(kZipSignature)) return Format::salvage(source, context);
        return salvage_torch_zip(source, SalvageCheck::kAll, context);
    }

private:
    /// Of an archive that cannot be read: which tensors are whole all the same.
    static void add_survey(const Source& source, VerifyLevel level, const Context& context,
                           std::vector<Finding>& findings) {
        Context quiet = context;
        quiet.on_warning = nullptr;
        const SalvageCheck check = level == VerifyLevel::kFull ? SalvageCheck::kAll : SalvageCheck::kNow;
        try {
            for (Finding& finding : survey_torch_zip(source, check, quiet)) findings.push_back(std::move(finding));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            if (error.code() == ErrorCode::kRefused && level == VerifyLevel::kQuick) {
                findings.push_back({Finding::Severity::kNote, "",
                                    "which tensors are whole is told by `ckpt verify --full`; `ckpt extract --salvage` "
                                    "gets them out"});
                return;
            }
            findings.push_back({Finding::Severity::kNote, "", fmt::format("nothing is whole: {}", error.message())});
        }
    }

    static constexpr std::string_view kIndexSuffix = ".bin.index.json";

    /// The state dicts of several files as one, checked against the index.
    Document read_shards(const std::string& index_path, const Context& context) const {
        const ShardFolder folder(index_path, context);
        Document document;
        document.format = name();
        document.root = document.pool().dict();
        for (const auto& [file, wanted] : folder.index().files) {
            const std::string path = folder.open(file, context)->path();
            try {
                const Source source = Source::open(path, context);
                Document part = read(source, context);
                part.source_bytes = source.size_bytes;
                if (!part.root.is(Kind::kDict))
                    throw_damaged("holds a {}, not a state dict", kind_name(part.root.kind()));
                std::unordered_set<std::string_view> names(wanted.begin(), wanted.end());
                for (const auto& [key, value] : part.root.dict().entries) {
                    if (!key.is(Kind::kString) || names.erase(key.as_string()) == 0)
                        throw_damaged("has '{}', which the index does not name for it", key_text(key));
                    document.root.dict().entries.emplace_back(key, value);
                }
                if (!names.empty())
                    throw_damaged("lacks '{}', which the index says is there", escape_key(*names.begin()));
                document.adopt_pools(part);
                document.producer = part.producer;
            } catch (Error& error) {
                error.in_file(path);
                throw;
            }
        }
        return document;
    }
    std::vector<Finding> verify_shards(const std::string& index_path, VerifyLevel level, const Context& context) const {
        const ShardFolder folder(index_path, context);
        std::vector<Finding> findings;
        for (const auto& [file, wanted] : folder.index().files) {
            for (Finding& finding : verify(Source::open(folder.open(file, context)->path(), context), level, context)) {
                finding.what = fmt::format("{}: {}", file, finding.what);
                findings.push_back(std::move(finding));
            }
        }
        return findings;
    }

    /// The first member's name, in the local header at 0.
    static std::string_view first_member(std::string_view head) noexcept {
        if (head.size() < 30) return {};
        const std::size_t size =
            static_cast<unsigned char>(head[26]) | static_cast<std::size_t>(static_cast<unsigned char>(head[27])) << 8;
        return head.substr(30, size);
    }
    /// Whether it is one that torch writes first.
    static bool looks_like_archive(std::string_view head) noexcept {
        const std::string_view member = first_member(head);
        const auto slash = member.find('/');
        if (slash == std::string_view::npos) return false;
        const std::string_view record = member.substr(slash + 1);
        return record == "data.pkl" || record == "data/0" || record == "version" || record == ".data/version" ||
               record == "byteorder";
    }
};

}  // namespace

std::unique_ptr<Format> make_torch_format() {
    return std::make_unique<TorchFormat>();
}

}  // namespace ckpt
