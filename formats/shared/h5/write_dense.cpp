// Fractal heaps, version-2 B-trees and the metadata checksum, as the writer needs them.
#include "formats/shared/h5/write_dense.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "libckpt/error.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::size_t kNodeBytes = 2048;
constexpr std::size_t kMaxManagedBytes = 4096;
constexpr unsigned kHugeObjectRecords = 1;

std::uint32_t word(std::string_view bytes, std::size_t at) noexcept {
    std::uint32_t value = 0;
    if (std::endian::native == std::endian::little && at + 4 <= bytes.size()) {
        std::memcpy(&value, bytes.data() + at, 4);
        return value;
    }
    for (std::size_t i = 0; i < 4 && at + i < bytes.size(); ++i)
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return value;
}

/// The bytes that libhdf5 reserves for counts up to `count`.
unsigned count_width(std::uint64_t count) noexcept {
    return count == 0 ? 1 : 1 + static_cast<unsigned>(std::bit_width(count) - 1) / 8;
}

/// What fits in nodes of each level, leaves first.
struct LevelCapacity {
    std::size_t keys = 0;       ///< in one node
    std::uint64_t records = 0;  ///< in a node and all below it
    unsigned total_width = 0;   ///< of the field that counts those; 0 for leaves
};

class TreeBuilder {
public:
    TreeBuilder(MetadataArea& area, unsigned type, const std::vector<std::string>& records)
        : area_(area), type_(type), records_(records) {
        const std::size_t record_bytes = records.front().size();
        levels_.push_back({(kNodeBytes - 10) / record_bytes, (kNodeBytes - 10) / record_bytes, 0});
        count_width_ = count_width(levels_[0].keys);
        while (levels_.back().records < records.size()) {
            const LevelCapacity below = levels_.back();
            const std::size_t pointer = 8 + count_width_ + below.total_width;
            LevelCapacity level;
            level.keys = (kNodeBytes - 10 - pointer) / (record_bytes + pointer);
            level.records = (level.keys + 1) * below.records + level.keys;
            level.total_width = count_width(level.records);
            levels_.push_back(level);
        }
    }

    std::uint64_t run() {
        const Child root = node(0, records_.size(), levels_.size() - 1);
        std::string header = "BTHD";
        put(header, 1, 0);
        put(header, 1, type_);
        put(header, 4, kNodeBytes);
        put(header, 2, records_.front().size());
        put(header, 2, levels_.size() - 1);
        header += "\x64\x28";  // split at 100 %, merge at 40 %
        put(header, 8, root.address);
        put(header, 2, root.keys);
        put(header, 8, root.total);
        seal(header);
        return area_.append(header);
    }

private:
    struct Child {
        std::uint64_t address = 0;
        std::uint64_t keys = 0;
        std::uint64_t total = 0;
    };

    std::uint64_t finish(std::string bytes) {
        seal(bytes);
        bytes.resize(kNodeBytes, '\0');
        return area_.append(bytes);
    }

    /// Recursion is as deep as the tree: four levels hold 2^32 records.
    Child node(std::size_t from, std::size_t count, std::size_t level) {
        std::string bytes = level == 0 ? "BTLF" : "BTIN";
        put(bytes, 1, 0);
        put(bytes, 1, type_);
        if (level == 0) {
            for (std::size_t i = 0; i < count; ++i) bytes += records_[from + i];
            return {finish(std::move(bytes)), count, count};
        }
        const std::uint64_t below = levels_[level - 1].records + 1;
        const std::uint64_t keys = std::max<std::uint64_t>((count + below) / below - 1, 1);
        const std::uint64_t rest = count - keys;
        std::string pointers;
        for (std::uint64_t i = 0; i <= keys; ++i) {
            const std::size_t share = rest / (keys + 1) + (i < rest % (keys + 1) ? 1 : 0);
            const Child child = node(from, share, level - 1);
            put(pointers, 8, child.address);
            put(pointers, count_width_, child.keys);
            put(pointers, levels_[level - 1].total_width, child.total);
            from += share;
            if (i < keys) bytes += records_[from++];
        }
        return {finish(bytes + pointers), keys, count};
    }

    MetadataArea& area_;
    unsigned type_;
    const std::vector<std::string>& records_;
    std::vector<LevelCapacity> levels_;
    unsigned count_width_ = 0;
};

/// What a heap's objects come to before they are laid out.
struct HeapContent {
    std::string managed;
    std::uint64_t managed_count = 0;
    std::uint64_t huge_bytes = 0;
    std::vector<std::string> huge_records;
};

