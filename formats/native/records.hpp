// The fixed-size structures of the file: header, record headers, footer (README: "File header", "Records", "Footer").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/native/codec.hpp"

namespace ckpt::native {

inline constexpr std::size_t kHeaderBytes = 64;  ///< of the file header, a record header and the footer
inline constexpr unsigned kVersion = 1;
inline constexpr std::string_view kMagic(
    "\x89"
    "CKPT\r\x0a\x1a",
    8);
inline constexpr std::string_view kEndMagic("TPKC\x0a\r\x1a\x89", 8);

std::string file_header();
/// Throws Error: kDamaged for a wrong magic or checksum, kUnsupported for a version of the future.
void check_file_header(std::string_view bytes);

enum class RecordType : std::uint8_t { kChunk, kRunChecksums, kIndex };

struct RecordHeader {
    RecordType type = RecordType::kChunk;
    CodecId codec = CodecId::kRaw;
    bool is_run = false;
    bool names_are_packed = false;
    std::uint32_t names_bytes = 0;
    std::uint32_t padding_bytes = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t number = 0;
    std::uint64_t payload_xxh3 = 0;
    std::uint64_t names_xxh3 = 0;

    /// Header, names, padding and payload.
    std::uint64_t total_bytes() const noexcept {
        return kHeaderBytes + names_bytes + std::uint64_t{padding_bytes} + stored_bytes;
    }
};
std::string record_header(const RecordHeader& header);
/// nullopt where the bytes are no sound header.
std::optional<RecordHeader> parse_record_header(std::string_view bytes) noexcept;

struct Footer {
    std::uint64_t index_offset = 0;
    std::uint64_t index_stored_bytes = 0;
    std::uint64_t index_raw_bytes = 0;
    std::uint64_t index_xxh3 = 0;
    std::uint64_t file_bytes = 0;
};
std::string footer(const Footer& footer);
bool ends_like_footer(std::string_view tail) noexcept;
/// Throws Error (kDamaged, kUnsupported).
Footer parse_footer(std::string_view bytes, std::uint64_t file_bytes);

}  // namespace ckpt::native
