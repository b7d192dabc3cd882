// The interfaces of both kinds.
#include "formats/dcp/dcp_format.hpp"

#include <algorithm>

#include "formats/dcp/read_document.hpp"
#include "formats/dcp/shards.hpp"
#include "formats/dcp/verify.hpp"
#include "formats/dcp/write_document.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

class DcpFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "dcp"; }
    std::vector<std::string_view> extensions() const override { return {}; }
    Capabilities capabilities() const override {
        Capabilities can;
        can.can_write = true;
        can.has_ranks = true;
        can.is_folder = true;
        can.description = "torch's distributed checkpoint: a folder of .metadata and .distcp files";
        can.holds = "dicts; each view whole, no cycles";
        return can;
    }

    Evidence probe(const Source& source) const noexcept override {
        if (!source.is_folder) return Evidence::kNo;
        bool has_items = false, has_metadata = false;
        for (const std::string& entry : source.entries) {
            has_items = has_items || entry.ends_with(".distcp");
            has_metadata = has_metadata || entry == ".metadata";
        }
        if (has_items && has_metadata) return Evidence::kCertain;
        return has_items || has_metadata ? Evidence::kLikely : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (!source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is no folder; a distributed checkpoint is one");
        return dcp::read_folder(source, context);
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        return dcp::folder_losses(document);
    }
    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        return dcp::plan_folder(document, options, context);
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        return dcp::verify_folder(source, level, context);
    }
};

class DcpSafetensorsFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "dcp-safetensors"; }
    std::vector<std::string_view> extensions() const override { return {}; }
    Capabilities capabilities() const override {
        Capabilities can;
        can.can_write = true;
        can.has_ranks = true;
        can.is_folder = true;
        can.description = "torch's distributed checkpoint in safetensors files, one per rank";
        can.holds = "tensors by name";
        return can;
    }

    Evidence probe(const Source& source) const noexcept override {
        if (!source.is_folder) return Evidence::kNo;
        const bool has_shard = std::any_of(source.entries.begin(), source.entries.end(), dcp::is_shard_name);
        return has_shard ? Evidence::kCertain : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (!source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is no folder; a distributed checkpoint is one");
        return dcp::read_shards(source, context);
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        return dcp::shard_losses(document);
    }
    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        return dcp::plan_shards(document, options, context);
    }
};

}  // namespace

std::unique_ptr<Format> make_dcp_format() {
    return std::make_unique<DcpFormat>();
}

std::unique_ptr<Format> make_dcp_safetensors_format() {
    return std::make_unique<DcpSafetensorsFormat>();
}

}  // namespace ckpt
