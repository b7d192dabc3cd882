// The pickled dataclasses of torch.distributed.checkpoint, read as data.
#include "formats/dcp/metadata.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "formats/dcp/records.hpp"
#include "formats/dcp/tiling.hpp"
#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::size_t kMostParts = 1000;  // of a path

bool is_plain_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

}  // namespace

class MetadataReader::Reader {
public:
    /// One file: the only one, or that of one rank among several.
    void add(std::string_view pickle, const Context& context) {
        ++source_;
        Pool pool;
        RecordHooks hooks(records_);
        PickleFacts facts;
        const Value root = read_pickle(pickle, pool, hooks, context, &facts);
        if (!hooks.is_getattr_odd()) std::erase(facts.globals, "builtins.getattr");
        warn_of_globals(facts.globals, context);
        if (facts.size_bytes < pickle.size())
            warn(fmt::format("{} bytes after the end of the metadata are ignored", pickle.size() - facts.size_bytes));
        if (class_name(root) != "Metadata")
            throw_damaged("holds {}, not torch's Metadata of a distributed checkpoint", kind_text(root));
        const DictNode& metadata = fields(root, "Metadata");
        const DictNode* items = dict_field(metadata, "state_dict_metadata");
        if (items == nullptr) throw_damaged("has no 'state_dict_metadata'");
        read_places(dict_field(metadata, "storage_data"));
        const DictNode* paths = dict_field(metadata, "planner_data");
        for (const auto& [key, value] : items->entries) read_item(key, value);
        if (paths != nullptr) read_paths(*paths);
        describe(root, metadata);
    }

    Metadata finish() {
        for (Item& item : result_.items) {
            if (!item.problem.empty()) continue;
            try {
                settle(item);
            } catch (const Error& error) {
                item.problem = error.message();
            }
        }
        warn_of_rest();
        return std::move(result_);
    }

private:
    void warn(std::string text) { result_.warnings.push_back(std::move(text)); }

