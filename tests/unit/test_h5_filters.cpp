// Undoing filters: shuffle of any width, Fletcher-32, deflate and zstd within their limits, masks.
#include <libdeflate.h>
#include <zstd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <optional>

#include "formats/shared/h5/filters.hpp"
#include "formats/shared/h5/write_chunks.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;
using namespace ckpt::h5;

namespace {

constexpr std::uint16_t kDeflate = 1;
constexpr std::uint16_t kShuffle = 2;
constexpr std::uint16_t kFletcher32 = 3;
constexpr std::uint16_t kZstd = 32015;

Filter filter(std::uint16_t id, std::vector<std::uint32_t> parameters = {}) {
    return {id, std::string(filter_name(id)), false, std::move(parameters)};
}

Buffer buffer(std::string_view bytes) {
    Buffer result(bytes.size());
    if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
}

std::string text(const Buffer& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string undo(std::string_view stored, const std::vector<Filter>& filters, std::size_t size,
                 std::uint32_t mask = 0) {
    return text(undo_filters(buffer(stored), filters, mask, size));
}

/// The message of the error, which must be of one code.
std::string refusal(std::string_view stored, const std::vector<Filter>& filters, std::size_t size,
                    std::uint32_t mask = 0, ErrorCode code = ErrorCode::kDamaged) {
    try {
        undo(stored, filters, size, mask);
    } catch (const Error& error) {
        CHECK(error.code() == code);
        return error.message();
    }
    FAIL_CHECK("was undone");
    return {};
}

bool holds(const std::string& message, const std::string& part) {
    INFO(message << " | " << part);
    return message.find(part) != std::string::npos;
}

std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    return bytes;
}

/// By definition: first the lowest bytes of all elements, then the next ones; what is no whole element stays behind.
std::string shuffled(const std::string& raw, std::size_t width) {
    const std::size_t count = raw.size() / width;
    std::string out;
    for (std::size_t byte = 0; byte < width; ++byte) {
        for (std::size_t i = 0; i < count; ++i) out += raw[i * width + byte];
    }
    return out + raw.substr(count * width);
}

std::string zlib(const std::string& raw) {
    libdeflate_compressor* compressor = libdeflate_alloc_compressor(9);
    std::string out(libdeflate_zlib_compress_bound(compressor, raw.size()), '\0');
    out.resize(libdeflate_zlib_compress(compressor, raw.data(), raw.size(), out.data(), out.size()));
    libdeflate_free_compressor(compressor);
    return out;
}

std::string zstd(const std::string& raw) {
    std::string out(ZSTD_compressBound(raw.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), 3));
    return out;
}

/// A frame that does not say how large its content is, as streaming writers make them.
std::string zstd_of_unknown_size(const std::string& raw) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    std::string out(ZSTD_compressBound(raw.size()), '\0');
    out.resize(ZSTD_compress2(context, out.data(), out.size(), raw.data(), raw.size()));
    ZSTD_freeCCtx(context);
    REQUIRE(ZSTD_getFrameContentSize(out.data(), out.size()) == ZSTD_CONTENTSIZE_UNKNOWN);
    return out;
}

/// Fletcher-32 over big-endian words, an odd last byte as the high half of a word; sums modulo 65535 that are never 0
/// after a sum that was not.
std::uint32_t fletcher32(const std::string& bytes) {
    std::uint64_t sum1 = 0;
    std::uint64_t sum2 = 0;
    const auto reduced = [](std::uint64_t sum) { return sum == 0 ? 0 : (sum - 1) % 65535 + 1; };
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto high = static_cast<std::uint8_t>(bytes[i]);
        const auto low = i + 1 < bytes.size() ? static_cast<std::uint8_t>(bytes[i + 1]) : 0;
        sum1 = reduced(sum1 + static_cast<std::uint64_t>(high << 8 | low));
        sum2 = reduced(sum2 + sum1);
    }
    return static_cast<std::uint32_t>(sum2 << 16 | sum1);
}

std::string with_sum(const std::string& raw, std::uint32_t sum) {
    std::string out = raw;
    for (int i = 0; i < 4; ++i) out += static_cast<char>(sum >> (8 * i));
    return out;
}

}  // namespace

