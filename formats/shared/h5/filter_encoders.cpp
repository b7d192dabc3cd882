// The encoders of those filters that have one here. Facts: hdf5.md, 12.
#include "formats/shared/h5/filter_encoders.hpp"

#include <blosc.h>
#include <bzlib.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lzf.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "formats/shared/h5/filters.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {
namespace {

enum FilterId : unsigned {
    kGzip = 1,
    kShuffle = 2,
    kFletcher32 = 3,
    kBzip2 = 307,
    kLzf = 32000,
    kBlosc = 32001,
    kLz4 = 32004,
    kZstd = 32015,
};

using MaybeBytes = std::optional<std::string>;

unsigned parameter(const Filter& filter, std::size_t at, unsigned otherwise) {
    return at < filter.parameters.size() ? filter.parameters[at] : otherwise;
}

std::string shuffle(const std::string& raw, std::uint32_t element_bytes) {
    const std::size_t count = raw.size() / element_bytes;
    std::string out = raw;  // what is behind the last whole element stays where it is
    for (std::size_t byte = 0; byte < element_bytes; ++byte) {
        char* plane = out.data() + byte * count;
        for (std::size_t i = 0; i < count; ++i) plane[i] = raw[i * element_bytes + byte];
    }
    return out;
}

std::string with_fletcher32(std::string raw) {
    const std::uint32_t sum = fletcher32(std::as_bytes(std::span(raw.data(), raw.size())));
    put(raw, 4, sum);
    return raw;
}

MaybeBytes gzip(const std::string& raw, unsigned level) {
    const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
        libdeflate_alloc_compressor(static_cast<int>(std::clamp(level, 1U, 9U))), libdeflate_free_compressor);
    if (compressor == nullptr) throw std::bad_alloc();
    std::string out(libdeflate_zlib_compress_bound(compressor.get(), raw.size()), '\0');
    out.resize(libdeflate_zlib_compress(compressor.get(), raw.data(), raw.size(), out.data(), out.size()));
    return out.empty() ? std::nullopt : std::optional(std::move(out));
}

MaybeBytes bzip2(const std::string& raw, unsigned level) {
    std::string out(raw.size(), '\0');
    auto size = static_cast<unsigned>(out.size());
    const int result =
        BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(raw.data()), static_cast<unsigned>(raw.size()),
                                 static_cast<int>(std::clamp(level, 1U, 9U)), 0, 0);
    if (result != BZ_OK) return std::nullopt;
    out.resize(size);
    return out;
}

MaybeBytes lzf(const std::string& raw) {
    std::string out(raw.size(), '\0');
    const unsigned size =
        lzf_compress(raw.data(), static_cast<unsigned>(raw.size()), out.data(), static_cast<unsigned>(out.size()));
    if (size == 0) return std::nullopt;
    out.resize(size);
    return out;
}

void put_big_endian(std::string& out, unsigned width, std::uint64_t value) {
    for (unsigned i = width; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

MaybeBytes lz4(const std::string& raw, unsigned block_bytes) {
    constexpr unsigned kMaxBlockBytes = 1U << 30;
    const std::size_t block = block_bytes == 0 || block_bytes > kMaxBlockBytes ? kMaxBlockBytes : block_bytes;
    std::string out;
    put_big_endian(out, 8, raw.size());
    put_big_endian(out, 4, std::min(block, raw.size()));
    std::string packed;
    for (std::size_t at = 0; at < raw.size(); at += block) {
        const auto size = static_cast<int>(std::min(block, raw.size() - at));
        packed.resize(static_cast<std::size_t>(LZ4_compressBound(size)));
        const int written = LZ4_compress_default(raw.data() + at, packed.data(), size, static_cast<int>(packed.size()));
        const bool is_smaller = written > 0 && written < size;
        put_big_endian(out, 4, static_cast<std::uint64_t>(is_smaller ? written : size));
        out.append(is_smaller ? packed.data() : raw.data() + at, static_cast<std::size_t>(is_smaller ? written : size));
    }
    return out;
}

MaybeBytes zstd(const std::string& raw, int level) {
    std::string out(ZSTD_compressBound(raw.size()), '\0');
    const std::size_t size = ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(),
                                           std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel()));
    if (ZSTD_isError(size) != 0) return std::nullopt;
    out.resize(size);
    return out;
}

/// Parameters: two versions, element size, chunk size, level, shuffle, codec.
MaybeBytes blosc(const std::string& raw, const Filter& filter, std::uint32_t element_bytes) {
    const char* codec = nullptr;
    if (blosc_compcode_to_compname(static_cast<int>(parameter(filter, 6, BLOSC_BLOSCLZ)), &codec) < 0 ||
        codec == nullptr)
        return std::nullopt;
    std::string out(raw.size(), '\0');
    const unsigned typed = parameter(filter, 2, element_bytes);
    const int written = blosc_compress_ctx(static_cast<int>(std::min(parameter(filter, 4, 5), 9U)),
                                           static_cast<int>(std::min(parameter(filter, 5, 1), 2U)),
                                           typed == 0 || typed > 255 ? 1 : typed, raw.size(), raw.data(), out.data(),
                                           out.size(), codec, 0, 1);
    if (written <= 0) return std::nullopt;
    out.resize(static_cast<std::size_t>(written));
    return out;
}

MaybeBytes apply(const std::string& chunk, const Filter& filter, std::uint32_t element_bytes) {
    switch (filter.id) {
        case kGzip:
            return gzip(chunk, parameter(filter, 0, 6));
        case kShuffle: {
            // Without its parameter nobody undoes it (libhdf5 skips it then as well).
            const unsigned width = parameter(filter, 0, 0);
            return width == 0 ? std::nullopt : std::optional(shuffle(chunk, width));
        }
        case kFletcher32:
            return with_fletcher32(chunk);
        case kBzip2:
            return bzip2(chunk, parameter(filter, 0, 9));
        case kLzf:
            return lzf(chunk);
        case kBlosc:
            return blosc(chunk, filter, element_bytes);
        case kLz4:
            return lz4(chunk, parameter(filter, 0, 0));
        case kZstd:
            return zstd(chunk, static_cast<int>(parameter(filter, 0, 3)));
        default:
            return std::nullopt;
    }
}

}  // namespace

bool can_encode(unsigned filter_id) noexcept {
    switch (filter_id) {
        case kGzip:
        case kShuffle:
        case kFletcher32:
        case kBzip2:
        case kLzf:
        case kBlosc:
        case kLz4:
        case kZstd:
            return true;
        default:
            return false;
    }
}

FilteredChunk apply_filters(std::string chunk, std::span<const Filter> filters, std::uint32_t element_bytes) {
    FilteredChunk result{std::move(chunk), 0};
    for (std::size_t i = 0; i < filters.size(); ++i) {
        auto filtered = apply(result.stored, filters[i], element_bytes);
        // What the format's own library does as well: a filter that is optional may give up.
        const bool is_worth_it = filtered && (!filters[i].is_optional || filters[i].id == kFletcher32 ||
                                              filtered->size() <= result.stored.size());
        if (is_worth_it) {
            result.stored = std::move(*filtered);
        } else {
            result.mask |= 1U << i;
        }
    }
    return result;
}

}  // namespace ckpt::h5
