// The entries of `inspect --json`.
#include "tools/inspect_json.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_map>

#include "libckpt/elements.hpp"
#include "libckpt/path.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/statistics.hpp"
#include "libckpt/walk.hpp"
#include "tools/inspect_chunks.hpp"
#include "tools/inspect_search.hpp"
#include "tools/node_attributes.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongText = 400;  // longer text is shown by head, tail and length
constexpr std::size_t kTextEnds = 40;
constexpr std::size_t kShownBytes = 32;

/// Text that JSON can hold. A lone surrogate (three bytes that begin with ED A0..BF) stands as \\udXXX, other bytes
/// that are no UTF-8 become U+FFFD when dumped.
Json text_json(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = [&](std::size_t k) { return static_cast<unsigned>(static_cast<unsigned char>(text[i + k])); };
        if (byte(0) == 0xed && i + 2 < text.size() && byte(1) >= 0xa0) {
            result += fmt::format("\\u{:04x}", 0xd000u | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu));
            i += 2;
        } else {
            result += text[i];
        }
    }
    return result;
}

Json float_json(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Inf" : "-Inf";
    return value;
}

Json integer_json(const Value& value) {
    constexpr std::int64_t kExact = std::int64_t{1} << 53;
    if (const auto number = value.as_int64(); number && *number > -kExact && *number < kExact) return *number;
    return value.integer_text();
}

Json scalar_json(const Value& value) {
    switch (value.kind()) {
        case Kind::kBool:
            return value.as_bool();
        case Kind::kInt:
            return integer_json(value);
        case Kind::kFloat:
            return float_json(value.as_double());
        case Kind::kComplex:
            return Json::array({float_json(value.as_complex().real()), float_json(value.as_complex().imag())});
        case Kind::kString:
            return text_json(value.as_string());
        default:
            return nullptr;
    }
}

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

/// A key or an item of a set: kind and value.
Json key_json(const Value& value) {
    Json json;
    json["kind"] = kind_name(value.kind());
    if (value.is(Kind::kBytes)) {
        json["value"] = hex(value.as_bytes());
    } else if (value.is(Kind::kTuple)) {
        Json items = Json::array();
        for (const auto& item : value.sequence().items) {
            if (item.is(Kind::kTuple)) {
                items.push_back({{"kind", "tuple"}});
            } else {
                items.push_back(key_json(item));
            }
        }
        json["items"] = items;
    } else if (!value.is_null() && value.kind() < Kind::kList) {
        json["value"] = scalar_json(value);
    } else if (!value.type().empty()) {
        json["type"] = value.type();
    }
    return json;
}

/// Numbers of a small tensor or list, for the scales of a quantization.
Json numbers_json(const Value& value) {
    Json numbers = Json::array();
    constexpr std::uint64_t kMostNumbers = 4096;
    if (value.is(Kind::kTensor)) {
        const TensorNode& tensor = value.tensor();
        const auto count = tensor.element_count();
        if (!count || *count > kMostNumbers || !tensor.storage) return nullptr;
        const std::string bytes = read_all(*logical_blob(tensor), kMostNumbers * 16);
        const unsigned width = dtype_width(tensor.dtype);
        const bool whole = dtype_info(tensor.dtype).cls != DTypeClass::kFloat;
        for (std::size_t at = 0; width != 0 && at + width <= bytes.size(); at += width) {
            const double number =
                element_as_double(tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + at));
            numbers.push_back(whole ? Json(static_cast<std::int64_t>(number)) : float_json(number));
        }
    } else if (value.is(Kind::kList) || value.is(Kind::kTuple)) {
        for (const auto& item : value.sequence().items) numbers.push_back(scalar_json(item));
    }
    return numbers;
}

