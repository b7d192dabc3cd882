// The zip directory: what it finds, what it warns of, and each contradiction it refuses.
#include <libdeflate.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "formats/shared/zip/zip_reader.hpp"
#include "formats/shared/zip/zip_walk.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

void put(std::string& bytes, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) bytes += static_cast<char>(i < 8 ? value >> (8 * i) : 0);
}

/// One member, with every field that a lie could be in.
struct Made {
    std::string name;
    std::string data;
    std::uint16_t method = 0;
    std::string local_name = {};
    std::uint16_t local_flags = 0;
    std::uint16_t flags = 0;
    std::optional<std::uint32_t> stored = {};
    std::optional<std::uint32_t> size = {};
    std::optional<std::uint32_t> offset = {};
    std::string extra = {};
    std::uint16_t disk = 0;
};

struct Archive {
    std::vector<Made> members;
    std::string before_directory = {};
    std::optional<std::uint16_t> entries = {};
    std::optional<std::uint32_t> directory_bytes = {};
    std::string comment = {};
    std::string behind = {};

    std::string bytes() const {
        std::string result;
        std::vector<std::uint64_t> offsets;
        for (const auto& member : members) {
            offsets.push_back(result.size());
            const std::string& name = member.local_name.empty() ? member.name : member.local_name;
            result += "PK\3\4";
            put(result, 0, 2);
            put(result, member.local_flags, 2);
            put(result, member.method, 2);
            put(result, 0, 4 + 4 + 8);
            put(result, name.size(), 2);
            put(result, 0, 2);
            result += name + member.data;
        }
        result += before_directory;
        const std::uint64_t directory = result.size();
        for (std::size_t i = 0; i < members.size(); ++i) {
            const Made& member = members[i];
            result += "PK\1\2";
            put(result, 0, 4);
            put(result, member.flags, 2);
            put(result, member.method, 2);
            put(result, 0, 4);
            put(result, crc32(0, std::as_bytes(std::span(member.data))), 4);
            put(result, member.stored.value_or(static_cast<std::uint32_t>(member.data.size())), 4);
            put(result, member.size.value_or(static_cast<std::uint32_t>(member.data.size())), 4);
            put(result, member.name.size(), 2);
            put(result, member.extra.size(), 2);
            put(result, 0, 2);
            put(result, member.disk, 2);
            put(result, 0, 2 + 4);
            put(result, member.offset.value_or(static_cast<std::uint32_t>(offsets[i])), 4);
            result += member.name + member.extra;
        }
        const std::uint64_t size = result.size() - directory;
        result += "PK\5\6";
        put(result, 0, 4);
        put(result, entries.value_or(static_cast<std::uint16_t>(members.size())), 2);
        put(result, entries.value_or(static_cast<std::uint16_t>(members.size())), 2);
        put(result, directory_bytes.value_or(static_cast<std::uint32_t>(size)), 4);
        put(result, directory, 4);
        put(result, comment.size(), 2);
        return result + comment + behind;
    }
};

/// What reading gave: the members' names, or the message of its error, and the warnings.
struct Outcome {
    std::vector<std::string> names;
    std::string error;
    std::vector<std::string> warnings;
    std::optional<ZipDirectory> directory;
};

Outcome read(const std::string& bytes) {
    const fs::path path = fs::temp_directory_path() / ("ckpt-zip-" + std::to_string(::getpid()));
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    Outcome outcome;
    Context context;
    context.on_warning = [&](std::string_view text) { outcome.warnings.emplace_back(text); };
    try {
        outcome.directory = ZipDirectory::read(File::open(path.string(), context), context);
        for (const auto& member : outcome.directory->members()) outcome.names.push_back(member.name);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kDamaged);
        outcome.error = error.message();
    }
    fs::remove(path);
    return outcome;
}

Outcome read(const Archive& archive) {
    return read(archive.bytes());
}

std::string deflated(const std::string& raw) {
    libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
    std::string packed(libdeflate_deflate_compress_bound(compressor, raw.size()), '\0');
    packed.resize(libdeflate_deflate_compress(compressor, raw.data(), raw.size(), packed.data(), packed.size()));
    libdeflate_free_compressor(compressor);
    return packed;
}

}  // namespace

TEST_CASE("a zip gives its members, stored and deflated") {
    const std::string text(100000, 'x');
    const std::string packed = deflated(text);
    const auto outcome = read(Archive{{{.name = "a/one", .data = "1234"},
                                       {.name = "a/two", .data = packed, .method = 8, .size = 100000},
                                       {.name = "a/none", .data = ""}}});
    REQUIRE(outcome.error == "");
    CHECK(outcome.warnings.empty());
    CHECK(outcome.names == std::vector<std::string>{"a/one", "a/two", "a/none"});
    const ZipDirectory& zip = *outcome.directory;
    const ZipMember* one = zip.find("A/ONE");
    REQUIRE(one != nullptr);
    CHECK(one->data_offset_bytes == 35);
    const BlobPtr stored = zip.blob(*one, 1000);
    REQUIRE(stored->file_range().has_value());
    CHECK(stored->file_range()->offset_bytes == 35);
    CHECK(read_all(*stored, 100) == "1234");
    const BlobPtr unpacked = zip.blob(*zip.find("a/two"), 1u << 20);
    CHECK(unpacked->size_bytes() == text.size());
    CHECK(!unpacked->file_range().has_value());
    CHECK(read_all(*unpacked, 1u << 20) == text);
    CHECK(zip.blob(*zip.find("a/none"), 1)->size_bytes() == 0);
    CHECK(zip.find("a/three") == nullptr);
}

