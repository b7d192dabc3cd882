// Walking B-trees. Facts: hdf5.md, 6.3 and 9.
#include "formats/shared/h5/btree.hpp"

#include <string>
#include <unordered_set>
#include <vector>

namespace ckpt::h5 {
namespace {

/// Addresses that were met; a tree that meets one twice is no tree.
class Visited {
public:
    void add(std::uint64_t address) {
        require(addresses_.insert(address).second, "B-tree node at address {} is met twice", address);
        require(addresses_.size() <= kMaxBtreeNodes, "B-tree has more than {} nodes", kMaxBtreeNodes);
    }

private:
    std::unordered_set<std::uint64_t> addresses_;
};

class Btree2Walk {
public:
    using Visit = std::function<void(std::string_view)>;

    Btree2Walk(const Image& image, Btree2Type type, std::size_t record_bytes, const Visit& visit)
        : image_(image), type_(static_cast<unsigned>(type)), record_bytes_(record_bytes), visit_(visit) {}

    void run(std::uint64_t address) {
        const Widths widths = image_.widths();
        const std::string bytes =
            image_.bytes(address, 22 + widths.offset_bytes + widths.length_bytes, "B-tree 2 header");
        Cursor header(bytes, widths, "B-tree 2 header");
        header.signature("BTHD");
        header.version(0);
        require_type(header.u8());
        node_bytes_ = header.u32();
        const std::size_t record_bytes = header.u16();
        const unsigned depth = header.u16();
        header.skip(2);
        const std::uint64_t root = header.address();
        const std::uint64_t root_records = header.u16();
        const std::uint64_t total = header.length();
        header.checksum();
        require(record_bytes == record_bytes_, "B-tree 2 has records of {} bytes where {} are due", record_bytes,
                record_bytes_);
        require(depth < kMaxBtreeDepth, "B-tree 2 is {} levels deep", depth);
        require(node_bytes_ >= 64 && node_bytes_ <= kMaxHeaderBytes, "B-tree 2 has nodes of {} bytes", node_bytes_);
        require(total <= image_.limits().max_container_entries, "B-tree 2 claims {} records", total);
        plan_levels(depth);
        if (root != kUndefinedAddress && root_records > 0) walk(root, root_records, depth);
        require(count_ == total, "B-tree 2 claims {} records and has {}", total, count_);
    }

private:
    struct Level {
        std::uint64_t max_records = 0;  ///< of one node
        std::uint64_t sum = 0;          ///< of a whole subtree
        unsigned sum_bytes = 0;         ///< width of a subtree's count in its parent
        std::uint64_t pointer_bytes = 0;
    };

    void require_type(unsigned found) const {
        require(found == type_, "B-tree 2 has type {} instead of {}", found, type_);
    }

    void plan_levels(unsigned depth) {
        Level leaf;
        leaf.max_records = leaf.sum = (node_bytes_ - 10) / record_bytes_;
        require(leaf.max_records > 0, "B-tree 2: a node of {} bytes holds no record", node_bytes_);
        count_bytes_ = encoded_bytes(leaf.max_records);
        levels_.push_back(leaf);
        for (unsigned i = 1; i <= depth; ++i) {
            Level level;
            level.pointer_bytes = image_.widths().offset_bytes + count_bytes_ + levels_.back().sum_bytes;
            require(node_bytes_ >= 10 + level.pointer_bytes, "B-tree 2: a node of {} bytes is too small", node_bytes_);
            level.max_records = (node_bytes_ - 10 - level.pointer_bytes) / (record_bytes_ + level.pointer_bytes);
            require(level.max_records > 0, "B-tree 2: a node of {} bytes holds no record", node_bytes_);
            level.sum = checked_product(level.max_records + 1, levels_.back().sum, "B-tree 2") + level.max_records;
            level.sum_bytes = encoded_bytes(level.sum);
            levels_.push_back(level);
        }
    }

