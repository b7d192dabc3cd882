// Fixed and extensible arrays of chunk places. Facts: hdf5.md, 11.5 and 11.6.
#include <bit>
#include <unordered_map>

#include "formats/shared/h5/chunk_index.hpp"

namespace ckpt::h5 {
namespace {

/// What both arrays share: block heads, elements, pages with checksums.
class ArrayBase : public ChunkArray {
protected:
    ArrayBase(const Image& image, std::uint64_t address, const ChunkElementFormat& format)
        : image_(image), address_(address), format_(format) {}

    std::size_t head_bytes() const { return 6 + image_.widths().offset_bytes; }

    void header_head(Cursor& cursor, std::string_view signature) const {
        cursor.signature(signature);
        cursor.version(0);
        require(cursor.u8() == (format_.is_filtered ? 1U : 0U), "{}: disagrees with the filters", cursor.what());
    }
    void block_head(Cursor& cursor, std::string_view signature) const {
        header_head(cursor, signature);
        require(cursor.address() == address_, "{} belongs to another array", cursor.what());
    }
    std::optional<StoredChunk> element(std::string_view elements, std::uint64_t index) const {
        return format_.parse(
            elements.substr(static_cast<std::size_t>(index) * format_.element_bytes, format_.element_bytes),
            image_.widths());
    }
    /// Elements of a page, read and checked once.
    const std::string& page(std::uint64_t address, std::uint64_t elements) {
        const auto found = pages_.find(address);
        if (found != pages_.end()) return found->second;
        const std::uint64_t size = elements * format_.element_bytes;
        std::string bytes = image_.bytes(address, size + 4, "chunk array page");
        Cursor cursor(bytes, image_.widths(), "chunk array page");
        cursor.skip(size);
        cursor.checksum();
        return pages_.emplace(address, std::move(bytes)).first->second;
    }
    static bool bit(std::string_view bitmap, std::uint64_t index) {
        const auto byte = static_cast<std::uint8_t>(bitmap.at(static_cast<std::size_t>(index / 8)));
        return (byte & (0x80U >> (index % 8))) != 0;
    }

    const Image& image_;
    std::uint64_t address_;
    ChunkElementFormat format_;

private:
    std::unordered_map<std::uint64_t, std::string> pages_;
};

class FixedArray final : public ArrayBase {
public:
    FixedArray(const Image& image, std::uint64_t address, const ChunkElementFormat& format)
        : ArrayBase(image, address, format) {
        const Widths widths = image.widths();
        const std::string bytes = image.bytes(address, 12 + widths.length_bytes + widths.offset_bytes, "fixed array");
        Cursor cursor(bytes, widths, "fixed array");
        header_head(cursor, "FAHD");
        const unsigned element_bytes = cursor.u8();
        const unsigned page_bits = cursor.u8();
        count_ = cursor.length();
        block_ = cursor.address();
        cursor.checksum();
        require(element_bytes == format.element_bytes && page_bits < 32,
                "fixed array: elements of {} bytes, pages of 2^{}", element_bytes, page_bits);
        require(count_ <= kMaxChunks, "fixed array has {} elements", count_);
        page_elements_ = std::uint64_t{1} << page_bits;
        if (block_ != kUndefinedAddress) read_block();
    }

    std::optional<StoredChunk> get(std::uint64_t index) override {
        if (block_ == kUndefinedAddress) return std::nullopt;
        require(index < count_, "fixed array has {} elements, number {} is due", count_, index);
        if (pages_ == 0) return element(elements_, index);
        const std::uint64_t number = index / page_elements_;
        if (!bit(bitmap_, number)) return std::nullopt;
        const std::uint64_t first = number * page_elements_;
        const std::uint64_t page_bytes = page_elements_ * format_.element_bytes + 4;
        const std::uint64_t at = block_ + head_bytes() + bitmap_.size() + 4 + number * page_bytes;
        return element(page(at, std::min(page_elements_, count_ - first)), index - first);
    }

private:
    void read_block() {
        pages_ = count_ > page_elements_ ? (count_ + page_elements_ - 1) / page_elements_ : 0;
        const std::uint64_t bitmap_bytes = (pages_ + 7) / 8;
        const std::uint64_t element_bytes = pages_ > 0 ? 0 : count_ * format_.element_bytes;
        const std::string bytes =
            image_.bytes(block_, head_bytes() + bitmap_bytes + element_bytes + 4, "fixed array block");
        Cursor cursor(bytes, image_.widths(), "fixed array block");
        block_head(cursor, "FADB");
        bitmap_ = cursor.take(bitmap_bytes);
        elements_ = cursor.take(element_bytes);
        cursor.checksum();
    }

