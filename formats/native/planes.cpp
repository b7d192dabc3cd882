// The loops. Pointers do not alias; unaligned elements go through memcpy, which costs nothing.
#include "formats/native/planes.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace ckpt::native {
namespace {

template <typename Word>
Word load(const std::byte* from, std::size_t i) {
    Word word;
    std::memcpy(&word, from + i * sizeof(Word), sizeof(Word));
    return word;
}

template <typename Word>
void store(std::byte* to, std::size_t i, Word word) {
    std::memcpy(to + i * sizeof(Word), &word, sizeof(Word));
}

template <typename Word, bool kRotated>
Word rotated_left(Word word) {
    constexpr unsigned kTop = sizeof(Word) * 8 - 1;
    return kRotated ? static_cast<Word>(static_cast<Word>(word << 1) | static_cast<Word>(word >> kTop)) : word;
}
template <typename Word, bool kRotated>
Word rotated_right(Word word) {
    constexpr unsigned kTop = sizeof(Word) * 8 - 1;
    return kRotated ? static_cast<Word>(static_cast<Word>(word >> 1) | static_cast<Word>(word << kTop)) : word;
}

// Blocks that stay in the first cache, a plane at a time: the inner loops have one stream each and vectorize
// everywhere.
constexpr std::size_t kBlock = 2048;

template <typename Word, bool kRotated>
void split(const std::byte* __restrict raw, std::size_t count, std::uint8_t* __restrict out) {
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
        const std::size_t end = std::min(count, begin + kBlock);
        for (unsigned plane = 0; plane < sizeof(Word); ++plane) {
            std::uint8_t* __restrict to = out + plane * count;
            const unsigned shift = 8 * (static_cast<unsigned>(sizeof(Word)) - 1 - plane);
            for (std::size_t i = begin; i < end; ++i)
                to[i] = static_cast<std::uint8_t>(rotated_left<Word, kRotated>(load<Word>(raw, i)) >> shift);
        }
    }
}

template <typename Word, bool kRotated>
void join(const std::uint8_t* __restrict planes, std::size_t count, std::byte* __restrict raw) {
    for (std::size_t i = 0; i < count; ++i) {
        Word word = 0;
        for (unsigned plane = 0; plane < sizeof(Word); ++plane) {
            const unsigned shift = 8 * (static_cast<unsigned>(sizeof(Word)) - 1 - plane);
            word = static_cast<Word>(word | static_cast<Word>(static_cast<Word>(planes[plane * count + i]) << shift));
        }
        store(raw, i, rotated_right<Word, kRotated>(word));
    }
}

/// bfloat16 and float32 by their fields.
template <typename Word>
struct Float {
    static constexpr unsigned kBits = sizeof(Word) * 8;
    static constexpr unsigned kMantissa = kBits - 9;
    static constexpr unsigned kRestBits = 5;  // of the mantissa; the sign is the sixth
    static constexpr Word kMagnitude = static_cast<Word>((Word{1} << (kBits - 1)) - 1);
};

constexpr int kSpan = 64;  // octaves that 6 bits of exponent hold

template <typename Word>
int base_of(const std::byte* raw, std::size_t count) {
    using F = Float<Word>;
    using Signed = std::make_signed_t<Word>;  // SSE2 compares signed 16-bit numbers only
    Signed largest = 0;
    Signed least = static_cast<Signed>(F::kMagnitude);  // of the magnitudes less one: zero comes out as the largest
    for (std::size_t i = 0; i < count; ++i) {
        const Word magnitude = load<Word>(raw, i) & F::kMagnitude;
        largest = std::max(largest, static_cast<Signed>(magnitude));
        least = std::min(least, static_cast<Signed>(static_cast<Word>(magnitude - 1) & F::kMagnitude));
    }
    const int exponent = static_cast<int>(largest >> F::kMantissa);
    const int base = std::max(0, exponent - (kSpan - 1));
    const Word subtracted = static_cast<Word>(static_cast<Word>(base) << F::kMantissa);
    return base == 0 || static_cast<Word>(least) >= subtracted ? base : -1;
}

template <typename Word>
void split_float(const std::byte* __restrict raw, std::size_t count, int base, std::uint8_t* __restrict symbols,
                 std::uint8_t* __restrict high, std::uint8_t* __restrict low, std::uint8_t* __restrict rests) {
    using F = Float<Word>;
    const Word subtracted = static_cast<Word>(static_cast<Word>(base) << F::kMantissa);
    for (std::size_t i = 0; i < count; ++i) {
        const Word element = load<Word>(raw, i);
        const Word magnitude = element & F::kMagnitude;
        const Word t = magnitude > subtracted ? static_cast<Word>(magnitude - subtracted) : Word{0};
        symbols[i] = static_cast<std::uint8_t>(t >> (F::kMantissa - 2));
        if constexpr (sizeof(Word) == 4) {
            high[i] = static_cast<std::uint8_t>(t >> 13);
            low[i] = static_cast<std::uint8_t>(t >> 5);
        }
        rests[i] = static_cast<std::uint8_t>((t & 31) << 1 | element >> (F::kBits - 1));
    }
}

