// The native layout: bytes as specified, damage found wherever it is, what is whole got out.
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "formats/all.hpp"
#include "formats/native/codec.hpp"
#include "formats/native/records.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"
#include "libckpt/walk.hpp"
#include "libckpt/xxh3.hpp"
#include "tests/formats/document_equal.hpp"
#include "tests/formats/generate.hpp"
#include "tests/formats/native_forged.hpp"
#include "tests/scratch.hpp"

using namespace ckpt;
using ckpt::test::chunk_record;
using ckpt::test::file_of;
using ckpt::test::names_of;
using ckpt::test::Scratch;
using ckpt::test::slurp;
using ckpt::test::spill;
using ckpt::test::text_of;
using ckpt::test::with_checksums;
namespace fs = std::filesystem;

namespace {

const Format& layout() {
    static const Registry registry = all_formats();
    return *registry.by_name("native");
}

void write(const Document& document, const std::string& path, const std::string& codec = "",
           const Context& context = {}) {
    WriteOptions options;
    options.codec = codec;
    execute(layout().plan(document, options, context), path, Existing::kOverwrite, context);
}

Document read(const std::string& path, const Context& context = {}) {
    return read_document(all_formats(), path, context);
}

Value tensor(Document& document, std::vector<std::int64_t> shape, std::string bytes, DType dtype = DType::kFloat32) {
    auto* node = document.pool().make<TensorNode>();
    node->dtype = dtype;
    node->stride = contiguous_strides(shape);
    node->shape = std::move(shape);
    node->storage = std::make_shared<const Storage>(Storage{memory_blob(std::move(bytes)), ""});
    return Value::of(node);
}

/// Bell-shaped weights, as training leaves them.
std::string weights(std::size_t count, unsigned seed, float scale = 0.02F) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, scale);
    std::string bytes(count * 4, '\0');
    for (std::size_t i = 0; i < count; ++i) {
        const float value = normal(random);
        std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
    return bytes;
}

void add(Document& document, const std::string& key, Value value) {
    document.root.dict().entries.emplace_back(document.pool().string(key), value);
}

/// Three tensors of 1.2 MB, several small ones, a view, a long text.
Document sample() {
    Document document;
    document.root = document.pool().dict();
    for (unsigned i = 0; i < 3; ++i)
        add(document, "layer" + std::to_string(i) + "/weight", tensor(document, {600, 500}, weights(300000, i)));
    for (unsigned i = 0; i < 6; ++i)
        add(document, "bias" + std::to_string(i), tensor(document, {64}, weights(64, 100 + i)));
    auto* view = document.pool().make<TensorNode>();
    const TensorNode& whole = document.root.dict().entries[0].second.tensor();
    view->storage = whole.storage;
    view->shape = {500, 600};
    view->stride = {1, 500};
    add(document, "transposed", Value::of(view));
    add(document, "log", document.pool().string(std::string(9000, 'x') + "end"));
    add(document, "epoch", Value::integer(40));
    return document;
}

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t width) {
    std::uint64_t value = 0;
    for (std::size_t i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

std::vector<Finding> verify(const std::string& path, VerifyLevel level = VerifyLevel::kFull) {
    return layout().verify(Source::open(path, {}), level, {});
}

bool is_damaged(const std::vector<Finding>& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& f) { return f.severity == Finding::Severity::kDamage; });
}

/// All bytes of all tensors, or the error that reading gave.
std::string contents(const Document& document) {
    std::string all;
    walk(document.root, [&](const Visit& visit) {
        all += visit.path + "\n";
        if (visit.value.is(Kind::kTensor) && visit.value.tensor().storage && visit.same_as == nullptr)
            all += read_all(*logical_blob(visit.value.tensor()), 1 << 30);
        return WalkStep::kInto;
    });
    return all;
}

}  // namespace

