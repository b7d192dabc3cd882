// Pickles: every opcode in, CPython's bytes out, and nothing that a hostile stream could gain.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <vector>

#include "formats/shared/pickle/key_index.hpp"
#include "formats/shared/pickle/names.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/text.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

/// A string literal with NULs inside, whole.
template <std::size_t N>
std::string lit(const char (&text)[N]) {
    return {text, N - 1};
}

/// A value and the pool that owns it.
struct Read {
    std::shared_ptr<Pool> pool = std::make_shared<Pool>();
    Value value;
    PickleFacts facts;
};

Read read(std::string_view bytes, const Context& context = {}) {
    Read result;
    PickleReaderHooks hooks;
    result.value = read_pickle(bytes, *result.pool, hooks, context, &result.facts);
    return result;
}

/// A value as text; containers that are inside of themselves are not for this.
std::string show(const Value& value) {
    const auto sequence = [](const std::vector<Value>& items) {
        std::string text;
        for (const Value& item : items) text += (text.empty() ? "" : ",") + show(item);
        return text;
    };
    const auto entries = [](const std::vector<std::pair<Value, Value>>& pairs) {
        std::string text;
        for (const auto& [key, item] : pairs) text += (text.empty() ? "" : ",") + show(key) + ":" + show(item);
        return text;
    };
    std::string type(value.type());
    if (!type.empty()) type += ' ';
    switch (value.kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kBool:
            return value.as_bool() ? "True" : "False";
        case Kind::kInt:
            return type + value.integer_text();
        case Kind::kFloat:
            return type + fmt::format("{}", value.as_double()) +
                   (std::floor(value.as_double()) == value.as_double() ? "f" : "");
        case Kind::kComplex:
            return type + fmt::format("({}{:+}j)", value.as_complex().real(), value.as_complex().imag());
        case Kind::kString:
            return type + "'" + std::string(value.as_string()) + "'";
        case Kind::kBytes:
            return type + "b'" + std::string(value.as_bytes()) + "'";
        case Kind::kList:
            return type + "[" + sequence(value.sequence().items) + "]";
        case Kind::kTuple:
            return type + "(" + sequence(value.sequence().items) + ")";
        case Kind::kSet:
            return type + "{" + sequence(value.sequence().items) + "}";
        case Kind::kDict:
            return type + "{" + entries(value.dict().entries) + "}";
        case Kind::kTensor:
            return type + "tensor";
        case Kind::kObject: {
            const ObjectNode& node = value.object();
            if (!node.recipe) return type + "?";
            const Recipe& recipe = *node.recipe;
            if (recipe.how == Recipe::How::kGlobal) return "<" + recipe.callable + ">";
            std::string text =
                (recipe.how == Recipe::How::kNew ? "new " : "call ") + recipe.callable + show(recipe.args);
            if (!recipe.kwargs.is_null()) text += "**" + show(recipe.kwargs);
            if (!node.items.empty()) text += "[" + sequence(node.items) + "]";
            if (!node.entries.empty()) text += "{" + entries(node.entries) + "}";
            if (!recipe.state.is_null()) text += "|" + show(recipe.state);
            return text;
        }
    }
    return "?";
}

std::string shown(std::string_view bytes) {
    return show(read(bytes).value);
}

/// The message of the damage that a stream is refused with; checks that the offset is named twice.
std::string damage(std::string_view bytes, std::optional<std::uint64_t> at = std::nullopt,
                   const Context& context = {}) {
    try {
        read(bytes, context);
    } catch (const Error& error) {
        INFO(error.what());
        CHECK(error.code() == ErrorCode::kDamaged);
        REQUIRE(error.offset_bytes().has_value());
        CHECK(error.message().find("at byte " + std::to_string(*error.offset_bytes())) != std::string::npos);
        if (at) CHECK(*error.offset_bytes() == *at);
        return error.message();
    }
    FAIL_CHECK("was read");
    return {};
}

bool holds(const std::string& text, const std::string& part) {
    INFO(text << " | " << part);
    return text.find(part) != std::string::npos;
}

std::string unhex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

std::string write(const Value& value, int protocol) {
    PickleWriterHooks hooks;
    return write_pickle(value, protocol, hooks);
}

/// Runs a Python script; its standard output.
std::string python(const std::string& script) {
    const fs::path path = fs::temp_directory_path() / ("ckpt-pickle-" + std::to_string(::getpid()) + ".py");
    std::ofstream(path) << script;
    FILE* pipe = ::popen(("python3 -B '" + path.string() + "'").c_str(), "r");
    std::string text;
    char buffer[65536];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
    CHECK(::pclose(pipe) == 0);
    fs::remove(path);
    return text;
}

std::string little(std::uint64_t number, std::size_t width) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &number, 8);
    return bytes.substr(0, width);
}

}  // namespace

