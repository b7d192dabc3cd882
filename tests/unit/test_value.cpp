// Values, nodes, tensors' arithmetic, pools and documents.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "libckpt/document.hpp"
#include "libckpt/error.hpp"
#include "libckpt/value.hpp"

using namespace ckpt;

namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t kMaxUnsigned = std::numeric_limits<std::uint64_t>::max();

using Sizes = std::vector<std::int64_t>;

/// Twice a decimal number, digit by digit.
std::string doubled(std::string digits) {
    int carry = 0;
    for (auto it = digits.rbegin(); it != digits.rend(); ++it) {
        const int sum = (*it - '0') * 2 + carry;
        *it = static_cast<char>('0' + sum % 10);
        carry = sum / 10;
    }
    return carry != 0 ? "1" + digits : digits;
}

/// The minimal little-endian two's complement of 2^power, or of its negative.
std::string power_bytes(unsigned power, bool negative) {
    std::string bytes(power / 8, '\0');
    const unsigned bit = power % 8;
    if (negative) {
        bytes += static_cast<char>(0xff << bit);
    } else {
        bytes += static_cast<char>(1u << bit);
        if (bit == 7) bytes += '\0';
    }
    return bytes;
}

template <typename Action>
ErrorCode code_of(Action&& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("nothing was thrown");
    return ErrorCode::kInternal;
}

TensorNode& tensor(Pool& pool, DType dtype, Sizes shape, Sizes stride, std::int64_t offset = 0) {
    auto* node = pool.make<TensorNode>();
    node->dtype = dtype;
    node->shape = std::move(shape);
    node->stride = std::move(stride);
    node->offset = offset;
    return *node;
}

StoragePtr zeros(std::uint64_t size_bytes) {
    return std::make_shared<Storage>(Storage{zero_blob(size_bytes), ""});
}

/// The message with which `check_bounds` refuses, or empty.
std::string refusal(const TensorNode& node) {
    try {
        node.check_bounds("model/w");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kDamaged);
        return error.message();
    }
    return {};
}
void check_inside(const TensorNode& node) {
    CHECK(refusal(node).empty());
}
void check_outside(const TensorNode& node) {
    CHECK_THAT(refusal(node), Catch::Contains("model/w"));
}

}  // namespace

TEST_CASE("a handle is small and copied as bytes") {
    CHECK(sizeof(Value) == 16);
    CHECK(std::is_trivially_copyable_v<Value>);
    CHECK(Value().is_null());
    CHECK(Value() == Value::null());
    CHECK(Value().node() == nullptr);
}

TEST_CASE("kinds have the names that people see") {
    CHECK(kind_name(Kind::kNull) == "null");
    CHECK(kind_name(Kind::kBool) == "bool");
    CHECK(kind_name(Kind::kInt) == "int");
    CHECK(kind_name(Kind::kFloat) == "float");
    CHECK(kind_name(Kind::kComplex) == "complex");
    CHECK(kind_name(Kind::kString) == "string");
    CHECK(kind_name(Kind::kBytes) == "bytes");
    CHECK(kind_name(Kind::kList) == "list");
    CHECK(kind_name(Kind::kTuple) == "tuple");
    CHECK(kind_name(Kind::kSet) == "set");
    CHECK(kind_name(Kind::kDict) == "dict");
    CHECK(kind_name(Kind::kTensor) == "tensor");
    CHECK(kind_name(Kind::kObject) == "object");
}

TEST_CASE("numbers of 64 bits are held in place, signed or not") {
    CHECK(Value::integer(-1).as_int64() == -1);
    CHECK_FALSE(Value::integer(-1).as_uint64());
    CHECK(Value::integer(kMin).as_int64() == kMin);
    CHECK(Value::integer(kMax).as_uint64() == static_cast<std::uint64_t>(kMax));
    CHECK(Value::unsigned_integer(kMaxUnsigned).as_uint64() == kMaxUnsigned);
    CHECK_FALSE(Value::unsigned_integer(kMaxUnsigned).as_int64());
    CHECK(Value::unsigned_integer(7) == Value::integer(7));
    CHECK(Value::unsigned_integer(static_cast<std::uint64_t>(kMax)) == Value::integer(kMax));
    CHECK_FALSE(Value::unsigned_integer(kMaxUnsigned) == Value::integer(-1));
    CHECK(Value::unsigned_integer(kMaxUnsigned).node() == nullptr);
    CHECK(Value::integer(kMin).integer_text() == "-9223372036854775808");
    CHECK(Value::unsigned_integer(kMaxUnsigned).integer_text() == "18446744073709551615");
    CHECK_FALSE(Value::real(1).as_int64());
    CHECK_FALSE(Value::boolean(true).as_int64());
    CHECK_FALSE(Value::null().as_uint64());
}

