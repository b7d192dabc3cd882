// Which codec, by trial; and each of them.
#include "formats/native/codec.hpp"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "formats/native/planes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {
namespace {

constexpr int kLiteralsOnlyLevel = -131072;  // steps so far that it finds no match: what is left is the entropy coder
constexpr int kMatchLevel = 3;
constexpr int kTextLevel = 6;
constexpr std::size_t kSampleBytes = std::size_t{32} << 10;
constexpr std::uint8_t kPlaneRaw = 0;
constexpr std::uint8_t kPlaneZstd = 1;
constexpr std::uint8_t kPlaneConstant = 2;
constexpr std::uint8_t kRestsPacked = 0;
constexpr std::uint8_t kRestsPlane = 1;
constexpr std::uint8_t kRotated = 0x10;

using Bytes = std::vector<std::uint8_t>;
using In = std::span<const std::uint8_t>;

struct Contexts {
    std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> compress{ZSTD_createCCtx(), ZSTD_freeCCtx};
    std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> decompress{ZSTD_createDCtx(), ZSTD_freeDCtx};
    /// Working memory, kept from chunk to chunk.
    std::array<Bytes, 3> scratch;
    Bytes frame;
};

Contexts& contexts() {
    thread_local Contexts mine;
    if (!mine.compress || !mine.decompress) throw std::bad_alloc();
    return mine;
}

In in(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

std::uint8_t* room(Bytes& bytes, std::size_t size) {
    if (bytes.size() < size) bytes.resize(size);
    return bytes.data();
}

/// Appends a frame; returns its size.
std::size_t append_frame(std::string& out, In raw, int level) {
    ZSTD_CCtx* context = contexts().compress.get();
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    // ZSTD_c_literalCompressionMode = ZSTD_ps_enable: fast levels store literals as they are unless told so. The
    // parameter is not in the stable header, but has had this number and meaning since 1.4.
    if (level < 0) ZSTD_CCtx_setParameter(context, static_cast<ZSTD_cParameter>(1002), 1);
    const std::size_t most = ZSTD_compressBound(raw.size());
    std::uint8_t* frame = room(contexts().frame, most);
    const std::size_t size = ZSTD_compress2(context, frame, most, raw.data(), raw.size());
    if (ZSTD_isError(size) != 0) throw_error(ErrorCode::kInternal, "zstd: {}", ZSTD_getErrorName(size));
    out.append(reinterpret_cast<const char*>(frame), size);
    return size;
}

void decode_frame(In frame, std::uint8_t* out, std::size_t size) {
    const std::size_t got = ZSTD_decompressDCtx(contexts().decompress.get(), out, size, frame.data(), frame.size());
    if (ZSTD_isError(got) != 0) throw_damaged("zstd: {}", ZSTD_getErrorName(got));
    if (got != size) throw_damaged("zstd: {} bytes where {} are due", got, size);
}

void put_u32(std::string& out, std::size_t value) {
    for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

/// Bits per byte if each were coded for itself.
double entropy(In bytes) {
    std::array<std::uint32_t, 256> counts{};
    for (const std::uint8_t byte : bytes) ++counts[byte];
    double bits = 0;
    for (const std::uint32_t count : counts) {
        if (count != 0) bits -= count * std::log2(static_cast<double>(count) / static_cast<double>(bytes.size()));
    }
    return bytes.empty() ? 0 : bits / static_cast<double>(bytes.size());
}

/// A run out of the middle: beginnings are often unlike the rest.
In sample_of(In bytes, std::size_t size) {
    if (bytes.size() <= size) return bytes;
    return bytes.subspan((bytes.size() - size) / 2, size);
}

/// A plane, in the form that is smallest.
void put_plane(std::string& out, In plane) {
    constexpr std::size_t kTried = 4096;
    constexpr double kHopeless = 7.8;  // zstd's literals gain a 64th at least, or are stored as they are
    if (plane.empty()) return;
    const In sample = sample_of(plane, kTried);
    const bool looks_constant = sample.front() == sample.back() && entropy(sample) == 0;
    if (looks_constant && std::all_of(plane.begin(), plane.end(), [&](auto byte) { return byte == plane.front(); })) {
        out.push_back(static_cast<char>(kPlaneConstant));
        out.push_back(static_cast<char>(plane.front()));
        return;
    }
    const double bits = entropy(sample);
    const std::size_t begin = out.size();
    if (bits < kHopeless) {
        std::string trial;
        const auto with_matches = static_cast<double>(append_frame(trial, sample, 1));
        const bool has_matches = with_matches < 0.92 * bits / 8 * static_cast<double>(sample.size());
        out.push_back(static_cast<char>(kPlaneZstd));
        put_u32(out, 0);
        const std::size_t size = append_frame(out, plane, has_matches ? kMatchLevel : kLiteralsOnlyLevel);
        if (size < plane.size()) {
            for (unsigned i = 0; i < 4; ++i) out[begin + 1 + i] = static_cast<char>(size >> (8 * i));
            return;
        }
        out.resize(begin);
    }
    out.push_back(static_cast<char>(kPlaneRaw));
    out.append(reinterpret_cast<const char*>(plane.data()), plane.size());
}

/// Reads a payload from its front.
class Reader {
public:
    explicit Reader(In bytes) : rest_(bytes) {}
    In take(std::size_t size) {
        if (size > rest_.size()) throw_damaged("{} bytes are wanted where {} are left", size, rest_.size());
        const In taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    std::uint8_t u8() { return take(1)[0]; }
    std::uint32_t u32() {
        const In b = take(4);
        return static_cast<std::uint32_t>(b[0]) | static_cast<std::uint32_t>(b[1]) << 8 |
               static_cast<std::uint32_t>(b[2]) << 16 | static_cast<std::uint32_t>(b[3]) << 24;
    }
    void plane(std::uint8_t* out, std::size_t size) {
        if (size == 0) return;
        switch (const std::uint8_t method = u8()) {
            case kPlaneRaw: {
                const In bytes = take(size);
                std::copy(bytes.begin(), bytes.end(), out);
                break;
            }
            case kPlaneZstd:
                decode_frame(take(u32()), out, size);
                break;
            case kPlaneConstant:
                std::fill_n(out, size, u8());
                break;
            default:
                throw_damaged("a plane is stored by method {}; 0 to 2 are known", method);
        }
    }
    In rest() { return take(rest_.size()); }
    void end() const {
        if (!rest_.empty()) throw_damaged("{} bytes too many", rest_.size());
    }

private:
    In rest_;
};

void append(std::string& out, In bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void encode_planes(std::string& out, In raw, unsigned width, bool rotated) {
    const std::size_t count = raw.size() / width;
    std::uint8_t* planes = room(contexts().scratch[0], raw.size());
    split_planes(reinterpret_cast<const std::byte*>(raw.data()), count, width, rotated, planes);
    out.push_back(static_cast<char>(std::countr_zero(width) | (rotated ? kRotated : 0)));
    for (unsigned plane = 0; plane < width; ++plane) put_plane(out, {planes + plane * count, count});
    append(out, raw.subspan(count * width));
}

void decode_planes(In stored, std::span<std::byte> raw) {
    Reader reader(stored);
    const std::uint8_t form = reader.u8();
    if ((form & 0xf) > 3 || (form & 0xe0) != 0) throw_damaged("planes of the form {:#x}", form);
    const unsigned width = 1u << (form & 0xf);
    const std::size_t count = raw.size() / width;
    std::uint8_t* planes = room(contexts().scratch[0], raw.size());
    for (unsigned plane = 0; plane < width; ++plane) reader.plane(planes + plane * count, count);
    join_planes(planes, count, width, (form & kRotated) != 0, raw.data());
    const In rest = reader.take(raw.size() - count * width);
    if (!rest.empty()) std::memcpy(raw.data() + count * width, rest.data(), rest.size());
    reader.end();
}

FloatParts float_parts(std::size_t count, unsigned width) {
    auto& scratch = contexts().scratch;
    return {room(scratch[0], count), room(scratch[1], count * (width - 2)), room(scratch[2], count)};
}

/// False if the exponents span too much.
bool encode_floats(std::string& out, In raw, unsigned width) {
    const std::size_t count = raw.size() / width;
    const auto* elements = reinterpret_cast<const std::byte*>(raw.data());
    const int base = float_base(elements, count, width);
    if (base < 0) return false;
    const FloatParts parts = float_parts(count, width);
    split_floats(elements, count, width, base, parts);
    out.push_back(static_cast<char>(width));
    out.push_back(static_cast<char>(base));
    put_plane(out, {parts.symbols, count});
    for (unsigned plane = 0; plane < width - 2; ++plane) put_plane(out, {parts.middle + plane * count, count});
    const In rests(parts.rests, count);
    if (entropy(sample_of(rests, 8192)) < 5.8) {
        out.push_back(static_cast<char>(kRestsPlane));
        put_plane(out, rests);
    } else {
        out.push_back(static_cast<char>(kRestsPacked));
        const std::size_t at = out.size();
        out.resize(at + packed_size(count));
        pack_rests(parts.rests, count, reinterpret_cast<std::uint8_t*>(out.data()) + at);
    }
    append(out, raw.subspan(count * width));
    return true;
}

void decode_floats(In stored, std::span<std::byte> raw) {
    Reader reader(stored);
    const unsigned width = reader.u8();
    if (width != 2 && width != 4) throw_damaged("floats of {} bytes", width);
    const int base = reader.u8();
    const std::size_t count = raw.size() / width;
    const FloatParts parts = float_parts(count, width);
    reader.plane(parts.symbols, count);
    for (unsigned plane = 0; plane < width - 2; ++plane) reader.plane(parts.middle + plane * count, count);
    const std::uint8_t form = reader.u8();
    if (form == kRestsPacked) {
        unpack_rests(reader.take(packed_size(count)).data(), count, parts.rests);
    } else if (form == kRestsPlane) {
        reader.plane(parts.rests, count);
    } else {
        throw_damaged("rests of floats in the form {}", form);
    }
    join_floats(parts, count, width, base, raw.data());
    const In rest = reader.take(raw.size() - count * width);
    if (!rest.empty()) std::memcpy(raw.data() + count * width, rest.data(), rest.size());
    reader.end();
}

/// One of the codecs that take dense elements; false (and nothing appended) if it does not apply.
bool encode_by(CodecId codec, In raw, ElementKind kind, std::string& out) {
    const unsigned width = element_bytes(kind);
    switch (codec) {
        case CodecId::kRaw:
            append(out, raw);
            return true;
        case CodecId::kZstd:
            append_frame(out, raw, kind == ElementKind::kText ? kTextLevel : kMatchLevel);
            return true;
        case CodecId::kPlanes:
            encode_planes(out, raw, width, kind >= ElementKind::kFloat16);
            return true;
        case CodecId::kFloat:
            return encode_floats(out, raw, width);
        default:
            return false;
    }
}

/// How large it would come out; nothing if it does not apply.
std::optional<std::size_t> size_by(CodecId codec, In raw, ElementKind kind) {
    std::string trial;
    return encode_by(codec, raw, kind, trial) ? std::optional(trial.size()) : std::nullopt;
}

template <typename Word>
std::size_t pick_nonzero(const std::byte* raw, std::size_t count, std::uint8_t* bits, std::byte* out) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Word word;
        std::memcpy(&word, raw + i * sizeof(Word), sizeof(Word));
        const bool is_set = word != 0;
        bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | (is_set ? 1u : 0u) << (i % 8));
        std::memcpy(out + kept * sizeof(Word), &word, sizeof(Word));
        kept += is_set ? 1 : 0;
    }
    return kept;
}

template <typename Word>
void place_nonzero(const std::byte* kept, std::size_t kept_count, const std::uint8_t* bits, std::size_t count,
                   std::byte* raw) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Word word = 0;
        if ((bits[i / 8] >> (i % 8) & 1) != 0) {
            if (next == kept_count) throw_damaged("more than the {} elements are not zero", kept_count);
            std::memcpy(&word, kept + next * sizeof(Word), sizeof(Word));
            ++next;
        }
        std::memcpy(raw + i * sizeof(Word), &word, sizeof(Word));
    }
    if (next != kept_count) throw_damaged("{} elements are not zero, {} are there", next, kept_count);
}