TEST_CASE("pickle: scalars of every opcode") {
    CHECK(shown("N.") == "None");
    CHECK(shown("\x88.") == "True");
    CHECK(shown("\x89.") == "False");
    CHECK(shown("I01\n.") == "True");
    CHECK(shown("I00\n.") == "False");
    CHECK(shown("I0\n.") == "0");
    CHECK(shown("I-17\n.") == "-17");
    CHECK(shown("I123456789012345678901234567890\n.") == "123456789012345678901234567890");
    CHECK(shown("L5L\n.") == "5");
    CHECK(shown("L-5\n.") == "-5");
    CHECK(shown("L340282366920938463463374607431768211456L\n.") == "340282366920938463463374607431768211456");
    CHECK(shown("K\xff.") == "255");
    CHECK(shown("M\xff\xff.") == "65535");
    CHECK(shown("J\xff\xff\xff\xff.") == "-1");
    CHECK(shown(lit("J\x00\x00\x00\x80.")) == "-2147483648");
    CHECK(shown(lit("\x8a\x00.")) == "0");
    CHECK(shown("\x8a\x01\xff.") == "-1");
    CHECK(shown(lit("\x8a\x02\xff\x00.")) == "255");
    CHECK(shown(lit("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00.")) == "18446744073709551615");
    CHECK(shown(lit("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.")) == "18446744073709551616");
    CHECK(shown(lit("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.")) == "-9223372036854775808");
    CHECK(shown(lit("\x8b\x01\x00\x00\x00\x80.")) == "-128");
    CHECK(shown(lit("\x8b\x00\x00\x00\x00.")) == "0");
    CHECK(shown("F1.5\n.") == "1.5");
    CHECK(shown("F-1e-05\n.") == "-1e-05");
    CHECK(shown("Finf\n.") == "inff");
    CHECK(shown("F-inf\n.") == "-inff");
    CHECK(std::isnan(read("Fnan\n.").value.as_double()));
    CHECK(read("F5e-324\n.").value.as_double() == std::numeric_limits<double>::denorm_min());
    CHECK(shown(lit("G\x3f\xf8\0\0\0\0\0\0.")) == "1.5");
    CHECK(std::signbit(read(lit("G\x80\0\0\0\0\0\0\0.")).value.as_double()));
    CHECK(std::isnan(read(lit("G\x7f\xf8\0\0\0\0\0\1.")).value.as_double()));
}

TEST_CASE("pickle: text and bytes of every opcode") {
    CHECK(shown("Vabc\n.") == "'abc'");
    CHECK(shown("V\\u00e9\\U0001f600\\u000a\n.") == "'é😀\n'");
    CHECK(shown("V\xe9\n.") == "'é'");  // latin-1 without escape
    CHECK(shown("V\n.") == "''");
    CHECK(shown("S'abc'\n.") == "'abc'");
    CHECK(shown("S\"it's\"\n.") == "'it's'");
    CHECK(shown("S'a\\n\\t\\\\\\'\\x41\\102'\n.") == "'a\n\t\\'AB'");
    CHECK(shown("S'\\xff\\x00'\n.") == lit("b'\xff\0'"));  // Python 2's str that is no text
    CHECK(shown("S''\n.") == "''");
    CHECK(shown(lit("X\x03\0\0\0abc.")) == "'abc'");
    CHECK(shown(lit("X\0\0\0\0.")) == "''");
    CHECK(shown("\x8c\x02\xc3\xa9.") == "'é'");
    CHECK(shown(lit("\x8d\x03\0\0\0\0\0\0\0abc.")) == "'abc'");
    CHECK(shown("\x8c\x03\xed\xa0\x80.") == "'\xed\xa0\x80'");  // a lone surrogate
    CHECK(shown(lit("C\x02\xff\0.")) == lit("b'\xff\0'"));
    CHECK(shown(lit("B\x02\0\0\0\xff\xfe.")) == "b'\xff\xfe'");
    CHECK(shown(lit("\x8e\x01\0\0\0\0\0\0\0\xff.")) == "b'\xff'");
    CHECK(shown(lit("\x96\x02\0\0\0\0\0\0\0hi.")) == "builtins.bytearray b'hi'");
    CHECK(shown("U\x02hi.") == "'hi'");
    CHECK(shown("U\x01\xff.") == "b'\xff'");
    CHECK(shown(lit("T\x02\0\0\0hi.")) == "'hi'");
    CHECK(holds(damage("\x8c\x01\xff.", 0), "UTF-8"));
    CHECK(holds(damage("\x8c\x02\xc0\x80.", 0), "UTF-8"));  // overlong
}

TEST_CASE("pickle: containers of every opcode") {
    CHECK(shown("].") == "[]");
    CHECK(shown("}.") == "{}");
    CHECK(shown(").") == "()");
    CHECK(shown("\x8f.") == "{}");
    CHECK(read("\x8f.").value.is(Kind::kSet));
    CHECK(shown("(l.") == "[]");
    CHECK(shown("(d.") == "{}");
    CHECK(shown("(t.") == "()");
    CHECK(shown("(K\1K\2l.") == "[1,2]");
    CHECK(shown("(K\1K\2t.") == "(1,2)");
    CHECK(shown("(K\1K\2K\3K\4d.") == "{1:2,3:4}");
    CHECK(shown("K\1\x85.") == "(1)");
    CHECK(shown("K\1K\2\x86.") == "(1,2)");
    CHECK(shown("K\1K\2K\3\x87.") == "(1,2,3)");
    CHECK(shown("]K\1aK\2a.") == "[1,2]");
    CHECK(shown("](K\1K\2e(e.") == "[1,2]");
    CHECK(shown("}K\1K\2s.") == "{1:2}");
    CHECK(shown("}(K\1K\2K\3K\4u.") == "{1:2,3:4}");
    CHECK(shown("\x8f(K\1K\2\x90.") == "{1,2}");
    CHECK(shown("(K\1K\2\x91.") == "builtins.frozenset {1,2}");
    CHECK(shown("K\1"
                "2\x86.") == "(1,1)");  // DUP
    CHECK(shown("K\1K\2"
                "0.") == "1");  // POP
    CHECK(shown("K\1(K\2K\3"
                "1.") == "1");  // POP_MARK
    CHECK(shown("K\1("
                "0.") == "1");  // POP of a mark
    CHECK(shown("K\1(K\2(K\3l\x86"
                "1.") == "1");
}