TEST_CASE("h5filters: names of ids") {
    CHECK(filter_name(1) == "gzip");
    CHECK(filter_name(2) == "shuffle");
    CHECK(filter_name(3) == "fletcher32");
    CHECK(filter_name(4) == "szip");
    CHECK(filter_name(32000) == "lzf");
    CHECK(filter_name(32001) == "blosc");
    CHECK(filter_name(32015) == "zstd");
    CHECK(filter_name(0).empty());
    CHECK(filter_name(40000).empty());
}

TEST_CASE("h5filters: filters that cannot be undone are refused by name") {
    const auto message_of = [](const std::vector<Filter>& filters) -> std::string {
        try {
            require_known_filters(filters);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kUnsupported);
            return error.message();
        }
        return {};
    };
    CHECK(message_of({}).empty());
    CHECK(message_of({filter(kShuffle, {4}), filter(kDeflate, {6}), filter(kFletcher32), filter(kZstd)}).empty());
    for (const std::uint16_t id : {4, 5, 6, 307, 32000, 32001, 32004}) CHECK(message_of({filter(id)}).empty());
    CHECK(holds(message_of({filter(kShuffle, {4}), filter(32013), filter(32026)}), "zfp"));
    CHECK(holds(message_of({filter(32026)}), "blosc2"));
    CHECK(holds(message_of({{40000, "house made", false, {}}}), "40000"));
    CHECK(holds(message_of({{40000, "house made", false, {}}}), "house made"));
    CHECK(holds(message_of({{40000, "", true, {}}}), "40000"));
    CHECK(holds(refusal("abcd", {filter(32013)}, 4, 0, ErrorCode::kUnsupported), "zfp"));
}

TEST_CASE("h5filters: no filters, and sizes that must agree") {
    CHECK(undo("abcd", {}, 4) == "abcd");
    CHECK(undo("", {}, 0).empty());
    const std::string message = refusal("abcd", {}, 7);
    CHECK(holds(message, "4 bytes"));
    CHECK(holds(message, "7"));
    CHECK(holds(refusal("abcde", {filter(kShuffle, {2})}, 4), "5 bytes"));
}

TEST_CASE("h5filters: unshuffle of every width and size") {
    for (std::size_t width = 1; width <= 33; ++width) {
        for (std::size_t size = 0; size < 140; ++size) {
            const std::string raw = pattern(size);
            INFO(width << " bytes per element, " << size << " bytes");
            CHECK(undo(shuffled(raw, width), {filter(kShuffle, {static_cast<std::uint32_t>(width)})}, size) == raw);
        }
    }
    // Elements larger than the chunk: nothing moves.
    CHECK(undo("abc", {filter(kShuffle, {1000})}, 3) == "abc");
    CHECK(undo("abc", {filter(kShuffle, {0xffffffff})}, 3) == "abc");
    const std::string large = pattern(1 << 20);
    for (const std::uint32_t width : {2U, 3U, 4U, 8U, 16U, 255U, 4096U}) {
        CHECK(undo(shuffled(large, width), {filter(kShuffle, {width})}, large.size()) == large);
    }
    // A known one: two int32, 1 and 2.
    CHECK(undo(std::string("\1\2\0\0\0\0\0\0", 8), {filter(kShuffle, {4})}, 8) == std::string("\1\0\0\0\2\0\0\0", 8));
    CHECK(holds(refusal("abcd", {filter(kShuffle, {0})}, 4), "shuffle"));
    CHECK(holds(refusal("abcd", {filter(kShuffle)}, 4), "shuffle"));
}

