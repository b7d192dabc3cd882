// Reading a zip's end records, directory and local headers (APPNOTE 4.3; torch's own habits in
// formats/torch/README.md).
#include "formats/shared/zip/zip_reader.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>

#include "formats/shared/zip/zip_records.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

using namespace zip_records;

constexpr std::uint64_t kLongestComment = 0xffff;
constexpr std::uint16_t kEncrypted = 1;
constexpr std::uint64_t kDosFolder = 0x10;  // among the external attributes

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    return value;
}

std::string read_range(const Blob& file, std::uint64_t offset, std::uint64_t size) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    file.read(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    return bytes;
}

std::string folded(std::string_view name) {
    std::string result(name);
    for (auto& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80             ? 1
                                   : (lead & 0xe0) == 0xc0 ? 2
                                   : (lead & 0xf0) == 0xe0 ? 3
                                   : (lead & 0xf8) == 0xf0 ? 4
                                                           : 0;
        if (length == 0 || i + length > text.size()) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
        }
        i += length;
    }
    return true;
}

/// A name as it may be printed.
std::string shown(std::string_view name) {
    std::string result;
    for (const char c : name) {
        const auto u = static_cast<unsigned char>(c);
        if (u < 0x20 || u == 0x7f) {
            result += fmt::format("\\x{:02x}", u);
        } else {
            result += c;
        }
    }
    return result;
}

/// Where the directory lies and how many entries it has.
struct End {
    std::uint64_t entries = 0;
    std::uint64_t directory_bytes = 0;
    std::uint64_t directory_offset = 0;
    std::uint64_t records_begin = 0;  ///< offset of the first end record
};

/// The offset of the last end record's signature; nullopt without one.
std::optional<std::uint64_t> find_end(const Blob& file) {
    if (file.size_bytes() < kEndBytes) return std::nullopt;
    // Nearly every archive ends in it, without a comment: then nothing can follow it.
    const std::uint64_t usual = file.size_bytes() - kEndBytes;
    if (read_range(file, usual, kEndBytes).rfind("PK\5\6") == 0) return usual;
    const std::uint64_t tail_bytes = std::min(file.size_bytes(), kEndBytes + kLongestComment);
    const std::string tail = read_range(file, file.size_bytes() - tail_bytes, tail_bytes);
    const std::size_t found = tail.rfind("PK\5\6");
    if (found == std::string::npos) return std::nullopt;
    return file.size_bytes() - tail_bytes + found;
}

End read_end(const Blob& file, const Context& context) {
    const auto place = find_end(file);
    if (!place) {
        throw_damaged("the zip archive has no end record: the file ends at byte {}, probably too early",
                      file.size_bytes());
    }
    if (*place + kEndBytes > file.size_bytes()) throw_damaged("the end record at byte {} is cut short", *place);
    const std::string record = read_range(file, *place, kEndBytes);
    const std::uint64_t comment = number(record, 20, 2);
    const std::uint64_t behind = file.size_bytes() - *place - kEndBytes;
    if (comment > behind)
        throw_damaged("the archive's comment of {} bytes at byte {} is cut short", comment, *place + kEndBytes);
    if (comment < behind)
        context.warn(fmt::format("{} bytes after the end of the zip archive are ignored", behind - comment));
    if (number(record, 4, 2) != 0 || number(record, 6, 2) != 0)
        throw_damaged("the archive claims to span several disks");

    End end{number(record, 10, 2), number(record, 12, 4), number(record, 16, 4), *place};
    const std::uint64_t on_disk = number(record, 8, 2);
    if (*place < kLocatorBytes) return end;
    const std::string locator = read_range(file, *place - kLocatorBytes, kLocatorBytes);
    if (!locator.starts_with("PK\6\7")) {
        if (on_disk != end.entries) throw_damaged("the end record counts {} and {} entries", on_disk, end.entries);
        return end;
    }
    const std::uint64_t offset = number(locator, 8, 8);
    if (offset > file.size_bytes() || file.size_bytes() - offset < kEnd64Bytes + kLocatorBytes + kEndBytes) {
        throw_damaged("the ZIP64 locator points to byte {}, the file has {}", offset, file.size_bytes());
    }
    const std::string record64 = read_range(file, offset, kEnd64Bytes);
    if (!record64.starts_with("PK\6\6")) throw_damaged("no ZIP64 end record at byte {}", offset);
    if (number(record64, 16, 4) != 0 || number(record64, 20, 4) != 0 || number(locator, 4, 4) != 0) {
        throw_damaged("the archive claims to span several disks");
    }
    const End end64{number(record64, 32, 8), number(record64, 40, 8), number(record64, 48, 8), offset};
    if (number(record64, 24, 8) != end64.entries)
        throw_damaged("the ZIP64 end record counts {} and {} entries", number(record64, 24, 8), end64.entries);
    const auto agrees = [](std::uint64_t classic, std::uint64_t wide, std::uint64_t most) {
        return classic == most || classic == wide;
    };
    if (!agrees(end.entries, end64.entries, kMost16) || !agrees(end.directory_bytes, end64.directory_bytes, kMost32) ||
        !agrees(end.directory_offset, end64.directory_offset, kMost32)) {
        throw_damaged("the two end records disagree ({} and {} entries)", end.entries, end64.entries);
    }
    return end64;
}