TEST_CASE("chunks of every kind of elements come back, whatever is in them") {
    using native::ElementKind;
    std::mt19937_64 random(1);
    for (int kind = 0; kind <= static_cast<int>(ElementKind::kFloat64); ++kind) {
        const unsigned width = native::element_bytes(static_cast<ElementKind>(kind));
        for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{8},
                                       std::size_t{31}, std::size_t{4096}, std::size_t{100001}, std::size_t{1} << 20}) {
            for (int filling = 0; filling < 8; ++filling) {
                std::string raw(size, '\0');
                for (std::size_t i = 0; i < size; ++i) {
                    const auto byte = static_cast<char>(random());
                    if (filling == 0) raw[i] = byte;
                    if (filling == 2) raw[i] = static_cast<char>(i / width);
                    if (filling == 3) raw[i] = random() % 20 == 0 ? byte : '\0';
                    if (filling == 4) raw[i] = "the quick brown fox "[i % 20];
                    if (filling == 5) raw[i] = static_cast<char>(0xff);
                }
                if (filling >= 6) {  // floats from weights to numbers whose exponents span everything
                    const std::string floats = weights(size / 4 + 1, static_cast<unsigned>(size), 3.0F);
                    raw = floats.substr(0, size);
                    if (filling == 7 && size > 64) {
                        std::memset(raw.data() + 16, 0, 8);
                        std::memcpy(raw.data() + 32, "\1\0\0\0\0\0\0\0\xff\xff\x7f\x7f\1\0\xc0\x7f", 16);
                    }
                }
                std::string stored = "before";
                const auto codec =
                    native::encode_chunk(std::as_bytes(std::span(raw)), static_cast<ElementKind>(kind), stored);
                INFO("kind " << kind << ", " << size << " bytes, filling " << filling << ", codec "
                             << static_cast<int>(codec));
                REQUIRE(stored.starts_with("before"));
                CHECK(stored.size() - 6 <= raw.size());
                std::string back(size, 'x');
                native::decode_chunk(codec, std::as_bytes(std::span(stored)).subspan(6),
                                     std::as_writable_bytes(std::span(back)));
                CHECK(back == raw);
            }
        }
    }
}

TEST_CASE("weights are stored in fewer bits than their exponents and signs alone would give") {
    const std::string raw = weights(1 << 18, 5);
    std::string stored;
    CHECK(native::encode_chunk(std::as_bytes(std::span(raw)), native::ElementKind::kFloat32, stored) ==
          native::CodecId::kFloat);
    CHECK(static_cast<double>(stored.size()) < 0.83 * static_cast<double>(raw.size()));
    std::string sparse = raw;
    std::mt19937 random(3);
    for (std::size_t i = 0; i < sparse.size(); i += 4) {
        if (random() % 10 != 0) std::memset(sparse.data() + i, 0, 4);
    }
    stored.clear();
    CHECK(native::encode_chunk(std::as_bytes(std::span(sparse)), native::ElementKind::kFloat32, stored) ==
          native::CodecId::kSparse);
    CHECK(static_cast<double>(stored.size()) < 0.11 * static_cast<double>(raw.size()));
}

TEST_CASE("no stored bytes make a decoder write outside of its place") {
    std::mt19937 random(7);
    const std::string raw = weights(4096, 1);
    for (int kind = 0; kind <= static_cast<int>(native::ElementKind::kFloat64); ++kind) {
        for (int variant = 0; variant < 2; ++variant) {
            std::string bytes = raw;
            if (variant == 1) {
                for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = i % 16 < 13 ? '\0' : bytes[i];
            }
            std::string stored;
            const auto codec =
                native::encode_chunk(std::as_bytes(std::span(bytes)), static_cast<native::ElementKind>(kind), stored);
            for (int i = 0; i < 400; ++i) {
                std::string bad = stored.substr(0, random() % 4 == 0 ? random() % (stored.size() + 1) : stored.size());
                for (unsigned flips = random() % 4; flips-- > 0 && !bad.empty();)
                    bad[random() % std::min<std::size_t>(bad.size(), 64)] = static_cast<char>(random());
                std::string guarded(bytes.size() + 64, '\x5a');
                try {
                    native::decode_chunk(codec, std::as_bytes(std::span(bad)),
                                         std::as_writable_bytes(std::span(guarded)).first(bytes.size()));
                } catch (const Error& error) {
                    CHECK((error.code() == ErrorCode::kDamaged || error.code() == ErrorCode::kUnsupported));
                }
                REQUIRE(guarded.substr(bytes.size()) == std::string(64, '\x5a'));
            }
        }
    }
}

TEST_CASE("reserved codecs are refused by number") {
    std::byte out{};
    CHECK_THROWS_WITH(native::decode_chunk(static_cast<native::CodecId>(17), {}, std::span(&out, 1)),
                      "codec 17 is not known (differences from a base file)");
}

