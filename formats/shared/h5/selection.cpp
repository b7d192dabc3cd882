// Selections: decoding, and counting their elements. Facts: hdf5.md, 13.4.
#include "formats/shared/h5/selection.hpp"

#include <algorithm>
#include <utility>

#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::size_t kMaxListedRuns = std::size_t{1} << 20;
enum Type : unsigned { kTypeNone = 0, kTypePoints = 1, kTypeHyperslab = 2, kTypeAll = 3 };

std::vector<std::uint64_t> read_numbers(Cursor& cursor, std::uint64_t count, unsigned per, unsigned width) {
    require(count <= cursor.left() / width / per, "selection claims {} parts in {} bytes", count, cursor.left());
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < count * per; ++i) numbers.push_back(cursor.number(width));
    return numbers;
}

unsigned checked_rank(std::uint32_t rank) {
    require(rank >= 1 && rank <= kMaxRank, "selection of rank {}", rank);
    return rank;
}

unsigned checked_width(unsigned width) {
    require(width == 2 || width == 4 || width == 8, "selection with numbers of {} bytes", width);
    return width;
}

void read_points(Cursor& cursor, unsigned version, Selection& selection) {
    require(version == 1 || version == 2, "point selection has version {}", version);
    selection.kind = Selection::Kind::kPoints;
    unsigned width = 4;
    if (version == 1) {
        cursor.skip(8);
    } else {
        width = checked_width(cursor.u8());
    }
    selection.rank = checked_rank(cursor.u32());
    const std::uint64_t count = cursor.number(width);
    selection.corners = read_numbers(cursor, count, selection.rank, width);
}

void read_hyperslab(Cursor& cursor, unsigned version, Selection& selection) {
    require(version >= 1 && version <= 3, "hyperslab selection has version {}", version);
    constexpr unsigned kRegularFlag = 1;
    const unsigned flags = version == 1 ? 0U : cursor.u8();
    unsigned width = version == 1 ? 4 : 8;
    if (version == 3) width = checked_width(cursor.u8());
    cursor.skip(version == 1 ? 8 : version == 2 ? 4 : 0);
    selection.rank = checked_rank(cursor.u32());
    if ((flags & kRegularFlag) == 0) {
        selection.kind = Selection::Kind::kBlocks;
        const std::uint64_t count = cursor.number(width);
        selection.corners = read_numbers(cursor, count, 2 * selection.rank, width);
        return;
    }
    selection.kind = Selection::Kind::kRegular;
    const std::uint64_t top = width == 8 ? Selection::kUnlimited : (std::uint64_t{1} << (8 * width)) - 1;
    const auto number = [&] {
        const std::uint64_t value = cursor.number(width);
        return value == top ? Selection::kUnlimited : value;
    };
    for (unsigned i = 0; i < selection.rank; ++i) {
        Selection::Slab slab;
        slab.start = number();
        slab.stride = number();
        slab.count = number();
        slab.block = number();
        require(slab.start != Selection::kUnlimited && slab.stride > 0, "hyperslab with start {} and stride {}",
                slab.start, slab.stride);
        require(slab.is_unlimited() || slab.count <= 1 || slab.block <= slab.stride, "hyperslab whose blocks overlap");
        selection.slabs.push_back(slab);
    }
}

/// Elements along one dimension.
std::uint64_t extent_of(const Selection::Slab& slab) {
    return checked_product(slab.count, slab.block, "selection");
}

}  // namespace

Selection read_selection(Cursor& cursor) {
    Selection selection;
    const std::uint32_t type = cursor.u32();
    const std::uint32_t version = cursor.u32();
    switch (type) {
        case kTypeNone:
        case kTypeAll:
            cursor.skip(8);
            selection.kind = type == kTypeNone ? Selection::Kind::kNone : Selection::Kind::kAll;
            return selection;
        case kTypePoints:
            read_points(cursor, version, selection);
            return selection;
        case kTypeHyperslab:
            read_hyperslab(cursor, version, selection);
            return selection;
        default:
            throw_damaged("selection of type {}", type);
    }
}

std::uint64_t Selection::count(std::uint64_t all) const {
    switch (kind) {
        case Kind::kNone:
            return 0;
        case Kind::kAll:
            return all;
        case Kind::kPoints:
            return corners.size() / rank;
        case Kind::kRegular: {
            std::uint64_t product = 1;
            for (const Slab& slab : slabs)
                product = slab.is_unlimited() ? 0 : checked_product(product, extent_of(slab), "selection");
            return product;
        }
        case Kind::kBlocks:
            break;
    }
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < corners.size(); at += 2 * std::size_t{rank}) {
        std::uint64_t product = 1;
        for (unsigned i = 0; i < rank; ++i) {
            require(corners[at + i] <= corners[at + rank + i], "selection has a block that ends before it begins");
            const std::uint64_t extent = corners[at + rank + i] - corners[at + i] + 1;
            product = checked_product(product, extent, "selection");
        }
        sum += product;
        require(sum >> 63 == 0, "selection of too many elements");
    }
    return sum;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Selection::bounds() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> result;
    for (const Slab& slab : slabs) {
        const bool is_known = !slab.is_unlimited() && slab.count > 0 && slab.block > 0;
        const std::uint64_t last =
            is_known ? slab.start + checked_product(slab.count - 1, slab.stride, "selection") + slab.block - 1
                     : kUnlimited;
        result.emplace_back(slab.start, last);
    }
    for (std::size_t i = 0; i < corners.size(); ++i) {
        const std::size_t dimension = i % rank;
        if (i < rank) {
            result.emplace_back(corners[i], corners[i]);
        } else {
            result[dimension].first = std::min(result[dimension].first, corners[i]);
            result[dimension].second = std::max(result[dimension].second, corners[i]);
        }
    }
    return result;
}