/// Takes the 64-bit numbers that a ZIP64 extra field holds for fields that are full.
void apply_zip64(std::string_view extra, const std::string& name, std::uint64_t& size, std::uint64_t& stored,
                 std::uint64_t& offset) {
    const bool needed = size == kMost32 || stored == kMost32 || offset == kMost32;
    for (std::size_t at = 0; at < extra.size();) {
        if (extra.size() - at < 4) throw_damaged("member '{}': its extra field is cut short", shown(name));
        const std::uint64_t id = number(extra, at, 2);
        const std::uint64_t length = number(extra, at + 2, 2);
        if (length > extra.size() - at - 4)
            throw_damaged("member '{}': an extra field of {} bytes is cut short", shown(name), length);
        if (id == 1) {
            std::size_t from = at + 4;
            for (std::uint64_t* field : {&size, &stored, &offset}) {
                if (*field != kMost32) continue;
                if (from + 8 > at + 4 + length) throw_damaged("member '{}': its ZIP64 field is too short", shown(name));
                *field = number(extra, from, 8);
                from += 8;
            }
            return;
        }
        at += 4 + static_cast<std::size_t>(length);
    }
    if (needed) throw_damaged("member '{}': its sizes need a ZIP64 field, but there is none", shown(name));
}

class DirectoryParser {
public:
    DirectoryParser(const Blob& file, const Context& context) : file_(file), context_(context) {}

