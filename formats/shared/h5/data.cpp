// Blobs over fill values and chunks.
#include "formats/shared/h5/data.hpp"

#include <algorithm>
#include <cstring>

namespace ckpt::h5 {
namespace {

/// Elements that are nowhere: any number of fill values.
class FillBlob final : public Blob {
public:
    FillBlob(std::string element, std::uint64_t size_bytes) : element_(std::move(element)), size_bytes_(size_bytes) {}
    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        require(offset_bytes <= size_bytes_ && out.size() <= size_bytes_ - offset_bytes,
                "{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes_);
        fill_run(out, element_, offset_bytes);
    }

private:
    std::string element_;
    std::uint64_t size_bytes_;
};

class ChunkedBlob final : public Blob {
public:
    ChunkedBlob(std::shared_ptr<const Image> image, const ChunkSupport& support, const Dataset& dataset)
        : image_(std::move(image)),
          cache_(support.cache),
          helpers_(support.helpers),
          dataset_(dataset),
          grid_(dataset),
          id_(cache_->new_dataset()),
          rank_(dataset.space.dims.size()) {
        // Bytes from one element to the next along each dimension, in the dataset and in a chunk.
        dataset_steps_.resize(rank_);
        chunk_steps_.resize(rank_);
        std::uint64_t dataset_step = dataset.type->size_bytes;
        std::uint64_t chunk_step = dataset_step;
        for (std::size_t i = rank_; i-- > 0;) {
            dataset_steps_[i] = dataset_step;
            chunk_steps_[i] = chunk_step;
            dataset_step *= dataset.space.dims[i];
            chunk_step *= dataset.layout.chunk[i];
        }
    }

