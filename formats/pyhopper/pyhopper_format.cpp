// Probe, read, plan, and what is whole of a state that was cut.
#include "formats/pyhopper/pyhopper_format.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "formats/pyhopper/salvage.hpp"
#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/pickle/arrays.hpp"
#include "formats/shared/pickle/node_attributes.hpp"
#include "formats/shared/pickle/pickle_file.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"
#include "libckpt/search_state.hpp"

namespace ckpt {
namespace {

constexpr int kUsualProtocol = 4;
constexpr std::string_view kAttributesKey = "__ckpt_attributes__";

struct Part {
    std::string_view name;
    Kind kind;
};
/// What pyhopper itself would stumble over, sooner or later.
constexpr Part kParts[] = {
    {"log_candidate", Kind::kList},     {"log_types", Kind::kList},    {"log_f", Kind::kList},
    {"log_finished_at", Kind::kList},   {"log_best_f", Kind::kList},   {"log_runtime", Kind::kList},
    {"pruned_candidates", Kind::kList}, {"pruned_types", Kind::kList}, {"nan_candidates", Kind::kList},
    {"nan_types", Kind::kList}};

std::string why_no_state(const Value& root) {
    if (!root.is(Kind::kDict)) return fmt::format("is no search state: it is a {}, not a dict", kind_name(root.kind()));
    const DictNode& dict = root.dict();
    for (const std::string_view key : {"run_context", "cache", "best_f", "history", "best_solution"}) {
        if (dict.find(key) == nullptr) return fmt::format("is no search state: it has no '{}'", key);
    }
    for (const std::string_view key : {"cache", "history"}) {
        const Value* part = dict.find(key);
        if (!part->is(Kind::kDict))
            return fmt::format("is no search state: '{}' is a {}, not a dict", key, kind_name(part->kind()));
    }
    for (const auto& part : kParts) {
        const Value* list = dict.find("history")->dict().find(part.name);
        if (list != nullptr && !list->is(part.kind))
            return fmt::format("'history/{}' is a {}, not a {}", part.name, kind_name(list->kind()),
                               kind_name(part.kind));
    }
    return {};
}

class PyhopperFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "pyhopper"; }
    std::vector<std::string_view> extensions() const override { return {}; }
    Capabilities capabilities() const override {
        return {true, false, "pyhopper's search states: a pickle in gzip", "search states", {}, {}};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder || !source.head.starts_with(kGzipSignature)) return Evidence::kNo;
        const std::string inside = gunzip_head(source.head, kSearchStateHeadBytes);
        if (begins_like_search_state(inside)) return Evidence::kCertain;
        // Cut before much decodes: the name is all there is.
        const bool may_be_state =
            inside.size() < kSearchStateHeadBytes && (inside.empty() || begins_like_pickle(inside));
        return may_be_state && source.name.ends_with(".ckpt") ? Evidence::kLikely : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a search state");
        if (!source.head.starts_with(kGzipSignature)) throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
        const PickleFile file = PickleFile::load(source, context);
        Document document;
        document.format = name();
        ArrayReader hooks;
        PickleFacts facts;
        document.root = file.read(0, document.pool(), hooks, context, facts);
        const std::optional<Value> attributes =
            read_attributes(file, facts.size_bytes, document.pool(), hooks, context);
        hooks.settle(document);
        if (attributes) apply_node_attributes(document, *attributes, "the second pickle of the file", context);
        if (const std::string why = why_no_state(document.root); !why.empty()) throw_damaged("{}", why);
        document.producer = candidate_is_object(document.root) ? "pyhopper 1.2 or later" : "pyhopper";
        if (facts.protocol != kUsualProtocol)
            document.set_attribute("pyhopper:protocol", Value::integer(facts.protocol));
        if (!file.problem().empty()) context.warn(file.problem() + "; pyhopper does not look there and loads the file");
        point_out(document.root, context);
        return document;
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        const std::string why = why_no_state(document.root);
        if (why.empty()) return ArrayLowering::losses(document);
        return {{"", why}};
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        // pyhopper could do nothing with what is no state, so here no loss can be allowed.
        if (const std::string why = why_no_state(document.root); !why.empty())
            throw_error(ErrorCode::kRefused, "cannot be written for pyhopper: the document {}", why);
        if (!options.allow_loss) refuse_losses(preflight(document, options), "a search state");
        note_dropped_facts(document, {"pyhopper:"}, "a search state", context);
        int protocol = kUsualProtocol;
        if (const Value* kept = document.attribute("pyhopper:protocol"))
            protocol = static_cast<int>(std::clamp<std::int64_t>(kept->as_int64().value_or(kUsualProtocol), 2, 5));
        ArrayLowering lowering(document);
        if (lowering.needs_protocol_4()) protocol = std::max(protocol, 4);
        std::string bytes = write_pickle(document.root, protocol, lowering);
        Pool scratch;
        if (const auto attributes = collect_node_attributes(scratch, document, "pyhopper:")) {
            const Value marked = scratch.dict();
            marked.dict().entries.emplace_back(scratch.string(std::string(kAttributesKey)), *attributes);
            lowering.next_pickle();
            bytes += write_pickle(marked, protocol, lowering);
        }
        for (const auto& type : lowering.tagged_types()) {
            if (!type.empty())
                context.note(
                    fmt::format("Python has no class '{}': such values are written as dicts tagged __type__, "
                                "and restored on the way back",
                                type));
        }
        return plan_of_bytes(gzip(bytes));
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        return verify_by_reading(*this, source, level, context);
    }

    Document salvage(const Source& source, const Context& context) const override {
        if (source.is_folder || !source.head.starts_with(kGzipSignature))
            throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
        const PickleFile file = PickleFile::load(source, context);
        Document document;
        document.format = name();
        document.producer = "pyhopper";
        salvage_search(file, document, context);
        return document;
    }

private:
    static bool candidate_is_object(const Value& root) {
        return root.is(Kind::kDict) && root.dict().find("best_solution")->is(Kind::kObject);
    }

    /// A second pickle, if it is ours; else a warning: pyhopper stops where the first one ends.
    static std::optional<Value> read_attributes(const PickleFile& file, std::size_t at, Pool& pool, ArrayReader& hooks,
                                                const Context& context) {
        if (at == file.bytes().size()) return std::nullopt;
        try {
            Context silent = context;
            silent.on_warning = nullptr;
            const Value second = read_pickle(std::string_view(file.bytes()).substr(at), pool, hooks, silent);
            if (second.is(Kind::kDict) && second.dict().entries.size() == 1) {
                if (const Value* found = second.dict().find(kAttributesKey)) return *found;
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
        }
        context.warn(fmt::format("{} bytes after the end of the pickle at byte {} are ignored, as pyhopper does",
                                 file.bytes().size() - at, at));
        return std::nullopt;
    }

    static void point_out(const Value& root, const Context& context) {
        const auto summary = summarize_search(root);
        if (!summary) return;
        if (summary->newer_best_f) {
            const std::string known = summary->best_f ? fmt::format("{}", *summary->best_f) : "None";
            context.warn(
                fmt::format("best_f is {}, older than the history: entry {} has {}; pyhopper keeps the old best "
                            "when it goes on from this file",
                            known, summary->newer_best_at, *summary->newer_best_f));
        }
        for (const auto& text : summary->uneven) context.warn(text);
    }
};

}  // namespace

std::unique_ptr<Format> make_pyhopper_format() {
    return std::make_unique<PyhopperFormat>();
}

}  // namespace ckpt
