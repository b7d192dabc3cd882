// Probe, read, plan. Values are the business of formats/shared/pickle.
#include "formats/pickle/pickle_format.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/pickle/arrays.hpp"
#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/node_attributes.hpp"
#include "formats/shared/pickle/pickle_file.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"

namespace ckpt {
namespace {

/// The only key of a last pickle that holds what other layouts hung on values (README: "Attributes").
constexpr std::string_view kAttributesKey = "__ckpt_attributes__";
constexpr int kUsualProtocol = 4;  // Python's own default from 3.8 on
constexpr std::size_t kMostPickles = 1u << 20;

/// The attributes in a pickle that is ours, or null.
const Value* attributes_in(const Value& value) {
    if (!value.is(Kind::kDict) || value.dict().entries.size() != 1) return nullptr;
    return value.dict().find(kAttributesKey);
}

class PickleFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "pickle"; }
    std::vector<std::string_view> extensions() const override { return {"pkl", "pickle"}; }
    Capabilities capabilities() const override {
        return {true, false, "Python pickle, protocols 0 to 5, bare or wrapped in gzip", "everything", {"gzip"}, {}};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder || source.head.empty()) return Evidence::kNo;
        const bool is_named = source.name.ends_with(".pkl") || source.name.ends_with(".pickle");
        if (source.head.starts_with(kGzipSignature)) {
            const std::string inside = gunzip_head(source.head, kSearchStateHeadBytes);
            if (begins_like_search_state(inside)) return Evidence::kByName;  // a layout of its own
            if (begins_like_pickle(inside)) return Evidence::kCertain;
            if (inside.empty()) return Evidence::kLikely;  // cut before anything decodes
            return is_named || may_be_old_pickle(inside) ? Evidence::kLikely : Evidence::kNo;
        }
        if (source.head == "\x1f") return Evidence::kLikely;
        if (begins_like_pickle(source.head)) return source.head.size() < 2 ? Evidence::kLikely : Evidence::kCertain;
        if (is_named && source.head[0] == '\x80') return Evidence::kLikely;  // of a protocol that does not exist
        if (is_named) return may_be_old_pickle(source.head) ? Evidence::kLikely : Evidence::kByName;
        // Without a name, only what hardly anything else begins with.
        for (const std::string_view start : {"(dp", "(lp", "ccopy_reg\n", "(dq\1", "}q\1"}) {
            if (source.head.starts_with(start)) return Evidence::kLikely;
        }
        return Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not a pickle");
        if (source.size_bytes == 1 && source.head == "\x1f")
            throw Error(ErrorCode::kDamaged, "ends inside the gzip signature, at byte 1");
        const bool is_pickle = source.head.starts_with(kGzipSignature) || source.head.starts_with('\x80') ||
                               begins_like_pickle(source.head) || may_be_old_pickle(source.head);
        if (!is_pickle) {
            if (source.name.ends_with(".pkl") || source.name.ends_with(".pickle")) {
                // What no text is and no pickle begins with: the first opcode is the error.
                const bool is_binary = std::any_of(source.head.begin(), source.head.end(), [](char c) {
                    return static_cast<unsigned char>(c) < 9 || static_cast<unsigned char>(c) >= 0x80;
                });
                if (is_binary)
                    throw_damaged("pickle: unknown opcode 0x{:02x} at byte 0",
                                  static_cast<unsigned char>(source.head[0]));
            }
            throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
        }
        const PickleFile file = PickleFile::load(source, context);
        Document document;
        document.format = name();
        ArrayReader hooks;
        PickleFacts facts;
        document.root = file.read(0, document.pool(), hooks, context, facts);
        const int protocol = facts.protocol;
        std::vector<Value> values = {document.root};
        const std::optional<Value> attributes =
            read_others(file, source.name, facts, document.pool(), hooks, context, values);
        if (values.size() > 1) {
            refuse_torch_stream(source.name, file.bytes().size() - static_cast<std::size_t>(facts.size_bytes),
                                facts.globals);
            document.root = document.pool().list();
            document.root.sequence().items = values;
            document.set_attribute("pickle:several", Value::boolean(true));
        }
        document.producer = fmt::format("pickle protocol {}{}", protocol, file.is_gzip() ? ", gzip" : "");
        if (protocol != kUsualProtocol) document.set_attribute("pickle:protocol", Value::integer(protocol));
        if (file.is_gzip()) document.set_attribute("pickle:gzip", Value::boolean(true));
        if (!file.problem().empty())
            context.warn(file.problem() + "; Python stops at the end of the pickle and does not see it");
        hooks.settle(document);
        if (attributes) apply_node_attributes(document, *attributes, "the last pickle of the file", context);
        return document;
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        return ArrayLowering::losses(document);
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        if (!options.allow_loss) refuse_losses(preflight(document, options), "a pickle");
        note_dropped_facts(document, {"pickle:"}, "a pickle", context);
        int protocol = kUsualProtocol;
        if (const Value* kept = document.attribute("pickle:protocol"))
            protocol = static_cast<int>(std::clamp<std::int64_t>(kept->as_int64().value_or(kUsualProtocol), 0, 5));
        ArrayLowering lowering(document);
        if (lowering.needs_protocol_4()) protocol = std::max(protocol, 4);
        const bool is_several = document.attribute("pickle:several") != nullptr && document.root.is(Kind::kList) &&
                                document.root.sequence().items.size() > 1;
        std::string bytes;
        if (is_several) {
            for (const auto& item : document.root.sequence().items) {
                lowering.next_pickle();
                bytes += write_pickle(item, protocol, lowering);
            }
        } else {
            bytes = write_pickle(document.root, protocol, lowering);
        }
        Pool scratch;
        if (const auto attributes = collect_node_attributes(scratch, document, "pickle:")) {
            const Value marked = scratch.dict();
            marked.dict().entries.emplace_back(scratch.string(std::string(kAttributesKey)), *attributes);
            lowering.next_pickle();
            bytes += write_pickle(marked, protocol, lowering);
        }
        for (const auto& type : lowering.tagged_types()) {
            if (type.empty()) continue;
            context.note(
                fmt::format("Python has no class '{}': such values are written as dicts tagged __type__, and restored "
                            "on the way back",
                            type));
        }
        const bool packs = options.compress == "gzip" || document.attribute("pickle:gzip") != nullptr;
        return plan_of_bytes(packs ? gzip(bytes) : std::move(bytes));
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        return verify_by_reading(*this, source, level, context);
    }

