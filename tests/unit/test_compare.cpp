// Two documents side by side.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "libckpt/compare.hpp"

using namespace ckpt;

namespace {

template <typename T>
StoragePtr storage_of(const std::vector<T>& elements) {
    std::string bytes(elements.size() * sizeof(T), '\0');
    if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
    return std::make_shared<const Storage>(Storage{memory_blob(bytes), {}});
}

Value tensor_of(Document& document, DType dtype, const SizeList& shape, StoragePtr storage) {
    auto* tensor = document.pool().make<TensorNode>();
    tensor->dtype = dtype;
    tensor->shape = shape;
    tensor->stride = contiguous_strides(shape);
    tensor->storage = std::move(storage);
    return Value::of(tensor);
}

void add(Document& document, const std::string& key, Value value) {
    if (document.root.is_null()) document.root = document.pool().dict();
    document.root.dict().entries.emplace_back(document.pool().string(key), value);
}

std::vector<std::string> found(const Document& a, const Document& b, const CompareOptions& options = {}) {
    std::vector<std::string> lines;
    for (const Difference& difference : compare_documents(a, b, options, Context()).differences)
        lines.push_back(std::string(aspect_name(difference.aspect)) + ": " + difference.path);
    return lines;
}

using Lines = std::vector<std::string>;

TensorDistance distance_of(DType dtype, StoragePtr left, StoragePtr right, std::int64_t count,
                           const Tolerance& tolerance = {}) {
    Document document;
    const Value a = tensor_of(document, dtype, {count}, std::move(left));
    const Value b = tensor_of(document, dtype, {count}, std::move(right));
    return *tensor_distances({{&a.tensor(), &b.tensor()}}, tolerance, Context()).front();
}

}  // namespace

TEST_CASE("names, kinds, classes and order of two documents", "[compare]") {
    Document a, b;
    add(a, "x", Value::integer(1));
    add(a, "y", Value::real(0.5));
    add(a, "z", a.pool().string("same"));
    add(a, "only", Value::null());
    add(b, "z", b.pool().string("same"));
    add(b, "y", b.pool().string("0.5"));
    add(b, "x", b.pool().typed_scalar(Value::integer(1), "numpy.int64"));
    add(b, "more", Value::null());
    CHECK(found(a, b) == Lines{"order: ", "class: x", "kind: y", "only in a: only", "only in b: more"});
    CompareOptions options;
    options.with_form = false;
    CHECK(found(a, b, options) == Lines{"kind: y", "only in a: only", "only in b: more"});
    options.ignored = {Glob("y"), Glob("o*")};
    CHECK(found(a, b, options) == Lines{"only in b: more"});
    options.names_only = true;
    CHECK(found(a, b, options) == Lines{"only in b: more"});
}

TEST_CASE("keys that print alike are matched by what they are", "[compare]") {
    Document a, b;
    a.root = a.pool().dict();
    a.root.dict().entries = {{Value::integer(1), Value::integer(5)}, {a.pool().string("1"), Value::integer(6)}};
    b.root = b.pool().dict();
    b.root.dict().entries = {{Value::integer(1), Value::integer(5)}, {b.pool().string("1"), Value::integer(6)}};
    CHECK(found(a, b).empty());
    b.root.dict().entries.pop_back();
    CHECK(found(a, b) == Lines{"only in a: 1"});
    a.root.dict().entries.erase(a.root.dict().entries.begin());
    CHECK(found(a, b) == Lines{"key: 1", "value: 1"});
}

TEST_CASE("lists by number, sets whatever their order", "[compare]") {
    Document a, b;
    Value list = a.pool().list();
    list.sequence().items = {Value::integer(1), Value::integer(2), Value::integer(3)};
    add(a, "list", list);
    add(b, "list", b.pool().tuple({Value::integer(1), Value::integer(5)}));
    Value set = a.pool().set();
    set.sequence().items = {Value::integer(1), Value::integer(2)};
    add(a, "set", set);
    set = b.pool().set();
    set.sequence().items = {Value::integer(2), Value::integer(1)};
    add(b, "set", set);
    CHECK(found(a, b) == Lines{"kind: list", "value: list/1", "only in a: list/2"});
    CompareOptions options;
    options.with_form = false;
    options.tolerance.absolute = 3;
    CHECK(found(a, b, options) == Lines{"only in a: list/2"});
}

