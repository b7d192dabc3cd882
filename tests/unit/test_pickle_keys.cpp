// Keys of pickled dicts and items of sets, equal where Python finds them equal.
#include <limits>
#include <sstream>

#include "formats/shared/pickle/key_index.hpp"
#include "tests/unit/pickle_streams.hpp"

using namespace ckpt;
using namespace ckpt::pickle_tests;

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

TEST_CASE("pickle: integers and floats are compared exactly, as Python does") {
    // 2**53 + 1 != 2.0**53, although the nearest double is the same.
    Pool pool;
    const std::int64_t odd = (std::int64_t{1} << 53) + 1;
    const double power = 9007199254740992.0;
    CHECK_FALSE(python_equal(Value::integer(odd), Value::real(power)));
    CHECK(python_equal(Value::integer(odd - 1), Value::real(power)));
    const double two_63 = 9223372036854775808.0;
    CHECK_FALSE(python_equal(Value::integer(std::numeric_limits<std::int64_t>::max()), Value::real(two_63)));
    CHECK(python_equal(Value::integer(std::numeric_limits<std::int64_t>::min()), Value::real(-two_63)));
    CHECK(python_equal(Value::unsigned_integer(std::uint64_t{1} << 63), Value::real(two_63)));
    // 2**70 == 2.0**70, (1+0j) == 1.
    CHECK(python_equal(pool.integer(std::string(8, '\0') + '\x40'), Value::real(1180591620717411303424.0)));
    CHECK(python_equal(pool.complex({1, 0}), Value::integer(1)));
    CHECK(python_equal(pool.complex({0, -0.0}), Value::boolean(false)));
    // {2**53 + 1: 1, 2.0**53: 2} as protocol 2 has it: two entries.
    CHECK(shown(lit("\x80\2}(\x8a\7\1\0\0\0\0\0 K\1GC@\0\0\0\0\0\0K\2u.")) ==
          "{9007199254740993:1,9007199254740992f:2}");
}

TEST_CASE("pickle: two NaN are two keys") {
    // {float('nan'): 1, float('nan'): 2} has two entries in Python, before and after pickling.
    const std::string nan = lit("G\x7f\xf8\0\0\0\0\0\0");
    CHECK(read("}(" + nan + "K\1" + nan + "K\2u.").value.dict().entries.size() == 2);
    CHECK(read("}(" + nan + "\x85K\1" + nan + "\x85K\2u.").value.dict().entries.size() == 2);
    CHECK(read("(" + nan + nan + "K\1K\1\x91.").value.sequence().items.size() == 3);
    // The same tuple is the same key whatever it holds.
    CHECK(read("}(" + nan + lit("\x85q\0K\1h\0K\2u.")).value.dict().entries.size() == 1);
    Pool pool;
    const Value part = pool.complex({1, std::numeric_limits<double>::quiet_NaN()});
    CHECK(python_equal(part, part));
    CHECK_FALSE(python_equal(part, pool.complex({1, std::numeric_limits<double>::quiet_NaN()})));
    // Many of them cost no more than many numbers.
    std::string many = "}(";
    for (int i = 0; i < 100000; ++i) many += nan + "N";
    CHECK(read(many + "u.").value.dict().entries.size() == 100000);
}

TEST_CASE("pickle: keys are equal where Python says so") {
    const std::string script = R"PY(
import pickle
values = [None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, -1.0, 1.5, 5e-324, 1 + 0j, 1 + 1j, 0j, complex(-0.0, -0.0), complex(-0.0, 1), 1j, complex(2**53, 0), complex(2**53, 1),
  2**53, 2**53 + 1, 2**53 + 2, 2.0**53, -2**53 - 1, -2.0**53, 2**62, 2.0**62, 2**62 + 1, 2**63 - 1, 2**63, 2.0**63, 2**63 + 2**10, 2**63 + 2**11, 2.0**63 + 2**11, -2**63, -2.0**63, -2**63 - 1,
  2**64 - 1, 2**64, 2.0**64, 2**64 + 1, -2**64, -2.0**64, 2**70, 2.0**70, 2**70 + 1, -2**70, -2.0**70, -2**70 - 1, 2**70 - 2**17, 2.0**70 - 2**17, 2**70 - 2**16,
  2**1023, 2.0**1023, 2**1024, -2**1024, 2**1024 - 2**970, 1.7976931348623157e308, 2**1024 - 2**970 + 1, 2**1031, 2**5000, 10**40, 1e40, 1e22, 10**22, 1e23, 10**23, float("inf"), float("-inf"),
  "", "a", "1", "None", "x" * 100, "x" * 99 + "y", "\ud800", b"", b"a", b"1", b"x" * 100, b"\xff\x00", b"\xff\x01",
  (), ((),), (1,), (1.0,), (True,), (1 + 0j,), (1, 2), (2, 1), (1, (2, 3)), (1.0, (2.0, 3)), ((1, 2), 3), (1, 2, 3), ("a",), (b"a",), (None,), (2**53 + 1,), (2.0**53,), ((), ()), (0.0,), (-0.0,),
  frozenset(), frozenset([1]), frozenset([1.0]), frozenset([True, 2]), frozenset([2.0, 1]), frozenset([1, 2, 3]), frozenset([(1, 2)]), frozenset([(1.0, 2)]), frozenset(["a"]), frozenset([b"a"]),
  frozenset([frozenset([1])]), frozenset([frozenset([True])]), (frozenset([1]),), (frozenset([1.0]),), frozenset([(1,), ()]), frozenset([(), (True,)]), (frozenset(),), frozenset([()]), frozenset([frozenset()])]
for protocol in range(6):
    stream = b"(" + b"".join(pickle.dumps(v, protocol)[:-1] for v in values) + b"l."
    print(stream.hex())
    # All as keys of one dict and items of one set, from one stream each.
    keys = b"}(" + b"".join(pickle.dumps(v, protocol)[:-1] + b"N" for v in values) + b"u."
    print(keys.hex(), len(pickle.loads(keys)))
    print(b"".join([b"(", *(pickle.dumps(v, protocol)[:-1] for v in values), b"\x91."]).hex(), len(frozenset(values)))
print("".join("01"[a == b] for a in values for b in values))
)PY";
    std::istringstream lines(python(script));
    std::vector<std::string> streams, dicts, sets;
    std::vector<std::size_t> entries, items;
    for (int protocol = 0; protocol <= 5; ++protocol) {
        std::size_t count = 0;
        lines >> streams.emplace_back() >> dicts.emplace_back() >> count;
        entries.push_back(count);
        lines >> sets.emplace_back() >> count;
        items.push_back(count);
    }
    std::string equal;
    lines >> equal;
    for (std::size_t protocol = 0; protocol <= 5; ++protocol) {
        INFO("protocol " << protocol);
        const Read result = read(unhex(streams[protocol]));
        const auto& values = result.value.sequence().items;
        REQUIRE(values.size() > 100);
        REQUIRE(equal.size() == values.size() * values.size());
        for (std::size_t i = 0; i < equal.size(); ++i) {
            const Value& a = values[i / values.size()];
            const Value& b = values[i % values.size()];
            if (python_equal(a, b) == (equal[i] == '1')) continue;
            INFO(show(a) << " and " << show(b));
            CHECK(python_equal(a, b) == (equal[i] == '1'));
        }
        CHECK(read(unhex(dicts[protocol])).value.dict().entries.size() == entries[protocol]);
        CHECK(read(unhex(sets[protocol])).value.sequence().items.size() == items[protocol]);
    }
}

