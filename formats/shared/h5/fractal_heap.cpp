// Fractal heaps. Facts: hdf5.md, 8.
#include "formats/shared/h5/fractal_heap.hpp"

#include <bit>
#include <unordered_set>

#include "formats/shared/h5/btree.hpp"

namespace ckpt::h5 {
namespace {

constexpr unsigned kMaxRows = 64;
constexpr std::size_t kMaxIdBytes = 4096;
constexpr unsigned kChecksumFlag = 2;
constexpr std::uint64_t kMaxObjectBytes = std::uint64_t{1} << 29;
enum IdKind : unsigned { kManaged = 0, kHuge = 1, kTiny = 2 };

unsigned log2_floor(std::uint64_t value) {
    return static_cast<unsigned>(std::bit_width(value)) - 1;
}

}  // namespace

FractalHeap::FractalHeap(const Image& image, std::uint64_t address) : image_(image), address_(address) {
    read_header();
    check_header();
    direct_rows_ = log2_floor(max_direct_bytes_) - log2_floor(start_bytes_) + 2;
    offset_bytes_ = (heap_bits_ + 7) / 8;
    size_field_bytes_ = std::min((log2_floor(max_direct_bytes_) + 7) / 8, encoded_bytes(max_managed_bytes_));
}

void FractalHeap::read_header() {
    const Widths widths = image_.widths();
    const std::uint64_t size = 22 + 12 * widths.length_bytes + 3 * widths.offset_bytes + 4;
    const std::string bytes = image_.bytes(address_, size, "fractal heap");
    Cursor cursor(bytes, widths, "fractal heap");
    cursor.signature("FRHP");
    cursor.version(0);
    id_bytes_ = cursor.u16();
    if (cursor.u16() != 0) throw_error(ErrorCode::kUnsupported, "fractal heaps with filters are not read");
    has_checksums_ = (cursor.u8() & kChecksumFlag) != 0;
    max_managed_bytes_ = cursor.u32();
    cursor.length();  // next huge id
    huge_tree_ = cursor.address();
    cursor.length();  // free space
    cursor.address();
    for (int i = 0; i < 8; ++i) cursor.length();  // sizes and counts
    width_ = cursor.u16();
    start_bytes_ = cursor.length();
    max_direct_bytes_ = cursor.length();
    heap_bits_ = cursor.u16();
    cursor.u16();  // start rows
    root_ = cursor.address();
    rows_ = cursor.u16();
    cursor.checksum();
}

void FractalHeap::check_header() const {
    require(std::has_single_bit(width_) && std::has_single_bit(start_bytes_) &&
                std::has_single_bit(max_direct_bytes_) && start_bytes_ <= max_direct_bytes_ &&
                max_direct_bytes_ <= std::uint64_t{1} << 32,
            "fractal heap: {} blocks of {} to {} bytes in a row", width_, start_bytes_, max_direct_bytes_);
    require(heap_bits_ > 0 && heap_bits_ <= 64, "fractal heap: addresses of {} bits", heap_bits_);
    require(id_bytes_ > 0 && id_bytes_ <= kMaxIdBytes && max_managed_bytes_ > 0, "fractal heap: ids of {} bytes",
            id_bytes_);
    require(rows_ <= kMaxRows, "fractal heap has {} rows", rows_);
}

std::uint64_t FractalHeap::row_block_bytes(unsigned row) const {
    return start_bytes_ << (row > 1 ? row - 1 : 0);
}

void FractalHeap::map_blocks() {
    is_mapped_ = true;
    require(root_ != kUndefinedAddress, "fractal heap has no block");
    if (rows_ == 0) {
        blocks_[0] = {root_, start_bytes_, std::nullopt};
        return;
    }
    std::vector<IndirectBlock> pending = {{root_, 0, rows_}};
    std::unordered_set<std::uint64_t> visited;
    while (!pending.empty()) {
        const IndirectBlock indirect = pending.back();
        pending.pop_back();
        require(visited.insert(indirect.address).second, "fractal heap: block at address {} is met twice",
                indirect.address);
        map_indirect(indirect, pending);
    }
}

void FractalHeap::map_indirect(const IndirectBlock& indirect, std::vector<IndirectBlock>& pending) {
    const Widths widths = image_.widths();
    const std::uint64_t used = 5 + widths.offset_bytes + offset_bytes_ + indirect.rows * width_ * widths.offset_bytes;
    const std::string bytes = image_.bytes(indirect.address, used + 4, "fractal heap indirect block");
    Cursor cursor(bytes, widths, "fractal heap indirect block");
    cursor.signature("FHIB");
    cursor.version(0);
    require(cursor.address() == address_ && cursor.number(offset_bytes_) == indirect.heap_offset,
            "fractal heap: indirect block at address {} belongs elsewhere", indirect.address);
    std::uint64_t offset = indirect.heap_offset;
    for (unsigned row = 0; row < indirect.rows; ++row) {
        // A table may be larger than the heap's address space; rows behind it cannot hold anything.
        const bool is_reachable =
            log2_floor(start_bytes_) + row < heap_bits_ + 1 && log2_floor(start_bytes_) + row < 63;
        for (std::uint64_t column = 0; column < width_; ++column) {
            const std::uint64_t child = cursor.address();
            if (child == kUndefinedAddress) {
                if (is_reachable) offset += row_block_bytes(row);
                continue;
            }
            require(is_reachable, "fractal heap: a block lies behind the heap's addresses");
            const std::uint64_t size = row_block_bytes(row);
            if (row < direct_rows_) {
                require(blocks_.emplace(offset, Block{child, size, std::nullopt}).second,
                        "fractal heap: two blocks at offset {}", offset);
            } else {
                require(size >= start_bytes_ * width_, "fractal heap: an indirect block of {} bytes is too small",
                        size);
                const unsigned rows = log2_floor(size) - log2_floor(start_bytes_ * width_) + 1;
                pending.push_back({child, offset, rows});
            }
            offset += size;
        }
    }
    cursor.checksum();
}

const std::string& FractalHeap::block_bytes(std::uint64_t heap_offset, Block& block) {
    if (block.bytes) return *block.bytes;
    std::string bytes = image_.bytes(block.address, block.size_bytes, "fractal heap block");
    Cursor cursor(bytes, image_.widths(), "fractal heap block");
    cursor.signature("FHDB");
    cursor.version(0);
    require(cursor.address() == address_ && cursor.number(offset_bytes_) == heap_offset,
            "fractal heap: block at address {} belongs elsewhere", block.address);
    if (has_checksums_) {
        const std::size_t at = cursor.position();
        const std::uint32_t stored = cursor.u32();
        bytes.replace(at, 4, 4, '\0');  // it was computed with its own place empty
        const std::uint32_t computed = metadata_checksum(bytes);
        require(stored == computed, "fractal heap block at address {}: checksum is {:08x}, its bytes give {:08x}",
                block.address, stored, computed);
    }
    block.bytes = std::move(bytes);
    return *block.bytes;
}

std::string_view FractalHeap::managed(std::uint64_t offset, std::uint64_t size_bytes) {
    if (!is_mapped_) map_blocks();
    auto found = blocks_.upper_bound(offset);
    require(found != blocks_.begin(), "fractal heap: offset {} is in no block", offset);
    --found;
    const std::uint64_t inside = offset - found->first;
    require(inside < found->second.size_bytes && size_bytes <= found->second.size_bytes - inside,
            "fractal heap: {} bytes at offset {} run over their block", size_bytes, offset);
    return std::string_view(block_bytes(found->first, found->second))
        .substr(static_cast<std::size_t>(inside), static_cast<std::size_t>(size_bytes));
}

std::string FractalHeap::huge(Cursor& id) {
    const Widths widths = image_.widths();
    HugeObject object;
    if (widths.offset_bytes + widths.length_bytes <= id_bytes_ - 1) {
        object.address = id.address();
        object.size_bytes = id.length();
    } else {
        const unsigned number_bytes =
            std::min({8U, widths.length_bytes, static_cast<unsigned>(std::min<std::size_t>(id_bytes_ - 1, 8))});
        const std::uint64_t number = id.number(number_bytes);
        if (!huge_objects_) {
            huge_objects_.emplace();
            const std::size_t record = widths.offset_bytes + 2 * widths.length_bytes;
            walk_btree2(image_, huge_tree_, Btree2Type::kHugeObject, record, [&](std::string_view bytes) {
                Cursor cursor(bytes, widths, "huge object");
                HugeObject found;
                found.address = cursor.address();
                found.size_bytes = cursor.length();
                huge_objects_->emplace(cursor.length(), found);
            });
        }
        const auto found = huge_objects_->find(number);
        require(found != huge_objects_->end(), "fractal heap: huge object {} is not in its tree", number);
        object = found->second;
    }
    require(object.size_bytes <= kMaxObjectBytes, "huge object of {} bytes is over the limit of {}", object.size_bytes,
            kMaxObjectBytes);
    return image_.bytes(object.address, object.size_bytes, "huge object");
}

std::string_view FractalHeap::get(std::string_view id) {
    require(id.size() <= id_bytes_ && !id.empty(), "fractal heap: an id of {} bytes", id.size());
    Cursor cursor(id, image_.widths(), "fractal heap id");
    const unsigned first = cursor.u8();
    require(first >> 6 == 0, "fractal heap: an id of version {}", first >> 6);
    switch ((first >> 4) & 3) {
        case kManaged: {
            const std::uint64_t offset = cursor.number(offset_bytes_);
            const std::uint64_t size = cursor.number(size_field_bytes_);
            require(size > 0 && size <= max_managed_bytes_, "fractal heap: an object of {} bytes", size);
            return managed(offset, size);
        }
        case kHuge:
            return single_ = huge(cursor);
        case kTiny: {
            std::uint64_t size = first & 15;
            if (id_bytes_ - 1 > 16) size = (size << 8) | cursor.u8();
            return single_ = cursor.take(size + 1);
        }
        default:
            throw_damaged("fractal heap: an id of unknown kind");
    }
}

}  // namespace ckpt::h5
