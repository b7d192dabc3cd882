// Reading without trusting the end of the file.
#include "formats/native/salvage.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "formats/native/chunk_pass.hpp"
#include "formats/native/open.hpp"
#include "formats/native/records.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::native {
namespace {

constexpr std::uint64_t kWindowBytes = std::uint64_t{1} << 20;
constexpr std::uint32_t kMostNamesBytes = std::uint32_t{256} << 20;
constexpr std::uint64_t kNoChunk = UINT64_MAX;

class Scanner {
public:
    Scanner(const Source& source, const Context& context)
        : file_(*source.file), context_(context), names_budget_(most_memory_of_names(source.size_bytes)) {}

    Scan run() {
        std::uint64_t at = kHeaderBytes;
        while (at + kHeaderBytes <= file_.size_bytes()) {
            context_.check_cancelled();
            const auto header = header_at(at);
            const bool is_sound = header && header->total_bytes() <= file_.size_bytes() - at;
            if (header && header->type == RecordType::kIndex) break;
            if (header) take(*header, at);
            if (is_sound) {
                at += header->total_bytes();
                continue;
            }
            const std::uint64_t next = next_header(at + 1);
            scan_.skipped_bytes += next - at;
            at = next;
        }
        finish();
        return std::move(scan_);
    }

private:
    std::string bytes_at(std::uint64_t at, std::uint64_t size) const {
        std::string bytes(static_cast<std::size_t>(size), '\0');
        file_.read(at, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
        return bytes;
    }

    std::optional<RecordHeader> header_at(std::uint64_t at) const {
        return parse_record_header(bytes_at(at, kHeaderBytes));
    }

    /// Where the next sound header begins from `from` on, or the end of the file.
    std::uint64_t next_header(std::uint64_t from) const {
        for (std::uint64_t at = from; at + kHeaderBytes <= file_.size_bytes();) {
            context_.check_cancelled();
            const std::uint64_t size = std::min(kWindowBytes + kHeaderBytes, file_.size_bytes() - at);
            const std::string window = bytes_at(at, size);
            for (std::size_t hit = window.find("CK"); hit != std::string::npos && hit + kHeaderBytes <= window.size();
                 hit = window.find("CK", hit + 1)) {
                if (parse_record_header(std::string_view(window).substr(hit, kHeaderBytes))) return at + hit;
            }
            at += size - kHeaderBytes + 1;
        }
        return file_.size_bytes();
    }

    /// Whether `size` bytes at a place have the checksum.
    bool is_whole(std::uint64_t at, std::uint64_t size, std::uint64_t xxh3) const {
        if (at > file_.size_bytes() || size > file_.size_bytes() - at || size > kMostChunkBytes) return false;
        const std::string bytes = bytes_at(at, size);
        return xxh3_64(std::as_bytes(std::span(bytes.data(), bytes.size()))) == xxh3;
    }

    /// Chunks stand in the order of their numbers: one that goes back is from a file within this one.
    void add_chunk(std::uint64_t number, const ChunkEntry& chunk) {
        if (!numbers_.empty() && number <= numbers_.back()) return;
        if (chunk.raw_bytes > most_chunk_bytes(chunk.stored_bytes)) return;
        if (!is_known(chunk.codec)) {
            ++scan_.unknown_codecs;
            return;
        }
        // Numbers are not believed to be without gaps: a hole of one entry stands for any number of chunks.
        const std::uint64_t next = numbers_.empty() ? 0 : numbers_.back() + 1;
        if (number != next) {
            numbers_.push_back(number - 1);
            scan_.chunks.emplace_back();
        }
        numbers_.push_back(number);
        scan_.chunks.push_back(chunk);
        ++scan_.whole_chunks;
    }

    void take(const RecordHeader& header, std::uint64_t at) {
        const std::uint64_t payload = at + kHeaderBytes + header.names_bytes + header.padding_bytes;
        if (header.type == RecordType::kRunChecksums) {
            take_checksums(header, payload);
            return;
        }
        take_names(header, at);
        if (!header.is_run) {
            if (header.raw_bytes == 0 || header.raw_bytes > kMostChunkBytes) return;
            if (!is_whole(payload, header.stored_bytes, header.payload_xxh3)) return;
            add_chunk(header.number,
                      {payload, header.stored_bytes, header.raw_bytes, header.codec, header.payload_xxh3});
            return;
        }
        const std::uint64_t first = std::min(header.stored_bytes, kChunkBytes);
        if (is_whole(payload, first, header.payload_xxh3))
            add_chunk(header.number, {payload, first, first, CodecId::kRaw, header.payload_xxh3});
        run_ = header;
        run_payload_ = payload;
    }

    /// The pieces of the raw run before but the first.
    void take_checksums(const RecordHeader& header, std::uint64_t payload) {
        if (!run_ || run_->number != header.number || header.stored_bytes > kMostNamesBytes ||
            !is_whole(payload, header.stored_bytes, header.payload_xxh3))
            return;
        const std::string values = bytes_at(payload, header.stored_bytes);
        std::uint64_t number = header.number + 1;
        for (std::size_t at = 0; at + 8 <= values.size(); at += 8, ++number) {
            std::uint64_t value = 0;
            for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(values[at + i]);
            const std::uint64_t offset = (number - header.number) * kChunkBytes;
            if (offset >= run_->stored_bytes) return;
            const std::uint64_t size = std::min(kChunkBytes, run_->stored_bytes - offset);
            if (is_whole(run_payload_ + offset, size, value))
                add_chunk(number, {run_payload_ + offset, size, size, CodecId::kRaw, value});
        }
    }

    void take_names(const RecordHeader& header, std::uint64_t at) {
        const std::uint64_t begin = at + kHeaderBytes;
        if (header.names_bytes == 0 || header.names_bytes > kMostNamesBytes ||
            header.names_bytes > file_.size_bytes() - begin)
            return;
        std::string bytes = bytes_at(begin, header.names_bytes);
        if (xxh3_64(std::as_bytes(std::span(bytes.data(), bytes.size()))) != header.names_xxh3) return;
        try {
            if (header.names_are_packed) bytes = unpack_names(bytes, names_budget_);
            for (NamedStorage& name : read_names(bytes, names_budget_)) {
                scan_.storages.push_back(std::move(name));
                scan_.first_chunks.push_back(header.number);
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kRefused) throw;
            // A name that cannot be read names nothing; its chunks are counted all the same.
        }
    }

    void finish() {
        std::vector<std::size_t> order(scan_.storages.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
            return scan_.storages[a].number < scan_.storages[b].number;
        });
        std::vector<NamedStorage> storages;
        std::vector<std::uint64_t> first_chunks;
        for (const std::size_t i : order) {
            if (!storages.empty() && storages.back().number == scan_.storages[i].number) continue;
            storages.push_back(std::move(scan_.storages[i]));
            const auto found = std::lower_bound(numbers_.begin(), numbers_.end(), scan_.first_chunks[i]);
            const bool is_there = found != numbers_.end() && *found == scan_.first_chunks[i];
            first_chunks.push_back(is_there ? static_cast<std::uint64_t>(found - numbers_.begin()) : kNoChunk);
        }
        scan_.storages = std::move(storages);
        scan_.first_chunks = std::move(first_chunks);
        scan_.whole_bytes.resize(scan_.chunks.size());
        std::uint64_t whole = 0;
        for (std::size_t i = scan_.chunks.size(); i-- > 0;) {
            whole = scan_.chunks[i].raw_bytes == 0 ? 0 : whole + scan_.chunks[i].raw_bytes;
            scan_.whole_bytes[i] = whole;
        }
    }

