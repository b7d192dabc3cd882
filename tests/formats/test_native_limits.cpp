// The native layout against files that make much of little.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "formats/all.hpp"
#include "formats/native/codec.hpp"
#include "formats/native/index_write.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"
#include "tests/formats/native_forged.hpp"
#include "tests/scratch.hpp"

using namespace ckpt;
using ckpt::test::chunk_record;
using ckpt::test::names_of;
using ckpt::test::Scratch;
using ckpt::test::spill;
using ckpt::test::with_checksums;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

const Format& layout() {
    static const Registry registry = all_formats();
    return *registry.by_name("native");
}

std::vector<Finding> verify(const std::string& path, const Context& context = {}) {
    return layout().verify(Source::open(path, context), VerifyLevel::kFull, context);
}

struct Chunk {
    native::CodecId codec = native::CodecId::kRaw;
    std::string payload;
    std::uint64_t raw_bytes = 0;
};

Chunk zeros(std::uint64_t size) {
    Chunk chunk;
    chunk.raw_bytes = size;
    const std::string raw(size, '\0');
    chunk.codec = native::encode_chunk(std::as_bytes(std::span(raw)), native::ElementKind::kFloat32, chunk.payload);
    return chunk;
}

Digest128 digest_of(const std::string& bytes) {
    Xxh3Stream xxh3;
    xxh3.update(std::as_bytes(std::span(bytes)));
    return xxh3.digest();
}

/// A dict of uint8 tensors `t0`, `t1`, ..., one on each storage.
Document document_of(const std::vector<native::StorageEntry>& storages) {
    Document document;
    document.root = document.pool().dict();
    for (std::size_t i = 0; i < storages.size(); ++i) {
        auto* node = document.pool().make<TensorNode>();
        node->dtype = DType::kUInt8;
        node->shape = {static_cast<std::int64_t>(storages[i].size_bytes)};
        node->stride = {1};
        node->storage = std::make_shared<const Storage>(Storage{zero_blob(storages[i].size_bytes), ""});
        document.root.dict().entries.emplace_back(document.pool().string(fmt::format("t{}", i)), Value::of(node));
    }
    return document;
}

/// A sound file that says that the storages lie in these chunks.
std::string forged(const std::vector<Chunk>& chunks, const std::vector<native::StorageEntry>& storages) {
    std::string records;
    std::vector<native::ChunkEntry> entries;
    for (const Chunk& chunk : chunks) {
        native::RecordHeader header;
        header.codec = chunk.codec;
        header.number = entries.size();
        header.raw_bytes = chunk.raw_bytes;
        const std::uint64_t at = 64 + records.size() + 64;
        entries.push_back(
            {at, chunk.payload.size(), chunk.raw_bytes, chunk.codec, xxh3_64(std::as_bytes(std::span(chunk.payload)))});
        records += with_checksums(header, {}, chunk.payload);
    }
    const Document document = document_of(storages);
    const native::DocumentSurvey survey(document);
    return test::file_of(records, native::pack_index(survey.pack_tree(), entries, storages), entries.size());
}

}  // namespace

TEST_CASE("a chunk that makes very much of very little is refused, one within the limit is not") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    Chunk chunk = zeros(kMiB + 64);
    const std::uint64_t limit = kMiB + 64 * chunk.payload.size();
    for (const std::uint64_t size : {limit, limit + 4}) {
        chunk = zeros(size);
        const Digest128 digest = digest_of(std::string(size, '\0'));
        spill(path, forged({chunk}, {{size, 0, 0, digest, ""}}));
        INFO(size << " bytes in " << chunk.payload.size());
        if (size == limit) {
            CHECK(verify(path).empty());
            continue;
        }
        const std::string what =
            fmt::format("index: chunk 0 of {} bytes, stored in {}, is over the limit of 64 times that and 1 MiB", size,
                        chunk.payload.size());
        CHECK_THROWS_WITH(verify(path), Catch::Contains(what));
        try {
            read_document(all_formats(), path, {});
            FAIL("was read");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kRefused);
        }
    }
}

