// Storages become contents (each stored once), contents become chunks, chunks become extents.
#include "formats/native/writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "formats/native/index_write.hpp"
#include "formats/native/records.hpp"
#include "formats/native/same_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {
namespace {

constexpr std::uint64_t kSmallBytes = std::uint64_t{64} << 10;  // storages below share chunks
constexpr std::uint64_t kAlignment = 64;
constexpr int kIndexLevel = 6;
constexpr std::uint64_t kMaxChunks = std::uint64_t{1} << 24;  // 16 TiB; a plan holds all of them

std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// What an encoder tells about its chunk: codec, xxh3 of the payload, digests of small storages.
struct ChunkNote {
    CodecId codec = CodecId::kRaw;
    std::uint64_t xxh3 = 0;
    std::vector<Digest128> digests;

    std::string pack() const {
        std::string bytes(1, static_cast<char>(codec));
        const auto put = [&bytes](std::uint64_t value) {
            bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
        };
        put(xxh3);
        for (const Digest128& digest : digests) {
            put(digest.high);
            put(digest.low);
        }
        return bytes;
    }
    static ChunkNote unpack(const std::string& bytes) {
        ChunkNote note;
        note.codec = static_cast<CodecId>(bytes.at(0));
        const auto get = [&bytes](std::size_t at) {
            std::uint64_t value = 0;
            std::memcpy(&value, bytes.data() + at, sizeof value);
            return value;
        };
        note.xxh3 = get(1);
        for (std::size_t at = 9; at + 16 <= bytes.size(); at += 16) note.digests.push_back({get(at), get(at + 8)});
        return note;
    }
};

/// Appends a record whose payload `fill` appends; returns the payload's codec and checksum.
template <typename Fill>
ChunkNote append_record(std::string& out, RecordHeader header, std::string_view names, std::uint64_t raw_bytes,
                        Fill fill) {
    header.names_bytes = static_cast<std::uint32_t>(names.size());
    header.names_xxh3 = xxh3_64(std::as_bytes(std::span(names.data(), names.size())));
    const std::size_t begin = out.size();
    out.reserve(begin + kHeaderBytes + names.size() + header.padding_bytes + static_cast<std::size_t>(raw_bytes));
    out.resize(begin + kHeaderBytes);
    out += names;
    out.append(header.padding_bytes, '\0');
    const std::size_t payload = out.size();
    header.codec = fill(out);
    ChunkNote note;
    note.codec = header.codec;
    note.xxh3 = xxh3_64(as_bytes(out).subspan(payload));
    header.payload_xxh3 = note.xxh3;
    if (!header.is_run) {
        header.raw_bytes = raw_bytes;
        header.stored_bytes = out.size() - payload;
    }
    out.replace(begin, kHeaderBytes, record_header(header));
    return note;
}

/// Names as they stand beside a chunk: many are alike, and are packed.
struct Names {
    std::string bytes;
    bool are_packed = false;

    explicit Names(const std::vector<StorageName>& names) : bytes(pack_names(names)) {
        constexpr std::size_t kWorthIt = 256;
        constexpr int kLevel = 3;
        if (bytes.size() < kWorthIt) return;
        std::string packed;
        for (unsigned i = 0; i < 4; ++i) packed.push_back(static_cast<char>(bytes.size() >> (8 * i)));
        packed += zstd_frame(as_bytes(bytes), kLevel);
        if (packed.size() >= bytes.size() || bytes.size() > most_names_bytes(packed.size())) return;
        bytes = std::move(packed);
        are_packed = true;
    }
    Names() = default;
};

/// Where a chunk's entry in the index comes from.
struct PlannedChunk {
    std::size_t extent = 0;
    std::uint64_t prefix_bytes = 0;  ///< of the extent, before the payload
    std::uint64_t raw_bytes = 0;
};

/// Where a storage's entry in the index comes from.
struct PlannedStorage {
    std::uint64_t size_bytes = 0;
    std::uint64_t first_chunk = 0;
    std::uint64_t offset = 0;
    std::size_t piece = 0;   ///< of a shared chunk: which of its digests is the storage's
    bool is_shared = false;  ///< lies in a chunk with others
};

/// What the index needs to know when all else is written.
struct Layout {
    std::string tree;
    std::vector<PlannedChunk> chunks;
    std::vector<PlannedStorage> contents;
    std::vector<std::size_t> content_of;  ///< by storage
    std::vector<std::string> locations;   ///< by storage

