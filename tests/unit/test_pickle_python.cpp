// CPython's bytes in and out, and its names of classes.
#include <map>
#include <sstream>
#include <vector>

#include "formats/shared/pickle/names.hpp"
#include "tests/unit/pickle_streams.hpp"

using namespace ckpt;
using namespace ckpt::pickle_tests;

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
        for (int protocol = 0; protocol <= 5; ++protocol) {
            INFO(name << ", protocol " << protocol);
            const std::string& stream = streams[static_cast<std::size_t>(protocol)];
            if (stream.empty()) continue;
            const Read result = read(stream);
            // Streams of protocol 0 and 1 do not say so, and the shortest are the same in both.
            CHECK((result.facts.protocol == protocol || (protocol == 1 && stream == streams[0])));
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

TEST_CASE("pickle: integers of 64 KiB and more stay in their frame, as the C pickler writes them") {
    // Only text and bytes leave their frame.
    const std::string script = R"PY(
import pickle
for protocol in range(2, 6):
    for value in [1 << 600000, [1, -1 << 524280, "x", 1 << 524279, 2], [["y" * 65000], 3 << 600000, b"z"], [1 << 600000] * 2]:
        print(protocol, pickle.dumps(value, protocol).hex())
)PY";
    std::istringstream lines(python(script));
    int protocol = 0;
    int count = 0;
    for (std::string hex; lines >> protocol >> hex; ++count) {
        INFO("protocol " << protocol << ", case " << count % 4);
        const std::string stream = unhex(hex);
        CHECK((write(read(stream).value, protocol) == stream));
    }
    CHECK(count == 16);
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
    for (const int protocol : {6, -1}) CHECK_THROWS_AS(write_pickle(Value::null(), protocol, hooks), Error);
    try {
        write(object, 2);
        FAIL_CHECK("was written");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRefused);
        CHECK(holds(error.message(), "some.Class"));
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