TEST_CASE("pickle: equal keys are one key, in the place of the first, with the value of the last") {
    CHECK(shown("}(\x8c\1aK\1\x8c\1bK\2\x8c\1aK\3u.") == "{'a':3,'b':2}");
    CHECK(shown(lit("}(K\1K\1G\x3f\xf0\0\0\0\0\0\0K\2\x88K\3u.")) == "{1:3}");
    CHECK(shown(lit("}(K\0K\1G\x80\0\0\0\0\0\0\0K\2\x89K\3u.")) == "{0:3}");
    CHECK(shown("}(K\1\x85K\1K\1\x85K\2u.") == "{(1):2}");
    CHECK(shown("}(\x8c\1aK\1C\1aK\2u.") == "{'a':1,b'a':2}");
    CHECK(shown("}(NK\1NK\2u.") == "{None:2}");
    // The same in dicts that are large enough for a table.
    std::string large = "}(";
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 3000; ++i)
            large += "M" + little(static_cast<std::uint64_t>(i), 2) + "K" + std::string(1, static_cast<char>(round));
    }
    const Read result = read(large + "u.");
    REQUIRE(result.value.dict().entries.size() == 3000);
    for (std::size_t i = 0; i < 3000; ++i) {
        CHECK(result.value.dict().entries[i].first.as_int64() == static_cast<std::int64_t>(i));
        CHECK(result.value.dict().entries[i].second.as_int64() == 1);
    }
}

TEST_CASE("pickle: the memo") {
    const auto same = [](std::string_view bytes) {
        const Read result = read(bytes);
        const auto& items = result.value.sequence().items;
        return items.size() == 2 && items[0].node() != nullptr && items[0].node() == items[1].node();
    };
    CHECK(same(lit("]q\x05h\x05\x86.")));
    CHECK(same(lit("]r\1\2\3\4j\1\2\3\4\x86.")));
    CHECK(same("]p12\ng12\n\x86."));
    CHECK(same(lit("]\x94h\0\x86.")));
    CHECK(same(lit("]q\x05j\5\0\0\0\x86.")));
    CHECK(same(lit("]q\x05g5\n\x86.")));
    CHECK_FALSE(same("]]\x86."));
    // A slot written twice holds the last; MEMOIZE takes the number of slots.
    CHECK(shown(lit("K\1q\0K\2q\0h\0\x87.")) == "(1,2,2)");
    CHECK(shown(lit("K\1\x94K\2\x94h\1\x87.")) == "(1,2,2)");
    CHECK(holds(damage(lit("h\x07."), 0), "7"));
    CHECK(holds(damage(lit("Nj\1\2\3\4."), 1), "67305985"));
    CHECK(holds(damage("Ng-1\n.", 1), "memo"));
    CHECK(holds(damage("Np-1\n.", 1), "memo"));
    CHECK(holds(damage("Npx\n.", 1), "memo"));
    // Slot numbers may be huge and cost nothing.
    CHECK(shown("]p18446744073709551615\n0g18446744073709551615\n.") == "[]");
    CHECK(shown(lit("]r\xff\xff\xff\xff"
                    "0j\xff\xff\xff\xff.")) == "[]");
}

TEST_CASE("pickle: globals, calls, state") {
    CHECK(shown("cmodule.sub\nName\n.") == "<module.sub.Name>");
    CHECK(shown("\x8c\6module\x8c\4Name\x93.") == "<module.Name>");
    CHECK(shown("c__builtin__\nxrange\n.") == "<builtins.range>");
    CHECK(shown("\x80\2c__builtin__\nxrange\n.") == "<builtins.range>");
    CHECK(shown("\x80\3c__builtin__\nxrange\n.") == "<__builtin__.xrange>");
    CHECK(shown("\x80\2c__builtin__\nlong\n.") == "<builtins.int>");
    CHECK(shown("cm\nf\nK\1\x85R.") == "call m.f(1)");
    CHECK(shown("cm\nC\nK\1\x85\x81.") == "new m.C(1)");
    CHECK(shown("cm\nC\nK\1\x85}\x8c\1kK\2s\x92.") == "new m.C(1)**{'k':2}");
    CHECK(shown("(K\1K\2im\nC\n.") == "call m.C(1,2)");
    CHECK(shown("(cm\nC\nK\1o.") == "call m.C(1)");
    CHECK(shown("cm\nC\n)\x81}\x8c\1xK\1sb.") == "new m.C()|{'x':1}");
    CHECK(shown("cm\nC\n)\x81(K\1K\2e(K\3K\4u.") == "new m.C()[1,2]{3:4}");
    // Objects with items only, or entries only, are lists and dicts of that class.
    const Read list = read("cm\nL\n)\x81(K\1K\2e.");
    CHECK(list.value.is(Kind::kList));
    CHECK(list.value.type() == "m.L");
    const Read dict = read("cm\nD\n)\x81(K\1K\2u.");
    CHECK(dict.value.is(Kind::kDict));
    CHECK(dict.value.type() == "m.D");
    CHECK(read("cm\na\ncm\nb\ncm\na\n\x87.").facts.globals == std::vector<std::string>{"m.a", "m.b"});
    // Persistent ids name nothing here.
    for (const std::string stream : {"Pkey\n.", "K\1Q."}) {
        try {
            read(stream);
            FAIL_CHECK("was read");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kDamaged);
            CHECK(holds(error.message(), "persistent id"));
        }
    }
    CHECK(holds(damage("\x82\1.", 0), "extension code 1"));
    CHECK(holds(damage(lit("\x83\1\1."), 0), "extension code 257"));
    CHECK(holds(damage(lit("\x84\1\0\0\0."), 0), "extension code 1"));
    CHECK(holds(damage("\x97.", 0), "buffer"));
    CHECK(holds(damage("N\x98.", 1), "buffer"));
}

