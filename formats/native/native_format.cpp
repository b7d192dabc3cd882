// The layout's interface.
#include "formats/native/native_format.hpp"

#include "formats/native/open.hpp"
#include "formats/native/records.hpp"
#include "formats/native/salvage.hpp"
#include "formats/native/verify.hpp"
#include "formats/native/writer.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

class NativeFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "native"; }
    std::vector<std::string_view> extensions() const override { return {"ckpt"}; }
    Capabilities capabilities() const override {
        return {true, false, "ckpt's own: small, every byte checked, random access", "everything", {}, {"auto", "raw"}};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder) return Evidence::kNo;
        if (source.head.starts_with(native::kMagic)) return Evidence::kCertain;
        if (native::ends_like_footer(source.tail)) return Evidence::kLikely;
        if (!source.head.empty() && source.head.size() < native::kMagic.size() &&
            native::kMagic.starts_with(source.head))
            return Evidence::kLikely;
        return source.name.ends_with(".ckpt") ? Evidence::kByName : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a native checkpoint");
        return std::move(native::open_native(source, context).document);
    }

    std::vector<Loss> preflight(const Document&, const WriteOptions&) const override { return {}; }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        if (!options.compress.empty() && options.compress != "zstd") {
            throw_error(ErrorCode::kRefused, "native checkpoints are compressed by zstd, not by '{}'",
                        options.compress);
        }
        if (options.compress == "zstd" && options.codec == "raw")
            throw Error(ErrorCode::kUsage, "--codec raw and --compress zstd exclude each other");
        const native::Mode mode = options.codec == "raw" ? native::Mode::kRaw : native::Mode::kCompact;
        return native::plan_document(document, mode, options.max_output_bytes, context);
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        return native::verify_native(source, level, context);
    }

    Document salvage(const Source& source, const Context& context) const override {
        return native::salvage_native(source, context);
    }
};

}  // namespace

std::unique_ptr<Format> make_native_format() {
    return std::make_unique<NativeFormat>();
}

}  // namespace ckpt
