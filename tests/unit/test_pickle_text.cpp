// Encodings and literals of pickled text.
#include <cstdlib>
#include <limits>
#include <sstream>

#include "formats/shared/pickle/text.hpp"
#include "tests/unit/pickle_streams.hpp"

using namespace ckpt;
using namespace ckpt::pickle_tests;

TEST_CASE("pickle: UTF-8 with surrogates") {
    for (const std::string text :
         {"", "abc", "é", "模", "😀", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x8f\xbf\xbf", "\x7f"}) {
        CAPTURE(text);
        CHECK(is_utf8_with_surrogates(text));
    }
    CHECK(is_utf8_with_surrogates(lit("a\0b")));
    for (const std::string text : {"\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                                   "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3", "\xe6\xa8",
                                   "\xf0\x9f\x98", "a\xc3", "\xc3(", "\xe6(\xa1"}) {
        CAPTURE(text);
        CHECK_FALSE(is_utf8_with_surrogates(text));
    }
    std::string latin;
    for (int i = 0; i < 256; ++i) latin += static_cast<char>(i);
    CHECK(utf8_to_latin1(latin1_to_utf8(latin)) == latin);
    CHECK(latin1_to_utf8("\xe9") == "é");
    CHECK(utf8_to_latin1("é") == "\xe9");
    CHECK(utf8_to_latin1("ÿ") == "\xff");
    CHECK(utf8_to_latin1("Ā") == std::nullopt);
    CHECK(utf8_to_latin1("\xff") == std::nullopt);
    CHECK(utf8_to_latin1("") == "");
}

TEST_CASE("pickle: Python's literals") {
    CHECK(parse_python_string("'abc'") == "abc");
    CHECK(parse_python_string("\"abc\"") == "abc");
    CHECK(parse_python_string("''") == "");
    CHECK(parse_python_string("'a\"b'") == "a\"b");
    CHECK(parse_python_string(R"('\a\b\f\n\r\t\v\\\'\"')") == "\a\b\f\n\r\t\v\\'\"");
    CHECK(parse_python_string(R"('\x00\xfF')") == lit("\0\xff"));
    CHECK(parse_python_string(R"('\0\7\10\101\1011\377')") == lit("\0\7\10"
                                                                  "A"
                                                                  "A1\xff"));
    CHECK(parse_python_string(R"('\q\8')") == "\\q\\8");
    CHECK(parse_python_string("'\xff'") == "\xff");
    CHECK(parse_python_string(R"('\u0041')") == "\\u0041");  // bytes know no \u
    for (const std::string literal : {"", "'", "abc", "'abc", "abc'", "'abc\"", R"('\x4')", R"('\xzz')", R"('\')"}) {
        CAPTURE(literal);
        CHECK(parse_python_string(literal) == std::nullopt);
    }
    CHECK(parse_raw_unicode_escape("abc") == "abc");
    CHECK(parse_raw_unicode_escape("\xe9") == "é");
    CHECK(parse_raw_unicode_escape("\\u20ac") == "€");
    CHECK(parse_raw_unicode_escape("\\U0001F600!") == "😀!");
    CHECK(parse_raw_unicode_escape("\\ud800") == "\xed\xa0\x80");
    CHECK(parse_raw_unicode_escape("\\n\\x41\\") == "\\n\\x41\\");
    CHECK(parse_raw_unicode_escape("\\u005cu0041") == "\\u0041");
    for (const std::string text : {"\\u", "\\u12", "\\u12g4", "\\U0001F60", "\\U00110000", "\\UFFFFFFFF"}) {
        CAPTURE(text);
        CHECK(parse_raw_unicode_escape(text) == std::nullopt);
    }
    CHECK(parse_python_float("1.5") == 1.5);
    CHECK(parse_python_float("-1e-300") == -1e-300);
    CHECK(parse_python_float("1e+16") == 1e16);
    CHECK(parse_python_float("+2") == 2.0);
    CHECK(parse_python_float("inf") == std::numeric_limits<double>::infinity());
    CHECK(parse_python_float("-inf") == -std::numeric_limits<double>::infinity());
    CHECK(std::isnan(parse_python_float("nan").value_or(0)));
    CHECK(std::signbit(parse_python_float("-0.0").value_or(1)));
    CHECK(parse_python_float("5e-324") == std::numeric_limits<double>::denorm_min());
    CHECK(parse_python_float("2.2250738585072011e-308") == 2.2250738585072011e-308);
    CHECK(parse_python_float("1.7976931348623157e+308") == std::numeric_limits<double>::max());
    for (const std::string text : {"", "-", "x", "1.5x", "1,5", " 1", "0x10", "1e", "."}) {
        CAPTURE(text);
        CHECK(parse_python_float(text) == std::nullopt);
    }
}
