// The zip bytes that torch's own writer produces.
#include "formats/shared/torch/archive_writer.hpp"

#include <cstring>
#include <memory>
#include <unordered_set>

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kMost32 = 0xffffffff;
constexpr std::uint16_t kUtf8Flag = 0x0800;
constexpr std::uint16_t kDescriptorFlag = 0x0008;

void put(std::string& bytes, std::uint64_t value, std::size_t width) {
    char raw[8];
    std::memcpy(raw, &value, 8);
    bytes.append(raw, width);
}

struct Record {
    std::string name;  ///< with prefix
    std::uint64_t size_bytes = 0;
    std::uint64_t header_offset = 0;
    std::size_t data_extent = 0;  ///< index of its data among the extents
    bool has_crc = true;

    bool is_wide() const { return size_bytes >= kMost32 || header_offset >= kMost32; }
    std::uint16_t flags() const { return size_bytes == 0 ? kUtf8Flag : kUtf8Flag | kDescriptorFlag; }
    std::uint32_t crc(std::span<const ExtentResult> results) const {
        return has_crc && size_bytes != 0 ? results[data_extent].crc32 : 0;
    }
};

std::string local_header(const Record& record, unsigned alignment) {
    std::string zip64;
    if (record.is_wide()) {
        put(zip64, 1, 2);
        std::string payload;
        if (record.size_bytes >= kMost32) {
            put(payload, record.size_bytes, 8);
            put(payload, 0, 8);  // the compressed size is not known yet when torch writes this
        }
        if (record.header_offset >= kMost32) put(payload, record.header_offset, 8);
        put(zip64, payload.size(), 2);
        zip64 += payload;
    }
    const std::uint64_t start = record.header_offset + 30 + record.name.size() + 4 + zip64.size();
    const std::uint64_t padding = (alignment - start % alignment) % alignment;
    if (zip64.size() + 4 + padding > 0xffff)
        throw_error(ErrorCode::kRefused,
                    "record '{}' would need {} bytes of padding to be aligned to {}; zip has 65531", record.name,
                    padding, alignment);
    std::string bytes = "PK\3\4";
    put(bytes, 0, 2);
    put(bytes, record.flags(), 2);
    put(bytes, 0, 2 + 2 + 2);  // method, time, date
    put(bytes, 0, 4);          // checksum and sizes follow in the descriptor
    put(bytes, 0, 8);
    put(bytes, record.name.size(), 2);
    put(bytes, zip64.size() + 4 + padding, 2);
    bytes += record.name;
    bytes += zip64;
    bytes += "FB";
    put(bytes, padding, 2);
    bytes.append(static_cast<std::size_t>(padding), 'Z');
    return bytes;
}

std::string descriptor(const Record& record, std::uint32_t crc) {
    std::string bytes = "PK\7\10";
    put(bytes, crc, 4);
    const std::size_t width = record.is_wide() ? 8 : 4;
    put(bytes, record.size_bytes, width);
    put(bytes, record.size_bytes, width);
    return bytes;
}

std::string central_entry(const Record& record, std::uint32_t crc) {
    const bool wide_size = record.size_bytes >= kMost32;
    const bool wide_offset = record.header_offset >= kMost32;
    std::string zip64;
    if (wide_size || wide_offset) {
        put(zip64, 1, 2);
        put(zip64, (wide_size ? 16u : 0u) + (wide_offset ? 8u : 0u), 2);
        if (wide_size) {
            put(zip64, record.size_bytes, 8);
            put(zip64, record.size_bytes, 8);
        }
        if (wide_offset) put(zip64, record.header_offset, 8);
    }
    std::string bytes = "PK\1\2";
    put(bytes, 0, 4);  // versions
    put(bytes, record.flags(), 2);
    put(bytes, 0, 6);  // method, time, date
    put(bytes, crc, 4);
    put(bytes, wide_size ? kMost32 : record.size_bytes, 4);
    put(bytes, wide_size ? kMost32 : record.size_bytes, 4);
    put(bytes, record.name.size(), 2);
    put(bytes, zip64.size(), 2);
    put(bytes, 0, 2 + 2 + 2);  // comment, disk, internal attributes
    put(bytes, 0, 4);
    put(bytes, wide_offset ? kMost32 : record.header_offset, 4);
    return bytes + record.name + zip64;
}

std::string end_records(std::uint64_t entries, std::uint64_t directory_bytes, std::uint64_t directory_offset) {
    std::string bytes = "PK\6\6";
    put(bytes, 44, 8);
    put(bytes, 0x031e, 2);
    put(bytes, 45, 2);
    put(bytes, 0, 8);
    put(bytes, entries, 8);
    put(bytes, entries, 8);
    put(bytes, directory_bytes, 8);
    put(bytes, directory_offset, 8);
    bytes += "PK\6\7";
    put(bytes, 0, 4);
    put(bytes, directory_offset + directory_bytes, 8);
    put(bytes, 1, 4);
    bytes += "PK\5\6";
    put(bytes, 0, 4);
    put(bytes, std::min<std::uint64_t>(entries, 0xffff), 2);
    put(bytes, std::min<std::uint64_t>(entries, 0xffff), 2);
    put(bytes, std::min(directory_bytes, kMost32), 4);
    put(bytes, std::min(directory_offset, kMost32), 4);
    put(bytes, 0, 2);
    return bytes;
}

