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
