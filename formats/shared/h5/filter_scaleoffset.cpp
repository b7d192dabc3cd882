// Undoing scale-offset: numbers as short differences from the least one, floats rounded to decimals. Facts: hdf5.md,
// 12.4.
#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "formats/shared/h5/bit_reader.hpp"
#include "formats/shared/h5/filter_decoders.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::size_t kParameters = 20;
constexpr std::size_t kFillWord = 8;
constexpr std::size_t kHeaderBytes = 21;

enum Method : std::uint32_t { kFloatDecimals = 0, kFloatExponent = 1, kInteger = 2 };

/// The parameters and the chunk's header.
struct Coding {
    bool is_float = false;
    std::uint32_t size = 0;  ///< of an element, in bytes
    std::uint32_t count = 0;
    std::int32_t decimals = 0;
    bool is_big_endian = false;
    bool has_fill = false;
    std::uint64_t fill = 0;
    unsigned bits = 0;        ///< of a stored number
    std::uint64_t least = 0;  ///< bits of the least number
};

/// What the parameters say; the stored bits are `least` and `bits` of each chunk.
Coding coding_of(std::span<const std::uint32_t> p) {
    require(p.size() == kParameters, "scaleoffset: {} parameters instead of {}", p.size(), kParameters);
    if (p[0] == kFloatExponent) throw_error(ErrorCode::kUnsupported, "scaleoffset: method 1 (E-scaling) is not read");
    Coding coding;
    coding.is_float = p[3] == 1;
    coding.size = p[4];
    require(p[3] <= 1 && p[0] == (coding.is_float ? kFloatDecimals : kInteger), "scaleoffset: method {} for class {}",
            p[0], p[3]);
    const bool is_size_known = coding.size == 4 || coding.size == 8 || (!coding.is_float && coding.size - 1 <= 1);
    require(is_size_known && p[6] <= 1, "scaleoffset: elements of {} bytes, byte order {}", coding.size, p[6]);
    coding.decimals = static_cast<std::int32_t>(p[1]);
    require(coding.is_float || p[1] <= 8 * coding.size, "scaleoffset: {} bits in elements of {} bytes", p[1],
            coding.size);
    coding.count = p[2];
    coding.is_big_endian = p[6] == 1;
    coding.has_fill = p[7] != 0;
    coding.fill = p[kFillWord] | std::uint64_t{p[kFillWord + 1]} << 32;
    return coding;
}

std::uint64_t number(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

template <typename Word>
void put(Word value, bool is_big_endian, std::byte* to) {
    for (std::size_t i = 0; i < sizeof(Word); ++i) {
        to[is_big_endian ? sizeof(Word) - 1 - i : i] = static_cast<std::byte>(std::uint64_t{value} >> (8 * i));
    }
}

/// `restore` makes an element's bits of a stored number.
template <typename Word, typename Restore>
void unpack(std::span<const std::byte> packed, const Coding& coding, std::byte* out, Restore restore) {
    BitReader bits(packed, "scaleoffset");
    const std::uint64_t fill_mark = (std::uint64_t{1} << coding.bits) - 1;  // fewer bits than the element has
    const auto fill = static_cast<Word>(coding.fill);
    for (std::uint32_t i = 0; i < coding.count; ++i, out += sizeof(Word)) {
        const std::uint64_t stored = bits.take(coding.bits);
        put(coding.has_fill && stored == fill_mark ? fill : restore(stored), coding.is_big_endian, out);
    }
}

template <typename Word>
void unpack_integers(std::span<const std::byte> packed, const Coding& coding, std::byte* out) {
    unpack<Word>(packed, coding, out, [&](std::uint64_t stored) { return static_cast<Word>(stored + coding.least); });
}

template <typename Float>
void unpack_floats(std::span<const std::byte> packed, const Coding& coding, std::byte* out) {
    using Word = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;
    const auto scale = static_cast<Float>(std::pow(Float{10}, static_cast<Float>(coding.decimals)));
    const auto least = std::bit_cast<Float>(static_cast<Word>(coding.least));
    unpack<Word>(packed, coding, out,
                 [&](std::uint64_t stored) { return std::bit_cast<Word>(static_cast<Float>(stored) / scale + least); });
}

/// Numbers that found no shorter form: all their bytes, little-endian.
void copy_elements(std::span<const std::byte> stored, const Coding& coding, std::byte* out) {
    std::copy(stored.begin(), stored.end(), out);
    if (!coding.is_big_endian) return;
    for (std::size_t at = 0; at < stored.size(); at += coding.size) std::reverse(out + at, out + at + coding.size);
}

}  // namespace

std::size_t decode_scaleoffset(std::span<const std::byte> stored, std::span<const std::uint32_t> parameters,
                               std::span<std::byte> out) {
    Coding coding = coding_of(parameters);
    const std::uint64_t total = std::uint64_t{coding.count} * coding.size;
    const bool is_unchanged = !coding.is_float && parameters[1] == 8 * coding.size;
    const std::uint64_t wanted = is_unchanged ? stored.size() : total;
    require(wanted <= out.size(), "scaleoffset: a chunk has {} bytes, more than the {} that it may have", wanted,
            out.size());
    if (is_unchanged) {
        std::copy(stored.begin(), stored.end(), out.begin());
        return stored.size();
    }
    require(stored.size() >= kHeaderBytes, "scaleoffset: a chunk of {} bytes has no header", stored.size());
    const std::uint64_t bits = number(stored.first(4));
    const std::size_t least_bytes = std::min<std::size_t>(8, std::to_integer<std::size_t>(stored[4]));
    coding.least = number(stored.subspan(5, least_bytes));
    const std::span<const std::byte> packed = stored.subspan(kHeaderBytes);
    require(bits <= 8 * coding.size, "scaleoffset: {} bits for each element of {} bytes", bits, coding.size);
    const std::uint64_t packed_bytes = (bits * coding.count + 7) / 8;
    require(packed_bytes <= packed.size(), "scaleoffset: {} elements of {} bits end after {} bytes", coding.count, bits,
            packed.size());
    coding.bits = static_cast<unsigned>(bits);
    if (bits == 8 * coding.size) {
        copy_elements(packed.first(static_cast<std::size_t>(total)), coding, out.data());
    } else if (coding.is_float) {
        coding.size == 4 ? unpack_floats<float>(packed, coding, out.data())
                         : unpack_floats<double>(packed, coding, out.data());
    } else if (coding.size == 1) {
        unpack_integers<std::uint8_t>(packed, coding, out.data());
    } else if (coding.size == 2) {
        unpack_integers<std::uint16_t>(packed, coding, out.data());
    } else if (coding.size == 4) {
        unpack_integers<std::uint32_t>(packed, coding, out.data());
    } else {
        unpack_integers<std::uint64_t>(packed, coding, out.data());
    }
    return static_cast<std::size_t>(total);
}

}  // namespace ckpt::h5