TEST_CASE("pickle: plain kinds that are written as calls") {
    CHECK(shown(lit("c_codecs\nencode\nX\2\0\0\0\xc3\xbfX\6\0\0\0latin1\x86R.")) == "b'\xff'");
    CHECK(shown("c__builtin__\nbytes\n)R.") == "b''");
    CHECK(shown("c__builtin__\nset\n](K\1K\2e\x85R.") == "{1,2}");
    CHECK(shown("c__builtin__\nfrozenset\n](K\1e\x85R.") == "builtins.frozenset {1}");
    CHECK(shown("c__builtin__\nbytearray\nC\2hi\x85R.") == "builtins.bytearray b'hi'");
    CHECK(shown(lit("c__builtin__\ncomplex\nG\x3f\xf8\0\0\0\0\0\0G\xbf\xf8\0\0\0\0\0\0\x86R.")) == "(1.5-1.5j)");
    CHECK(shown("ccollections\nOrderedDict\n)R(K\1K\2u.") == "collections.OrderedDict {1:2}");
    CHECK(shown("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(K\1K\2u.") == "collections.defaultdict {1:2}");
}

TEST_CASE("pickle: facts of a stream") {
    const Read result = read(lit("\x80\4\x95\x02\0\0\0\0\0\0\0K\1.trailing"));
    CHECK(result.facts.protocol == 4);
    CHECK(result.facts.size_bytes == 14);
    CHECK(read("N.").facts.protocol == 0);
    PickleFacts facts;
    Pool pool;
    PickleReaderHooks hooks;
    CHECK_THROWS_AS(read_pickle("\x80\3cm\nf\nh\x77", pool, hooks, Context(), &facts), Error);
    CHECK(facts.protocol == 3);
    CHECK(facts.globals == std::vector<std::string>{"m.f"});
    for (int protocol = 0; protocol <= 5; ++protocol)
        CHECK(read(std::string("\x80") + static_cast<char>(protocol) + std::string("N.")).facts.protocol == protocol);
    CHECK(holds(damage("\x80\6N.", 0), "protocol 6"));
    CHECK(holds(damage("\x80\xffN.", 0), "protocol 255"));
}

TEST_CASE("pickle: frames") {
    CHECK(shown(lit("\x80\4\x95\x04\0\0\0\0\0\0\0K\1\x85.")) == "(1)");
    CHECK(shown(lit("\x80\4\x95\x02\0\0\0\0\0\0\0K\1\x95\x02\0\0\0\0\0\0\0\x85.")) == "(1)");
    CHECK(shown(lit("\x80\4\x95\x02\0\0\0\0\0\0\0K\1\x85.")) == "(1)");  // opcodes behind a frame
    const std::string message = damage(lit("\x80\4\x95\xff\0\0\0\0\0\0\0K\1."), 2);
    CHECK(holds(message, "255"));
    CHECK(holds(damage(lit("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xffK\1."), 2), "frame"));
    CHECK(holds(damage(lit("\x80\4\x95\x02\0\0\0\0\0\0\0M\1\1."), 11), "frame"));
}

TEST_CASE("pickle: counts that no stream can hold are refused where they stand") {
    const std::string huge8 = little(0xffffffffffffffffULL, 8);
    const std::string large8 = little(std::uint64_t{1} << 62, 8);
    const std::string large4 = little(0x7fffffff, 4);
    const std::string negative4 = little(0xffffffff, 4);
    for (const std::string opcode : {"\x8d", "\x8e", "\x96"}) {
        CHECK(holds(damage("NN" + opcode + huge8 + std::string("abc."), 2), "18446744073709551615"));
        CHECK(holds(damage("NN" + opcode + large8 + std::string("abc."), 2), "4611686018427387904"));
    }
    for (const std::string opcode : {"X", "B", "T"}) {
        CHECK(holds(damage("NN" + opcode + large4 + std::string("abc."), 2), "2147483647"));
        CHECK(holds(damage("NN" + opcode + negative4 + std::string("abc."), 2), "bytes"));
    }
    CHECK(holds(damage("NN\x8b" + negative4 + std::string("abc."), 2), "-1"));
    CHECK(holds(damage("NN\x8b" + little(0x80000000, 4) + std::string("abc."), 2), "-2147483648"));
    CHECK(holds(damage("NN\x8b" + large4 + std::string("abc."), 2), "bytes"));
    CHECK(holds(damage("NN\x8b" + little(1000, 4) + std::string("abc."), 2), "1000"));
    for (const std::string opcode : {"\x8c", "C", "U", "\x8a"})
        CHECK(holds(damage("N" + opcode +
                               std::string("\x09"
                                           "abc."),
                           1),
                    "9 bytes"));
}

TEST_CASE("pickle: every cut of a stream is damage") {
    const std::string streams[] = {
        lit("\x80\2}q\0(X\1\0\0\0aq\1K\1X\1\0\0\0bq\2]q\3(G\x3f\xf8\0\0\0\0\0\0\x8a\1\5NeX\1\0\0\0cq\4cm\nC\nq\5)"
            "\x81q\6}q\7X\1\0\0\0xq\x08K\2sbu."),
        lit("(dp0\nVa\np1\nI1\nsVb\np2\n(lp3\nF1.5\naL5L\nasS'c'\np4\n(im\nC\np5\ns."),
        lit("\x80\5\x95\x1c\0\0\0\0\0\0\0\x8c\1m\x94\x8c\1C\x94\x93\x94)\x81\x94}\x94\x8c\1x\x94\x8f\x94(K\1\x90sb.")};
    for (const std::string& whole : streams) {
        REQUIRE_NOTHROW(read(whole));
        for (std::size_t length = 0; length < whole.size(); ++length) {
            INFO(length);
            const std::string message = damage(whole.substr(0, length));
            CHECK(holds(message, "pickle: "));
        }
    }
    CHECK(holds(damage("", 0), "STOP"));
    CHECK(holds(damage("N", 1), "STOP"));
}

