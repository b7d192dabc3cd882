// Selections of elements: what region references point at, and what virtual datasets are made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/shared/h5/cursor.hpp"

namespace ckpt::h5 {

/// A selection as the file has it.
struct Selection {
    enum class Kind : std::uint8_t { kNone, kAll, kPoints, kRegular, kBlocks } kind = Kind::kNone;
    /// A regular hyperslab along one dimension: `count` blocks of `block` elements, `stride` apart.
    struct Slab {
        std::uint64_t start = 0;
        std::uint64_t stride = 1;
        std::uint64_t count = 0;  ///< kUnlimited: as many as there is room for
        std::uint64_t block = 1;  ///< the same

        bool is_unlimited() const noexcept { return count == kUnlimited || block == kUnlimited; }
    };
    static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

    unsigned rank = 0;                   ///< 0 for kNone and kAll, which say none
    std::vector<Slab> slabs;             ///< kRegular: one for each dimension
    std::vector<std::uint64_t> corners;  ///< kPoints: coordinates; kBlocks: first and last corner of each

    /// Elements selected, of a dataset of that many in all; unlimited ones count as none.
    std::uint64_t count(std::uint64_t all) const;
    /// The smallest and the largest coordinate along each dimension; empty for kNone and kAll.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> bounds() const;
};

/// Throws Error (kDamaged). Facts: hdf5.md, 13.4.
Selection read_selection(Cursor& cursor);

/// A selection within an extent, as runs of elements that lie one behind the other, in row-major order.
class Runs {
public:
    struct Run {
        std::uint64_t first = 0;   ///< element of the dataset, row-major
        std::uint64_t length = 0;  ///< elements
        std::uint64_t number = 0;  ///< of the first, within the selection
    };
    /// Throws Error (kDamaged) unless the selection lies inside, (kUnsupported) for points, (kRefused) for blocks of
    /// more than a million runs. Nothing of it may be unlimited.
    Runs(const Selection& selection, const std::vector<std::uint64_t>& dims);

    std::uint64_t element_count() const noexcept { return element_count_; }
    std::uint64_t run_count() const noexcept { return run_count_; }
    Run run(std::uint64_t index) const;
    /// The first run that ends behind an element of the dataset; `run_count` if there is none.
    std::uint64_t run_behind(std::uint64_t element) const;
    /// The run that holds an element of the selection.
    std::uint64_t run_of(std::uint64_t number) const;

private:
    void add_regular(std::vector<Selection::Slab> slabs, std::vector<std::uint64_t> dims);
    void add_blocks(const Selection& selection, const std::vector<std::uint64_t>& dims);

    std::vector<Selection::Slab> slabs_;  ///< trailing dimensions that are whole are folded into the one before
    std::vector<std::uint64_t> steps_;    ///< elements from one index to the next, per dimension
    std::uint64_t run_length_ = 0;
    std::uint64_t runs_per_row_ = 1;
    std::vector<Run> listed_;  ///< of blocks
    std::uint64_t run_count_ = 0;
    std::uint64_t element_count_ = 0;
};

}  // namespace ckpt::h5
