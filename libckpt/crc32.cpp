// CRC-32 by libdeflate, and its arithmetic for joining pieces.
#include "libckpt/crc32.hpp"

#include <libdeflate.h>

namespace ckpt {
namespace {

// Polynomials modulo the CRC's own are held bit-reversed: the highest bit is the constant term.
constexpr std::uint32_t kPolynomial = 0xedb88320u;
constexpr std::uint32_t kOne = 0x80000000u;

constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {
    std::uint32_t product = 0;
    for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
        if ((a & bit) != 0) product ^= b;
        b = (b & 1u) != 0 ? (b >> 1) ^ kPolynomial : b >> 1;
    }
    return product;
}

/// x^(8 n) modulo the polynomial, by squaring.
constexpr std::uint32_t shift_by_bytes(std::uint64_t bytes) noexcept {
    std::uint32_t result = kOne;
    std::uint32_t power = kOne >> 8;  // x^8
    for (; bytes != 0; bytes >>= 1) {
        if ((bytes & 1u) != 0) result = multiply(result, power);
        power = multiply(power, power);
    }
    return result;
}

}  // namespace

std::uint32_t crc32(std::uint32_t crc, std::span<const std::byte> bytes) noexcept {
    return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

std::uint32_t crc32_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t size_b_bytes) noexcept {
    return multiply(crc_a, shift_by_bytes(size_b_bytes)) ^ crc_b;
}

}  // namespace ckpt
