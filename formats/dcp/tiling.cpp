// Boxes that must tile a larger one: meshes are grids, so they are taken apart dimension by dimension.
#include "formats/dcp/tiling.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace ckpt::dcp {
namespace {

using Boxes = std::vector<const Chunk*>;

std::string text(const Chunk& chunk) {
    return fmt::format("{} + {}", numbers_text(chunk.offsets), numbers_text(chunk.sizes));
}

/// Product of sizes that are not negative; nullopt beyond 63 bits.
std::optional<std::int64_t> volume(const SizeList& sizes) {
    if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return 0;
    std::int64_t product = 1;
    for (const std::int64_t size : sizes) {
        if (__builtin_mul_overflow(product, size, &product)) return std::nullopt;
    }
    return product;
}

std::string placing_problem(const SizeList& shape, const Chunk& chunk) {
    const auto of = [&](const SizeList& numbers, std::string_view what) {
        return fmt::format("a chunk has {} {} ({}), the tensor {} dimensions", numbers.size(), what,
                           numbers_text(numbers), shape.size());
    };
    if (chunk.offsets.size() != shape.size()) return of(chunk.offsets, "offsets");
    if (chunk.sizes.size() != shape.size()) return of(chunk.sizes, "sizes");
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (chunk.offsets[i] < 0 || chunk.sizes[i] < 0)
            return fmt::format("chunk {} has a negative number", text(chunk));
        std::int64_t end = 0;
        if (__builtin_add_overflow(chunk.offsets[i], chunk.sizes[i], &end) || end > shape[i]) {
            return fmt::format("chunk {} leaves the tensor of shape {}", text(chunk), numbers_text(shape));
        }
    }
    return {};
}

/// The answer of a search: what is wrong, or that it was not found out.
struct Answer {
    std::string problem;
    bool is_known = true;
};

/// Comparing each with each, for what is no grid. Gives up before that takes long.
Answer compare_all(const Boxes& boxes, std::size_t dimension) {
    constexpr std::uint64_t kMostComparisons = 50'000'000;
    std::uint64_t comparisons = 0;
    std::vector<const Chunk*> active;
    for (const Chunk* box : boxes) {
        const auto is_behind = [&](const Chunk* other) {
            return other->offsets[dimension] + other->sizes[dimension] <= box->offsets[dimension];
        };
        active.erase(std::remove_if(active.begin(), active.end(), is_behind), active.end());
        comparisons += active.size();
        if (comparisons > kMostComparisons) return {"", false};
        for (const Chunk* other : active) {
            bool apart = false;
            for (std::size_t i = dimension; i < box->offsets.size() && !apart; ++i) {
                apart = other->offsets[i] + other->sizes[i] <= box->offsets[i] ||
                        box->offsets[i] + box->sizes[i] <= other->offsets[i];
            }
            if (!apart) return {fmt::format("chunks {} and {} overlap", text(*other), text(*box)), true};
        }
        active.push_back(box);
    }
    return {};
}

/// Two of the boxes that overlap. They agree in all dimensions before this one, and are sorted by their place in it.
Answer overlap(Boxes boxes, std::size_t dimension) {
    if (boxes.size() < 2) return {};
    if (dimension == boxes.front()->offsets.size())
        return {fmt::format("there are two chunks {}", text(*boxes[0])), true};
    std::stable_sort(boxes.begin(), boxes.end(), [dimension](const Chunk* a, const Chunk* b) {
        return std::pair(a->offsets[dimension], a->sizes[dimension]) <
               std::pair(b->offsets[dimension], b->sizes[dimension]);
    });
    std::vector<std::pair<std::size_t, std::size_t>> groups;
    for (std::size_t i = 0; i < boxes.size();) {
        std::size_t end = i + 1;
        while (end < boxes.size() && boxes[end]->offsets[dimension] == boxes[i]->offsets[dimension] &&
               boxes[end]->sizes[dimension] == boxes[i]->sizes[dimension])
            ++end;
        const bool meets_last =
            i > 0 && boxes[i - 1]->offsets[dimension] + boxes[i - 1]->sizes[dimension] > boxes[i]->offsets[dimension];
        if (meets_last) return compare_all(boxes, dimension);
        groups.emplace_back(i, end);
        i = end;
    }
    for (const auto& [begin, end] : groups) {
        Answer answer = overlap(
            Boxes(boxes.begin() + static_cast<std::ptrdiff_t>(begin), boxes.begin() + static_cast<std::ptrdiff_t>(end)),
            dimension + 1);
        if (!answer.problem.empty() || !answer.is_known) return answer;
    }
    return {};
}

/// What no box covers, where they do not overlap: the first gap along the first dimension, with the boxes around it.
std::string hole(const SizeList& shape, Boxes boxes) {
    for (std::size_t dimension = 0; dimension < shape.size(); ++dimension) {
        std::stable_sort(boxes.begin(), boxes.end(), [dimension](const Chunk* a, const Chunk* b) {
            return a->offsets[dimension] < b->offsets[dimension];
        });
        std::int64_t behind = 0;
        for (std::size_t i = 0; i <= boxes.size(); ++i) {
            const std::int64_t next = i < boxes.size() ? boxes[i]->offsets[dimension] : shape[dimension];
            if (next > behind) {
                const std::string_view what = dimension == 0 ? "rows" : "indices";
                const std::string where = dimension == 0 ? "" : fmt::format(" of dimension {}", dimension);
                return fmt::format("no chunk has {} {} to {}{}, of {}", what, behind, next - 1, where,
                                   shape[dimension]);
            }
            if (i < boxes.size()) behind = std::max(behind, next + boxes[i]->sizes[dimension]);
        }
    }
    return "the chunks leave a hole";
}

}  // namespace

std::string tiling_problem(const SizeList& shape, const std::vector<Chunk>& chunks) {
    for (const std::int64_t size : shape) {
        if (size < 0) return fmt::format("has the shape {}", numbers_text(shape));
    }
    const auto whole = volume(shape);
    if (!whole) return fmt::format("has the shape {}, whose number of elements overflows", numbers_text(shape));
    if (chunks.empty()) return "has no chunks: nothing of it is stored";
    Boxes boxes;
    std::int64_t covered = 0;
    bool is_more = false;
    for (const Chunk& chunk : chunks) {
        if (std::string problem = placing_problem(shape, chunk); !problem.empty()) return problem;
        const auto part = volume(chunk.sizes);
        if (part == 0) continue;
        is_more = is_more || !part || __builtin_add_overflow(covered, *part, &covered);
        boxes.push_back(&chunk);
    }
    const Answer answer = overlap(boxes, 0);
    if (!answer.problem.empty()) return answer.problem;
    if (!answer.is_known)
        return fmt::format("its {} chunks are no grid, and too many to compare each with each", boxes.size());
    if (is_more || covered > *whole) return fmt::format("its chunks have more elements than its {}", *whole);
    if (covered < *whole)
        return fmt::format("its chunks have {} of its {} elements: {}", covered, *whole, hole(shape, boxes));
    return {};
}

}  // namespace ckpt::dcp
