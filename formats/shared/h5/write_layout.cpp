// Chunks of a given shape: what is in each, and how it is stored. Facts: hdf5.md, 11 and 12.
#include "formats/shared/h5/write_layout.hpp"

#include <algorithm>
#include <limits>

#include "formats/shared/h5/filter_encoders.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxChunkCount = std::uint64_t{1} << 20;
constexpr std::size_t kMaxFilters = 32;
constexpr unsigned kFirstNamedFilter = 256;

/// Row-major counting within a box.
bool step(std::vector<std::uint64_t>& at, const std::vector<std::uint64_t>& counts, std::size_t rank) {
    for (std::size_t i = rank; i-- > 0;) {
        if (++at[i] < counts[i]) return true;
        at[i] = 0;
    }
    return false;
}

class ChunkOrderBlob final : public Blob {
public:
    ChunkOrderBlob(BlobPtr elements, const WriteLayout& layout, std::vector<std::uint64_t> shape,
                   std::uint32_t element_bytes)
        : elements_(std::move(elements)),
          chunk_(layout.chunk),
          shape_(std::move(shape)),
          fill_(layout.fill),
          element_bytes_(element_bytes),
          chunk_bytes_(element_bytes) {
        for (std::size_t i = 0; i < chunk_.size(); ++i) {
            counts_.push_back((shape_[i] + chunk_[i] - 1) / chunk_[i]);
            chunk_bytes_ *= chunk_[i];
            total_ *= counts_.back();
        }
    }
    std::uint64_t size_bytes() const noexcept override { return total_ * chunk_bytes_; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes % chunk_bytes_ != 0 || out.size() != chunk_bytes_ || offset_bytes >= size_bytes())
            throw_error(ErrorCode::kInternal, "chunks are read one by one, not {} bytes at {}", out.size(),
                        offset_bytes);
        fill(out);
        const std::size_t rank = chunk_.size();
        std::vector<std::uint64_t> first(rank);
        std::vector<std::uint64_t> sizes(rank);  // what the chunk has of the dataset
        std::uint64_t number = offset_bytes / chunk_bytes_;
        for (std::size_t i = rank; i-- > 0;) {
            first[i] = number % counts_[i] * chunk_[i];
            number /= counts_[i];
            sizes[i] = std::min(chunk_[i], shape_[i] - first[i]);
        }
        // A run goes over the dimensions in which the chunk has all that there is.
        std::size_t outer = rank - 1;
        while (outer > 0 && chunk_[outer] == shape_[outer]) --outer;
        std::uint64_t run_bytes = element_bytes_;
        for (std::size_t i = outer; i < rank; ++i) run_bytes *= sizes[i];
        std::vector<std::uint64_t> at(rank, 0);
        do {
            std::uint64_t from = 0;
            std::uint64_t to = 0;
            for (std::size_t i = 0; i < rank; ++i) {
                from = from * shape_[i] + first[i] + at[i];
                to = to * chunk_[i] + at[i];
            }
            elements_->read(from * element_bytes_, out.subspan(static_cast<std::size_t>(to * element_bytes_),
                                                               static_cast<std::size_t>(run_bytes)));
        } while (step(at, sizes, outer));
    }

private:
    void fill(std::span<std::byte> out) const {
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = fill_.empty() ? std::byte{0} : static_cast<std::byte>(fill_[i % fill_.size()]);
    }

    BlobPtr elements_;
    std::vector<std::uint64_t> chunk_;
    std::vector<std::uint64_t> shape_;
    std::string fill_;
    std::uint32_t element_bytes_;
    std::uint64_t chunk_bytes_;
    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 1;
};

}  // namespace

bool fits_layout(const WriteLayout& layout, const std::vector<std::uint64_t>& shape, std::uint32_t element_bytes) {
    if (!layout.fill.empty() && layout.fill.size() != element_bytes) return false;
    if (layout.chunk.empty()) return layout.filters.empty() && layout.max_dims.empty();
    if (shape.empty() || layout.chunk.size() != shape.size() || layout.filters.size() > kMaxFilters) return false;
    if (!layout.max_dims.empty() && layout.max_dims.size() != shape.size()) return false;
    std::uint64_t chunk_bytes = element_bytes;
    std::uint64_t count = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const std::uint64_t size = layout.chunk[i];
        if (size == 0 || size > std::numeric_limits<std::uint32_t>::max() || shape[i] >> 62 != 0) return false;
        if (!layout.max_dims.empty() && layout.max_dims[i] < shape[i]) return false;
        chunk_bytes *= size;
        if (chunk_bytes == 0 || chunk_bytes > kMaxChunkBytes) return false;
        count *= std::max<std::uint64_t>(1, (shape[i] + size - 1) / size);
        if (count > kMaxChunkCount) return false;
    }
    return std::all_of(layout.filters.begin(), layout.filters.end(), [](const Filter& filter) {
        return filter.parameters.size() <= 256 && filter.name.size() <= 256;
    });
}

ChunkPlan plan_given_chunks(const WriteLayout& layout, const std::vector<std::uint64_t>& shape,
                            std::uint32_t element_bytes) {
    ChunkPlan plan;
    plan.dims = layout.chunk;
    plan.chunk_bytes = element_bytes;
    std::vector<std::uint64_t> counts;
    bool is_empty = false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        counts.push_back((shape[i] + layout.chunk[i] - 1) / layout.chunk[i]);
        plan.chunk_bytes *= layout.chunk[i];
        is_empty |= counts.back() == 0;
    }
    if (is_empty) return plan;
    std::vector<std::uint64_t> place(shape.size(), 0);
    std::uint64_t offset_bytes = 0;
    do {
        std::vector<std::uint64_t> first(shape.size());
        for (std::size_t i = 0; i < shape.size(); ++i) first[i] = place[i] * layout.chunk[i];
        plan.parts.push_back({std::move(first), offset_bytes, plan.chunk_bytes});
        offset_bytes += plan.chunk_bytes;
    } while (step(place, counts, counts.size()));
    return plan;
}

BlobPtr chunked_blob(BlobPtr elements, const WriteLayout& layout, const std::vector<std::uint64_t>& shape,
                     std::uint32_t element_bytes) {
    return std::make_shared<ChunkOrderBlob>(std::move(elements), layout, shape, element_bytes);
}

std::string filters_message(std::span<const Filter> filters) {
    std::string message;
    put(message, 1, 2);
    put(message, 1, filters.size());
    for (const Filter& filter : filters) {
        put(message, 2, filter.id);
        const std::size_t name_bytes = filter.name.empty() ? 0 : filter.name.size() + 1;
        if (filter.id >= kFirstNamedFilter) put(message, 2, name_bytes);
        put(message, 2, filter.is_optional ? 1 : 0);
        put(message, 2, filter.parameters.size());
        if (filter.id >= kFirstNamedFilter && name_bytes > 0) message += filter.name + '\0';
        for (const std::uint32_t value : filter.parameters) put(message, 4, value);
    }
    return message;
}

std::function<Encoded(std::span<const std::byte>)> filter_encoder(std::vector<Filter> filters,
                                                                  std::uint32_t element_bytes) {
    return [filters = std::move(filters), element_bytes](std::span<const std::byte> raw) {
        std::string chunk(reinterpret_cast<const char*>(raw.data()), raw.size());
        FilteredChunk filtered = apply_filters(std::move(chunk), filters, element_bytes);
        Encoded encoded{std::move(filtered.stored), {}};
        put(encoded.note, 4, filtered.mask);
        return encoded;
    };
}

}  // namespace ckpt::h5
