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
    for (const std::string text : {"", "-", "x", "1.5x", "1,5", " 1", "0x10", "1e", ".", "1e400", "--5", "+-5", "-+5",
                                   "++5", "nan(1)", "-nan(1)", "infi", "1_0", "1e+"}) {
        CAPTURE(text);
        CHECK(parse_python_float(text) == std::nullopt);
    }
}

TEST_CASE("pickle: floats as Python reads them") {
    const std::string script = R"PY(
import pickle
zeros = "0" * 400
for text in ["1.", ".5", "-.5", "+.5e3", "1e400", "-1e400", "1e-400", "-1e-400", "0e999", "-0e-999", "inf", "Inf", "-INFINITY", "infinity", "+inf", "1e5", "3e-324", "2e-324", "-2e-324", "0.1",
             "0." + zeros + "1", "1" + zeros, "1" + zeros + "e-400", "." + zeros + "1e401", "." + zeros + "1e-1", "." + zeros + "1e99", "123" + zeros + ".5e-900", "1e-99999999999999999999", "1e99999999999999999999",
             "0.0e-99999999999999999999", "00012.5", "1.7976931348623159e308", "1.7976931348623157e308", "infi", "--5", "+-5", "-+5", "+", "nan(1)", "1_0", " 1", "1 ", "1e", "1e+", "0x10", "0x1p3", "1.5.", "e5", ".e5"]:
    try:
        print(text, pickle.loads(b"F" + text.encode() + b"\n.").hex(), sep="\t")
    except (ValueError, OverflowError):
        print(text, "refused", sep="\t")
)PY";
    std::istringstream lines(python(script));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::string text = line.substr(0, line.find('\t'));
        const std::string expected = line.substr(line.find('\t') + 1);
        INFO(line);
        const auto value = parse_python_float(text);
        CHECK(value.has_value() == (expected != "refused"));
        if (value && expected != "refused") {
            const double number = std::strtod(expected.c_str(), nullptr);
            CHECK(*value == number);
            CHECK(std::signbit(*value) == std::signbit(number));
        }
    }
    CHECK(count > 40);
}

TEST_CASE("pickle: a backslash before a backslash keeps the next one from escaping") {
    // b"\\\\u0041".decode("raw-unicode-escape") == "\\\\u0041"
    CHECK(parse_raw_unicode_escape("\\\\u0041") == "\\\\u0041");
    CHECK(parse_raw_unicode_escape("\\\\\\u0041") == "\\\\A");
    // All texts of up to five of these pieces, as Python decodes them.
    const std::string script = R"PY(
import itertools
for n in range(6):
    for pieces in itertools.product([b"\\", b"u0041", b"U00000042", b"x", b"\xe9"], repeat=n):
        text = b"".join(pieces)
        try:
            print(text.hex() or "-", text.decode("raw-unicode-escape").encode().hex() or "-")
        except UnicodeDecodeError:
            print(text.hex(), "refused")
)PY";
    std::istringstream lines(python(script));
    int count = 0;
    for (std::string hex, expected; lines >> hex >> expected; ++count) {
        const std::string text = hex == "-" ? "" : unhex(hex);
        const auto decoded = parse_raw_unicode_escape(text);
        const bool is_same = expected == "refused" ? !decoded : decoded == (expected == "-" ? "" : unhex(expected));
        if (is_same) continue;
        INFO(text << " is " << expected);
        CHECK(is_same);
    }
    CHECK(count > 3000);
}