TEST_CASE("pickle: streams that make no sense are damage with a place") {
    CHECK(holds(damage(".", 0), "stack"));
    CHECK(holds(damage("0.", 0), "MARK"));
    CHECK(holds(damage("N00.", 2), "MARK"));
    CHECK(holds(damage("2.", 0), "stack"));
    CHECK(holds(damage("t.", 0), "MARK"));
    CHECK(holds(damage("Ne.", 1), "MARK"));
    CHECK(holds(damage("a.", 0), "stack"));
    CHECK(holds(damage("Na.", 1), "stack"));
    CHECK(holds(damage("NNa.", 2), "null"));
    CHECK(holds(damage("NNNs.", 3), "null"));
    CHECK(holds(damage("}(Nu.", 3), "odd"));
    CHECK(holds(damage("(Nd.", 2), "odd"));
    CHECK(holds(damage("N\x86.", 1), "stack"));
    CHECK(holds(damage("(N\x86.", 2), "stack"));  // the mark is a floor
    CHECK(holds(damage("N(a.", 2), "stack"));
    CHECK(holds(damage("](N\x90.", 3), "list"));
    CHECK(holds(damage("}]Ns.", 3), "list"));
    CHECK(holds(damage("}}Ns.", 3), "dict"));
    CHECK(holds(damage("\x8f(]\x90.", 3), "list"));
    CHECK(holds(damage("N)R.", 2), "null"));
    CHECK(holds(damage("cm\nf\nNR.", 6), "null"));
    CHECK(holds(damage("cm\nf\nNb.", 6), "class"));
    CHECK(holds(damage("cm\nC\n)\x81N}b", std::nullopt), "at byte"));
    CHECK(holds(damage("]Nb.", 2), "list"));
    CHECK(holds(damage("K\1K\2\x93.", 4), "STACK_GLOBAL"));
    CHECK(holds(damage("(o.", 1), "class"));
    CHECK(holds(damage("\xff.", 0), "0xff"));
    CHECK(holds(damage("N\x01.", 1), "0x01"));
    CHECK(holds(damage("Ix\n.", 0), "number"));
    CHECK(holds(damage("I\n.", 0), "number"));
    CHECK(holds(damage("Lx\n.", 0), "number"));
    CHECK(holds(damage("Fx\n.", 0), "float"));
    CHECK(holds(damage("F\n.", 0), "float"));
    CHECK(holds(damage("Sabc\n.", 0), "quotes"));
    CHECK(holds(damage("S'\n.", 0), "quotes"));
    CHECK(holds(damage("V\\u12\n.", 0), "escape"));
    CHECK(holds(damage("Vno end", 0), "end"));
}

TEST_CASE("pickle: limits of the caller") {
    Context few;
    few.limits.max_nodes = 100;
    std::string many = "(";
    for (int i = 0; i < 200; ++i) many += "]";
    CHECK(holds(damage(many + std::string("l."), std::nullopt, few), "100"));
    Context short_text;
    short_text.limits.max_inline_bytes = 100;
    CHECK(holds(
        damage("\x8c\x40" + std::string(64, 'x') + std::string("C\x40") + std::string(64, 'x') + std::string("\x86."),
               66, short_text),
        "100"));
    const std::atomic<bool> raised{true};
    Context cancelled;
    cancelled.cancel = &raised;
    try {
        read(std::string(200000, '(') + std::string("l."), cancelled);
        FAIL_CHECK("was read");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kCancelled);
    }
}

TEST_CASE("pickle: a million levels cost no stack") {
    constexpr int kDepth = 1000000;
    const auto depth_of = [](Value value) {
        int depth = 0;
        while (value.node() != nullptr) {
            ++depth;
            if (value.is(Kind::kDict)) {
                if (value.dict().entries.empty()) break;
                value = value.dict().entries.front().second;
            } else {
                if (value.sequence().items.empty()) break;
                value = value.sequence().items.front();
            }
        }
        return depth;
    };
    const Read lists = read(std::string(kDepth, ']') + std::string(kDepth - 1, 'a') + std::string("."));
    CHECK(depth_of(lists.value) == kDepth);
    CHECK(read(write(lists.value, 2)).pool->size() == kDepth);
    const Read tuples = read("N" + std::string(kDepth, '\x85') + std::string("."));
    CHECK(depth_of(tuples.value) == kDepth);
    std::string dicts;
    for (int i = 0; i < kDepth / 4; ++i) dicts += "}N";
    dicts += "N" + std::string(kDepth / 4, 's') + std::string(".");
    CHECK(depth_of(read(dicts).value) == kDepth / 4);
    CHECK(read(std::string(kDepth, '(') + std::string(kDepth, 't') + std::string(".")).value.is(Kind::kTuple));
    CHECK_NOTHROW(read("N" + std::string(kDepth, '2') + std::string(".")));
}

TEST_CASE("pickle: doubling costs what the stream costs") {
    std::string stream = "]q";
    stream += '\0';
    for (int i = 0; i < 60; ++i) stream += "2\x86";
    const Read result = read(stream + std::string("."));
    CHECK(result.pool->size() < 200);
    CHECK(result.value.is(Kind::kTuple));
    CHECK(write(result.value, 2).size() < 2000);
}

