// The dataclasses of torch.distributed.checkpoint as inert objects, pickled.
#include "formats/dcp/write_metadata.hpp"

#include <map>

#include "formats/shared/pickle/pickle.hpp"

namespace ckpt::dcp {
namespace {

constexpr int kProtocol = 4;  // Python's default
constexpr std::string_view kModule = "torch.distributed.checkpoint.metadata.";
constexpr std::string_view kVersion = "1.0.0";

class Writer {
public:
    std::string run(const Metadata& metadata) {
        const Value items = pool_.dict(), paths = pool_.dict(), places = pool_.dict();
        for (const Item& item : metadata.items) {
            const Value name = pool_.string(item.name);
            items.dict().entries.emplace_back(name, item.is_tensor ? tensor(item) : make("BytesStorageMetadata", {}));
            std::vector<Value> parts;
            for (const PathPart& part : item.path) {
                const auto* key = std::get_if<std::string>(&part);
                parts.push_back(key != nullptr ? text(*key) : Value::integer(std::get<std::int64_t>(part)));
            }
            paths.dict().entries.emplace_back(name, pool_.tuple(std::move(parts)));
            if (!item.is_tensor)
                places.dict().entries.emplace_back(index(name, Value::null(), nullptr),
                                                   place(metadata.places[item.place]));
            for (std::size_t i = 0; i < item.chunks.size(); ++i) {
                places.dict().entries.emplace_back(
                    index(name, Value::integer(static_cast<std::int64_t>(i)), &item.chunks[i].offsets),
                    place(metadata.places[item.chunks[i].place]));
            }
        }
        std::vector<std::pair<std::string_view, Value>> fields = {
            {"state_dict_metadata", items},
            {"planner_data", paths},
            {"storage_data", places},
            {"storage_meta",
             make("StorageMeta", {{"checkpoint_id", {}}, {"save_id", {}}, {"load_id", {}}, {"modules", pool_.list()}})},
            {"version", text(std::string(kVersion))}};
        if (!metadata.structure.empty()) fields.emplace_back("_ckpt_structure", pool_.bytes(metadata.structure));
        PickleWriterHooks hooks;
        return write_pickle(make("Metadata", std::move(fields)), kProtocol, hooks);
    }

private:
    /// Text that is the same stands in the pickle once.
    Value text(const std::string& text) {
        Value& value = texts_[text];
        if (value.is_null()) value = pool_.string(text);
        return value;
    }
    Value global(const std::string& name) {
        Value& value = globals_[name];
        if (value.is_null()) {
            auto* node = pool_.make<ObjectNode>();
            node->recipe = std::make_unique<Recipe>();
            node->recipe->how = Recipe::How::kGlobal;
            node->recipe->callable = name;
            value = Value::of(node);
        }
        return value;
    }
    Value call(const std::string& name, std::vector<Value> args) {
        auto* node = pool_.make<ObjectNode>();
        node->type = name;
        node->recipe = std::make_unique<Recipe>();
        node->recipe->callable = name;
        node->recipe->callee = global(name);
        node->recipe->args = pool_.tuple(std::move(args));
        return Value::of(node);
    }
    Value instance(const std::string& name, Value state) {
        auto* node = pool_.make<ObjectNode>();
        node->type = name;
        node->recipe = std::make_unique<Recipe>();
        node->recipe->how = Recipe::How::kNew;
        node->recipe->callable = name;
        node->recipe->callee = global(name);
        node->recipe->args = pool_.tuple();
        node->recipe->state = state;
        return Value::of(node);
    }
    Value make(std::string_view name, std::vector<std::pair<std::string_view, Value>> fields,
               std::string_view module = kModule) {
        Value state;
        if (!fields.empty()) {
            state = pool_.dict();
            for (const auto& [key, value] : fields) state.dict().entries.emplace_back(text(std::string(key)), value);
        }
        return instance(std::string(module) + std::string(name), state);
    }
    Value size(const SizeList& numbers) {
        std::vector<Value> items;
        for (const std::int64_t number : numbers) items.push_back(Value::integer(number));
        return call("torch.Size", {pool_.tuple(std::move(items))});
    }
    Value tensor(const Item& item) {
        if (layout_.is_null()) {
            layout_ = call("torch.serialization._get_layout", {pool_.string("torch.strided")});
            format_ = call(std::string(kModule) + "_MEM_FORMAT_ENCODING", {Value::integer(0)});
        }
        const Value properties =
            instance(std::string(kModule) + "TensorProperties",
                     pool_.tuple({global("torch." + std::string(dtype_name(item.dtype))), layout_,
                                  Value::boolean(item.requires_grad), format_, Value::boolean(false)}));
        const Value chunks = pool_.list();
        for (const Chunk& chunk : item.chunks)
            chunks.sequence().items.push_back(
                make("ChunkStorageMetadata", {{"offsets", size(chunk.offsets)}, {"sizes", size(chunk.sizes)}}));
        return make("TensorStorageMetadata",
                    {{"properties", properties}, {"size", size(item.shape)}, {"chunks", chunks}});
    }
    Value index(const Value& name, const Value& number, const SizeList* offsets) {
        // torch has no offset for what is no tensor.
        if (offsets == nullptr) return make("MetadataIndex", {{"fqn", name}, {"index", number}});
        return make("MetadataIndex", {{"fqn", name}, {"index", number}, {"offset", size(*offsets)}});
    }
    Value place(const Place& place) {
        return make("_StorageInfo",
                    {{"relative_path", text(place.file)},
                     {"offset", Value::unsigned_integer(place.offset_bytes)},
                     {"length", Value::unsigned_integer(place.length_bytes)}},
                    "torch.distributed.checkpoint.filesystem.");
    }

    Pool pool_;
    std::map<std::string, Value> texts_, globals_;
    Value layout_, format_;
};

}  // namespace

std::string metadata_bytes(const Metadata& metadata) {
    return Writer().run(metadata);
}

}  // namespace ckpt::dcp
