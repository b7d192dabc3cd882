// Subscripts, and what can be drawn.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libckpt/curves.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/slice.hpp"

using namespace ckpt;

namespace {

/// 0, 1, 2, ... in a shape.
Value counting(Pool& pool, const SizeList& shape) {
    auto* tensor = pool.make<TensorNode>();
    tensor->dtype = DType::kFloat32;
    tensor->shape = shape;
    tensor->stride = contiguous_strides(shape);
    std::string bytes(*tensor->logical_bytes(), '\0');
    for (std::size_t i = 0; i < bytes.size() / 4; ++i) {
        const auto number = static_cast<float>(i);
        std::memcpy(bytes.data() + 4 * i, &number, 4);
    }
    tensor->storage = std::make_shared<const Storage>(Storage{memory_blob(bytes), {}});
    return Value::of(tensor);
}

std::vector<float> part(const Value& value, const char* subscripts, SizeList* shape = nullptr) {
    Pool pool;
    const Value view = sliced(pool, value, parse_slice(subscripts)->subscripts);
    if (shape != nullptr) *shape = view.tensor().shape;
    view.tensor().check_bounds("the view");
    const BlobPtr blob = logical_blob(view.tensor());
    std::vector<float> numbers(blob->size_bytes() / 4);
    blob->read(0, std::as_writable_bytes(std::span(numbers)));
    return numbers;
}
using Floats = std::vector<float>;

ErrorCode code_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::kInternal;
}

Value list_of(Pool& pool, const std::vector<Value>& items) {
    const Value list = pool.list();
    list.sequence().items = items;
    return list;
}

}  // namespace

TEST_CASE("parts of tensors by subscripts", "[slice]") {
    Pool pool;
    const Value value = counting(pool, {2, 3, 4});
    SizeList shape;
    CHECK(part(value, "[1,2,-1]", &shape) == Floats{23});
    CHECK(shape.empty());
    CHECK(part(value, "[0:1, :, 3]", &shape) == Floats{3, 7, 11});
    CHECK((shape == SizeList{1, 3}));
    CHECK(part(value, "[..., ::3]") == Floats{0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 20, 23});
    CHECK(part(value, "[-1,-2:,1]") == Floats{17, 21});
    CHECK(part(value, "[5:,0,0]", &shape).empty());
    CHECK((shape == SizeList{0}));
    CHECK(part(value, "[1]").size() == 12);
    CHECK_FALSE(parse_slice("model/w"));
    CHECK_FALSE(parse_slice("w]"));
    CHECK(parse_slice("a/b[c][1]")->path == "a/b[c]");
    for (const char* bad : {"w[]", "w[x]", "w[1,]", "w[::0]", "w[::-1]", "w[1:2:3:4]"})
        CHECK(code_of([&] { parse_slice(bad); }) == ErrorCode::kUsage);
    CHECK(code_of([&] { part(value, "[2]"); }) == ErrorCode::kNotFound);
    CHECK(code_of([&] { part(value, "[-3]"); }) == ErrorCode::kNotFound);
    CHECK(code_of([&] { part(value, "[0,0,0,0]"); }) == ErrorCode::kNotFound);
    CHECK(code_of([&] { part(value, "[...,...]"); }) == ErrorCode::kUsage);
}

TEST_CASE("parts of lists, and lists as tensors", "[slice]") {
    Pool pool;
    const Value list = list_of(pool, {Value::integer(1), Value::integer(2), Value::real(0.5)});
    CHECK(sliced(pool, list, parse_slice("[-1]")->subscripts).as_double() == 0.5);
    const Value rest = sliced(pool, list, parse_slice("[1:]")->subscripts);
    CHECK(rest.sequence().items.size() == 2);
    CHECK(as_tensor(pool, rest)->tensor().dtype == DType::kFloat64);
    CHECK(as_tensor(pool, sliced(pool, list, parse_slice("[:2]")->subscripts))->tensor().dtype == DType::kInt64);
    CHECK(as_tensor(pool, Value::integer(7))->tensor().shape.empty());
    CHECK_FALSE(as_tensor(pool, pool.string("x")));
    CHECK(code_of([&] { sliced(pool, Value::integer(7), parse_slice("[0]")->subscripts); }) == ErrorCode::kUsage);
}

TEST_CASE("what of a value is a curve", "[curves]") {
    Pool pool;
    const Value log = pool.dict();
    const auto put = [&](const char* key, const Value& value) {
        log.dict().entries.emplace_back(pool.string(key), value);
    };
    put("loss", list_of(pool, {Value::real(2), Value::null(), Value::real(1)}));
    put("name", list_of(pool, {pool.string("a")}));
    put("alone", Value::integer(3));
    put("w", counting(pool, {4}));
    put("m", counting(pool, {2, 2}));
    const auto curves = curves_of(log, "log");
    REQUIRE(curves.size() == 2);
    CHECK(curves[0].name == "log/loss");
    CHECK(curves[0].x == std::vector<double>{0, 1, 2});
    CHECK(curves[0].y[0] == 2);
    CHECK(std::isnan(curves[0].y[1]));
    CHECK(curves[1].name == "log/w");
    CHECK(last_number(Value::integer(3)) == 3);
    CHECK(last_number(log.dict().entries[0].second) == 1);
    CHECK(last_number(counting(pool, {1})) == 0);
    CHECK(std::isnan(last_number(pool.string("x"))));
}

TEST_CASE("histograms", "[curves]") {
    Pool pool;
    const Chart chart = histogram_chart(counting(pool, {100}).tensor(), "w", 4, Context());
    REQUIRE(chart.curves.size() == 1);
    CHECK(chart.curves[0].x == std::vector<double>{0, 24.75, 49.5, 74.25, 99});
    CHECK(chart.curves[0].y == std::vector<double>{25, 25, 25, 25});
    CHECK(histogram_chart(counting(pool, {1}).tensor(), "w", 4, Context()).curves[0].y == std::vector<double>{1});
    CHECK(histogram_chart(counting(pool, {0}).tensor(), "w", 4, Context()).curves.empty());
}
