// The executor: bytes, checksums, atomicity.
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"
#include "tests/scratch.hpp"

using namespace ckpt;
using ckpt::test::Scratch;
using ckpt::test::slurp;
using ckpt::test::spill;
namespace fs = std::filesystem;

namespace {

std::uint32_t crc_of(const std::string& text) {
    return crc32(0, std::as_bytes(std::span(text.data(), text.size())));
}

std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    return bytes;
}

class FailingBlob final : public Blob {
public:
    std::uint64_t size_bytes() const noexcept override { return 64 << 20; }
    void read(std::uint64_t offset, std::span<std::byte> out) const override {
        if (offset > (20 << 20)) throw Error(ErrorCode::kDamaged, "the disk is on fire");
        std::fill(out.begin(), out.end(), std::byte{1});
    }
};

WritePlan one_blob(BlobPtr blob) {
    WritePlan plan;
    plan.files.push_back({"", {{BlobExtent{std::move(blob)}, false}}});
    return plan;
}

}  // namespace

TEST_CASE("checksums of pieces join to that of the whole") {
    const std::string bytes = noise(100000, 3);
    for (const std::size_t cut :
         {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{99999}, bytes.size()}) {
        CHECK(crc32_combine(crc_of(bytes.substr(0, cut)), crc_of(bytes.substr(cut)), bytes.size() - cut) ==
              crc_of(bytes));
    }
}

TEST_CASE("literals, blobs, encoded and late extents come out in order with their checksums") {
    const Scratch scratch;
    const std::string large = noise(9u << 20, 1);
    const std::string small = noise(1000, 2);
    for (const unsigned threads : {1u, 2u, 8u}) {
        Context context;
        context.threads = threads;
        WritePlan plan;
        PlannedFile file;
        file.extents.push_back(
            {LateExtent{4,
                        [](auto results) { return std::string(reinterpret_cast<const char*>(&results[2].crc32), 4); },
                        true},
             false});
        file.extents.push_back({LiteralExtent{"head"}, true});
        file.extents.push_back({BlobExtent{memory_blob(large)}, true});
        for (int i = 0; i < 30; ++i) file.extents.push_back({BlobExtent{memory_blob(small)}, true});
        for (std::uint64_t at = 0; at < 1000; at += 100) {
            file.extents.push_back(
                {EncodedExtent{memory_blob(small), at, 100,
                               [](std::span<const std::byte> raw) {
                                   return Encoded{
                                       std::string(reinterpret_cast<const char*>(raw.data()), raw.size() / 2),
                                       "halved"};
                               }},
                 true});
        }
        std::vector<ExtentResult> seen;
        file.extents.push_back({LateExtent{3,
                                           [&](auto results) {
                                               seen.assign(results.begin(), results.end());
                                               return std::string("end");
                                           }},
                                true});
        plan.files.push_back(std::move(file));
        const std::string path = scratch.file("out");
        execute(plan, path, Existing::kOverwrite, context);
        std::string expected = "head" + large;
        for (int i = 0; i < 30; ++i) expected += small;
        for (std::size_t at = 0; at < 1000; at += 100) expected += small.substr(at, 50);
        const std::uint32_t crc = crc_of(large);
        CHECK(slurp(path) == std::string(reinterpret_cast<const char*>(&crc), 4) + expected + "end");
        CHECK(seen[1].crc32 == crc_of("head"));
        CHECK(seen[2].offset_bytes == 8);
        CHECK(seen[2].crc32 == crc);
        CHECK(seen[33].crc32 == crc_of(small.substr(0, 50)));
    }
}

TEST_CASE("an existing file is refused and stays as it is") {
    const Scratch scratch;
    std::ofstream(scratch.file("out")) << "old";
    try {
        execute(one_blob(memory_blob("new")), scratch.file("out"), Existing::kRefuse, Context{});
        FAIL_CHECK("was written");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRefused);
        CHECK(std::string(error.what()) == scratch.file("out") + ": exists already; --overwrite replaces it");
    }
    CHECK(slurp(scratch.file("out")) == "old");
    execute(one_blob(memory_blob("new")), scratch.file("out"), Existing::kOverwrite, Context{});
    CHECK(slurp(scratch.file("out")) == "new");
    CHECK(scratch.entries() == 1);
}

TEST_CASE("a failure or an interrupt in the middle leaves nothing") {
    const Scratch scratch;
    CHECK_THROWS_WITH(
        execute(one_blob(std::make_shared<FailingBlob>()), scratch.file("out"), Existing::kRefuse, Context{}),
        "the disk is on fire");
    CHECK(scratch.entries() == 0);
    const std::atomic<bool> cancel{true};
    Context context;
    context.cancel = &cancel;
    try {
        execute(one_blob(zero_blob(64 << 20)), scratch.file("out"), Existing::kRefuse, context);
        FAIL_CHECK("was written");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kCancelled);
    }
    CHECK(scratch.entries() == 0);
}

TEST_CASE("what a dead process left is cleared away, what a living one writes is not") {
    const Scratch scratch;
    std::ofstream(scratch.file(".out.ckpt-tmp-999999999-0")) << "dead";
    std::ofstream(scratch.file(".out.ckpt-tmp-1-0")) << "alive";
    execute(one_blob(memory_blob("new")), scratch.file("out"), Existing::kRefuse, Context{});
    CHECK_FALSE(fs::exists(scratch.file(".out.ckpt-tmp-999999999-0")));
    CHECK(fs::exists(scratch.file(".out.ckpt-tmp-1-0")));
}

TEST_CASE("a link is followed: its target is replaced") {
    const Scratch scratch;
    std::ofstream(scratch.file("target")) << "old";
    fs::create_symlink("target", scratch.file("link"));
    execute(one_blob(memory_blob("new")), scratch.file("link"), Existing::kOverwrite, Context{});
    CHECK(fs::is_symlink(scratch.file("link")));
    CHECK(slurp(scratch.file("target")) == "new");
}