    std::string index_and_footer(std::span<const ExtentResult> results, std::uint64_t offset) const {
        std::vector<ChunkEntry> chunk_entries;
        std::vector<ChunkNote> notes;  // a shared chunk's is asked for by each storage in it
        chunk_entries.reserve(chunks.size());
        for (const PlannedChunk& chunk : chunks) {
            const ExtentResult& result = results[chunk.extent];
            notes.push_back(ChunkNote::unpack(result.note));
            const ChunkNote& note = notes.back();
            chunk_entries.push_back({result.offset_bytes + chunk.prefix_bytes, result.size_bytes - chunk.prefix_bytes,
                                     chunk.raw_bytes, note.codec, note.xxh3});
        }
        std::vector<StorageEntry> storage_entries;
        for (std::size_t i = 0; i < content_of.size(); ++i) {
            const PlannedStorage& content = contents[content_of[i]];
            StorageEntry entry{content.size_bytes, content.first_chunk, content.offset, {}, locations[i]};
            if (content.size_bytes == 0) {
                entry.digest = Xxh3Stream().digest();
            } else {
                entry.digest = content.is_shared ? notes[content.first_chunk].digests.at(content.piece)
                                                 : results[chunks[content.first_chunk].extent].raw_digest;
            }
            storage_entries.push_back(std::move(entry));
        }
        const std::string index = pack_index(tree, chunk_entries, storage_entries);
        RecordHeader header;
        header.type = RecordType::kIndex;
        header.number = chunks.size();
        std::string bytes;
        const ChunkNote note = append_record(bytes, header, {}, index.size(), [&](std::string& out) {
            const std::string packed = zstd_frame(as_bytes(index), kIndexLevel);
            const bool is_smaller = packed.size() < index.size() && index.size() <= most_index_bytes(packed.size());
            out += is_smaller ? packed : index;
            return is_smaller ? CodecId::kZstd : CodecId::kRaw;
        });
        Footer end;
        end.index_offset = offset;
        end.index_stored_bytes = bytes.size() - kHeaderBytes;
        end.index_raw_bytes = index.size();
        end.index_xxh3 = note.xxh3;
        end.file_bytes = offset + bytes.size() + kHeaderBytes;
        return bytes + footer(end);
    }
};

class Planner {
public:
    Planner(const Document& document, Mode mode, std::uint64_t most_bytes, const Context& context)
        : survey_(document), mode_(mode), layout_(std::make_shared<Layout>()) {
        const auto& storages = survey_.storages();
        std::vector<BlobPtr> blobs;
        for (const auto& storage : storages) {
            blobs.push_back(storage.blob);
            layout_->locations.push_back(storage.location);
        }
        refuse_too_much(blobs, most_bytes);
        layout_->content_of = number_contents(blobs, context);
        layout_->tree = survey_.pack_tree();
        if (layout_->tree.size() > context.limits.max_header_bytes) {
            throw_error(ErrorCode::kRefused,
                        "its values without tensors take {} bytes, over the limit of {} for an index",
                        layout_->tree.size(), context.limits.max_header_bytes);
        }
    }

    WritePlan run() {
        file_.extents.push_back({LiteralExtent{file_header()}});
        offset_ = kHeaderBytes;
        for (std::size_t i = 0; i < survey_.storages().size(); ++i) {
            const std::size_t content = layout_->content_of[i];
            if (content < contents_.size()) {
                contents_[content].storages.push_back(i);
            } else {
                contents_.push_back({{i}});
            }
        }
        layout_->contents.resize(contents_.size());
        for (std::size_t i = 0; i < contents_.size(); ++i) add_content(i);
        for (auto& [kind, shared] : open_) close(kind, shared);
        const std::size_t index_extent = file_.extents.size();
        file_.extents.push_back({LateExtent{LateExtent::kUnknownSize, [layout = layout_, index_extent](auto results) {
                                                return layout->index_and_footer(results,
                                                                                results[index_extent].offset_bytes);
                                            }}});
        WritePlan plan;
        plan.files.push_back(std::move(file_));
        return plan;
    }

private:
    static void refuse_too_much(const std::vector<BlobPtr>& blobs, std::uint64_t most_bytes) {
        OutputBound bound(most_bytes);
        std::uint64_t chunks = 0;
        for (const BlobPtr& blob : blobs) {
            bound.add(blob->size_bytes());
            chunks += blob->size_bytes() / kChunkBytes;
            if (chunks <= kMaxChunks) continue;
            throw_error(ErrorCode::kRefused, "storages of {} MiB and more are over this layout's limit of {} MiB",
                        chunks, kMaxChunks);
        }
    }

