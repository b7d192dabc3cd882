// Small floats: every code against the definition of its type, and rounding against what torch rounds to.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "libckpt/dtype.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;

namespace {

std::uint32_t rounded(DType dtype, double value) {
    if (dtype == DType::kFloat16) return double_to_float16(value);
    if (dtype == DType::kBFloat16) return double_to_bfloat16(value);
    return double_to_float8(dtype, value);
}
double exact(DType dtype, std::uint32_t code) {
    if (dtype == DType::kFloat16) return float16_to_double(static_cast<std::uint16_t>(code));
    if (dtype == DType::kBFloat16) return bfloat16_to_double(static_cast<std::uint16_t>(code));
    return float8_to_double(dtype, static_cast<std::uint8_t>(code));
}

constexpr DType kSmall[] = {DType::kFloat16,        DType::kBFloat16,       DType::kFloat8E4M3FN, DType::kFloat8E5M2,
                            DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2FNUZ, DType::kFloat8E8M0FNU};

BlobPtr negated(DType dtype, std::string bytes) {
    TensorNode tensor;
    tensor.dtype = dtype;
    tensor.neg = true;
    tensor.shape = {static_cast<std::int64_t>(bytes.size() / dtype_width(dtype))};
    tensor.stride = {1};
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob(std::move(bytes));
    tensor.storage = storage;
    return logical_blob(tensor);
}

}  // namespace

TEST_CASE("doubles are rounded to the bits that torch rounds them to") {
    std::ifstream file(CKPT_TEST_DATA "/rounding.txt");
    std::string line;
    std::getline(file, line);  // the names, in the order of kSmall
    int lines = 0;
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string number, code;
        fields >> number;
        const double value = std::strtod(number.c_str(), nullptr);
        for (const DType dtype : kSmall) {
            fields >> code;
            INFO(number << " as " << dtype_name(dtype));
            CHECK(rounded(dtype, value) == std::strtoul(code.c_str(), nullptr, 16));
        }
        ++lines;
    }
    CHECK(lines == 616);
}

TEST_CASE("every code of a small float comes back from its value") {
    for (const DType dtype : kSmall) {
        for (std::uint32_t code = 0; code < 1u << dtype_info(dtype).bits; ++code) {
            const double value = exact(dtype, code);
            INFO(dtype_name(dtype) << " " << code);
            if (std::isnan(value)) {
                CHECK(std::isnan(exact(dtype, rounded(dtype, value))));
            } else {
                CHECK(rounded(dtype, value) == code);
            }
        }
    }
}

TEST_CASE("the largest and smallest values are those of the definitions") {
    CHECK(float8_to_double(DType::kFloat8E4M3FN, 0x7e) == 448);
    CHECK(float8_to_double(DType::kFloat8E5M2, 0x7b) == 57344);
    CHECK(float8_to_double(DType::kFloat8E4M3FNUZ, 0x7f) == 240);
    CHECK(float8_to_double(DType::kFloat8E5M2FNUZ, 0x7f) == 57344);
    CHECK(float8_to_double(DType::kFloat8E4M3FN, 0x01) == std::ldexp(1.0, -9));
    CHECK(float8_to_double(DType::kFloat8E8M0FNU, 0x00) == std::ldexp(1.0, -127));
    CHECK(float16_to_double(0x7bff) == 65504);
    CHECK(std::signbit(float8_to_double(DType::kFloat8E4M3FN, 0x80)));
}

TEST_CASE("negated views negate what their type can") {
    const std::int32_t numbers[] = {1, -2, 0};
    const std::string bytes(reinterpret_cast<const char*>(numbers), sizeof numbers);
    std::int32_t result[3];
    std::memcpy(result, read_all(*negated(DType::kInt32, bytes), 100).data(), sizeof result);
    CHECK(result[0] == -1);
    CHECK(result[1] == 2);
    CHECK(result[2] == 0);
    CHECK(read_all(*negated(DType::kUInt8, std::string("\x01\x02", 2)), 9) == "\xff\xfe");
    // NaN and zero of the FNUZ kinds have no other sign.
    const std::string fnuz("\x80\x00\x01\x81", 4);
    CHECK(read_all(*negated(DType::kFloat8E5M2FNUZ, fnuz), 9) == std::string("\x80\x00\x81\x01", 4));
    CHECK_THROWS_AS(negated(DType::kBool, "\x01"), Error);
}

TEST_CASE("names and sizes of element types") {
    for (std::size_t i = 0; i < kDTypeCount; ++i) {
        const auto dtype = static_cast<DType>(i);
        CHECK(dtype_from_name(dtype_name(dtype)) == dtype);
    }
    CHECK_FALSE(dtype_from_name("float7"));
    CHECK(dtype_bytes(DType::kQUInt2x4, 5) == std::uint64_t{2});
    CHECK_FALSE(dtype_bytes(DType::kInt64, std::uint64_t{1} << 60));
}
