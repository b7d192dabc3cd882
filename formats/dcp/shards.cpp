// Headers of all ranks' files, and the offsets in their metadata.
#include "formats/dcp/shards.hpp"

#include <algorithm>
#include <unordered_map>

#include "formats/dcp/assembled_blob.hpp"
#include "formats/dcp/folder.hpp"
#include "formats/dcp/tiling.hpp"
#include "formats/shared/json/json_cursor.hpp"
#include "formats/shared/safetensors/header.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::dcp {
namespace {

namespace st = safetensors;

constexpr std::string_view kBegin = "shard-";
constexpr std::string_view kEnd = ".safetensors";
constexpr std::size_t kDigits = 5;

/// "shard-00001": its digits, or 0.
std::size_t rank_of(std::string_view name) noexcept {
    std::size_t rank = 0;
    for (std::size_t i = kBegin.size(); i < kBegin.size() + kDigits; ++i)
        rank = rank * 10 + static_cast<std::size_t>(name[i] - '0');
    return rank;
}

struct Stored {
    Chunk chunk;
    FileRange range;
};

struct Tensor {
    std::string name;
    DType dtype = DType::kFloat32;
    SizeList shape;
    std::vector<Stored> stored;
};

using Offsets = std::unordered_map<std::string, SizeList>;

/// {"name": {"saved_offsets": [0, 4]}}
Offsets read_offsets(std::string_view text) {
    Offsets offsets;
    JsonCursor json(text);
    json.object([&](const std::string& name) {
        SizeList& list = offsets[name];
        json.object([&](const std::string& member) {
            if (member != "saved_offsets") {
                json.skip();
                return;
            }
            json.list([&] {
                const std::uint64_t offset = json.count("saved_offsets");
                if (offset >> 62 != 0) json.fail("an offset is too large");
                list.push_back(static_cast<std::int64_t>(offset));
            });
        });
    });
    json.end();
    return offsets;
}

class Reader {
public:
    Reader(const Source& source, const Context& context) : source_(source), folder_(source.path, context) {}

    Document run() {
        std::vector<std::string> names;
        for (const std::string& entry : source_.entries) {
            if (is_shard_name(entry)) names.push_back(entry);
        }
        if (names.empty()) throw_damaged("has no file of a rank (shard-00001-model-00001-of-00001.safetensors)");
        for (const std::string& name : names) {
            try {
                add_file(name);
            } catch (const Error& error) {
                if (error.code() == ErrorCode::kCancelled) throw;
                throw_error(error.code(), "{}: {}", name, error.message());
            }
        }
        check_ranks(names);
        // Files have their tensors by width; names in order are the same however many ranks there were.
        std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
        Document document;
        document.format = "dcp-safetensors";
        document.producer = "torch 2.8 or later, distributed checkpoint";
        document.root = document.pool().dict();
        document.source_bytes = source_bytes_;
        for (Tensor& tensor : tensors_) {
            const std::string path = escape_key(tensor.name);
            try {
                document.root.dict().entries.emplace_back(document.pool().string(tensor.name),
                                                          make(document.pool(), tensor, path));
            } catch (const Error& error) {
                throw_error(error.code(), "'{}': {}", path, error.message());
            }
        }
        return document;
    }

private:
    void add_file(const std::string& name) {
        const auto file = folder_.open(name);
        source_bytes_ += file->size_bytes();
        const st::Header header = st::read_header(*file, folder_.context());
        Offsets offsets;
        bool has_offsets = false;
        for (const auto& [key, value] : header.metadata.value_or(st::Metadata())) {
            if (key != kShardingInfo) continue;
            offsets = read_offsets(value);
            has_offsets = true;
        }
        if (!has_offsets)
            throw_damaged("has no {} in its metadata: where its chunks belong is not said", kShardingInfo);
        for (const st::Entry& entry : header.entries) {
            const auto found = offsets.find(entry.name);
            if (found == offsets.end())
                throw_damaged("{} does not say where '{}' belongs", kShardingInfo, escape_key(entry.name));
            add_chunk(entry, found->second, {file, header.data_offset + entry.begin, entry.end - entry.begin});
        }
    }

