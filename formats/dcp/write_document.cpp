// Items one behind the other in each shard, and the metadata that says where.
#include "formats/dcp/write_document.hpp"

#include <algorithm>

#include "formats/dcp/shards.hpp"
#include "formats/dcp/structure.hpp"
#include "formats/dcp/write_metadata.hpp"
#include "formats/shared/json/json_cursor.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/safetensors/header.hpp"
#include "formats/shared/torch/archive_writer.hpp"
#include "formats/shared/torch/lower.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"
#include "libckpt/path.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::dcp {
namespace {

constexpr int kProtocol = 2;
// What is neither model nor optimizer stands in meta.pt as well, unless it is large.
constexpr std::uint64_t kMostRestBytes = std::uint64_t{1} << 20;

/// The rows that a shard has: torch.chunk gives equal parts, the last of them shorter, and none to those behind.
struct Rows {
    std::int64_t begin = 0;
    std::int64_t count = 0;
};
Rows rows_of(std::int64_t rows, std::uint64_t shards, std::uint64_t shard) {
    const auto all = static_cast<std::uint64_t>(rows);
    const std::uint64_t part = all / shards + (all % shards != 0 ? 1 : 0);
    if (part == 0 || shard > all / part) return {rows, 0};
    const std::uint64_t begin = shard * part;
    return {static_cast<std::int64_t>(begin), static_cast<std::int64_t>(std::min(part, all - begin))};
}

/// What a shard has of a tensor: offsets, sizes and its elements.
struct Part {
    std::uint64_t shard = 0;
    SizeList offsets, sizes;
    BlobPtr elements;
};
std::vector<Part> parts_of(const TensorNode& tensor, std::uint64_t shards) {
    const BlobPtr whole = logical_blob(tensor);
    std::vector<Part> parts;
    const bool is_cut = !tensor.shape.empty() && tensor.shape.front() > 0;
    if (!is_cut) {
        parts.push_back({0, SizeList(tensor.shape.size()), tensor.shape, whole});
        return parts;
    }
    const std::uint64_t row_bytes = whole->size_bytes() / static_cast<std::uint64_t>(tensor.shape.front());
    for (std::uint64_t shard = 0; shard < shards; ++shard) {
        const Rows rows = rows_of(tensor.shape.front(), shards, shard);
        if (rows.count == 0) break;
        Part part{shard, SizeList(tensor.shape.size()), tensor.shape, nullptr};
        part.offsets[0] = rows.begin;
        part.sizes[0] = rows.count;
        part.elements = slice_blob(whole, static_cast<std::uint64_t>(rows.begin) * row_bytes,
                                   static_cast<std::uint64_t>(rows.count) * row_bytes);
        parts.push_back(std::move(part));
    }
    return parts;
}

/// A value as an archive of torch.save.
PlannedFile archive_of(const Value& value, std::string prefix) {
    Document document;
    document.root = value;
    TorchLowering lowering(document);
    std::string pickle = write_pickle(value, lowering.needs_protocol_4() ? 4 : kProtocol, lowering);
    std::vector<BlobPtr> storages;
    for (const auto& storage : lowering.storages()) storages.push_back(storage->blob);
    ArchiveOptions options;
    options.prefix = std::move(prefix);
    return plan_archive(std::move(pickle), storages, {}, options);
}

/// Items one behind the other.
class ShardFile {
public:
    explicit ShardFile(std::string name) { file_.name = std::move(name); }

    Place add(PlannedFile archive) {
        Place place{file_.name, bytes_, 0, {}};
        const std::size_t first = file_.extents.size(), count = archive.extents.size();
        for (Extent& extent : archive.extents) {
            place.length_bytes += planned_bytes(extent);
            // An archive knows its own extents alone.
            if (auto* late = std::get_if<LateExtent>(&extent.content)) {
                late->make = [make = std::move(late->make), first, count](std::span<const ExtentResult> results) {
                    return make(results.subspan(first, count));
                };
            }
            file_.extents.push_back(std::move(extent));
        }
        bytes_ += place.length_bytes;
        return place;
    }
    bool empty() const noexcept { return file_.extents.empty(); }
    PlannedFile take() { return std::move(file_); }

private:
    PlannedFile file_;
    std::uint64_t bytes_ = 0;
};

PlannedFile literal_file(std::string name, std::string bytes) {
    PlannedFile file;
    file.name = std::move(name);
    file.extents.push_back({LiteralExtent{std::move(bytes)}, false});
    return file;
}

std::uint64_t tensor_bytes(const Value& value) {
    std::uint64_t bytes = 0;
    walk(value, [&](const Visit& visit) {
        if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr) {
            const std::uint64_t size = visit.value.tensor().logical_bytes().value_or(0);
            if (__builtin_add_overflow(bytes, size, &bytes)) bytes = ~std::uint64_t{0};
        }
        return WalkStep::kInto;
    });
    return bytes;
}

