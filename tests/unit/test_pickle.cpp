// Pickles: every opcode in, and nothing that a hostile stream could gain.
#include <atomic>
#include <limits>
#include <vector>

#include "tests/unit/pickle_streams.hpp"

using namespace ckpt;
using namespace ckpt::pickle_tests;

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
    // Behind the opcode itself a frame may end: Python reads its argument from what follows.
    CHECK(shown(lit("\x80\4\x95\x01\0\0\0\0\0\0\0M\1\1.")) == "257");
    CHECK(shown(lit("\x80\4\x95\x02\0\0\0\0\0\0\0\x8c\2ab.")) == "'ab'");
    CHECK(shown(lit("\x80\4\x95\0\0\0\0\0\0\0\0K\1.")) == "1");
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
