// Blocks of elements as numbers and back, beside the functions for one element.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "libckpt/numbers.hpp"

using namespace ckpt;

namespace {

bool same(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

std::uint16_t one_element(DType dtype, double value) {
    switch (dtype) {
        case DType::kFloat16:
            return double_to_float16(value);
        case DType::kBFloat16:
            return double_to_bfloat16(value);
        default:
            return double_to_float8(dtype, value);
    }
}

constexpr DType kSmall[] = {DType::kFloat16,        DType::kBFloat16,       DType::kFloat8E4M3FN, DType::kFloat8E5M2,
                            DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2FNUZ, DType::kFloat8E8M0FNU};

/// Every number of a small dtype, and those around the middles between neighbours.
std::vector<float> tricky(DType dtype) {
    std::vector<float> numbers;
    const unsigned count = 1u << (8 * dtype_width(dtype));
    for (unsigned bits = 0; bits < count; ++bits) {
        std::byte bytes[2];
        std::memcpy(bytes, &bits, 2);
        const auto here = static_cast<float>(element_as_double(dtype, bytes));
        const unsigned beyond = bits + 1;
        std::memcpy(bytes, &beyond, 2);
        const auto next = static_cast<float>(element_as_double(dtype, bytes));
        const float middle = here / 2 + next / 2;
        for (const float number : {here, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e38f)})
            numbers.push_back(number);
    }
    for (const float number : {0.0f, -0.0f, 1e38f, -1e38f, 1e-45f, std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
        numbers.push_back(number);
    return numbers;
}

}  // namespace

TEST_CASE("blocks of small floats are decoded as one by one", "[numbers]") {
    for (const DType dtype : kSmall) {
        const unsigned width = dtype_width(dtype);
        const unsigned count = 1u << (8 * width);
        std::vector<std::byte> bytes(std::size_t{count} * width);
        for (unsigned i = 0; i < count; ++i) std::memcpy(bytes.data() + i * width, &i, width);
        std::vector<double> numbers(count);
        decode_numbers(dtype, bytes.data(), std::span<double>(numbers));
        std::size_t wrong = 0;
        for (unsigned i = 0; i < count; ++i)
            wrong += same(numbers[i], element_as_double(dtype, bytes.data() + i * width)) ? 0 : 1;
        INFO(dtype_name(dtype));
        CHECK(wrong == 0);
    }
}

TEST_CASE("blocks of small floats are encoded as one by one", "[numbers]") {
    for (const DType dtype : kSmall) {
        const unsigned width = dtype_width(dtype);
        const auto numbers = tricky(dtype);
        std::vector<std::byte> bytes(numbers.size() * width);
        encode_numbers(dtype, std::span<const float>(numbers), bytes.data());
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            std::uint16_t found = 0;
            std::memcpy(&found, bytes.data() + i * width, width);
            wrong += found == one_element(dtype, static_cast<double>(numbers[i])) ? 0 : 1;
        }
        INFO(dtype_name(dtype));
        CHECK(wrong == 0);
    }
}

TEST_CASE("a double right beside a tie is rounded once, or twice as torch does", "[numbers]") {
    // The middle between 1 and the next bfloat16, and a little more than that: float32 does not see it.
    const double middle = 1 + 0x1p-8;
    const std::vector<double> numbers = {
        middle, middle + 0x1p-50, -(middle + 0x1p-50), middle - 0x1p-50, std::numeric_limits<double>::max(), 1e-300};
    std::vector<std::uint16_t> once(numbers.size()), twice(numbers.size());
    encode_numbers(DType::kBFloat16, std::span<const double>(numbers), reinterpret_cast<std::byte*>(once.data()),
                   Rounding::kOnce);
    encode_numbers(DType::kBFloat16, std::span<const double>(numbers), reinterpret_cast<std::byte*>(twice.data()),
                   Rounding::kLikeTorch);
    CHECK(once == std::vector<std::uint16_t>{0x3f80, 0x3f81, 0xbf81, 0x3f80, 0x7f80, 0});
    CHECK(twice == std::vector<std::uint16_t>{0x3f80, 0x3f80, 0xbf80, 0x3f80, 0x7f80, 0});
}

TEST_CASE("numbers as integers", "[numbers]") {
    const std::vector<double> numbers = {1.9, -1.9, 300, -300, 1e30, std::numeric_limits<double>::quiet_NaN()};
    std::vector<std::int8_t> small(numbers.size());
    encode_numbers(DType::kInt8, std::span<const double>(numbers), reinterpret_cast<std::byte*>(small.data()),
                   Rounding::kOnce);
    CHECK(small == std::vector<std::int8_t>{1, -1, 127, -128, 127, 0});
    std::vector<std::int64_t> large(numbers.size());
    encode_numbers(DType::kInt64, std::span<const double>(numbers), reinterpret_cast<std::byte*>(large.data()),
                   Rounding::kOnce);
    CHECK(large[4] == std::numeric_limits<std::int64_t>::max());
    const std::vector<double> flags = {0, -0.0, 0.5};
    std::vector<std::uint8_t> bools(3);
    encode_numbers(DType::kBool, std::span<const double>(flags), reinterpret_cast<std::byte*>(bools.data()),
                   Rounding::kOnce);
    CHECK(bools == std::vector<std::uint8_t>{0, 0, 1});
}