TEST_CASE("a value within itself is compared once", "[compare]") {
    Document a, b;
    a.root = a.pool().list();
    a.root.sequence().items = {a.root, Value::integer(1)};
    b.root = b.pool().list();
    b.root.sequence().items = {b.root, Value::integer(2)};
    CHECK(found(a, b) == Lines{"value: 1"});
}

TEST_CASE("dtypes, shapes, strides, ties and roles of tensors", "[compare]") {
    Document a, b;
    const auto floats = storage_of<float>({1, 2, 3, 4});
    add(a, "w", tensor_of(a, DType::kFloat32, {2, 2}, floats));
    add(a, "tied", tensor_of(a, DType::kFloat32, {2, 2}, floats));
    add(a, "t", tensor_of(a, DType::kFloat32, {2, 2}, storage_of<float>({1, 2, 3, 4})));
    add(a, "s", tensor_of(a, DType::kFloat32, {4}, floats));
    add(a, "d", tensor_of(a, DType::kFloat32, {2}, storage_of<float>({1, 2})));
    add(b, "w", tensor_of(b, DType::kFloat32, {2, 2}, storage_of<float>({1, 2, 3, 4})));
    add(b, "tied", tensor_of(b, DType::kFloat32, {2, 2}, storage_of<float>({1, 2, 3, 4.5f})));
    add(b, "t", tensor_of(b, DType::kFloat32, {2, 2}, storage_of<float>({1, 3, 2, 4})));
    b.root.dict().entries.back().second.tensor().stride = {1, 2};
    add(b, "s", tensor_of(b, DType::kFloat32, {2, 2}, floats));
    add(b, "d", tensor_of(b, DType::kFloat64, {2}, storage_of<double>({1, 2})));
    CHECK(found(a, b) == Lines{"tie: tied", "value: tied", "stride: t", "shape: s", "dtype: d"});
    CompareOptions options;
    options.with_form = options.with_dtypes = false;
    CHECK(found(a, b, options) == Lines{"value: tied", "shape: s"});
    const auto comparison = compare_documents(a, b, options, Context());
    REQUIRE(comparison.roles.size() == 1);
    CHECK(comparison.roles[0].tensors == 5);
    CHECK(comparison.roles[0].tensors_equal == 3);
    CHECK(comparison.roles[0].greatest == 0.5);
}

TEST_CASE("how far tensors are apart", "[compare]") {
    const float kInf = std::numeric_limits<float>::infinity();
    const auto distance = distance_of(DType::kFloat32, storage_of<float>({1, 0, NAN, kInf, kInf, 3, -1}),
                                      storage_of<float>({1, 0, NAN, kInf, -kInf, NAN, 1}), 7);
    CHECK(distance.numbers == 7);
    CHECK(distance.differing == 3);
    CHECK(distance.unlike == 2);
    CHECK(distance.greatest == 2);
    CHECK(distance.mean == Approx(2.0 / 3));
    CHECK(*distance.cosine == Approx(0).margin(1e-15));
    CHECK(distance_of(DType::kFloat32, storage_of<float>({0.0f}), storage_of<float>({-0.0f}), 1).differing == 0);
    // Integers that are one double.
    const std::int64_t big = (std::int64_t{1} << 53) + 1;
    CHECK(distance_of(DType::kInt64, storage_of<std::int64_t>({big, big}), storage_of<std::int64_t>({big, big - 1}), 2)
              .differing == 1);
}

TEST_CASE("tolerances", "[compare]") {
    const auto left = storage_of<float>({100, 1.0f, 0});
    const auto right = storage_of<float>({101, std::nextafter(1.0f, 2.0f), 1e-6f});
    CHECK(distance_of(DType::kFloat32, left, right, 3).differing == 3);
    Tolerance tolerance;
    tolerance.relative = 0.01;
    CHECK(distance_of(DType::kFloat32, left, right, 3, tolerance).differing == 1);
    tolerance.absolute = 1e-5;
    CHECK(distance_of(DType::kFloat32, left, right, 3, tolerance).differing == 0);
    Tolerance steps;
    steps.ulp = 1;
    CHECK(distance_of(DType::kFloat32, left, right, 3, steps).differing == 2);
    CHECK(steps.passes(1.0, std::nextafter(1.0, 2.0)));
    CHECK(steps.passes(-0.0, std::numeric_limits<double>::denorm_min()));
    CHECK_FALSE(steps.passes(1.0, 1.1));
    CHECK_FALSE(steps.passes(1.0, std::numeric_limits<double>::quiet_NaN()));
}