    /// Recursion is bounded by kMaxBtreeDepth.
    void walk(std::uint64_t address, std::uint64_t records, unsigned depth) {
        visited_.add(address);
        const Level& level = levels_[depth];
        require(records <= level.max_records, "B-tree 2 node claims {} records and holds {}", records,
                level.max_records);
        const std::uint64_t used = 6 + records * record_bytes_ + (depth > 0 ? (records + 1) * level.pointer_bytes : 0);
        const std::string bytes = image_.bytes(address, used + 4, "B-tree 2 node");
        Cursor all(bytes, image_.widths(), "B-tree 2 node");
        all.skip(used);
        all.checksum();
        Cursor node(bytes, image_.widths(), "B-tree 2 node");
        node.signature(depth > 0 ? "BTIN" : "BTLF");
        node.version(0);
        require_type(node.u8());
        Cursor child(bytes, image_.widths(), "B-tree 2 node");
        child.skip(6 + records * record_bytes_);
        for (std::uint64_t i = 0; i <= records; ++i) {
            if (depth > 0) {
                const std::uint64_t child_address = child.address();
                const std::uint64_t child_records = child.number(count_bytes_);
                child.skip(levels_[depth - 1].sum_bytes);
                walk(child_address, child_records, depth - 1);
            }
            if (i == records) break;
            require(++count_ <= image_.limits().max_container_entries, "B-tree 2 has too many records");
            visit_(node.take(record_bytes_));
        }
    }

    const Image& image_;
    unsigned type_;
    std::size_t record_bytes_;
    const Visit& visit_;
    std::uint64_t node_bytes_ = 0;
    unsigned count_bytes_ = 1;
    std::vector<Level> levels_;
    Visited visited_;
    std::uint64_t count_ = 0;
};

}  // namespace

void walk_btree1(const Image& image, std::uint64_t root, Btree1Kind kind, std::size_t key_bytes,
                 const std::function<void(std::string_view key, std::uint64_t child)>& visit) {
    struct Pending {
        std::uint64_t address;
        unsigned level;
    };
    const Superblock& superblock = image.superblock();
    const std::size_t most = 2 * (kind == Btree1Kind::kGroup ? superblock.group_internal_k : superblock.chunk_k);
    const std::size_t head = 8 + 2 * image.widths().offset_bytes;
    std::vector<Pending> stack = {{root, kMaxBtreeDepth}};
    Visited visited;
    while (!stack.empty()) {
        const Pending pending = stack.back();
        stack.pop_back();
        visited.add(pending.address);
        const std::string start = image.bytes(pending.address, head, "B-tree node");
        Cursor cursor(start, image.widths(), "B-tree node");
        cursor.signature("TREE");
        require(cursor.u8() == static_cast<unsigned>(kind), "B-tree node at address {} is of the other kind",
                pending.address);
        const unsigned level = cursor.u8();
        const std::size_t entries = cursor.u16();
        const bool is_root = pending.level == kMaxBtreeDepth;
        require(is_root ? level < kMaxBtreeDepth : level == pending.level, "B-tree node at address {} has level {}",
                pending.address, level);
        require(entries <= most, "B-tree node at address {} claims {} entries and holds {}", pending.address, entries,
                most);
        if (entries == 0) continue;
        const std::size_t entry_bytes = key_bytes + image.widths().offset_bytes;
        const std::string body = image.bytes(pending.address + head, entries * entry_bytes + key_bytes, "B-tree node");
        Cursor entry(body, image.widths(), "B-tree node");
        const std::size_t first_child = stack.size();
        for (std::size_t i = 0; i < entries; ++i) {
            const std::string_view key = entry.take(key_bytes);
            const std::uint64_t child = entry.address();
            if (level == 0) {
                visit(key, child);
            } else {
                stack.push_back({child, level - 1});
            }
        }
        std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(first_child), stack.end());
    }
}

void walk_btree2(const Image& image, std::uint64_t header, Btree2Type type, std::size_t record_bytes,
                 const std::function<void(std::string_view record)>& visit) {
    Btree2Walk(image, type, record_bytes, visit).run(header);
}

}  // namespace ckpt::h5