template <typename Function>
auto for_width(unsigned width, Function function) {
    switch (width) {
        case 1:
            return function(std::uint8_t{});
        case 2:
            return function(std::uint16_t{});
        case 4:
            return function(std::uint32_t{});
        default:
            return function(std::uint64_t{});
    }
}

CodecId encode_dense(std::string& out, In raw, ElementKind kind);

void encode_sparse(std::string& out, In raw, ElementKind kind) {
    const unsigned width = element_bytes(kind);
    const std::size_t count = raw.size() / width;
    std::vector<std::uint8_t> bits((count + 7) / 8);
    std::vector<std::byte> kept(raw.size() + 8);
    const std::size_t kept_count = for_width(width, [&](auto word) {
        return pick_nonzero<decltype(word)>(reinterpret_cast<const std::byte*>(raw.data()), count, bits.data(),
                                            kept.data());
    });
    out.push_back(static_cast<char>(std::countr_zero(width)));
    put_u32(out, kept_count);
    put_plane(out, bits);
    const In elements(reinterpret_cast<const std::uint8_t*>(kept.data()), kept_count * width);
    const std::size_t at = out.size();
    out.push_back(0);
    out[at] = static_cast<char>(encode_dense(out, elements, kind));
}

void decode_sparse(In stored, std::span<std::byte> raw) {
    Reader reader(stored);
    const std::uint8_t form = reader.u8();
    if (form > 3) throw_damaged("sparse elements of the form {:#x}", form);
    const unsigned width = 1u << form;
    const std::size_t count = raw.size() / width;
    const std::size_t kept_count = reader.u32();
    if (raw.size() % width != 0 || kept_count > count)
        throw_damaged("{} of {} elements in {} bytes are not zero", kept_count, count, raw.size());
    std::vector<std::uint8_t> bits((count + 7) / 8);
    reader.plane(bits.data(), bits.size());
    const auto inner = static_cast<CodecId>(reader.u8());
    if (inner == CodecId::kSparse) throw_damaged("sparse elements in sparse elements");
    std::vector<std::byte> kept(kept_count * width);
    const In payload = reader.rest();
    decode_chunk(inner, std::as_bytes(payload), kept);
    for_width(width, [&](auto word) {
        place_nonzero<decltype(word)>(kept.data(), kept_count, bits.data(), count, raw.data());
        return 0;
    });
}

