// What distributed checkpoints are made of: boxes, and zstd streams read in any order.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <random>

#include <zstd.h>

#include "formats/dcp/assembled_blob.hpp"
#include "formats/dcp/tiling.hpp"
#include "formats/dcp/zstd_blob.hpp"
#include "libckpt/error.hpp"

namespace {

using namespace ckpt;
using namespace ckpt::dcp;

std::string numbers(std::size_t count) {
    std::string bytes(count * 4, '\0');
    for (std::uint32_t i = 0; i < count; ++i) std::memcpy(bytes.data() + i * 4, &i, 4);
    return bytes;
}

/// The box of a 3-dimensional array of 4-byte elements.
std::string cut(const std::string& whole, const SizeList& shape, const Chunk& box) {
    std::string bytes;
    for (std::int64_t i = 0; i < box.sizes[0]; ++i) {
        for (std::int64_t j = 0; j < box.sizes[1]; ++j) {
            const auto row = ((box.offsets[0] + i) * shape[1] + box.offsets[1] + j) * shape[2] + box.offsets[2];
            bytes += whole.substr(static_cast<std::size_t>(row) * 4, static_cast<std::size_t>(box.sizes[2]) * 4);
        }
    }
    return bytes;
}

/// All boxes that cuts along each dimension make.
std::vector<Chunk> grid(const std::vector<SizeList>& cuts) {
    std::vector<Chunk> boxes;
    for (std::size_t i = 0; i + 1 < cuts[0].size(); ++i) {
        for (std::size_t j = 0; j + 1 < cuts[1].size(); ++j) {
            for (std::size_t k = 0; k + 1 < cuts[2].size(); ++k) {
                boxes.push_back(
                    {{cuts[0][i], cuts[1][j], cuts[2][k]},
                     {cuts[0][i + 1] - cuts[0][i], cuts[1][j + 1] - cuts[1][j], cuts[2][k + 1] - cuts[2][k]},
                     0});
            }
        }
    }
    return boxes;
}

}  // namespace

TEST_CASE("a tensor is the same whatever boxes it is cut into, and in whatever ranges it is read") {
    const SizeList shape = {7, 5, 6};
    const std::string whole = numbers(7 * 5 * 6);
    std::mt19937_64 random(7);
    for (int round = 0; round < 60; ++round) {
        std::vector<SizeList> cuts;
        for (const std::int64_t size : shape) {
            SizeList ends = {0};
            for (std::int64_t at = 1; at < size; ++at) {
                if (random() % 3 == 0) ends.push_back(at);
            }
            ends.push_back(size);
            cuts.push_back(ends);
        }
        std::vector<Chunk> boxes = grid(cuts);
        std::shuffle(boxes.begin(), boxes.end(), random);
        REQUIRE(tiling_problem(shape, boxes) == "");
        std::vector<Piece> pieces;
        for (const Chunk& box : boxes)
            pieces.push_back({box.offsets, box.sizes, [blob = memory_blob(cut(whole, shape, box))] { return blob; }});
        const BlobPtr blob = assembled_blob(shape, 4, std::move(pieces));
        REQUIRE(blob->size_bytes() == whole.size());
        REQUIRE(read_all(*blob, whole.size()) == whole);
        for (int read = 0; read < 50; ++read) {
            const std::size_t begin = random() % (whole.size() + 1), size = random() % (whole.size() - begin + 1);
            std::string part(size, '\0');
            blob->read(begin, std::as_writable_bytes(std::span(part.data(), part.size())));
            REQUIRE(part == whole.substr(begin, size));
        }
        std::string joined;
        for (const BlobPtr& piece : blob->pieces()) joined += read_all(*piece, whole.size());
        CHECK((joined.empty() || joined == whole));
    }
}

