// What the strict reader refuses is taken here for what it may be (APPNOTE 4.3).
#include "formats/shared/zip/zip_walk.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include "formats/shared/zip/zip_records.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

using namespace zip_records;

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr std::uint64_t kMostLocalText = 4096;  // of a name or an extra field; what is longer is cut
constexpr unsigned kHasDescriptor = 8;
constexpr std::size_t kMostOpen = 8;
constexpr std::size_t kMostEndRecords = 16;

std::string range(const Blob& bytes, std::uint64_t offset, std::uint64_t size) {
    if (offset >= bytes.size_bytes()) return {};
    std::string result(static_cast<std::size_t>(std::min(size, bytes.size_bytes() - offset)), '\0');
    bytes.read(offset, std::as_writable_bytes(std::span(result.data(), result.size())));
    return result;
}
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t width) {
    std::uint64_t value = 0;
    if (at + width <= bytes.size()) std::memcpy(&value, bytes.data() + at, width);
    return value;
}

/// 64-bit numbers of a ZIP64 extra field in place of full ones.
void apply_zip64(std::string_view extra, std::initializer_list<std::uint64_t*> fields) {
    while (extra.size() >= 4) {
        const std::uint64_t id = number(extra, 0, 2);
        const std::uint64_t length = std::min<std::uint64_t>(number(extra, 2, 2), extra.size() - 4);
        if (id == 1) {
            std::string_view rest = extra.substr(4, static_cast<std::size_t>(length));
            for (std::uint64_t* field : fields) {
                if (*field != kMost32 || rest.size() < 8) continue;
                *field = number(rest, 0, 8);
                rest.remove_prefix(8);
            }
            return;
        }
        extra.remove_prefix(static_cast<std::size_t>(4 + length));
    }
}

/// Fills in what the local header says.
void read_local(const Blob& bytes, ZipEntry& entry) {
    const std::string header = range(bytes, entry.header_at, kLocalBytes);
    if (header.size() < kLocalBytes || !header.starts_with("PK\3\4")) {
        entry.problem = fmt::format("no local header at byte {}", entry.header_at);
        return;
    }
    const std::uint64_t name_bytes = number(header, 26, 2);
    entry.local_flags = static_cast<unsigned>(number(header, 6, 2));
    entry.local_name = range(bytes, entry.header_at + kLocalBytes, std::min(name_bytes, kMostLocalText));
    entry.data_at = entry.header_at + kLocalBytes + name_bytes + number(header, 28, 2);
    if (entry.data_at > bytes.size_bytes() || entry.stored_bytes > bytes.size_bytes() - entry.data_at) {
        entry.problem = fmt::format("{} bytes at byte {} are beyond the end at byte {}", entry.stored_bytes,
                                    entry.data_at, bytes.size_bytes());
    }
}

struct End {
    std::uint64_t entries = 0, directory_bytes = 0, directory_offset = 0, records_at = 0;
};

End read_end(const Blob& bytes, std::uint64_t at) {
    const std::string record = range(bytes, at, kEndBytes);
    End end{number(record, 10, 2), number(record, 12, 4), number(record, 16, 4), at};
    if (at < kLocatorBytes) return end;
    const std::string locator = range(bytes, at - kLocatorBytes, kLocatorBytes);
    if (!locator.starts_with("PK\6\7")) return end;
    // By its place before the locator, or by the offset that the locator has.
    for (const std::uint64_t place :
         {at - kLocatorBytes - std::min(at - kLocatorBytes, kEnd64Bytes), number(locator, 8, 8)}) {
        const std::string wide = range(bytes, place, kEnd64Bytes);
        if (wide.size() < kEnd64Bytes || !wide.starts_with("PK\6\6")) continue;
        return {number(wide, 32, 8), number(wide, 40, 8), number(wide, 48, 8), place};
    }
    return end;
}