TEST_CASE("the file has the structures that the specification draws") {
    const Scratch scratch;
    write(sample(), scratch.file("a.ckpt"));
    const std::string bytes = slurp(scratch.file("a.ckpt"));
    CHECK(
        bytes.starts_with("\x89"
                          "CKPT\r\n\x1a"));
    CHECK(number_at(bytes, 8, 2) == 1);
    CHECK(number_at(bytes, 56, 8) == xxh3_64(std::as_bytes(std::span(bytes).first(56))));
    const std::size_t end = bytes.size() - 64;
    CHECK(bytes.ends_with(std::string("TPKC\n\r\x1a\x89")));
    CHECK(number_at(bytes, end + 32, 8) == bytes.size());
    CHECK(number_at(bytes, end + 48, 8) == xxh3_64(std::as_bytes(std::span(bytes).subspan(end, 48))));
    std::size_t at = 64;
    std::uint64_t chunks = 0;
    while (bytes.substr(at, 4) == "CKch") {
        CHECK(number_at(bytes, at + 56, 8) == xxh3_64(std::as_bytes(std::span(bytes).subspan(at, 56))));
        CHECK(number_at(bytes, at + 32, 8) == chunks++);
        CHECK(number_at(bytes, at + 16, 8) <= 1 << 20);
        at += 64 + number_at(bytes, at + 8, 4) + number_at(bytes, at + 12, 4) + number_at(bytes, at + 24, 8);
    }
    CHECK(chunks == 8);  // three weights of two chunks, the small ones in one, the text
    CHECK(bytes.substr(at, 4) == "CKix");
    CHECK(at == number_at(bytes, end, 8));
    CHECK(at + 64 + number_at(bytes, end + 8, 8) == end);
}

TEST_CASE("raw tensors lie aligned, in one run, as they are") {
    const Scratch scratch;
    const Document document = sample();
    write(document, scratch.file("a.ckpt"), "raw");
    const std::string bytes = slurp(scratch.file("a.ckpt"));
    for (const auto& [key, value] : document.root.dict().entries) {
        if (!value.is(Kind::kTensor)) continue;
        const std::string raw = read_all(*value.tensor().storage->blob, 1 << 30);
        const std::size_t at = bytes.find(raw);
        INFO(key.as_string());
        REQUIRE(at != std::string::npos);
        CHECK(at % 64 == 0);
    }
    CHECK(verify(scratch.file("a.ckpt")).empty());
    CHECK(test::document_difference(document, read(scratch.file("a.ckpt"))) == "");
}

TEST_CASE("equal storages are stored once and stay apart, tied ones stay tied") {
    const Scratch scratch;
    Document document;
    document.root = document.pool().dict();
    const std::string large = weights(300000, 1);
    std::string almost = large;
    almost[700000] = static_cast<char>(almost[700000] + 1);
    add(document, "a", tensor(document, {300000}, large));
    add(document, "again", tensor(document, {300000}, large));
    add(document, "almost", tensor(document, {300000}, almost));
    add(document, "tied", document.root.dict().entries[0].second);
    for (int i = 0; i < 50; ++i) add(document, "zeros" + std::to_string(i), tensor(document, {10}, std::string(40, 0)));
    write(document, scratch.file("a.ckpt"), "raw");
    CHECK(fs::file_size(scratch.file("a.ckpt")) < 2 * large.size() + 10000);
    const Document back = read(scratch.file("a.ckpt"));
    CHECK(test::document_difference(document, back) == "");
    const auto& entries = back.root.dict().entries;
    CHECK(entries[0].second.tensor().storage != entries[1].second.tensor().storage);
    CHECK(entries[0].second == entries[3].second);
}

TEST_CASE("the same document gives the same bytes with any number of threads") {
    const Scratch scratch;
    for (const std::string codec : {"", "raw"}) {
        std::string first;
        for (const unsigned threads : {1u, 2u, 7u}) {
            Context context;
            context.threads = threads;
            write(sample(), scratch.file("a.ckpt"), codec, context);
            if (first.empty()) first = slurp(scratch.file("a.ckpt"));
            CHECK(slurp(scratch.file("a.ckpt")) == first);
        }
    }
}

