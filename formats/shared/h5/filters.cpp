// Undoing pipelines of filters; shuffle and fletcher32 are undone here. Facts: hdf5.md, 12.
#include "formats/shared/h5/filters.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/filter_decoders.hpp"

namespace ckpt::h5 {
namespace {

enum FilterId : unsigned { kShuffle = 2, kFletcher32 = 3 };

/// A filter id that somebody registered.
struct Known {
    unsigned id;
    std::string_view name;
    Decoder decode = nullptr;         ///< nullptr for shuffle and fletcher32, and for those that are not read
    std::uint64_t most_per_byte = 0;  ///< bytes that one stored byte can unpack to, at most; 0: any number
};
constexpr std::array<Known, 16> kFilters = {{{1, "gzip", decode_deflate, 1032},
                                             {kShuffle, "shuffle"},
                                             {kFletcher32, "fletcher32"},
                                             {4, "szip", decode_szip},
                                             {5, "nbit", decode_nbit},
                                             {6, "scaleoffset", decode_scaleoffset},
                                             {305, "lzo"},
                                             {307, "bzip2", decode_bzip2},
                                             {32000, "lzf", decode_lzf, 88},
                                             {32001, "blosc", decode_blosc},
                                             {32004, "lz4", decode_lz4},
                                             {32008, "bitshuffle", decode_bitshuffle},
                                             {32013, "zfp"},
                                             {32015, "zstd", decode_zstd},
                                             {32017, "sz"},
                                             {32026, "blosc2"}}};

/// nullptr for ids that nobody registered.
const Known* find_filter(unsigned id) noexcept {
    const auto* found =
        std::find_if(kFilters.begin(), kFilters.end(), [id](const Known& known) { return known.id == id; });
    return found == kFilters.end() ? nullptr : found;
}

Buffer undo_shuffle(Buffer stored, const Filter& filter) {
    require(!filter.parameters.empty(), "shuffle: its parameter is missing");
    const std::size_t element_bytes = filter.parameters.front();
    require(element_bytes > 0, "shuffle: elements of 0 bytes");
    if (element_bytes == 1 || stored.size() / element_bytes < 2) return stored;
    Buffer out(stored.size());
    unshuffle(stored.span(), element_bytes, out.span());
    return out;
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

Buffer decode(const Buffer& stored, const Filter& filter, const Known& known, std::size_t limit_bytes) {
    std::uint64_t most = limit_bytes;
    if (known.most_per_byte > 0) most = std::min(most, (std::uint64_t{stored.size()} + 1) * known.most_per_byte);
    Buffer out(static_cast<std::size_t>(most));
    out.shrink(known.decode(stored.span(), filter.parameters, out.span()));
    return out;
}

}  // namespace

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

std::string_view filter_name(unsigned id) noexcept {
    const Known* known = find_filter(id);
    return known == nullptr ? std::string_view() : known->name;
}

void require_known_filters(std::span<const Filter> filters) {
    for (const Filter& filter : filters) {
        const Known* known = find_filter(filter.id);
        if (filter.id == kShuffle || filter.id == kFletcher32 || (known != nullptr && known->decode != nullptr))
            continue;
        throw_error(ErrorCode::kUnsupported, "filter {} ({}) is not read", filter.id,
                    filter.name.empty() ? "of no known name" : filter.name);
    }
}

Buffer undo_filters(Buffer stored, std::span<const Filter> filters, std::uint32_t mask, std::size_t size_bytes) {
    for (std::size_t i = filters.size(); i-- > 0;) {
        if ((mask >> i & 1) != 0) continue;
        const Filter& filter = filters[i];
        // Only the first filter must give the chunk's size; the others may have added headers and checksums.
        const std::size_t limit = i == 0 ? size_bytes : size_bytes + size_bytes / 8 + 1024;
        if (filter.id == kShuffle) {
            stored = undo_shuffle(std::move(stored), filter);
        } else if (filter.id == kFletcher32) {
            stored = check_fletcher32(std::move(stored));
        } else {
            require_known_filters(filters.subspan(i, 1));
            stored = decode(stored, filter, *find_filter(filter.id), limit);
        }
    }
    require(stored.size() == size_bytes, "a chunk has {} bytes after its filters, {} are due", stored.size(),
            size_bytes);
    return stored;
}

}  // namespace ckpt::h5