    std::vector<ZipMember> run() {
        const End end = read_end(file_, context_);
        if (end.entries == 0) throw_damaged("the zip archive does not contain any files");
        if (end.directory_offset > end.records_begin ||
            end.directory_bytes != end.records_begin - end.directory_offset) {
            throw_damaged("the directory of {} bytes at byte {} does not end where the end records begin, at byte {}",
                          end.directory_bytes, end.directory_offset, end.records_begin);
        }
        if (end.entries > context_.limits.max_container_entries ||
            end.directory_bytes > context_.limits.max_header_bytes) {
            throw_damaged("{} members in a directory of {} bytes are beyond the limit", end.entries,
                          end.directory_bytes);
        }
        if (end.entries > end.directory_bytes / kCentralBytes) {
            throw_damaged("the end record counts {} members, the directory has room for {}", end.entries,
                          end.directory_bytes / kCentralBytes);
        }
        parse_directory(end);
        for (auto& member : members_) by_place_.push_back(&member);
        std::stable_sort(by_place_.begin(), by_place_.end(),
                         [](const auto* a, const auto* b) { return a->header_offset_bytes < b->header_offset_bytes; });
        for (auto* member : by_place_) read_local(*member, end.directory_offset);
        check_layout(end.directory_offset);
        return std::move(members_);
    }

private:
    void parse_directory(const End& end) {
        const std::string bytes = read_range(file_, end.directory_offset, end.directory_bytes);
        std::size_t at = 0;
        for (std::uint64_t i = 0; i < end.entries; ++i) {
            const std::uint64_t place = end.directory_offset + at;
            if (bytes.size() - at < kCentralBytes)
                throw_damaged("the directory ends inside entry {} of {}", i, end.entries);
            if (bytes.compare(at, 4, "PK\1\2") != 0)
                throw_damaged("entry {} of the directory, at byte {}, has a wrong signature", i, place);
            const std::string_view entry = std::string_view(bytes).substr(at);
            const std::uint64_t name_bytes = number(entry, 28, 2);
            const std::uint64_t extra_bytes = number(entry, 30, 2);
            const std::uint64_t comment_bytes = number(entry, 32, 2);
            if (entry.size() - kCentralBytes < name_bytes + extra_bytes + comment_bytes) {
                throw_damaged("entry {} of the directory, at byte {}, is cut short", i, place);
            }
            ZipMember member;
            member.name = entry.substr(kCentralBytes, static_cast<std::size_t>(name_bytes));
            if (!is_utf8(member.name)) throw_damaged("entry {} of the directory has a name that is not UTF-8", i);
            const std::uint64_t flags = number(entry, 8, 2);
            const std::uint64_t method = number(entry, 10, 2);
            if ((flags & kEncrypted) != 0) throw_damaged("member '{}' is encrypted", shown(member.name));
            if (method != 0 && method != 8)
                throw_damaged("member '{}' is compressed by method {}, torch knows 0 and 8", shown(member.name),
                              method);
            if (number(entry, 34, 2) != 0 && number(entry, 34, 2) != kMost16)
                throw_damaged("member '{}' lies on another disk", shown(member.name));
            member.deflated = method == 8;
            member.crc32 = static_cast<std::uint32_t>(number(entry, 16, 4));
            member.stored_bytes = number(entry, 20, 4);
            member.size_bytes = number(entry, 24, 4);
            member.header_offset_bytes = number(entry, 42, 4);
            member.has_folder_mark = (number(entry, 38, 4) & kDosFolder) != 0 && member.stored_bytes != 0;
            apply_zip64(entry.substr(kCentralBytes + static_cast<std::size_t>(name_bytes),
                                     static_cast<std::size_t>(extra_bytes)),
                        member.name, member.size_bytes, member.stored_bytes, member.header_offset_bytes);
            if (!member.deflated && member.stored_bytes != member.size_bytes) {
                throw_damaged("member '{}' is stored, but has the sizes {} and {}", shown(member.name),
                              member.stored_bytes, member.size_bytes);
            }
            if (member.name.find('\0') != std::string::npos)
                context_.warn(fmt::format("member '{}' has a NUL in its name", shown(member.name)));
            if (member.name.find("..") != std::string::npos &&
                ("/" + member.name + "/").find("/../") != std::string::npos) {
                context_.warn(
                    fmt::format("member '{}' has a name that climbs out of its folder; it is only a name here",
                                shown(member.name)));
            }
            members_.push_back(std::move(member));
            at += static_cast<std::size_t>(kCentralBytes + name_bytes + extra_bytes + comment_bytes);
        }
        if (at != bytes.size())
            throw_damaged("the directory holds more than the {} entries that the end record counts", end.entries);
    }