/// The codec whose trial on the sample is smallest; a slower one must win clearly.
CodecId best_dense(In sample, ElementKind kind) {
    if (kind == ElementKind::kText) return CodecId::kZstd;
    const bool has_fields = kind == ElementKind::kBFloat16 || kind == ElementKind::kFloat32;
    CodecId best = CodecId::kFloat;
    auto trial_size = has_fields ? size_by(best, sample, kind) : std::nullopt;
    if (!trial_size) {
        best = CodecId::kPlanes;
        trial_size = size_by(best, sample, kind);
    }
    constexpr double kWorthIt = 0.995;
    constexpr double kWorthBeingSlow = 0.98;
    auto least = static_cast<double>(*trial_size);
    if (least > kWorthIt * static_cast<double>(sample.size())) {
        best = CodecId::kRaw;
        least = static_cast<double>(sample.size());
    }
    std::string trial;
    // Matches of whole elements, or of runs that lie across them; the fastest level shows whether there are any.
    const auto with_matches = static_cast<double>(append_frame(trial, sample_of(sample, sample.size() / 2), -1)) * 2;
    return with_matches < kWorthBeingSlow * least ? CodecId::kZstd : best;
}

/// A run of whole elements out of the middle.
In elements_sample(In raw, unsigned width) {
    if (raw.size() <= kSampleBytes) return raw;
    return raw.subspan((raw.size() - kSampleBytes) / 2 / width * width, kSampleBytes);
}

