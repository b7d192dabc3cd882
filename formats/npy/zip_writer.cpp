// Local headers, data, descriptors, directory (README: "Archives").
#include "formats/npy/zip_writer.hpp"

#include <zlib.h>

#include <algorithm>

#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kPartBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMost32 = 0xffffffffu;
constexpr std::uint64_t kBig = 0xf0000000u;  // members that may pass 32 bits however they pack

void put(std::string& bytes, int width, std::uint64_t number) {
    for (int i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
}
std::uint64_t get(std::string_view bytes, std::size_t at, int width) {
    std::uint64_t number = 0;
    for (int i = 0; i < width; ++i)
        number |= std::uint64_t{static_cast<unsigned char>(bytes.at(at + static_cast<std::size_t>(i)))} << (8 * i);
    return number;
}

/// A part that ends at a byte, so that parts can stand one behind the other. The note is CRC and size of what went in.
Encoded deflated_part(std::span<const std::byte> raw) {
    z_stream stream = {};
    constexpr int kRawWindowBits = -15;
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRawWindowBits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw Error(ErrorCode::kInternal, "zlib cannot be set up");
    Encoded encoded;
    encoded.stored.resize(deflateBound(&stream, static_cast<uLong>(raw.size())) + 16);
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(raw.data()));
    stream.avail_in = static_cast<uInt>(raw.size());
    stream.next_out = reinterpret_cast<Bytef*>(encoded.stored.data());
    stream.avail_out = static_cast<uInt>(encoded.stored.size());
    const int result = deflate(&stream, Z_SYNC_FLUSH);
    const std::size_t size = encoded.stored.size() - stream.avail_out;
    const bool is_whole = result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0;
    deflateEnd(&stream);
    if (!is_whole) throw Error(ErrorCode::kInternal, "zlib did not pack a part");
    encoded.stored.resize(size);
    put(encoded.note, 4, crc32(0, raw));
    put(encoded.note, 8, raw.size());
    return encoded;
}

/// Where a member's extents stand in the plan, and what they come to once written.
struct Placed {
    std::string name;
    std::size_t header = 0;  ///< number of its extent
    std::size_t first = 0, end = 0;
    bool deflated = false;
    bool is_big = false;
};
struct Written {
    std::uint32_t crc = 0;
    std::uint64_t stored = 0, raw = 0, offset = 0;
};

Written written(const Placed& member, std::span<const ExtentResult> results) {
    Written sum;
    sum.offset = results[member.header].offset_bytes;
    for (std::size_t i = member.first; i < member.end; ++i) {
        const auto& result = results[i];
        sum.stored += result.size_bytes;
        if (member.deflated && result.note.empty()) continue;  // the end of the stream
        const std::uint64_t raw = member.deflated ? get(result.note, 4, 8) : result.size_bytes;
        const auto crc = member.deflated ? static_cast<std::uint32_t>(get(result.note, 0, 4)) : result.crc32;
        sum.crc = crc32_combine(sum.crc, crc, raw);
        sum.raw += raw;
    }
    return sum;
}

std::string local_header(const Placed& member) {
    std::string bytes = "PK\3\4";
    put(bytes, 2, member.is_big ? 45 : 20);
    put(bytes, 2, 0x0808);  // sizes behind the data, names in UTF-8
    put(bytes, 2, member.deflated ? 8 : 0);
    put(bytes, 4, 0x00210000);  // 1980-01-01
    put(bytes, 4, 0);
    put(bytes, 4, member.is_big ? kMost32 : 0);
    put(bytes, 4, member.is_big ? kMost32 : 0);
    put(bytes, 2, member.name.size());
    put(bytes, 2, member.is_big ? 20 : 0);
    bytes += member.name;
    if (member.is_big) {
        put(bytes, 2, 1);
        put(bytes, 2, 16);
        put(bytes, 8, 0);
        put(bytes, 8, 0);
    }
    return bytes;
}

std::string descriptor(const Placed& member, const Written& sum) {
    std::string bytes = "PK\7\10";
    put(bytes, 4, sum.crc);
    put(bytes, member.is_big ? 8 : 4, sum.stored);
    put(bytes, member.is_big ? 8 : 4, sum.raw);
    return bytes;
}

