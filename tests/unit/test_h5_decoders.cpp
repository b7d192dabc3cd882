// The decoders of filters: chunks of HDF5's own encoders and of the plugins, and what damage of any kind ends with.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "formats/shared/h5/filter_decoders.hpp"
#include "formats/shared/h5/filters.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;
using namespace ckpt::h5;

namespace {

struct NamedDecoder {
    std::uint16_t id;
    Decoder decode;
};
const std::map<std::string, NamedDecoder> kDecoders = {
    {"gzip", {1, decode_deflate}},    {"szip", {4, decode_szip}},
    {"nbit", {5, decode_nbit}},       {"scaleoffset", {6, decode_scaleoffset}},
    {"bzip2", {307, decode_bzip2}},   {"lzf", {32000, decode_lzf}},
    {"blosc", {32001, decode_blosc}}, {"lz4", {32004, decode_lz4}},
    {"zstd", {32015, decode_zstd}}};

/// A chunk as an encoder made it: one line of filter_chunks.tsv.
struct Encoded {
    std::string filter;
    std::string name;
    std::vector<std::uint32_t> parameters;
    std::string stored;
    std::string elements;
};

std::string from_hex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

const std::vector<Encoded>& encoded_chunks() {
    static const std::vector<Encoded> chunks = [] {
        std::vector<Encoded> all;
        std::ifstream in(std::string(CKPT_TEST_DATA) + "/hdf5/filter_chunks.tsv");
        std::string line;
        std::getline(in, line);
        while (std::getline(in, line)) {
            std::istringstream columns(line);
            Encoded chunk;
            std::string parameters;
            std::string stored;
            std::string elements;
            std::getline(columns, chunk.filter, '\t');
            std::getline(columns, chunk.name, '\t');
            std::getline(columns, parameters, '\t');
            std::getline(columns, stored, '\t');
            std::getline(columns, elements, '\t');
            std::istringstream numbers(parameters);
            for (std::string number; std::getline(numbers, number, ',');) {
                chunk.parameters.push_back(static_cast<std::uint32_t>(std::stoul(number)));
            }
            chunk.stored = from_hex(stored);
            chunk.elements = from_hex(elements);
            all.push_back(std::move(chunk));
        }
        return all;
    }();
    REQUIRE(chunks.size() > 150);
    return chunks;
}

/// Bytes between pages that must not be touched: they end where the next page begins, and begin behind a pattern.
class Guarded {
public:
    explicit Guarded(std::size_t most) : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
        room_ = (most / page_ + 2) * page_;
        void* mapped = ::mmap(nullptr, room_ + 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(mapped != MAP_FAILED);
        base_ = static_cast<std::byte*>(mapped);
        REQUIRE(::mprotect(base_, page_, PROT_NONE) == 0);
        REQUIRE(::mprotect(base_ + page_ + room_, page_, PROT_NONE) == 0);
    }
    ~Guarded() { ::munmap(base_, room_ + 2 * page_); }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    std::span<std::byte> last(std::size_t size, std::byte fill) {
        std::fill_n(base_ + page_, room_ - size, kPattern);
        std::fill_n(base_ + page_ + room_ - size, size, fill);
        return {base_ + page_ + room_ - size, size};
    }
    bool is_untouched_before(std::size_t size) const {
        return std::all_of(base_ + page_, base_ + page_ + room_ - size, [](std::byte b) { return b == kPattern; });
    }

private:
    static constexpr std::byte kPattern{0xa5};
    std::size_t page_;
    std::size_t room_ = 0;
    std::byte* base_ = nullptr;
};

constexpr std::size_t kMost = 8192;

struct Outcome {
    std::optional<std::string> elements;
    std::optional<Error> error;
};

Outcome decode(const std::string& filter, const std::string& stored, const std::vector<std::uint32_t>& parameters,
               std::size_t limit, std::byte fill = std::byte{0}) {
    static Guarded in(kMost);
    static Guarded out(kMost);
    const std::span<std::byte> from = in.last(stored.size(), std::byte{0});
    if (!stored.empty()) std::memcpy(from.data(), stored.data(), stored.size());
    const std::span<std::byte> to = out.last(limit, fill);
    Outcome outcome;
    try {
        const std::size_t size = kDecoders.at(filter).decode(from, parameters, to);
        REQUIRE(size <= limit);
        outcome.elements = std::string(reinterpret_cast<const char*>(to.data()), size);
    } catch (const Error& error) {
        outcome.error = error;
    }
    REQUIRE(in.is_untouched_before(stored.size()));
    REQUIRE(out.is_untouched_before(limit));
    return outcome;
}

void check_refused(const Outcome& outcome, const std::string& filter) {
    REQUIRE(outcome.error.has_value());
    INFO(outcome.error->message());
    CHECK((outcome.error->code() == ErrorCode::kDamaged || outcome.error->code() == ErrorCode::kUnsupported));
    CHECK(outcome.error->message().rfind(filter + ": ", 0) == 0);
    CHECK(outcome.error->message().find_first_of("0123456789") != std::string::npos);
}

std::string message_of(const std::string& filter, const std::string& stored,
                       const std::vector<std::uint32_t>& parameters, std::size_t limit = 64) {
    const Outcome outcome = decode(filter, stored, parameters, limit);
    check_refused(outcome, filter);
    return outcome.error ? outcome.error->message() : std::string();
}

bool holds(const std::string& message, const std::string& part) {
    INFO(message << " | " << part);
    return message.find(part) != std::string::npos;
}

/// One chunk that a filter made, for tests that damage it by hand.
const Encoded& chunk_of(const std::string& filter, const std::string& name) {
    const auto& all = encoded_chunks();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Encoded& c) { return c.filter == filter && c.name == name; });
    INFO(filter << " " << name);
    REQUIRE(found != all.end());
    return *found;
}