TEST_CASE("digests are known without decoding, and are right") {
    const Scratch scratch;
    const Document document = sample();
    write(document, scratch.file("a.ckpt"));
    const Document back = read(scratch.file("a.ckpt"));
    for (std::size_t i = 0; i < 9; ++i) {
        const TensorNode& before = document.root.dict().entries[i].second.tensor();
        const TensorNode& after = back.root.dict().entries[i].second.tensor();
        REQUIRE(after.storage->blob->known_digest());
        CHECK(after.storage->blob->known_digest()->hex() == digest_xxh3_128(*before.storage->blob));
    }
}

TEST_CASE("one tensor is read from its own chunks and the index alone") {
    const Scratch scratch;
    Document document;
    document.root = document.pool().dict();
    for (unsigned i = 0; i < 12; ++i)
        add(document, std::to_string(i), tensor(document, {1 << 20}, weights(1 << 20, i)));
    write(document, scratch.file("a.ckpt"));
    const Context context;
    const Document back = read(scratch.file("a.ckpt"), context);
    const std::uint64_t index_bytes = context.io->bytes_read;
    CHECK(index_bytes < 20000);
    const TensorNode& one = back.root.dict().entries[7].second.tensor();
    CHECK(read_all(*one.storage->blob, 1 << 30) ==
          read_all(*document.root.dict().entries[7].second.tensor().storage->blob, 1 << 30));
    CHECK(context.io->bytes_read - index_bytes < (4 << 20));  // four chunks, smaller than they are raw
    std::string middle(1000, '\0');
    const std::uint64_t before = context.io->bytes_read;
    one.storage->blob->read((3 << 20) - 500, std::as_writable_bytes(std::span(middle)));
    CHECK(context.io->bytes_read - before < (2 << 20));
}

TEST_CASE("one flipped bit anywhere is found, and harms nothing unnoticed") {
    const Scratch scratch;
    std::mt19937 random(11);
    for (const std::string codec : {"", "raw"}) {
        const Document document = sample();
        const std::string path = scratch.file("a.ckpt");
        write(document, path, codec);
        const std::string sound = slurp(path);
        const std::string expected = contents(read(path));
        REQUIRE(verify(path).empty());
        int harmless = 0;
        const int kFlips = 500;
        for (int i = 0; i < kFlips; ++i) {
            std::size_t at = random() % sound.size();
            if (i < 64) at = static_cast<std::size_t>(i);  // the header
            if (i >= 64 && i < 128) at = sound.size() - 64 + static_cast<std::size_t>(i - 64);
            if (i >= 128 && i < 330) at = 64 + static_cast<std::size_t>(i - 128);  // a record's header and names
            std::string bad = sound;
            bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
            spill(path, bad);
            INFO("byte " << at << " of " << sound.size() << ", codec '" << codec << "'");
            CHECK(is_damaged(verify(path)));
            try {
                const std::string found = contents(read(path));
                CHECK(found == expected);  // the flip is where reading does not look
                ++harmless;
            } catch (const Error& error) {
                CHECK(error.code() == ErrorCode::kDamaged);
            }
        }
        CHECK(harmless < kFlips);
    }
}

TEST_CASE("a flipped bit is named after its tensor") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    write(sample(), path);
    std::string bytes = slurp(path);
    const std::size_t second = 64 + 64 + number_at(bytes, 64 + 8, 4) + number_at(bytes, 64 + 24, 8);
    bytes[second + 500] = static_cast<char>(bytes[second + 500] ^ 1);
    spill(path, bytes);
    const auto findings = verify(path);
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].path == "layer0\\/weight");
    CHECK(findings[0].what.starts_with("chunk 1: its "));
    try {
        contents(read(path));
        FAIL_CHECK("was read");
    } catch (const Error& error) {
        CHECK(std::string(error.what()).starts_with(path + ": 'layer0\\/weight': chunk 1 at byte "));
    }
    CHECK(verify(path, VerifyLevel::kQuick).empty());
}