void parse_directory(const Blob& bytes, const End& end, ZipArchive& archive, const Context& context) {
    const std::uint64_t size = end.records_at - archive.directory_at;
    if (size > context.limits.max_header_bytes) {
        throw_error(ErrorCode::kRefused, "a zip directory of {} bytes, the limit is {}", size,
                    context.limits.max_header_bytes);
    }
    const std::string text = range(bytes, archive.directory_at, size);
    std::string_view rest = text;
    while (rest.size() >= kCentralBytes && rest.starts_with("PK\1\2")) {
        if (archive.entries.size() >= kMostZipEntries)
            throw_error(ErrorCode::kRefused, "a zip archive of more than {} members", archive.entries.size());
        const std::uint64_t name_bytes = number(rest, 28, 2);
        const std::uint64_t extra_bytes = number(rest, 30, 2);
        const std::uint64_t whole = kCentralBytes + name_bytes + extra_bytes + number(rest, 32, 2);
        ZipEntry entry;
        entry.flags = static_cast<unsigned>(number(rest, 8, 2));
        entry.method = static_cast<unsigned>(number(rest, 10, 2));
        entry.crc32 = static_cast<std::uint32_t>(number(rest, 16, 4));
        entry.stored_bytes = number(rest, 20, 4);
        entry.size_bytes = number(rest, 24, 4);
        std::uint64_t offset = number(rest, 42, 4);
        entry.name = rest.substr(kCentralBytes, static_cast<std::size_t>(name_bytes));
        if (rest.size() > kCentralBytes + name_bytes) {
            apply_zip64(rest.substr(static_cast<std::size_t>(kCentralBytes + name_bytes),
                                    static_cast<std::size_t>(extra_bytes)),
                        {&entry.size_bytes, &entry.stored_bytes, &offset});
        }
        if (offset > bytes.size_bytes() - archive.begin) {
            entry.problem = fmt::format("its place, byte {}, is beyond the end", offset);
        } else {
            entry.header_at = archive.begin + offset;
            read_local(bytes, entry);
        }
        archive.entries.push_back(std::move(entry));
        if (whole > rest.size()) break;
        rest.remove_prefix(static_cast<std::size_t>(whole));
        if ((archive.entries.size() & 0xfff) == 0) context.check_cancelled();
    }
    if (archive.entries.size() != end.entries) {
        archive.problems.push_back(
            fmt::format("the end record counts {} members, the directory has {}", end.entries, archive.entries.size()));
    }
}

/// Calls back with the place of each "PK" that begins a record; goes on at `skip_to` where that is set further ahead.
template <typename F>
void for_each_signature(const Blob& bytes, std::uint64_t from, std::uint64_t to, const std::uint64_t& skip_to,
                        const Context& context, const F& found) {
    constexpr std::uint64_t kWindow = std::uint64_t{1} << 20;
    for (std::uint64_t at = from; at + 4 <= to;) {
        const std::string window = range(bytes, at, std::min(kWindow, to - at));
        for (std::size_t k = window.find("PK"); k != std::string::npos && k + 4 <= window.size();
             k = window.find("PK", k + 1)) {
            const auto kind = std::string_view(window).substr(k + 2, 2);
            if (kind == "\3\4" || kind == "\7\x08" || kind == "\1\2") found(at + k, kind);
        }
        if (window.size() < 4) return;
        at = std::max(at + window.size() - 3, skip_to);
        context.check_cancelled();
    }
}

}  // namespace

