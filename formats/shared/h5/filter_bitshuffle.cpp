// Undoing bitshuffle: planes of bits as elements again, with lz4 or zstd around each block. Facts: hdf5.md, 12.7.
#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/filter_decoders.hpp"

namespace ckpt::h5 {
namespace {

enum Compression : unsigned { kNone = 0, kLz4 = 2, kZstd = 3 };
constexpr std::size_t kHeaderBytes = 12;

std::uint64_t big_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
}

/// Bit i of byte k becomes bit k of byte i.
std::uint64_t transposed(std::uint64_t bits) {
    std::uint64_t swapped = (bits ^ (bits >> 7)) & 0x00aa00aa00aa00aaU;
    bits ^= swapped ^ (swapped << 7);
    swapped = (bits ^ (bits >> 14)) & 0x0000cccc0000ccccU;
    bits ^= swapped ^ (swapped << 14);
    swapped = (bits ^ (bits >> 28)) & 0x00000000f0f0f0f0U;
    return bits ^ swapped ^ (swapped << 28);
}

/// A block of `count` elements, a multiple of 8: for each byte of an element, for each bit of it, that bit of all.
void unshuffle_block(const std::byte* from, std::size_t count, std::size_t element_bytes, std::byte* to) {
    const std::size_t plane_bytes = count / 8;
    for (std::size_t byte = 0; byte < element_bytes; ++byte) {
        const std::byte* planes = from + byte * count;
        for (std::size_t group = 0; group < plane_bytes; ++group) {
            std::uint64_t bits = 0;
            for (unsigned bit = 0; bit < 8; ++bit)
                bits |= std::to_integer<std::uint64_t>(planes[bit * plane_bytes + group]) << (8 * bit);
            bits = transposed(bits);
            std::byte* element = to + 8 * group * element_bytes + byte;
            for (unsigned i = 0; i < 8; ++i, element += element_bytes)
                *element = static_cast<std::byte>(bits >> (8 * i));
        }
    }
}

struct Parameters {
    std::size_t element_bytes;
    std::size_t block_elements;
    unsigned compression;
};

Parameters parameters_of(std::span<const std::uint32_t> values) {
    require(values.size() >= 3 && values[2] > 0, "bitshuffle: {} parameters, or elements of 0 bytes", values.size());
    Parameters result{values[2], values.size() > 3 ? values[3] : 0, values.size() > 4 ? values[4] : 0U};
    if (result.compression != kNone && result.compression != kLz4 && result.compression != kZstd)
        throw_error(ErrorCode::kUnsupported, "bitshuffle: its compression {} is not read", result.compression);
    require(result.block_elements % 8 == 0, "bitshuffle: blocks of {} elements, no multiple of 8",
            result.block_elements);
    return result;
}

void unpack(unsigned compression, std::span<const std::byte> stored, std::span<std::byte> out) {
    constexpr std::size_t kMost = std::numeric_limits<int>::max();
    std::size_t written = 0;
    bool is_good = stored.size() <= kMost && out.size() <= kMost;
    if (is_good && compression == kLz4) {
        const int result =
            LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(out.data()),
                                static_cast<int>(stored.size()), static_cast<int>(out.size()));
        is_good = result >= 0;
        written = static_cast<std::size_t>(std::max(result, 0));
    } else if (is_good) {
        written = ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size());
        is_good = ZSTD_isError(written) == 0;
    }
    require(is_good && written == out.size(), "bitshuffle: a block of {} stored bytes does not unpack to {}",
            stored.size(), out.size());
}

/// Elements in a block where nothing says how many.
std::size_t usual_block(std::size_t element_bytes) {
    constexpr std::size_t kTargetBytes = 8192;
    constexpr std::size_t kLeast = 128;
    return std::max(kLeast, kTargetBytes / element_bytes / 8 * 8);
}

}  // namespace

std::size_t decode_bitshuffle(std::span<const std::byte> stored, std::span<const std::uint32_t> parameters,
                              std::span<std::byte> out) {
    Parameters how = parameters_of(parameters);
    std::size_t total = stored.size();
    std::span<const std::byte> rest = stored;
    if (how.compression != kNone) {
        require(stored.size() >= kHeaderBytes, "bitshuffle: a chunk of {} bytes has no header", stored.size());
        const std::uint64_t claimed = big_endian(stored.first(8));
        const std::uint64_t block_bytes = big_endian(stored.subspan(8, 4));
        require(claimed <= out.size(), "bitshuffle: a chunk unpacks to {} bytes, more than the {} that it may have",
                claimed, out.size());
        total = static_cast<std::size_t>(claimed);
        how.block_elements = static_cast<std::size_t>(block_bytes) / how.element_bytes;
        require(block_bytes % (8 * std::uint64_t{how.element_bytes}) == 0,
                "bitshuffle: blocks of {} bytes are no multiple of 8 elements of {}", block_bytes, how.element_bytes);
        rest = stored.subspan(kHeaderBytes);
    }
    if (how.block_elements == 0) how.block_elements = usual_block(how.element_bytes);
    require(total <= out.size(), "bitshuffle: a chunk has {} bytes, more than the {} that it may have", total,
            out.size());
    const std::size_t elements = total / how.element_bytes;
    std::vector<std::byte> block;
    std::size_t done = 0;
    while (elements - done >= 8) {
        const std::size_t count = std::min(how.block_elements, (elements - done) / 8 * 8);
        const std::size_t bytes = count * how.element_bytes;
        std::byte* to = out.data() + done * how.element_bytes;
        if (how.compression == kNone) {
            unshuffle_block(rest.data(), count, how.element_bytes, to);
            rest = rest.subspan(bytes);
        } else {
            require(rest.size() >= 4, "bitshuffle: a chunk's blocks end after {} of {} elements", done, elements);
            const auto packed = static_cast<std::size_t>(big_endian(rest.first(4)));
            rest = rest.subspan(4);
            require(packed <= rest.size(), "bitshuffle: a block has {} bytes, {} are left", packed, rest.size());
            block.resize(bytes);
            unpack(how.compression, rest.first(packed), block);
            rest = rest.subspan(packed);
            unshuffle_block(block.data(), count, how.element_bytes, to);
        }
        done += count;
    }
    // Fewer than 8 elements, and bytes behind the last whole one, are left as they are.
    const std::size_t left = total - done * how.element_bytes;
    require(rest.size() >= left, "bitshuffle: {} bytes are left, {} are due", rest.size(), left);
    std::copy_n(rest.begin(), left, out.begin() + static_cast<std::ptrdiff_t>(total - left));
    return total;
}

}  // namespace ckpt::h5
