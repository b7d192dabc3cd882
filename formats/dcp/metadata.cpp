// The pickled dataclasses of torch.distributed.checkpoint, read as data.
#include "formats/dcp/metadata.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "formats/dcp/tiling.hpp"
#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::size_t kMostDimensions = 64;  // as torch
constexpr std::size_t kMostParts = 1000;     // of a path

/// The last component of a class's name, where its module is torch's for this; else empty (README: "The metadata").
std::string_view class_name(const Value& value) {
    if (!value.is(Kind::kObject)) return {};
    const std::string_view type = value.type();
    for (const std::string_view module :
         {"torch.distributed.checkpoint.", "torch.distributed._shard.checkpoint.", "torch.distributed._shard."}) {
        if (type.starts_with(module)) return type.substr(type.rfind('.') + 1);
    }
    return {};
}

std::string kind_text(const Value& value) {
    if (!value.type().empty()) return fmt::format("a {}", value.type());
    return fmt::format("a {}", kind_name(value.kind()));
}

/// The attributes that were set on an instance: those of its class with this name.
const DictNode& fields(const Value& value, std::string_view name) {
    if (class_name(value) != name) throw_damaged("{} stands where a {} is due", kind_text(value), name);
    const auto& recipe = value.node()->recipe;
    if (!recipe || !recipe->state.is(Kind::kDict)) throw_damaged("a {} without attributes", name);
    return recipe->state.dict();
}

Value field(const DictNode& dict, std::string_view name, std::string_view owner) {
    const Value* value = dict.find(name);
    if (value == nullptr) throw_damaged("a {} has no '{}'", owner, name);
    return *value;
}

/// Wants a dict: an empty one where torch wrote none.
const DictNode* dict_field(const DictNode& dict, std::string_view name) {
    const Value* value = dict.find(name);
    if (value == nullptr || value->is_null()) return nullptr;
    if (!value->is(Kind::kDict)) throw_damaged("'{}' is {}, not a dict", name, kind_text(*value));
    return &value->dict();
}

std::string number_text(const Value& value) {
    return value.is(Kind::kInt) ? value.integer_text() : kind_text(value);
}

SizeList size_numbers(const Value& value, std::string_view what) {
    if (!value.is(Kind::kTuple) && !value.is(Kind::kList))
        throw_damaged("its {} are {}, not a torch.Size", what, kind_text(value));
    SizeList numbers;
    for (const Value& item : value.sequence().items) {
        const auto number = item.as_int64();
        if (!number) throw_damaged("its {} hold {}, not a 64-bit number", what, number_text(item));
        numbers.push_back(*number);
    }
    if (numbers.size() > kMostDimensions)
        throw_damaged("its {} have {} dimensions, torch has {} at most", what, numbers.size(), kMostDimensions);
    return numbers;
}

/// A class that is only named.
std::string global_name(const Value& value) {
    const Node* node = value.node();
    if (!value.is(Kind::kObject) || !node->recipe || node->recipe->how != Recipe::How::kGlobal) return {};
    return node->recipe->callable;
}

bool is_plain_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

/// torch.Size makes the plain tuple that it is; the rest stays inert.
class Hooks final : public PickleReaderHooks {
public:
    Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe) override {
        if (recipe->callable == "builtins.getattr" && !is_memory_format(*recipe)) is_getattr_odd_ = true;
        if (recipe->how != Recipe::How::kCall || recipe->callable != "torch.Size") return nullptr;
        const auto& args = recipe->args.sequence().items;
        if (args.size() != 1 || !args[0].is(Kind::kTuple)) return nullptr;
        auto* node = pool.make<SequenceNode>(Kind::kTuple);
        node->items = args[0].sequence().items;
        recipe.reset();  // there are three for each chunk
        return node;
    }

    /// Whether getattr is called for anything but what early Pythons 3.11 make of an enum's member.
    bool is_getattr_odd() const noexcept { return is_getattr_odd_; }

private:
    static bool is_memory_format(const Recipe& recipe) {
        if (recipe.how != Recipe::How::kCall || !recipe.args.is(Kind::kTuple)) return false;
        const auto& args = recipe.args.sequence().items;
        const std::string name = args.empty() ? std::string() : global_name(args[0]);
        return args.size() == 2 && name.starts_with("torch.distributed.") && name.ends_with("MEM_FORMAT_ENCODING") &&
               args[1].is(Kind::kString) && args[1].as_string().starts_with("TORCH_");
    }
    bool is_getattr_odd_ = false;
};

}  // namespace

