// gzip (RFC 1952): as much of a file as decodes, with what is wrong behind it, and the same bytes for the same input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt {

inline constexpr std::string_view kGzipSignature = "\x1f\x8b";

/// How a gzip file ends.
enum class GzipEnd : std::uint8_t {
    kWhole,          ///< with a checksum and length that are right
    kWrongChecksum,  ///< or a wrong length
    kNoTrailer,      ///< the data are all there, checksum and length are not
    kCut,            ///< inside the data
    kCorrupt,        ///< the data make no sense from somewhere on
};

struct Gunzipped {
    std::string bytes;  ///< decoded, as far as that goes; members one behind the other
    GzipEnd end = GzipEnd::kWhole;
    std::uint64_t used_bytes = 0;      ///< of the file: where decoding stopped
    std::uint64_t trailing_bytes = 0;  ///< behind the last member, no member themselves
    /// What is wrong, in words with numbers ("the checksum is 1234abcd, the data give 0badcafe"); empty where all is
    /// well. Bytes behind the end are wrong as well.
    std::string problem;
};

/// Decodes all members. Throws Error (kDamaged) when more than `limit_bytes` come out, or when this is no gzip file.
Gunzipped gunzip(const Blob& file, std::uint64_t limit_bytes, const Context& context);

/// The first bytes that come out of the first bytes of a gzip file; empty where nothing does. For detection.
std::string gunzip_head(std::string_view head, std::size_t most_bytes) noexcept;

/// One member, without name and time, so that the same bytes give the same file.
std::string gzip(std::string_view bytes);

}  // namespace ckpt