    void read_local(ZipMember& member, std::uint64_t directory_offset) {
        const std::string name = shown(member.name);
        if (member.header_offset_bytes > directory_offset ||
            directory_offset - member.header_offset_bytes < kLocalBytes) {
            throw_damaged("member '{}' begins at byte {}, behind the last one's end", name, member.header_offset_bytes);
        }
        const std::string_view header = local_bytes(member, directory_offset);
        if (!header.starts_with("PK\3\4"))
            throw_damaged("member '{}': no local header at byte {}", name, member.header_offset_bytes);
        const std::uint64_t name_bytes = number(header, 26, 2);
        const std::uint64_t extra_bytes = number(header, 28, 2);
        member.data_offset_bytes = member.header_offset_bytes + kLocalBytes + name_bytes + extra_bytes;
        if (member.data_offset_bytes > directory_offset ||
            member.stored_bytes > directory_offset - member.data_offset_bytes) {
            throw_damaged("member '{}' has {} bytes at byte {}, which is beyond the directory at byte {}", name,
                          member.stored_bytes, member.data_offset_bytes, directory_offset);
        }
        if (name_bytes != member.name.size() ||
            header.compare(kLocalBytes, static_cast<std::size_t>(name_bytes), member.name) != 0) {
            member.has_other_local_name = true;
            context_.warn(
                fmt::format("member '{}' has another name in its local header; the directory's counts", name));
        }
        if ((number(header, 6, 2) & kEncrypted) != 0) {
            context_.warn(
                fmt::format("member '{}' is marked as encrypted in its local header only, which is ignored", name));
        }
    }

    /// The local header and the name in it. Small members lie close together: their headers are read many at a time.
    std::string_view local_bytes(const ZipMember& member, std::uint64_t directory_offset) {
        constexpr std::uint64_t kSmallMember = 4096;
        constexpr std::uint64_t kWindow = 65536;
        const std::uint64_t begin = member.header_offset_bytes;
        const std::uint64_t wanted =
            std::min<std::uint64_t>(directory_offset - begin, kLocalBytes + member.name.size() + 64);
        if (begin < window_begin_ || begin + wanted > window_begin_ + window_.size()) {
            const std::uint64_t size = member.stored_bytes < kSmallMember ? std::max(wanted, kWindow) : wanted;
            window_begin_ = begin;
            window_ = read_range(file_, begin, std::min(directory_offset - begin, size));
        }
        return std::string_view(window_).substr(static_cast<std::size_t>(begin - window_begin_),
                                                static_cast<std::size_t>(wanted));
    }

    /// No two members share bytes; bytes between members belong to nobody and are pointed out.
    void check_layout(std::uint64_t directory_offset) {
        constexpr std::uint64_t kDescriptorBytes = 24;
        const auto& order = by_place_;
        std::uint64_t behind = 0;
        for (std::size_t i = 0; i <= order.size(); ++i) {
            const std::uint64_t begin = i < order.size() ? order[i]->header_offset_bytes : directory_offset;
            if (begin < behind || (i > 0 && i < order.size() && begin == order[i - 1]->header_offset_bytes)) {
                throw_damaged("members '{}' and '{}' overlap at byte {}", shown(order[i - 1]->name),
                              shown(i < order.size() ? order[i]->name : "?"), begin);
            }
            if (begin - behind > kDescriptorBytes) {
                context_.warn(fmt::format("{} bytes at byte {} belong to no member", begin - behind, behind));
            }
            if (i < order.size()) behind = order[i]->data_offset_bytes + order[i]->stored_bytes;
        }
    }

    const Blob& file_;
    const Context& context_;
    std::vector<ZipMember> members_;
    std::vector<ZipMember*> by_place_;
    std::string window_;
    std::uint64_t window_begin_ = 0;
};

std::string inflate(const ZipMember& member, const Blob& stored) {
    const std::string packed = read_all(stored, member.stored_bytes);
    std::string unpacked(static_cast<std::size_t>(member.size_bytes), '\0');
    const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
        libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
    if (!decompressor) throw std::bad_alloc();
    const auto result = libdeflate_deflate_decompress(decompressor.get(), packed.data(), packed.size(), unpacked.data(),
                                                      unpacked.size(), nullptr);
    if (result != LIBDEFLATE_SUCCESS) {
        throw_damaged("member '{}' does not unpack to its {} bytes", shown(member.name), member.size_bytes);
    }
    return unpacked;
}

}  // namespace