std::string heap_header(const HeapContent& content, unsigned id_bytes, std::uint64_t huge_tree, std::uint64_t block,
                        std::uint64_t block_bytes, std::uint64_t used_bytes) {
    const std::uint64_t stored = content.managed_count > 0 ? block_bytes : 0;
    std::string out = "FRHP";
    put(out, 1, 0);
    put(out, 2, id_bytes);
    put(out, 2, 0);  // no filters
    put(out, 1, 2);  // direct blocks have checksums
    put(out, 4, kMaxManagedBytes);
    put(out, 8, content.huge_records.size());
    put(out, 8, huge_tree);
    put(out, 8, stored == 0 ? 0 : block_bytes - used_bytes);
    put(out, 8, kUndefinedAddress);
    put(out, 8, stored);
    put(out, 8, stored);
    put(out, 8, 0);
    put(out, 8, content.managed_count);
    put(out, 8, content.huge_bytes);
    put(out, 8, content.huge_records.size());
    put(out, 16, 0);  // no tiny objects
    put(out, 2, 4);
    put(out, 8, block_bytes);
    put(out, 8, std::max<std::uint64_t>(block_bytes, 65536));
    put(out, 2, 8 * (id_bytes - 3));
    put(out, 2, 1);
    put(out, 8, block);
    put(out, 2, 0);  // the root is a direct block
    seal(out);
    return out;
}

}  // namespace

std::uint32_t metadata_checksum(std::string_view bytes) noexcept {
    std::uint32_t a = 0xdeadbeefU + static_cast<std::uint32_t>(bytes.size());
    std::uint32_t b = a;
    std::uint32_t c = a;
    if (bytes.empty()) return c;
    const auto rot = [](std::uint32_t value, int by) { return std::rotl(value, by); };
    std::size_t at = 0;
    for (; bytes.size() - at > 12; at += 12) {
        a += word(bytes, at);
        b += word(bytes, at + 4);
        c += word(bytes, at + 8);
        a -= c, a ^= rot(c, 4), c += b;
        b -= a, b ^= rot(a, 6), a += c;
        c -= b, c ^= rot(b, 8), b += a;
        a -= c, a ^= rot(c, 16), c += b;
        b -= a, b ^= rot(a, 19), a += c;
        c -= b, c ^= rot(b, 4), b += a;
    }
    a += word(bytes, at);
    b += word(bytes, at + 4);
    c += word(bytes, at + 8);
    c ^= b, c -= rot(b, 14);
    a ^= c, a -= rot(c, 11);
    b ^= a, b -= rot(a, 25);
    c ^= b, c -= rot(b, 16);
    a ^= c, a -= rot(c, 4);
    b ^= a, b -= rot(a, 14);
    c ^= b, c -= rot(b, 24);
    return c;
}

std::uint64_t write_btree2(MetadataArea& area, unsigned type, const std::vector<std::string>& records) {
    return TreeBuilder(area, type, records).run();
}

HeapIds write_heap(MetadataArea& area, const std::vector<std::string>& objects, unsigned id_bytes) {
    const unsigned offset_width = id_bytes - 3;
    const std::uint64_t first = 5 + 8 + offset_width + 4;  // offsets count from the block's first byte
    HeapContent content;
    HeapIds result;
    for (const std::string& object : objects) {
        std::string id;
        if (object.size() <= kMaxManagedBytes) {
            put(id, 1, 0);
            put(id, offset_width, first + content.managed.size());
            put(id, 2, object.size());
            content.managed += object;
            ++content.managed_count;
        } else {
            std::string record;
            put(record, 8, area.append(object));
            put(record, 8, object.size());
            put(record, 8, content.huge_records.size() + 1);
            content.huge_records.push_back(std::move(record));
            content.huge_bytes += object.size();
            put(id, 1, 0x10);
            put(id, id_bytes - 1, content.huge_records.size());
        }
        result.ids.push_back(std::move(id));
    }
    const std::uint64_t used = first + content.managed.size();
    if (used > std::uint64_t{1} << (8 * offset_width)) {
        throw_error(ErrorCode::kRefused, "{} links or attributes of one object come to {} bytes, HDF5 holds at most {}",
                    objects.size(), used, std::uint64_t{1} << (8 * offset_width));
    }
    const std::uint64_t block_bytes = std::max<std::uint64_t>(std::bit_ceil(used), 512);
    const std::uint64_t huge_tree =
        content.huge_records.empty() ? kUndefinedAddress : write_btree2(area, kHugeObjectRecords, content.huge_records);
    constexpr std::uint64_t kHeaderBytes = 152;  // 146, and the area aligns to 8
    const std::uint64_t block = content.managed_count > 0 ? area.next_address() + kHeaderBytes : kUndefinedAddress;
    result.address = area.append(heap_header(content, id_bytes, huge_tree, block, block_bytes, used));
    if (content.managed_count == 0) return result;
    std::string bytes = "FHDB";
    put(bytes, 1, 0);
    put(bytes, 8, result.address);
    put(bytes, offset_width, 0);
    const std::size_t checksum_at = bytes.size();
    put(bytes, 4, 0);  // counts as zero in its own checksum
    bytes += content.managed;
    bytes.resize(block_bytes, '\0');
    std::string checksum;
    put(checksum, 4, metadata_checksum(bytes));
    bytes.replace(checksum_at, 4, checksum);
    area.append(bytes);
    return result;
}

}  // namespace ckpt::h5