TEST_CASE("equality is identity, not value") {
    Pool pool;
    CHECK(Value::integer(1) == Value::integer(1));
    CHECK_FALSE(Value::integer(1) == Value::boolean(true));
    CHECK_FALSE(Value::integer(0) == Value::null());
    CHECK_FALSE(Value::real(0.0) == Value::real(-0.0));
    const Value first = pool.string("a");
    const Value second = pool.string("a");
    CHECK(first == Value::of(first.node()));
    CHECK_FALSE(first == second);
    CHECK_FALSE(pool.list() == pool.list());
}

TEST_CASE("a value taken for another kind is a broken invariant") {
    Pool pool;
    const Value number = Value::integer(1);
    CHECK(code_of([&] { (void)number.as_bool(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)number.as_double(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)number.as_complex(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)number.as_string(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)pool.string("x").as_bytes(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)pool.bytes("x").as_string(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)Value::real(1).integer_text(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)Value::null().integer_bytes(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)pool.dict().sequence(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)pool.list().dict(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)Value::null().tensor(); }) == ErrorCode::kInternal);
    CHECK(code_of([&] { (void)pool.set().object(); }) == ErrorCode::kInternal);
}

TEST_CASE("powers of two up to 2^200 keep their digits and their bytes, both signs") {
    Pool pool;
    std::string digits = "1";
    for (unsigned power = 0; power <= 200; ++power, digits = doubled(digits)) {
        INFO("2^" << power);
        const std::string positive = power_bytes(power, false);
        const std::string negative = power_bytes(power, true);
        CHECK(decimal_text(positive) == digits);
        CHECK(decimal_text(negative) == "-" + digits);
        CHECK(decimal_to_bytes(digits) == positive);
        CHECK(decimal_to_bytes("-" + digits) == negative);
        const Value value = pool.integer(positive);
        CHECK(value.integer_text() == digits);
        CHECK(value.integer_bytes() == positive);
        CHECK((value.node() == nullptr) == (power < 64));
        CHECK(value.as_uint64().has_value() == (power < 64));
        CHECK(value.as_int64().has_value() == (power < 63));
        const Value below = pool.integer(negative);
        CHECK(below.integer_text() == "-" + digits);
        CHECK(below.integer_bytes() == negative);
        CHECK(below.as_int64().has_value() == (power <= 63));
        CHECK_FALSE(below.as_uint64());
    }
    CHECK(digits == "3213876088517980551083924184682325205044405987565585670602752");  // 2^201
}

TEST_CASE("numbers around the widths of machines come back from decimal text") {
    Pool pool;
    for (const char* text : {"0",
                             "1",
                             "-1",
                             "127",
                             "128",
                             "-128",
                             "-129",
                             "255",
                             "256",
                             "65535",
                             "-65536",
                             "999999999",
                             "1000000000",
                             "1000000001",
                             "-1000000000",
                             "9223372036854775807",
                             "9223372036854775808",
                             "-9223372036854775808",
                             "-9223372036854775809",
                             "18446744073709551615",
                             "18446744073709551616",
                             "1000000000000000000000000000",
                             "100000000000000000000000000000000000000000000000000000000000001"}) {
        INFO(text);
        const auto bytes = decimal_to_bytes(text);
        REQUIRE(bytes);
        CHECK(decimal_text(*bytes) == text);
        const Value value = pool.integer(*bytes);
        CHECK(value.integer_text() == text);
        CHECK(value.integer_bytes() == *bytes);
    }
    CHECK(decimal_to_bytes("0001") == decimal_to_bytes("1"));
    CHECK(decimal_to_bytes("-0") == decimal_to_bytes("0"));
}

TEST_CASE("text that is no integer has no bytes") {
    for (const char* text : {"", "-", "+1", " 1", "1 ", "--1", "1.0", "1e3", "1_000", "a", "0x", "0xg", "12a", "١"}) {
        INFO(text);
        CHECK_FALSE(decimal_to_bytes(text));
    }
}