private:
    /// A stream of torch begins with a pickle as well: of its magic number. One that is not torch's is nobody's.
    static void refuse_torch_stream(std::string_view name, std::size_t bytes_behind,
                                    const std::vector<std::string>& globals) {
        const bool is_hostile = std::any_of(globals.begin(), globals.end(),
                                            [](const std::string& global) { return is_dangerous_global(global); });
        for (const std::string_view extension : {".pt", ".pth", ".bin"}) {
            if (name.ends_with(extension))
                throw_error(is_hostile ? ErrorCode::kDamaged : ErrorCode::kNotCheckpoint,
                            "is a pickle with {} other bytes behind it: neither a pickle nor a file of torch",
                            bytes_behind);
        }
    }

    /// What stands behind the first pickle: more pickles to the end of the file, the last of which may be our
    /// attributes; or bytes that are none, which are warned of and left alone.
    static std::optional<Value> read_others(const PickleFile& file, std::string_view name, const PickleFacts& first,
                                            Pool& pool, ArrayReader& hooks, const Context& context,
                                            std::vector<Value>& values) {
        const auto first_end = static_cast<std::size_t>(first.size_bytes);
        std::size_t at = first_end;
        Context silent = context;
        silent.on_warning = nullptr;
        try {
            while (at < file.bytes().size()) {
                PickleFacts facts;
                const Value value = read_pickle(std::string_view(file.bytes()).substr(at), pool, hooks, silent, &facts);
                at += facts.size_bytes;
                const Value* attributes = attributes_in(value);
                if (attributes != nullptr && at == file.bytes().size()) return *attributes;
                if (values.size() == kMostPickles) throw_damaged("more than {} pickles in one file", kMostPickles);
                values.push_back(value);
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            refuse_torch_stream(name, file.bytes().size() - first_end, first.globals);
            values.resize(1);
            context.warn(fmt::format("{} bytes after the end of the pickle at byte {} are ignored, as Python does",
                                     file.bytes().size() - first_end, first_end));
        }
        return std::nullopt;
    }
};

}  // namespace

std::unique_ptr<Format> make_pickle_format() {
    return std::make_unique<PickleFormat>();
}

}  // namespace ckpt