/// "cuda:1" for an inert torch.device('cuda', 1).
Json object_value(const Node& node) {
    if (!node.recipe) return nullptr;
    const Recipe& recipe = *node.recipe;
    if (recipe.how == Recipe::How::kGlobal) return recipe.callable;
    if (recipe.callable == "builtins.getattr" && recipe.args.is(Kind::kTuple) &&
        recipe.args.sequence().items.size() == 2) {
        // A nested class, as low pickle protocols name it: getattr(Outer, 'Inner').
        const Value& outer = recipe.args.sequence().items[0];
        const Value& inner = recipe.args.sequence().items[1];
        const bool is_global =
            outer.is(Kind::kObject) && outer.node()->recipe && outer.node()->recipe->how == Recipe::How::kGlobal;
        if (is_global && inner.is(Kind::kString))
            return outer.node()->recipe->callable + "." + std::string(inner.as_string());
    }
    if (recipe.how == Recipe::How::kCall && node.type == "torch.device" && recipe.args.is(Kind::kTuple)) {
        std::string text;
        for (const auto& item : recipe.args.sequence().items) {
            if (item.is(Kind::kString)) text += item.as_string();
            if (item.is(Kind::kInt)) text += ":" + item.integer_text();
        }
        return text;
    }
    return nullptr;
}