std::vector<ZipArchive> zip_archives_before(const Blob& bytes, std::uint64_t end, const Context& context) {
    std::vector<ZipArchive> archives;
    const std::uint64_t tail_bytes = std::min(end, kEndBytes + kMost16);
    const std::string tail = range(bytes, end - tail_bytes, tail_bytes);
    std::uint64_t last = 0;  // place of the last end record
    for (std::size_t at = tail.rfind("PK\5\6"); at != std::string::npos && archives.size() < kMostEndRecords;
         at = at == 0 ? std::string::npos : tail.rfind("PK\5\6", at - 1)) {
        const std::uint64_t place = end - tail_bytes + at;
        // One before the last counts where the last stands in its comment, or where the last has no directory.
        const bool is_rival =
            archives.empty() || archives.back().entries.empty() || place + kEndBytes + number(tail, at + 20, 2) > last;
        if (!is_rival) break;
        last = std::max(last, place);
        const End record = read_end(bytes, place);
        ZipArchive archive;
        archive.end = std::min(end, place + kEndBytes + number(tail, at + 20, 2));
        if (record.directory_bytes > record.records_at) {
            archive.problems.push_back(fmt::format("the directory of {} bytes cannot lie before byte {}",
                                                   record.directory_bytes, record.records_at));
        } else {
            archive.directory_at = record.records_at - record.directory_bytes;
            archive.begin = archive.directory_at - std::min(archive.directory_at, record.directory_offset);
            // Where both readings give a directory, that at the offset itself is the one that torch takes.
            const bool is_literal = record.directory_offset <= record.records_at &&
                                    range(bytes, record.directory_offset, 4) == "PK\1\2" &&
                                    range(bytes, archive.directory_at, 4) != "PK\1\2";
            if (is_literal) archive.directory_at = record.directory_offset;
            if (is_literal) archive.begin = 0;
        }
        if (archive.problems.empty()) parse_directory(bytes, record, archive, context);
        archives.push_back(std::move(archive));
    }
    return archives;
}

std::vector<ZipEntry> local_zip_entries(const Blob& bytes, std::uint64_t from, std::uint64_t to, const Context& context,
                                        std::size_t most, const SizeHint& hint) {
    std::vector<ZipEntry> entries;
    std::vector<std::size_t> open;
    std::uint64_t skip_to = from;
    for_each_signature(bytes, from, to, skip_to, context, [&](std::uint64_t at, std::string_view kind) {
        if (at < skip_to) return;
        if (kind == "\7\x08") {
            const std::string record = range(bytes, at, 24);
            for (std::size_t i = open.size(); i-- > 0;) {
                ZipEntry& entry = entries[open[i]];
                if (at < entry.data_at) continue;
                const std::uint64_t length = at - entry.data_at;
                const bool is_narrow = record.size() >= 16 && number(record, 8, 4) == length;
                const bool is_wide = record.size() >= 24 && number(record, 8, 8) == length;
                if (!is_narrow && !is_wide) continue;
                entry.crc32 = static_cast<std::uint32_t>(number(record, 4, 4));
                entry.stored_bytes = length;
                entry.size_bytes = is_wide ? number(record, 16, 8) : number(record, 12, 4);
                entry.is_whole = true;
                entries.resize(open[i] + 1);  // what seemed to begin since is inside of it
                open.clear();
                return;
            }
            return;
        }
        if (kind != "\3\4" || entries.size() >= most) return;
        const std::string header = range(bytes, at, kLocalBytes);
        if (header.size() < kLocalBytes) return;
        ZipEntry entry;
        entry.in_directory = false;
        entry.header_at = at;
        entry.method = static_cast<unsigned>(number(header, 8, 2));
        entry.crc32 = static_cast<std::uint32_t>(number(header, 14, 4));
        entry.stored_bytes = number(header, 18, 4);
        entry.size_bytes = number(header, 22, 4);
        const std::uint64_t name_bytes = number(header, 26, 2);
        const std::string extra =
            range(bytes, at + kLocalBytes + name_bytes, std::min<std::uint64_t>(number(header, 28, 2), kMostLocalText));
        apply_zip64(extra, {&entry.size_bytes, &entry.stored_bytes});
        read_local(bytes, entry);
        entry.name = entry.local_name;
        const bool is_told = (entry.local_flags & kHasDescriptor) == 0 || entry.stored_bytes != 0;
        entry.is_whole = is_told && entry.problem.empty();
        entry.problem.clear();
        if (entry.data_at > to) entry.data_at = to;
        const auto hinted = entry.is_whole || !hint || entry.method != 0 ? std::nullopt : hint(entry.name);
        if (hinted && *hinted < to - entry.data_at) {
            const std::string record = range(bytes, entry.data_at + *hinted, 24);
            const bool is_narrow = record.size() >= 16 && number(record, 8, 4) == *hinted;
            const bool is_wide = record.size() >= 24 && number(record, 8, 8) == *hinted;
            if (record.starts_with("PK\7\x08") && (is_narrow || is_wide)) {
                entry.crc32 = static_cast<std::uint32_t>(number(record, 4, 4));
                entry.stored_bytes = entry.size_bytes = *hinted;
                entry.is_whole = true;
            }
        }
        if (entry.is_whole) {
            open.clear();
            skip_to = entry.data_at + entry.stored_bytes;
        } else {
            entry.stored_bytes = 0;
            if (open.size() == kMostOpen) open.erase(open.begin());
            open.push_back(entries.size());
        }
        entries.push_back(std::move(entry));
    });
    // What has no end reaches to the next header.
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].is_whole) continue;
        const std::uint64_t next = i + 1 < entries.size() ? entries[i + 1].header_at : to;
        entries[i].stored_bytes = next > entries[i].data_at ? next - entries[i].data_at : 0;
        entries[i].size_bytes = entries[i].stored_bytes;
    }
    return entries;
}