TEST_CASE("a file cut anywhere is damaged, and every storage whose chunks are whole comes out of it") {
    const Scratch scratch;
    std::mt19937 random(13);
    for (const std::string codec : {"", "raw"}) {
        const Document document = sample();
        const std::string path = scratch.file("a.ckpt");
        write(document, path, codec);
        const std::string sound = slurp(path);
        for (int i = 0; i < 60; ++i) {
            const std::size_t length = i < 10 ? static_cast<std::size_t>(i) : random() % sound.size();
            spill(path, std::string_view(sound).substr(0, length));
            INFO("cut to " << length << " of " << sound.size() << ", codec '" << codec << "'");
            CHECK_THROWS_AS(read(path), Error);
            if (length == 0) continue;  // the empty file is nobody's
            CHECK(is_damaged(verify(path)));
            const Document whole = layout().salvage(Source::open(path, {}), {});
            CHECK(!whole.damage.empty());
            std::size_t recovered = 0;
            walk(whole.root, [&](const Visit& visit) {
                if (!visit.value.is(Kind::kTensor)) return WalkStep::kInto;
                Value holder;
                const Value* original = find_path(document.root, visit.path, holder);
                if (original != nullptr) {
                    CHECK(read_all(*logical_blob(visit.value.tensor()), 1 << 30) ==
                          read_all(*logical_blob(original->tensor()), 1 << 30));
                    ++recovered;
                }
                return WalkStep::kOver;
            });
            const std::size_t stored_of_one = sound.size() / 3;  // about: the weights are nearly all there is
            CHECK(recovered >= (length > stored_of_one + 5000 ? 1u : 0u));
        }
    }
}

TEST_CASE("with a sound index, salvage keeps the document and drops what is damaged") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    write(sample(), path);
    std::string bytes = slurp(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    spill(path, bytes);
    const Document whole = layout().salvage(Source::open(path, {}), {});
    REQUIRE(whole.damage.size() == 1);
    CHECK(whole.damage[0].message().starts_with("'layer1\\/weight' is not whole and was replaced by None: chunk "));
    CHECK(whole.root.dict().find("layer1/weight")->is_null());
    CHECK(whole.root.dict().find("layer2/weight")->is(Kind::kTensor));
    CHECK(whole.root.dict().find("epoch")->as_int64() == 40);
}

TEST_CASE("a damaged long text is named, and costs nothing else") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    write(sample(), path, "raw");
    std::string bytes = slurp(path);
    const std::size_t at = bytes.find("xxxend");
    REQUIRE(at != std::string::npos);
    bytes[at] = 'y';
    spill(path, bytes);
    CHECK_THROWS_WITH(read(path), Catch::StartsWith(path + ": 'log': chunk "));
    for (const VerifyLevel level : {VerifyLevel::kQuick, VerifyLevel::kFull}) {
        const auto findings = verify(path, level);
        REQUIRE(findings.size() == 1);
        CHECK(findings[0].path == "log");
    }
    const Document whole = layout().salvage(Source::open(path, {}), {});
    REQUIRE(whole.damage.size() == 1);
    CHECK(whole.damage[0].message().starts_with("'log' is not whole and was replaced by None: "));
    CHECK(whole.root.dict().find("log")->is_null());
    CHECK(whole.root.dict().find("epoch")->as_int64() == 40);
    CHECK(whole.root.dict().find("layer2/weight")->is(Kind::kTensor));
}

TEST_CASE("an index that lies under right checksums is refused, and never believed") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    write(test::generate_document({.seed = 4}), path);
    const std::string sound = slurp(path);
    const native::Footer footer = native::parse_footer(std::string_view(sound).substr(sound.size() - 64), sound.size());
    const auto at = static_cast<std::size_t>(footer.index_offset);
    std::string index(static_cast<std::size_t>(footer.index_raw_bytes), '\0');
    const auto stored = std::as_bytes(std::span(sound)).subspan(at + 64, footer.index_stored_bytes);
    if (stored.size() == index.size()) {
        std::memcpy(index.data(), stored.data(), stored.size());
    } else {
        native::zstd_unframe(stored, std::as_writable_bytes(std::span(index)));
    }
    std::mt19937 random(17);
    int read_anyway = 0;
    for (int i = 0; i < 3000; ++i) {
        std::string lying = index;
        for (unsigned changes = 1 + random() % 3; changes-- > 0;) {
            const std::size_t place = random() % lying.size();
            const char value = "\0\x01\x7f\x80\x90\xc0\xc4\xd9\xdd\xdf\xff"[random() % 11];
            if (random() % 4 == 0)
                lying.erase(place, random() % 8);
            else if (random() % 4 == 0)
                lying.insert(place, random() % 8, value);
            else
                lying[place] = random() % 2 == 0 ? value : static_cast<char>(random());
            if (lying.empty()) lying = "x";
        }
        native::Footer end = footer;
        const std::string packed = native::zstd_frame(std::as_bytes(std::span(lying)), 1);
        const std::string& payload = packed.size() < lying.size() ? packed : lying;
        native::RecordHeader header;
        header.type = native::RecordType::kIndex;
        header.stored_bytes = end.index_stored_bytes = payload.size();
        end.index_raw_bytes = lying.size();
        header.payload_xxh3 = end.index_xxh3 = xxh3_64(std::as_bytes(std::span(payload)));
        end.file_bytes = at + 64 + payload.size() + 64;
        spill(path, sound.substr(0, at) + native::record_header(header) + payload + native::footer(end));
        INFO("mutation " << i);
        try {
            contents(read(path));
            ++read_anyway;
        } catch (const Error& error) {
            INFO(error.what());
            CHECK((error.code() == ErrorCode::kDamaged || error.code() == ErrorCode::kUnsupported ||
                   error.code() == ErrorCode::kRefused));
        }
    }
    CHECK(read_anyway < 2000);
}