TEST_CASE("many storages in the same bytes cost what one costs") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    const std::vector<Chunk> chunks(64, zeros(kMiB));
    const native::StorageEntry entry{64 * kMiB, 0, 0, digest_of(std::string(64 * kMiB, '\0')), ""};
    const std::string bytes = forged(chunks, std::vector(20000, entry));
    spill(path, bytes);
    const Context context;
    CHECK(verify(path, context).empty());
    CHECK(context.io->bytes_read < 3 * bytes.size());
    const Document document = read_document(all_formats(), path, context);
    CHECK(document.root.dict().entries.size() == 20000);
    const std::uint64_t before = context.io->bytes_read;
    const WritePlan plan = layout().plan(document, {}, context);  // finds that they are equal
    CHECK(context.io->bytes_read - before < bytes.size());
    CHECK(plan.total_bytes() < 65 * kMiB);
}

TEST_CASE("storages with some bytes in common, or one place and two digests, are damage") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    const Chunk chunk{native::CodecId::kRaw, std::string(100, '\0'), 100};
    const auto entry = [](std::uint64_t offset, std::uint64_t size) {
        return native::StorageEntry{size, 0, offset, digest_of(std::string(size, '\0')), ""};
    };
    const auto message = [&](const std::vector<native::StorageEntry>& storages) {
        spill(path, forged({chunk}, storages));
        const auto findings = verify(path);
        return findings.empty() ? "" : findings[0].what;
    };
    CHECK(message({entry(0, 40), entry(40, 60), entry(0, 40), entry(40, 0), entry(10, 0)}).empty());
    CHECK(message({entry(0, 40), entry(39, 60)}) ==
          "index: storage 1 has some of its bytes in common with another one");
    CHECK(message({entry(0, 40), entry(0, 41)}) == "index: storage 1 has some of its bytes in common with another one");
    CHECK(message({entry(50, 10), entry(60, 10), entry(0, 100)}) ==
          "index: storage 0 has some of its bytes in common with another one");
    auto other = entry(0, 40);
    other.digest->low ^= 1;
    CHECK(message({entry(0, 40), other}) == "index: storages 0 and 1 are the same bytes, but have two digests");
    CHECK(message({other}).starts_with("its bytes have the digest "));
}

TEST_CASE("one chunk of a codec of a later version costs its tensor alone") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    const Chunk plain{native::CodecId::kRaw, std::string(100, '\0'), 100};
    const Chunk later{static_cast<native::CodecId>(9), std::string(10, 'x'), 100};
    const native::StorageEntry entry{100, 0, 0, digest_of(std::string(100, '\0')), ""};
    std::vector<native::StorageEntry> storages(3, entry);
    for (std::size_t i = 0; i < 3; ++i) storages[i].first_chunk = i;
    spill(path, forged({plain, later, plain}, storages));
    CHECK_THROWS_WITH(verify(path), Catch::Contains("'t1': chunk 1: codec 9 is not known"));
    const Document saved = layout().salvage(Source::open(path, {}), {});
    REQUIRE(saved.damage.size() == 1);
    CHECK(saved.damage[0].message() == "'t1' is not whole and was replaced by None: chunk 1: codec 9 is not known");
    CHECK(saved.root.dict().find("t1")->is_null());
    CHECK(read_all(*saved.root.dict().find("t2")->tensor().storage->blob, 1000) == std::string(100, '\0'));

    spill(path, native::file_header() + chunk_record(0, names_of(0, 0, 16, 16, 'a'), native::CodecId{9}) +
                    chunk_record(1, names_of(1, 0, 16, 16, 'b')));
    const Document named = layout().salvage(Source::open(path, {}), {});
    REQUIRE(named.damage.size() == 2);
    CHECK_THAT(named.damage[0].message(), Catch::EndsWith("; 1 chunks are of codecs that are not known"));
    CHECK(named.damage[1].message() == "'a' is not whole and was left out");
    CHECK(named.root.dict().find("a") == nullptr);
    CHECK(named.root.dict().find("b") != nullptr);
}