TEST_CASE("sign bytes that say nothing change no integer") {
    Pool pool;
    CHECK(pool.integer("").as_int64() == 0);
    CHECK(pool.integer(std::string(40, '\0')) == Value::integer(0));
    CHECK(pool.integer(std::string(40, '\xff')) == Value::integer(-1));
    CHECK(pool.integer(std::string("\x80", 1)) == Value::integer(-128));
    CHECK(pool.integer(std::string("\x80\0", 2)) == Value::integer(128));
    CHECK(pool.integer(std::string(8, '\xff') + std::string(9, '\0')).as_uint64() == kMaxUnsigned);
    CHECK(pool.integer(power_bytes(100, false) + std::string(30, '\0')).integer_bytes() == power_bytes(100, false));
    CHECK(pool.integer(power_bytes(100, true) + std::string(30, '\xff')).integer_bytes() == power_bytes(100, true));
}

TEST_CASE("scalars with a class keep value and class") {
    Pool pool;
    const Value number = pool.typed_scalar(Value::integer(-5), "numpy.int8");
    CHECK(number.is(Kind::kInt));
    CHECK(number.type() == "numpy.int8");
    CHECK(number.node() != nullptr);
    CHECK(number.as_int64() == -5);
    CHECK(number.integer_text() == "-5");
    CHECK(number.integer_bytes() == "\xfb");
    CHECK_FALSE(number == Value::integer(-5));

    const Value wide = pool.typed_scalar(Value::unsigned_integer(kMaxUnsigned), "numpy.uint64");
    CHECK(wide.as_uint64() == kMaxUnsigned);
    CHECK_FALSE(wide.as_int64());
    CHECK(wide.integer_text() == "18446744073709551615");

    const Value huge = pool.typed_scalar(pool.integer(power_bytes(100, false)), "enum.IntFlag");
    CHECK(huge.type() == "enum.IntFlag");
    CHECK_FALSE(huge.as_uint64());
    CHECK(huge.integer_text() == "1267650600228229401496703205376");
    CHECK(huge.integer_bytes() == power_bytes(100, false));

    CHECK(pool.typed_scalar(Value::real(0.5), "numpy.float32").as_double() == 0.5);
    CHECK(pool.typed_scalar(Value::boolean(true), "numpy.bool_").as_bool());
    CHECK(std::isnan(pool.typed_scalar(Value::real(std::nan("")), "numpy.float16").as_double()));
    CHECK(Value::integer(1).type().empty());
}

TEST_CASE("text, bytes and complex numbers come back as they went in") {
    Pool pool;
    const std::string with_nul("a\0b", 3);
    CHECK(pool.string(with_nul).as_string() == with_nul);
    CHECK(pool.bytes(with_nul).as_bytes() == with_nul);
    CHECK(pool.string("").as_string().empty());
    CHECK(pool.string("\xed\xa0\x80").as_string() == "\xed\xa0\x80");
    CHECK(pool.complex({1.5, -2}).as_complex() == std::complex<double>(1.5, -2));
    CHECK(pool.tuple({Value::integer(1), Value::null()}).sequence().items.size() == 2);
    CHECK(pool.list().is(Kind::kList));
    CHECK(pool.set().is(Kind::kSet));
    CHECK(pool.dict().is(Kind::kDict));
}

TEST_CASE("a dict finds text keys only") {
    Pool pool;
    const Value dict = pool.dict();
    auto& entries = dict.dict().entries;
    entries.emplace_back(Value::integer(1), Value::integer(10));
    entries.emplace_back(pool.bytes("b"), Value::integer(20));
    entries.emplace_back(pool.string("1"), Value::integer(30));
    entries.emplace_back(pool.string(""), Value::integer(40));
    REQUIRE(dict.dict().find("1") != nullptr);
    CHECK(*dict.dict().find("1") == Value::integer(30));
    CHECK(*dict.dict().find("") == Value::integer(40));
    CHECK(dict.dict().find("b") == nullptr);
    CHECK(dict.dict().find("absent") == nullptr);
}