    /// Bytes that one storage has, or several with equal ones.
    struct Content {
        std::vector<std::size_t> storages;
    };
    /// A chunk that small storages of one kind share, while it fills.
    struct Shared {
        std::vector<std::size_t> contents;
        std::uint64_t raw_bytes = 0;
    };

    const BlobPtr& blob_of(std::size_t content) const {
        return survey_.storages()[contents_[content].storages.front()].blob;
    }
    ElementKind kind_of(std::size_t content) const {
        return survey_.storages()[contents_[content].storages.front()].kind;
    }

    std::vector<StorageName> names_of(std::size_t content, std::uint64_t offset) const {
        std::vector<StorageName> names;
        for (const std::size_t storage : contents_[content].storages)
            names.push_back({storage, offset, blob_of(content)->size_bytes(), &survey_.storages()[storage]});
        return names;
    }

    void add_content(std::size_t content) {
        const std::uint64_t size = blob_of(content)->size_bytes();
        layout_->contents[content].size_bytes = size;
        if (size == 0) return;
        if (mode_ == Mode::kRaw) {
            add_raw_run(content);
        } else if (size >= kSmallBytes) {
            add_own_chunks(content);
        } else {
            const ElementKind kind = kind_of(content);
            Shared& shared = open_[kind];
            if (shared.raw_bytes + size > kChunkBytes) close(kind, shared);
            layout_->contents[content].offset = shared.raw_bytes;
            layout_->contents[content].piece = shared.contents.size();
            shared.contents.push_back(content);
            shared.raw_bytes += size;
        }
    }

    void add_chunk(const BlobPtr& blob, std::uint64_t offset, std::uint64_t size, std::uint64_t prefix_bytes,
                   std::function<Encoded(std::span<const std::byte>)> encode, RawDigest digest) {
        layout_->chunks.push_back({file_.extents.size(), prefix_bytes, size});
        file_.extents.push_back({EncodedExtent{blob, offset, size, std::move(encode), digest}});
    }

    void add_own_chunks(std::size_t content) {
        const BlobPtr& blob = blob_of(content);
        layout_->contents[content].first_chunk = layout_->chunks.size();
        for (std::uint64_t at = 0; at < blob->size_bytes(); at += kChunkBytes) {
            const std::uint64_t size = std::min(kChunkBytes, blob->size_bytes() - at);
            const Names names = at == 0 ? Names(names_of(content, 0)) : Names();
            add_chunk(
                blob, at, size, kHeaderBytes + names.bytes.size(),
                [names, kind = kind_of(content), number = layout_->chunks.size()](auto raw) {
                    return encode_record(raw, kind, number, names, {});
                },
                at == 0 ? RawDigest::kBegin : RawDigest::kMore);
        }
    }

    void close(ElementKind kind, Shared& shared) {
        if (shared.contents.empty()) return;
        std::vector<StorageName> names;
        std::vector<BlobPtr> blobs;
        std::vector<std::uint64_t> sizes;
        for (const std::size_t content : shared.contents) {
            PlannedStorage& planned = layout_->contents[content];
            planned.first_chunk = layout_->chunks.size();
            planned.is_shared = true;
            for (const StorageName& name : names_of(content, planned.offset)) names.push_back(name);
            blobs.push_back(blob_of(content));
            sizes.push_back(planned.size_bytes);
        }
        const Names packed(names);
        add_chunk(
            joined_blob(std::move(blobs)), 0, shared.raw_bytes, kHeaderBytes + packed.bytes.size(),
            [packed, kind, sizes, number = layout_->chunks.size()](auto raw) {
                return encode_record(raw, kind, number, packed, sizes);
            },
            RawDigest::kNone);
        shared = {};
    }