    std::uint64_t count_ = 0;
    std::uint64_t block_ = kUndefinedAddress;
    std::uint64_t page_elements_ = 0;
    std::uint64_t pages_ = 0;  ///< 0: the elements stand in the block
    std::string bitmap_;
    std::string elements_;
};

class ExtensibleArray final : public ArrayBase {
public:
    ExtensibleArray(const Image& image, std::uint64_t address, const ChunkElementFormat& format)
        : ArrayBase(image, address, format) {
        read_header();
        if (index_block_ != kUndefinedAddress) read_index_block();
    }

    std::optional<StoredChunk> get(std::uint64_t index) override {
        if (index_block_ == kUndefinedAddress || index >= used_) return std::nullopt;
        if (index < inline_count_) return element(inline_, index);
        index -= inline_count_;
        const std::size_t group = static_cast<std::size_t>(std::bit_width(index / min_elements_ + 1)) - 1;
        require(group < groups_.size(), "extensible array: element {} is behind its end", index);
        const Group& where = groups_[group];
        const std::uint64_t block = (index - where.first) / where.elements;
        const std::uint64_t inside = (index - where.first) % where.elements;
        const bool is_direct = group < direct_groups_;
        std::uint64_t address = kUndefinedAddress;
        const SuperBlock* super = nullptr;
        if (is_direct) {
            require(where.pages == 0, "extensible array: pages without a bitmap");
            address = blocks_[static_cast<std::size_t>(where.first_block + block)];
        } else {
            const std::uint64_t at = super_blocks_[group - direct_groups_];
            if (at == kUndefinedAddress) return std::nullopt;
            super = &super_block(at, where);
            address = super->blocks[static_cast<std::size_t>(block)];
        }
        if (address == kUndefinedAddress) return std::nullopt;
        const std::string& elements = data_block(address, where, block);
        if (where.pages == 0) return element(elements, inside);
        const std::uint64_t number = inside / page_elements_;
        if (!bit(super->bitmap, block * where.pages + number)) return std::nullopt;
        const std::uint64_t page_bytes = page_elements_ * format_.element_bytes + 4;
        const std::uint64_t at = address + head_bytes() + offset_bytes_ + 4 + number * page_bytes;
        return element(page(at, page_elements_), inside % page_elements_);
    }

private:
    /// Data blocks of one size: those of one super block.
    struct Group {
        std::uint64_t blocks = 0;
        std::uint64_t elements = 0;  ///< per block
        std::uint64_t pages = 0;     ///< per block; 0: not paged
        std::uint64_t first = 0;
        std::uint64_t first_block = 0;
    };
    struct SuperBlock {
        std::string bitmap;
        std::vector<std::uint64_t> blocks;
    };

    void read_header() {
        const Widths widths = image_.widths();
        const std::string bytes =
            image_.bytes(address_, 16 + 6 * widths.length_bytes + widths.offset_bytes, "extensible array");
        Cursor cursor(bytes, widths, "extensible array");
        header_head(cursor, "EAHD");
        const unsigned element_bytes = cursor.u8();
        const unsigned max_bits = cursor.u8();
        inline_count_ = cursor.u8();
        min_elements_ = cursor.u8();
        min_pointers_ = cursor.u8();
        const unsigned page_bits = cursor.u8();
        for (int i = 0; i < 4; ++i) cursor.length();
        used_ = cursor.length();
        cursor.length();
        index_block_ = cursor.address();
        cursor.checksum();
        require(element_bytes == format_.element_bytes && page_bits < 32 && std::has_single_bit(min_elements_) &&
                    std::has_single_bit(min_pointers_) && min_pointers_ > 1,
                "extensible array: elements of {} bytes, {} in the least block, {} pointers, pages of 2^{}",
                element_bytes, min_elements_, min_pointers_, page_bits);
        const auto min_bits = static_cast<unsigned>(std::bit_width(min_elements_)) - 1;
        require(max_bits >= min_bits && max_bits <= 56, "extensible array: numbers of {} bits", max_bits);
        page_elements_ = std::uint64_t{1} << page_bits;
        offset_bytes_ = (max_bits + 7) / 8;
        Group group;
        for (unsigned u = 0; u <= max_bits - min_bits; ++u) {
            group.blocks = std::uint64_t{1} << (u / 2);
            group.elements = min_elements_ << ((u + 1) / 2);
            group.pages = group.elements > page_elements_ ? group.elements / page_elements_ : 0;
            groups_.push_back(group);
            group.first += group.blocks * group.elements;
            group.first_block += group.blocks;
        }
    }