TEST_CASE("names beside chunks are not believed") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    const auto salvage = [&path] { return layout().salvage(Source::open(path, {}), {}); };
    const std::string honest = chunk_record(1, names_of(1, 0, 16, 16, 'b'));

    for (const std::uint64_t offset : {UINT64_MAX - 9, UINT64_MAX, std::uint64_t{16}, std::uint64_t{1}}) {
        spill(path, native::file_header() + chunk_record(0, names_of(0, offset, 20, 20, 'a')) + honest);
        const Document whole = salvage();
        INFO("offset " << offset);
        // At 1 the storage would go on in the next chunk: it is whole.
        CHECK((whole.root.dict().find("a") != nullptr) == (offset == 1));
        REQUIRE(whole.root.dict().find("b") != nullptr);
        CHECK(read_all(*whole.root.dict().find("b")->tensor().storage->blob, 100) == std::string(16, '\0'));
    }

    spill(path, native::file_header() + chunk_record(0, names_of(0, 0, 16, 100, 'a')) + honest);
    const Document whole = salvage();
    CHECK(whole.root.dict().find("a") == nullptr);
    CHECK(whole.root.dict().find("b") != nullptr);
    CHECK(std::any_of(whole.damage.begin(), whole.damage.end(), [](const Error& error) {
        return error.message() == "tensor 'a' needs 100 bytes of its storage, which has 16";
    }));
}

TEST_CASE("chunks found without the index take memory by their count, and stand in order") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    // The first number is far beyond what a list by number could hold; the last goes back.
    spill(path, native::file_header() + chunk_record(std::uint64_t{1} << 61, names_of(0, 0, 16, 16, 'a')) +
                    chunk_record((std::uint64_t{1} << 61) + 1, names_of(1, 0, 16, 16, 'b')) +
                    chunk_record((std::uint64_t{1} << 61) + 5, names_of(2, 0, 20, 20, 'c')) +
                    chunk_record(0, names_of(3, 0, 16, 16, 'd')));
    const Document whole = layout().salvage(Source::open(path, {}), {});
    CHECK(whole.root.dict().find("a") != nullptr);
    CHECK(whole.root.dict().find("b") != nullptr);
    CHECK(whole.root.dict().find("c") == nullptr);
    CHECK(whole.root.dict().find("d") == nullptr);
}

TEST_CASE("packed names that unpack to very much are passed over") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    const std::string nils(200 << 20, '\xc0');
    const std::string bomb = native::zstd_frame(std::as_bytes(std::span(nils)), 1);
    native::RecordHeader header;
    header.names_are_packed = true;
    header.raw_bytes = 16;
    const std::string size = {'\0', '\0', '\x80', '\x0c'};
    spill(path, native::file_header() + with_checksums(header, size + bomb, std::string(16, '\0')) +
                    chunk_record(1, names_of(1, 0, 16, 16, 'b')));
    const Document whole = layout().salvage(Source::open(path, {}), {});
    CHECK(whole.root.dict().find("b") != nullptr);
}

