// The JLD2 layout: engine, reader and writer put together.
#include "formats/jld2/jld2_format.hpp"

#include <algorithm>

#include "formats/jld2/names.hpp"
#include "formats/jld2/read_document.hpp"
#include "formats/jld2/write_document.hpp"
#include "formats/shared/h5/h5.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kMostDepth = 100000;

/// The file ends inside of the words that every JLD2 file begins with.
bool ends_inside_header(std::string_view head) noexcept {
    return !head.empty() && head.size() < jld2::kFileHeader.size() && jld2::kFileHeader.starts_with(head);
}

std::shared_ptr<const h5::H5File> open_file(const Source& source, const Context& context) {
    if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a JLD2 file");
    if (ends_inside_header(source.head))
        throw_damaged("ends inside the header of JLD2, after {} bytes", source.size_bytes);
    const bool has_header = source.head.starts_with(jld2::kFileHeader) || source.head.starts_with(jld2::kOldFileHeader);
    try {
        return h5::H5File::open(file_blob({source.file, 0, source.size_bytes}), context, h5::Dialect::kJld2);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kNotCheckpoint) throw;
        if (!has_header) throw Error(error.code(), describe_stranger(source));
        if (source.size_bytes <= jld2::kUserBlockBytes)
            throw_damaged("is cut short: it ends at byte {}, inside the header of {} bytes or right behind it",
                          source.size_bytes, jld2::kUserBlockBytes);
        throw_damaged("has the header of JLD2, but no HDF5 superblock at byte {}", jld2::kUserBlockBytes);
    }
}

class Jld2Format final : public Format {
public:
    std::string_view name() const noexcept override { return "jld2"; }
    std::vector<std::string_view> extensions() const override { return {"jld2"}; }
    Capabilities capabilities() const override {
        return {true, false, "JLD2, as Julia's JLD2.jl writes it", "everything", {"zlib"}, {}};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder) return Evidence::kNo;
        const std::string_view head = source.head;
        if (head.starts_with(jld2::kFileHeader) || head.starts_with(jld2::kOldFileHeader)) return Evidence::kCertain;
        if (ends_inside_header(head)) return Evidence::kLikely;
        return source.name.ends_with(".jld2") ? Evidence::kByName : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        return jld2::read_document(open_file(source, context), source, context);
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        return jld2::losses(document);
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        if (!options.compress.empty() && options.compress != "zlib")
            throw_error(ErrorCode::kRefused, "JLD2 compresses by zlib, not by {}", options.compress);
        const auto losses = jld2::losses(document);
        if (!losses.empty() && !options.allow_loss) {
            std::string text = "cannot be written as JLD2 without loss:";
            for (const Loss& loss : losses) text += fmt::format(" '{}' {};", loss.path, loss.what);
            text.pop_back();
            throw Error(ErrorCode::kRefused, text);
        }
        return jld2::plan_document(document, options, context);
    }

    /// The group of types as well, which Julia reads first and no value leads to.
    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        std::vector<Finding> findings = Format::verify(source, level, context);
        if (!findings.empty()) return findings;
        Context quiet = context;
        quiet.on_warning = nullptr;
        try {
            const auto file = open_file(source, quiet);
            for (const h5::Link& link : file->object(file->root_address())->links().links) {
                if (link.name == "_types" && link.kind == h5::Link::Kind::kHard) file->object(link.address)->links();
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            findings.push_back({Finding::Severity::kDamage, "_types", error.message()});
        }
        return findings;
    }
};

}  // namespace

std::unique_ptr<Format> make_jld2_format() {
    return std::make_unique<Jld2Format>();
}

}  // namespace ckpt