Unzipped unzip(const BlobPtr& bytes, const ZipEntry& entry, std::uint64_t limit_bytes) {
    Unzipped result;
    std::uint64_t stored = entry.stored_bytes;
    if (entry.data_at >= bytes->size_bytes()) {
        result.problem = entry.problem;
        if (stored == 0 && entry.problem.empty()) result.bytes = memory_blob("");
        return result;
    }
    if (!entry.problem.empty() && entry.data_at == 0) {
        result.problem = entry.problem;
        return result;
    }
    if (stored > bytes->size_bytes() - entry.data_at) {
        result.problem = entry.problem;
        stored = bytes->size_bytes() - entry.data_at;
    }
    BlobPtr raw = slice_blob(bytes, entry.data_at, stored);
    if (entry.method == 0) {
        result.bytes = std::move(raw);
        return result;
    }
    if (entry.method != 8) {
        result.problem = fmt::format("compressed by method {}", entry.method);
        return result;
    }
    const std::uint64_t most = std::min(limit_bytes, 1032 * stored + 64);  // deflate gives no more
    std::string out;
    out.reserve(static_cast<std::size_t>(std::min(entry.size_bytes, most) + kPieceBytes));
    z_stream stream = {};
    if (inflateInit2(&stream, -15) != Z_OK) throw Error(ErrorCode::kInternal, "zlib cannot be set up");
    std::string in;
    std::uint64_t done = 0;
    int state = Z_OK;
    std::string piece(kPieceBytes, '\0');
    while (state == Z_OK) {
        if (stream.avail_in == 0) {
            if (done == stored) break;
            in = range(*raw, done, piece.size());
            done += in.size();
            stream.next_in = reinterpret_cast<Bytef*>(in.data());
            stream.avail_in = static_cast<uInt>(in.size());
        }
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        state = inflate(&stream, Z_NO_FLUSH);
        if (state == Z_BUF_ERROR) state = Z_OK;
        out.append(piece, 0, piece.size() - stream.avail_out);
        if (out.size() > limit_bytes) {
            result.is_over_limit = true;
            result.problem = fmt::format("unpacks to more than {} bytes", limit_bytes);
            break;
        }
    }
    inflateEnd(&stream);
    if (state != Z_STREAM_END && !result.is_over_limit)
        result.problem = fmt::format("does not unpack beyond byte {} of {}", out.size(), entry.size_bytes);
    if (result.problem.empty() && out.size() != entry.size_bytes)
        result.problem = fmt::format("unpacks to {} bytes, its size says {}", out.size(), entry.size_bytes);
    result.bytes = memory_blob(std::move(out));
    return result;
}

}  // namespace ckpt