    static Encoded encode_record(std::span<const std::byte> raw, ElementKind kind, std::uint64_t number,
                                 const Names& names, const std::vector<std::uint64_t>& sizes) {
        RecordHeader header;
        header.names_are_packed = names.are_packed;
        header.number = number;
        Encoded made;
        ChunkNote note = append_record(made.stored, header, names.bytes, raw.size(),
                                       [&](std::string& out) { return encode_chunk(raw, kind, out); });
        Xxh3Stream xxh3;
        for (const std::uint64_t size : sizes) {
            xxh3.reset();
            xxh3.update(raw.first(static_cast<std::size_t>(size)));
            note.digests.push_back(xxh3.digest());
            raw = raw.subspan(static_cast<std::size_t>(size));
        }
        made.note = note.pack();
        return made;
    }

    /// One storage as it is: its pieces lie side by side, so their checksums follow behind them.
    void add_raw_run(std::size_t content) {
        const BlobPtr& blob = blob_of(content);
        const std::uint64_t size = blob->size_bytes();
        const Names packed(names_of(content, 0));
        const std::string& names = packed.bytes;
        RecordHeader header;
        header.names_are_packed = packed.are_packed;
        header.is_run = true;
        header.raw_bytes = size;
        header.stored_bytes = size;
        header.number = layout_->chunks.size();
        const std::uint64_t unpadded = offset_ + kHeaderBytes + names.size();
        header.padding_bytes = static_cast<std::uint32_t>((kAlignment - unpadded % kAlignment) % kAlignment);
        const std::uint64_t prefix = kHeaderBytes + names.size() + header.padding_bytes;
        layout_->contents[content].first_chunk = layout_->chunks.size();
        std::vector<std::size_t> more;  // extents of the pieces but the first
        for (std::uint64_t at = 0; at < size; at += kChunkBytes) {
            if (at != 0) more.push_back(file_.extents.size());
            add_chunk(blob, at, std::min(kChunkBytes, size - at), at == 0 ? prefix : 0,
                      at == 0 ? first_piece_encoder(header, names) : piece_encoder(),
                      at == 0 ? RawDigest::kBegin : RawDigest::kMore);
        }
        offset_ += prefix + size;
        if (more.empty()) return;
        const std::uint64_t checksums_bytes = kHeaderBytes + 8 * more.size();
        file_.extents.push_back({LateExtent{
            checksums_bytes, [more, header](auto results) { return run_checksums(header, more, results); }}});
        offset_ += checksums_bytes;
    }

    static std::function<Encoded(std::span<const std::byte>)> first_piece_encoder(const RecordHeader& header,
                                                                                  const std::string& names) {
        return [header, names](std::span<const std::byte> raw) {
            Encoded made;
            made.note = append_record(made.stored, header, names, raw.size(), [&](std::string& out) {
                            out.append(reinterpret_cast<const char*>(raw.data()), raw.size());
                            return CodecId::kRaw;
                        }).pack();
            return made;
        };
    }

    static std::function<Encoded(std::span<const std::byte>)> piece_encoder() {
        return [](std::span<const std::byte> raw) {
            ChunkNote note;
            note.xxh3 = xxh3_64(raw);
            return Encoded{std::string(reinterpret_cast<const char*>(raw.data()), raw.size()), note.pack()};
        };
    }

    static std::string run_checksums(RecordHeader header, const std::vector<std::size_t>& extents,
                                     std::span<const ExtentResult> results) {
        header.type = RecordType::kRunChecksums;
        header.is_run = false;
        header.names_are_packed = false;
        header.padding_bytes = 0;
        std::string bytes;
        append_record(bytes, header, {}, 8 * extents.size(), [&](std::string& out) {
            for (const std::size_t extent : extents) {
                const std::uint64_t value = ChunkNote::unpack(results[extent].note).xxh3;
                for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
            }
            return CodecId::kRaw;
        });
        return bytes;
    }

    DocumentSurvey survey_;
    Mode mode_;
    std::shared_ptr<Layout> layout_;
    std::vector<Content> contents_;
    std::map<ElementKind, Shared> open_;
    PlannedFile file_;
    std::uint64_t offset_ = 0;  ///< of what comes next; known in raw mode only
};

}  // namespace

WritePlan plan_document(const Document& document, Mode mode, std::uint64_t most_bytes, const Context& context) {
    return Planner(document, mode, most_bytes, context).run();
}

}  // namespace ckpt::native
