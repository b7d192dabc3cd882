// One array, or a dict of them.
#include "formats/npy/npy_format.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/npy/zip_writer.hpp"
#include "formats/shared/npy/npy.hpp"
#include "formats/shared/zip/verify_zip.hpp"
#include "formats/shared/zip/zip_reader.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"
#include "libckpt/module_state.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kZipSignature = "PK\3\4";
constexpr std::string_view kEmptyZip = "PK\5\6";
constexpr std::string_view kSuffix = ".npy";

/// Of pickles as well: what they note down of an array (its byte order) is no part of its value.
const std::initializer_list<std::string_view> kOwnPrefixes = {"npy:", "npz:", "pickle:"};

class NpyFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "npy"; }
    std::vector<std::string_view> extensions() const override { return {"npy"}; }
    Capabilities capabilities() const override {
        return {true, false, "NumPy array, headers 1 to 3", "one array of a dtype that NumPy has", {}, {}};
    }
    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder || source.head.empty()) return Evidence::kNo;
        if (source.head.starts_with(kNpySignature)) return Evidence::kCertain;
        if (kNpySignature.starts_with(source.head)) return Evidence::kLikely;
        return source.name.ends_with(kSuffix) ? Evidence::kByName : Evidence::kNo;
    }
    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a .npy file");
        const bool is_npy = source.head.starts_with(kNpySignature.substr(0, source.head.size()));
        if (!is_npy && !source.head.starts_with(kNpySignature)) {
            const bool is_binary = std::any_of(source.head.begin(), source.head.end(),
                                               [](char c) { return static_cast<unsigned char>(c) < 9; });
            if (is_binary && source.name.ends_with(kSuffix)) throw_damaged("does not begin as a .npy does");
            throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
        }
        Document document;
        document.format = name();
        document.producer = "NumPy";
        document.root = read_npy(document.pool(), File::blob(source.file), "", context);
        return document;
    }
    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        const std::string why = npy_obstacle(document.root);
        if (why.empty()) return attribute_losses(document, kOwnPrefixes, "a .npy");
        return {{"", why}};
    }
    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        // Nothing is left of a value that is no array, so that loss cannot be allowed.
        if (!options.allow_loss || !npy_obstacle(document.root).empty())
            refuse_losses(preflight(document, options), "npy");
        note_dropped_facts(document, kOwnPrefixes, "a .npy", context);
        if (!options.compress.empty())
            throw Error(ErrorCode::kRefused, "a .npy is not compressed; npz is the layout for that");
        WritePlan plan;
        PlannedFile file;
        file.extents = npy_extents(document.root);
        plan.files.push_back(std::move(file));
        return plan;
    }
};

class NpzFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "npz"; }
    std::vector<std::string_view> extensions() const override { return {"npz"}; }
    Capabilities capabilities() const override {
        return {
            true,        false, "NumPy arrays by name, in a zip archive", "a dict of arrays of dtypes that NumPy has",
            {"deflate"}, {}};
    }
    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder) return Evidence::kNo;
        const bool is_named = source.name.ends_with(".npz");
        if (source.head.starts_with(kEmptyZip)) return is_named ? Evidence::kCertain : Evidence::kLikely;
        if (source.head.starts_with(kZipSignature)) {
            if (first_member(source.head).ends_with(kSuffix)) return Evidence::kCertain;
            return is_named ? Evidence::kLikely : Evidence::kNo;
        }
        if (!source.head.empty() && kZipSignature.starts_with(source.head)) return Evidence::kLikely;
        return is_named ? Evidence::kByName : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a .npz file");
        if (source.size_bytes < kZipSignature.size())
            throw_damaged("ends inside its signature, at byte {}", source.size_bytes);
        if (!source.head.starts_with("PK")) throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
        Document document;
        document.format = name();
        document.producer = "NumPy";
        document.root = document.pool().dict();
        if (is_empty_archive(source)) return document;
        const ZipDirectory zip = ZipDirectory::read(source.file, context);
        bool is_deflated = !zip.members().empty();
        std::unordered_set<std::string> keys;
        for (const auto& member : zip.members()) {
            is_deflated = is_deflated && member.deflated;
            const BlobPtr blob = zip.blob(member, context.limits.max_inline_bytes);
            const std::string place = fmt::format("member '{}'", member.name);
            const bool is_array = begins_like_npy(*blob);
            std::string key = member.name;
            if (is_array && key.ends_with(kSuffix)) key.resize(key.size() - kSuffix.size());
            if (!keys.insert(key).second) throw_damaged("{}: another one has the key '{}' as well", place, key);
            const Value value = is_array ? read_npy(document.pool(), blob, place, context)
                                         : document.pool().bytes(read_all(*blob, context.limits.max_inline_bytes));
            document.root.dict().entries.emplace_back(document.pool().string(key), value);
        }
        if (is_deflated) document.set_attribute("npz:deflated", Value::boolean(true));
        return document;
    }

    std::vector<Loss> preflight(const Document& original, const WriteOptions&) const override {
        const Document document = with_named_module(original);
        if (!document.root.is(Kind::kDict))
            return {{"", fmt::format("is a {}, not a dict of arrays", kind_name(document.root.kind()))}};
        std::vector<Loss> losses;
        if (!document.root.type().empty())
            losses.push_back({"", fmt::format("is a {}; what is read again is a plain dict", document.root.type())});
        std::unordered_map<const Storage*, std::string> seen;
        for (const auto& child : children(document.root)) {
            if (std::string why = obstacle(child); !why.empty()) {
                losses.push_back({child.component, std::move(why)});
                continue;
            }
            if (!child.value.is(Kind::kTensor)) continue;
            const auto [it, is_new] = seen.emplace(child.value.tensor().storage.get(), child.component);
            if (!is_new)
                losses.push_back({child.component, fmt::format("shares its storage with '{}', which arrays of a .npz "
                                                               "cannot",
                                                               it->second)});
        }
        for (auto& loss : attribute_losses(document, kOwnPrefixes, "a .npz")) losses.push_back(std::move(loss));
        return losses;
    }

    WritePlan plan(const Document& original, const WriteOptions& options, const Context& context) const override {
        const Document document = with_named_module(original);
        if (is_module(original.root))
            context.note("the module was saved whole: only tensors are kept, named as in the state dict");
        if (!options.allow_loss) refuse_losses(preflight(document, options), "npz");
        note_dropped_facts(document, kOwnPrefixes, "a .npz", context);
        std::vector<ZipSource> members;
        if (document.root.is(Kind::kDict)) {
            for (const auto& [key, value] : document.root.dict().entries) {
                if (!key.is(Kind::kString) || key.as_string().empty()) continue;
                if (value.is(Kind::kBytes) && !std::string_view(key.as_string()).ends_with(kSuffix)) {
                    members.push_back({std::string(key.as_string()), {}});
                    members.back().extents.push_back({LiteralExtent{std::string(value.as_bytes())}});
                } else if (npy_obstacle(value).empty() || only_classes_are_lost(value)) {
                    members.push_back({std::string(key.as_string()) + std::string(kSuffix), npy_extents(value)});
                }
            }
        }
        const bool packs = options.compress == "deflate" || document.attribute("npz:deflated") != nullptr;
        WritePlan plan;
        plan.files.push_back(plan_zip(std::move(members), packs ? ZipPacking::kDeflated : ZipPacking::kStored));
        return plan;
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        // It says what the reader would warn of.
        std::vector<Finding> misread;
        Context quiet = context;
        if (!source.is_folder && source.head.starts_with(kZipSignature)) {
            try {
                misread = misread_members(source.file, ZipProgram::kPython, context);
                if (!misread.empty()) quiet.on_warning = nullptr;
            } catch (const Error& error) {
                if (error.code() != ErrorCode::kDamaged) throw;  // what is wrong is found below
            }
        }
        auto findings = Format::verify(source, VerifyLevel::kQuick, quiet);
        findings.insert(findings.begin(), misread.begin(), misread.end());
        if (level == VerifyLevel::kQuick || !findings.empty() || is_empty_archive(source)) return findings;
        return verify_zip_members(source.file, context);
    }

private:
    /// The state dict in place of a module that was saved whole.
    static Document with_named_module(Document document) {
        if (is_module(document.root)) {
            document.pools.insert(document.pools.begin(), std::make_shared<Pool>());
            name_modules(document);
            if (document.root.is(Kind::kDict)) document.root.node()->type.clear();
        }
        return document;
    }
    /// np.savez without arrays: an end record and nothing else.
    static bool is_empty_archive(const Source& source) noexcept {
        constexpr std::uint64_t kEndRecordBytes = 22;
        return source.size_bytes == kEndRecordBytes && source.head.starts_with(kEmptyZip);
    }
    static std::string_view first_member(std::string_view head) noexcept {
        if (head.size() < 30) return {};
        const std::size_t size =
            static_cast<unsigned char>(head[26]) | static_cast<std::size_t>(static_cast<unsigned char>(head[27])) << 8;
        return head.substr(30, size);
    }
    static bool begins_like_npy(const Blob& blob) {
        if (blob.size_bytes() < kNpySignature.size()) return false;
        std::string start(kNpySignature.size(), '\0');
        blob.read(0, std::as_writable_bytes(std::span(start.data(), start.size())));
        return start == kNpySignature;
    }
    static std::string obstacle(const Child& child) {
        if (!child.has_text_key) return "has a key that is no text";
        if (child.component == "\\0") return "has an empty key";
        if (child.value.is(Kind::kBytes) && child.value.type().empty() && !child.component.ends_with(kSuffix))
            return {};
        return npy_obstacle(child.value);
    }
    /// Whether the numbers of a tensor can be kept where the loss of all else is allowed.
    static bool only_classes_are_lost(const Value& value) {
        if (!value.is(Kind::kTensor)) return false;
        TensorNode bare;
        bare.dtype = value.tensor().dtype;
        bare.shape = value.tensor().shape;
        bare.stride = value.tensor().stride;
        bare.storage = value.tensor().storage;
        bare.layout = value.tensor().layout;
        return npy_obstacle(Value::of(&bare)).empty();
    }
};

}  // namespace

std::unique_ptr<Format> make_npy_format() {
    return std::make_unique<NpyFormat>();
}
std::unique_ptr<Format> make_npz_format() {
    return std::make_unique<NpzFormat>();
}

}  // namespace ckpt