TEST_CASE("attributes of nodes and documents are replaced in place") {
    Pool pool;
    Node& node = *pool.list().node();
    CHECK(node.attribute("hdf5:units") == nullptr);
    node.set_attribute("hdf5:units", Value::integer(1));
    node.set_attribute("hdf5:scale", Value::integer(2));
    node.set_attribute("hdf5:units", Value::integer(3));
    REQUIRE(node.attributes->size() == 2);
    CHECK(node.attributes->front().first == "hdf5:units");
    CHECK(*node.attribute("hdf5:units") == Value::integer(3));
    CHECK(node.attribute("hdf5:unit") == nullptr);

    Document document;
    CHECK(document.attribute("torch:byteorder") == nullptr);
    document.set_attribute("torch:byteorder", Value::integer(1));
    document.set_attribute("torch:version", Value::integer(2));
    document.set_attribute("torch:byteorder", Value::integer(3));
    REQUIRE(document.attributes.size() == 2);
    CHECK(document.attributes.front().first == "torch:byteorder");
    CHECK(*document.attribute("torch:byteorder") == Value::integer(3));
}

TEST_CASE("strides follow the order of the elements") {
    CHECK(contiguous_strides({}).empty());
    CHECK(contiguous_strides({2, 3, 4}) == Sizes{12, 4, 1});
    CHECK(contiguous_strides({5}) == Sizes{1});
    CHECK(contiguous_strides({2, 0, 3}) == Sizes{3, 3, 1});
    CHECK(contiguous_strides({0, 0}) == Sizes{1, 1});
    CHECK(column_major_strides({}).empty());
    CHECK(column_major_strides({2, 3, 4}) == Sizes{1, 2, 6});
    CHECK(column_major_strides({5}) == Sizes{1});
    CHECK(column_major_strides({4, 1, 3}) == Sizes{1, 4, 4});
    for (const auto step : contiguous_strides({kMax, kMax, kMax})) CHECK(step > 0);
    for (const auto step : column_major_strides({kMax, kMax, kMax})) CHECK(step > 0);
}

TEST_CASE("a tensor is contiguous when it is row-major without gaps") {
    Pool pool;
    const auto contiguous = [&](Sizes shape, Sizes stride) {
        return tensor(pool, DType::kFloat32, std::move(shape), std::move(stride)).is_contiguous();
    };
    CHECK(contiguous({}, {}));
    CHECK(contiguous({2, 3}, {3, 1}));
    CHECK_FALSE(contiguous({2, 3}, {1, 2}));
    CHECK_FALSE(contiguous({2, 3}, {4, 1}));
    CHECK_FALSE(contiguous({3}, {2}));
    CHECK_FALSE(contiguous({3}, {0}));
    CHECK(contiguous({1}, {77}));
    CHECK(contiguous({2, 1, 3}, {3, 1234, 1}));
    CHECK(contiguous({1, 2, 3}, {0, 3, 1}));
    CHECK(contiguous({1, 1, 1}, {9, 8, 7}));
    CHECK_FALSE(contiguous({2, 1, 3}, {6, 3, 1}));
    CHECK(contiguous({0}, {5}));
    CHECK(contiguous({2, 0, 3}, {1, 1, 1}));
    CHECK(contiguous({4, 1}, {1, 1}));
    CHECK(contiguous({1, 4}, {1, 1}));
    CHECK_FALSE(contiguous({kMax, kMax}, {1, 1}));
}

TEST_CASE("elements are counted without overflow") {
    Pool pool;
    const auto count = [&](Sizes shape) { return tensor(pool, DType::kFloat32, std::move(shape), {}).element_count(); };
    CHECK(count({}) == 1);
    CHECK(count({2, 3, 4}) == 24);
    CHECK(count({0}) == 0);
    CHECK(count({kMax, kMax, 0}) == 0);
    CHECK(count({0, kMax, kMax}) == 0);
    CHECK(count({kMax}) == static_cast<std::uint64_t>(kMax));
    CHECK(count({std::int64_t{1} << 31, std::int64_t{1} << 31}) == std::uint64_t{1} << 62);
    CHECK_FALSE(count({std::int64_t{1} << 32, std::int64_t{1} << 32}));
    CHECK_FALSE(count({kMax, kMax}));
    CHECK_FALSE(count({3, std::int64_t{1} << 62, 3}));
    CHECK_FALSE(count({-1, 3}));
    CHECK_FALSE(count({kMin, 2}));
}

