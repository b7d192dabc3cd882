// One class for all of them: they differ in how they are told and read.
#include "formats/torch/neighbours.hpp"

#include <fmt/format.h>

#include "formats/shared/zip/verify_zip.hpp"
#include "formats/torch/legacy.hpp"
#include "formats/torch/read_zip.hpp"
#include "formats/torch/tar.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

struct Traits {
    std::string_view name;
    std::string_view description;
    std::vector<std::string_view> extensions;
    Evidence (*probe)(const Source&) noexcept;
    bool is_zip;
    Document (*read)(const Source&, const Context&);
    Document (*salvage)(const Source&, const Context&) = nullptr;
    std::vector<Finding> (*survey)(const Source&, const Context&) = nullptr;
};

Evidence probe_legacy(const Source& source) noexcept {
    if (begins_like_legacy(source.head) || begins_like_other_magic(source.head)) return Evidence::kCertain;
    return ends_within_legacy_magic(source.head) ? Evidence::kLikely : Evidence::kNo;
}
Evidence probe_tar(const Source& source) noexcept {
    return begins_like_torch_tar(source.head) ? Evidence::kCertain : Evidence::kNo;
}
/// Which zip archive of torch a file is only its directory says: `torch` reads all of them.
Evidence probe_zip(const Source&) noexcept {
    return Evidence::kNo;
}

Document read_zip(const Source& source, const Context& context) {
    if (!source.head.starts_with("PK\3\4")) throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
    return read_torch_zip(source.file, context);
}

class Neighbour final : public Format {
public:
    explicit Neighbour(Traits kind) : kind_(std::move(kind)) {}

    std::string_view name() const noexcept override { return kind_.name; }
    std::vector<std::string_view> extensions() const override { return kind_.extensions; }
    Capabilities capabilities() const override { return {false, false, kind_.description, "", {}, {}}; }
    Evidence probe(const Source& source) const noexcept override {
        return source.is_folder ? Evidence::kNo : kind_.probe(source);
    }

    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder");
        Document document = kind_.read(source, context);
        if (document.format != name())
            throw_error(ErrorCode::kNotCheckpoint, "is of the layout '{}', not '{}'", document.format, name());
        return document;
    }
    std::vector<Loss> preflight(const Document&, const WriteOptions&) const override { return {}; }
    WritePlan plan(const Document&, const WriteOptions&, const Context&) const override {
        throw_error(ErrorCode::kUsage, "layout '{}' can only be read", name());
    }
    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        auto findings = Format::verify(source, kind_.is_zip ? VerifyLevel::kQuick : level, context);
        if (kind_.is_zip && findings.empty()) findings = misread_members(source.file, ZipProgram::kTorch, context);
        if (level == VerifyLevel::kFull && findings.empty() && kind_.is_zip)
            return verify_zip_members(source.file, context);
        if (!findings.empty() && kind_.survey != nullptr) add_survey(source, context, findings);
        return findings;
    }
    Document salvage(const Source& source, const Context& context) const override {
        return kind_.salvage != nullptr ? kind_.salvage(source, context) : Format::salvage(source, context);
    }

private:
    void add_survey(const Source& source, const Context& context, std::vector<Finding>& findings) const {
        Context quiet = context;
        quiet.on_warning = nullptr;
        try {
            for (Finding& finding : kind_.survey(source, quiet)) findings.push_back(std::move(finding));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            findings.push_back({Finding::Severity::kNote, "", fmt::format("nothing is whole: {}", error.message())});
        }
    }

    Traits kind_;
};

}  // namespace

std::vector<std::unique_ptr<Format>> make_torch_neighbours() {
    const std::vector<Traits> kinds = {
        {"torch-legacy",
         "torch.save stream (before torch 1.6)",
         {},
         probe_legacy,
         false,
         read_legacy,
         salvage_legacy,
         survey_legacy},
        {"torch-tar", "torch.save tar archive (torch 0.1.1 and before)", {}, probe_tar, false, read_torch_tar},
        {"torchscript", "TorchScript archive", {}, probe_zip, true, read_zip},
        {"torch-package", "torch.package archive", {}, probe_zip, true, read_zip},
        {"torch-export", "torch.export archive", {"pt2"}, probe_zip, true, read_zip},
    };
    std::vector<std::unique_ptr<Format>> formats;
    for (const Traits& kind : kinds) formats.push_back(std::make_unique<Neighbour>(kind));
    return formats;
}

}  // namespace ckpt