TEST_CASE("h5filters: fletcher32 against known sums") {
    // The published examples give these sums over little-endian words; HDF5 takes big-endian ones, so the letters are
    // swapped in pairs.
    struct Known {
        std::string bytes;
        std::uint32_t sum;
    };
    const Known known[] = {{"badcfehg", 0xebe19591},                 // "abcdefgh"
                           {"badcfe", 0x56502d2a},                   // "abcdef"
                           {std::string("badc\0e", 6), 0xf04fc729},  // "abcde": the odd byte is the high half here
                           {std::string("\0\1", 2), 0x00010001},
                           {std::string("\0\1\0\2", 4), 0x00040003},
                           {std::string("\0\0", 2), 0},
                           {"", 0}};
    const std::vector<Filter> filters = {filter(kFletcher32)};
    for (const auto& [bytes, sum] : known) {
        CAPTURE(bytes, sum);
        CHECK(fletcher32(bytes) == sum);
        CHECK(undo(with_sum(bytes, sum), filters, bytes.size()) == bytes);
    }
    // An odd byte counts as the high half of a last word.
    CHECK(undo(with_sum("\1", 0x01000100), filters, 1) == "\1");
    CHECK(undo(with_sum(std::string("\0\1\1", 3), 0x01020101), filters, 3) == std::string("\0\1\1", 3));
    for (std::size_t size = 0; size < 3000; size += size < 20 ? 1 : 37) {
        for (const char fill : {'\0', '\x01', '\xff'}) {
            const std::string raw(size, fill);
            CHECK(undo(with_sum(raw, fletcher32(raw)), filters, size) == raw);
        }
        const std::string raw = pattern(size);
        CHECK(undo(with_sum(raw, fletcher32(raw)), filters, size) == raw);
    }
}

TEST_CASE("h5filters: fletcher32 as libhdf5 before 1.6.3 wrote it, and damaged") {
    const std::vector<Filter> filters = {filter(kFletcher32)};
    const std::string raw = pattern(101);
    const std::uint32_t sum = fletcher32(raw);
    const std::uint32_t swapped = (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
    CHECK(undo(with_sum(raw, swapped), filters, 101) == raw);
    for (std::size_t at = 0; at < raw.size(); at += 5) {
        std::string damaged = with_sum(raw, sum);
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        CHECK(holds(refusal(damaged, filters, 101), fmt::format("{:08x}", sum)));
    }
    CHECK(holds(refusal(with_sum(raw, sum + 1), filters, 101), fmt::format("{:08x}", sum + 1)));
    CHECK(holds(refusal("abc", filters, 0), "3 bytes"));
    CHECK(holds(refusal("", filters, 0), "0 bytes"));
}

TEST_CASE("h5filters: deflate gives what it should, and never more") {
    const std::vector<Filter> filters = {filter(kDeflate, {6})};
    for (const std::size_t size : {0, 1, 100, 65536, 1000000}) {
        const std::string raw = pattern(size);
        CHECK(undo(zlib(raw), filters, size) == raw);
        if (size > 0) {
            const std::string message = refusal(zlib(raw), filters, size - 1);
            CHECK(holds(message, "gzip"));
            CHECK(holds(message, std::to_string(size - 1)));
        }
        CHECK(holds(refusal(zlib(raw), filters, size + 1), std::to_string(size + 1)));
    }
    // A bomb: a thousand times its size, where a few bytes are due.
    const std::string bomb = zlib(std::string(std::size_t{1} << 26, '\0'));
    REQUIRE(bomb.size() < 100000);
    CHECK(holds(refusal(bomb, filters, 4096), "4096"));
    // Twice packed: the outer stream unpacks to a little more than a chunk at most.
    const std::string twice = zlib(zlib(std::string(1 << 20, 'x')));
    CHECK(undo(twice, {filter(kDeflate), filter(kDeflate)}, 1 << 20) == std::string(1 << 20, 'x'));
    CHECK(holds(refusal(zlib(std::string(1 << 26, '\0')), {filter(kDeflate), filter(kDeflate)}, 1 << 20), "gzip"));
    // A claim of half a terabyte costs nothing when nothing can give so much.
    CHECK(holds(refusal(zlib("abc"), filters, std::size_t{1} << 39), "3 bytes"));
}

TEST_CASE("h5filters: damaged deflate") {
    const std::vector<Filter> filters = {filter(kDeflate, {6})};
    const std::string raw = pattern(5000);
    const std::string stored = zlib(raw);
    for (std::size_t length = 0; length < stored.size(); length += 11) {
        CHECK(holds(refusal(stored.substr(0, length), filters, raw.size()), "gzip"));
    }
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}, stored.size() - 1}) {
        std::string damaged = stored;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
        CHECK(holds(refusal(damaged, filters, raw.size()), "gzip"));
    }
    CHECK(holds(refusal("no stream at all", filters, 100), "16"));
}

