// Weights of several documents as one, and the parts of several.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "libckpt/combine.hpp"
#include "libckpt/error.hpp"
#include "libckpt/once_counter.hpp"
#include "libckpt/unite.hpp"

using namespace ckpt;

namespace {

template <typename T>
BlobPtr blob_of(const std::vector<T>& elements) {
    std::string bytes(elements.size() * sizeof(T), '\0');
    if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
    return memory_blob(bytes);
}
template <typename T>
std::vector<T> elements_of(const Blob& blob) {
    std::vector<T> elements(blob.size_bytes() / sizeof(T));
    blob.read(0, std::as_writable_bytes(std::span(elements)));
    return elements;
}

Value add(MergeInput& input, const std::string& key, DType dtype, BlobPtr blob) {
    Document& document = input.document;
    if (document.root.is_null()) document.root = document.pool().dict();
    auto* tensor = document.pool().make<TensorNode>();
    tensor->dtype = dtype;
    tensor->shape = {static_cast<std::int64_t>(blob->size_bytes() / dtype_width(dtype))};
    tensor->stride = {1};
    tensor->storage = std::make_shared<const Storage>(Storage{std::move(blob), {}});
    document.root.dict().entries.emplace_back(document.pool().string(key), Value::of(tensor));
    return Value::of(tensor);
}

std::vector<float> combined(const Formula& formula, const std::vector<std::vector<float>>& inputs,
                            const std::vector<float>& base = {}) {
    std::vector<BlobPtr> blobs;
    for (const auto& input : inputs) blobs.push_back(blob_of(input));
    auto shared = std::make_shared<Formula>(formula);
    if (shared->weights.empty()) shared->weights.assign(inputs.size(), 1.0);
    return elements_of<float>(*combined_blob(blobs, base.empty() ? nullptr : blob_of(base), DType::kFloat32,
                                             DType::kFloat32, shared, "w", nullptr));
}
using Floats = std::vector<float>;

Formula ties(double density) {
    Formula formula;
    formula.kind = Formula::Kind::kTask;
    formula.keep = Formula::Keep::kLargest;
    formula.density = density;
    formula.elects_sign = formula.normalizes = true;
    return formula;
}

}  // namespace

TEST_CASE("means are made in double and rounded once", "[combine]") {
    CHECK(combined({}, {{1, 2}, {2, 4}, {6, 0}}) == Floats{3, 2});
    Formula weighted;
    weighted.weights = {1, 3};
    CHECK(combined(weighted, {{1, 0}, {5, 8}}) == Floats{4, 6});
    // In float the small one would be lost at each step.
    CHECK(combined({}, {{16777216}, {1}, {1}, {2}}) == Floats{4194305});
    Formula fast;
    fast.is_fast = true;
    CHECK(combined(fast, {{16777216}, {1}, {1}, {2}}) == Floats{4194304.5f});
    const auto odd = combined({}, {{NAN, INFINITY}, {1, 1}});
    CHECK(std::isnan(odd[0]));
    CHECK(std::isinf(odd[1]));
}

TEST_CASE("TIES keeps the greatest differences, the first of equal ones, and elects a sign", "[combine]") {
    const Floats base = {0, 0, 0, 0};
    CHECK(combined(ties(0.5), {{4, 1, -3, 2}}, base) == Floats{4, 0, -3, 0});
    CHECK(combined(ties(0.5), {{2, 2, 2, 2}}, base) == Floats{2, 2, 0, 0});
    CHECK(combined(ties(0.1), {{1, 5, 1, 1}}, base) == Floats{0, 5, 0, 0});
    CHECK(combined(ties(1), {{1, -1, 0, 2}, {3, 3, 5, -2}}, base) == Floats{2, 3, 5, 2});
    CHECK(combined(ties(0), {{1, -1, 0, 2}}, base) == base);
    const auto odd = combined(ties(1), {{NAN, 1, 1, 1}, {1, 1, 1, 1}}, base);
    CHECK(std::isnan(odd[0]));
    std::vector<float> many(100000);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>((i * 7919) % many.size());
    const auto kept = combined(ties(0.25), {many}, std::vector<float>(many.size(), 0));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < many.size(); ++i) wrong += kept[i] == (many[i] >= 75000 ? many[i] : 0) ? 0 : 1;
    CHECK(wrong == 0);
}

