// What the numbers of a tensor are like.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "libckpt/statistics.hpp"

using namespace ckpt;

namespace {

template <typename T>
TensorStatistics of(DType dtype, const std::vector<T>& elements) {
    Pool pool;
    auto* tensor = pool.make<TensorNode>();
    tensor->dtype = dtype;
    std::string bytes(elements.size() * sizeof(T), '\0');
    if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
    const std::size_t width = dtype_width(dtype) == 0 ? 1 : dtype_width(dtype);
    tensor->shape = {static_cast<std::int64_t>(bytes.size() / width)};
    tensor->stride = {1};
    tensor->storage = std::make_shared<const Storage>(Storage{memory_blob(bytes), {}});
    return statistics_of(*tensor, Context());
}

}  // namespace

TEST_CASE("the moments of floats, and what is no number", "[statistics]") {
    const float kInf = std::numeric_limits<float>::infinity();
    const auto found = of<float>(DType::kFloat32, {1, -2, NAN, kInf, -kInf, 0, -0.0f, 4, 1e-40f});
    CHECK(found.elements == 9);
    CHECK(found.nan == 1);
    CHECK(found.infinite == 2);
    CHECK(found.zeros == 2);
    CHECK(found.denormals == 1);
    CHECK(found.least == -2.0);
    CHECK(found.greatest == 4.0);
    CHECK(*found.mean == Approx(0.5));
    CHECK(*found.norm == Approx(std::sqrt(21.0)));
    CHECK(*found.deviation == Approx(std::sqrt(21.0 / 6 - 0.25)));
}

TEST_CASE("of nothing finite there is no mean", "[statistics]") {
    CHECK(of<float>(DType::kFloat32, {}).elements == 0);
    CHECK_FALSE(of<float>(DType::kFloat32, {}).mean);
    const auto found = of<double>(DType::kFloat64, {NAN, NAN});
    CHECK(found.nan == 2);
    CHECK_FALSE(found.least);
    CHECK_FALSE(found.norm);
}

TEST_CASE("sums that overflow, or lose small numbers in large ones, do not", "[statistics]") {
    const double big = std::numeric_limits<double>::max();
    auto found = of<double>(DType::kFloat64, {big, big, big, big});
    CHECK(*found.mean == Approx(big));
    CHECK(*found.norm == std::numeric_limits<double>::infinity());
    found = of<double>(DType::kFloat64, {1e200, 1e200});
    CHECK(*found.norm == Approx(std::sqrt(2.0) * 1e200));
    found = of<double>(DType::kFloat64, {1e-200, 1e-200});
    CHECK(*found.norm == Approx(std::sqrt(2.0) * 1e-200));
    std::vector<float> many(300000, 1e8f);
    for (std::size_t i = 0; i < many.size(); i += 2) many[i] += 16;
    found = of<float>(DType::kFloat32, many);
    CHECK(*found.mean == 1e8 + 8);
    CHECK(*found.deviation == Approx(8));
}

TEST_CASE("each type's own least normal number", "[statistics]") {
    CHECK(of<std::uint16_t>(DType::kFloat16, {0x03ff, 0x0400, 0x8001}).denormals == 2);
    CHECK(of<std::uint16_t>(DType::kBFloat16, {0x007f, 0x0080, 0x8001}).denormals == 2);
    CHECK(of<std::uint8_t>(DType::kFloat8E4M3FN, {0x07, 0x08, 0x81}).denormals == 2);
    CHECK(of<std::uint8_t>(DType::kFloat8E5M2, {0x03, 0x04, 0x81}).denormals == 2);
    CHECK(of<std::int32_t>(DType::kInt32, {1, 0, -7}).denormals == 0);
}

TEST_CASE("integers and complex numbers", "[statistics]") {
    auto found = of<std::int64_t>(DType::kInt64, {-3, 5, 0, 0});
    CHECK(found.zeros == 2);
    CHECK(*found.mean == 0.5);
    found = of<std::uint8_t>(DType::kBool, {1, 0, 1, 1});
    CHECK(*found.mean == 0.75);
    found = of<float>(DType::kComplex64, {3, 4, NAN, 0});
    CHECK(found.elements == 2);
    CHECK(found.nan == 1);
    CHECK(*found.norm == Approx(5));
}