TEST_CASE("what is no tiling is told apart") {
    const SizeList shape = {4, 6};
    const auto problem = [&](std::vector<Chunk> chunks) { return tiling_problem(shape, chunks); };
    CHECK(problem({{{0, 0}, {4, 6}, 0}}) == "");
    CHECK(problem({{{2, 0}, {2, 6}, 0}, {{0, 0}, {2, 6}, 0}, {{4, 0}, {0, 6}, 0}}) == "");
    // No grid, but a tiling: four boxes around one.
    CHECK(tiling_problem({3, 3}, {{{0, 0}, {1, 2}, 0},
                                  {{0, 2}, {2, 1}, 0},
                                  {{2, 1}, {1, 2}, 0},
                                  {{1, 0}, {2, 1}, 0},
                                  {{1, 1}, {1, 1}, 0}}) == "");
    CHECK(problem({{{0, 0}, {4, 6}, 0}, {{0, 0}, {4, 6}, 0}}) == "there are two chunks [0, 0] + [4, 6]");
    CHECK(problem({{{0, 0}, {3, 6}, 0}, {{2, 0}, {2, 6}, 0}}) == "chunks [0, 0] + [3, 6] and [2, 0] + [2, 6] overlap");
    CHECK(problem({{{0, 0}, {4, 3}, 0}, {{0, 4}, {4, 2}, 0}}) ==
          "its chunks have 20 of its 24 elements: no chunk has indices 3 to 3 of dimension 1, of 6");
    CHECK(problem({{{0, 0}, {1, 6}, 0}, {{3, 0}, {1, 6}, 0}}) ==
          "its chunks have 12 of its 24 elements: no chunk has rows 1 to 2, of 4");
    CHECK(problem({}) == "has no chunks: nothing of it is stored");
    CHECK(problem({{{1, 0}, {4, 6}, 0}}) == "chunk [1, 0] + [4, 6] leaves the tensor of shape [4, 6]");
    CHECK(problem({{{INT64_MAX, 0}, {2, 6}, 0}}).find("leaves the tensor") != std::string::npos);
    CHECK(tiling_problem({INT64_MAX, 2}, {{{0, 0}, {1, 1}, 0}}).find("overflows") != std::string::npos);
    CHECK(tiling_problem({}, {{{}, {}, 0}}) == "");
    CHECK(tiling_problem({0, 5}, {{{0, 0}, {0, 5}, 0}}) == "");
}

TEST_CASE("a zstd stream without sizes is read in any order") {
    std::mt19937_64 random(3);
    for (const std::size_t size : {std::size_t{0}, std::size_t{1000}, std::size_t{1} << 20, std::size_t{40} << 20}) {
        std::string whole(size, '\0');
        for (std::size_t i = 0; i + 8 <= size; i += 64) {
            const std::uint64_t word = random();
            std::memcpy(whole.data() + i, &word, 8);
        }
        std::string packed(ZSTD_compressBound(size), '\0');
        ZSTD_CCtx* context = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
        packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), whole.data(), size));
        ZSTD_freeCCtx(context);
        const BlobPtr blob = zstd_blob(memory_blob(packed), size);
        REQUIRE(blob->size_bytes() == size);
        const auto check = [&](std::size_t begin, std::size_t count) {
            std::string part(count, '\0');
            blob->read(begin, std::as_writable_bytes(std::span(part.data(), part.size())));
            REQUIRE(part == whole.substr(begin, count));
        };
        constexpr std::size_t kStep = std::size_t{4} << 20;
        for (std::size_t at = 0; at < size; at += kStep) {  // nearly in order, as several threads read
            const std::size_t next = at + kStep;
            if (next < size) check(next, std::min(kStep, size - next));
            check(at, std::min(kStep, size - at));
        }
        for (int i = 0; i < 5 && size > 0; ++i) {
            const std::size_t begin = random() % size;
            check(begin, std::min<std::size_t>(size - begin, 100000));
        }
        if (size == 0) continue;
        CHECK_THROWS_WITH(zstd_blob(memory_blob(packed), size - 1), Catch::Contains("more than"));
        CHECK_THROWS_WITH(zstd_blob(memory_blob(packed.substr(0, packed.size() - 1)), size),
                          Catch::Contains("ends early"));
    }
    CHECK_THROWS_WITH(zstd_blob(memory_blob("no such frame"), 100), Catch::Contains("no zstd frame"));
}