TEST_CASE("logical bytes follow from the element type") {
    Pool pool;
    const auto bytes = [&](DType dtype, Sizes shape) {
        return tensor(pool, dtype, std::move(shape), {}).logical_bytes();
    };
    CHECK(bytes(DType::kFloat32, {2, 3}) == 24);
    CHECK(bytes(DType::kComplex128, {}) == 16);
    CHECK(bytes(DType::kQUInt4x2, {3}) == 2);
    CHECK(bytes(DType::kQUInt2x4, {5}) == 2);
    CHECK(bytes(DType::kFloat64, {0, kMax}) == 0);
    CHECK_FALSE(bytes(DType::kFloat64, {kMax}));
    CHECK_FALSE(bytes(DType::kFloat32, {-1}));
}

TEST_CASE("a tensor stays inside its storage, whichever way it strides") {
    Pool pool;
    const auto view = [&](DType dtype, Sizes shape, Sizes stride, std::int64_t offset,
                          std::uint64_t storage_bytes) -> const TensorNode& {
        auto& node = tensor(pool, dtype, std::move(shape), std::move(stride), offset);
        node.storage = zeros(storage_bytes);
        return node;
    };
    check_inside(view(DType::kFloat32, {2, 3}, {3, 1}, 0, 24));
    check_outside(view(DType::kFloat32, {2, 3}, {3, 1}, 0, 23));
    check_inside(view(DType::kFloat32, {2, 3}, {1, 2}, 0, 24));
    check_inside(view(DType::kFloat32, {2, 3}, {3, 1}, 2, 32));
    check_outside(view(DType::kFloat32, {2, 3}, {3, 1}, 3, 32));
    check_inside(view(DType::kFloat32, {2, 2}, {5, 2}, 0, 32));
    check_outside(view(DType::kFloat32, {2, 2}, {5, 2}, 0, 28));
    check_inside(view(DType::kFloat64, {}, {}, 0, 8));
    check_outside(view(DType::kFloat64, {}, {}, 1, 8));
    check_outside(view(DType::kFloat64, {}, {}, 0, 0));
    check_inside(view(DType::kFloat32, {1000000}, {0}, 0, 4));
    check_inside(view(DType::kFloat32, {1, 1}, {kMax, kMax}, 0, 4));
    check_inside(view(DType::kQUInt4x2, {5}, {1}, 0, 3));
    check_outside(view(DType::kQUInt4x2, {7}, {1}, 0, 3));
}

TEST_CASE("an empty tensor needs a non-negative offset and no bytes") {
    Pool pool;
    const auto empty = [&](Sizes shape, Sizes stride, std::int64_t offset) -> const TensorNode& {
        auto& node = tensor(pool, DType::kFloat32, std::move(shape), std::move(stride), offset);
        node.storage = zeros(0);
        return node;
    };
    check_inside(empty({0}, {1}, 0));
    check_inside(empty({0}, {1}, kMax));
    check_inside(empty({kMax, 0, kMax}, {kMax, kMax, kMax}, 5));
    check_outside(empty({0}, {1}, -1));
}

TEST_CASE("numbers that would overflow the check are refused") {
    Pool pool;
    const auto refused = [&](Sizes shape, Sizes stride, std::int64_t offset) {
        auto& node = tensor(pool, DType::kFloat64, std::move(shape), std::move(stride), offset);
        node.storage = zeros(std::uint64_t{1} << 62);
        check_outside(node);
    };
    refused({2}, {kMax}, 0);
    refused({3}, {kMax}, 0);
    refused({2, 2, 2}, {kMax, kMax, 2}, 0);
    refused({1}, {1}, kMax);
    refused({2}, {1}, kMax);
    refused({kMax}, {1}, 0);
    refused({std::int64_t{1} << 32, std::int64_t{1} << 32}, {0, 0}, 0);
    refused({(std::int64_t{1} << 61) + 1}, {8}, 0);
    refused({1}, {1}, std::int64_t{1} << 61);
    refused({1}, {1}, kMin);
    refused({kMin}, {1}, 0);
    refused({-1}, {1}, 0);
    refused({2}, {-1}, 1);
    refused({2}, {kMin}, 0);
}

TEST_CASE("shape and strides have as many dimensions") {
    Pool pool;
    auto& node = tensor(pool, DType::kFloat32, {2, 3}, {1});
    node.storage = zeros(1000);
    check_outside(node);
    node.stride = {3, 1, 1};
    check_outside(node);
}

