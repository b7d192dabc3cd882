// Reading chunk indexes. Facts: hdf5.md, 6.3 and 11.
#include "formats/shared/h5/chunk_index.hpp"

#include <algorithm>
#include <bit>

#include "formats/shared/h5/btree.hpp"

namespace ckpt::h5 {
namespace {

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) {
    return a / b + (a % b != 0 ? 1 : 0);
}

void refuse_too_many(std::uint64_t count) {
    if (count > kMaxChunks) {
        throw_error(ErrorCode::kRefused, "dataset has {} chunks, more than the limit of {}", count, kMaxChunks);
    }
}

class IndexReader {
public:
    IndexReader(const Image& image, const Dataset& dataset, const ChunkGrid& grid)
        : image_(image), dataset_(dataset), layout_(dataset.layout), grid_(grid), place_(grid.rank()) {
        format_.is_filtered = !dataset.filters.empty();
        format_.chunk_bytes = layout_.chunk_size_bytes;
        const auto log2 = static_cast<unsigned>(std::bit_width(layout_.chunk_size_bytes)) - 1;
        format_.size_field_bytes = layout_.version < 5 ? std::min(8U, 1 + (log2 + 8) / 8) : image.widths().length_bytes;
        format_.element_bytes = image.widths().offset_bytes + (format_.is_filtered ? format_.size_field_bytes + 4 : 0);
    }

    std::vector<StoredChunk> run() {
        if (layout_.address == kUndefinedAddress || grid_.total() == 0) return {};
        switch (layout_.index) {
            case ChunkIndex::kBtree1:
                read_btree1();
                break;
            case ChunkIndex::kSingle:
                read_single();
                break;
            case ChunkIndex::kBtree2:
                read_btree2();
                break;
            case ChunkIndex::kImplicit:
            case ChunkIndex::kFixedArray:
            case ChunkIndex::kExtensibleArray:
                read_array();
                break;
        }
        std::sort(chunks_.begin(), chunks_.end(),
                  [](const StoredChunk& a, const StoredChunk& b) { return a.number < b.number; });
        const auto twice =
            std::adjacent_find(chunks_.begin(), chunks_.end(),
                               [](const StoredChunk& a, const StoredChunk& b) { return a.number == b.number; });
        require(twice == chunks_.end(), "chunk {} is indexed twice", twice == chunks_.end() ? 0 : twice->number);
        return std::move(chunks_);
    }

private:
    /// Adds a chunk at `place_`, unless it lies outside of the dataset.
    void add(StoredChunk chunk) {
        const auto number = grid_.number(place_);
        if (!number) return;
        chunk.number = *number;
        chunks_.push_back(chunk);
        refuse_too_many(chunks_.size());
    }

    void read_btree1() {
        const std::size_t key_bytes = 8 + 8 * (grid_.rank() + 1);
        walk_btree1(
            image_, layout_.address, Btree1Kind::kChunks, key_bytes, [this](std::string_view key, std::uint64_t child) {
                Cursor cursor(key, image_.widths(), "chunk key");
                StoredChunk chunk;
                chunk.stored_bytes = cursor.u32();
                chunk.filter_mask = cursor.u32();
                chunk.address = child;
                for (std::size_t i = 0; i < place_.size(); ++i) {
                    const std::uint64_t offset = cursor.u64();
                    require(offset % layout_.chunk[i] == 0, "chunk at element {} of dimension {}, where chunks have {}",
                            offset, i, layout_.chunk[i]);
                    place_[i] = offset / layout_.chunk[i];
                }
                add(chunk);
            });
    }

    void read_single() {
        StoredChunk chunk;
        chunk.address = layout_.address;
        chunk.stored_bytes = layout_.single_is_filtered ? layout_.stored_size_bytes : layout_.chunk_size_bytes;
        chunk.filter_mask = layout_.filter_mask;
        add(chunk);
    }

    void read_btree2() {
        const auto type = format_.is_filtered ? Btree2Type::kFilteredChunk : Btree2Type::kChunk;
        walk_btree2(image_, layout_.address, type, format_.element_bytes + 8 * grid_.rank(),
                    [this](std::string_view record) {
                        Cursor cursor(record, image_.widths(), "chunk record");
                        const auto chunk = format_.parse(cursor.take(format_.element_bytes), image_.widths());
                        for (std::uint64_t& place : place_) place = cursor.u64();
                        if (chunk) add(*chunk);
                    });
    }

