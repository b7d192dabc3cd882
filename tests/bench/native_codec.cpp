// Codes a file of raw elements in memory, on one thread, and prints what it came to as JSON: native_codec FILE KIND
// ZSTD19_MIB. KIND is bfloat16, float32, int8, int64. Best of three, warm; zstd -19 only sees the first ZSTD19_MIB MiB.
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "formats/native/codec.hpp"
#include "formats/native/index.hpp"
#include "libckpt/xxh3.hpp"

namespace {

using namespace ckpt;
using Clock = std::chrono::steady_clock;

double seconds(const std::function<void()>& work) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
        const auto begin = Clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
    }
    return best;
}

std::string line(const std::string& name, std::size_t raw, std::size_t stored, double encode, double decode) {
    return fmt::format(R"("{}": {{"ratio": {:.5f}, "compress_gbs": {:.3f}, "decompress_gbs": {:.3f}}})", name,
                       static_cast<double>(stored) / static_cast<double>(raw), static_cast<double>(raw) / encode / 1e9,
                       static_cast<double>(raw) / decode / 1e9);
}

/// As the layout does it: chunks of 1 MiB, a checksum of each as stored, one of all as they are.
std::string ours(const std::string& raw, native::ElementKind kind) {
    struct Chunk {
        native::CodecId codec;
        std::size_t begin, size;
        std::uint64_t xxh3;
    };
    std::vector<Chunk> chunks;
    std::string stored;
    const auto bytes = std::as_bytes(std::span(raw));
    const auto pieces = [&](auto work) {
        for (std::size_t at = 0; at < raw.size(); at += native::kChunkBytes)
            work(at, std::min<std::size_t>(native::kChunkBytes, raw.size() - at));
    };
    Xxh3Stream digest;
    const double encode = seconds([&] {
        stored.clear();
        chunks.clear();
        digest.reset();
        pieces([&](std::size_t at, std::size_t size) {
            const std::size_t begin = stored.size();
            const auto codec = native::encode_chunk(bytes.subspan(at, size), kind, stored);
            const auto made = std::as_bytes(std::span(stored)).subspan(begin);
            chunks.push_back({codec, begin, made.size(), xxh3_64(made)});
            digest.update(bytes.subspan(at, size));
        });
    });
    std::string back(raw.size(), '\0');
    bool sound = true;
    const double decode = seconds([&] {
        std::size_t i = 0;
        pieces([&](std::size_t at, std::size_t size) {
            const Chunk& chunk = chunks[i++];
            const auto made = std::as_bytes(std::span(stored)).subspan(chunk.begin, chunk.size);
            sound = sound && xxh3_64(made) == chunk.xxh3;
            native::decode_chunk(chunk.codec, made, std::as_writable_bytes(std::span(back)).subspan(at, size));
        });
    });
    if (!sound || back != raw) std::fputs("native: did not come back\n", stderr);
    return line("native", raw.size(), stored.size(), encode, decode);
}

std::string zstd(const std::string& raw, int level) {
    std::string stored(ZSTD_compressBound(raw.size()), '\0');
    std::size_t size = 0;
    const auto begin = Clock::now();
    size = ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), level);
    const double encode = std::chrono::duration<double>(Clock::now() - begin).count();
    std::string back(raw.size(), '\0');
    const double decode = seconds([&] { ZSTD_decompress(back.data(), back.size(), stored.data(), size); });
    if (back != raw) std::fputs("zstd: did not come back\n", stderr);
    return line(fmt::format("zstd -{}", level), raw.size(), size, encode, decode);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    std::ifstream in(argv[1], std::ios::binary);
    const std::string raw{std::istreambuf_iterator<char>(in), {}};
    const auto dtype = dtype_from_name(argv[2]);
    if (raw.empty() || !dtype) return 2;
    const std::size_t some = std::min(raw.size(), static_cast<std::size_t>(std::atoi(argv[3])) << 20);
    fmt::print("{{{}, {}, {}}}\n", ours(raw, native::element_kind(*dtype)), zstd(raw, 3),
               zstd(raw.substr(0, some), 19));
    return 0;
}
