// The metadata's items become values, its chunks the bytes of tensors.
#include "formats/dcp/read_document.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <unordered_map>

#include "formats/dcp/assembled_blob.hpp"
#include "formats/dcp/items.hpp"
#include "formats/dcp/metadata.hpp"
#include "formats/dcp/structure.hpp"
#include "formats/dcp/tree.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/stored.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::string_view kMetadata = ".metadata";
constexpr std::string_view kTemporary = ".metadata.tmp";
constexpr std::string_view kRest = "meta.pt";  // Lightning's, beside the metadata

bool has(const Source& source, std::string_view name) {
    return std::binary_search(source.entries.begin(), source.entries.end(), name);
}

class FolderReader {
public:
    FolderReader(const Source& source, const Context& context)
        : source_(source), context_(context), folder_(std::make_shared<Folder>(source.path, context)) {}

    Document run() {
        document_.format = "dcp";
        const Metadata metadata = read_metadata(source_, *folder_);
        for (const std::string& warning : metadata.warnings) context_.warn(warning);
        document_.producer = metadata.producer;
        places_ = &metadata.places;
        document_.source_bytes = size_of_files(metadata);
        has_structure_ = !metadata.structure.empty();
        find_ties(metadata);
        document_.root = build_tree(
            metadata.items, document_.pool(), [&](const Item& item) { return make(item); },
            [&](const std::string& text) {
                if (!has_structure_) context_.warn(text);
            });
        if (!metadata.structure.empty()) restore_structure(metadata);
        if (has(source_, kRest)) add_rest();
        if (context_.index_only) describe(metadata);
        return std::move(document_);
    }

private:
    /// What the files have that the metadata names: in proportion to it outputs may be.
    std::uint64_t size_of_files(const Metadata& metadata) const {
        std::set<std::string> names;
        for (const Place& place : metadata.places) names.insert(place.file);
        std::uint64_t bytes = 0;
        for (const std::string& name : names) {
            std::error_code error;
            const auto size = std::filesystem::file_size(std::filesystem::path(source_.path) / name, error);
            if (!error) bytes += size;
        }
        return bytes;
    }

    Value damaged(const Item& item, const std::string& why, ErrorCode code = ErrorCode::kDamaged) {
        document_.damage.emplace_back(code, fmt::format("'{}': {}", item.shown_path(), why));
        return unreadable();
    }

    Value unreadable() {
        auto* node = document_.pool().make<ObjectNode>();
        node->type = kDamagedType;
        return Value::of(node);
    }

    Value make(const Item& item) {
        const Value value = make_checked(item);
        if (has_structure_) values_.emplace(item.name, value);
        return value;
    }

    /// The tree as it was written, where we wrote it.
    void restore_structure(const Metadata& metadata) {
        try {
            dcp::restore_structure(metadata.structure, document_, values_, context_);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            context_.warn(
                fmt::format("what we noted of the structure cannot be read ({}): names alone count", error.message()));
            has_structure_ = false;
        }
    }

    Value make_checked(const Item& item) {
        context_.check_cancelled();
        if (!item.problem.empty()) return damaged(item, item.problem);
        try {
            return item.is_tensor ? make_tensor(item) : make_value(item);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            return damaged(item, error.message(),
                           error.code() == ErrorCode::kNotCheckpoint ? ErrorCode::kDamaged : error.code());
        }
    }

    /// A value of which the index says only where it is.
    Value stored(const Place& place) {
        Pool& pool = document_.pool();
        auto* node = pool.make<ObjectNode>();
        node->type = kStoredType;
        node->recipe = std::make_unique<Recipe>();
        node->recipe->how = Recipe::How::kNew;
        node->recipe->callable = node->type;
        node->recipe->state = pool.dict();
        node->recipe->state.dict().entries = {{pool.string("file"), pool.string(place.file)},
                                              {pool.string("bytes"), Value::unsigned_integer(place.length_bytes)}};
        return Value::of(node);
    }

