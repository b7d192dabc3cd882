// Superblocks 0 to 3, and bytes at addresses. Facts: hdf5.md, 1.
#include "formats/shared/h5/image.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace ckpt::h5 {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr unsigned kOpenForWriting = 1;
constexpr unsigned kOpenForSwmr = 4;

Widths read_widths(Cursor& cursor) {
    Widths widths;
    widths.offset_bytes = cursor.u8();
    widths.length_bytes = cursor.u8();
    const auto legal = [](unsigned width) { return width == 2 || width == 4 || width == 8; };
    require(legal(widths.offset_bytes) && legal(widths.length_bytes),
            "superblock: addresses of {} and lengths of {} bytes (2, 4 and 8 are legal)", widths.offset_bytes,
            widths.length_bytes);
    return widths;
}

}  // namespace

Image::Image(BlobPtr whole, const Context& context, Dialect dialect)
    : whole_(std::move(whole)), dialect_(dialect), limits_(context.limits) {
    find_signature();
    parse_superblock(context);
}

void Image::find_signature() {
    const std::uint64_t size = whole_->size_bytes();
    require(size > 0, "is empty");
    for (std::uint64_t at = 0; at <= size && size - at >= kSignature.size();
         at = std::max<std::uint64_t>(512, at * 2)) {
        std::string found(kSignature.size(), '\0');
        whole_->read(at, std::as_writable_bytes(std::span(found.data(), found.size())));
        if (found == kSignature) {
            superblock_.base = at;
            return;
        }
    }
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(size, kSignature.size())), '\0');
    whole_->read(0, std::as_writable_bytes(std::span(head.data(), head.size())));
    if (head == kSignature.substr(0, head.size())) throw_damaged("ends inside HDF5's signature, after {} bytes", size);
    throw_error(ErrorCode::kNotCheckpoint, "is no HDF5 file: no signature at 0, 512, 1024, 2048, ...");
}

void Image::parse_superblock(const Context& context) {
    Superblock& sb = superblock_;
    const std::uint64_t behind = whole_->size_bytes() - sb.base;
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(behind, 128)), '\0');
    whole_->read(sb.base, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    Cursor cursor(bytes, {}, "superblock");
    cursor.skip(kSignature.size());
    sb.version = cursor.u8();
    if (sb.version > 3) throw_damaged("superblock has version {}; 0 to 3 are known", sb.version);
    std::uint64_t base = 0;
    std::uint64_t stored_end = 0;
    if (sb.version < 2) {
        require(cursor.u8() == 0 && cursor.u8() == 0, "superblock: version of free space or root entry is not 0");
        cursor.skip(1);
        require(cursor.u8() == 0, "superblock: version of shared messages is not 0");
        sb.widths = read_widths(cursor);
        cursor.skip(1);
        sb.group_leaf_k = cursor.u16();
        sb.group_internal_k = cursor.u16();
        cursor.skip(4);
        if (sb.version == 1) {
            sb.chunk_k = cursor.u16();
            cursor.skip(2);
        }
        require(sb.group_leaf_k > 0 && sb.group_internal_k > 0 && sb.chunk_k > 0, "superblock: a B-tree K is 0");
        Cursor rest(std::string_view(bytes).substr(cursor.position()), sb.widths, "superblock");
        base = rest.number(sb.widths.offset_bytes);
        rest.address();
        stored_end = rest.number(sb.widths.offset_bytes);
        if (rest.address() != kUndefinedAddress) {
            throw_error(ErrorCode::kUnsupported,
                        "superblock: a driver information block (a file in several parts) is not read");
        }
        rest.length();
        sb.root = rest.address();
    } else {
        sb.widths = read_widths(cursor);
        const unsigned flags = cursor.u8();
        Cursor rest(bytes, sb.widths, "superblock");
        rest.skip(cursor.position());
        base = rest.number(sb.widths.offset_bytes);
        sb.extension = rest.address();
        stored_end = rest.number(sb.widths.offset_bytes);
        sb.root = rest.address();
        rest.checksum();
        if (sb.version == 3 && (flags & (kOpenForWriting | kOpenForSwmr)) != 0) {
            context.warn(fmt::format("was not closed by its writer: the superblock says 'open for writing'{}",
                                     (flags & kOpenForSwmr) != 0 ? " (SWMR)" : ""));
        }
    }
    // The stored end counts from the stored base: a user block may have been put in front, or cut off, since.
    require(stored_end >= base, "superblock: its data begin at byte {} and end at {}", base, stored_end);
    const std::uint64_t end = stored_end - base;
    require(end > 0 && end <= behind, "is cut short: HDF5 data end at byte {}, the file has {}",
            end < ~sb.base ? end + sb.base : end, whole_->size_bytes());
    sb.end = end;
    if (end < behind) context.warn(fmt::format("has {} bytes behind the end of its HDF5 data", behind - end));
    require(sb.root != kUndefinedAddress, "superblock: there is no root group");
}

