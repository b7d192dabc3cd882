// Attributes become numbers as soon as they are set.
#include "formats/dcp/records.hpp"

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::size_t kMostDimensions = 64;  // as torch

bool is_memory_format(const Recipe& recipe) {
    if (recipe.how != Recipe::How::kCall || !recipe.args.is(Kind::kTuple)) return false;
    const auto& args = recipe.args.sequence().items;
    const std::string name = args.empty() ? std::string() : global_name(args[0]);
    return args.size() == 2 && name.starts_with("torch.distributed.") && name.ends_with("MEM_FORMAT_ENCODING") &&
           args[1].is(Kind::kString) && args[1].as_string().starts_with("TORCH_");
}

template <typename Record>
Node* make_record(Pool& pool, std::unique_ptr<Recipe>& recipe) {
    auto* node = pool.make<Record>();
    node->type = recipe->callable;
    recipe.reset();
    return node;
}

/// The numbers of a tuple that is one; nullopt for what is to be complained of.
std::optional<SizeList> plain_numbers(const Value* value) {
    if (value == nullptr || !value->is(Kind::kTuple) || value->sequence().items.size() > kMostDimensions)
        return std::nullopt;
    SizeList numbers;
    for (const Value& item : value->sequence().items) {
        const auto number = item.as_int64();
        if (!number) return std::nullopt;
        numbers.push_back(*number);
    }
    return numbers;
}

}  // namespace

std::uint32_t Names::number(std::string_view text) {
    if (const auto known = find(text)) return *known;
    const auto number = static_cast<std::uint32_t>(texts_.size());
    numbers_.emplace(texts_.emplace_back(text), number);
    return number;
}

std::optional<std::uint32_t> Names::find(std::string_view text) const {
    const auto found = numbers_.find(text);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

Node* RecordHooks::construct(Pool& pool, std::unique_ptr<Recipe>& recipe) {
    if (recipe->callable == "builtins.getattr" && !is_memory_format(*recipe)) is_getattr_odd_ = true;
    const auto& args = recipe->args.sequence().items;
    if (recipe->how == Recipe::How::kCall && recipe->callable == "torch.Size") {
        if (args.size() != 1 || !args[0].is(Kind::kTuple)) return nullptr;
        Node* tuple = args[0].node();
        recipe.reset();
        return tuple;
    }
    if (recipe->how != Recipe::How::kNew || !args.empty() || !recipe->kwargs.is_null()) return nullptr;
    const std::string_view name = class_name(recipe->callable);
    if (name == "ChunkStorageMetadata") return make_record<ChunkRecord>(pool, recipe);
    if (name == "MetadataIndex") return make_record<IndexRecord>(pool, recipe);
    if (name == "_StorageInfo") return make_record<PlaceRecord>(pool, recipe);
    return nullptr;
}

bool RecordHooks::build(Pool&, Node& target, Value state) {
    if (target.kind != Kind::kObject || target.recipe) return false;
    if (state.is(Kind::kDict) && fill(target, state.dict())) return true;
    // Not as it should be: kept as it is, for the reader to say what is wrong.
    target.recipe = std::make_unique<Recipe>();
    target.recipe->how = Recipe::How::kNew;
    target.recipe->callable = target.type;
    target.recipe->state = state;
    return true;
}

bool RecordHooks::fill(Node& target, const DictNode& state) {
    if (auto* chunk = dynamic_cast<ChunkRecord*>(&target)) {
        auto offsets = plain_numbers(state.find("offsets"));
        auto sizes = plain_numbers(state.find("sizes"));
        if (!offsets || !sizes) return false;
        chunk->offsets = std::move(*offsets);
        chunk->sizes = std::move(*sizes);
        return chunk->is_set = true;
    }
    if (auto* index = dynamic_cast<IndexRecord*>(&target)) {
        const Value* name = state.find("fqn");
        const Value* offset = state.find("offset");
        if (name == nullptr || !name->is(Kind::kString)) return false;
        if (offset != nullptr && !offset->is_null()) {
            auto offsets = plain_numbers(offset);
            if (!offsets) return false;
            index->offsets = std::move(*offsets);
            index->has_offsets = true;
        }
        index->name = records_.names.number(name->as_string());
        return index->is_set = true;
    }
    auto* place = dynamic_cast<PlaceRecord*>(&target);
    const Value* file = state.find("relative_path");
    const Value* offset = state.find("offset");
    const Value* length = state.find("length");
    const Value* transforms = state.find("transform_descriptors");
    if (place == nullptr || file == nullptr || !file->is(Kind::kString) || offset == nullptr || length == nullptr)
        return false;
    // A list is not used again by the reader; a tuple would be.
    if (transforms != nullptr && !transforms->is_null() && !transforms->is(Kind::kList)) return false;
    const auto begin = offset->as_int64(), size = length->as_int64();
    if (!begin || !size || *begin < 0 || *size < 0) return false;
    place->file = records_.names.number(file->as_string());
    place->offset_bytes = static_cast<std::uint64_t>(*begin);
    place->length_bytes = static_cast<std::uint64_t>(*size);
    if (transforms != nullptr) place->transforms = *transforms;
    return place->is_set = true;
}

PickleBounds RecordHooks::bounds(std::uint64_t stream_bytes) const {
    // A chunk with its place takes 100 bytes or more, makes three records and stands in one list; a value takes 57 with
    // a name of one letter, and stands in eight entries.
    constexpr std::uint64_t kMostStack = std::uint64_t{1} << 18;
    constexpr std::uint64_t kLeast = std::uint64_t{1} << 16;
    PickleBounds bounds;
    bounds.max_stack = kMostStack;
    bounds.max_nodes = kLeast + stream_bytes / 8;
    bounds.max_items = kLeast + stream_bytes / 16;
    bounds.max_entries = kLeast + stream_bytes / 6;
    return bounds;
}

std::string_view class_name(std::string_view type) {
    for (const std::string_view module :
         {"torch.distributed.checkpoint.", "torch.distributed._shard.checkpoint.", "torch.distributed._shard."}) {
        if (type.starts_with(module)) return type.substr(type.rfind('.') + 1);
    }
    return {};
}

std::string_view class_name(const Value& value) {
    return value.is(Kind::kObject) ? class_name(value.type()) : std::string_view();
}

std::string global_name(const Value& value) {
    const Node* node = value.node();
    if (!value.is(Kind::kObject) || !node->recipe || node->recipe->how != Recipe::How::kGlobal) return {};
    return node->recipe->callable;
}

std::string kind_text(const Value& value) {
    if (!value.type().empty()) return fmt::format("a {}", value.type());
    return fmt::format("a {}", kind_name(value.kind()));
}

std::string number_text(const Value& value) {
    return value.is(Kind::kInt) ? value.integer_text() : kind_text(value);
}

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

const DictNode* dict_field(const DictNode& dict, std::string_view name) {
    const Value* value = dict.find(name);
    if (value == nullptr || value->is_null()) return nullptr;
    if (!value->is(Kind::kDict)) throw_damaged("'{}' is {}, not a dict", name, kind_text(*value));
    return &value->dict();
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

}  // namespace ckpt::dcp