/// What Lightning wants beside the metadata: the entries that are neither model nor optimizer. nullopt where the
/// document is a bare state dict.
std::optional<Value> lightning_rest(Pool& pool, const Document& document) {
    const Roles roles = classify_roles(document);
    if (roles.whole_is_model) return std::nullopt;
    const Value rest = pool.dict();
    bool has_state = false;
    for (const auto& [key, value] : document.root.dict().entries) {
        const Role role = roles.role_of(key_text(key));
        const bool is_state = role == Role::kModel || role == Role::kOptimizer;
        has_state = has_state || (is_state && value.is(Kind::kDict));
        if (!is_state && tensor_bytes(value) <= kMostRestBytes) rest.dict().entries.emplace_back(key, value);
    }
    if (!has_state) return std::nullopt;
    return rest;
}

void refuse(const std::vector<Loss>& losses, const WriteOptions& options) {
    if (losses.empty() || options.allow_loss) return;
    throw_error(ErrorCode::kRefused, "'{}' {}", losses.front().path, losses.front().what);
}

void refuse_compression(const WriteOptions& options) {
    if (!options.compress.empty())
        throw Error(ErrorCode::kRefused, "distributed checkpoints are not compressed; --compress is for other layouts");
}

std::uint64_t shard_count(const WriteOptions& options) {
    return std::max<std::uint64_t>(options.shard_count, 1);
}

void note_views(const FlatDocument& flat, const Context& context) {
    if (flat.views > 0)
        context.note(
            fmt::format("{} tensors are views of storages that others see as well: each is written whole", flat.views));
}

}  // namespace

std::vector<Loss> folder_losses(const Document& document) {
    FlatDocument flat = flatten(document);
    for (const FlatItem& item : flat.items) {
        if (item.is_tensor || !item.value.is(Kind::kTensor)) continue;
        if (const auto what = TorchLowering::obstacle(item.value.tensor()); !what.empty())
            flat.losses.push_back({item.shown_path, std::string(what)});
    }
    return flat.losses;
}

WritePlan plan_folder(const Document& document, const WriteOptions& options, const Context& context) {
    refuse_compression(options);
    refuse(folder_losses(document), options);
    const FlatDocument flat = flatten(document);
    note_views(flat, context);
    std::vector<ShardFile> shards;
    for (std::uint64_t shard = 0; shard < shard_count(options); ++shard)
        shards.emplace_back(fmt::format("__{}_0.distcp", shard));
    Metadata metadata;
    std::vector<std::size_t> numbers(flat.items.size());  // of flat items in the metadata
    OutputBound bound(options.max_output_bytes);
    Pool pool;
    const auto take = [&](const FlatItem& from) -> Item& {
        metadata.items.emplace_back();
        Item& item = metadata.items.back();
        item.name = from.name;
        item.path = from.path;
        item.is_tensor = from.is_tensor;
        return item;
    };
    // As torch does: values first, then tensors. The metadata has all in the document's order.
    std::vector<std::size_t> places(flat.items.size());
    for (std::size_t i = 0; i < flat.items.size(); ++i) {
        if (flat.items[i].is_tensor) continue;
        context.check_cancelled();
        if (flat.items[i].value.is(Kind::kTensor) && !TorchLowering::obstacle(flat.items[i].value.tensor()).empty()) {
            places[i] = ~std::size_t{0};
            continue;  // a loss that is allowed
        }
        places[i] = metadata.places.size();
        metadata.places.push_back(shards.front().add(archive_of(flat.items[i].value, "archive")));
        bound.add(metadata.places.back().length_bytes);
    }
    for (std::size_t i = 0; i < flat.items.size(); ++i) {
        const FlatItem& from = flat.items[i];
        if (!from.is_tensor) {
            if (places[i] != ~std::size_t{0}) take(from).place = places[i];
            continue;
        }
        context.check_cancelled();
        numbers[i] = metadata.items.size();
        Item& item = take(from);
        const TensorNode& tensor = from.value.tensor();
        item.dtype = tensor.dtype;
        item.requires_grad = tensor.requires_grad;
        item.shape = tensor.shape;
        if (from.same != i) {  // tied: the same items under another name
            item.chunks = metadata.items[numbers[from.same]].chunks;
            continue;
        }
        for (Part& part : parts_of(tensor, shards.size())) {
            auto storage = std::make_shared<Storage>();
            storage->blob = std::move(part.elements);
            auto* chunk = pool.make<TensorNode>();
            chunk->dtype = tensor.dtype;
            chunk->shape = part.sizes;
            chunk->stride = contiguous_strides(part.sizes);
            chunk->storage = std::move(storage);
            item.chunks.push_back({part.offsets, part.sizes, metadata.places.size()});
            metadata.places.push_back(shards[part.shard].add(archive_of(Value::of(chunk), "archive")));
            bound.add(metadata.places.back().length_bytes);
        }
    }
    if (flat.needs_structure) metadata.structure = structure_bytes(document, flat.names);
    WritePlan plan;
    plan.is_folder = true;
    for (ShardFile& shard : shards) {
        if (!shard.empty()) plan.files.push_back(shard.take());
    }
    if (const auto rest = lightning_rest(pool, document)) {
        plan.files.push_back(archive_of(*rest, "meta"));
        plan.files.back().name = "meta.pt";
    }
    plan.files.push_back(literal_file(".metadata", metadata_bytes(metadata)));
    return plan;
}

