// The layout's interface.
#include "formats/zero/zero_format.hpp"

#include <algorithm>

#include "formats/shared/zip/verify_zip.hpp"
#include "formats/zero/assemble.hpp"
#include "formats/zero/folder.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

class ZeroFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "zero"; }
    std::vector<std::string_view> extensions() const override { return {}; }
    Capabilities capabilities() const override {
        Capabilities can{false, true, "DeepSpeed ZeRO folder, stages 1 to 3", "", {}, {}};
        can.has_more = true;
        return can;
    }

    /// The folder of a step, or the one above it, whose file `latest` names the step.
    Evidence probe(const Source& source) const noexcept override {
        if (!source.is_folder) return Evidence::kNo;
        bool has_latest = false;
        bool has_steps = false;
        for (const std::string& name : source.entries) {
            if (zero::is_optimizer_file(name) || zero::is_model_file(name)) return Evidence::kCertain;
            has_latest = has_latest || name == "latest";
            has_steps = has_steps || name == "zero_to_fp32.py" || name.starts_with("global_step");
        }
        return has_latest && has_steps ? Evidence::kLikely : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        return read_parts(source, context, Parts::kModel);
    }
    Document read_more(const Source& source, const Context& context) const override {
        return read_parts(source, context, Parts::kAll);
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        auto findings = Format::verify(source, VerifyLevel::kQuick, context);
        if (level == VerifyLevel::kQuick || !findings.empty()) return findings;
        const Source folder = zero::find_folder(source, context);
        for (const std::string& name : folder.entries) {
            if (!zero::is_optimizer_file(name) && !zero::is_model_file(name)) continue;
            for (Finding& finding : verify_zip_members(File::open(folder.path + "/" + name, context), context)) {
                finding.what = fmt::format("{}: {}", name, finding.what);
                findings.push_back(std::move(finding));
            }
        }
        return findings;
    }

    std::vector<Loss> preflight(const Document&, const WriteOptions&) const override { return {}; }
    WritePlan plan(const Document&, const WriteOptions&, const Context&) const override {
        throw_error(ErrorCode::kUsage, "layout 'zero' can only be read");
    }

private:
    enum class Parts : bool { kModel, kAll };

    static Document read_parts(const Source& source, const Context& context, Parts parts) {
        if (!source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a file; name the folder that it lies in");
        const zero::Folder folder = zero::read_folder(zero::find_folder(source, context), context);
        Document document;
        Pool& pool = document.pool();
        zero::Assembly assembly(folder, pool);
        document.root = assembly.model();
        if (parts == Parts::kAll) {
            const Value whole = pool.dict();
            whole.dict().entries.emplace_back(pool.string("model"), document.root);
            whole.dict().entries.emplace_back(pool.string("optimizer"), assembly.optimizer());
            whole.dict().entries.emplace_back(pool.string("client"), assembly.client());
            document.root = whole;
        }
        document.producer = fmt::format("DeepSpeed, ZeRO stage {}, {} ranks", folder.stage, folder.optimizers.size());
        for (const auto* list : {&folder.models, &folder.optimizers}) {
            for (const zero::Part& part : *list) document.adopt_pools(part.document);
        }
        return document;
    }
};

}  // namespace

std::unique_ptr<Format> make_zero_format() {
    return std::make_unique<ZeroFormat>();
}

}  // namespace ckpt