TEST_CASE("verify: a codec of a later version is no damage, a key that stands twice is") {
    const Scratch scratch;
    const std::string path = scratch.file("a.ckpt");
    const std::string records = chunk_record(0, {}, static_cast<native::CodecId>(17));
    const std::string zeros(16, '\0');
    const std::uint64_t checksum = xxh3_64(std::as_bytes(std::span(zeros)));
    std::string chunk = {'\x91', '\x95', '\xcc', '\x80', '\x10', '\x10', '\x11', '\xcf'};
    for (unsigned i = 8; i-- > 0;) chunk.push_back(static_cast<char>(checksum >> (8 * i)));
    const std::string begin = '\x87' + text_of("producer") + text_of("x") + text_of("base") + '\xc0';
    const std::string end = text_of("attributes") + '\x90';
    const std::string storage = std::string("\x91\x95\x10\0\0\xc4\x10", 7) + std::string(16, 'd') + '\xa0';
    spill(path, file_of(records,
                        begin + text_of("chunks") + chunk + text_of("storages") + storage + text_of("nodes") + '\x90' +
                            text_of("root") + '\xc0' + end,
                        1));
    CHECK(verify(path, VerifyLevel::kQuick).empty());
    CHECK_THROWS_WITH(verify(path), Catch::Contains("codec 17 is not known (differences from a base file)"));

    for (const std::string& key : {std::string("\xa1") + "a", std::string("\x07")}) {
        spill(path, file_of({},
                            begin + text_of("chunks") + '\x90' + text_of("storages") + '\x90' + text_of("nodes") +
                                "\x91\x92\x0a\x94" + key + '\x01' + key + '\x02' + text_of("root") +
                                std::string("\xd4\x01\0", 3) + end,
                            0));
        for (const VerifyLevel level : {VerifyLevel::kQuick, VerifyLevel::kFull}) {
            const auto findings = verify(path, level);
            REQUIRE(findings.size() == 1);
            CHECK(findings[0].what == fmt::format("the key '{}' stands twice in a dict", key == "\x07" ? "7" : "a"));
        }
    }
}

TEST_CASE("generated documents come back, mapped or compact") {
    const Scratch scratch;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        for (const std::string codec : {"", "raw"}) {
            const Document document = test::generate_document({.seed = seed, .with_cycles = seed % 2 == 0});
            write(document, scratch.file("g.ckpt"), codec);
            INFO("seed " << seed << ", codec '" << codec << "'");
            CHECK(test::document_difference(document, read(scratch.file("g.ckpt"))) == "");
            CHECK(verify(scratch.file("g.ckpt")).empty());
        }
    }
}

TEST_CASE("an index that shrinks to almost nothing can be read again") {
    const Scratch scratch;
    Document document;
    document.root = document.pool().list();
    auto& items = document.root.sequence().items;
    items.assign(std::size_t{18} << 20, Value::integer(0));
    write(document, scratch.file("a.ckpt"));
    const Document back = read(scratch.file("a.ckpt"));
    CHECK(back.root.sequence().items.size() == items.size());
    Context small;
    small.limits.max_header_bytes = 1 << 20;  // what could not be read again is not written
    CHECK_THROWS_WITH(layout().plan(document, {}, small), Catch::Contains("over the limit of 1048576 for an index"));
}

TEST_CASE("a million-deep list and thirty doublings are normal") {
    const Scratch scratch;
    Document document;
    Value deep = document.pool().list();
    for (int i = 0; i < 1000000; ++i) {
        const Value outer = document.pool().list();
        outer.sequence().items.push_back(deep);
        deep = outer;
    }
    Value wide = document.pool().tuple({Value::integer(1)});
    for (int i = 0; i < 30; ++i) wide = document.pool().tuple({wide, wide});
    document.root = document.pool().tuple({deep, wide});
    write(document, scratch.file("deep.ckpt"));
    const Document back = read(scratch.file("deep.ckpt"));
    Value at = back.root.sequence().items[0];
    int depth = 0;
    for (; !at.sequence().items.empty(); ++depth) at = at.sequence().items[0];
    CHECK(depth == 1000000);
    at = back.root.sequence().items[1];
    for (depth = 0; at.sequence().items.size() == 2; ++depth) {
        CHECK(at.sequence().items[0] == at.sequence().items[1]);
        at = at.sequence().items[0];
    }
    CHECK(depth == 30);
}