/// What was unpacked last, of one archive: reading a member in pieces unpacks it once, and an archive of a thousand
/// deflated members holds one of them.
class ZipDirectory::Unpacked {
public:
    std::shared_ptr<const std::string> get(const ZipMember& member, const Blob& stored) {
        {
            const std::lock_guard lock(mutex_);
            if (bytes_ && offset_ == member.data_offset_bytes) return bytes_;
        }
        auto bytes = std::make_shared<const std::string>(inflate(member, stored));
        const std::lock_guard lock(mutex_);
        offset_ = member.data_offset_bytes;
        bytes_ = bytes;
        return bytes;
    }

private:
    std::mutex mutex_;
    std::uint64_t offset_ = 0;
    std::shared_ptr<const std::string> bytes_;
};

/// A deflated member, unpacked when it is first read.
class ZipDirectory::DeflatedBlob final : public Blob {
public:
    DeflatedBlob(ZipMember member, BlobPtr stored, std::shared_ptr<Unpacked> unpacked)
        : member_(std::move(member)), stored_(std::move(stored)), unpacked_(std::move(unpacked)) {}

    std::uint64_t size_bytes() const noexcept override { return member_.size_bytes; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > member_.size_bytes || out.size() > member_.size_bytes - offset_bytes) {
            throw_damaged("{} bytes at {} of member '{}' are wanted, it has {}", out.size(), offset_bytes,
                          shown(member_.name), member_.size_bytes);
        }
        if (out.empty()) return;
        const auto bytes = unpacked_->get(member_, *stored_);
        std::memcpy(out.data(), bytes->data() + offset_bytes, out.size());
    }

private:
    ZipMember member_;
    BlobPtr stored_;
    std::shared_ptr<Unpacked> unpacked_;
};

bool ZipDirectory::ends_like_zip(const std::shared_ptr<const File>& file) {
    return find_end(*File::blob(file)).has_value();
}

ZipDirectory ZipDirectory::read(const std::shared_ptr<const File>& file, const Context& context) {
    return read(File::blob(file), file->path(), context);
}

ZipDirectory ZipDirectory::read(BlobPtr bytes, std::string file, const Context& context) {
    ZipDirectory directory;
    directory.bytes_ = std::move(bytes);
    directory.file_ = std::move(file);
    directory.unpacked_ = std::make_shared<Unpacked>();
    directory.members_ = DirectoryParser(*directory.bytes_, context).run();
    for (std::size_t i = 0; i < directory.members_.size(); ++i) {
        const auto [other, is_new] = directory.by_folded_name_.try_emplace(folded(directory.members_[i].name), i);
        if (!is_new) {
            throw_damaged("there are two members '{}' and '{}': programs disagree which one counts",
                          shown(directory.members_[other->second].name), shown(directory.members_[i].name));
        }
    }
    return directory;
}

const ZipMember* ZipDirectory::find(std::string_view name) const {
    const auto found = by_folded_name_.find(folded(name));
    return found != by_folded_name_.end() ? &members_[found->second] : nullptr;
}

BlobPtr ZipDirectory::blob(const ZipMember& member, std::uint64_t limit_bytes) const {
    BlobPtr stored = slice_blob(bytes_, member.data_offset_bytes, member.stored_bytes);
    if (!member.deflated) return stored;
    // Deflate expands 1032 times at most: a larger claim is a lie, and is caught before anything is allocated.
    if (member.size_bytes > limit_bytes || member.size_bytes / 1032 > member.stored_bytes + 1) {
        throw_damaged("member '{}' claims to unpack {} bytes to {}", shown(member.name), member.stored_bytes,
                      member.size_bytes);
    }
    return placed_blob(std::make_shared<DeflatedBlob>(member, std::move(stored), unpacked_), file_, "");
}

}  // namespace ckpt