    /// What a key of storage_data says.
    struct Key {
        std::uint32_t name = 0;
        bool has_offsets = false;
        SizeList offsets;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            std::size_t hash = 2 * key.name + (key.has_offsets ? 1 : 0);
            for (const std::int64_t offset : key.offsets)
                hash = (hash ^ static_cast<std::size_t>(offset)) * 0x9e3779b97f4a7c15U + (hash >> 29);
            return hash;
        }
    };

    void read_places(const DictNode* storage) {
        if (storage == nullptr) return;
        const std::size_t had = result_.places.size();
        result_.places.reserve(had + storage->entries.size());
        places_.reserve(places_.size() + storage->entries.size());
        for (const auto& [key_value, value] : storage->entries) {
            Key key;
            std::string problem;
            Place place;
            read_key(key_value, key, problem);
            try {
                place = read_place(value);
            } catch (const Error& error) {
                if (problem.empty()) problem = error.message();
            }
            const auto [it, is_new] = places_.try_emplace(key, Known{result_.places.size(), source_});
            // What ranks that wrote by themselves both have is the same twice.
            if (!is_new && it->second.source == source_) {
                problem = fmt::format("there are two entries for it{} in storage_data",
                                      key.has_offsets ? " at " + numbers_text(key.offsets) : std::string());
            } else if (!is_new) {
                problem.clear();
            }
            if (!problem.empty()) problems_.insert_or_assign(it->second.place, std::move(problem));
            result_.places.push_back(std::move(place));
        }
    }

    void read_key(const Value& value, Key& key, std::string& problem) {
        if (const auto* record = record_of<IndexRecord>(value)) {
            key.name = record->name;
            key.has_offsets = record->has_offsets;
            key.offsets = record->offsets;
            return;
        }
        const DictNode& index = fields(value, "MetadataIndex");
        const Value name = field(index, "fqn", "MetadataIndex");
        if (!name.is(Kind::kString)) throw_damaged("an entry of storage_data is for {}", kind_text(name));
        key.name = records_.names.number(name.as_string());
        const Value* offset = index.find("offset");
        try {
            if (offset != nullptr && !offset->is_null()) {
                key.offsets = size_numbers(*offset, "offsets in storage_data");
                key.has_offsets = true;
            }
        } catch (const Error& error) {
            problem = error.message();
        }
    }

    Place read_place(const Value& value) {
        Place place;
        if (const auto* record = record_of<PlaceRecord>(value)) {
            place.file = records_.names.text(record->file);
            place.offset_bytes = record->offset_bytes;
            place.length_bytes = record->length_bytes;
            check_file(place.file);
            if (place.length_bytes == 0) throw_damaged("is an item of no bytes in '{}'", place.file);
            read_transforms(place, &record->transforms);
            return place;
        }
        const DictNode& info = fields(value, "_StorageInfo");
        const Value path = field(info, "relative_path", "_StorageInfo");
        if (!path.is(Kind::kString)) throw_damaged("its file is {}, not a name", kind_text(path));
        place.file = path.as_string();
        check_file(place.file);
        const auto count = [&](std::string_view name, std::uint64_t& number) {
            const Value given = field(info, name, "_StorageInfo");
            const auto read = given.as_int64();
            if (!read || *read < 0) throw_damaged("its {} in '{}' is {}", name, place.file, number_text(given));
            number = static_cast<std::uint64_t>(*read);
        };
        count("offset", place.offset_bytes);
        count("length", place.length_bytes);
        if (place.length_bytes == 0) throw_damaged("is an item of no bytes in '{}'", place.file);
        read_transforms(place, info.find("transform_descriptors"));
        return place;
    }

    static void check_file(const std::string& name) {
        if (name.empty()) throw_damaged("its file has no name");
        if (!is_plain_name(name))
            throw_damaged("its file is '{}', which is no name of a file in this folder", printable_name(name));
    }

    static void read_transforms(Place& place, const Value* transforms) {
        if (transforms == nullptr || transforms->is_null()) return;
        if (!transforms->is(Kind::kList) && !transforms->is(Kind::kTuple))
            throw_damaged("its transforms are {}", kind_text(*transforms));
        for (const Value& transform : transforms->sequence().items) {
            if (!transform.is(Kind::kString)) throw_damaged("one of its transforms is {}", kind_text(transform));
            place.transforms.emplace_back(transform.as_string());
        }
    }

    static std::string printable_name(std::string_view name) {
        std::string text;
        for (const char c : name) {
            const auto u = static_cast<unsigned char>(c);
            text += u < 0x20 || u == 0x7f ? fmt::format("\\x{:02x}", u) : std::string(1, c);
        }
        return text;
    }

    /// Finds where something is stored.
    std::size_t find_place(std::string_view name, const SizeList* offsets) const {
        Key key;
        const auto number = records_.names.find(name);
        if (offsets != nullptr) {
            key.has_offsets = true;
            key.offsets = *offsets;
        }
        key.name = number.value_or(0);
        const auto found = number ? places_.find(key) : places_.end();
        if (found == places_.end()) {
            if (offsets != nullptr)
                throw_damaged("storage_data has no entry for its chunk at {}", numbers_text(*offsets));
            throw_damaged("storage_data has no entry for it");
        }
        if (const auto problem = problems_.find(found->second.place); problem != problems_.end())
            throw_damaged("{}", problem->second);
        return found->second.place;
    }

    void read_item(const Value& key, const Value& value) {
        if (!key.is(Kind::kString)) throw_damaged("state_dict_metadata has {} as a name", kind_text(key));
        Item item;
        item.name = key.as_string();
        item.path = {item.name};
        const std::string_view what = class_name(value);
        item.is_tensor = what == "TensorStorageMetadata";
        if (!item.is_tensor && what != "BytesStorageMetadata")
            throw_damaged("'{}' is described by {}", escape_key(item.name), kind_text(value));
        try {
            if (item.is_tensor) read_tensor(item, value);
        } catch (const Error& error) {
            item.problem = error.message();
        }
        const auto [known, is_new] = numbers_.try_emplace(item.name, result_.items.size());
        if (is_new) {
            result_.items.push_back(std::move(item));
        } else {
            add_chunks(result_.items[known->second], item);
        }
    }

    /// What another rank says of the same name.
    static void add_chunks(Item& item, const Item& other) {
        if (item.problem.empty()) item.problem = other.problem;
        if (item.is_tensor != other.is_tensor ||
            (item.is_tensor && (item.dtype != other.dtype || item.shape != other.shape)))
            item.problem = "is another thing by the metadata of another rank";
        for (const Chunk& chunk : other.chunks) {
            const bool is_known = std::any_of(item.chunks.begin(), item.chunks.end(), [&](const Chunk& known) {
                return known.offsets == chunk.offsets && known.sizes == chunk.sizes;
            });
            if (!is_known) item.chunks.push_back(chunk);
        }
    }

    void read_tensor(Item& item, const Value& value) {
        const DictNode& tensor = fields(value, "TensorStorageMetadata");
        item.shape = size_numbers(field(tensor, "size", "TensorStorageMetadata"), "sizes");
        read_properties(item, field(tensor, "properties", "TensorStorageMetadata"));
        const Value chunks = field(tensor, "chunks", "TensorStorageMetadata");
        if (!chunks.is(Kind::kList)) throw_damaged("its chunks are {}, not a list", kind_text(chunks));
        // Each needs a place of its own: more than there are places is a list made long by repetition.
        if (chunks.sequence().items.size() > std::max<std::size_t>(result_.places.size(), 1))
            throw_damaged("has {} chunks, storage_data has {} entries in all", chunks.sequence().items.size(),
                          result_.places.size());
        item.chunks.reserve(chunks.sequence().items.size());
        for (const Value& entry : chunks.sequence().items) {
            if (const auto* record = record_of<ChunkRecord>(entry)) {
                item.chunks.push_back({record->offsets, record->sizes, 0});
                continue;
            }
            const DictNode& chunk = fields(entry, "ChunkStorageMetadata");
            item.chunks.push_back({size_numbers(field(chunk, "offsets", "ChunkStorageMetadata"), "chunk's offsets"),
                                   size_numbers(field(chunk, "sizes", "ChunkStorageMetadata"), "chunk's sizes"), 0});
        }
    }

    /// What follows from all files together: chunks that fill their tensor, and where each is stored.
    void settle(Item& item) const {
        if (!item.is_tensor) {
            item.place = find_place(item.name, nullptr);
            return;
        }
        if (std::string problem = tiling_problem(item.shape, item.chunks); !problem.empty())
            throw_damaged("{}", problem);
        std::uint64_t count = 1;
        for (const std::int64_t size : item.shape) count *= static_cast<std::uint64_t>(size);
        if (!dtype_bytes(item.dtype, count))
            throw_damaged("has {} elements of {}, whose number of bytes overflows", count, dtype_name(item.dtype));
        for (Chunk& chunk : item.chunks) chunk.place = find_place(item.name, &chunk.offsets);
    }

    void read_properties(Item& item, const Value& value) {
        if (class_name(value) != "TensorProperties" || !value.node()->recipe)
            throw_damaged("its properties are {}", kind_text(value));
        const Value& state = value.node()->recipe->state;
        if (!state.is(Kind::kTuple) || state.sequence().items.size() != 5)
            throw_damaged("its properties are no tuple of five");
        const auto& properties = state.sequence().items;
        const std::string dtype = global_name(properties[0]);
        const auto known = torch_dtype(dtype);
        if (!known) throw_damaged("has the element type '{}', which is not known", dtype);
        item.dtype = *known;
        item.requires_grad = properties[2].is(Kind::kBool) && properties[2].as_bool();
    }

    void read_paths(const DictNode& paths) {
        for (const auto& [key, value] : paths.entries) {
            if (!key.is(Kind::kString)) throw_damaged("planner_data has {} as a name", kind_text(key));
            const auto found = numbers_.find(std::string(key.as_string()));
            if (found == numbers_.end()) continue;
            if (!value.is(Kind::kTuple) && !value.is(Kind::kList))
                throw_damaged("'{}': its path is {}, not a tuple", escape_key(key.as_string()), kind_text(value));
            const auto& parts = value.sequence().items;
            if (parts.empty()) throw_damaged("'{}': its path has no parts", escape_key(key.as_string()));
            if (parts.size() > kMostParts)
                throw_damaged("'{}': its path has {} parts, the limit is {}", escape_key(key.as_string()), parts.size(),
                              kMostParts);
            std::vector<PathPart> path;
            for (const Value& part : parts) {
                if (part.is(Kind::kString)) {
                    path.emplace_back(std::string(part.as_string()));
                } else if (const auto number = part.as_int64(); number && *number >= 0 && !path.empty()) {
                    path.emplace_back(*number);
                } else {
                    throw_damaged("'{}': part {} of its path is {}", escape_key(key.as_string()), path.size(),
                                  part.is(Kind::kInt) ? "the number " + part.integer_text() : kind_text(part));
                }
            }
            result_.items[found->second].path = std::move(path);
        }
    }

    void warn_of_rest() {
        std::size_t count = 0;
        std::string first;
        for (const auto& [key, known] : places_) {
            const std::string& name = records_.names.text(key.name);
            if (numbers_.count(name) != 0) continue;
            ++count;
            if (first.empty() || name < first) first = name;
        }
        if (count > 0)
            warn(fmt::format("storage_data has {} entries for names that the checkpoint does not have ('{}')", count,
                             escape_key(first)));
    }

    void describe(const Value& root, const DictNode& metadata) {
        const bool has_version = metadata.find("version") != nullptr;
        const bool has_meta = metadata.find("storage_meta") != nullptr;
        const bool is_old = root.type().starts_with("torch.distributed._shard.");
        result_.producer = is_old        ? "torch 1.13 or older, distributed checkpoint"
                           : has_version ? "torch 2.9 or later, distributed checkpoint"
                           : has_meta    ? "torch 2.3 to 2.8, distributed checkpoint"
                                         : "torch 2.0 to 2.2, distributed checkpoint";
        const Value* version = metadata.find("version");
        if (version != nullptr && !version->is(Kind::kString))
            warn(fmt::format("the metadata's version is {}, not a text", kind_text(*version)));
        const Value* structure = metadata.find("_ckpt_structure");
        if (structure != nullptr && structure->is(Kind::kBytes)) result_.structure = structure->as_bytes();
    }

    struct Known {
        std::size_t place;
        std::size_t source;
    };
    Metadata result_;
    Records records_;
    std::size_t source_ = 0;
    std::unordered_map<Key, Known, KeyHash> places_;
    std::unordered_map<std::size_t, std::string> problems_;  // of places
    std::unordered_map<std::string, std::size_t> numbers_;   // of items, by name
};

std::string Item::shown_path() const {
    std::string text;
    for (const PathPart& part : path) {
        const auto* key = std::get_if<std::string>(&part);
        const std::string component = key != nullptr ? escape_key(*key) : std::to_string(std::get<std::int64_t>(part));
        text += (text.empty() ? "" : "/") + component;
    }
    return text;
}

std::string numbers_text(const SizeList& numbers) {
    return fmt::format("[{}]", fmt::join(numbers, ", "));
}

MetadataReader::MetadataReader() : reader_(std::make_unique<Reader>()) {}
MetadataReader::~MetadataReader() = default;
void MetadataReader::add(std::string_view pickle, const Context& context) {
    reader_->add(pickle, context);
}
Metadata MetadataReader::finish() {
    return reader_->finish();
}

}  // namespace ckpt::dcp