void Image::set_tree_widths(unsigned leaf, unsigned internal, unsigned chunk) noexcept {
    superblock_.group_leaf_k = leaf;
    superblock_.group_internal_k = internal;
    superblock_.chunk_k = chunk;
}

void Image::check(std::uint64_t address, std::uint64_t size_bytes, std::string_view what) const {
    if (address == kUndefinedAddress) throw_damaged("{} has no address", what);
    if (address > superblock_.end || size_bytes > superblock_.end - address) {
        throw_damaged("{} at address {} with {} bytes leaves the file, which ends at {}", what, address, size_bytes,
                      superblock_.end);
    }
}

std::uint64_t Image::available(std::uint64_t address, std::uint64_t limit_bytes) const noexcept {
    return address >= superblock_.end ? 0 : std::min(limit_bytes, superblock_.end - address);
}

void Image::read(std::uint64_t address, std::span<std::byte> out, std::string_view what) const {
    check(address, out.size(), what);
    const std::uint64_t position = superblock_.base + address;
    if (out.size() <= kPageBytes / 2) {
        read_cached(position, out);
    } else {
        whole_->read(position, out);
    }
}

std::string Image::bytes(std::uint64_t address, std::uint64_t size_bytes, std::string_view what) const {
    check(address, size_bytes, what);
    if (size_bytes > limits_.max_header_bytes) {
        throw_error(ErrorCode::kRefused, "{} has {} bytes, more than the limit of {}", what, size_bytes,
                    limits_.max_header_bytes);
    }
    std::string bytes(static_cast<std::size_t>(size_bytes), '\0');
    read(address, std::as_writable_bytes(std::span(bytes.data(), bytes.size())), what);
    return bytes;
}

BlobPtr Image::blob(std::uint64_t address, std::uint64_t size_bytes, std::string_view what) const {
    check(address, size_bytes, what);
    return slice_blob(whole_, superblock_.base + address, size_bytes);
}

void Image::read_cached(std::uint64_t position, std::span<std::byte> out) const {
    const std::scoped_lock lock(mutex_);
    while (!out.empty()) {
        const std::uint64_t number = position / kPageBytes;
        const std::uint64_t first = number * kPageBytes;
        Page& page = pages_[static_cast<std::size_t>(number % kPages)];
        if (page.number != number) {
            page.number = kUndefinedAddress;
            page.bytes.resize(static_cast<std::size_t>(std::min(kPageBytes, whole_->size_bytes() - first)));
            whole_->read(first, std::as_writable_bytes(std::span(page.bytes.data(), page.bytes.size())));
            page.number = number;
        }
        const auto skipped = static_cast<std::size_t>(position - first);
        const std::size_t count = std::min(out.size(), page.bytes.size() - skipped);
        std::memcpy(out.data(), page.bytes.data() + skipped, count);
        out = out.subspan(count);
        position += count;
    }
}

}  // namespace ckpt::h5