/// torch's own way of mixing hashes, in 64 bits.
std::uint64_t combine(std::uint64_t hash, std::uint64_t value) {
    return hash ^ (value + 0x9e3779b9u + (hash << 6) + (hash >> 2));
}

/// The 40 digits of .data/serialization_id: a hash of the records' names, one of their checksums.
std::string serialization_id(const std::vector<Record>& records, std::size_t count, std::size_t prefix_size,
                             std::span<const ExtentResult> results) {
    // The order of the first hash is that in which an unordered_set of libstdc++ gives back the names that were put in.
    std::unordered_set<std::string> names;
    std::uint64_t checksums = 0;
    for (std::size_t i = 0; i < count; ++i) {
        names.insert(records[i].name.substr(prefix_size + 1));
        if (records[i].size_bytes != 0) checksums = combine(checksums, records[i].crc(results));
    }
    std::uint64_t hash = 0;
    for (const auto& name : names) hash = combine(hash, std::hash<std::string>{}(name));
    return fmt::format("{:020}{:020}", hash, checksums);
}

class Planner {
public:
    explicit Planner(const ArchiveOptions& options)
        : options_(options), records_(std::make_shared<std::vector<Record>>()) {}

    void add(const std::string& name, std::variant<LiteralExtent, BlobExtent, EncodedExtent, LateExtent> data,
             std::uint64_t size, bool is_storage) {
        Record record;
        record.name = options_.prefix + "/" + name;
        record.size_bytes = size;
        record.header_offset = offset_;
        record.has_crc = options_.checksums == ArchiveChecksums::kAll ||
                         (options_.checksums == ArchiveChecksums::kNoStorages && !is_storage);
        std::string header = local_header(record, options_.alignment_bytes);
        offset_ += header.size() + size;
        file_.extents.push_back({LiteralExtent{std::move(header)}, false});
        record.data_extent = file_.extents.size();
        records_->push_back(record);
        if (size == 0) return;
        file_.extents.push_back({std::move(data), record.has_crc});
        const std::uint64_t descriptor_bytes = record.is_wide() ? 24 : 16;
        offset_ += descriptor_bytes;
        file_.extents.push_back(
            {LateExtent{descriptor_bytes, [record](auto results) { return descriptor(record, record.crc(results)); }},
             false});
    }

    void add_text(const std::string& name, std::string text) {
        const std::uint64_t size = text.size();
        add(name, LiteralExtent{std::move(text)}, size, false);
    }

    PlannedFile finish() {
        const std::size_t before = records_->size();
        const std::size_t prefix_size = options_.prefix.size();
        add(".data/serialization_id",
            LateExtent{40, [records = records_, before, prefix_size](
                               auto results) { return serialization_id(*records, before, prefix_size, results); }},
            40, false);
        std::uint64_t directory_bytes = 0;
        for (const auto& record : *records_) directory_bytes += central_entry(record, 0).size();
        const std::uint64_t directory_offset = offset_;
        const std::string end = end_records(records_->size(), directory_bytes, directory_offset);
        file_.extents.push_back({LateExtent{directory_bytes + end.size(),
                                            [records = records_, end](auto results) {
                                                std::string bytes;
                                                for (const auto& record : *records)
                                                    bytes += central_entry(record, record.crc(results));
                                                return bytes + end;
                                            }},
                                 false});
        return std::move(file_);
    }

private:
    const ArchiveOptions& options_;
    std::shared_ptr<std::vector<Record>> records_;
    PlannedFile file_;
    std::uint64_t offset_ = 0;
};

}  // namespace

PlannedFile plan_archive(std::string pickle, const std::vector<BlobPtr>& storages, std::vector<ExtraRecord> extra,
                         const ArchiveOptions& options) {
    Planner planner(options);
    planner.add_text("data.pkl", std::move(pickle));
    planner.add_text(".format_version", "1");
    planner.add_text(".storage_alignment", std::to_string(options.alignment_bytes));
    if (!options.byteorder_last) planner.add_text("byteorder", "little");
    for (std::size_t i = 0; i < storages.size(); ++i) {
        planner.add("data/" + std::to_string(i), BlobExtent{storages[i]}, storages[i]->size_bytes(), true);
    }
    for (auto& record : extra) planner.add_text(record.name, std::move(record.bytes));
    planner.add_text("version", "3\n");
    if (options.byteorder_last) planner.add_text("byteorder", "little");
    return planner.finish();
}

}  // namespace ckpt