    Value make_value(const Item& item) {
        if (context_.index_only) return stored((*places_)[item.place]);
        const Value value = open_value(*folder_, (*places_)[item.place], item.shown_path(), document_);
        if (value.is(Kind::kTensor))
            context_.warn(fmt::format("'{}' is a tensor where the metadata says that it is none", item.shown_path()));
        return value;
    }

    Value make_tensor(const Item& item) {
        auto* tensor = document_.pool().make<TensorNode>();
        tensor->dtype = item.dtype;
        tensor->shape = item.shape;
        tensor->stride = contiguous_strides(tensor->shape);
        tensor->requires_grad = item.requires_grad;
        if (const auto tie = ties_.find(item.name); tie != ties_.end()) {
            StoragePtr& shared = storages_[tie->second];
            if (!shared) shared = make_storage(item);
            tensor->storage = shared;
        } else {
            tensor->storage = make_storage(item);
        }
        return Value::of(tensor);
    }

    StoragePtr make_storage(const Item& item) const {
        const unsigned width = dtype_width(item.dtype);
        if (width == 0) throw_error(ErrorCode::kUnsupported, "is {} in chunks", dtype_name(item.dtype));
        std::vector<Piece> pieces;
        for (const Chunk& chunk : item.chunks) {
            const auto open = [folder = folder_, place = (*places_)[chunk.place],
                               wanted = WantedTensor{item.shown_path(), item.dtype, chunk.sizes}] {
                return open_tensor(*folder, place, wanted);
            };
            if (!context_.index_only) {
                // Also those without elements: a damaged one is damage.
                pieces.push_back({chunk.offsets, chunk.sizes, [blob = open()] { return blob; }});
            } else {
                pieces.push_back({chunk.offsets, chunk.sizes, open});
            }
        }
        auto storage = std::make_shared<Storage>();
        storage->blob = assembled_blob(item.shape, width, std::move(pieces));
        // To place it is to look whether it is a range of a file, which opens its chunk.
        if (!context_.index_only)
            storage->blob = placed_blob(storage->blob, source_.path, fmt::format("'{}'", item.shown_path()));
        return storage;
    }

    /// Names whose chunks are the same stored items.
    void find_ties(const Metadata& metadata) {
        std::map<std::tuple<DType, SizeList, std::vector<std::tuple<std::string, std::uint64_t, SizeList>>>,
                 std::string>
            first;
        for (const Item& item : metadata.items) {
            if (!item.is_tensor || !item.problem.empty()) continue;
            std::vector<std::tuple<std::string, std::uint64_t, SizeList>> chunks;
            for (const Chunk& chunk : item.chunks)
                chunks.emplace_back(metadata.places[chunk.place].file, metadata.places[chunk.place].offset_bytes,
                                    chunk.offsets);
            std::sort(chunks.begin(), chunks.end());
            const auto [found, is_new] = first.try_emplace({item.dtype, item.shape, std::move(chunks)}, item.name);
            if (is_new) continue;
            ties_[item.name] = ties_[found->second] = found->second;
            if (metadata.structure.empty())
                context_.warn(
                    fmt::format("the names '{}' and '{}' share one stored item: they are read as tied tensors",
                                escape_key(found->second), escape_key(item.name)));
        }
    }