TEST_CASE("h5filters: zstd within its limit") {
    const std::vector<Filter> filters = {filter(kZstd, {3})};
    for (const std::size_t size : {0, 1, 100, 65536, 1000000}) {
        const std::string raw = pattern(size);
        CHECK(undo(zstd(raw), filters, size) == raw);
        CHECK(undo(zstd_of_unknown_size(raw), filters, size) == raw);
        if (size > 0) {
            CHECK(holds(refusal(zstd(raw), filters, size - 1), "zstd"));
            CHECK(holds(refusal(zstd_of_unknown_size(raw), filters, size - 1), "zstd"));
        }
        CHECK(holds(refusal(zstd(raw), filters, size + 1), std::to_string(size + 1)));
    }
    const std::string bomb = zstd(std::string(std::size_t{1} << 28, '\0'));
    REQUIRE(bomb.size() < 100000);
    const std::string message = refusal(bomb, filters, 4096);
    CHECK(holds(message, "268435456"));
    CHECK(holds(message, "4096"));
    const std::string stored = zstd(pattern(5000));
    for (std::size_t length = 0; length < stored.size(); length += 13) {
        CHECK(holds(refusal(stored.substr(0, length), filters, 5000), "zstd"));
    }
    CHECK(holds(refusal("no frame", filters, 100), "8"));
}

TEST_CASE("h5filters: pipelines are undone from the last filter, without those that the mask skips") {
    const std::string raw = pattern(1000);
    const std::vector<Filter> filters = {filter(kShuffle, {8}), filter(kDeflate, {4}), filter(kFletcher32)};
    const std::string packed = zlib(shuffled(raw, 8));
    CHECK(undo(with_sum(packed, fletcher32(packed)), filters, 1000) == raw);
    CHECK(undo(with_sum(zlib(raw), fletcher32(zlib(raw))), filters, 1000, 1) == raw);
    const std::string shuffle_only = shuffled(raw, 8);
    CHECK(undo(with_sum(shuffle_only, fletcher32(shuffle_only)), filters, 1000, 2) == raw);
    CHECK(undo(packed, filters, 1000, 4) == raw);
    CHECK(undo(shuffle_only, filters, 1000, 6) == raw);
    CHECK(undo(raw, filters, 1000, 7) == raw);
    CHECK(undo(raw, filters, 1000, 0xffffffff) == raw);
    // Bits behind the last filter mean nothing.
    CHECK(undo(packed, filters, 1000, 0xfffffffcU) == raw);
    // A filter that is unknown but was skipped is no obstacle to undoing.
    CHECK(undo(raw, {filter(kShuffle, {4}), filter(32001)}, 1000, 3) == raw);
    // A checksum over the raw data, deflated afterwards: the deflated stream holds four bytes more than the chunk.
    const std::vector<Filter> inverse = {filter(kFletcher32), filter(kDeflate, {4})};
    CHECK(undo(zlib(with_sum(raw, fletcher32(raw))), inverse, 1000) == raw);
    CHECK(holds(refusal(packed, filters, 1000, 1), "fletcher32"));
}

TEST_CASE("h5filters: what the writer's encoder makes is undone by the reader's pipeline") {
    for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
        for (const std::uint32_t width : {1U, 2U, 4U, 8U, 16U}) {
            const std::string raw = pattern(48 * width);
            const std::size_t chunk = 64 * width;  // the last chunk of a dataset is padded
            const auto encode = chunk_encoder(codec, width, chunk);
            const std::string stored = encode(std::as_bytes(std::span(raw))).stored;
            std::vector<Filter> filters;
            if (width > 1) filters.push_back(filter(kShuffle, {width}));
            filters.push_back(filter(codec == Codec::kGzip ? kDeflate : kZstd));
            CHECK(undo(stored, filters, chunk).substr(0, raw.size()) == raw);
            CHECK(encode(std::as_bytes(std::span(raw))).stored == stored);
        }
    }
}

TEST_CASE("h5filters: buffers keep their first bytes when they shrink") {
    Buffer made = buffer("abcdef");
    CHECK(made.size() == 6);
    made.shrink(4);
    CHECK(text(made) == "abcd");
    made.shrink(9);
    CHECK(made.size() == 4);
    CHECK(Buffer().size() == 0);
    // Never touched, so it costs no memory.
    CHECK(Buffer(std::size_t{1} << 33).size() == std::size_t{1} << 33);
}