CodecId encode_dense(std::string& out, In raw, ElementKind kind) {
    const std::size_t begin = out.size();
    CodecId codec = best_dense(elements_sample(raw, element_bytes(kind)), kind);
    if (!encode_by(codec, raw, kind, out)) {  // the sample did not show how far the exponents go
        codec = CodecId::kPlanes;
        encode_by(codec, raw, kind, out);
    }
    if (out.size() - begin < raw.size()) return codec;
    out.resize(begin);
    append(out, raw);
    return CodecId::kRaw;
}

/// Share of elements that are zero.
double zero_share(In sample, unsigned width) {
    std::size_t zeros = 0;
    const std::size_t count = sample.size() / width;
    for (std::size_t i = 0; i < count; ++i) {
        const In element = sample.subspan(i * width, width);
        zeros += std::all_of(element.begin(), element.end(), [](auto byte) { return byte == 0; }) ? 1 : 0;
    }
    return count == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(count);
}

}  // namespace

ElementKind element_kind(DType dtype) noexcept {
    switch (dtype) {
        case DType::kFloat16:
        case DType::kComplex32:
            return ElementKind::kFloat16;
        case DType::kBFloat16:
            return ElementKind::kBFloat16;
        case DType::kFloat32:
        case DType::kComplex64:
            return ElementKind::kFloat32;
        case DType::kFloat64:
        case DType::kComplex128:
            return ElementKind::kFloat64;
        default:
            break;
    }
    switch (dtype_width(dtype)) {
        case 2:
            return ElementKind::kWidth2;
        case 4:
            return ElementKind::kWidth4;
        case 8:
            return ElementKind::kWidth8;
        default:
            return ElementKind::kWidth1;
    }
}