std::uint32_t hostile_number(std::mt19937& random) {
    const std::uint32_t kNumbers[] = {0,    1,     2,     3,          4,          7,          8,          9,
                                      16,   31,    32,    33,         64,         65,         255,        256,
                                      4096, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffe, 0xffffffff};
    return kNumbers[random() % std::size(kNumbers)];
}

void damage(std::string& bytes, std::mt19937& random) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    const std::size_t in_header = bytes.empty() ? 0 : random() % std::min<std::size_t>(bytes.size(), 24);
    switch (random() % 8) {
        case 0:
            bytes.resize(at);
            break;
        case 1:
            for (std::size_t i = random() % 40; i > 0; --i) bytes.push_back(static_cast<char>(random()));
            break;
        case 2:
            if (!bytes.empty()) bytes.erase(at, 1 + random() % 4);
            break;
        case 3: {
            const std::uint32_t number = hostile_number(random);
            if (bytes.size() >= 4) std::memcpy(bytes.data() + std::min(in_header, bytes.size() - 4), &number, 4);
            break;
        }
        case 4:
        case 5:
            if (!bytes.empty()) bytes[in_header] = static_cast<char>(random());
            break;
        default:
            if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
    }
}

void damage(std::vector<std::uint32_t>& parameters, std::mt19937& random) {
    if (parameters.empty() || random() % 8 == 0) {
        parameters.resize(random() % 24, hostile_number(random));
        return;
    }
    std::uint32_t& parameter = parameters[random() % parameters.size()];
    parameter = random() % 3 == 0 ? parameter + random() % 5 - 2 : hostile_number(random);
}

}  // namespace

TEST_CASE("h5decoders: chunks of the real encoders") {
    std::map<std::string, int> counts;
    for (const Encoded& chunk : encoded_chunks()) {
        INFO(chunk.filter << " " << chunk.name);
        ++counts[chunk.filter];
        for (const std::size_t slack : {std::size_t{0}, std::size_t{1}, std::size_t{100}}) {
            const Outcome outcome =
                decode(chunk.filter, chunk.stored, chunk.parameters, chunk.elements.size() + slack, std::byte{0xff});
            if (outcome.error) FAIL_CHECK(outcome.error->message());
            CHECK(outcome.elements == chunk.elements);
        }
        check_refused(decode(chunk.filter, chunk.stored, chunk.parameters, chunk.elements.size() - 1), chunk.filter);
        check_refused(decode(chunk.filter, chunk.stored, chunk.parameters, 0), chunk.filter);
    }
    for (const char* filter : {"szip", "nbit", "scaleoffset", "bzip2", "lzf", "blosc", "lz4"}) {
        INFO(filter);
        CHECK(counts[filter] > 0);
    }
}