TEST_CASE("pickle: sharing and cycles come back") {
    Pool pool;
    const Value list = pool.list();
    const Value dict = pool.dict();
    const Value text = pool.string("key");
    list.sequence().items = {list, dict, text, text, pool.string("key")};
    dict.dict().entries = {{text, list}, {pool.string("other"), dict}};
    const Value tuple = pool.tuple();
    tuple.sequence().items = {pool.list(), Value::integer(1)};
    tuple.sequence().items[0].sequence().items = {tuple};
    list.sequence().items.push_back(tuple);
    for (int protocol = 2; protocol <= 5; ++protocol) {
        const Read back = read(write(list, protocol));
        const auto& items = back.value.sequence().items;
        REQUIRE(items.size() == 6);
        CHECK(items[0] == back.value);
        CHECK(items[2] == items[3]);
        CHECK_FALSE(items[2] == items[4]);
        CHECK(items[1].dict().entries[0].first == items[2]);
        CHECK(items[1].dict().entries[0].second == back.value);
        CHECK(items[1].dict().entries[1].second == items[1]);
        CHECK(items[5].sequence().items[0].sequence().items[0] == items[5]);
    }
}

namespace {

/// What Python pickles, by name, at protocols 0 to 5: hex of each stream.
const std::map<std::string, std::vector<std::string>>& pickled() {
    static const auto streams = [] {
        const std::string script = R"PY(
import collections, pickle, sys
shared = [1, 2]
cycle = []; cycle.append(cycle)
deep = cyclic = {}
cyclic["self"] = cyclic
loop = ([],); loop[0].append(loop)
text = "twice"
cases = {
  "none": None, "bools": [True, False],
  "ints": [0, 1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -1, -128, -129, -2**31, -2**31 - 1, 2**63 - 1, 2**63, -2**63, 2**64, -2**64, 10**40, -10**40],
  "wide": 1 << 4000, "wider": 1 << 300000, "floats": [0.0, -0.0, 1.5, -2.25e-300, 1e308, 5e-324, float("inf"), float("-inf")],
  "texts": ["", "a", "é", "😀", "a\nb\\c", "x" * 255, "x" * 256, "\x00", "\u2028"], "surrogate": "\ud800",
  "bytes": [b"", b"a", b"\xff\x00", b"x" * 255, b"x" * 256], "bytearray": [bytearray(), bytearray(b"abc\xff")],
  "complex": [1 + 2j, complex(0.0, -0.0)],
  "lists": [[], [1], [[1]], [1, 2, 3]], "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
  "dicts": [{}, {1: 2}, {1: 2, 3: 4}, {"a": {"b": {}}}], "sets": [set(), {1}, frozenset(), frozenset({7})],
  "keys": {1: 1, "a": 2, None: 3, (1, 2): 4, b"a": 5, 2.5: 6, True + 10: 7, frozenset({1}): 8},
  "ordered": collections.OrderedDict([("b", 1), ("a", 2)]), "ordered empty": collections.OrderedDict(),
  "ordered one": collections.OrderedDict(a=1), "counter": collections.Counter("aab"),
  "default": collections.defaultdict(list, {"a": [1]}),
  "shared": [shared, shared, {"x": shared}], "cycle": cycle, "cyclic": cyclic, "loop": loop, "text": [text, text, {text: text}],
  "batch 999": list(range(999)), "batch 1000": list(range(1000)), "batch 1001": list(range(1001)), "batch 2001": list(range(2001)),
  "dict 999": dict.fromkeys(range(999)), "dict 1000": dict.fromkeys(range(1000)), "dict 1001": dict.fromkeys(range(1001)), "dict 2000": dict.fromkeys(range(2000)),
  "ordered 1000": collections.OrderedDict.fromkeys(range(1000)), "ordered 1001": collections.OrderedDict.fromkeys(range(1001)), "ordered 2001": collections.OrderedDict.fromkeys(range(2001)),
  "set 1000": set(range(1000)), "set 1001": set(range(1001)),
  "memo": [str(i) for i in range(300)], "global": [int, len, collections.OrderedDict, int],
  "large text": ["a", "x" * 65535, "b", "y" * 65536, "c", "y" * 70000, "z"],
  "large bytes": [b"a", b"x" * 65535, b"b", b"y" * 65536, b"c"],
  "frames": ["%05d" % i * 20 for i in range(3000)], "range": range(1, 5), "slices": slice(1, 2, None),
  "nested tuple": ((((((1, 2), 3), 4), 5), 6), 7), "exception": ValueError("x", 1),
}
for name, value in cases.items():
    # As decimal text, which protocols 0 and 1 write, Python itself finds the widest one too long.
    streams = [b"" if name == "wider" and protocol < 2 else pickle.dumps(value, protocol) for protocol in range(6)]
    print(name + "\t" + "\t".join(s.hex() for s in streams))
)PY";
        std::map<std::string, std::vector<std::string>> result;
        std::istringstream lines(python(script));
        for (std::string line; std::getline(lines, line);) {
            std::istringstream fields(line);
            std::string name, field;
            std::getline(fields, name, '\t');
            while (std::getline(fields, field, '\t')) result[name].push_back(unhex(field));
        }
        return result;
    }();
    return streams;
}

}  // namespace

TEST_CASE("pickle: what Python wrote, written again, is what Python wrote") {
    REQUIRE(pickled().size() >= 45);
    for (const auto& [name, streams] : pickled()) {
        REQUIRE(streams.size() == 6);
        for (int protocol = 2; protocol <= 5; ++protocol) {
            INFO(name << ", protocol " << protocol);
            const std::string& stream = streams[static_cast<std::size_t>(protocol)];
            const Read result = read(stream);
            CHECK(result.facts.protocol == protocol);
            CHECK(result.facts.size_bytes == stream.size());
            const std::string again = write(result.value, protocol);
            CHECK((again == stream));
        }
    }
}