    const File& file_;
    const Context& context_;
    Scan scan_;
    std::vector<std::uint64_t> numbers_;  ///< of the entries of scan_.chunks
    std::uint64_t names_budget_;          ///< bytes of memory that more names may take
    std::optional<RecordHeader> run_;
    std::uint64_t run_payload_ = 0;
};

/// Dicts that are filled path by path.
class Tree {
public:
    explicit Tree(Document& document) : document_(document) {}

    /// Puts a value under a path of dicts; a path that leads through a tensor, or is taken, becomes a key of the root.
    void place(const std::string& path, const Value& value) {
        Value at = document_.root;
        const std::vector<std::string> parts = split_path(path);
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            auto& names = by_name_[at.node()];
            const auto found = names.find(parts[i]);
            if (found == names.end()) {
                const Value made = document_.pool().dict();
                add(at, parts[i], made);
                at = made;
            } else if (found->second.is(Kind::kDict)) {
                at = found->second;
            } else {
                return add(document_.root, path, value);
            }
        }
        const std::string name = parts.empty() ? std::string() : parts.back();
        by_name_[at.node()].contains(name) ? add(document_.root, path, value) : add(at, name, value);
    }

private:
    void add(const Value& dict, const std::string& name, const Value& value) {
        if (!by_name_[dict.node()].emplace(name, value).second) return;
        dict.dict().entries.emplace_back(document_.pool().string(name), value);
    }

