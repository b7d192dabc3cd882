// Undoing deflate, shuffle, fletcher32 and zstd. Facts: hdf5.md, 12.
#include "formats/shared/h5/filters.hpp"

#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "formats/shared/h5/cursor.hpp"

namespace ckpt::h5 {
namespace {

enum FilterId : unsigned { kDeflate = 1, kShuffle = 2, kFletcher32 = 3, kZstd = 32015 };

/// Deflate cannot make more than 1032 bytes of one.
constexpr std::uint64_t kDeflateRatio = 1032;

struct Named {
    unsigned id;
    std::string_view name;
};
constexpr std::array<Named, 16> kNames = {{{kDeflate, "gzip"},
                                           {kShuffle, "shuffle"},
                                           {kFletcher32, "fletcher32"},
                                           {4, "szip"},
                                           {5, "nbit"},
                                           {6, "scaleoffset"},
                                           {305, "lzo"},
                                           {307, "bzip2"},
                                           {32000, "lzf"},
                                           {32001, "blosc"},
                                           {32004, "lz4"},
                                           {32008, "bitshuffle"},
                                           {32013, "zfp"},
                                           {32015, "zstd"},
                                           {32017, "sz"},
                                           {32026, "blosc2"}}};

Buffer inflate(const Buffer& stored, std::size_t limit_bytes) {
    const std::uint64_t most = (std::uint64_t{stored.size()} + 1) * kDeflateRatio;
    Buffer out(static_cast<std::size_t>(std::min<std::uint64_t>(limit_bytes, most)));
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    if (!decompressor) throw std::bad_alloc();
    std::size_t written = 0;
    const libdeflate_result result =
        libdeflate_zlib_decompress(decompressor.get(), stored.data(), stored.size(), out.data(), out.size(), &written);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
        throw_damaged("gzip: a chunk unpacks to more than the {} bytes that it may have", limit_bytes);
    }
    require(result == LIBDEFLATE_SUCCESS, "gzip: a chunk's {} stored bytes are no sound zlib stream", stored.size());
    out.shrink(written);
    return out;
}

Buffer unpack_zstd(const Buffer& stored, std::size_t limit_bytes) {
    const unsigned long long claimed = ZSTD_getFrameContentSize(stored.data(), stored.size());
    require(claimed != ZSTD_CONTENTSIZE_ERROR, "zstd: a chunk's {} stored bytes are no frame", stored.size());
    const bool is_known = claimed != ZSTD_CONTENTSIZE_UNKNOWN;
    require(!is_known || claimed <= limit_bytes, "zstd: a chunk unpacks to {} bytes, more than the {} that it may have",
            claimed, limit_bytes);
    Buffer out(is_known ? static_cast<std::size_t>(claimed) : limit_bytes);
    const std::size_t written = ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size());
    if (ZSTD_isError(written) != 0) throw_damaged("zstd: a chunk cannot be unpacked: {}", ZSTD_getErrorName(written));
    out.shrink(written);
    return out;
}

/// Byte j of element i lies at j * n + i; bytes behind the last whole element stay where they are.
Buffer unshuffle(Buffer stored, std::uint64_t element_bytes) {
    require(element_bytes > 0, "shuffle: elements of 0 bytes");
    if (element_bytes == 1 || stored.size() / element_bytes < 2) return stored;
    const auto width = static_cast<std::size_t>(element_bytes);
    const std::size_t count = stored.size() / width;
    Buffer out(stored.size());
    for (std::size_t j = 0; j < width; ++j) {
        const std::byte* from = stored.data() + j * count;
        std::byte* to = out.data() + j;
        for (std::size_t i = 0; i < count; ++i) to[i * width] = from[i];
    }
    std::copy(stored.data() + count * width, stored.data() + stored.size(), out.data() + count * width);
    return out;
}

/// Words are big-endian whatever the data are (hdf5.md, 12.1).
std::uint32_t fletcher32(std::span<const std::byte> bytes) {
    constexpr std::size_t kWordsBeforeOverflow = 360;
    std::uint32_t sum1 = 0;
    std::uint32_t sum2 = 0;
    const auto fold = [](std::uint32_t sum) { return (sum & 0xffff) + (sum >> 16); };
    std::size_t at = 0;
    const std::size_t words = bytes.size() / 2;
    for (std::size_t word = 0; word < words;) {
        const std::size_t end = std::min(words, word + kWordsBeforeOverflow);
        for (; word < end; ++word, at += 2) {
            sum1 += std::to_integer<std::uint32_t>(bytes[at]) << 8 | std::to_integer<std::uint32_t>(bytes[at + 1]);
            sum2 += sum1;
        }
        sum1 = fold(sum1);
        sum2 = fold(sum2);
    }
    if (bytes.size() % 2 != 0) {
        sum1 += std::to_integer<std::uint32_t>(bytes.back()) << 8;
        sum2 += sum1;
        sum1 = fold(sum1);
        sum2 = fold(sum2);
    }
    return fold(sum2) << 16 | fold(sum1);
}

Buffer check_fletcher32(Buffer stored) {
    require(stored.size() >= 4, "fletcher32: a chunk of {} bytes has no checksum", stored.size());
    const std::size_t size = stored.size() - 4;
    std::uint32_t found = 0;
    for (std::size_t i = 0; i < 4; ++i) found |= std::to_integer<std::uint32_t>(stored.data()[size + i]) << (8 * i);
    stored.shrink(size);
    const std::uint32_t computed = fletcher32(stored.span());
    // Before 1.6.3 the bytes of each half were swapped on little-endian machines.
    const std::uint32_t swapped = (computed & 0x00ff00ff) << 8 | (computed >> 8 & 0x00ff00ff);
    require(found == computed || found == swapped, "fletcher32: a chunk's checksum is {:08x}, its bytes give {:08x}",
            found, computed);
    return stored;
}

}  // namespace

std::string_view filter_name(unsigned id) noexcept {
    const auto* found = std::find_if(kNames.begin(), kNames.end(), [id](const Named& named) { return named.id == id; });
    return found == kNames.end() ? std::string_view() : found->name;
}

void require_known_filters(std::span<const Filter> filters) {
    for (const Filter& filter : filters) {
        if (filter.id == kDeflate || filter.id == kShuffle || filter.id == kFletcher32 || filter.id == kZstd) continue;
        throw_error(ErrorCode::kUnsupported, "filter {} ({}) is not read", filter.id,
                    filter.name.empty() ? "of no known name" : filter.name);
    }
}

Buffer undo_filters(Buffer stored, std::span<const Filter> filters, std::uint32_t mask, std::size_t size_bytes) {
    for (std::size_t i = filters.size(); i-- > 0;) {
        if ((mask >> i & 1) != 0) continue;
        // Only the first filter must give the chunk's size; the others may have added headers and checksums.
        const std::size_t limit = i == 0 ? size_bytes : size_bytes + size_bytes / 8 + 1024;
        switch (filters[i].id) {
            case kDeflate:
                stored = inflate(stored, limit);
                break;
            case kShuffle:
                require(!filters[i].parameters.empty(), "shuffle: its parameter is missing");
                stored = unshuffle(std::move(stored), filters[i].parameters.front());
                break;
            case kFletcher32:
                stored = check_fletcher32(std::move(stored));
                break;
            case kZstd:
                stored = unpack_zstd(stored, limit);
                break;
            default:
                require_known_filters(filters.subspan(i, 1));
        }
    }
    require(stored.size() == size_bytes, "a chunk has {} bytes after its filters, {} are due", stored.size(),
            size_bytes);
    return stored;
}

}  // namespace ckpt::h5