TEST_CASE("headers of ten thousand small members are found") {
    Archive archive;
    for (int i = 0; i < 10000; ++i)
        archive.members.push_back({.name = "a/" + std::to_string(i), .data = std::string(i % 7, 'd')});
    archive.members.push_back({.name = "a/large", .data = std::string(300000, 'l')});
    archive.members.push_back({.name = "a/last", .data = "end"});
    const auto outcome = read(archive);
    REQUIRE(outcome.error == "");
    CHECK(outcome.warnings.empty());
    const ZipDirectory& zip = *outcome.directory;
    CHECK(read_all(*zip.blob(*zip.find("a/9999"), 100), 100) == std::string(9999 % 7, 'd'));
    CHECK(read_all(*zip.blob(*zip.find("a/last"), 100), 100) == "end");
}

TEST_CASE("what a zip's readers disagree about is pointed out") {
    const Made plain{.name = "a/x", .data = "data"};
    const auto one_warning = [](const Archive& archive) {
        const auto outcome = read(archive);
        CHECK(outcome.error == "");
        REQUIRE(outcome.warnings.size() == 1);
        return outcome.warnings.front();
    };
    CHECK(one_warning({.members = {plain}, .behind = "junk"}) ==
          "4 bytes after the end of the zip archive are ignored");
    CHECK(one_warning({.members = {plain}, .before_directory = std::string(120, 'g')}) ==
          "120 bytes at byte 37 belong to no member");
    CHECK(one_warning({.members = {{.name = "a/x", .data = "data", .local_name = "a/y"}}}) ==
          "member 'a/x' has another name in its local header; the directory's counts");
    CHECK(one_warning({.members = {{.name = "a/x", .data = "data", .local_flags = 1}}}) ==
          "member 'a/x' is marked as encrypted in its local header only, which is ignored");
    CHECK(one_warning({.members = {plain, {.name = std::string("a/\0", 3), .data = ""}}}) ==
          "member 'a/\\x00' has a NUL in its name");
    CHECK(one_warning({.members = {plain, {.name = "a/../b", .data = ""}}}) ==
          "member 'a/../b' has a name that climbs out of its folder; it is only a name here");
}

TEST_CASE("a zip that contradicts itself is damaged") {
    const Made plain{.name = "a/x", .data = "data"};
    const auto error = [](const Archive& archive) { return read(archive).error; };
    CHECK(error({.members = {}}) == "the zip archive does not contain any files");
    CHECK(error({.members = {plain}, .entries = 2}) == "the end record counts 2 members, the directory has room for 1");
    CHECK(error({.members = {plain, {.name = "a/y", .data = ""}}, .entries = 1}) ==
          "the directory holds more than the 1 entries that the end record counts");
    CHECK(error({.members = {plain}, .directory_bytes = 1000}) ==
          "the directory of 1000 bytes at byte 37 does not end where the end records begin, at byte 86");
    CHECK(error({.members = {plain, plain}}) ==
          "there are two members 'a/x' and 'a/x': programs disagree which one counts");
    CHECK(error({.members = {plain, {.name = "A/X", .data = ""}}}) ==
          "there are two members 'a/x' and 'A/X': programs disagree which one counts");
    CHECK(error({.members = {plain, {.name = "a/y", .data = "data", .offset = 0}}}) ==
          "members 'a/x' and 'a/y' overlap at byte 0");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .flags = 1}}}) == "member 'a/x' is encrypted");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .method = 12}}}) ==
          "member 'a/x' is compressed by method 12, torch knows 0 and 8");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .stored = 4, .size = 9}}}) ==
          "member 'a/x' is stored, but has the sizes 4 and 9");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .stored = 400, .size = 400}}}) ==
          "member 'a/x' has 400 bytes at byte 33, which is beyond the directory at byte 37");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .offset = 4000}}}) ==
          "member 'a/x' begins at byte 4000, behind the last one's end");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .offset = 1}}}) ==
          "member 'a/x': no local header at byte 1");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .disk = 3}}}) == "member 'a/x' lies on another disk");
    CHECK(error({.members = {{.name = "a/\xff", .data = "data"}}}) ==
          "entry 0 of the directory has a name that is not UTF-8");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .stored = 0xffffffff, .size = 0xffffffff}}}) ==
          "member 'a/x': its sizes need a ZIP64 field, but there is none");
    CHECK(error({.members = {{.name = "a/x", .data = "data", .extra = std::string("\1\0\x40\0", 4)}}}) ==
          "member 'a/x': an extra field of 64 bytes is cut short");
    CHECK(error({.members = {plain}, .comment = "PK\5\6" + std::string(18, '\0')}) ==
          "the zip archive does not contain any files");
    CHECK(read(std::string("PK\3\4")).error ==
          "the zip archive has no end record: the file ends at byte 4, probably too early");
}