std::vector<Loss> shard_losses(const Document& document) {
    FlatDocument flat = flatten(document);
    for (const FlatItem& item : flat.items) {
        if (!item.is_tensor) {
            flat.losses.push_back(
                {item.shown_path, fmt::format("is {} {}; the layout holds tensors only",
                                              item.value.is(Kind::kInt) || item.value.is(Kind::kObject) ? "an" : "a",
                                              kind_name(item.value.kind()))});
        } else if (safetensors::element_type(item.value.tensor().dtype) == nullptr) {
            flat.losses.push_back({item.shown_path, fmt::format("is {}, which safetensors cannot hold",
                                                                dtype_name(item.value.tensor().dtype))});
        }
    }
    for (Loss& loss : attribute_losses(document, {"dcp:", "safetensors:", "torch:", "jld2:", "npy:", "pickle:"},
                                       "a folder of safetensors files"))
        flat.losses.push_back(std::move(loss));
    return flat.losses;
}

WritePlan plan_shards(const Document& document, const WriteOptions& options, const Context& context) {
    namespace st = safetensors;
    refuse_compression(options);
    refuse(shard_losses(document), options);
    const FlatDocument flat = flatten(document);
    note_views(flat, context);
    struct Stored {
        st::Entry entry;
        SizeList offsets;
        BlobPtr elements;
    };
    std::vector<std::vector<Stored>> shards(shard_count(options));
    for (const FlatItem& item : flat.items) {
        const st::ElementType* type = item.is_tensor ? st::element_type(item.value.tensor().dtype) : nullptr;
        if (type == nullptr) continue;
        for (Part& part : parts_of(item.value.tensor(), shards.size())) {
            Stored stored{{item.name, type, part.sizes, 0, 0}, part.offsets, part.elements};
            // torch counts pairs of such floats, the file each of them.
            if (item.value.tensor().dtype == DType::kFloat4E2M1FNx2 && !stored.entry.shape.empty())
                stored.entry.shape.back() *= 2;
            shards[part.shard].push_back(std::move(stored));
        }
    }
    while (shards.size() > 1 && shards.back().empty()) shards.pop_back();
    WritePlan plan;
    plan.is_folder = true;
    for (std::size_t shard = 0; shard < shards.size(); ++shard) {
        auto& all = shards[shard];
        std::sort(all.begin(), all.end(), [](const Stored& a, const Stored& b) {
            return std::pair(st::write_rank(*a.entry.type), std::string_view(a.entry.name)) <
                   std::pair(st::write_rank(*b.entry.type), std::string_view(b.entry.name));
        });
        std::string info = "{";
        std::vector<st::Entry> entries;
        std::uint64_t end = 0;
        for (Stored& stored : all) {
            info += fmt::format("{}{}: {{\"saved_offsets\": {}}}", info.size() > 1 ? ", " : "",
                                json_quoted(stored.entry.name), numbers_text(stored.offsets));
            stored.entry.begin = end;
            end += stored.elements->size_bytes();
            stored.entry.end = end;
            entries.push_back(stored.entry);
        }
        PlannedFile file;
        file.name = fmt::format("shard-{:05}-model-00001-of-00001.safetensors", shard + 1);
        file.extents.push_back(
            {LiteralExtent{st::header_bytes(entries, st::Metadata{{std::string(kShardingInfo), info + "}"},
                                                                  {std::string(kVersion), "1.0"},
                                                                  {"format", "pt"}})},
             false});
        for (Stored& stored : all) {
            if (stored.elements->size_bytes() > 0) file.extents.push_back({BlobExtent{stored.elements}, false});
        }
        plan.files.push_back(std::move(file));
    }
    return plan;
}

}  // namespace ckpt::dcp