TEST_CASE("pickle: every protocol gives the same values") {
    for (const auto& [name, streams] : pickled()) {
        if (name == "cycle" || name == "cyclic" || name == "loop" || name == "wider") continue;
        const std::string expected = shown(streams[5]);
        for (int protocol = 0; protocol < 5; ++protocol) {
            INFO(name << ", protocol " << protocol);
            // Protocol 0 and 1 have no NEWOBJ: exceptions and the like are the same calls in all.
            CHECK((shown(streams[static_cast<std::size_t>(protocol)]) == expected));
        }
    }
    CHECK(shown(pickled().at("ints")[0]) ==
          "[0,1,255,256,65535,65536,2147483647,2147483648,-1,-128,-129,-2147483648,-2147483649,9223372036854775807,"
          "9223372036854775808,-9223372036854775808,18446744073709551616,-18446744073709551616,"
          "10000000000000000000000000000000000000000,-10000000000000000000000000000000000000000]");
    CHECK(shown(pickled().at("shared")[2]) == "[[1,2],[1,2],{'x':[1,2]}]");
    CHECK(shown(pickled().at("keys")[0]) == "{1:1,'a':2,None:3,(1,2):4,b'a':5,2.5:6,11:7,builtins.frozenset {1}:8}");
    CHECK(shown(pickled().at("counter")[2]) == "collections.Counter {'a':2,'b':1}");
}

TEST_CASE("pickle: cycles of Python come back as cycles") {
    for (int protocol = 0; protocol <= 5; ++protocol) {
        const auto at = static_cast<std::size_t>(protocol);
        const Read list = read(pickled().at("cycle")[at]);
        REQUIRE(list.value.sequence().items.size() == 1);
        CHECK(list.value.sequence().items[0] == list.value);
        const Read dict = read(pickled().at("cyclic")[at]);
        CHECK(dict.value.dict().entries[0].second == dict.value);
        const Read loop = read(pickled().at("loop")[at]);
        REQUIRE(loop.value.is(Kind::kTuple));
        CHECK(loop.value.sequence().items[0].sequence().items[0] == loop.value);
        const Read shared = read(pickled().at("shared")[at]);
        CHECK(shared.value.sequence().items[0] == shared.value.sequence().items[1]);
        CHECK(shared.value.sequence().items[2].dict().entries[0].second == shared.value.sequence().items[0]);
    }
}

TEST_CASE("pickle: values made here are what Python reads") {
    Pool pool;
    const Value dict = pool.dict();
    const Value shared = pool.list();
    shared.sequence().items = {Value::integer(-5), Value::real(-0.0)};
    const Value frozen = pool.set();
    frozen.node()->type = "builtins.frozenset";
    frozen.sequence().items = {Value::integer(3)};
    dict.dict().entries = {{pool.string("n"), Value::null()},
                           {pool.string("b"), Value::boolean(true)},
                           {Value::integer(300), pool.integer(std::string(20, '\xff') + std::string("\x01"))},
                           {pool.string("c"), pool.complex({1, -2})},
                           {pool.string("s"), pool.string("é\xed\xa0\x80")},
                           {pool.string("y"), pool.bytes(lit("\0\xff"))},
                           {pool.string("e"), pool.bytes("")},
                           {pool.string("t"), pool.tuple({shared, shared, pool.tuple()})},
                           {pool.string("f"), frozen}};
    std::string script = "import pickle\n";
    for (int protocol = 2; protocol <= 5; ++protocol) {
        std::string hex;
        for (const char byte : write(dict, protocol)) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
        script +=
            "d = pickle.loads(bytes.fromhex('" + hex + std::string("'))\nprint(ascii(d), d['t'][0] is d['t'][1])\n");
    }
    const std::string line =
        "{'n': None, 'b': True, 300: " + decimal_text(std::string(20, '\xff') + std::string("\x01")) +
        std::string(
            ", 'c': (1-2j), 's': '\\xe9\\ud800', 'y': b'\\x00\\xff', 'e': b'', "
            "'t': ([-5, -0.0], [-5, -0.0], ()), 'f': frozenset({3})} True\n");
    CHECK(python(script) == line + line + line + line);
}

TEST_CASE("pickle: what cannot be pickled is refused") {
    Pool pool;
    const Value object = Value::of(pool.make<ObjectNode>());
    object.node()->type = "some.Class";
    PickleWriterHooks hooks;
    for (const int protocol : {0, 1, 6, -1}) CHECK_THROWS_AS(write_pickle(Value::null(), protocol, hooks), Error);
    try {
        write(object, 2);
        FAIL_CHECK("was written");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRefused);
        CHECK(holds(error.message(), "some.Class"));
    }
}

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