    /// What Lightning keeps beside: its keys come last, and replace those that are there, as its consolidation does.
    void add_rest() {
        try {
            const Value rest = open_file(*folder_, std::string(kRest), document_);
            if (!rest.is(Kind::kDict)) throw_damaged("holds a {}, not a dict", kind_name(rest.kind()));
            auto& entries = document_.root.dict().entries;
            for (const auto& [key, value] : rest.dict().entries) {
                const auto same = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
                    return key.is(Kind::kString) && entry.first.is(Kind::kString) &&
                           entry.first.as_string() == key.as_string();
                });
                if (same != entries.end()) {
                    if (!has_structure_) same->second = value;
                } else {
                    entries.emplace_back(key, value);
                }
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            document_.damage.emplace_back(ErrorCode::kDamaged, fmt::format("{}: {}", kRest, error.message()));
        }
    }

    /// Files, and the chunks of each tensor by its path, for who looks at the index.
    void describe(const Metadata& metadata) {
        Pool& pool = document_.pool();
        const auto numbers = [&](const SizeList& list) {
            const Value result = pool.list();
            for (const std::int64_t number : list) result.sequence().items.push_back(Value::integer(number));
            return result;
        };
        // Texts are the same for all chunks.
        std::map<std::string, Value> texts;
        const auto text = [&](const std::string& name) {
            const auto [found, is_new] = texts.try_emplace(name);
            if (is_new) found->second = pool.string(name);
            return found->second;
        };
        const Value chunks = pool.dict();
        for (const Item& item : metadata.items) {
            if (!item.is_tensor || !item.problem.empty()) continue;
            const Value list = pool.list();
            list.sequence().items.reserve(item.chunks.size());
            for (const Chunk& chunk : item.chunks) {
                const Place& place = metadata.places[chunk.place];
                const Value entry = pool.dict();
                entry.dict().entries = {{text("offsets"), numbers(chunk.offsets)},
                                        {text("sizes"), numbers(chunk.sizes)},
                                        {text("file"), text(place.file)},
                                        {text("offset"), Value::unsigned_integer(place.offset_bytes)},
                                        {text("bytes"), Value::unsigned_integer(place.length_bytes)}};
                list.sequence().items.push_back(entry);
            }
            chunks.dict().entries.emplace_back(pool.string(item.shown_path()), list);
        }
        document_.set_attribute("dcp:chunks", chunks);
    }

    const Source& source_;
    const Context& context_;
    std::shared_ptr<const Folder> folder_;
    Document document_;
    const std::vector<Place>* places_ = nullptr;
    std::map<std::string, std::string> ties_;  // names to the first that has the same chunks
    std::map<std::string, StoragePtr> storages_;
    bool has_structure_ = false;
    std::unordered_map<std::string, Value> values_;  // by name, for the structure
};

}  // namespace

Metadata read_metadata(const Source& source, const Folder& folder) {
    const std::vector<std::string> names = metadata_names(source);
    if (names.empty()) {
        if (has(source, kTemporary))
            throw_damaged("has no .metadata, but a .metadata.tmp: the save was interrupted before its end");
        throw_damaged("has no .metadata: the save did not finish");
    }
    const Context& context = folder.context();
    MetadataReader reader;
    for (const std::string& name : names) {
        const BlobPtr blob = File::blob(folder.open(name));
        if (blob->size_bytes() == 0)
            throw Error(ErrorCode::kDamaged, fmt::format("{}: is empty, ends at byte 0", name)).at(0);
        try {
            reader.add(read_all(*blob, context.limits.max_header_bytes), context);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            Error named(error.code(), fmt::format("{}: {}", name, error.message()));
            if (error.offset_bytes()) throw std::move(named).at(*error.offset_bytes());
            throw named;
        }
    }
    return reader.finish();
}

std::vector<std::string> metadata_names(const Source& source) {
    if (has(source, kMetadata)) return {std::string(kMetadata)};
    std::vector<std::pair<std::size_t, std::string>> ranks;
    for (const std::string& entry : source.entries) {
        constexpr std::string_view kBegin = "__", kEnd = ".metadata";
        if (entry.size() <= kBegin.size() + kEnd.size() || !entry.starts_with(kBegin) || !entry.ends_with(kEnd))
            continue;
        const std::string digits = entry.substr(kBegin.size(), entry.size() - kBegin.size() - kEnd.size());
        if (digits.size() > 9 || digits.find_first_not_of("0123456789") != digits.npos) continue;
        ranks.emplace_back(std::stoul(digits), entry);
    }
    std::sort(ranks.begin(), ranks.end());
    std::vector<std::string> names;
    for (auto& rank : ranks) names.push_back(std::move(rank.second));
    return names;
}

Document read_folder(const Source& source, const Context& context) {
    return FolderReader(source, context).run();
}

}  // namespace ckpt::dcp