/// nlohmann refuses text that is no UTF-8; what Python calls surrogates is written as \uDxxx, which JSON allows.
std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whether JSON holds a text as it is.
bool is_plain_json(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

/// Texts that a file's writer gave it as a whole; null where there are none.
Json metadata_json(const Document& document) {
    Json json;
    for (const auto& [name, value] : document.attributes) {
        if (!name.ends_with(":metadata") || !value.is(Kind::kDict)) continue;
        for (const auto& [key, item] : value.dict().entries)
            json[key_text(key)] = item.is(Kind::kString) ? text_json(item.as_string()) : scalar_json(item);
    }
    return json;
}

class Printer {
public:
    Printer(Session& session, const Document& document, const InspectOptions& options)
        : session_(session), options_(options), roles_(classify_roles(document)), chunks_(document) {}

    /// Entries of the attributes of what was visited, and of what is in them: `node/@name`. What stands in several
    /// attributes is shown once.
    template <typename Emit>
    void attributes(const Visit& visit, const Emit& emit) {
        if (visit.same_as != nullptr) return;
        for (const Child& attribute : node_attributes(session_.registry(), visit.value)) {
            const std::string base = join_path(visit.path, attribute.component);
            walk(
                attribute.value,
                [&](const Visit& inner) {
                    const std::string path = inner.path.empty() ? base : base + "/" + inner.path;
                    const Node* node = inner.value.node();
                    const bool is_tracked = node != nullptr && inner.value.kind() >= Kind::kList;
                    const auto first =
                        is_tracked ? attribute_paths_.try_emplace(node, path).first : attribute_paths_.end();
                    const bool is_met = is_tracked && first->second != path;
                    const std::size_t depth = visit.depth + 1 + inner.depth;
                    emit(Visit{inner.value, depth, is_met ? &first->second : nullptr, path, inner.component});
                    return is_met ? WalkStep::kOver : WalkStep::kInto;
                },
                kMaxAttributeDepth);
        }
    }

    /// Why digests could not be computed.
    const std::vector<Error>& damage() const noexcept { return damage_; }

    /// Appends the text of an entry. Keys of a dict may be very many: they become text one by one.
    void add_entry(std::string& text, const Visit& visit) {
        text += dump(entry(visit));
        if (visit.same_as != nullptr || !visit.value.is(Kind::kDict)) return;
        const DictNode& dict = visit.value.dict();
        text.back() = ',';  // the object goes on
        text += "\"keys\":[";
        for (const auto& [key, value] : dict.entries) {
            if (text.back() != '[') text += ',';
            add_key(text, key);
            flush(text);
        }
        text += ']';
        if (const Json factory = default_factory(dict); !factory.is_null())
            text += ",\"default_factory\":" + dump(factory);
        text += '}';
    }
    void flush(std::string& text) {
        if (text.size() <= kMostHeldBytes) return;
        // What is last may still be looked at.
        session_.write(std::string_view(text).substr(0, text.size() - 1));
        text.erase(0, text.size() - 1);
    }

private:
    static constexpr std::size_t kMostHeldBytes = std::size_t{1} << 16;

    Json entry(const Visit& visit) {
        const Value& value = visit.value;
        Json json;
        json["path"] = text_json(visit.path);
        if (visit.same_as != nullptr) {
            json["kind"] = "shared";
            json["same_as"] = text_json(*visit.same_as);
            return json;
        }
        json["kind"] = kind_name(value.kind());
        if (!value.type().empty()) json["type"] = value.type();
        if (visit.depth > 0) json["role"] = role_name(roles_.role_of(visit.path));
        if (visit.depth == 1 && roles_.model_is_averaged && roles_.role_of(visit.path) == Role::kModel)
            json["weights"] = "averaged";
        switch (value.kind()) {
            case Kind::kNull:
                break;
            case Kind::kString:
                add_text(json, value.as_string());
                break;
            case Kind::kBytes: {
                const std::string_view bytes = value.as_bytes();
                json["bytes"] = bytes.size();
                json["sha256"] = sha256_hex(bytes);
                json["hex"] = hex(bytes.substr(0, kShownBytes));
                break;
            }
            case Kind::kList:
            case Kind::kTuple:
                add_sequence(json, value);
                break;
            case Kind::kSet: {
                Json items = Json::array();
                for (const auto& item : value.sequence().items) items.push_back(key_json(item));
                json["items"] = items;
                break;
            }
            case Kind::kDict:
                break;  // its keys follow
            case Kind::kTensor:
                add_tensor(json, value.tensor(), visit.path);
                break;
            case Kind::kObject:
                add_object(json, value.object());
                break;
            default:
                json["value"] = scalar_json(value);
        }
        return json;
    }

    /// Of plain text, as nearly all keys are, without a detour.
    static void add_key(std::string& text, const Value& key) {
        const bool is_plain = key.is(Kind::kString) && key.type().empty() && is_plain_json(key.as_string());
        if (!is_plain) {
            text += dump(key_json(key));
            return;
        }
        text += "{\"kind\":\"string\",\"value\":\"";
        text += key.as_string();
        text += "\"}";
    }

    static void add_text(Json& json, std::string_view text) {
        if (text.size() <= kLongText) {
            json["value"] = text_json(text);
            return;
        }
        const auto boundary = [&](std::size_t at) {
            while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
            return at;
        };
        json["value"] = {{"head", text_json(text.substr(0, boundary(kTextEnds)))},
                         {"tail", text_json(text.substr(boundary(text.size() - kTextEnds)))},
                         {"utf8_bytes", text.size()}};
    }

    static void add_sequence(Json& json, const Value& value) {
        json["length"] = value.sequence().items.size();
        if (value.type() != "torch.Size") return;
        Json numbers = Json::array();
        for (const auto& item : value.sequence().items) numbers.push_back(scalar_json(item));
        json["value"] = numbers;
    }

    static Json default_factory(const DictNode& dict) {
        const bool has_factory = dict.type == "collections.defaultdict" && dict.recipe &&
                                 dict.recipe->args.is(Kind::kTuple) && !dict.recipe->args.sequence().items.empty();
        if (!has_factory) return nullptr;
        const Value factory = dict.recipe->args.sequence().items[0];
        return factory.is(Kind::kObject) && factory.node()->recipe ? Json(factory.node()->recipe->callable) : nullptr;
    }

    void add_tensor(Json& json, const TensorNode& tensor, const std::string& path) {
        session_.context().check_cancelled();
        json["dtype"] = dtype_name(tensor.dtype);
        if (tensor.layout != "uninitialized") {
            Json shape = Json::array();
            for (const auto size : tensor.shape) shape.push_back(size < 0 ? Json(nullptr) : Json(size));
            json["shape"] = shape;
        }
        if (tensor.layout == "meta" || tensor.layout == "uninitialized") {
            json[tensor.layout] = true;
        } else if (tensor.layout == "nested" || tensor.layout == "jagged") {
            json["layout"] = tensor.layout == "nested" ? "strided" : "jagged";
            json["nested"] = true;
        } else if (!tensor.layout.empty()) {
            json["layout"] = tensor.layout;
        }
        if (tensor.requires_grad) json["requires_grad"] = true;
        if (tensor.quantization) add_quantization(json, *tensor.quantization);
        if (tensor.layout.empty() || tensor.layout == "meta") json["stride"] = tensor.stride;
        if (!tensor.storage) return;
        const auto [it, is_new] = storages_.try_emplace(tensor.storage.get(), storages_.size());
        json["storage_offset"] = tensor.offset;
        json["storage"] = it->second;
        json["storage_bytes"] = tensor.storage->blob->size_bytes();
        if (const Value* chunks = chunks_.find(path)) add_chunks(json, *chunks);
        if (tensor.conj) json["conj"] = true;
        if (tensor.neg) json["neg"] = true;
        if (options_.digest == Digest::kNone && !options_.stats) return;
        try {
            if (options_.digest != Digest::kNone) add_digest(json, tensor);
            if (options_.stats) add_stats(json, tensor);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            json["error"] = error.message();
            damage_.push_back(error.file().empty() ? Error(error.code(), fmt::format("'{}': {}", path, error.message()))
                                                   : error);
        }
    }

    void add_chunks(Json& json, const Value& chunks) const {
        Json list = Json::array();
        for (const Value& chunk : chunks.sequence().items) {
            Json entry;
            for (const auto& [key, value] : chunk.dict().entries)
                entry[std::string(key.as_string())] = value.is(Kind::kList) ? numbers_json(value) : scalar_json(value);
            list.push_back(std::move(entry));
        }
        if (list.size() == 1 && chunks_.files().size() > 1) json["replicated"] = true;
        json["chunks"] = std::move(list);
    }

    void add_digest(Json& json, const TensorNode& tensor) {
        const BlobPtr blob = packed_or_logical(tensor);
        const std::uint64_t bytes = options_.digest == Digest::kXxh3 && blob->known_digest() ? 0 : blob->size_bytes();
        if (bytes > options_.max_digest_bytes - digested_bytes_) {
            json["digest"] =
                fmt::format("not computed: {} bytes are out of proportion to the file (--allow-huge)", bytes);
            return;
        }
        digested_bytes_ += bytes;
        if (options_.digest == Digest::kSha256) {
            json["sha256"] = digest_sha256(*blob);
        } else {
            json["xxh3_128"] = digest_xxh3_128(*blob);
        }
    }

    void add_stats(Json& json, const TensorNode& tensor) {
        const std::uint64_t bytes = tensor.logical_bytes().value_or(0);
        if (bytes > options_.max_digest_bytes - digested_bytes_) {
            json["stats"] =
                fmt::format("not computed: {} bytes are out of proportion to the file (--allow-huge)", bytes);
            return;
        }
        digested_bytes_ += bytes;
        const TensorStatistics found = statistics_of(tensor, session_.context());
        const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
        json["stats"] = {
            {"min", number(found.least)},     {"max", number(found.greatest)}, {"mean", number(found.mean)},
            {"std", number(found.deviation)}, {"norm", number(found.norm)},    {"nan", found.nan},
            {"inf", found.infinite},          {"zeros", found.zeros},          {"denormals", found.denormals}};
        if (options_.bars == 0) return;
        const TensorHistogram histogram = histogram_of(tensor, options_.bars, session_.context());
        json["stats"]["histogram"] = {{"edges", histogram.edges}, {"counts", histogram.counts}};
    }

    /// A packed view that is not contiguous has no bytes of its own: its storage's stand for it.
    static BlobPtr packed_or_logical(const TensorNode& tensor) {
        return dtype_width(tensor.dtype) == 0 && !tensor.is_contiguous() ? tensor.storage->blob : logical_blob(tensor);
    }

    static void add_quantization(Json& json, const Quantization& quantization) {
        json["qscheme"] = quantization.scheme;
        if (quantization.scheme.starts_with("per_tensor")) {
            json["scale"] = float_json(quantization.scale);
            json["zero_point"] = quantization.zero_point;
            return;
        }
        json["scales"] = numbers_json(quantization.scales);
        json["zero_points"] = numbers_json(quantization.zero_points);
        json["axis"] = quantization.axis;
    }

    static void add_object(Json& json, const ObjectNode& object) {
        if (const Json value = object_value(object); !value.is_null()) json["value"] = value;
        if (!object.items.empty() || object.type == "collections.deque") json["length"] = object.items.size();
        if (!object.recipe || object.recipe->how != Recipe::How::kCall) return;
        if (object.type == "collections.deque") {
            const auto& args = object.recipe->args;
            const bool bounded = args.is(Kind::kTuple) && args.sequence().items.size() == 2;
            json["maxlen"] = bounded ? scalar_json(args.sequence().items[1]) : Json(nullptr);
        } else if (!json.contains("value")) {
            json["made_by"] = object.recipe->callable;
        }
    }

    Session& session_;
    const InspectOptions& options_;
    Roles roles_;
    ChunkIndex chunks_;
    static constexpr std::size_t kMaxAttributeDepth = 1000;
    std::unordered_map<const Storage*, std::size_t> storages_;
    std::unordered_map<const Node*, std::string> attribute_paths_;
    std::vector<Error> damage_;
    std::uint64_t digested_bytes_ = 0;
};

}  // namespace