    void add_chunk(const st::Entry& entry, SizeList offsets, FileRange range) {
        if (!entry.type->dtype)
            throw_error(ErrorCode::kUnsupported, "'{}' is {} in chunks", escape_key(entry.name), entry.type->name);
        Chunk chunk{std::move(offsets), entry.shape, 0};
        if (chunk.offsets.size() != chunk.sizes.size())
            throw_damaged("'{}' has {} offsets and {} dimensions", escape_key(entry.name), chunk.offsets.size(),
                          chunk.sizes.size());
        // torch counts pairs of such floats, the file each of them.
        if (*entry.type->dtype == DType::kFloat4E2M1FNx2 && !chunk.sizes.empty())
            chunk.sizes[chunk.sizes.size() - 1] /= 2;
        const auto [known, is_new] = numbers_.try_emplace(entry.name, tensors_.size());
        if (is_new) {
            tensors_.emplace_back();
            tensors_.back().name = entry.name;
            tensors_.back().dtype = *entry.type->dtype;
            tensors_.back().shape = SizeList(chunk.sizes.size(), 0);
        }
        Tensor& tensor = tensors_[known->second];
        if (tensor.dtype != *entry.type->dtype || tensor.shape.size() != chunk.sizes.size())
            throw_damaged("'{}' has another type or number of dimensions than in another file", escape_key(entry.name));
        for (std::size_t i = 0; i < chunk.sizes.size(); ++i) {
            std::int64_t end = 0;
            if (__builtin_add_overflow(chunk.offsets[i], chunk.sizes[i], &end))
                throw_damaged("'{}' has the offset {}", escape_key(entry.name), chunk.offsets[i]);
            tensor.shape[i] = std::max(tensor.shape[i], end);
        }
        // What is there whole, or the same piece, on several ranks counts once.
        for (const Stored& other : tensor.stored) {
            if (other.chunk.offsets == chunk.offsets && other.chunk.sizes == chunk.sizes) return;
        }
        tensor.stored.push_back({std::move(chunk), std::move(range)});
    }

    /// The ranks count from 1 without a gap: a missing last one cannot be seen but by what its tensors lack.
    static void check_ranks(const std::vector<std::string>& names) {
        std::vector<std::size_t> ranks;
        for (const std::string& name : names) ranks.push_back(rank_of(name));
        std::sort(ranks.begin(), ranks.end());
        std::size_t next = 1;
        for (const std::size_t rank : ranks) {
            if (rank > next) throw_damaged("the file of rank {} (shard-{:05}-...) is missing", next, next);
            next = rank + 1;
        }
    }

    static Value make(Pool& pool, const Tensor& tensor, const std::string& path) {
        std::vector<Chunk> chunks;
        for (const Stored& stored : tensor.stored) chunks.push_back(stored.chunk);
        if (const std::string problem = tiling_problem(tensor.shape, chunks); !problem.empty())
            throw_damaged("{}", problem);
        std::vector<Piece> pieces;
        for (const Stored& stored : tensor.stored)
            pieces.push_back(
                {stored.chunk.offsets, stored.chunk.sizes, [blob = file_blob(stored.range)] { return blob; }});
        auto storage = std::make_shared<Storage>();
        storage->blob = assembled_blob(tensor.shape, dtype_width(tensor.dtype), std::move(pieces));
        auto* node = pool.make<TensorNode>();
        node->dtype = tensor.dtype;
        node->shape = tensor.shape;
        node->stride = contiguous_strides(node->shape);
        node->storage = std::move(storage);
        node->check_bounds(path);
        return Value::of(node);
    }

    const Source& source_;
    Folder folder_;
    std::uint64_t source_bytes_ = 0;
    std::vector<Tensor> tensors_;
    std::unordered_map<std::string, std::size_t> numbers_;
};

}  // namespace

bool is_shard_name(std::string_view name) noexcept {
    if (name.size() <= kBegin.size() + kDigits || !name.starts_with(kBegin) || !name.ends_with(kEnd)) return false;
    for (std::size_t i = kBegin.size(); i < kBegin.size() + kDigits; ++i) {
        if (name[i] < '0' || name[i] > '9') return false;
    }
    return name[kBegin.size() + kDigits] == '-';
}

Document read_shards(const Source& source, const Context& context) {
    return Reader(source, context).run();
}

}  // namespace ckpt::dcp
