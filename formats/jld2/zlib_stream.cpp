// Parts end with an empty stored block ("sync flush"), so that they can be put one behind the other (RFC 1950, 1951).
#include "formats/jld2/zlib_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <string>

#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::uint64_t kPartBytes = std::uint64_t{1} << 20;
constexpr int kLevel = 5;  // what JLD2.jl says in the filter's parameters

const Bytef* as_zlib(const std::byte* bytes) {
    return reinterpret_cast<const Bytef*>(bytes);
}

/// The note is the part's Adler-32 and size.
Encoded packed_part(std::span<const std::byte> raw) {
    z_stream stream = {};
    constexpr int kRawWindowBits = -15;
    constexpr int kMemoryLevel = 8;
    if (deflateInit2(&stream, kLevel, Z_DEFLATED, kRawWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
        throw Error(ErrorCode::kInternal, "zlib cannot be set up");
    Encoded encoded;
    encoded.stored.resize(deflateBound(&stream, static_cast<uLong>(raw.size())) + 16);
    stream.next_in = const_cast<Bytef*>(as_zlib(raw.data()));
    stream.avail_in = static_cast<uInt>(raw.size());
    stream.next_out = reinterpret_cast<Bytef*>(encoded.stored.data());
    stream.avail_out = static_cast<uInt>(encoded.stored.size());
    const int result = deflate(&stream, Z_SYNC_FLUSH);
    const std::size_t size = encoded.stored.size() - stream.avail_out;
    const bool is_whole = result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0;
    deflateEnd(&stream);
    if (!is_whole) throw Error(ErrorCode::kInternal, "zlib did not pack a part");
    encoded.stored.resize(size);
    const uLong sum = adler32(adler32(0, nullptr, 0), as_zlib(raw.data()), static_cast<uInt>(raw.size()));
    h5::put(encoded.note, 4, sum);
    h5::put(encoded.note, 4, raw.size());
    return encoded;
}

std::uint32_t number_at(std::string_view note, std::size_t at) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) number |= std::uint32_t{static_cast<std::uint8_t>(note.at(at + i))} << (8 * i);
    return number;
}

}  // namespace

void append_zlib_stream(std::vector<Extent>& extents, const BlobPtr& blob) {
    extents.push_back({LiteralExtent{"\x78\x5e"}});  // deflate, window of 32 KiB, level 5
    const std::size_t first = extents.size();
    const std::uint64_t size = blob->size_bytes();
    for (std::uint64_t at = 0; at < size; at += kPartBytes)
        extents.push_back({EncodedExtent{blob, at, std::min(kPartBytes, size - at), packed_part}});
    const std::size_t end = extents.size();
    LateExtent trailer;
    trailer.size_bytes = 6;
    trailer.make = [first, end](std::span<const ExtentResult> results) {
        uLong sum = adler32(0, nullptr, 0);
        for (std::size_t i = first; i < end; ++i) {
            const std::string& note = results[i].note;
            sum = adler32_combine(sum, number_at(note, 0), static_cast<z_off_t>(number_at(note, 4)));
        }
        std::string bytes("\x03\x00", 2);  // the last block, empty
        for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(sum >> shift);
        return bytes;
    };
    extents.push_back({std::move(trailer)});
}

}  // namespace ckpt::jld2