    void read_index_block() {
        direct_groups_ = 2 * (static_cast<std::size_t>(std::bit_width(min_pointers_)) - 1);
        const std::size_t direct_blocks = 2 * (static_cast<std::size_t>(min_pointers_) - 1);
        const std::size_t rest = groups_.size() > direct_groups_ ? groups_.size() - direct_groups_ : 0;
        const std::uint64_t element_bytes = inline_count_ * format_.element_bytes;
        const std::uint64_t size =
            head_bytes() + element_bytes + (direct_blocks + rest) * image_.widths().offset_bytes + 4;
        const std::string bytes = image_.bytes(index_block_, size, "extensible array index block");
        Cursor cursor(bytes, image_.widths(), "extensible array index block");
        block_head(cursor, "EAIB");
        inline_ = cursor.take(element_bytes);
        for (std::size_t i = 0; i < direct_blocks; ++i) blocks_.push_back(cursor.address());
        for (std::size_t i = 0; i < rest; ++i) super_blocks_.push_back(cursor.address());
        cursor.checksum();
    }

    const SuperBlock& super_block(std::uint64_t address, const Group& group) {
        const auto found = read_super_blocks_.find(address);
        if (found != read_super_blocks_.end()) return found->second;
        // The bitmap has room for whole bytes per block, but its bits are not padded.
        const std::uint64_t bitmap_bytes = group.blocks * ((group.pages + 7) / 8);
        const std::uint64_t size =
            head_bytes() + offset_bytes_ + bitmap_bytes + group.blocks * image_.widths().offset_bytes + 4;
        const std::string bytes = image_.bytes(address, size, "extensible array super block");
        Cursor cursor(bytes, image_.widths(), "extensible array super block");
        block_head(cursor, "EASB");
        require(cursor.number(offset_bytes_) == group.first, "extensible array super block belongs elsewhere");
        SuperBlock super;
        super.bitmap = cursor.take(bitmap_bytes);
        for (std::uint64_t i = 0; i < group.blocks; ++i) super.blocks.push_back(cursor.address());
        cursor.checksum();
        return read_super_blocks_.emplace(address, std::move(super)).first->second;
    }

    /// The elements of a data block, none if it is paged.
    const std::string& data_block(std::uint64_t address, const Group& group, std::uint64_t block) {
        const auto found = data_blocks_.find(address);
        if (found != data_blocks_.end()) return found->second;
        const std::uint64_t element_bytes = group.pages > 0 ? 0 : group.elements * format_.element_bytes;
        const std::string bytes =
            image_.bytes(address, head_bytes() + offset_bytes_ + element_bytes + 4, "extensible array data block");
        Cursor cursor(bytes, image_.widths(), "extensible array data block");
        block_head(cursor, "EADB");
        const std::uint64_t offset = cursor.number(offset_bytes_);
        // Blocks that hang on the index block: libhdf5 counts all earlier data blocks here, at this block's size.
        require(offset == group.first + block * group.elements ||
                    offset == group.first + (group.first_block + block) * group.elements,
                "extensible array data block belongs elsewhere");
        std::string elements(cursor.take(element_bytes));
        cursor.checksum();
        return data_blocks_.emplace(address, std::move(elements)).first->second;
    }

    std::uint64_t inline_count_ = 0;
    std::uint64_t min_elements_ = 0;
    std::uint64_t min_pointers_ = 0;
    std::uint64_t page_elements_ = 0;
    unsigned offset_bytes_ = 0;
    std::uint64_t used_ = 0;
    std::uint64_t index_block_ = kUndefinedAddress;
    std::size_t direct_groups_ = 0;  ///< groups without a super block
    std::vector<Group> groups_;
    std::string inline_;
    std::vector<std::uint64_t> blocks_;
    std::vector<std::uint64_t> super_blocks_;
    std::unordered_map<std::uint64_t, SuperBlock> read_super_blocks_;
    std::unordered_map<std::uint64_t, std::string> data_blocks_;
};

}  // namespace

std::unique_ptr<ChunkArray> open_fixed_array(const Image& image, std::uint64_t address,
                                             const ChunkElementFormat& format) {
    return std::make_unique<FixedArray>(image, address, format);
}

std::unique_ptr<ChunkArray> open_extensible_array(const Image& image, std::uint64_t address,
                                                  const ChunkElementFormat& format) {
    return std::make_unique<ExtensibleArray>(image, address, format);
}

}  // namespace ckpt::h5