TEST_CASE("pickle: keys that Python finds equal") {
    Pool pool;
    const auto equal = [](const Value& a, const Value& b) {
        CHECK(python_equal(a, b) == python_equal(b, a));
        return python_equal(a, b);
    };
    CHECK(equal(Value::integer(1), Value::real(1.0)));
    CHECK(equal(Value::integer(1), Value::boolean(true)));
    CHECK(equal(Value::real(0.0), Value::real(-0.0)));
    CHECK(equal(Value::boolean(false), Value::real(-0.0)));
    CHECK_FALSE(equal(Value::integer(1), Value::integer(2)));
    CHECK_FALSE(equal(Value::integer(1), pool.string("1")));
    CHECK_FALSE(equal(Value::null(), Value::boolean(false)));
    CHECK_FALSE(equal(Value::null(), Value::integer(0)));
    CHECK(equal(Value::null(), Value::null()));
    CHECK(equal(pool.string("a"), pool.string("a")));
    CHECK_FALSE(equal(pool.string("a"), pool.bytes("a")));
    CHECK(equal(pool.bytes(lit("a\0b")), pool.bytes(lit("a\0b"))));
    CHECK_FALSE(equal(pool.bytes(lit("a\0b")), pool.bytes(lit("a\0c"))));
    CHECK(equal(Value::unsigned_integer(1ULL << 63), pool.integer(lit("\0\0\0\0\0\0\0\x80\0"))));
    const std::string wide = std::string(20, '\1');
    CHECK(equal(pool.integer(wide), pool.integer(wide)));
    CHECK_FALSE(equal(pool.integer(wide), pool.integer(std::string(20, '\2'))));
    CHECK(equal(pool.tuple({Value::integer(1), pool.string("x")}), pool.tuple({Value::real(1), pool.string("x")})));
    CHECK_FALSE(equal(pool.tuple({Value::integer(1)}), pool.tuple({Value::integer(1), Value::integer(1)})));
    CHECK(equal(pool.tuple(), pool.tuple()));
    CHECK_FALSE(equal(pool.tuple(), Value::null()));
    const Value a = Value::of(pool.make<ObjectNode>());
    const Value b = Value::of(pool.make<ObjectNode>());
    CHECK(equal(a, a));
    CHECK_FALSE(equal(a, b));
    CHECK(equal(pool.complex({1, 2}), pool.complex({1, 2})));
    CHECK_FALSE(equal(pool.complex({1, 2}), pool.complex({1, 3})));
    // Tuples in tuples, a hundred thousand deep, without recursion.
    Value deep = pool.tuple();
    Value same = pool.tuple();
    for (int i = 0; i < 100000; ++i) {
        deep = pool.tuple({deep});
        same = pool.tuple({same});
    }
    CHECK_NOTHROW(python_equal(deep, same));
    CHECK(python_equal(deep, deep));
}

TEST_CASE("pickle: an index over keys, small and large") {
    Pool pool;
    for (const int count : {5, 23, 24, 25, 5000}) {
        PickleKeyIndex index;
        PickleKeyIndex::Entries entries;
        PickleKeyIndex::Entries other;
        for (int i = 0; i < count; ++i) {
            index.set(entries, pool.string(std::to_string(i)), Value::integer(i));
            index.set(other, Value::integer(i), Value::integer(i));
        }
        for (int i = 0; i < count; i += 3) {
            index.set(entries, pool.string(std::to_string(i)), Value::integer(-i));
            index.set(other, Value::real(i), Value::integer(-i));
        }
        REQUIRE(entries.size() == static_cast<std::size_t>(count));
        REQUIRE(other.size() == static_cast<std::size_t>(count));
        for (int i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(i);
            CHECK(entries[at].first.as_string() == std::to_string(i));
            CHECK(entries[at].second.as_int64() == (i % 3 == 0 ? -i : i));
            CHECK(other[at].first.is(Kind::kInt));  // the first key stays
            CHECK(other[at].second.as_int64() == (i % 3 == 0 ? -i : i));
        }
    }
}

TEST_CASE("pickle: names of Python 2 and 3") {
    const auto to3 = [](std::string module, std::string name) {
        to_python3_name(module, name);
        return module + ":" + name;
    };
    const auto to2 = [](std::string module, std::string name) {
        to_python2_name(module, name);
        return module + ":" + name;
    };
    CHECK(to3("__builtin__", "xrange") == "builtins:range");
    CHECK(to3("__builtin__", "set") == "builtins:set");
    CHECK(to3("copy_reg", "_reconstructor") == "copyreg:_reconstructor");
    CHECK(to3("exceptions", "StandardError") == "builtins:Exception");
    CHECK(to3("exceptions", "ValueError") == "builtins:ValueError");
    CHECK(to3("cPickle", "loads") == "pickle:loads");
    CHECK(to3("itertools", "izip") == "builtins:zip");
    CHECK(to3("torch._utils", "_rebuild_tensor_v2") == "torch._utils:_rebuild_tensor_v2");
    CHECK(to3("", "") == ":");
    CHECK(to2("builtins", "range") == "__builtin__:xrange");
    CHECK(to2("builtins", "set") == "__builtin__:set");
    CHECK(to2("copyreg", "_reconstructor") == "copy_reg:_reconstructor");
    CHECK(to2("builtins", "str") == "__builtin__:unicode");
    CHECK(to2("builtins", "int") == "__builtin__:long");
    CHECK(to2("collections", "OrderedDict") == "collections:OrderedDict");
    // All that Python itself maps, both ways.
    const std::string script = R"PY(
import _compat_pickle as c
names, modules = c.NAME_MAPPING, c.IMPORT_MAPPING
for (m, n) in names: print("3", m, n, *names[m, n])
for m in modules: print("3", m, "zzz", modules[m], "zzz")
names, modules = c.REVERSE_NAME_MAPPING, c.REVERSE_IMPORT_MAPPING
for (m, n) in names: print("2", m, n, *names[m, n])
for m in modules: print("2", m, "zzz", modules[m], "zzz")
)PY";
    std::istringstream lines(python(script));
    std::string way, module, name, to_module, to_name;
    int count = 0;
    while (lines >> way >> module >> name >> to_module >> to_name) {
        INFO(way << ' ' << module << ' ' << name);
        CHECK((way == "3" ? to3(module, name) : to2(module, name)) == to_module + ":" + to_name);
        ++count;
    }
    CHECK(count > 250);
}
