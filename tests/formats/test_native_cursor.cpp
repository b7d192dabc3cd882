// msgpack item by item: every head that there is, and bytes that end early.
#include <catch2/catch.hpp>

#include "formats/native/cursor.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;
using native::Cursor;
using Type = native::Token::Type;

namespace {

std::string bytes_of(std::initializer_list<int> values) {
    std::string bytes;
    for (const int value : values) bytes.push_back(static_cast<char>(value));
    return bytes;
}

native::Token only(const std::string& bytes) {
    Cursor cursor(bytes, "here");
    const native::Token token = cursor.next();
    if (token.type != Type::kArray && token.type != Type::kMap) cursor.expect_end();
    return token;
}

}  // namespace

TEST_CASE("msgpack: integers of every width") {
    for (const auto& [bytes, number] : std::initializer_list<std::pair<std::string, std::uint64_t>>{
             {bytes_of({0x7f}), 127},
             {bytes_of({0xcc, 0xff}), 255},
             {bytes_of({0xcd, 0xff, 0xfe}), 65534},
             {bytes_of({0xce, 0x80, 0, 0, 1}), 0x80000001},
             {bytes_of({0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), UINT64_MAX},
             {bytes_of({0xd0, 5}), 5},
             {bytes_of({0xd3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), INT64_MAX}}) {
        CHECK(only(bytes).type == Type::kUnsigned);
        CHECK(only(bytes).number == number);
    }
    for (const auto& [bytes, number] : std::initializer_list<std::pair<std::string, std::int64_t>>{
             {bytes_of({0xe0}), -32},
             {bytes_of({0xff}), -1},
             {bytes_of({0xd0, 0x80}), -128},
             {bytes_of({0xd1, 0xff, 0x7f}), -129},
             {bytes_of({0xd2, 0x80, 0, 0, 0}), INT32_MIN},
             {bytes_of({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}), INT64_MIN}}) {
        CHECK(only(bytes).type == Type::kNegative);
        CHECK(only(bytes).negative == number);
    }
}

TEST_CASE("msgpack: floats, texts, bytes, extensions, containers") {
    CHECK(only(bytes_of({0xc0})).type == Type::kNil);
    CHECK(only(bytes_of({0xc3})).number == 1);
    CHECK(only(bytes_of({0xca, 0x3f, 0xc0, 0, 0})).real == 1.5);
    CHECK(only(bytes_of({0xcb, 0xc0, 0x04, 0, 0, 0, 0, 0, 0})).real == -2.5);
    for (const std::string& head :
         {bytes_of({0xa3}), bytes_of({0xd9, 3}), bytes_of({0xda, 0, 3}), bytes_of({0xdb, 0, 0, 0, 3})})
        CHECK((only(head + "abc").type == Type::kText && only(head + "abc").bytes == "abc"));
    for (const std::string& head : {bytes_of({0xc4, 3}), bytes_of({0xc5, 0, 3}), bytes_of({0xc6, 0, 0, 0, 3})})
        CHECK((only(head + "abc").type == Type::kBytes && only(head + "abc").bytes == "abc"));
    for (const std::string& head :
         {bytes_of({0xc7, 4, 7}), bytes_of({0xc8, 0, 4, 7}), bytes_of({0xc9, 0, 0, 0, 4, 7}), bytes_of({0xd6, 7})})
        CHECK((only(head + "abcd").extension_type == 7 && only(head + "abcd").bytes == "abcd"));
    for (int power = 0; power <= 4; ++power)
        CHECK(only(bytes_of({0xd4 + power, -1}) + std::string(std::size_t{1} << power, 'x')).extension_type == -1);
    for (const std::string& head : {bytes_of({0x92}), bytes_of({0xdc, 0, 2}), bytes_of({0xdd, 0, 0, 0, 2})})
        CHECK((only(head + "\1\2").type == Type::kArray && only(head + "\1\2").number == 2));
    for (const std::string& head : {bytes_of({0x81}), bytes_of({0xde, 0, 1}), bytes_of({0xdf, 0, 0, 0, 1})})
        CHECK((only(head + "\1\2").type == Type::kMap && only(head + "\1\2").number == 1));
}

TEST_CASE("msgpack: what ends early or lies about its size is damage, and nesting costs nothing") {
    CHECK_THROWS_WITH(only(""), "here: ends at byte 0 where 1 more are due");
    CHECK_THROWS_WITH(only(bytes_of({0xdb, 0xff, 0xff, 0xff, 0xff, 'a'})),
                      "here: ends at byte 6 where 4294967294 more are due");
    CHECK_THROWS_WITH(only(bytes_of({0xdd, 0, 0, 0, 2, 1})),
                      "here: an array of 2 items at byte 5 has 1 bytes to hold them");
    CHECK_THROWS_WITH(only(bytes_of({0x81, 1})), "here: a map of 1 items at byte 1 has 1 bytes to hold them");
    CHECK_THROWS_WITH(only(bytes_of({0xc1})), "here: byte 0xc1 at 0 is no msgpack");
    CHECK_THROWS_WITH(only("\1\2"), "here: 1 bytes follow its end");
    const std::string deep = std::string(5000000, '\x91') + "\1\2";
    Cursor cursor(deep, "here");
    cursor.skip();
    CHECK(cursor.next().number == 2);
    Cursor never(std::string_view(deep).substr(0, 100), "here");
    CHECK_THROWS_AS(never.skip(), Error);
}
