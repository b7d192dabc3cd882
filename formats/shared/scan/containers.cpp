// gzip, tar, NumPy's arrays.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/npy/descr.hpp"
#include "formats/shared/npy/literal.hpp"
#include "formats/shared/scan/scanner.hpp"
#include "libckpt/error.hpp"

namespace ckpt::scan {
namespace {

constexpr std::uint64_t kBlockBytes = 512;

std::uint64_t octal(std::string_view field) {
    if (!field.empty() && static_cast<unsigned char>(field[0]) == 0x80) {
        std::uint64_t value = 0;
        for (const char c : field.substr(1)) value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }
    std::uint64_t value = 0;
    for (const char c : field) {
        if (c >= '0' && c <= '7') value = value << 3 | static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

/// Whether a block is the header of a member, by its checksum: those of before 1988 have no name of the format, and
/// Python reads them.
bool is_tar_header(std::string_view block) {
    if (block.size() < kBlockBytes || block[0] == '\0') return false;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBlockBytes; ++i)
        sum += i >= 148 && i < 156 ? 0x20U : static_cast<unsigned char>(block[i]);
    return octal(block.substr(148, 8)) == sum;
}

/// "size" and "path" of a PAX header.
std::string pax_value(std::string_view text, std::string_view key) {
    const std::size_t at = text.find(fmt::format(" {}=", key));
    if (at == std::string_view::npos) return {};
    const std::size_t begin = at + key.size() + 2;
    return std::string(text.substr(begin, text.find('\n', begin) - begin));
}

}  // namespace

bool begins_like_tar(std::string_view head) {
    return (head.size() > 262 && head.compare(257, 5, "ustar") == 0) || is_tar_header(head.substr(0, kBlockBytes));
}

bool Scanner::gzip(const BlobPtr& bytes, const std::string& place, int depth) {
    // An array of numbers may be of any size.
    const auto numbers = npy_head(*memory_blob(gunzip_head(bytes_of(*bytes, 0, 8192), 8192)));
    if (numbers && numbers->problem.empty() && !numbers->has_objects) return true;
    try {
        Gunzipped unpacked = gunzip(*bytes, kMostUnpackedBytes, context_);
        if (depth > 0 && unpacked.bytes.empty()) return false;  // two bytes that may be anything
        if (!unpacked.problem.empty()) {
            if (unpacked.end == GzipEnd::kWhole)
                note(unpacked.problem, place, unpacked.used_bytes);
            else
                damage(place, unpacked.problem);
        }
        if (unpacked.trailing_bytes > 0) embedded(bytes, unpacked.used_bytes, bytes->size_bytes(), place, depth);
        if (unpacked.bytes.empty()) return true;
        const BlobPtr content = memory_blob(std::move(unpacked.bytes));
        embedded_budget_ += 8 * content->size_bytes();
        any(content, inside(place, "unpacked"), depth + 1, Belief::kLikely);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        unseen(error.message(), place);
    }
    return true;
}

bool Scanner::tar(const BlobPtr& bytes, const std::string& place, int depth) {
    std::string next_name;
    std::string next_size;
    std::vector<PickleAudit> audits;
    std::size_t torch_members = 0;
    for (std::uint64_t at = 0; bytes->size_bytes() - at >= kBlockBytes;) {
        context_.check_cancelled();
        const std::string block = bytes_of(*bytes, at, kBlockBytes);
        at += kBlockBytes;
        if (block.find_first_not_of('\0') == std::string::npos) continue;
        std::uint64_t size = octal(std::string_view(block).substr(124, 12));
        const char kind = block[156];
        std::string name = block.substr(0, std::min<std::size_t>(100, block.find('\0')));
        if (kind != 'x' && kind != 'g' && !next_size.empty()) {
            std::from_chars(next_size.data(), next_size.data() + next_size.size(), size);
            next_size.clear();
        }
        if (size > bytes->size_bytes() - at) {
            damage(place, fmt::format("member '{}' has {} bytes from byte {} on, the file ends at byte {}", name, size,
                                      at, bytes->size_bytes()));
            size = bytes->size_bytes() - at;
        }
        if (kind == 'x' || kind == 'L') {
            const std::string text = bytes_of(*bytes, at, std::min<std::uint64_t>(size, 65536));
            next_name = kind == 'L' ? text.substr(0, text.find('\0')) : pax_value(text, "path");
            if (kind == 'x') next_size = pax_value(text, "size");
        } else if (size > 0) {
            if (!next_name.empty()) name = next_name;
            next_name.clear();
            const BlobPtr content = slice_blob(bytes, at, size);
            const std::string inner = inside(place, name);
            const bool is_torch = name == "sys_info" || name == "pickle" || name == "storages" || name == "tensors";
            if (is_torch) {
                ++torch_members;
                const Streams streams = pickles(content, 0, inner, depth, Belief::kSure);
                embedded(content, streams.end, size, inner, depth);
                audits.insert(audits.end(), streams.audits.begin(), streams.audits.end());
            } else {
                any(content, inner, depth + 1, name.ends_with(".pkl") ? Belief::kLikely : Belief::kMaybe);
            }
        }
        at += std::min((size + kBlockBytes - 1) / kBlockBytes * kBlockBytes, bytes->size_bytes() - at);
    }
    if (torch_members == 0 || depth > 0) return true;
    report_.kind = "torch tar archive";
    report_.is_for_torch = true;
    for (std::size_t g = 0; g < report_.weights_only.size(); ++g) {
        std::string why = g >= 2 ? "it is a tar archive" : "";
        for (const PickleAudit& audit : audits) {
            if (why.empty()) why = audit.refusals[g];
        }
        report_.weights_only[g] = {why.empty(), why};
    }
    return true;
}

std::optional<NpyHead> npy_head(const Blob& bytes) {
    const std::string head = bytes_of(bytes, 0, 12);
    if (head.size() < 10 || !head.starts_with("\x93NUMPY")) return std::nullopt;
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(head[i])}; };
    const bool is_wide = byte(6) >= 2 && head.size() == 12;
    const std::uint64_t length = byte(8) | byte(9) << 8 | (is_wide ? byte(10) << 16 | byte(11) << 24 : 0);
    NpyHead result;
    result.data_at = (is_wide ? 12 : 10) + length;
    try {
        if (length > (std::uint64_t{1} << 20)) throw_damaged("a header of {} bytes", length);
        Pool pool;
        const Value header = parse_python_literal(pool, bytes_of(bytes, is_wide ? 12 : 10, length));
        const Value* descr = header.is(Kind::kDict) ? header.dict().find("descr") : nullptr;
        if (descr == nullptr) throw_damaged("a header without descr");
        result.has_objects = parse_descr(pool, *descr).has_objects;
    } catch (const Error& error) {
        result.problem = error.message();
    }
    return result;
}

bool Scanner::npy(const BlobPtr& bytes, const std::string& place, int depth) {
    const auto head = npy_head(*bytes);
    if (!head) {
        damage(place, "a NumPy array that ends inside its header");
        return true;
    }
    if (!head->problem.empty()) damage(place, head->problem);
    if (!head->has_objects || head->data_at >= bytes->size_bytes()) return true;
    const Streams streams = pickles(bytes, head->data_at, place, depth, Belief::kSure);
    if (streams.end < bytes->size_bytes()) embedded(bytes, streams.end, bytes->size_bytes(), place, depth);
    return true;
}

}  // namespace ckpt::scan