    Document& document_;
    std::unordered_map<const Node*, std::unordered_map<std::string, Value>> by_name_;
};

std::string what_is(const NamedStorage& storage) {
    if (storage.tensors.empty()) return fmt::format("storage {}", storage.number);
    std::string text = fmt::format("'{}'", storage.tensors.front().path);
    if (storage.tensors.size() > 1) text += fmt::format(" and {} more", storage.tensors.size() - 1);
    return text;
}

/// Storages that overlap tell different stories about the same bytes, and nobody knows which is true. All may be read
/// as long as that does not cost far more than the file.
std::vector<bool> refuse_overlaps(const ChunkStore& store) {
    std::vector<bool> is_refused(store.storages().size());
    std::uint64_t left = 4 * store.position(store.chunks().size());
    for (const std::uint32_t storage : store.overlapping()) {
        const std::uint64_t size = store.storages()[storage].size_bytes;
        is_refused[storage] = size > left;
        if (size <= left) left -= size;
    }
    return is_refused;
}

Document salvage_by_records(const Source& source, const Context& context, const Error& why) {
    Scan scan = scan_records(source, context);
    Document document;
    document.format = "native";
    document.root = document.pool().dict();
    document.damage.emplace_back(
        ErrorCode::kDamaged,
        fmt::format("{}; its records name {} storages and hold {} whole chunks; what is no tensor, and "
                    "tensors without elements, are not named there and are lost{}",
                    why.message(), scan.storages.size(), scan.whole_chunks,
                    scan.unknown_codecs == 0
                        ? ""
                        : fmt::format("; {} chunks are of codecs that are not known", scan.unknown_codecs)));
    std::vector<StorageEntry> entries;
    for (std::size_t i = 0; i < scan.storages.size(); ++i) {
        const NamedStorage& storage = scan.storages[i];
        entries.emplace_back();
        if (scan.is_whole(i) && storage.size_bytes != 0)
            entries.back() = {storage.size_bytes, scan.first_chunks[i], storage.offset, std::nullopt, {}};
    }
    const auto store = std::make_shared<ChunkStore>(source.file, scan.chunks, std::move(entries));
    const std::vector<bool> is_refused = refuse_overlaps(*store);
    std::vector<BlobPtr> blobs(scan.storages.size());
    Tree tree(document);
    for (std::size_t i = 0; i < scan.storages.size(); ++i) {
        const NamedStorage& named = scan.storages[i];
        if (!scan.is_whole(i)) {
            document.damage.emplace_back(ErrorCode::kDamaged,
                                         fmt::format("{} is not whole and was left out", what_is(named)));
            continue;
        }
        const auto like = static_cast<std::size_t>(store->first_like(i));
        if (is_refused[like]) {
            document.damage.emplace_back(
                ErrorCode::kDamaged,
                fmt::format("{} has its bytes in common with too many others and was left out", what_is(named)));
            continue;
        }
        blobs[i] = like == i ? ChunkStore::blob(store, i) : blobs[like];
        auto storage = std::make_shared<const Storage>(Storage{blobs[i], {}});
        std::vector<NamedTensor> tensors = named.tensors;
        if (tensors.empty()) {  // a long text, or what only another object's recipe held
            tensors.push_back({fmt::format("__storages__/{}", named.number),
                               DType::kUInt8,
                               {static_cast<std::int64_t>(named.size_bytes)},
                               {1},
                               0});
        }
        for (const NamedTensor& tensor : tensors) {
            store->set_name(like, tensor.path);
            auto* node = document.pool().make<TensorNode>();
            node->dtype = tensor.dtype;
            node->shape = tensor.shape;
            node->stride = tensor.stride;
            node->offset = tensor.offset;
            node->storage = storage;
            try {
                node->check_bounds(tensor.path);
            } catch (const Error& error) {
                document.damage.push_back(error);
                continue;
            }
            tree.place(tensor.path, Value::of(node));
        }
    }
    return document;
}

