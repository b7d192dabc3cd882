// Headers become tensors; their bytes stay where they are.
#include "formats/safetensors/read_document.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/safetensors/rest.hpp"
#include "formats/shared/safetensors/header.hpp"
#include "formats/shared/shards/shards.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::safetensors {
namespace {

TensorNode* make_tensor(Pool& pool, const Entry& entry, const FileRange& range) {
    auto* tensor = pool.make<TensorNode>();
    const bool is_pairs = entry.type->dtype == DType::kFloat4E2M1FNx2;
    if (entry.type->dtype && (!is_pairs || entry.shape.back() % 2 == 0)) {
        tensor->dtype = *entry.type->dtype;
        tensor->shape = entry.shape;
        // torch counts pairs of such floats, the file each of them.
        if (is_pairs) tensor->shape.back() /= 2;
    } else {
        // No element type of the model: its bytes, and beside them what they are.
        tensor->dtype = DType::kUInt8;
        tensor->shape = {static_cast<std::int64_t>(range.size_bytes)};
        tensor->set_attribute(kTypeAttribute, pool.string(std::string(entry.type->name)));
        const Value shape = pool.list();
        for (const std::int64_t size : entry.shape) shape.sequence().items.push_back(Value::integer(size));
        tensor->set_attribute(kShapeAttribute, shape);
    }
    tensor->stride = contiguous_strides(tensor->shape);
    auto storage = std::make_shared<Storage>();
    storage->blob = file_blob(range);
    tensor->storage = std::move(storage);
    return tensor;
}

/// Whether torch.distributed.checkpoint wrote the file, by itself: such names come in order, as those of its shards do.
bool is_distributed(const Header& header) {
    return header.metadata && std::any_of(header.metadata->begin(), header.metadata->end(),
                                          [](const auto& item) { return item.first == "DCP_SHARDING_INFO"; });
}

void add_tensors(Document& document, const std::shared_ptr<const File>& file, const Header& header) {
    std::vector<const Entry*> entries;
    for (const Entry& entry : header.entries) entries.push_back(&entry);
    if (is_distributed(header)) {
        std::stable_sort(entries.begin(), entries.end(),
                         [](const Entry* a, const Entry* b) { return a->name < b->name; });
    }
    for (const Entry* entry : entries) {
        const FileRange range{file, header.data_offset + entry->begin, entry->end - entry->begin};
        document.root.dict().entries.emplace_back(document.pool().string(entry->name),
                                                  Value::of(make_tensor(document.pool(), *entry, range)));
    }
}

void set_metadata(Document& document, const Metadata& metadata) {
    const Value dict = document.pool().dict();
    for (const auto& [key, value] : metadata)
        dict.dict().entries.emplace_back(document.pool().string(key), document.pool().string(value));
    document.set_attribute(kMetadataAttribute, dict);
}

/// Takes what the metadata means: aliases, and what was no tensor; the rest is kept as it is.
void take_metadata(Document& document, const Metadata& metadata) {
    take_aliases(document, metadata);
    Metadata left;
    const std::string* rest = nullptr;
    for (const auto& item : metadata) {
        if (item.first == kRestKey && is_rest(item.second)) {
            rest = &item.second;
        } else {
            left.push_back(item);
        }
    }
    set_metadata(document, left);
    if (rest != nullptr) restore_rest(document, *rest);
}

Document new_document() {
    Document document;
    document.root = document.pool().dict();
    document.format = "safetensors";
    return document;
}

/// Every name is in the file that the index says, and there is no other.
void check_shard(const std::string& file, const Header& header, const std::vector<std::string>& wanted) {
    std::unordered_set<std::string_view> names;
    for (const Entry& entry : header.entries) names.insert(entry.name);
    for (const std::string& name : wanted) {
        if (names.erase(name) == 0)
            throw_damaged("'{}' has no tensor '{}', which the index says is there", file, escape_key(name));
    }
    if (!names.empty())
        throw_damaged("'{}' has the tensor '{}', which the index lacks", file, escape_key(*names.begin()));
}

}  // namespace

Document salvage_file(const Source& source, const Context& context) {
    Header header = read_header(*source.file, context, FileEnd::kAny);
    const std::uint64_t there = source.size_bytes - header.data_offset;
    const std::uint64_t end = header.entries.empty() ? 0 : header.entries.back().end;
    std::vector<Error> damage;
    if (end != there) {
        damage.emplace_back(ErrorCode::kDamaged,
                            fmt::format("the tensors take {} bytes, but {} follow the header", end, there));
    }
    std::erase_if(header.entries, [&](const Entry& entry) {
        if (entry.end <= there) return false;
        damage.emplace_back(ErrorCode::kDamaged, fmt::format("'{}' is lost: its bytes are {} to {}, there are {}",
                                                             escape_key(entry.name), entry.begin, entry.end, there));
        return true;
    });
    const auto filled = [&] {
        Document document = new_document();
        document.source_bytes = source.size_bytes;
        add_tensors(document, source.file, header);
        return document;
    };
    Document document = filled();
    try {
        if (header.metadata) take_metadata(document, *header.metadata);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged) throw;
        // It stands for what is lost, too.
        document = filled();
        set_metadata(document, *header.metadata);
        damage.emplace_back(ErrorCode::kDamaged, "__metadata__: " + error.message());
    }
    document.damage = std::move(damage);
    return document;
}

Document read_file(const Source& source, const Context& context) {
    Document document = new_document();
    const Header header = read_header(*source.file, context);
    document.source_bytes = source.size_bytes;
    add_tensors(document, source.file, header);
    if (header.metadata) take_metadata(document, *header.metadata);
    return document;
}

Document read_sharded(const std::string& index_path, const Context& context) {
    const ShardFolder folder(index_path, context);
    Document document = new_document();
    std::uint64_t total_bytes = 0;
    try {
        for (const auto& [name, wanted] : folder.index().files) {
            const auto file = folder.open(name, context);
            try {
                const Header header = read_header(*file, context);
                check_shard(name, header, wanted);
                add_tensors(document, file, header);
                total_bytes += file->size_bytes() - header.data_offset;
                document.source_bytes += file->size_bytes();
            } catch (Error& error) {
                error.in_file(file->path());
                throw;
            }
        }
    } catch (Error& error) {
        error.in_file(index_path);
        throw;
    }
    const auto said = folder.index().total_size_bytes;
    if (said && *said != total_bytes)
        context.warn(fmt::format("the index says total_size {}, the tensors have {} bytes", *said, total_bytes));
    if (!folder.index().metadata.empty()) take_metadata(document, folder.index().metadata);
    return document;
}

}  // namespace ckpt::safetensors