Totals count_totals(const Document& document, std::vector<KeptStorage>* kept) {
    // Bytes that tensors see of storages that others may see as well.
    struct Range {
        const Storage* storage;
        std::uint64_t from, to;
        std::uint64_t tensor;  ///< its number
    };
    std::vector<Range> ranges;
    std::map<std::uint64_t, KeptStorage> hints;  // by the first tensor that looks into the storage
    Totals totals;
    const auto add_storage = [&](const Storage& storage, std::uint64_t live, std::uint64_t first) {
        const std::uint64_t stored = storage.blob->size_bytes();
        ++totals.storages;
        totals.stored_bytes += stored;
        totals.live_bytes += live;
        constexpr std::uint64_t kWorthAHint = 4096;
        if (stored > live && live < stored / 2 && stored - live >= kWorthAHint) hints[first] = {"", stored, live};
    };
    const Roles roles = classify_roles(document);
    TiedTensors tied;
    walk_where_it_stands(document.root, [&](const Visit& visit) {
        ++totals.values;
        if (!visit.value.is(Kind::kTensor) || visit.same_as != nullptr) return WalkStep::kInto;
        const TensorNode& tensor = visit.value.tensor();
        ++totals.tensors;
        const std::uint64_t count = tensor.element_count().value_or(0);
        totals.elements += count;
        totals.logical_bytes += tensor.logical_bytes().value_or(0);
        if (roles.role_of(visit.path) == Role::kModel && tied.is_new(tensor)) totals.parameters += count;
        if (!tensor.storage) return WalkStep::kInto;
        Range range{tensor.storage.get(), 0, 0, totals.tensors};
        if (count != 0) {
            std::uint64_t last = static_cast<std::uint64_t>(tensor.offset);
            for (std::size_t i = 0; i < tensor.shape.size(); ++i)
                last += static_cast<std::uint64_t>((tensor.shape[i] - 1) * tensor.stride[i]);
            range.from = dtype_bytes(tensor.dtype, static_cast<std::uint64_t>(tensor.offset)).value_or(0);
            range.to = dtype_bytes(tensor.dtype, last + 1).value_or(0);
        }
        if (tensor.storage.use_count() == 1) {  // nobody else has it; there may be hundreds of thousands
            add_storage(*tensor.storage, range.to - range.from, totals.tensors);
        } else {
            ranges.push_back(range);
        }
        return WalkStep::kInto;
    });
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
        return std::tie(a.storage, a.from, a.to, a.tensor) < std::tie(b.storage, b.from, b.to, b.tensor);
    });
    for (auto range = ranges.begin(); range != ranges.end();) {
        const Storage& storage = *range->storage;
        std::uint64_t first = range->tensor;
        std::uint64_t end = 0;
        std::uint64_t live = 0;
        for (; range != ranges.end() && range->storage == &storage; ++range) {
            if (range->to > end) live += range->to - std::max(range->from, end);
            end = std::max(end, range->to);
            first = std::min(first, range->tensor);
        }
        add_storage(storage, live, first);
    }
    if (kept == nullptr || hints.empty()) return totals;
    std::uint64_t tensor = 0;
    walk_where_it_stands(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor) || visit.same_as != nullptr) return WalkStep::kInto;
        if (const auto hint = hints.find(++tensor); hint != hints.end()) hint->second.path = visit.path;
        return WalkStep::kInto;
    });
    for (auto& [number, hint] : hints) kept->push_back(std::move(hint));
    return totals;
}