std::string directory(const std::vector<Placed>& members, std::span<const ExtentResult> results,
                      std::uint64_t directory_offset) {
    std::string bytes;
    for (const auto& member : members) {
        const Written sum = written(member, results);
        std::string extra;
        for (const auto number : {sum.raw, sum.stored, sum.offset}) {
            if (number >= kMost32) put(extra, 8, number);
        }
        bytes += "PK\1\2";
        put(bytes, 2, extra.empty() ? 20 : 45);
        put(bytes, 2, member.is_big ? 45 : 20);
        put(bytes, 2, 0x0808);
        put(bytes, 2, member.deflated ? 8 : 0);
        put(bytes, 4, 0x00210000);
        put(bytes, 4, sum.crc);
        put(bytes, 4, std::min(sum.stored, kMost32));
        put(bytes, 4, std::min(sum.raw, kMost32));
        put(bytes, 2, member.name.size());
        put(bytes, 2, extra.empty() ? 0 : extra.size() + 4);
        put(bytes, 2, 0);
        put(bytes, 2, 0);
        put(bytes, 2, 0);
        put(bytes, 4, 0);
        put(bytes, 4, std::min(sum.offset, kMost32));
        bytes += member.name;
        if (extra.empty()) continue;
        put(bytes, 2, 1);
        put(bytes, 2, extra.size());
        bytes += extra;
    }
    const std::uint64_t size = bytes.size();
    if (directory_offset >= kMost32 || members.size() >= 0xffff) {
        const std::uint64_t at = directory_offset + size;
        bytes += "PK\6\6";
        put(bytes, 8, 44);
        put(bytes, 2, 45);
        put(bytes, 2, 45);
        put(bytes, 4, 0);
        put(bytes, 4, 0);
        put(bytes, 8, members.size());
        put(bytes, 8, members.size());
        put(bytes, 8, size);
        put(bytes, 8, directory_offset);
        bytes += "PK\6\7";
        put(bytes, 4, 0);
        put(bytes, 8, at);
        put(bytes, 4, 1);
    }
    bytes += "PK\5\6";
    put(bytes, 4, 0);
    put(bytes, 2, std::min<std::uint64_t>(members.size(), 0xffff));
    put(bytes, 2, std::min<std::uint64_t>(members.size(), 0xffff));
    put(bytes, 4, std::min(size, kMost32));
    put(bytes, 4, std::min(directory_offset, kMost32));
    put(bytes, 2, 0);
    return bytes;
}

std::uint64_t size_of(const Extent& extent) {
    if (const auto* literal = std::get_if<LiteralExtent>(&extent.content)) return literal->bytes.size();
    return std::get<BlobExtent>(extent.content).blob->size_bytes();
}

}  // namespace

PlannedFile plan_zip(std::vector<ZipSource> members, ZipPacking packing) {
    PlannedFile file;
    std::vector<Placed> placed;
    for (auto& source : members) {
        Placed member;
        member.name = source.name;
        member.deflated = packing == ZipPacking::kDeflated;
        std::uint64_t size = 0;
        for (const auto& extent : source.extents) size += size_of(extent);
        member.is_big = size >= kBig;
        member.header = file.extents.size();
        file.extents.push_back({LiteralExtent{local_header(member)}});
        member.first = file.extents.size();
        for (auto& extent : source.extents) {
            if (!member.deflated) {
                extent.want_crc32 = true;
                file.extents.push_back(std::move(extent));
                continue;
            }
            auto* literal = std::get_if<LiteralExtent>(&extent.content);
            const BlobPtr blob =
                literal != nullptr ? memory_blob(std::move(literal->bytes)) : std::get<BlobExtent>(extent.content).blob;
            const std::uint64_t whole = blob->size_bytes();
            for (std::uint64_t at = 0; at < whole; at += kPartBytes)
                file.extents.push_back({EncodedExtent{blob, at, std::min(kPartBytes, whole - at), deflated_part}});
        }
        if (member.deflated) file.extents.push_back({LiteralExtent{std::string("\3\0", 2)}});  // the last block, empty
        member.end = file.extents.size();
        LateExtent late;
        late.size_bytes = member.is_big ? 24 : 16;
        late.make = [member](std::span<const ExtentResult> results) {
            return descriptor(member, written(member, results));
        };
        file.extents.push_back({std::move(late)});
        placed.push_back(std::move(member));
    }
    LateExtent end;
    end.size_bytes = LateExtent::kUnknownSize;
    const std::size_t number = file.extents.size();
    end.make = [placed, number](std::span<const ExtentResult> results) {
        return directory(placed, results, results[number].offset_bytes);
    };
    file.extents.push_back({std::move(end)});
    return file;
}

}  // namespace ckpt
