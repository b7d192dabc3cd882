// Cells of SQLite tables, and what is packed by zstd, bzip2 or zlib.
#include <bzlib.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <span>

#include <fmt/format.h>

#include "formats/shared/pickle/pickle_file.hpp"
#include "formats/shared/scan/scanner.hpp"
#include "libckpt/error.hpp"

namespace ckpt::scan {
namespace {

constexpr std::uint64_t kMostCells = std::uint64_t{1} << 22;
constexpr std::size_t kPieceBytes = std::size_t{1} << 16;

std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t width) {
    std::uint64_t value = 0;
    for (std::size_t i = at; i < at + width; ++i)
        value = value << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
    return value;
}
/// SQLite's: seven bits a byte, the ninth byte whole.
std::uint64_t varint(std::string_view bytes, std::size_t& at) {
    std::uint64_t value = 0;
    for (int i = 0; i < 9 && at < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[at++]);
        if (i == 8) return value << 8 | byte;
        value = value << 7 | (byte & 0x7fU);
        if ((byte & 0x80) == 0) break;
    }
    return value;
}

/// The rows of all table pages, also of those that no table has any more (sqlite.org/fileformat2.html).
class Rows {
public:
    Rows(const BlobPtr& bytes, const Context& context) : bytes_(bytes), context_(context) {
        const std::string head = bytes_of(*bytes, 0, 100);
        page_bytes_ = big_endian(head, 16, 2);
        if (page_bytes_ == 1) page_bytes_ = 65536;
        const std::uint64_t reserved = head.size() > 20 ? static_cast<unsigned char>(head[20]) : 0U;
        usable_ = page_bytes_ - std::min(page_bytes_, reserved);
        if (page_bytes_ < 512 || usable_ < 480) throw_damaged("an SQLite database with pages of {} bytes", page_bytes_);
    }

    /// Calls `take` with each value that is text or bytes.
    template <typename F>
    void for_each(const F& take) const {
        std::uint64_t cells = 0;
        for (std::uint64_t number = 1; (number - 1) * page_bytes_ < bytes_->size_bytes(); ++number) {
            context_.check_cancelled();
            const std::string page = bytes_of(*bytes_, (number - 1) * page_bytes_, page_bytes_);
            const std::size_t header = number == 1 ? 100 : 0;
            if (page.size() < header + 12) continue;
            // Rows of tables, of indexes, and of tables without row numbers, which are kept as indexes are.
            const bool is_table = page[header] == 0x0d;
            const bool is_inner = page[header] == 0x02;
            if (!is_table && !is_inner && page[header] != 0x0a) continue;
            const std::uint64_t count = big_endian(page, header + 3, 2);
            const std::size_t cells_at = header + (is_inner ? 12 : 8);
            for (std::uint64_t i = 0; i < count; ++i) {
                const std::uint64_t at =
                    big_endian(page, static_cast<std::size_t>(cells_at + 2 * i), 2) + (is_inner ? 4 : 0);
                if (at >= page.size()) break;
                if (++cells > kMostCells) throw_error(ErrorCode::kRefused, "more than {} rows", kMostCells);
                values(payload(page, static_cast<std::size_t>(at), is_table), fmt::format("page {}, row {}", number, i),
                       take);
            }
        }
    }

private:
    std::string payload(const std::string& page, std::size_t at, bool is_table) const {
        const std::uint64_t size = varint(page, at);
        if (is_table) varint(page, at);  // the row's number
        const std::uint64_t most = is_table ? usable_ - 35 : (usable_ - 12) * 64 / 255 - 23;
        std::uint64_t local = size;
        if (size > most) {
            const std::uint64_t least = (usable_ - 12) * 32 / 255 - 23;
            const std::uint64_t fit = least + (size - least) % (usable_ - 4);
            local = fit <= most ? fit : least;
        }
        std::string text = at < page.size() ? page.substr(at, static_cast<std::size_t>(local)) : std::string();
        if (local == size) return text;
        if (size > kMostUnpackedBytes) throw_error(ErrorCode::kRefused, "a row of {} bytes", size);
        std::uint64_t next = big_endian(page, static_cast<std::size_t>(at + local), 4);
        while (text.size() < size && next != 0 && (next - 1) * page_bytes_ < bytes_->size_bytes()) {
            const std::string more = bytes_of(*bytes_, (next - 1) * page_bytes_, usable_);
            if (more.size() <= 4) break;
            text.append(more, 4, static_cast<std::size_t>(size - text.size()));
            next = big_endian(more, 0, 4);
        }
        return text;
    }
    template <typename F>
    static void values(const std::string& row, const std::string& place, const F& take) {
        std::size_t at = 0;
        const std::uint64_t header = std::min<std::uint64_t>(varint(row, at), row.size());
        std::uint64_t data = header;
        while (at < header) {
            const std::uint64_t type = varint(row, at);
            constexpr std::uint64_t kSizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
            const std::uint64_t size = type < 12 ? kSizes[type] : (type - 12) / 2;
            if (data > row.size()) return;
            if (type >= 12) take(row.substr(static_cast<std::size_t>(data), static_cast<std::size_t>(size)), place);
            data += size;
        }
    }

