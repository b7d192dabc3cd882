// Undoing what libraries of their own packed: deflate, zstd, bzip2, lzf, lz4, blosc. Facts: hdf5.md, 12.
#include <blosc.h>
#include <bzlib.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lzf.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <new>
#include <string_view>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/filter_decoders.hpp"

namespace ckpt::h5 {
namespace {

std::string_view text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void throw_too_much(std::string_view filter, std::size_t limit_bytes) {
    throw_damaged("{}: a chunk unpacks to more than the {} bytes that it may have", filter, limit_bytes);
}

void require_fits(std::string_view filter, std::uint64_t claimed, std::size_t limit_bytes) {
    require(claimed <= limit_bytes, "{}: a chunk unpacks to {} bytes, more than the {} that it may have", filter,
            claimed, limit_bytes);
}

/// Sizes are of type int or unsigned in these libraries. A chunk of legal size is far below that.
template <typename Size>
Size narrow(std::string_view filter, std::size_t size_bytes) {
    require(size_bytes <= std::size_t{std::numeric_limits<int>::max()}, "{}: {} bytes are too many for one chunk",
            filter, size_bytes);
    return static_cast<Size>(size_bytes);
}

std::uint64_t big_endian(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
}

}  // namespace

std::size_t decode_deflate(std::span<const std::byte> stored, std::span<const std::uint32_t> /*level*/,
                           std::span<std::byte> out) {
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    if (!decompressor) throw std::bad_alloc();
    std::size_t written = 0;
    const libdeflate_result result =
        libdeflate_zlib_decompress(decompressor.get(), stored.data(), stored.size(), out.data(), out.size(), &written);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) throw_too_much("gzip", out.size());
    require(result == LIBDEFLATE_SUCCESS, "gzip: a chunk's {} stored bytes are no sound zlib stream", stored.size());
    return written;
}

std::size_t decode_zstd(std::span<const std::byte> stored, std::span<const std::uint32_t> /*level*/,
                        std::span<std::byte> out) {
    const unsigned long long claimed = ZSTD_getFrameContentSize(stored.data(), stored.size());
    require(claimed != ZSTD_CONTENTSIZE_ERROR, "zstd: a chunk's {} stored bytes are no frame", stored.size());
    if (claimed != ZSTD_CONTENTSIZE_UNKNOWN) require_fits("zstd", claimed, out.size());
    const std::size_t written = ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size());
    if (ZSTD_isError(written) != 0) throw_damaged("zstd: a chunk cannot be unpacked: {}", ZSTD_getErrorName(written));
    return written;
}

std::size_t decode_bzip2(std::span<const std::byte> stored, std::span<const std::uint32_t> /*level*/,
                         std::span<std::byte> out) {
    auto written = narrow<unsigned>("bzip2", out.size());
    // The library takes its input as char*, and leaves it as it is.
    auto* from = const_cast<char*>(reinterpret_cast<const char*>(stored.data()));
    const int result = BZ2_bzBuffToBuffDecompress(reinterpret_cast<char*>(out.data()), &written, from,
                                                  narrow<unsigned>("bzip2", stored.size()), 0, 0);
    if (result == BZ_MEM_ERROR) throw std::bad_alloc();
    if (result == BZ_OUTBUFF_FULL) throw_too_much("bzip2", out.size());
    require(result == BZ_OK, "bzip2: a chunk's {} stored bytes are no sound stream (error {})", stored.size(), result);
    return written;
}

std::size_t decode_lzf(std::span<const std::byte> stored, std::span<const std::uint32_t> /*parameters*/,
                       std::span<std::byte> out) {
    // The library looks at the first byte before it looks at the size.
    require(!stored.empty(), "lzf: a chunk of 0 stored bytes");
    const unsigned written = lzf_decompress(stored.data(), narrow<unsigned>("lzf", stored.size()), out.data(),
                                            narrow<unsigned>("lzf", out.size()));
    if (written == 0 && errno == E2BIG) throw_too_much("lzf", out.size());
    require(written > 0, "lzf: a chunk's {} stored bytes end early or refer to bytes before their first one",
            stored.size());
    return written;
}

std::size_t decode_lz4(std::span<const std::byte> stored, std::span<const std::uint32_t> /*block_bytes*/,
                       std::span<std::byte> out) {
    constexpr std::size_t kHeaderBytes = 12;
    require(stored.size() >= kHeaderBytes, "lz4: a chunk of {} bytes has no header", stored.size());
    const std::uint64_t claimed = big_endian(stored.first(8));
    const auto block_bytes = static_cast<std::size_t>(big_endian(stored.subspan(8, 4)));
    require_fits("lz4", claimed, out.size());
    const auto total = static_cast<std::size_t>(claimed);
    require(total == 0 || block_bytes > 0, "lz4: blocks of 0 bytes");
    std::span<const std::byte> rest = stored.subspan(kHeaderBytes);
    for (std::size_t at = 0; at < total;) {
        require(rest.size() >= 4, "lz4: a chunk's blocks end after {} of {} bytes", at, total);
        const auto block = static_cast<std::size_t>(big_endian(rest.first(4)));
        rest = rest.subspan(4);
        require(block <= rest.size(), "lz4: a block has {} bytes, {} are left", block, rest.size());
        const std::span<std::byte> to = out.subspan(at, std::min(block_bytes, total - at));
        if (block == to.size()) {
            std::copy_n(rest.begin(), block, to.begin());
        } else {
            const int written = LZ4_decompress_safe(text(rest).data(), reinterpret_cast<char*>(to.data()),
                                                    narrow<int>("lz4", block), narrow<int>("lz4", to.size()));
            require(written >= 0 && static_cast<std::size_t>(written) == to.size(),
                    "lz4: a block of {} bytes does not unpack to {}", block, to.size());
        }
        rest = rest.subspan(block);
        at += to.size();
    }
    return total;
}

std::size_t decode_blosc(std::span<const std::byte> stored, std::span<const std::uint32_t> /*parameters*/,
                         std::span<std::byte> out) {
    constexpr int kNoSuchCodec = -5;
    constexpr std::size_t kHeaderBytes = BLOSC_MIN_HEADER_LENGTH;
    require(stored.size() >= kHeaderBytes, "blosc: a chunk of {} bytes has no header", stored.size());
    const unsigned codec = std::to_integer<unsigned>(stored[2]) >> 5;
    const std::uint64_t claimed = little_endian(text(stored.subspan(4, 4)));
    const std::uint64_t stored_bytes = little_endian(text(stored.subspan(12, 4)));
    require_fits("blosc", claimed, out.size());
    // The library believes this size, and looks at no byte behind it.
    require(stored_bytes <= stored.size(), "blosc: a chunk claims {} stored bytes and has {}", stored_bytes,
            stored.size());
    std::size_t total = 0;
    require(
        blosc_cbuffer_validate(stored.data(), static_cast<std::size_t>(stored_bytes), &total) == 0 && total == claimed,
        "blosc: the header of a chunk of {} stored bytes is damaged", stored.size());
    if (total == 0) return 0;
    const int written = blosc_decompress_ctx(stored.data(), out.data(), total, 1);
    if (written == kNoSuchCodec) throw_error(ErrorCode::kUnsupported, "blosc: its codec {} is not read", codec);
    require(written >= 0 && static_cast<std::size_t>(written) == total,
            "blosc: a chunk's {} stored bytes do not unpack to {}", stored.size(), total);
    return total;
}

}  // namespace ckpt::h5