TEST_CASE("the arc between two vectors", "[combine]") {
    Formula formula;
    formula.kind = Formula::Kind::kSlerp;
    formula.t = 0.5;
    const auto middle = combined(formula, {{1, 0}, {0, 1}});
    CHECK(middle[0] == Approx(std::sqrt(0.5)));
    CHECK(middle[1] == Approx(std::sqrt(0.5)));
    CHECK(combined(formula, {{1, 0}, {2, 0}}) == Floats{1.5f, 0});
    CHECK(combined(formula, {{0, 0}, {2, 4}}) == Floats{1, 2});
}

TEST_CASE("what is no weight is that of the newest", "[combine]") {
    std::vector<MergeInput> inputs(2);
    for (int k = 0; k < 2; ++k) {
        inputs[k].name = k == 0 ? "a" : "b";
        add(inputs[k], "w", DType::kFloat32, blob_of<float>({1.0f + 2 * k, 2}));
        add(inputs[k], "n", DType::kInt64, blob_of<std::int64_t>({k == 0 ? 1 : 4}));
        inputs[k].document.root.dict().entries.emplace_back(inputs[k].document.pool().string("epoch"),
                                                            Value::integer(10 * k));
    }
    CombineOptions options;
    Combination result = combine(inputs, nullptr, options, Context());
    CHECK(result.mismatches.empty());
    CHECK(result.combined == 1);
    CHECK(result.kept_tensors == 1);
    CHECK(result.kept_others == 1);
    const auto tensor = [&](const char* key) -> const TensorNode& {
        return result.document.root.dict().find(key)->tensor();
    };
    CHECK(elements_of<float>(*tensor("w").storage->blob) == Floats{2, 2});
    CHECK(elements_of<std::int64_t>(*tensor("n").storage->blob) == std::vector<std::int64_t>{4});
    options.also = {Glob("n"), Glob("epoch")};
    result = combine(inputs, nullptr, options, Context());
    CHECK(elements_of<std::int64_t>(*tensor("n").storage->blob) == std::vector<std::int64_t>{2});  // 2.5: to even
    CHECK(result.document.root.dict().find("epoch")->as_int64() == 5);
    CHECK(inputs[1].document.root.dict().find("epoch")->as_int64() == 10);
}

TEST_CASE("all that keeps inputs apart is said", "[combine]") {
    std::vector<MergeInput> inputs(2);
    inputs[0].name = "a";
    inputs[1].name = "b";
    add(inputs[0], "w", DType::kFloat32, blob_of<float>({1, 2}));
    add(inputs[0], "v", DType::kFloat32, blob_of<float>({1}));
    add(inputs[0], "gone", DType::kFloat32, blob_of<float>({1}));
    add(inputs[1], "w", DType::kFloat32, blob_of<float>({1}));
    add(inputs[1], "v", DType::kFloat64, blob_of<double>({1}));
    add(inputs[1], "new", DType::kFloat32, blob_of<float>({1}));
    CHECK(combine(inputs, nullptr, {}, Context()).mismatches ==
          std::vector<std::string>{"'w': is 2 in a and 1 in b", "'v': is float32 in a and float64 in b",
                                   "'new': is not in a", "'gone': is in a and not in b"});
    CombineOptions options;
    options.formula.weights = {1};
    CHECK_THROWS_AS(combine(inputs, nullptr, options, Context()), Error);
    options.formula.weights = {1, -1};
    CHECK_THROWS_AS(combine(inputs, nullptr, options, Context()), Error);
}

TEST_CASE("the parts of several documents", "[combine]") {
    std::vector<MergeInput> inputs(2);
    inputs[0].name = "a";
    inputs[1].name = "b";
    add(inputs[0], "w", DType::kFloat32, blob_of<float>({1, 2}));
    add(inputs[0], "x", DType::kFloat32, blob_of<float>({1}));
    add(inputs[1], "v", DType::kFloat32, blob_of<float>({1}));
    add(inputs[1], "w", DType::kFloat32, blob_of<float>({1, 2}));
    add(inputs[1], "x", DType::kFloat32, blob_of<float>({5}));
    Union result = unite(inputs, Prefer::kNone, Context());
    CHECK(result.conflicts == std::vector<std::string>{"'x' is not the same in a and b"});
    result = unite(inputs, Prefer::kLast, Context());
    CHECK(result.decided == 1);
    REQUIRE(result.document.root.dict().entries.size() == 3);
    CHECK(result.document.root.dict().entries[2].first.as_string() == "v");
    CHECK(elements_of<float>(*result.document.root.dict().find("x")->tensor().storage->blob) == Floats{5});
}
