// Which runs of which pieces a range of the whole consists of.
#include "formats/dcp/assembled_blob.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "libckpt/error.hpp"

namespace ckpt::dcp {
namespace {

constexpr std::uint64_t kBufferBytes = std::uint64_t{1} << 20;

/// A piece as runs of the whole: dimensions behind the last one that it cuts are one run.
struct Box {
    std::vector<std::uint64_t> counts;  ///< of runs in each dimension before the run itself
    std::vector<std::uint64_t> steps;   ///< bytes of the whole from one to the next, dimension by dimension
    std::uint64_t first = 0;            ///< byte of the whole at which it begins
    std::uint64_t end = 0;              ///< and behind which it ends
    std::uint64_t run_bytes = 0;
    std::uint64_t runs = 0;

    std::uint64_t run_begin(std::uint64_t run) const {
        std::uint64_t place = first;
        for (std::size_t i = counts.size(); i-- > 0;) {
            place += run % counts[i] * steps[i];
            run /= counts[i];
        }
        return place;
    }
    /// The first run that ends behind a byte of the whole. Runs lie in order.
    std::uint64_t run_behind(std::uint64_t byte) const {
        std::uint64_t low = 0, high = runs;
        while (low < high) {
            const std::uint64_t middle = low + (high - low) / 2;
            if (run_begin(middle) + run_bytes > byte) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }
};

Box make_box(const SizeList& shape, unsigned width, const Piece& piece) {
    Box box;
    box.run_bytes = width;
    std::size_t cut = shape.size();  // dimensions from here on belong to the run
    bool is_whole = true;
    std::uint64_t step = width;
    std::vector<std::uint64_t> all_steps(shape.size());
    for (std::size_t i = shape.size(); i-- > 0;) {
        all_steps[i] = step;
        step *= static_cast<std::uint64_t>(shape[i]);
        box.first += static_cast<std::uint64_t>(piece.offsets[i]) * all_steps[i];
        if (is_whole) {
            box.run_bytes *= static_cast<std::uint64_t>(piece.sizes[i]);
            cut = i;
        }
        is_whole = is_whole && piece.sizes[i] == shape[i];
    }
    box.runs = 1;
    for (std::size_t i = 0; i < cut; ++i) {
        box.counts.push_back(static_cast<std::uint64_t>(piece.sizes[i]));
        box.steps.push_back(all_steps[i]);
        box.runs *= box.counts.back();
    }
    box.end = box.run_begin(box.runs - 1) + box.run_bytes;
    return box;
}

class AssembledBlob final : public Blob {
public:
    AssembledBlob(const SizeList& shape, unsigned width, std::vector<Piece> pieces) : size_bytes_(width) {
        for (const std::int64_t size : shape) size_bytes_ *= static_cast<std::uint64_t>(size);
        for (Piece& piece : pieces)
            parts_.push_back(std::make_unique<Part>(make_box(shape, width, piece), std::move(piece.open)));
        std::sort(parts_.begin(), parts_.end(),
                  [](const auto& a, const auto& b) { return a->box.first < b->box.first; });
        for (const auto& part : parts_)
            ends_.push_back(ends_.empty() ? part->box.end : std::max(ends_.back(), part->box.end));
    }

    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

    std::optional<FileRange> file_range() const override {
        return parts_.size() == 1 ? parts_.front()->blob()->file_range() : std::nullopt;
    }

    /// Where each piece is whole rows: they lie one behind the other.
    std::vector<BlobPtr> pieces() const override {
        std::vector<BlobPtr> blobs;
        std::uint64_t begin = 0;
        for (const auto& part : parts_) {
            if (part->box.runs != 1 || part->box.first != begin) return {};
            begin = part->box.end;
        }
        if (parts_.size() < 2) return {};
        for (const auto& part : parts_) blobs.push_back(part->blob());
        return blobs;
    }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes_ || out.size() > size_bytes_ - offset_bytes)
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes_);
        if (out.empty()) return;
        // The first part that may reach into the range: ends_ holds how far those up to each reach.
        auto index =
            static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset_bytes) - ends_.begin());
        for (; index < parts_.size() && parts_[index]->box.first < offset_bytes + out.size(); ++index) {
            if (parts_[index]->box.end > offset_bytes) gather(*parts_[index], offset_bytes, out);
        }
    }

    void open_all() const {
        for (const auto& part : parts_) part->blob();
    }

private:
    struct Part {
        Part(Box with_box, std::function<BlobPtr()> with_open) : box(std::move(with_box)), open(std::move(with_open)) {}
        Box box;
        const BlobPtr& blob() const {
            const std::lock_guard lock(mutex);
            if (!opened) opened = open();
            return opened;
        }
        std::function<BlobPtr()> open;
        mutable std::mutex mutex;
        mutable BlobPtr opened;
    };

    static void gather(const Part& part, std::uint64_t offset, std::span<std::byte> out) {
        const Box& box = part.box;
        const std::uint64_t end = offset + out.size();
        std::uint64_t run = box.run_behind(offset);
        std::vector<std::byte> buffer;
        while (run < box.runs) {
            const std::uint64_t begin = box.run_begin(run);
            if (begin >= end) return;
            // A run that reaches over the range's edges, or is long, goes straight to its place.
            const std::uint64_t from = std::max(begin, offset);
            const std::uint64_t to = std::min(begin + box.run_bytes, end);
            const bool is_edge = from != begin || to != begin + box.run_bytes;
            if (is_edge || box.run_bytes >= kBufferBytes / 4) {
                part.blob()->read(
                    run * box.run_bytes + (from - begin),
                    out.subspan(static_cast<std::size_t>(from - offset), static_cast<std::size_t>(to - from)));
                ++run;
                continue;
            }
            // Short ones follow each other in the piece: many at once, then each to its place.
            const std::uint64_t most = std::min(box.runs - run, kBufferBytes / box.run_bytes);
            std::uint64_t count = 1;
            std::vector<std::uint64_t> places = {begin};
            while (count < most) {
                const std::uint64_t next = box.run_begin(run + count);
                if (next + box.run_bytes > end) break;
                places.push_back(next);
                ++count;
            }
            buffer.resize(static_cast<std::size_t>(count * box.run_bytes));
            part.blob()->read(run * box.run_bytes, buffer);
            for (std::uint64_t i = 0; i < count; ++i) {
                std::memcpy(out.data() + (places[static_cast<std::size_t>(i)] - offset),
                            buffer.data() + i * box.run_bytes, static_cast<std::size_t>(box.run_bytes));
            }
            run += count;
        }
    }

    std::uint64_t size_bytes_;
    std::vector<std::unique_ptr<Part>> parts_;  // by the place of their first byte
    std::vector<std::uint64_t> ends_;           // how far the parts up to each reach
};

}  // namespace

BlobPtr assembled_blob(const SizeList& shape, unsigned width_bytes, std::vector<Piece> pieces) {
    std::erase_if(pieces, [](const Piece& piece) {
        return std::find(piece.sizes.begin(), piece.sizes.end(), 0) != piece.sizes.end();
    });
    return std::make_shared<AssembledBlob>(shape, width_bytes, std::move(pieces));
}

void open_pieces(const Blob& blob) {
    if (const auto* assembled = dynamic_cast<const AssembledBlob*>(&blob)) assembled->open_all();
}

}  // namespace ckpt::dcp
