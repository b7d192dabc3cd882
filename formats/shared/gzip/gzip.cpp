// Members and their headers are zlib's business; what lies around them is looked at here.
#include "formats/shared/gzip/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 18;
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMostLevel = 9;
constexpr int kMemoryLevel = 8;

/// An inflating stream that ends itself.
class Inflater {
public:
    Inflater() {
        if (inflateInit2(&stream, kGzipWindowBits) != Z_OK) throw Error(ErrorCode::kInternal, "zlib cannot be set up");
    }
    ~Inflater() { inflateEnd(&stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    z_stream stream = {};
};

std::string text_of(const z_stream& stream) {
    return stream.msg != nullptr ? stream.msg : "invalid data";
}

/// The bytes of a file, a piece at a time.
class Input {
public:
    explicit Input(const Blob& file) : file_(file), buffer_(kPieceBytes) {}
    std::uint64_t size() const { return file_.size_bytes(); }
    /// From an offset on, as many as there are and fit; they stay until the next call.
    std::span<const std::byte> at(std::uint64_t offset) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), size() - offset));
        const auto piece = std::span(buffer_).first(count);
        file_.read(offset, piece);
        return piece;
    }
    std::uint8_t byte(std::uint64_t offset) {
        std::byte one{};
        file_.read(offset, std::span(&one, 1));
        return static_cast<std::uint8_t>(one);
    }

private:
    const Blob& file_;
    std::vector<std::byte> buffer_;
};

/// Decodes one member that begins at `from`, behind what `result` holds already; true if there may be another.
bool inflate_member(Input& input, std::uint64_t from, Gunzipped& result, std::uint64_t limit_bytes,
                    const Context& context) {
    Inflater inflater;
    z_stream& stream = inflater.stream;
    std::vector<Bytef> out(kPieceBytes);
    std::uint64_t fed = from;
    while (true) {
        context.check_cancelled();
        if (stream.avail_in == 0) {
            const auto piece = input.at(fed);
            stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(piece.data()));
            stream.avail_in = static_cast<uInt>(piece.size());
            fed += piece.size();
        }
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        const int code = inflate(&stream, Z_NO_FLUSH);
        result.bytes.append(reinterpret_cast<const char*>(out.data()), out.size() - stream.avail_out);
        result.used_bytes = fed - stream.avail_in;
        if (result.bytes.size() > limit_bytes)
            throw_damaged("gzip: more than {} bytes come out of {} bytes", limit_bytes, result.used_bytes);
        if (code == Z_STREAM_END) return true;
        const bool is_at_end = fed == input.size() && stream.avail_in == 0;
        if (code == Z_DATA_ERROR || code == Z_NEED_DICT || code == Z_MEM_ERROR) {
            const std::string why = text_of(stream);
            if (why == "incorrect data check" || why == "incorrect length check") {
                result.end = GzipEnd::kWrongChecksum;
                result.problem = fmt::format("the gzip {} does not fit the data",
                                             why == "incorrect data check" ? "checksum" : "length");
                return why == "incorrect length check";
            }
            result.end = GzipEnd::kCorrupt;
            result.problem = fmt::format("the gzip data make no sense at byte {} ({})", result.used_bytes, why);
            return false;
        }
        if (is_at_end && stream.avail_out != 0) {
            // zlib does not say whether it waits for data or for the trailer. A wrong trailer is found out by four
            // bytes at most; with data missing it takes more.
            Bytef made_up[4] = {};
            stream.next_in = made_up;
            stream.avail_in = sizeof made_up;
            stream.next_out = out.data();
            stream.avail_out = static_cast<uInt>(out.size());
            const int last = inflate(&stream, Z_NO_FLUSH);
            const std::string why = last == Z_DATA_ERROR ? text_of(stream) : std::string();
            const bool has_all =
                out.size() == stream.avail_out &&
                (last == Z_STREAM_END || why == "incorrect data check" || why == "incorrect length check");
            result.end = has_all ? GzipEnd::kNoTrailer : GzipEnd::kCut;
            result.problem =
                has_all ? fmt::format("the file ends at byte {}, before the gzip checksum is complete", input.size())
                        : fmt::format("the file ends at byte {}, inside the gzip data", input.size());
            return false;
        }
    }
}

}  // namespace

Gunzipped gunzip(const Blob& file, std::uint64_t limit_bytes, const Context& context) {
    Input input(file);
    Gunzipped result;
    if (input.size() < kGzipSignature.size() || input.byte(0) != 0x1f || input.byte(1) != 0x8b)
        throw Error(ErrorCode::kDamaged, "is no gzip file");
    std::uint64_t at = 0;
    while (inflate_member(input, at, result, limit_bytes, context)) {
        at = result.used_bytes;
        const bool has_more = input.size() - at >= 2 && input.byte(at) == 0x1f && input.byte(at + 1) == 0x8b;
        if (!has_more || result.end != GzipEnd::kWhole) break;
    }
    if (result.end == GzipEnd::kWrongChecksum) result.used_bytes = std::min(result.used_bytes + 4, input.size());
    if (result.end == GzipEnd::kWhole) {
        result.trailing_bytes = input.size() - result.used_bytes;
        if (result.trailing_bytes != 0)
            result.problem =
                fmt::format("{} bytes follow the gzip data at byte {}", result.trailing_bytes, result.used_bytes);
    }
    return result;
}

std::string gunzip_head(std::string_view head, std::size_t most_bytes) noexcept {
    try {
        Inflater inflater;
        std::string out(most_bytes, '\0');
        inflater.stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(head.data()));
        inflater.stream.avail_in = static_cast<uInt>(head.size());
        inflater.stream.next_out = reinterpret_cast<Bytef*>(out.data());
        inflater.stream.avail_out = static_cast<uInt>(out.size());
        inflate(&inflater.stream, Z_SYNC_FLUSH);
        out.resize(out.size() - inflater.stream.avail_out);
        return out;
    } catch (...) {
        return {};
    }
}

std::string gzip(std::string_view bytes) {
    z_stream stream = {};
    if (deflateInit2(&stream, kMostLevel, Z_DEFLATED, kGzipWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
        throw Error(ErrorCode::kInternal, "zlib cannot be set up");
    gz_header header = {};
    header.os = 255;  // unknown: the same file everywhere
    deflateSetHeader(&stream, &header);
    std::string packed;
    std::vector<Bytef> out(kPieceBytes);
    std::size_t at = 0;
    int code = Z_OK;
    while (code == Z_OK || code == Z_BUF_ERROR) {
        const std::size_t count = std::min(kPieceBytes, bytes.size() - at);
        if (stream.avail_in == 0) {
            stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data() + at));
            stream.avail_in = static_cast<uInt>(count);
            at += count;
        }
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        code = deflate(&stream, at == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
        packed.append(reinterpret_cast<const char*>(out.data()), out.size() - stream.avail_out);
    }
    deflateEnd(&stream);
    if (code != Z_STREAM_END) throw Error(ErrorCode::kInternal, "zlib did not pack");
    return packed;
}

}  // namespace ckpt