    /// Bytes of linear numbers: how much one step in a dimension adds. Counts come from the maximal shape.
    std::vector<std::uint64_t> linear_steps() const {
        std::vector<std::size_t> order(grid_.rank());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        const auto& max_dims = dataset_.space.max_dims;
        const auto unlimited = std::find(max_dims.begin(), max_dims.end(), Dataspace::kUnlimited);
        if (layout_.index == ChunkIndex::kExtensibleArray && unlimited != max_dims.end()) {
            // The dimension that grows counts as the slowest.
            std::rotate(order.begin(), order.begin() + (unlimited - max_dims.begin()),
                        order.begin() + (unlimited - max_dims.begin()) + 1);
        }
        std::vector<std::uint64_t> steps(grid_.rank());
        std::uint64_t step = 1;
        for (auto i = order.rbegin(); i != order.rend(); ++i) {
            steps[*i] = step;
            const bool is_unlimited = max_dims[*i] == Dataspace::kUnlimited;
            step = checked_product(step, is_unlimited ? grid_.counts()[*i] : divide_up(max_dims[*i], layout_.chunk[*i]),
                                   "chunk index");
        }
        return steps;
    }

    void read_array() {
        refuse_too_many(grid_.total());
        const std::vector<std::uint64_t> steps = linear_steps();
        std::unique_ptr<ChunkArray> array;
        if (layout_.index == ChunkIndex::kFixedArray) array = open_fixed_array(image_, layout_.address, format_);
        if (layout_.index == ChunkIndex::kExtensibleArray)
            array = open_extensible_array(image_, layout_.address, format_);
        for (std::uint64_t n = 0; n < grid_.total(); ++n) {
            std::uint64_t linear = 0;
            for (std::size_t i = 0; i < place_.size(); ++i) linear += place_[i] * steps[i];
            if (array) {
                if (const auto chunk = array->get(linear)) add(*chunk);
            } else {
                StoredChunk chunk;
                chunk.stored_bytes = layout_.chunk_size_bytes;
                const std::uint64_t at = checked_product(linear, layout_.chunk_size_bytes, "implicit chunk");
                image_.check(layout_.address, at, "implicit chunk");
                chunk.address = layout_.address + at;
                add(chunk);
            }
            for (std::size_t i = place_.size(); i-- > 0;) {
                if (++place_[i] < grid_.counts()[i]) break;
                place_[i] = 0;
            }
        }
    }

    const Image& image_;
    const Dataset& dataset_;
    const Layout& layout_;
    const ChunkGrid& grid_;
    std::vector<std::uint64_t> place_;
    ChunkElementFormat format_;
    std::vector<StoredChunk> chunks_;
};

}  // namespace

ChunkGrid::ChunkGrid(const Dataset& dataset) : chunk_(dataset.layout.chunk) {
    for (std::size_t i = 0; i < chunk_.size(); ++i) {
        counts_.push_back(divide_up(dataset.space.dims[i], chunk_[i]));
    }
    // No product overflows: there are at most as many chunks as elements, and those are fewer than 2^63.
    if (dataset.space.element_count == 0) total_ = 0;
    for (const std::uint64_t count : counts_) total_ *= total_ == 0 ? 1 : count;
}

std::optional<std::uint64_t> ChunkGrid::number(std::span<const std::uint64_t> place) const noexcept {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        if (place[i] >= counts_[i]) return std::nullopt;
        number = number * counts_[i] + place[i];
    }
    return number;
}

std::vector<std::uint64_t> ChunkGrid::offset(std::uint64_t number) const {
    std::vector<std::uint64_t> offset(counts_.size());
    for (std::size_t i = counts_.size(); i-- > 0;) {
        offset[i] = number % counts_[i] * chunk_[i];
        number /= counts_[i];
    }
    return offset;
}

std::optional<StoredChunk> ChunkElementFormat::parse(std::string_view bytes, Widths widths) const {
    Cursor cursor(bytes, widths, "chunk index element");
    StoredChunk chunk;
    chunk.address = cursor.address();
    chunk.stored_bytes = is_filtered ? cursor.number(size_field_bytes) : chunk_bytes;
    if (is_filtered) chunk.filter_mask = cursor.u32();
    if (chunk.address == kUndefinedAddress) return std::nullopt;
    return chunk;
}

std::vector<StoredChunk> read_chunk_index(const Image& image, const Dataset& dataset, const ChunkGrid& grid) {
    return IndexReader(image, dataset, grid).run();
}

}  // namespace ckpt::h5
