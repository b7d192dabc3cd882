// Tensors in the order of the Python package; shards as huggingface_hub cuts them.
#include "formats/safetensors/write_document.hpp"

#include <algorithm>

#include "formats/safetensors/read_document.hpp"
#include "formats/shared/shards/shards.hpp"
#include "libckpt/elements.hpp"

namespace ckpt::safetensors {
namespace {

std::uint64_t size_of(const NamedTensor& named) {
    return named.tensor->logical_bytes().value_or(0);
}

PlannedFile plan_file(std::string file_name, std::vector<NamedTensor> tensors,
                      const std::optional<Metadata>& metadata) {
    std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
        return std::pair(write_rank(*a.type), std::string_view(a.name)) <
               std::pair(write_rank(*b.type), std::string_view(b.name));
    });
    std::vector<Entry> entries;
    std::uint64_t end = 0;
    for (const NamedTensor& named : tensors) {
        entries.push_back({named.name, named.type, named.shape, end, end + size_of(named)});
        end = entries.back().end;
    }
    PlannedFile file;
    file.name = std::move(file_name);
    file.extents.push_back({LiteralExtent{header_bytes(entries, metadata)}});
    for (const NamedTensor& named : tensors) {
        if (size_of(named) > 0) file.extents.push_back({BlobExtent{logical_blob(*named.tensor)}});
    }
    return file;
}

/// The metadata that the document's file had, aliases aside: those follow from the document.
std::optional<Metadata> old_metadata(const Document& document) {
    const Value* dict = document.attribute(kMetadataAttribute);
    if (dict == nullptr || !dict->is(Kind::kDict)) return std::nullopt;
    Metadata metadata;
    for (const auto& [key, value] : dict->dict().entries) {
        if (key.is(Kind::kString) && value.is(Kind::kString)) metadata.emplace_back(key.as_string(), value.as_string());
    }
    return metadata;
}

void put(Metadata& metadata, const std::string& key, const std::string& value) {
    const auto found =
        std::find_if(metadata.begin(), metadata.end(), [&](const auto& item) { return item.first == key; });
    if (found == metadata.end()) {
        metadata.emplace_back(key, value);
    } else {
        found->second = value;
    }
}

/// Greedy, in the document's order; a tensor larger than a shard is one by itself.
std::vector<std::vector<NamedTensor>> cut(const std::vector<NamedTensor>& tensors, std::uint64_t shard_bytes) {
    std::vector<std::vector<NamedTensor>> shards;
    std::vector<NamedTensor> open;
    std::uint64_t bytes = 0;
    for (const NamedTensor& named : tensors) {
        const std::uint64_t size = size_of(named);
        if (size > shard_bytes) {
            shards.push_back({named});
            continue;
        }
        if (bytes + size > shard_bytes) {
            shards.push_back(std::exchange(open, {}));
            bytes = 0;
        }
        open.push_back(named);
        bytes += size;
    }
    if (!open.empty() || shards.empty()) shards.push_back(std::move(open));
    return shards;
}

}  // namespace

WritePlan plan_document(const Document& document, const Flat& flat, const WriteOptions& options) {
    std::optional<Metadata> metadata = old_metadata(document);
    const auto add = [&metadata](const std::string& key, const std::string& value) {
        if (!metadata) metadata.emplace();
        put(*metadata, key, value);
    };
    WritePlan plan;
    plan.is_folder = options.shard_bytes > 0;
    if (plan.is_folder) add("format", "pt");  // without it transformers refuses a folder
    for (const auto& [name, target] : flat.aliases) add(name, target);
    if (!flat.rest.empty()) add(std::string(kRestKey), flat.rest);

    const auto shards =
        plan.is_folder ? cut(flat.tensors, options.shard_bytes) : std::vector<std::vector<NamedTensor>>{flat.tensors};
    if (shards.size() == 1) {
        plan.files.push_back(plan_file(plan.is_folder ? "model.safetensors" : "", shards.front(), metadata));
        return plan;
    }
    Metadata weight_map;
    std::uint64_t total_bytes = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
        for (const NamedTensor& named : shards[i]) {
            weight_map.emplace_back(named.name, name);
            total_bytes += size_of(named);
        }
        plan.files.push_back(plan_file(name, shards[i], Metadata{{"format", "pt"}}));
    }
    PlannedFile index;
    index.name = "model" + std::string(kIndexSuffix);
    index.extents.push_back({LiteralExtent{shard_index_bytes(weight_map, total_bytes, *metadata)}});
    plan.files.push_back(std::move(index));
    return plan;
}

}  // namespace ckpt::safetensors
