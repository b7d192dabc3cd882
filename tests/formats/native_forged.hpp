// Native files put together by hand, with checksums that are right and contents that need not be.
#pragma once

#include <span>
#include <string>

#include "formats/native/records.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::test {

/// A record with its checksums made right.
inline std::string with_checksums(native::RecordHeader header, const std::string& names, const std::string& payload) {
    header.names_bytes = static_cast<std::uint32_t>(names.size());
    header.names_xxh3 = xxh3_64(std::as_bytes(std::span(names)));
    header.stored_bytes = payload.size();
    header.payload_xxh3 = xxh3_64(std::as_bytes(std::span(payload)));
    return native::record_header(header) + names + payload;
}

/// A chunk of 16 zeros, as it stands in the file.
inline std::string chunk_record(std::uint64_t number, const std::string& names,
                                native::CodecId codec = native::CodecId::kRaw) {
    native::RecordHeader header;
    header.codec = codec;
    header.number = number;
    header.raw_bytes = 16;
    return with_checksums(header, names, std::string(16, '\0'));
}

/// msgpack: one storage of `size` (below 128) bytes with one tensor of `elements` (below 128) uint8.
inline std::string names_of(char storage, std::uint64_t offset, char size, char elements, char path) {
    std::string bytes = {'\x91', '\x94', storage, '\xcf'};
    for (unsigned i = 8; i-- > 0;) bytes.push_back(static_cast<char>(offset >> (8 * i)));
    bytes += {size, '\x91', '\x95', '\xa1', path, '\xa5', 'u', 'i', 'n', 't', '8', '\x91', elements, '\xc0', '\0'};
    return bytes;
}

/// A sound file around an index of msgpack.
inline std::string file_of(const std::string& records, const std::string& index, std::uint64_t chunks) {
    native::RecordHeader header;
    header.type = native::RecordType::kIndex;
    header.raw_bytes = index.size();
    header.number = chunks;
    native::Footer end;
    end.index_offset = 64 + records.size();
    end.index_stored_bytes = end.index_raw_bytes = index.size();
    end.index_xxh3 = xxh3_64(std::as_bytes(std::span(index)));
    end.file_bytes = end.index_offset + 64 + index.size() + 64;
    return native::file_header() + records + with_checksums(header, {}, index) + native::footer(end);
}

/// A short text as msgpack.
inline std::string text_of(const std::string& text) {
    return std::string(1, static_cast<char>(0xa0 + text.size())) + text;
}

}  // namespace ckpt::test