TEST_CASE("pickle: equal items of a set are one item, the first") {
    CHECK(shown("\x8f(K\1K\2\x88K\1\x90(K\2K\3\x90.") == "{1,2,3}");
    CHECK(shown("(K\1\x88K\2\x91.") == "builtins.frozenset {1,2}");
    CHECK(shown("c__builtin__\nset\n](K\1K\1K\2e\x85R.") == "{1,2}");
    std::string large = "\x8f(";
    for (int i = 0; i < 6000; ++i) large += "M" + little(static_cast<std::uint64_t>(i % 3000), 2);
    CHECK(read(large + "\x90.").value.sequence().items.size() == 3000);
}

TEST_CASE("pickle: what Python cannot hash is no key") {
    CHECK(holds(damage("}]\x85Ns.", 4), "tuple"));
    CHECK(holds(damage("}K\1]\x86\x85Ns.", 7), "tuple"));
    CHECK(holds(damage("}(\x8f\x85Nu.", 5), "tuple"));
    CHECK(holds(damage("}(]\x91Ns.", 3), "list"));
    CHECK(holds(damage(lit("}\x96\1\0\0\0\0\0\0\0aNs."), 12), "bytes"));
    CHECK(holds(damage("(\x8f\x91.", 2), "set"));
    CHECK(holds(damage("(}\x85\x91.", 3), "tuple"));
    CHECK(holds(damage(lit("(K\1\x91q\0(K\2\x90."), 9), "frozenset"));  // it cannot grow
    CHECK(shown("}(K\1\x91Ns.") == "{builtins.frozenset {1}:None}");
    CHECK(shown("}cm\nC\n)\x81\x85Ns.") == "{(new m.C()):None}");
}

TEST_CASE("pickle: keys cost what the stream costs, however they share") {
    constexpr int kCount = 100000;
    // Each key is a tuple of the one before.
    std::string chain = "}(N\x85\x94N";
    for (std::uint64_t i = 1; i < kCount; ++i) chain += "j" + little(i - 1, 4) + "\x85\x94N";
    CHECK(read(chain + "u.").value.dict().entries.size() == kCount);
    // A tuple of a tuple twice, of a tuple twice, ...: Python itself never comes to an end of two of these.
    std::string doubled = "}(";
    for (int copy = 0; copy < 2; ++copy) {
        doubled += "N\x85";
        for (int i = 0; i < 200; ++i) doubled += "2\x86";
        doubled += "N";
    }
    CHECK(read(doubled + "u.").value.dict().entries.size() == 1);
    // Two long texts that differ at their ends, over and over.
    const std::string long_text(1 << 20, 'x');
    std::string repeated = "}(X" + little(long_text.size() + 1, 4) + long_text + lit("aq\0NX") +
                           little(long_text.size() + 1, 4) + long_text + lit("bq\1N");
    for (int i = 0; i < kCount; ++i) repeated += lit("h\1N");
    CHECK(read(repeated + "u.").value.dict().entries.size() == 2);
    // Circles that no stream can make.
    Pool pool;
    const Value circle = pool.tuple();
    circle.sequence().items = {circle};
    CHECK(python_equal(circle, circle));
    CHECK_FALSE(python_equal(circle, pool.tuple({circle})));
}