unsigned element_bytes(ElementKind kind) noexcept {
    switch (kind) {
        case ElementKind::kText:
        case ElementKind::kWidth1:
            return 1;
        case ElementKind::kWidth2:
        case ElementKind::kFloat16:
        case ElementKind::kBFloat16:
            return 2;
        case ElementKind::kWidth4:
        case ElementKind::kFloat32:
            return 4;
        default:
            return 8;
    }
}

CodecId encode_chunk(std::span<const std::byte> raw_bytes, ElementKind kind, std::string& out) {
    const In raw = in(raw_bytes);
    const unsigned width = element_bytes(kind);
    const In sample = elements_sample(raw, width);
    constexpr double kWorthATrial = 0.15;
    if (kind != ElementKind::kText && raw.size() % width == 0 && zero_share(sample, width) > kWorthATrial) {
        std::string dense;
        std::string sparse;
        encode_dense(dense, sample, kind);
        encode_sparse(sparse, sample, kind);
        const std::size_t begin = out.size();
        if (sparse.size() < dense.size()) {
            encode_sparse(out, raw, kind);
            if (out.size() - begin < raw.size()) return CodecId::kSparse;
            out.resize(begin);
        }
    }
    return encode_dense(out, raw, kind);
}

bool is_known(CodecId codec) noexcept {
    return codec <= CodecId::kSparse;
}

void decode_chunk(CodecId codec, std::span<const std::byte> stored, std::span<std::byte> raw) {
    switch (codec) {
        case CodecId::kRaw:
            if (stored.size() != raw.size())
                throw_damaged("{} bytes are stored where {} are due", stored.size(), raw.size());
            if (!raw.empty()) std::memcpy(raw.data(), stored.data(), raw.size());
            return;
        case CodecId::kZstd:
            return zstd_unframe(stored, raw);
        case CodecId::kPlanes:
            return decode_planes(in(stored), raw);
        case CodecId::kFloat:
            return decode_floats(in(stored), raw);
        case CodecId::kSparse:
            return decode_sparse(in(stored), raw);
    }
    throw_error(ErrorCode::kUnsupported, "codec {} is not known{}", static_cast<unsigned>(codec),
                static_cast<unsigned>(codec) >= kFirstReservedCodec ? " (differences from a base file)" : "");
}

std::string zstd_frame(std::span<const std::byte> raw, int level) {
    std::string out;
    append_frame(out, in(raw), level);
    return out;
}

void zstd_unframe(std::span<const std::byte> frame, std::span<std::byte> raw) {
    decode_frame(in(frame), reinterpret_cast<std::uint8_t*>(raw.data()), raw.size());
}

}  // namespace ckpt::native
