// Chunks cut, encoded and indexed. Facts: hdf5.md, 12 and 15.4.
#include "formats/shared/h5/write_chunks.hpp"

#include <libdeflate.h>
#include <zstd.h>

#include <memory>

#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::uint64_t kTargetBytes = std::uint64_t{1} << 20;
constexpr int kGzipLevel = 6;
constexpr int kZstdLevel = 3;
constexpr unsigned kShuffleId = 2;
constexpr unsigned kGzipId = 1;
constexpr unsigned kZstdId = 32015;  // the number that the HDF Group registered
constexpr std::string_view kZstdName("zstd\0", 5);
constexpr unsigned kOptional = 1;
constexpr std::size_t kChildrenPerNode = 64;  // 2K, with K = 32 as libhdf5 takes it where no superblock says otherwise

std::uint64_t node_bytes(std::size_t rank) {
    const std::uint64_t key_bytes = 8 + 8 * (rank + 1);
    return (24 + (kChildrenPerNode + 1) * key_bytes + kChildrenPerNode * 8 + 7) / 8 * 8;
}

/// Nodes of a tree, from the leaves' level up to the root.
std::vector<std::size_t> nodes_per_level(std::size_t count) {
    std::vector<std::size_t> levels;
    do {
        count = (count + kChildrenPerNode - 1) / kChildrenPerNode;
        levels.push_back(count);
    } while (count > 1);
    return levels;
}

std::string shuffled(std::span<const std::byte> raw, std::uint32_t element_bytes, std::uint64_t chunk_bytes) {
    std::string out(static_cast<std::size_t>(chunk_bytes), '\0');
    const std::size_t count = out.size() / element_bytes;
    const std::size_t present = raw.size() / element_bytes;
    for (std::size_t byte = 0; byte < element_bytes; ++byte) {
        char* plane = out.data() + byte * count;
        const std::byte* from = raw.data() + byte;
        for (std::size_t i = 0; i < present; ++i) plane[i] = static_cast<char>(from[i * element_bytes]);
    }
    return out;
}

std::string gzip(const std::string& raw) {
    const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
        libdeflate_alloc_compressor(kGzipLevel), libdeflate_free_compressor);
    if (compressor == nullptr) throw std::bad_alloc();
    std::string out(libdeflate_zlib_compress_bound(compressor.get(), raw.size()), '\0');
    out.resize(libdeflate_zlib_compress(compressor.get(), raw.data(), raw.size(), out.data(), out.size()));
    if (out.empty()) throw_error(ErrorCode::kInternal, "gzip could not encode {} bytes", raw.size());
    return out;
}

std::string zstd(const std::string& raw) {
    std::string out(ZSTD_compressBound(raw.size()), '\0');
    const std::size_t size = ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), kZstdLevel);
    if (ZSTD_isError(size) != 0) throw_error(ErrorCode::kInternal, "zstd: {}", ZSTD_getErrorName(size));
    out.resize(size);
    return out;
}

std::string tree_key(std::uint64_t stored_bytes, std::uint32_t filter_mask, const std::vector<std::uint64_t>& offset) {
    std::string key;
    put(key, 4, stored_bytes);
    put(key, 4, filter_mask);
    for (const std::uint64_t at : offset) put(key, 8, at);
    put(key, 8, 0);
    return key;
}

}  // namespace

ChunkPlan plan_chunks(const std::vector<std::uint64_t>& shape, std::uint32_t element_bytes) {
    ChunkPlan plan;
    plan.dims.assign(shape.size(), 1);
    std::uint64_t bytes = element_bytes;
    std::size_t cut = shape.size();
    while (cut > 0 && bytes < kTargetBytes) {
        --cut;
        plan.dims[cut] = std::min(shape[cut], std::max<std::uint64_t>(1, kTargetBytes / bytes));
        bytes *= plan.dims[cut];
        if (plan.dims[cut] < shape[cut]) break;
    }
    plan.chunk_bytes = bytes;
    // Bytes from one index of the dimension that is cut to the next, and of all that it covers.
    const std::uint64_t step = cut < shape.size() ? bytes / plan.dims[cut] : bytes;
    std::uint64_t outer = 1;
    for (std::size_t i = 0; i < cut; ++i) outer *= shape[i];
    std::vector<std::uint64_t> at(shape.size(), 0);
    std::uint64_t offset_bytes = 0;
    for (std::uint64_t o = 0; o < outer; ++o) {
        std::uint64_t rest = o;
        for (std::size_t i = cut; i-- > 0;) {
            at[i] = rest % shape[i];
            rest /= shape[i];
        }
        if (cut == shape.size()) {
            plan.parts.push_back({at, offset_bytes, step});
            offset_bytes += step;
            continue;
        }
        for (std::uint64_t row = 0; row < shape[cut]; row += plan.dims[cut]) {
            at[cut] = row;
            const std::uint64_t size = std::min(plan.dims[cut], shape[cut] - row) * step;
            plan.parts.push_back({at, offset_bytes, size});
            offset_bytes += size;
        }
    }
    return plan;
}