TEST_CASE("verify finds the same with any number of threads") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    std::vector<Chunk> chunks;
    std::vector<native::StorageEntry> storages;
    for (std::uint64_t i = 0; i < 300; ++i) {
        const std::string raw(3000 + 10 * i, static_cast<char>(i));
        Digest128 digest = digest_of(raw + raw);
        if (i % 50 == 3) digest.high ^= 1;
        storages.push_back({2 * raw.size(), chunks.size(), 0, digest, ""});
        for (int half = 0; half < 2; ++half) chunks.push_back({native::CodecId::kRaw, raw, raw.size()});
        if (i % 70 == 5) chunks.back().payload.pop_back();  // does not decode
    }
    spill(path, forged(chunks, storages));
    std::string first;
    for (const unsigned threads : {1U, 2U, 7U}) {
        Context context;
        context.threads = threads;
        std::string found;
        for (const Finding& finding : verify(path, context)) found += finding.path + ": " + finding.what + "\n";
        if (first.empty()) first = found;
        CHECK(found == first);
    }
    CHECK(std::count(first.begin(), first.end(), '\n') == 6 + 5);
    CHECK_THAT(first, Catch::Contains("t5: chunk 11: 3049 bytes are stored where 3050 are due\n"));
    CHECK_THAT(first, Catch::Contains("t3: its bytes have the digest "));
}

TEST_CASE("names that claim the same bytes again and again are not all believed") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    std::string bytes = native::file_header();
    for (char i = 0; i < 7; ++i) {  // each claims all the rest
        const auto size = static_cast<char>(16 * (7 - i));
        bytes += chunk_record(static_cast<std::uint64_t>(i), names_of(i, 0, size, size, static_cast<char>('a' + i)));
    }
    spill(path, bytes);
    CHECK(layout().salvage(Source::open(path, {}), {}).root.dict().entries.size() == 7);
    std::string names = "\x9a";
    for (char i = 0; i < 10; ++i) {
        const auto offset = static_cast<std::uint64_t>(i);
        names += names_of(i, offset, static_cast<char>(100 - i), 1, static_cast<char>('a' + i)).substr(1);
    }
    bytes = native::file_header() + chunk_record(0, names);
    for (std::uint64_t i = 1; i < 7; ++i) bytes += chunk_record(i, {});
    spill(path, bytes);
    const Document document = layout().salvage(Source::open(path, {}), {});
    CHECK(document.root.dict().entries.size() == 5);  // four times 112 bytes beside the first
    CHECK_THAT(document.damage.back().message(),
               Catch::Equals("'j' has its bytes in common with too many others and was left out"));
}

TEST_CASE("names that unpack to very much, time and again, are refused before they cost much") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    // 1 MiB of names of tensors without a path in about 100 bytes; each of them takes ten times its bytes in memory.
    std::string names = {'\x91', '\x94', '\0', '\0', '\x10', '\xdd', '\0', '\1', '\x86', '\xa0'};
    for (int i = 0; i < 100000; ++i) names += std::string("\x95\xa0\xa4int8\x90\xc0\0", 10);
    std::string packed;
    for (unsigned i = 0; i < 4; ++i) packed.push_back(static_cast<char>(names.size() >> (8 * i)));
    packed += native::zstd_frame(std::as_bytes(std::span(names)), 3);
    REQUIRE(packed.size() < 1000);
    std::string bytes = native::file_header();
    for (std::uint64_t i = 0; i < 1000; ++i) {
        native::RecordHeader header;
        header.names_are_packed = true;
        header.raw_bytes = 16;
        header.number = i;
        bytes += with_checksums(header, packed, std::string(16, '\0'));
    }
    spill(path, bytes);
    const Context context;
    try {
        layout().salvage(Source::open(path, context), context);
        FAIL("was read");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRefused);
        CHECK(error.message() == "the names beside its chunks are over the limit for a file of this size");
    }
    CHECK(context.io->bytes_read < bytes.size() / 10);
}

TEST_CASE("equal long texts in one place have the name of the first") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    Document document;
    document.root = document.pool().dict();
    for (const char* key : {"first", "second"}) {
        document.root.dict().entries.emplace_back(document.pool().string(key),
                                                  document.pool().string(std::string(9000, 'x') + "end"));
    }
    WriteOptions options;
    options.codec = "raw";
    execute(layout().plan(document, options, {}), path, Existing::kOverwrite, {});
    std::string bytes = test::slurp(path);
    bytes.at(bytes.find("xxxend")) = 'y';
    spill(path, bytes);
    CHECK_THROWS_WITH(read_document(all_formats(), path, {}), Catch::StartsWith(path + ": 'first': chunk 0 "));
    CHECK(verify(path).at(0).path == "first");
    CHECK(layout().salvage(Source::open(path, {}), {}).damage.size() == 2);
}
