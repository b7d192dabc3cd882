// The layout's interface.
#include "formats/safetensors/safetensors_format.hpp"

#include "formats/safetensors/flatten.hpp"
#include "formats/safetensors/read_document.hpp"
#include "formats/safetensors/write_document.hpp"
#include "formats/shared/shards/shards.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"

namespace ckpt {
namespace {

namespace st = safetensors;

class SafetensorsFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "safetensors"; }
    std::vector<std::string_view> extensions() const override { return {"safetensors"}; }
    Capabilities capabilities() const override {
        Capabilities can;
        can.can_write = true;
        can.description = "Hugging Face's tensors by name, one file or several with an index";
        can.holds = "tensors; the rest with --metadata";
        can.has_shards = true;
        can.keeps_rest = true;
        return can;
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder) {
            if (st_index(source)) return Evidence::kCertain;
            return has_entry(source, "model.safetensors") ? Evidence::kLikely : Evidence::kNo;
        }
        if (source.name.ends_with(st::kIndexSuffix)) return Evidence::kLikely;
        const bool is_named = source.name.ends_with(".safetensors");
        // Who names a file so says that reading it runs nothing: an archive of pickles in it is damage, and not read as
        // what it is.
        if (is_named && source.head.starts_with("PK\3\4")) return Evidence::kCertain;
        // There is no signature: a file cut inside its length is known by its name.
        if (is_named && source.size_bytes <= st::kPrefixBytes) return Evidence::kLikely;
        const Evidence by_name = is_named ? Evidence::kByName : Evidence::kNo;
        if (source.head.size() <= st::kPrefixBytes || source.head[st::kPrefixBytes] != '{') return by_name;
        if (is_named) return Evidence::kCertain;
        std::uint64_t size = 0;
        for (std::size_t i = 0; i < st::kPrefixBytes; ++i)
            size |= std::uint64_t{static_cast<unsigned char>(source.head[i])} << (8 * i);
        if (size < 2 || size > st::kMostHeaderBytes) return Evidence::kNo;
        const char next = source.head.size() > st::kPrefixBytes + 1 ? source.head[st::kPrefixBytes + 1] : '"';
        return next == '"' || next == '}' ? Evidence::kCertain : Evidence::kLikely;
    }

    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder && !st_index(source)) {
            if (!has_entry(source, "model.safetensors"))
                throw Error(ErrorCode::kNotCheckpoint, "is a folder without one *.safetensors.index.json");
            return st::read_file(Source::open(source.path + "/model.safetensors", context), context);
        }
        if (const auto index = st_index(source)) return st::read_sharded(*index, context);
        return st::read_file(source, context);
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        std::vector<Finding> findings = Format::verify(source, level, context);
        if (findings.empty() || source.is_folder || st_index(source)) return findings;
        try {
            const Document rescued = salvage(source, context);
            const std::size_t whole = rescued.root.dict().entries.size();
            if (whole > 0) {
                findings.push_back(
                    {Finding::Severity::kNote, "",
                     fmt::format("{} tensors are whole; `ckpt extract --salvage` gets them out", whole)});
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
        }
        return findings;
    }

    Document salvage(const Source& source, const Context& context) const override {
        if (source.is_folder || st_index(source)) return Format::salvage(source, context);
        return st::salvage_file(source, context);
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions& options) const override {
        std::vector<Loss> losses = flat(document, options).losses;
        if (!options.keep_rest) {
            // torch's, Julia's and NumPy's notes are about types that this layout has no tensors of anyway; those of
            // modules have given the tensors their names.
            for (Loss& loss : attribute_losses(
                     document, {"safetensors:", "torch:", "jld2:", "npy:", "pickle:", "module:"}, "a safetensors file"))
                losses.push_back(std::move(loss));
        }
        return losses;
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        if (!options.compress.empty()) throw Error(ErrorCode::kRefused, "safetensors files are not compressed");
        const st::Flat content = flat(document, options);
        if (const auto losses = preflight(document, options); !losses.empty() && !options.allow_loss)
            throw_error(ErrorCode::kRefused, "{}: {}", losses.front().path, losses.front().what);
        for (const std::string& note : content.notes) context.note(note);
        return st::plan_document(document, content, options);
    }

private:
    static st::Flat flat(const Document& document, const WriteOptions& options) {
        return st::flatten(document, options.keep_rest ? st::Rest::kKeep : st::Rest::kLose);
    }
    static std::optional<std::string> st_index(const Source& source) {
        return shard_index_path(source, st::kIndexSuffix);
    }
    static bool has_entry(const Source& source, std::string_view name) noexcept {
        for (const std::string& entry : source.entries) {
            if (entry == name) return true;
        }
        return false;
    }
};

}  // namespace

std::unique_ptr<Format> make_safetensors_format() {
    return std::make_unique<SafetensorsFormat>();
}

}  // namespace ckpt