    std::uint64_t size_bytes() const noexcept override { return dataset_.size_bytes; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        require(offset_bytes <= size_bytes() && out.size() <= size_bytes() - offset_bytes,
                "{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        if (out.empty()) return;
        read_index();
        const Box box = box_of(offset_bytes, out.size());
        // The chunks that the box touches, counted row-major.
        std::vector<std::uint64_t> first(rank_);
        std::vector<std::uint64_t> counts(rank_);
        std::uint64_t total = 1;
        for (std::size_t i = 0; i < rank_; ++i) {
            first[i] = box.first[i] / chunk()[i];
            counts[i] = (box.end[i] - 1) / chunk()[i] - first[i] + 1;
            total *= counts[i];
        }
        const auto copy = [&](std::uint64_t number) {
            std::vector<std::uint64_t> place(rank_);
            for (std::size_t i = rank_; i-- > 0;) {
                place[i] = first[i] + number % counts[i];
                number /= counts[i];
            }
            copy_chunk(place, box, offset_bytes, out);
        };
        // Chunks write to places of their own. Little work is not worth a thread.
        const std::uint64_t chunk_bytes = dataset_.layout.chunk_size_bytes;
        const bool is_much = total > 1 && !dataset_.filters.empty() && total >= kMinSharedBytes / chunk_bytes;
        run(is_much, total, copy);
    }

    /// Decodes every stored chunk.
    void check(const Context& context) const {
        read_index();
        run(true, chunks_.size(), [&](std::uint64_t i) {
            context.check_cancelled();
            std::vector<std::uint64_t> place = grid_.offset(chunks_[i].number);
            for (std::size_t d = 0; d < rank_; ++d) place[d] /= chunk()[d];
            decode_stored(chunks_[i], place);
        });
    }

    /// Whole rows of chunks: as many as make a few MiB.
    std::uint64_t best_read_bytes() const noexcept override {
        std::size_t cut = 0;
        while (cut + 1 < rank_ && chunk()[cut] == 1) ++cut;
        const std::uint64_t rows = std::min(chunk()[cut], dims()[cut]);
        const bool is_even = cut == 0 || dims()[cut] % rows == 0;
        const std::uint64_t step = dataset_steps_[cut] * (is_even ? rows : dims()[cut]);
        if (step >= kMaxReadBytes) return kMaxReadBytes;
        return step * std::max<std::uint64_t>(1, kGoodReadBytes / step);
    }

private:
    static constexpr std::uint64_t kMinSharedBytes = std::uint64_t{512} << 10;
    static constexpr std::uint64_t kMaxSharedChunkBytes = std::uint64_t{8} << 20;  ///< larger ones cost too much memory
    static constexpr std::uint64_t kGoodReadBytes = std::uint64_t{8} << 20;
    static constexpr std::uint64_t kMaxReadBytes = std::uint64_t{24} << 20;

    struct Box {
        std::vector<std::uint64_t> first;
        std::vector<std::uint64_t> end;
    };

    template <typename Job>
    void run(bool is_shared, std::uint64_t count, const Job& job) const {
        if (is_shared && dataset_.layout.chunk_size_bytes <= kMaxSharedChunkBytes)
            return helpers_->run(static_cast<std::size_t>(count), job);
        for (std::uint64_t i = 0; i < count; ++i) job(i);
    }
    void read_index() const {
        std::call_once(index_once_, [this] { chunks_ = read_chunk_index(*image_, dataset_, grid_); });
    }
    const std::vector<std::uint64_t>& chunk() const { return dataset_.layout.chunk; }
    const std::vector<std::uint64_t>& dims() const { return dataset_.space.dims; }

    /// The smallest box of elements that holds a row-major range of bytes.
    Box box_of(std::uint64_t offset_bytes, std::uint64_t size) const {
        Box box{std::vector<std::uint64_t>(rank_), std::vector<std::uint64_t>(rank_)};
        std::uint64_t first = offset_bytes;
        std::uint64_t last = offset_bytes + size - 1;
        bool is_same_so_far = true;
        for (std::size_t i = 0; i < rank_; ++i) {
            const std::uint64_t a = first / dataset_steps_[i];
            const std::uint64_t b = last / dataset_steps_[i];
            first %= dataset_steps_[i];
            last %= dataset_steps_[i];
            box.first[i] = is_same_so_far ? a : 0;
            box.end[i] = is_same_so_far ? b + 1 : dims()[i];
            is_same_so_far = is_same_so_far && a == b;
        }
        return box;
    }

    /// Copies what a chunk has of the box, run by run, as far as it lies in the range.
    void copy_chunk(const std::vector<std::uint64_t>& place, const Box& box, std::uint64_t offset_bytes,
                    std::span<std::byte> out) const {
        Box part = box;
        for (std::size_t i = 0; i < rank_; ++i) {
            const std::uint64_t begin = place[i] * chunk()[i];
            part.first[i] = std::max(part.first[i], begin);
            // The last chunk's end may lie far behind the dataset's.
            part.end[i] = dims()[i] - begin <= chunk()[i] ? part.end[i] : std::min(part.end[i], begin + chunk()[i]);
        }
        // A run goes over all dimensions that are whole in the part, the chunk and the dataset.
        std::size_t outer = rank_ - 1;
        while (outer > 0 && part.first[outer] == 0 && part.end[outer] == dims()[outer] &&
               chunk()[outer] == dims()[outer]) {
            --outer;
        }
        const std::uint64_t run_bytes = (part.end[outer] - part.first[outer]) * dataset_steps_[outer];
        const ChunkCache::Decoded decoded = decode(place, !is_used_up(place, offset_bytes, out.size()));
        std::vector<std::uint64_t> at = part.first;
        while (true) {
            copy_run(at, place, run_bytes, decoded.get(), offset_bytes, out);
            std::size_t i = outer;
            while (i-- > 0) {
                if (++at[i] < part.end[i]) break;
                at[i] = part.first[i];
            }
            if (i == static_cast<std::size_t>(-1)) return;
        }
    }

    void copy_run(const std::vector<std::uint64_t>& at, const std::vector<std::uint64_t>& place,
                  std::uint64_t run_bytes, const Buffer* decoded, std::uint64_t offset_bytes,
                  std::span<std::byte> out) const {
        std::uint64_t in_dataset = 0;
        std::uint64_t in_chunk = 0;
        for (std::size_t i = 0; i < rank_; ++i) {
            in_dataset += at[i] * dataset_steps_[i];
            in_chunk += (at[i] - place[i] * chunk()[i]) * chunk_steps_[i];
        }
        const std::uint64_t begin = std::max(in_dataset, offset_bytes);
        const std::uint64_t end = std::min(in_dataset + run_bytes, offset_bytes + out.size());
        if (begin >= end) return;
        const auto to =
            out.subspan(static_cast<std::size_t>(begin - offset_bytes), static_cast<std::size_t>(end - begin));
        if (decoded == nullptr) {
            fill_run(to, dataset_.fill, begin);
        } else {
            std::memcpy(to.data(), decoded->data() + in_chunk + (begin - in_dataset), to.size());
        }
    }

    /// Whether a range of bytes has all that a chunk holds of the dataset: then nobody asks for it again soon.
    bool is_used_up(const std::vector<std::uint64_t>& place, std::uint64_t offset_bytes, std::uint64_t size) const {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        for (std::size_t i = 0; i < rank_; ++i) {
            const std::uint64_t begin = place[i] * chunk()[i];
            first += begin * dataset_steps_[i];
            last += (begin + std::min(chunk()[i], dims()[i] - begin) - 1) * dataset_steps_[i];
        }
        return first >= offset_bytes && last - offset_bytes < size;
    }

    /// nullptr for a chunk that was never written.
    ChunkCache::Decoded decode(const std::vector<std::uint64_t>& place, bool is_wanted_again) const {
        const std::uint64_t number = grid_.number(place).value_or(0);
        const auto found = std::lower_bound(chunks_.begin(), chunks_.end(), number,
                                            [](const StoredChunk& c, std::uint64_t n) { return c.number < n; });
        if (found == chunks_.end() || found->number != number) return nullptr;
        if (auto cached = cache_->find(id_, number)) return cached;
        const auto decoded = std::make_shared<const Buffer>(decode_stored(*found, place));
        if (is_wanted_again) cache_->add(id_, number, decoded);
        return decoded;
    }

    Buffer decode_stored(const StoredChunk& chunk, const std::vector<std::uint64_t>& place) const {
        const std::uint64_t chunk_bytes = dataset_.layout.chunk_size_bytes;
        image_->check(chunk.address, chunk.stored_bytes, "chunk");
        // No filter makes data much larger than they are; a claim beyond that is not worth the memory.
        require(chunk.stored_bytes <= 2 * chunk_bytes + 65536, "chunk of {} bytes is stored in {}", chunk_bytes,
                chunk.stored_bytes);
        Buffer stored(static_cast<std::size_t>(chunk.stored_bytes));
        image_->read(chunk.address, stored.span(), "chunk");
        const bool is_raw = dataset_.layout.keeps_edges_raw && sticks_out(place);
        const std::span<const Filter> filters(dataset_.filters.data(), is_raw ? 0 : dataset_.filters.size());
        return undo_filters(std::move(stored), filters, chunk.filter_mask, static_cast<std::size_t>(chunk_bytes));
    }

    bool sticks_out(const std::vector<std::uint64_t>& place) const {
        for (std::size_t i = 0; i < rank_; ++i) {
            if (dims()[i] - place[i] * chunk()[i] < chunk()[i]) return true;
        }
        return false;
    }

    std::shared_ptr<const Image> image_;
    std::shared_ptr<ChunkCache> cache_;
    std::shared_ptr<Helpers> helpers_;
    Dataset dataset_;
    ChunkGrid grid_;
    std::uint64_t id_;
    std::size_t rank_;
    std::vector<std::uint64_t> dataset_steps_;
    std::vector<std::uint64_t> chunk_steps_;
    mutable std::once_flag index_once_;
    mutable std::vector<StoredChunk> chunks_;
};

BlobPtr fill_blob(const Dataset& dataset) {
    const bool is_zero = std::all_of(dataset.fill.begin(), dataset.fill.end(), [](char c) { return c == 0; });
    if (is_zero) return zero_blob(dataset.size_bytes);
    return std::make_shared<FillBlob>(dataset.fill, dataset.size_bytes);
}

/// A chunk is decoded in memory, so that a small file may not have huge ones, however well they compress.
std::uint64_t max_chunk_bytes(std::uint64_t file_bytes) {
    constexpr std::uint64_t kAlwaysFine = std::uint64_t{80} << 20;
    return std::min(kMaxChunkBytes, std::max(kAlwaysFine, 16 * file_bytes));
}

}  // namespace

void fill_run(std::span<std::byte> out, const std::string& element, std::uint64_t phase) {
    if (element.empty()) {
        std::fill(out.begin(), out.end(), std::byte{0});
        return;
    }
    auto at = static_cast<std::size_t>(phase % element.size());
    for (std::byte& byte : out) {
        byte = static_cast<std::byte>(element[at]);
        if (++at == element.size()) at = 0;
    }
}

BlobPtr data_blob(const std::shared_ptr<const Image>& image, const ChunkSupport& support, const Dataset& dataset) {
    const Layout& layout = dataset.layout;
    switch (layout.cls) {
        case LayoutClass::kCompact:
            return memory_blob(layout.compact);
        case LayoutClass::kContiguous:
            if (layout.address == kUndefinedAddress) return fill_blob(dataset);
            return image->blob(layout.address, dataset.size_bytes, "contiguous data");
        default:
            break;
    }
    if (layout.address == kUndefinedAddress) return fill_blob(dataset);
    require_known_filters(dataset.filters);
    const std::uint64_t limit = max_chunk_bytes(image->superblock().end);
    if (layout.chunk_size_bytes > limit) {
        throw_error(ErrorCode::kRefused, "chunks of {} bytes are over the limit of {}", layout.chunk_size_bytes, limit);
    }
    return std::make_shared<ChunkedBlob>(image, support, dataset);
}

void check_blob(const Blob& blob, const Context& context) {
    if (const auto* chunked = dynamic_cast<const ChunkedBlob*>(&blob)) return chunked->check(context);
    if (!blob.file_range()) return;  // computed from what is checked elsewhere, or from nothing
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(blob.size_bytes(), 1U << 20)));
    for (std::uint64_t done = 0; done < blob.size_bytes();) {
        context.check_cancelled();
        const auto piece = std::span(buffer).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), blob.size_bytes() - done)));
        blob.read(done, piece);
        done += piece.size();
    }
}

}  // namespace ckpt::h5
