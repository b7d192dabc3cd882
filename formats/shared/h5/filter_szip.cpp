// Undoing szip: libaec decodes the scanlines, the rest is how HDF5 cuts elements into them. Facts: hdf5.md, 12.2.
#include <libaec.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/filter_decoders.hpp"
#include "libckpt/chunk_cache.hpp"

namespace ckpt::h5 {
namespace {

enum Option : std::uint32_t { kBigEndian = 16, kPredicted = 32 };

constexpr std::size_t kHeaderBytes = 4;
constexpr std::uint32_t kMaxBlock = 32;
constexpr std::uint32_t kMaxScanline = 4096;

/// How the elements were cut. A sample is what the coder sees: an element, or one of its bytes.
struct Cut {
    aec_stream coder = {};
    std::size_t sample_bytes = 1;
    std::size_t planes = 1;          ///< more than 1: bytes of elements were shuffled into so many planes
    std::size_t scanline_bytes = 0;  ///< without padding
    std::size_t padded_bytes = 0;    ///< scanlines are coded in whole blocks
};

Cut cut_of(std::span<const std::uint32_t> p) {
    require(p.size() >= 4, "szip: {} parameters instead of 4", p.size());
    const std::uint32_t block = p[1];
    const std::uint32_t bits = p[2];
    const std::uint32_t scanline = p[3];
    require(block >= 2 && block <= kMaxBlock && block % 2 == 0 && scanline > 0 && scanline <= kMaxScanline,
            "szip: blocks of {} and scanlines of {} samples", block, scanline);
    require((bits >= 1 && bits <= 24) || bits == 32 || bits == 64, "szip: samples of {} bits", bits);
    Cut cut;
    const bool is_in_planes = bits >= 32;
    cut.planes = is_in_planes ? bits / 8 : 1;
    cut.coder.bits_per_sample = is_in_planes ? 8 : bits;
    cut.coder.block_size = block;
    cut.coder.rsi = (scanline + block - 1) / block;
    if ((p[0] & kBigEndian) != 0) cut.coder.flags |= AEC_DATA_MSB;
    if ((p[0] & kPredicted) != 0) cut.coder.flags |= AEC_DATA_PREPROCESS;
    // Blocks of 2, 4 and 6 are allowed here, though not in the standard.
    cut.coder.flags |= AEC_NOT_ENFORCE;
    cut.sample_bytes = is_in_planes || bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
    cut.scanline_bytes = scanline * cut.sample_bytes;
    cut.padded_bytes = std::size_t{cut.coder.rsi} * block * cut.sample_bytes;
    return cut;
}

/// The running decoder of a stream.
class Coder {
public:
    Coder(aec_stream stream, std::span<const std::byte> coded) : stream_(stream) {
        stream_.next_in = reinterpret_cast<const unsigned char*>(coded.data());
        stream_.avail_in = coded.size();
        const int result = aec_decode_init(&stream_);
        if (result == AEC_MEM_ERROR) throw std::bad_alloc();
        require(result == AEC_OK, "szip: blocks of {} samples of {} bits, {} to a scanline", stream.block_size,
                stream.bits_per_sample, stream.rsi);
    }
    ~Coder() { aec_decode_end(&stream_); }
    Coder(const Coder&) = delete;
    Coder& operator=(const Coder&) = delete;

    /// Fills `out`, whole samples.
    void read(std::span<std::byte> out) {
        stream_.next_out = reinterpret_cast<unsigned char*>(out.data());
        stream_.avail_out = out.size();
        const std::size_t before = stream_.total_out;
        const int result = aec_decode(&stream_, AEC_FLUSH);
        require(result == AEC_OK, "szip: a chunk's coded bits are damaged, {} bytes in", stream_.total_in);
        require(stream_.total_out - before == out.size(), "szip: a chunk's coded bits end {} bytes early",
                out.size() - (stream_.total_out - before));
    }

private:
    aec_stream stream_;
};

void read_samples(const Cut& cut, std::span<const std::byte> coded, std::span<std::byte> out) {
    Coder coder(cut.coder, coded);
    if (cut.scanline_bytes == cut.padded_bytes) {
        coder.read(out);
        return;
    }
    Buffer padded(cut.padded_bytes);
    for (std::size_t at = 0; at < out.size(); at += cut.scanline_bytes) {
        coder.read(padded.span());
        std::copy_n(padded.data(), std::min(cut.scanline_bytes, out.size() - at), out.data() + at);
    }
}

}  // namespace

std::size_t decode_szip(std::span<const std::byte> stored, std::span<const std::uint32_t> parameters,
                        std::span<std::byte> out) {
    const Cut cut = cut_of(parameters);
    require(stored.size() >= kHeaderBytes, "szip: a chunk of {} bytes has no header", stored.size());
    const auto total =
        static_cast<std::size_t>(little_endian({reinterpret_cast<const char*>(stored.data()), kHeaderBytes}));
    require(total <= out.size(), "szip: a chunk unpacks to {} bytes, more than the {} that it may have", total,
            out.size());
    require(total % cut.sample_bytes == 0, "szip: a chunk unpacks to {} bytes in samples of {}", total,
            cut.sample_bytes);
    const std::span<const std::byte> coded = stored.subspan(kHeaderBytes);
    if (total == 0) return 0;
    if (cut.planes == 1) {
        read_samples(cut, coded, out.first(total));
    } else {
        Buffer planes(total);
        read_samples(cut, coded, planes.span());
        unshuffle(planes.span(), cut.planes, out.first(total));
    }
    return total;
}

}  // namespace ckpt::h5
