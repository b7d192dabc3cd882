// Undoing shuffle: the planes of bytes of a chunk as elements again.
#include <algorithm>

#include "formats/shared/h5/filter_decoders.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ckpt::h5 {
namespace {

#if defined(__SSE2__)
constexpr std::size_t kAtOnce = 16;  ///< elements, one register of each plane

__m128i load(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
void store(std::byte* to, __m128i value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), value);
}

/// Elements of 4 bytes; returns how many were done.
std::size_t unshuffle_4(const std::byte* from, std::size_t count, std::byte* to) noexcept {
    std::size_t i = 0;
    for (; i + kAtOnce <= count; i += kAtOnce) {
        const __m128i a = load(from + i);
        const __m128i b = load(from + count + i);
        const __m128i c = load(from + 2 * count + i);
        const __m128i d = load(from + 3 * count + i);
        const __m128i low_ab = _mm_unpacklo_epi8(a, b);
        const __m128i high_ab = _mm_unpackhi_epi8(a, b);
        const __m128i low_cd = _mm_unpacklo_epi8(c, d);
        const __m128i high_cd = _mm_unpackhi_epi8(c, d);
        store(to + 4 * i, _mm_unpacklo_epi16(low_ab, low_cd));
        store(to + 4 * i + 16, _mm_unpackhi_epi16(low_ab, low_cd));
        store(to + 4 * i + 32, _mm_unpacklo_epi16(high_ab, high_cd));
        store(to + 4 * i + 48, _mm_unpackhi_epi16(high_ab, high_cd));
    }
    return i;
}

std::size_t unshuffle_2(const std::byte* from, std::size_t count, std::byte* to) noexcept {
    std::size_t i = 0;
    for (; i + kAtOnce <= count; i += kAtOnce) {
        const __m128i a = load(from + i);
        const __m128i b = load(from + count + i);
        store(to + 2 * i, _mm_unpacklo_epi8(a, b));
        store(to + 2 * i + 16, _mm_unpackhi_epi8(a, b));
    }
    return i;
}

std::size_t unshuffle_8(const std::byte* from, std::size_t count, std::byte* to) noexcept {
    std::size_t i = 0;
    for (; i + kAtOnce <= count; i += kAtOnce) {
        __m128i pairs[8];  // of planes 0 and 1, 2 and 3, ...: low and high half
        for (std::size_t p = 0; p < 4; ++p) {
            const __m128i a = load(from + 2 * p * count + i);
            const __m128i b = load(from + (2 * p + 1) * count + i);
            pairs[2 * p] = _mm_unpacklo_epi8(a, b);
            pairs[2 * p + 1] = _mm_unpackhi_epi8(a, b);
        }
        for (std::size_t half = 0; half < 2; ++half) {
            const __m128i low_0 = _mm_unpacklo_epi16(pairs[half], pairs[2 + half]);
            const __m128i high_0 = _mm_unpackhi_epi16(pairs[half], pairs[2 + half]);
            const __m128i low_4 = _mm_unpacklo_epi16(pairs[4 + half], pairs[6 + half]);
            const __m128i high_4 = _mm_unpackhi_epi16(pairs[4 + half], pairs[6 + half]);
            std::byte* out = to + 8 * i + 64 * half;
            store(out, _mm_unpacklo_epi32(low_0, low_4));
            store(out + 16, _mm_unpackhi_epi32(low_0, low_4));
            store(out + 32, _mm_unpacklo_epi32(high_0, high_4));
            store(out + 48, _mm_unpackhi_epi32(high_0, high_4));
        }
    }
    return i;
}

std::size_t unshuffle_fast(const std::byte* from, std::size_t element_bytes, std::size_t count,
                           std::byte* to) noexcept {
    switch (element_bytes) {
        case 2:
            return unshuffle_2(from, count, to);
        case 4:
            return unshuffle_4(from, count, to);
        case 8:
            return unshuffle_8(from, count, to);
        default:
            return 0;
    }
}
#else
std::size_t unshuffle_fast(const std::byte*, std::size_t, std::size_t, std::byte*) noexcept {
    return 0;
}
#endif

}  // namespace

void unshuffle(std::span<const std::byte> stored, std::size_t element_bytes, std::span<std::byte> out) noexcept {
    const std::size_t count = stored.size() / element_bytes;
    const std::size_t whole = count * element_bytes;
    const std::size_t done = unshuffle_fast(stored.data(), element_bytes, count, out.data());
    for (std::size_t j = 0; done < count && j < element_bytes; ++j) {
        const std::byte* from = stored.data() + j * count;
        std::byte* to = out.data() + j;
        for (std::size_t i = done; i < count; ++i) to[i * element_bytes] = from[i];
    }
    std::copy(stored.data() + whole, stored.data() + stored.size(), out.data() + whole);
}

}  // namespace ckpt::h5