TEST_CASE("a zip cut anywhere is damaged") {
    const std::string whole = Archive{{{.name = "a/x", .data = "data"}, {.name = "a/y", .data = "more"}}}.bytes();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        INFO(length);
        CHECK(read(whole.substr(0, length)).error != "");
    }
}

TEST_CASE("deflated members are bounded before they are unpacked, and must unpack to their size") {
    const std::string packed = deflated(std::string(1000, 'x'));
    const auto unpack = [](const Archive& archive, std::uint64_t limit) -> std::string {
        const auto outcome = read(archive);
        REQUIRE(outcome.error == "");
        try {
            return read_all(*outcome.directory->blob(outcome.directory->members().front(), limit), 1u << 20);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kDamaged);
            return error.message();
        }
    };
    const auto archive = [&](std::uint32_t size) {
        return Archive{{{.name = "a/x", .data = packed, .method = 8, .size = size}}};
    };
    CHECK(unpack(archive(1000), 1000) == std::string(1000, 'x'));
    CHECK(unpack(archive(1000), 999) ==
          "member 'a/x' claims to unpack " + std::to_string(packed.size()) + " bytes to 1000");
    CHECK(unpack(archive(4000000000u), 5000000000u) ==
          "member 'a/x' claims to unpack " + std::to_string(packed.size()) + " bytes to 4000000000");
    CHECK(unpack(archive(999), 1000) == "member 'a/x' does not unpack to its 999 bytes");
    CHECK(unpack(archive(1001), 2000) == "member 'a/x' does not unpack to its 1001 bytes");
}

namespace {

/// A blob that counts what is read of it.
class Counted final : public Blob {
public:
    explicit Counted(std::string bytes) : bytes_(memory_blob(std::move(bytes))) {}
    std::uint64_t size_bytes() const noexcept override { return bytes_->size_bytes(); }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        read_ += out.size();
        bytes_->read(offset_bytes, out);
    }
    std::uint64_t read_bytes() const noexcept { return read_; }

private:
    BlobPtr bytes_;
    mutable std::uint64_t read_ = 0;
};

/// Two members as torch writes them, sizes behind the bytes, without a directory.
std::string streamed(const std::string& first, const std::string& second) {
    std::string bytes;
    const auto put = [&](std::uint64_t value, int width) {
        for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i));
    };
    for (const std::string& name : {std::string("a/x"), std::string("a/y")}) {
        const std::string& data = name == "a/x" ? first : second;
        bytes += "PK\3\4";
        put(0, 2);
        put(8, 2);
        for (int i = 0; i < 18; ++i) put(0, 1);
        put(3, 2);
        put(0, 2);
        bytes += name + data + "PK\7\x08";
        put(crc32(0, std::as_bytes(std::span(data.data(), data.size()))), 4);
        put(data.size(), 4);
        put(data.size(), 4);
    }
    return bytes;
}

}  // namespace

TEST_CASE("members without a directory: where a size is known, their bytes are not read") {
    const std::string big(10'000'000, 'x');
    const std::string small = "more";
    const std::string bytes = streamed(big, small);
    const Counted all(bytes);
    const auto searched = local_zip_entries(all, 0, bytes.size(), {});
    const Counted few(bytes);
    const auto right = [&](std::string_view name) {
        return std::optional<std::uint64_t>(name == "a/x" ? 10'000'000 : 4);
    };
    const auto hinted = local_zip_entries(few, 0, bytes.size(), {}, kMostZipEntries, right);
    const auto wrong = [](std::string_view) { return std::optional<std::uint64_t>(77); };
    const auto misled = local_zip_entries(all, 0, bytes.size(), {}, kMostZipEntries, wrong);
    for (const auto& found : {searched, hinted, misled}) {
        REQUIRE(found.size() == 2);
        CHECK(found[0].is_whole);
        CHECK(found[0].stored_bytes == big.size());
        CHECK(found[1].is_whole);
        CHECK(found[1].stored_bytes == small.size());
    }
    CHECK(few.read_bytes() < 3'000'000);
    // Cut within the first member: it reaches to the end.
    const auto cut = local_zip_entries(few, 0, 5'000'000, {}, kMostZipEntries, right);
    REQUIRE(cut.size() == 1);
    CHECK_FALSE(cut[0].is_whole);
    CHECK(cut[0].stored_bytes == 5'000'000 - cut[0].data_at);
}
