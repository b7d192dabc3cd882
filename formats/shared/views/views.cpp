// Storage bytes from logical elements: the inverse of gathering a strided view.
#include "formats/shared/views/views.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;

struct Axis {
    std::uint64_t size;
    std::uint64_t stride;       ///< in the storage, in elements
    std::uint64_t from_stride;  ///< in the row-major elements
};

/// Dimensions that matter, the largest stride first.
std::vector<Axis> sorted_axes(const TensorNode& view) {
    std::vector<Axis> axes;
    std::uint64_t step = 1;
    for (std::size_t i = view.shape.size(); i-- > 0;) {
        const auto size = static_cast<std::uint64_t>(view.shape[i]);
        if (size > 1 && view.stride[i] > 0) axes.push_back({size, static_cast<std::uint64_t>(view.stride[i]), step});
        step *= size;
    }
    std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
    return axes;
}

/// Elements of a view in the order in which they lie in the storage, and where each lies.
class Piece {
public:
    explicit Piece(const ReadView& view) : axes_(sorted_axes(*view.tensor)), width_(dtype_width(view.tensor->dtype)) {
        // The elements are a view themselves: of the row-major blob, with the axes in the storage's order.
        TensorNode ordered;
        ordered.dtype = view.tensor->dtype;
        ordered.conj = view.tensor->conj;  // undone by doing it again
        ordered.neg = view.tensor->neg;
        for (const Axis& axis : axes_) {
            ordered.shape.push_back(static_cast<std::int64_t>(axis.size));
            ordered.stride.push_back(static_cast<std::int64_t>(axis.from_stride));
        }
        ordered.storage = std::make_shared<const Storage>(Storage{view.elements, ""});
        elements_ = logical_blob(ordered);
        std::uint64_t span = 1;
        count_ = 1;
        for (const Axis& axis : axes_) {
            span += (axis.size - 1) * axis.stride;
            count_ *= axis.size;
        }
        begin_ = static_cast<std::uint64_t>(view.tensor->offset) * width_;
        end_ = begin_ + span * width_;
        is_dense_ = span == count_;
    }

    std::uint64_t begin() const { return begin_; }
    std::uint64_t end() const { return end_; }
    bool is_dense() const { return is_dense_; }
    const BlobPtr& elements() const { return elements_; }

    /// Copies what the piece has of the storage's bytes [at, at + out.size()) over `out`.
    void paint(std::uint64_t at, std::span<std::byte> out) const {
        const std::uint64_t from = std::max(at, begin_);
        const std::uint64_t to = std::min(at + out.size(), end_);
        if (from >= to) return;
        if (is_dense_) {
            elements_->read(from - begin_,
                            out.subspan(static_cast<std::size_t>(from - at), static_cast<std::size_t>(to - from)));
            return;
        }
        std::uint64_t rank = first_at_or_behind((from - begin_) / width_);
        std::vector<std::byte> block;
        while (rank < count_) {
            std::uint64_t place = begin_ + position(rank) * width_;
            if (place >= to) return;
            const std::uint64_t count = std::min({count_ - rank, kBlockBytes / width_, (to - place) / width_ + 1});
            block.resize(static_cast<std::size_t>(count * width_));
            elements_->read(rank * width_, block);
            for (std::uint64_t i = 0; i < count; ++i) {
                place = begin_ + position(rank + i) * width_;
                if (place >= to) return;
                copy_element(block.data() + i * width_, place, at, out);
            }
            rank += count;
        }
    }

private:
    /// Where an element lies, in elements from the piece's begin.
    std::uint64_t position(std::uint64_t rank) const {
        std::uint64_t result = 0;
        for (std::size_t i = axes_.size(); i-- > 0;) {
            result += rank % axes_[i].size * axes_[i].stride;
            rank /= axes_[i].size;
        }
        return result;
    }
    /// The first element that lies at `place` or behind it, or overlaps it.
    std::uint64_t first_at_or_behind(std::uint64_t place) const {
        std::uint64_t rank = 0;
        bool is_behind = false;  // an outer axis went past the place: everything inside begins at 0
        for (const Axis& axis : axes_) {
            std::uint64_t index = is_behind ? 0 : std::min(place / axis.stride, axis.size - 1);
            place = is_behind ? 0 : place - index * axis.stride;
            rank = rank * axis.size + index;
        }
        // The digits give the last element not behind the place; it may lie before it.
        return rank;
    }
    void copy_element(const std::byte* element, std::uint64_t place, std::uint64_t at, std::span<std::byte> out) const {
        const std::uint64_t from = std::max(place, at);
        const std::uint64_t to = std::min(place + width_, at + out.size());
        if (from >= to) return;
        std::memcpy(out.data() + (from - at), element + (from - place), static_cast<std::size_t>(to - from));
    }

    std::vector<Axis> axes_;
    unsigned width_;
    BlobPtr elements_;
    std::uint64_t count_ = 0;
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
    bool is_dense_ = false;
};

class ViewsBlob final : public Blob {
public:
    ViewsBlob(std::vector<Piece> pieces, std::uint64_t size_bytes)
        : pieces_(std::move(pieces)), size_bytes_(size_bytes) {
        // How far the pieces up to each one reach: where a range begins behind that, none of them has a part in it.
        std::uint64_t reach = 0;
        for (const Piece& piece : pieces_) reaches_.push_back(reach = std::max(reach, piece.end()));
    }

    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes_ || out.size() > size_bytes_ - offset_bytes) {
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes_);
        }
        std::fill(out.begin(), out.end(), std::byte{0});
        const auto first = std::upper_bound(reaches_.begin(), reaches_.end(), offset_bytes);
        for (auto i = static_cast<std::size_t>(first - reaches_.begin()); i < pieces_.size(); ++i) {
            if (pieces_[i].begin() >= offset_bytes + out.size()) break;
            pieces_[i].paint(offset_bytes, out);
        }
    }

private:
    std::vector<Piece> pieces_;  ///< by begin
    std::vector<std::uint64_t> reaches_;
    std::uint64_t size_bytes_;
};

}  // namespace

bool is_invertible(const TensorNode& view) {
    if (dtype_width(view.dtype) == 0) return false;
    std::uint64_t inner_span = 1;  // of the axes with smaller strides
    const auto axes = sorted_axes(view);
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
        if (axis->stride < inner_span) return false;
        inner_span += (axis->size - 1) * axis->stride;
    }
    return true;
}

BlobPtr storage_from_views(const std::vector<ReadView>& views, std::uint64_t size_bytes) {
    std::vector<Piece> pieces;
    for (const ReadView& view : views) {
        if (view.tensor->element_count() == std::optional<std::uint64_t>(0)) continue;
        Piece piece(view);
        if (piece.is_dense() && piece.begin() == 0 && piece.end() == size_bytes) return piece.elements();
        pieces.push_back(std::move(piece));
    }
    if (pieces.empty()) return zero_blob(size_bytes);
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
        return a.begin() != b.begin() ? a.begin() < b.begin() : a.end() > b.end();
    });
    // A piece inside of a dense one before it shows nothing new.
    std::vector<Piece> needed;
    std::uint64_t covered = 0;
    for (Piece& piece : pieces) {
        if (piece.end() <= covered) continue;
        if (piece.is_dense()) covered = piece.end();
        needed.push_back(std::move(piece));
    }
    return std::make_shared<ViewsBlob>(std::move(needed), size_bytes);
}

}  // namespace ckpt