template <typename Word>
void join_float(const std::uint8_t* __restrict symbols, const std::uint8_t* __restrict high,
                const std::uint8_t* __restrict low, const std::uint8_t* __restrict rests, std::size_t count, int base,
                std::byte* __restrict raw) {
    using F = Float<Word>;
    const Word subtracted = static_cast<Word>(static_cast<Word>(base) << F::kMantissa);
    for (std::size_t i = 0; i < count; ++i) {
        const Word rest = rests[i];
        Word t = static_cast<Word>(static_cast<Word>(static_cast<Word>(symbols[i]) << (F::kMantissa - 2)) |
                                   ((rest >> 1) & 31));
        if constexpr (sizeof(Word) == 4) t |= static_cast<Word>(high[i]) << 13 | static_cast<Word>(low[i]) << 5;
        const Word magnitude = static_cast<Word>(t + (t != 0 ? subtracted : Word{0}));
        store(raw, i, static_cast<Word>(magnitude | static_cast<Word>(rest << (F::kBits - 1))));
    }
}

}  // namespace

void split_planes(const std::byte* raw, std::size_t count, unsigned width, bool rotated, std::uint8_t* out) {
    switch (width) {
        case 1:
            std::memcpy(out, raw, count);
            break;
        case 2:
            rotated ? split<std::uint16_t, true>(raw, count, out) : split<std::uint16_t, false>(raw, count, out);
            break;
        case 4:
            rotated ? split<std::uint32_t, true>(raw, count, out) : split<std::uint32_t, false>(raw, count, out);
            break;
        default:
            rotated ? split<std::uint64_t, true>(raw, count, out) : split<std::uint64_t, false>(raw, count, out);
    }
}

void join_planes(const std::uint8_t* planes, std::size_t count, unsigned width, bool rotated, std::byte* raw) {
    switch (width) {
        case 1:
            std::memcpy(raw, planes, count);
            break;
        case 2:
            rotated ? join<std::uint16_t, true>(planes, count, raw) : join<std::uint16_t, false>(planes, count, raw);
            break;
        case 4:
            rotated ? join<std::uint32_t, true>(planes, count, raw) : join<std::uint32_t, false>(planes, count, raw);
            break;
        default:
            rotated ? join<std::uint64_t, true>(planes, count, raw) : join<std::uint64_t, false>(planes, count, raw);
    }
}

int float_base(const std::byte* raw, std::size_t count, unsigned width) {
    return width == 2 ? base_of<std::uint16_t>(raw, count) : base_of<std::uint32_t>(raw, count);
}

void split_floats(const std::byte* raw, std::size_t count, unsigned width, int base, const FloatParts& parts) {
    if (width == 2) {
        split_float<std::uint16_t>(raw, count, base, parts.symbols, nullptr, nullptr, parts.rests);
    } else {
        split_float<std::uint32_t>(raw, count, base, parts.symbols, parts.middle, parts.middle + count, parts.rests);
    }
}

void join_floats(const FloatParts& parts, std::size_t count, unsigned width, int base, std::byte* raw) {
    if (width == 2) {
        join_float<std::uint16_t>(parts.symbols, nullptr, nullptr, parts.rests, count, base, raw);
    } else {
        join_float<std::uint32_t>(parts.symbols, parts.middle, parts.middle + count, parts.rests, count, base, raw);
    }
}

std::size_t packed_size(std::size_t count) noexcept {
    return count / 4 * 3 + count % 4;
}

void pack_rests(const std::uint8_t* __restrict rests, std::size_t count, std::uint8_t* __restrict packed) {
    const std::size_t quarter = count / 4;
    const std::uint8_t* spread = rests + 3 * quarter;  // the last quarter goes into the others' two free bits
    for (unsigned k = 0; k < 3; ++k) {
        for (std::size_t i = 0; i < quarter; ++i) {
            packed[k * quarter + i] =
                static_cast<std::uint8_t>(rests[k * quarter + i] | static_cast<unsigned>(spread[i] >> (2 * k)) << 6);
        }
    }
    std::memcpy(packed + 3 * quarter, rests + 4 * quarter, count % 4);
}

void unpack_rests(const std::uint8_t* __restrict packed, std::size_t count, std::uint8_t* __restrict rests) {
    const std::size_t quarter = count / 4;
    const std::uint8_t* a = packed;
    const std::uint8_t* b = packed + quarter;
    const std::uint8_t* c = packed + 2 * quarter;
    for (std::size_t i = 0; i < quarter; ++i) {
        rests[i] = a[i] & 63;
        rests[quarter + i] = b[i] & 63;
        rests[2 * quarter + i] = c[i] & 63;
        rests[3 * quarter + i] = static_cast<std::uint8_t>(a[i] >> 6 | (b[i] >> 6) << 2 | (c[i] >> 6) << 4);
    }
    std::memcpy(rests + 4 * quarter, packed + 3 * quarter, count % 4);
}

}  // namespace ckpt::native