class MetadataReader::Reader {
public:
    /// One file: the only one, or that of one rank among several.
    void add(std::string_view pickle, const Context& context) {
        ++source_;
        Pool pool;
        Hooks hooks;
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

    static std::string place_key(std::string_view name, const SizeList* offsets) {
        std::string key(name);
        key += '\0';
        if (offsets == nullptr) return key;
        key += '@';
        for (const std::int64_t offset : *offsets) key += fmt::format("{},", offset);
        return key;
    }

    void read_places(const DictNode* storage) {
        if (storage == nullptr) return;
        for (const auto& [key, value] : storage->entries) {
            const DictNode& index = fields(key, "MetadataIndex");
            const Value name = field(index, "fqn", "MetadataIndex");
            if (!name.is(Kind::kString)) throw_damaged("an entry of storage_data is for {}", kind_text(name));
            const Value* offset = index.find("offset");
            std::optional<SizeList> offsets;
            std::string problem;
            Place place;
            try {
                if (offset != nullptr && !offset->is_null()) offsets = size_numbers(*offset, "offsets in storage_data");
                place = read_place(value);
            } catch (const Error& error) {
                problem = error.message();
            }
            const std::string text = place_key(name.as_string(), offsets ? &*offsets : nullptr);
            const auto [it, is_new] = places_.try_emplace(
                text, Known{std::string(name.as_string()), result_.places.size(), source_, problem});
            // What ranks that wrote by themselves both have is the same twice.
            if (!is_new && it->second.source == source_) {
                it->second.problem = fmt::format("there are two entries for it{} in storage_data",
                                                 offsets ? " at " + numbers_text(*offsets) : std::string());
            }
            result_.places.push_back(std::move(place));
        }
    }

    static Place read_place(const Value& value) {
        const DictNode& info = fields(value, "_StorageInfo");
        const Value path = field(info, "relative_path", "_StorageInfo");
        if (!path.is(Kind::kString)) throw_damaged("its file is {}, not a name", kind_text(path));
        Place place;
        place.file = path.as_string();
        if (place.file.empty()) throw_damaged("its file has no name");
        if (!is_plain_name(place.file)) {
            throw_damaged("its file is '{}', which is no name of a file in this folder", printable_name(place.file));
        }
        const auto count = [&](std::string_view name, std::uint64_t& number) {
            const Value given = field(info, name, "_StorageInfo");
            const auto read = given.as_int64();
            if (!read || *read < 0) throw_damaged("its {} in '{}' is {}", name, place.file, number_text(given));
            number = static_cast<std::uint64_t>(*read);
        };
        count("offset", place.offset_bytes);
        count("length", place.length_bytes);
        if (place.length_bytes == 0) throw_damaged("is an item of no bytes in '{}'", place.file);
        const Value* transforms = info.find("transform_descriptors");
        if (transforms == nullptr || transforms->is_null()) return place;
        if (!transforms->is(Kind::kList) && !transforms->is(Kind::kTuple))
            throw_damaged("its transforms are {}", kind_text(*transforms));
        for (const Value& transform : transforms->sequence().items) {
            if (!transform.is(Kind::kString)) throw_damaged("one of its transforms is {}", kind_text(transform));
            place.transforms.emplace_back(transform.as_string());
        }
        return place;
    }

    static std::string printable_name(std::string_view name) {
        std::string text;
        for (const char c : name) {
            const auto u = static_cast<unsigned char>(c);
            text += u < 0x20 || u == 0x7f ? fmt::format("\\x{:02x}", u) : std::string(1, c);
        }
        return text;
    }

    /// Finds where something is stored, and marks it as used.
    std::size_t find_place(std::string_view name, const SizeList* offsets) const {
        const auto found = places_.find(place_key(name, offsets));
        if (found == places_.end()) {
            if (offsets != nullptr)
                throw_damaged("storage_data has no entry for its chunk at {}", numbers_text(*offsets));
            throw_damaged("storage_data has no entry for it");
        }
        if (!found->second.problem.empty()) throw_damaged("{}", found->second.problem);
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
        for (const Value& entry : chunks.sequence().items) {
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
            if (numbers_.count(known.name) != 0) continue;
            ++count;
            if (first.empty() || known.name < first) first = known.name;
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
        std::string name;
        std::size_t place;
        std::size_t source;
        std::string problem;
    };
    Metadata result_;
    std::size_t source_ = 0;
    std::unordered_map<std::string, Known> places_;         // by name and offsets
    std::unordered_map<std::string, std::size_t> numbers_;  // of items, by name
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