    const BlobPtr& bytes_;
    const Context& context_;
    std::uint64_t page_bytes_ = 0;
    std::uint64_t usable_ = 0;
};

}  // namespace

bool Scanner::sqlite(const BlobPtr& bytes, const std::string& place, int depth) {
    try {
        Rows(bytes, context_).for_each([&](std::string value, const std::string& where) {
            if (!begins_like_container(value) && !may_be_old_pickle(value)) return;
            any(memory_blob(std::move(value)), inside(place, where), depth + 1, Belief::kMaybe);
        });
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        if (error.code() == ErrorCode::kDamaged)
            damage(place, error.message());
        else
            unseen(error.message(), place);
    }
    return true;
}

bool Scanner::zstd(const BlobPtr& bytes, const std::string& place, int depth) {
    const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> decoder(ZSTD_createDCtx(), ZSTD_freeDCtx);
    if (!decoder) throw Error(ErrorCode::kInternal, "zstd cannot be set up");
    std::string content;
    std::string piece(ZSTD_DStreamOutSize(), '\0');
    std::size_t state = 0;
    for (std::uint64_t done = 0; done < bytes->size_bytes();) {
        context_.check_cancelled();
        const std::string input = bytes_of(*bytes, done, ZSTD_DStreamInSize());
        done += input.size();
        ZSTD_inBuffer in{input.data(), input.size(), 0};
        for (bool is_full = true; in.pos < in.size || is_full;) {
            ZSTD_outBuffer out{piece.data(), piece.size(), 0};
            state = ZSTD_decompressStream(decoder.get(), &out, &in);
            if (ZSTD_isError(state) != 0) break;
            content.append(piece, 0, out.pos);
            is_full = out.pos == out.size;
        }
        if (content.size() > kMostUnpackedBytes) {
            unseen(fmt::format("unpacks to more than {} bytes", kMostUnpackedBytes), place);
            return true;
        }
        if (ZSTD_isError(state) != 0) break;
    }
    if (state != 0) damage(place, "zstd data that are cut or make no sense");
    return unpacked(std::move(content), place, depth);
}

bool Scanner::sqlite_log(const BlobPtr& bytes, const std::string& place, int depth) {
    embedded(bytes, 0, bytes->size_bytes(), place, depth);
    return true;
}

bool Scanner::unpacked(std::string bytes, const std::string& place, int depth) {
    if (bytes.empty()) return true;
    const BlobPtr content = memory_blob(std::move(bytes));
    embedded_budget_ += 8 * content->size_bytes();
    any(content, inside(place, "unpacked"), depth + 1, Belief::kLikely);
    return true;
}