std::vector<Error> print_inspect_json(Session& session, const Document& document, const std::string& file,
                                      std::uint64_t file_bytes, const InspectOptions& options) {
    const Totals totals = count_totals(document);
    const Roles roles = classify_roles(document);
    Json head;
    head["file"] = text_json(file);
    head["format"] = document.format;
    head["producer"] = document.producer.empty() ? Json(nullptr) : Json(document.producer);
    head["system"] = roles.system.empty() ? Json(nullptr) : Json(roles.system);
    head["bytes"] = file_bytes;
    head["totals"] = {{"tensors", totals.tensors},           {"parameters", totals.parameters},
                      {"elements", totals.elements},         {"logical_bytes", totals.logical_bytes},
                      {"stored_bytes", totals.stored_bytes}, {"live_bytes", totals.live_bytes},
                      {"storages", totals.storages},         {"values", totals.values}};
    if (const auto search = summarize_search(document.root)) head["search"] = Json::parse(search_json(*search));
    if (const auto calibration = summarize_calibration(document.root))
        head["calibration"] = Json::parse(calibration_json(*calibration));
    if (const RunFacts run = run_facts_of(document); !run.is_empty()) head["run"] = Json::parse(run_json(run));
    if (const auto trainer = summarize_trainer(document.root)) head["trainer"] = Json::parse(trainer_json(*trainer));
    if (const Json metadata = metadata_json(document); !metadata.is_null()) head["metadata"] = metadata;
    if (const ChunkIndex chunks(document); !chunks.empty()) {
        Json shards = Json::array();
        for (const auto& [name, sum] : chunks.files())
            shards.push_back({{"file", text_json(name)}, {"chunks", sum.chunks}, {"bytes", sum.bytes}});
        head["shards"] = std::move(shards);
    }
    std::string text = dump(head);
    text.back() = ',';  // the object goes on
    text += "\n\"entries\": [";
    Printer printer(session, document, options);
    bool is_first = true;
    std::uint64_t deeper = 0;
    walk_where_it_stands(
        document.root,
        [&](const Visit& visit) {
            if (visit.depth >= options.max_depth && !children(visit.value).empty()) ++deeper;
            const auto emit = [&](const Visit& met) {
                text += is_first ? "\n  " : ",\n  ";
                is_first = false;
                printer.add_entry(text, met);
                printer.flush(text);
            };
            emit(visit);
            printer.attributes(visit, emit);
            return WalkStep::kInto;
        },
        options.max_depth);
    for (const auto& [name, target] : document.aliases) {
        const Json alias = {{"path", text_json(escape_key(name))},
                            {"kind", "shared"},
                            {"role", role_name(roles.role_of(escape_key(name)))},
                            {"same_as", text_json(escape_key(target))}};
        text += (is_first ? "\n  " : ",\n  ") + dump(alias);
        is_first = false;
    }
    text += "\n]";
    if (deeper > 0) text += fmt::format(",\n\"deeper\": {}", deeper);
    if (!document.damage.empty()) {
        Json damage = Json::array();
        for (const Error& error : document.damage) damage.push_back(error.message());
        text += ",\n\"damage\": " + dump(damage);
    }
    session.write(text + "}\n");
    return printer.damage();
}

}  // namespace ckpt