Runs::Runs(const Selection& selection, const std::vector<std::uint64_t>& dims) {
    require(selection.rank == 0 || selection.rank == dims.size(), "selection of rank {} for {} dimensions",
            selection.rank, dims.size());
    switch (selection.kind) {
        case Selection::Kind::kNone:
            return;
        case Selection::Kind::kAll: {
            std::vector<Selection::Slab> slabs;
            for (const std::uint64_t dim : dims) slabs.push_back({0, 1, 1, dim});
            if (slabs.empty()) slabs.push_back({0, 1, 1, 1});
            add_regular(std::move(slabs), dims.empty() ? std::vector<std::uint64_t>{1} : dims);
            return;
        }
        case Selection::Kind::kRegular:
            add_regular(selection.slabs, dims);
            return;
        case Selection::Kind::kBlocks:
            add_blocks(selection, dims);
            return;
        case Selection::Kind::kPoints:
            throw_error(ErrorCode::kUnsupported, "virtual datasets of single points are not read");
    }
}

void Runs::add_regular(std::vector<Selection::Slab> slabs, std::vector<std::uint64_t> dims) {
    element_count_ = 1;
    for (std::size_t i = 0; i < dims.size(); ++i) {
        Selection::Slab& slab = slabs[i];
        require(!slab.is_unlimited(), "selection without an end");
        element_count_ = checked_product(element_count_, extent_of(slab), "selection");
        if (slab.count == 0 || slab.block == 0) continue;
        const std::uint64_t end = slab.start + checked_product(slab.count - 1, slab.stride, "selection") + slab.block;
        require(slab.start <= dims[i] && end >= slab.start && end <= dims[i],
                "selection ends at {} of {} along dimension {}", end, dims[i], i);
        // Blocks without gaps are one block.
        if (slab.count > 1 && slab.stride == slab.block) slab = {slab.start, 1, 1, slab.count * slab.block};
    }
    if (element_count_ == 0) return;
    while (dims.size() > 1 && slabs.back().count == 1 && slabs.back().block == dims.back()) {
        const std::uint64_t whole = dims.back();
        dims.pop_back();
        slabs.pop_back();
        dims.back() = checked_product(dims.back(), whole, "selection");
        Selection::Slab& last = slabs.back();
        last = {last.start * whole, last.stride * whole, last.count, last.block * whole};
    }
    steps_.assign(dims.size(), 1);
    for (std::size_t i = dims.size() - 1; i-- > 0;)
        steps_[i] = checked_product(steps_[i + 1], dims[i + 1], "selection");
    run_length_ = slabs.back().block;
    runs_per_row_ = slabs.back().count;
    run_count_ = element_count_ / run_length_;
    slabs_ = std::move(slabs);
}

void Runs::add_blocks(const Selection& selection, const std::vector<std::uint64_t>& dims) {
    const unsigned rank = selection.rank;
    for (std::size_t at = 0; at < selection.corners.size(); at += 2 * std::size_t{rank}) {
        Selection block;
        block.kind = Selection::Kind::kRegular;
        block.rank = rank;
        for (unsigned i = 0; i < rank; ++i) {
            const std::uint64_t first = selection.corners[at + i];
            const std::uint64_t last = selection.corners[at + rank + i];
            require(first <= last && last < dims[i], "selection from {} to {} of {} along dimension {}", first, last,
                    dims[i], i);
            block.slabs.push_back({first, 1, 1, last - first + 1});
        }
        const Runs part(block, dims);
        if (part.run_count() > kMaxListedRuns - listed_.size())
            throw_error(ErrorCode::kRefused, "selection of more than {} runs", kMaxListedRuns);
        for (std::uint64_t i = 0; i < part.run_count(); ++i) listed_.push_back(part.run(i));
    }
    std::sort(listed_.begin(), listed_.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
    std::uint64_t end = 0;
    for (Run& run : listed_) {
        require(run.first >= end, "selection has blocks that overlap");
        end = run.first + run.length;
        run.number = element_count_;
        element_count_ += run.length;
    }
    run_count_ = listed_.size();
}

Runs::Run Runs::run(std::uint64_t index) const {
    if (!listed_.empty()) return listed_[static_cast<std::size_t>(index)];
    Run run;
    run.length = run_length_;
    run.number = index * run_length_;
    const Selection::Slab& last = slabs_.back();
    run.first = last.start + index % runs_per_row_ * last.stride;
    std::uint64_t row = index / runs_per_row_;
    for (std::size_t i = slabs_.size() - 1; i-- > 0;) {
        const Selection::Slab& slab = slabs_[i];
        const std::uint64_t extent = slab.count * slab.block;
        const std::uint64_t at = row % extent;
        row /= extent;
        run.first += (slab.start + at / slab.block * slab.stride + at % slab.block) * steps_[i];
    }
    return run;
}

std::uint64_t Runs::run_behind(std::uint64_t element) const {
    std::uint64_t low = 0;
    std::uint64_t high = run_count_;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const Run at = run(middle);
        if (at.first + at.length > element) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

std::uint64_t Runs::run_of(std::uint64_t number) const {
    if (listed_.empty()) return number / run_length_;
    const auto behind = std::upper_bound(listed_.begin(), listed_.end(), number,
                                         [](std::uint64_t n, const Run& run) { return n < run.number; });
    return static_cast<std::uint64_t>(behind - listed_.begin()) - 1;
}

}  // namespace ckpt::h5