std::string filter_message(Codec codec, std::uint32_t element_bytes) {
    std::string message;
    put(message, 1, 2);
    put(message, 1, element_bytes > 1 ? 2 : 1);
    if (element_bytes > 1) {
        put(message, 2, kShuffleId);
        put(message, 2, kOptional);
        put(message, 2, 1);
        put(message, 4, element_bytes);
    }
    put(message, 2, codec == Codec::kGzip ? kGzipId : kZstdId);
    if (codec == Codec::kZstd) put(message, 2, kZstdName.size());
    put(message, 2, kOptional);
    put(message, 2, 1);
    if (codec == Codec::kZstd) message += kZstdName;
    put(message, 4, static_cast<std::uint64_t>(codec == Codec::kGzip ? kGzipLevel : kZstdLevel));
    return message;
}

std::function<Encoded(std::span<const std::byte>)> chunk_encoder(Codec codec, std::uint32_t element_bytes,
                                                                 std::uint64_t chunk_bytes) {
    return [=](std::span<const std::byte> raw) {
        const std::string planes = shuffled(raw, element_bytes, chunk_bytes);
        return Encoded{codec == Codec::kGzip ? gzip(planes) : zstd(planes), {}};
    };
}

std::uint64_t chunk_tree_bytes(std::size_t count, std::size_t rank) {
    std::uint64_t nodes = 0;
    for (const std::size_t level : nodes_per_level(count)) nodes += level;
    return nodes * node_bytes(rank);
}

std::uint64_t chunk_tree_root(std::uint64_t start, std::size_t count, std::size_t rank) {
    if (count == 0) return kUndefinedAddress;
    return start + chunk_tree_bytes(count, rank) - node_bytes(rank);
}

std::string chunk_tree(std::uint64_t start, const ChunkPlan& plan, const std::vector<std::uint64_t>& shape,
                       const std::vector<StoredPart>& stored) {
    const std::size_t rank = shape.size();
    struct Entry {
        std::string key;
        std::uint64_t address;
    };
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < plan.parts.size(); ++i) {
        entries.push_back(
            {tree_key(stored[i].size_bytes, stored[i].filter_mask, plan.parts[i].offset), stored[i].address});
    }
    // Behind the last chunk; every offset of a key is a multiple of the chunk's dimension.
    std::vector<std::uint64_t> end(rank);
    for (std::size_t i = 0; i < rank; ++i) end[i] = (shape[i] + plan.dims[i] - 1) / plan.dims[i] * plan.dims[i];
    const std::string last = tree_key(0, 0, end);

    const std::uint64_t size = node_bytes(rank);
    std::string bytes;
    unsigned level = 0;
    for (const std::size_t nodes : nodes_per_level(entries.size())) {
        const std::uint64_t base = start + bytes.size();
        std::vector<Entry> above;
        for (std::size_t n = 0; n < nodes; ++n) {
            const std::size_t begin = n * kChildrenPerNode;
            const std::size_t count = std::min(kChildrenPerNode, entries.size() - begin);
            std::string node = "TREE";
            put(node, 1, 1);  // of chunks
            put(node, 1, level);
            put(node, 2, count);
            put(node, 8, n > 0 ? base + (n - 1) * size : kUndefinedAddress);
            put(node, 8, n + 1 < nodes ? base + (n + 1) * size : kUndefinedAddress);
            for (std::size_t i = begin; i < begin + count; ++i) {
                node += entries[i].key;
                put(node, 8, entries[i].address);
            }
            node += begin + count < entries.size() ? entries[begin + count].key : last;
            node.resize(static_cast<std::size_t>(size), '\0');
            above.push_back({entries[begin].key, base + n * size});
            bytes += node;
        }
        entries = std::move(above);
        ++level;
    }
    return bytes;
}

}  // namespace ckpt::h5
