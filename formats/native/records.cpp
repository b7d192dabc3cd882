// Fields at their places, each structure under its own checksum.
#include "formats/native/records.hpp"

#include <array>
#include <cstring>

#include "libckpt/error.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::native {
namespace {

constexpr std::array<std::string_view, 3> kRecordMagic = {"CKch", "CKrs", "CKix"};
constexpr std::uint8_t kRunFlag = 1;
constexpr std::uint8_t kPackedNamesFlag = 2;

void put(std::string& bytes, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t width) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

std::uint64_t checksum(std::string_view bytes) noexcept {
    return xxh3_64(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

void check_version(std::uint64_t version) {
    if (version == 0 || version > kVersion) {
        throw_error(ErrorCode::kUnsupported, "is a native checkpoint of version {}; this program reads version {}",
                    version, kVersion);
    }
}

}  // namespace

std::string file_header() {
    std::string bytes(kMagic);
    put(bytes, kVersion, 2);
    bytes.resize(kHeaderBytes - 8);
    put(bytes, checksum(bytes), 8);
    return bytes;
}

void check_file_header(std::string_view bytes) {
    if (bytes.size() < kHeaderBytes) throw_damaged("ends inside its header, at byte {}", bytes.size());
    if (!bytes.starts_with(kMagic)) {
        throw Error(ErrorCode::kDamaged,
                    "does not begin like a native checkpoint but ends like one: its first bytes are damaged");
    }
    const std::uint64_t stored = number(bytes, kHeaderBytes - 8, 8);
    const std::uint64_t computed = checksum(bytes.substr(0, kHeaderBytes - 8));
    if (stored != computed) throw_damaged("header: checksum is {:016x}, its bytes give {:016x}", stored, computed);
    check_version(number(bytes, 8, 2));
}

std::string record_header(const RecordHeader& header) {
    std::string bytes(kRecordMagic[static_cast<std::size_t>(header.type)]);
    put(bytes, static_cast<std::uint64_t>(header.codec), 1);
    put(bytes, (header.is_run ? kRunFlag : 0u) | (header.names_are_packed ? kPackedNamesFlag : 0u), 1);
    put(bytes, 0, 2);
    put(bytes, header.names_bytes, 4);
    put(bytes, header.padding_bytes, 4);
    put(bytes, header.raw_bytes, 8);
    put(bytes, header.stored_bytes, 8);
    put(bytes, header.number, 8);
    put(bytes, header.payload_xxh3, 8);
    put(bytes, header.names_xxh3, 8);
    put(bytes, checksum(bytes), 8);
    return bytes;
}

std::optional<RecordHeader> parse_record_header(std::string_view bytes) noexcept {
    if (bytes.size() < kHeaderBytes) return std::nullopt;
    RecordHeader header;
    std::size_t type = 0;
    while (type < kRecordMagic.size() && !bytes.starts_with(kRecordMagic[type])) ++type;
    if (type == kRecordMagic.size()) return std::nullopt;
    if (number(bytes, kHeaderBytes - 8, 8) != checksum(bytes.substr(0, kHeaderBytes - 8))) return std::nullopt;
    header.type = static_cast<RecordType>(type);
    header.codec = static_cast<CodecId>(number(bytes, 4, 1));
    header.is_run = (number(bytes, 5, 1) & kRunFlag) != 0;
    header.names_are_packed = (number(bytes, 5, 1) & kPackedNamesFlag) != 0;
    header.names_bytes = static_cast<std::uint32_t>(number(bytes, 8, 4));
    header.padding_bytes = static_cast<std::uint32_t>(number(bytes, 12, 4));
    header.raw_bytes = number(bytes, 16, 8);
    header.stored_bytes = number(bytes, 24, 8);
    header.number = number(bytes, 32, 8);
    header.payload_xxh3 = number(bytes, 40, 8);
    header.names_xxh3 = number(bytes, 48, 8);
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    if (header.raw_bytes > kMost || header.stored_bytes > kMost) return std::nullopt;
    return header;
}

std::string footer(const Footer& footer) {
    std::string bytes;
    put(bytes, footer.index_offset, 8);
    put(bytes, footer.index_stored_bytes, 8);
    put(bytes, footer.index_raw_bytes, 8);
    put(bytes, footer.index_xxh3, 8);
    put(bytes, footer.file_bytes, 8);
    put(bytes, kVersion, 2);
    put(bytes, 0, 2 + 4);
    put(bytes, checksum(bytes), 8);
    bytes += kEndMagic;
    return bytes;
}

bool ends_like_footer(std::string_view tail) noexcept {
    return tail.ends_with(kEndMagic);
}

Footer parse_footer(std::string_view bytes, std::uint64_t file_bytes) {
    if (bytes.size() < kHeaderBytes || !ends_like_footer(bytes)) {
        throw_damaged(
            "has no footer at its end, byte {}: it was cut short, or something follows it (`ckpt extract "
            "--salvage` gets out what is whole)",
            file_bytes);
    }
    const std::uint64_t stored = number(bytes, 48, 8);
    const std::uint64_t computed = checksum(bytes.substr(0, 48));
    if (stored != computed) throw_damaged("footer: checksum is {:016x}, its bytes give {:016x}", stored, computed);
    check_version(number(bytes, 40, 2));
    Footer found;
    found.index_offset = number(bytes, 0, 8);
    found.index_stored_bytes = number(bytes, 8, 8);
    found.index_raw_bytes = number(bytes, 16, 8);
    found.index_xxh3 = number(bytes, 24, 8);
    found.file_bytes = number(bytes, 32, 8);
    if (found.file_bytes != file_bytes) throw_damaged("has {} bytes, its footer says {}", file_bytes, found.file_bytes);
    const std::uint64_t most = file_bytes - kHeaderBytes;
    if (found.index_offset < kHeaderBytes || found.index_offset > most ||
        found.index_stored_bytes > most - found.index_offset ||
        most - found.index_offset - found.index_stored_bytes < kHeaderBytes) {
        throw_damaged("index of {} bytes at byte {} leaves the file of {} bytes", found.index_stored_bytes,
                      found.index_offset, file_bytes);
    }
    return found;
}

}  // namespace ckpt::native