TEST_CASE("h5decoders: in pipelines, with masks, behind other filters") {
    for (const Encoded& chunk : encoded_chunks()) {
        INFO(chunk.filter << " " << chunk.name);
        const Filter filter = {kDecoders.at(chunk.filter).id, chunk.filter, true, chunk.parameters};
        const auto undo = [&](const std::string& stored, const std::vector<Filter>& filters, std::uint32_t mask) {
            Buffer bytes(stored.size());
            if (!stored.empty()) std::memcpy(bytes.data(), stored.data(), stored.size());
            const Buffer result = undo_filters(std::move(bytes), filters, mask, chunk.elements.size());
            return std::string(reinterpret_cast<const char*>(result.data()), result.size());
        };
        CHECK(undo(chunk.stored, {filter}, 0) == chunk.elements);
        CHECK(undo(chunk.elements, {filter}, 1) == chunk.elements);
        CHECK(undo(chunk.stored, {{2, "shuffle", true, {1}}, filter}, 0) == chunk.elements);
        const std::size_t half = chunk.elements.size() / 2;
        CHECK_THROWS_AS(undo_filters(Buffer(half), std::vector<Filter>{filter}, 1, chunk.elements.size()), Error);
    }
}

TEST_CASE("h5decoders: from several threads at once") {
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (std::size_t t = 0; t < wrong.size(); ++t) {
        threads.emplace_back([&all = encoded_chunks(), &wrong, t] {
            for (std::size_t i = 0; i < 2 * all.size(); ++i) {
                const Encoded& chunk = all[(i * (t + 3)) % all.size()];
                std::string out(chunk.elements.size(), '\0');
                const std::size_t size = kDecoders.at(chunk.filter)
                                             .decode(std::as_bytes(std::span(chunk.stored)), chunk.parameters,
                                                     std::as_writable_bytes(std::span(out)));
                wrong[t] += size != out.size() || out != chunk.elements;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4));
}

TEST_CASE("h5decoders: damage of any kind ends with an error, or with bytes that are all there") {
    constexpr int kMutations = 4000;  // per filter
    std::map<std::string, std::vector<Encoded>> by_filter;
    for (const Encoded& chunk : encoded_chunks()) by_filter[chunk.filter].push_back(chunk);
    std::mt19937 random(20);
    for (const auto& [filter, chunks] : by_filter) {
        for (int i = 0; i < kMutations; ++i) {
            Encoded chunk = chunks[random() % chunks.size()];
            for (std::uint32_t k = 1 + random() % 3; k > 0; --k) {
                random() % 3 == 0 ? damage(chunk.parameters, random) : damage(chunk.stored, random);
            }
            const std::size_t limit = random() % 4 == 0 ? random() % kMost : chunk.elements.size();
            const Outcome outcome = decode(filter, chunk.stored, chunk.parameters, limit, std::byte{0});
            INFO(filter << " " << chunk.name << ", mutation " << i);
            if (outcome.elements) {
                // No byte of the result is what happened to be there.
                const Outcome again = decode(filter, chunk.stored, chunk.parameters, limit, std::byte{0xff});
                REQUIRE(again.elements == outcome.elements);
            } else {
                check_refused(outcome, filter);
            }
        }
    }
}

TEST_CASE("h5decoders: noise") {
    std::mt19937 random(21);
    for (const auto& [filter, decoder] : kDecoders) {
        for (int i = 0; i < 1000; ++i) {
            std::string stored(random() % 200, '\0');
            for (char& c : stored) c = static_cast<char>(random());
            std::vector<std::uint32_t> parameters(random() % 24);
            for (std::uint32_t& parameter : parameters) parameter = hostile_number(random);
            const Outcome outcome = decode(filter, stored, parameters, random() % 1000);
            if (!outcome.elements) check_refused(outcome, filter);
        }
    }
}

TEST_CASE("h5decoders: nbit says what is wrong") {
    const std::vector<std::uint32_t> sound = {8, 0, 4, 1, 4, 0, 8, 0};
    CHECK(decode("nbit", "abcd", sound, 16).elements == std::string("a\0\0\0b\0\0\0c\0\0\0d\0\0\0", 16));
    CHECK(holds(message_of("nbit", "abc", sound), "end after 3 bytes"));
    CHECK(holds(message_of("nbit", "abcd", sound, 15), "4 elements of 4 bytes, more than the 15"));
    CHECK(holds(message_of("nbit", "", {}), "0 parameters"));
    CHECK(holds(message_of("nbit", "abcd", {7, 0, 4, 1, 4, 0, 8, 0}), "8 parameters"));
    CHECK(holds(message_of("nbit", "abcd", {8, 0, 4, 1, 4, 0, 8, 25}), "8 bits at bit 25"));
    CHECK(holds(message_of("nbit", "abcd", {8, 0, 4, 1, 4, 0, 0xffffffff, 0xffffffff}), "4294967295 bits"));
    CHECK(holds(message_of("nbit", "abcd", {8, 0, 4, 1, 4, 2, 8, 0}), "byte order 2"));
    CHECK(holds(message_of("nbit", "abcd", {8, 0, 0xffffffff, 1, 0xffffffff, 0, 8, 0}), "4294967295 elements"));
    CHECK(holds(message_of("nbit", "abcd", {8, 0, 33, 1, 1, 0, 8, 0}), "33 elements in 4 bytes"));
    CHECK(holds(message_of("nbit", "abcd", {8, 0, 4, 9, 4, 0, 8, 0}), "class 9"));
    CHECK(holds(message_of("nbit", "abcd", {6, 0, 4, 1, 4, 0}), "6 parameters end inside"));
    // A compound without members and one whose member lies outside.
    CHECK(holds(message_of("nbit", "abcd", {6, 0, 4, 3, 4, 0}), "0 members"));
    CHECK(holds(message_of("nbit", "abcd", {9, 0, 4, 3, 4, 1, 4, 4, 1}), "at byte 4 of 4"));
    CHECK(holds(message_of("nbit", "abcd", {9, 0, 4, 3, 4, 1, 3, 4, 2}), "2 bytes lies in 1"));
    // Arrays in arrays without end.
    std::vector<std::uint32_t> deep = {0, 0, 1};
    for (int i = 0; i < 1000; ++i) deep.insert(deep.end(), {2, 4});
    deep[0] = static_cast<std::uint32_t>(deep.size());
    CHECK(holds(message_of("nbit", "abcd", deep), "32 deep"));
    CHECK(holds(message_of("nbit", "abcd", {9, 0, 1, 2, 4, 1, 0, 0, 8}), "values of 0"));
    // The chunk as it is, unless it is too large.
    CHECK(decode("nbit", "abcd", {5, 1, 4, 1, 1}, 4).elements == "abcd");
    CHECK(holds(message_of("nbit", "abcd", {5, 1, 4, 1, 1}, 3), "4 bytes, more than the 3"));
}

TEST_CASE("h5decoders: scaleoffset says what is wrong") {
    const Encoded& chunk = chunk_of("scaleoffset", "<i4 fill");
    const auto with = [&](std::size_t at, std::uint32_t value) {
        std::vector<std::uint32_t> parameters = chunk.parameters;
        parameters.at(at) = value;
        return message_of("scaleoffset", chunk.stored, parameters);
    };
    CHECK(holds(with(0, 0), "method 0 for class 0"));
    CHECK(holds(with(0, 1), "E-scaling"));
    CHECK(holds(with(1, 33), "33 bits"));
    CHECK(holds(with(2, 0xffffffff), "17179869180 bytes"));
    CHECK(holds(with(3, 2), "class 2"));
    CHECK(holds(with(4, 3), "3 bytes"));
    CHECK(holds(with(4, 0), "0 bytes"));
    CHECK(holds(with(6, 2), "byte order 2"));
    CHECK(holds(message_of("scaleoffset", chunk.stored, {2, 0, 9}), "3 parameters"));
    CHECK(holds(message_of("scaleoffset", chunk.stored.substr(0, 20), chunk.parameters), "20 bytes has no header"));
    CHECK(holds(message_of("scaleoffset", chunk.stored.substr(0, 22), chunk.parameters), "end after 1 bytes"));
    std::string stored = chunk.stored;
    stored[0] = 33;
    CHECK(holds(message_of("scaleoffset", stored, chunk.parameters), "33 bits"));
}

TEST_CASE("h5decoders: szip says what is wrong") {
    const Encoded& chunk = chunk_of("szip", "<u2 option 32 block 10");
    const auto with = [&](std::size_t at, std::uint32_t value) {
        std::vector<std::uint32_t> parameters = chunk.parameters;
        parameters.at(at) = value;
        return message_of("szip", chunk.stored, parameters, chunk.elements.size());
    };
    CHECK(holds(with(1, 9), "blocks of 9"));
    CHECK(holds(with(1, 34), "blocks of 34"));
    CHECK(holds(with(1, 0), "blocks of 0"));
    CHECK(holds(with(2, 25), "25 bits"));
    CHECK(holds(with(2, 0), "0 bits"));
    CHECK(holds(with(3, 0), "scanlines of 0"));
    CHECK(holds(with(3, 0xffffffff), "4294967295"));
    CHECK(holds(message_of("szip", chunk.stored, {1, 2, 3}, 400), "3 parameters"));
    CHECK(holds(message_of("szip", "abc", chunk.parameters), "3 bytes has no header"));
    CHECK(holds(message_of("szip", std::string("\0\0\0\x80", 4), chunk.parameters),
                "2147483648 bytes, more than the 64"));
    CHECK(holds(message_of("szip", std::string("\x21\0\0\0abc", 7), chunk.parameters), "33 bytes in samples of 2"));
    const std::string half = chunk.stored.substr(0, chunk.stored.size() / 2);
    CHECK(holds(message_of("szip", half, chunk.parameters, chunk.elements.size()), "bytes early"));
}

TEST_CASE("h5decoders: lzf, lz4, bzip2 and blosc say what is wrong") {
    CHECK(holds(message_of("lzf", "", {}), "0 stored bytes"));
    CHECK(holds(message_of("lzf", std::string("\x20\x00", 2), {}), "2 stored bytes"));
    CHECK(holds(message_of("lzf", std::string("\x05xyz", 4), {}), "4 stored bytes"));
    CHECK(holds(message_of("lzf", std::string("\x00x\xe0\xff\x00", 5), {}, 64), "more than the 64"));
    CHECK(decode("lzf", std::string("\x01xy\xe0\x02\x01", 6), {}, 64).elements == "xyxyxyxyxyxyx");

    const auto lz4 = [](std::string_view total, std::string_view block, const std::string& rest) {
        return std::string(total) + std::string(block) + rest;
    };
    const std::string_view four("\0\0\0\0\0\0\0\4", 8);
    const std::string_view two("\0\0\0\2", 4);
    CHECK(decode("lz4", lz4(four, two, std::string("\0\0\0\2ab\0\0\0\2cd", 12)), {}, 4).elements == "abcd");
    CHECK(decode("lz4", lz4(std::string_view("\0\0\0\0\0\0\0\0", 8), two, ""), {}, 4).elements == "");
    CHECK(holds(message_of("lz4", "abc", {}), "3 bytes has no header"));
    CHECK(holds(message_of("lz4", std::string(12, '\xff'), {}), "18446744073709551615 bytes, more than the 64"));
    CHECK(holds(message_of("lz4", lz4(four, std::string_view("\0\0\0\0", 4), ""), {}), "blocks of 0"));
    CHECK(holds(message_of("lz4", lz4(four, two, std::string("\0\0\0\2ab", 6)), {}), "after 2 of 4"));
    CHECK(holds(message_of("lz4",
                           lz4(four, two,
                               std::string("\0\0\0\x09"
                                           "ab",
                                           6)),
                           {}),
                "9 bytes, 2 are left"));
    CHECK(holds(message_of("lz4", lz4(four, two, std::string("\0\0\0\3abc", 7)), {}), "3 bytes does not unpack to 2"));

    CHECK(holds(message_of("bzip2", "BZh9", {}), "4 stored bytes"));
    CHECK(holds(message_of("bzip2", chunk_of("bzip2", "text").stored, {}, 5), "more than the 5"));

    std::string blosc = chunk_of("blosc", "steps codec 1 shuffle 0").stored;
    const std::size_t size = chunk_of("blosc", "steps codec 1 shuffle 0").elements.size();
    CHECK(holds(message_of("blosc", blosc.substr(0, 15), {}), "15 bytes has no header"));
    CHECK(holds(message_of("blosc", blosc.substr(0, 30), {}, size), "has 30"));
    CHECK(holds(message_of("blosc", blosc, {}, size - 1), fmt::format("more than the {}", size - 1)));
    blosc[2] = static_cast<char>((blosc[2] & 31) | 7 << 5);
    CHECK(holds(message_of("blosc", blosc, {}, size), "codec 7"));
}