TEST_CASE("a tensor without data has no storage to leave") {
    Pool pool;
    check_inside(tensor(pool, DType::kFloat32, {1000, 1000}, {1000, 1}, 7));
}

TEST_CASE("every handle of a node is visited and may be replaced") {
    Pool pool;
    int next = 0;
    const auto number = [&] { return Value::integer(next++); };

    auto* object = pool.make<ObjectNode>();
    object->items = {number(), number()};
    object->entries.emplace_back(number(), number());
    object->recipe = std::make_unique<Recipe>();
    object->recipe->callee = number();
    object->recipe->args = number();
    object->recipe->kwargs = number();
    object->recipe->state = number();
    object->set_attribute("x:a", number());

    auto* dict = pool.make<DictNode>();
    dict->entries.emplace_back(number(), number());
    auto* set = pool.make<SequenceNode>(Kind::kSet);
    set->items = {number()};
    auto* tensor_node = pool.make<TensorNode>();
    tensor_node->parts.emplace_back("indices", number());
    tensor_node->dict = number();
    tensor_node->quantization = std::make_unique<Quantization>();
    tensor_node->quantization->scales = number();
    tensor_node->quantization->zero_points = number();

    std::vector<bool> seen(static_cast<std::size_t>(next), false);
    for (Node* node : std::initializer_list<Node*>{object, dict, set, tensor_node}) {
        for_each_value(*node, [&](Value& value) {
            if (const auto index = value.as_int64()) seen.at(static_cast<std::size_t>(*index)) = true;
            value = Value::boolean(true);
        });
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
        INFO(i);
        CHECK(seen[i]);
    }
    CHECK(object->items[1].is(Kind::kBool));
    CHECK(object->recipe->state.is(Kind::kBool));
    CHECK(dict->entries[0].first.is(Kind::kBool));
    CHECK(set->items[0].is(Kind::kBool));
    CHECK(tensor_node->quantization->zero_points.is(Kind::kBool));
    CHECK(object->attribute("x:a")->is(Kind::kBool));
}

TEST_CASE("the number inside a scalar with a class is a handle as well") {
    Pool pool;
    const Value huge = pool.integer(power_bytes(100, false));
    const Value scalar = pool.typed_scalar(huge, "enum.IntFlag");
    std::vector<Value> seen;
    for_each_value(*scalar.node(), [&](Value& value) { seen.push_back(value); });
    CHECK(seen == std::vector<Value>{huge});
    seen.clear();
    for_each_value(*huge.node(), [&](Value& value) { seen.push_back(value); });
    for_each_value(*pool.string("x").node(), [&](Value& value) { seen.push_back(value); });
    CHECK(seen.empty());
}

TEST_CASE("a pool frees a list a million deep and a ring without recursion") {
    std::weak_ptr<const Storage> storage;
    {
        Pool pool;
        Value inner = pool.list();
        const Value innermost = inner;
        for (int i = 0; i < 1000000; ++i) {
            const Value outer = pool.list();
            outer.sequence().items.push_back(inner);
            inner = outer;
        }
        innermost.sequence().items.push_back(inner);
        auto* node = pool.make<TensorNode>();
        const auto owned = zeros(8);
        node->storage = owned;
        storage = owned;
        CHECK(pool.size() == 1000002);
        CHECK_FALSE(storage.expired());
    }
    CHECK(storage.expired());
}

TEST_CASE("a document keeps the nodes of others alive, each pool once") {
    Document result;
    const Pool* own = &result.pool();
    std::weak_ptr<Pool> watched;
    {
        Document source;
        source.root = source.pool().string("from elsewhere");
        watched = source.pools.front();
        result.root = source.root;
        result.adopt_pools(source);
        result.adopt_pools(source);
        result.adopt_pools(result);
        CHECK(result.pools.size() == 2);
        Document third;
        third.adopt_pools(result);
        CHECK(third.pools.size() == 3);
        source.adopt_pools(third);
        CHECK(source.pools.size() == 3);
    }
    CHECK(&result.pool() == own);
    CHECK_FALSE(watched.expired());
    CHECK(result.root.as_string() == "from elsewhere");
    const Document moved = std::move(result);
    CHECK(moved.root.as_string() == "from elsewhere");
    CHECK(moved.pools.size() == 2);
    CHECK_FALSE(watched.expired());
}