bool Scanner::bzip2(const BlobPtr& bytes, const std::string& place, int depth) {
    std::string content;
    std::string piece(kPieceBytes, '\0');
    bz_stream stream = {};
    bool is_open = false;
    int state = BZ_OK;
    std::string input;
    for (std::uint64_t done = 0;;) {
        context_.check_cancelled();
        if (stream.avail_in == 0) {
            input = bytes_of(*bytes, done, kPieceBytes);
            if (input.empty()) break;
            done += input.size();
            stream.next_in = input.data();
            stream.avail_in = static_cast<unsigned>(input.size());
        }
        if (!is_open) {  // streams stand one behind the other
            char* const next = stream.next_in;
            const unsigned left = stream.avail_in;
            if (!content.empty() && *next != 'B') break;
            stream = {};
            if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
                throw Error(ErrorCode::kInternal, "bzip2 cannot be set up");
            stream.next_in = next;
            stream.avail_in = left;
            is_open = true;
        }
        stream.next_out = piece.data();
        stream.avail_out = static_cast<unsigned>(piece.size());
        state = BZ2_bzDecompress(&stream);
        content.append(piece, 0, piece.size() - stream.avail_out);
        if (state != BZ_OK) {
            char* const next = stream.next_in;
            const unsigned left = stream.avail_in;
            BZ2_bzDecompressEnd(&stream);
            is_open = false;
            stream.next_in = next;
            stream.avail_in = left;
        }
        if ((state != BZ_OK && state != BZ_STREAM_END) || content.size() > kMostUnpackedBytes) break;
    }
    if (is_open) BZ2_bzDecompressEnd(&stream);
    if (content.size() > kMostUnpackedBytes) {
        unseen(fmt::format("unpacks to more than {} bytes", kMostUnpackedBytes), place);
        return true;
    }
    if (state != BZ_STREAM_END) damage(place, "bzip2 data that are cut or make no sense");
    return unpacked(std::move(content), place, depth);
}

bool Scanner::zlib(const BlobPtr& bytes, const std::string& place, int depth) {
    std::string content;
    std::string piece(kPieceBytes, '\0');
    std::string input;
    z_stream stream = {};
    if (inflateInit(&stream) != Z_OK) throw Error(ErrorCode::kInternal, "zlib cannot be set up");
    int state = Z_OK;
    for (std::uint64_t done = 0; state == Z_OK && content.size() <= kMostUnpackedBytes;) {
        context_.check_cancelled();
        if (stream.avail_in == 0) {
            input = bytes_of(*bytes, done, kPieceBytes);
            if (input.empty()) break;
            done += input.size();
            stream.next_in = reinterpret_cast<Bytef*>(input.data());
            stream.avail_in = static_cast<uInt>(input.size());
        }
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        state = inflate(&stream, Z_NO_FLUSH);
        content.append(piece, 0, piece.size() - stream.avail_out);
    }
    const std::uint64_t used = stream.total_in;
    inflateEnd(&stream);
    if (content.size() > kMostUnpackedBytes) {
        unseen(fmt::format("unpacks to more than {} bytes", kMostUnpackedBytes), place);
        return true;
    }
    if (content.empty()) return false;
    if (state != Z_STREAM_END && depth > 0) {
        // Two bytes may be there by chance, and unpack to something.
        const std::string head = content.substr(0, 64);
        if (!begins_like_container(head) && !may_be_old_pickle(head)) return false;
        return any(memory_blob(std::move(content)), inside(place, "unpacked"), depth + 1, Belief::kMaybe);
    }
    if (state != Z_STREAM_END) damage(place, "zlib data that are cut or make no sense");
    unpacked(std::move(content), place, depth);
    if (state == Z_STREAM_END && used < bytes->size_bytes()) embedded(bytes, used, bytes->size_bytes(), place, depth);
    return true;
}

}  // namespace ckpt::scan