/// Replaces tensors over storages that are not whole.
Document salvage_by_index(Opened opened, const Context& context) {
    Document& document = opened.document;
    std::unordered_map<std::uint64_t, std::string> lost;  // why, by storage
    std::map<std::uint64_t, std::string> bad_chunks;
    for_each_chunk(*opened.store, context, [&](std::uint64_t chunk, auto, const Error* failure) {
        if (failure != nullptr) bad_chunks.emplace(chunk, failure->message());
    });
    for (const std::uint32_t storage : opened.store->in_order()) {
        const auto [first, end] = opened.store->chunks_of(storage);
        const auto bad = bad_chunks.lower_bound(first);
        if (bad == bad_chunks.end() || bad->first >= end) continue;
        lost.emplace(storage, fmt::format("chunk {}: {}", bad->first, bad->second));
    }
    std::unordered_map<const Node*, std::string> lost_texts;
    for (const auto& [node, error] : opened.lost_texts) lost_texts.emplace(node, error.message());
    if (lost.empty() && lost_texts.empty()) return std::move(document);
    std::unordered_map<const Node*, bool> replaced;
    const auto lose = [&document](const std::string& path, const std::string& why) {
        document.damage.emplace_back(ErrorCode::kDamaged,
                                     fmt::format("'{}' is not whole and was replaced by None: {}", path, why));
    };
    walk(document.root, [&](const Visit& visit) {
        const Node* node = visit.value.node();
        if (const auto text = lost_texts.find(node); text != lost_texts.end()) {
            if (replaced.emplace(node, true).second) lose(visit.path, text->second);
            return WalkStep::kInto;
        }
        if (!visit.value.is(Kind::kTensor) || !visit.value.tensor().storage) return WalkStep::kInto;
        const auto found = lost.find(ChunkStore::number_of(*visit.value.tensor().storage->blob));
        if (found == lost.end()) return WalkStep::kInto;
        if (replaced.emplace(node, true).second) lose(visit.path, found->second);
        return WalkStep::kInto;
    });
    for (const auto& [node, why] : lost_texts) {  // keys and attributes
        if (!replaced.emplace(node, true).second) continue;
        document.damage.emplace_back(
            ErrorCode::kDamaged, fmt::format("a key or an attribute is not whole and was replaced by None: {}", why));
    }
    const auto replace = [&replaced](Value& value) {
        if (value.node() != nullptr && replaced.contains(value.node())) value = {};
    };
    replace(document.root);
    walk(document.root, [&](const Visit& visit) {
        if (visit.value.node() != nullptr && visit.same_as == nullptr) for_each_value(*visit.value.node(), replace);
        return WalkStep::kInto;
    });
    return std::move(document);
}

}  // namespace

bool Scan::is_whole(std::size_t i) const {
    const NamedStorage& storage = storages[i];
    if (storage.size_bytes == 0) return true;
    if (first_chunks[i] >= chunks.size()) return false;
    const auto first = static_cast<std::size_t>(first_chunks[i]);
    return storage.offset < chunks[first].raw_bytes && storage.size_bytes <= whole_bytes[first] - storage.offset;
}

Scan scan_records(const Source& source, const Context& context) {
    return Scanner(source, context).run();
}

Document salvage_native(const Source& source, const Context& context) {
    std::optional<Opened> opened;
    try {
        opened = open_native(source, context, Texts::kWhatIsWhole);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged) throw;
        return salvage_by_records(source, context, error);
    }
    return salvage_by_index(std::move(*opened), context);
}

}  // namespace ckpt::native
