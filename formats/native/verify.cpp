// From record to record, beside the index.
#include "formats/native/verify.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "formats/native/chunk_pass.hpp"
#include "formats/native/open.hpp"
#include "formats/native/records.hpp"
#include "formats/native/salvage.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::native {
namespace {

using Severity = Finding::Severity;

class Verifier {
public:
    Verifier(const Source& source, const Opened& opened, const Context& context)
        : file_(*source.file), footer_(opened.footer), store_(*opened.store), context_(context) {
        name_chunks();
    }

    std::vector<Finding> run() {
        check_records();
        check_contents();
        if (unsupported_ && findings_.empty()) throw *unsupported_;
        return std::move(findings_);
    }

private:
    /// Which tensor stands for each chunk, and how many others share it.
    void name_chunks() {
        names_.resize(store_.chunks().size());
        std::vector<std::size_t> alike(store_.storages().size());
        for (std::uint64_t i = 0; i < alike.size(); ++i) ++alike[static_cast<std::size_t>(store_.first_like(i))];
        for (const std::uint32_t storage : store_.in_order()) {
            const auto [first, end] = store_.chunks_of(storage);
            for (std::uint64_t chunk = first; chunk < end; ++chunk) {
                auto& [path, others] = names_[static_cast<std::size_t>(chunk)];
                const std::string_view name = store_.name(storage);
                others += alike[storage];
                if (path.empty()) {
                    path = name.empty() ? fmt::format("(storage {})", storage) : std::string(name);
                    --others;
                }
            }
        }
    }

    void find(std::uint64_t chunk, const std::string& what) {
        if (chunk >= names_.size()) {
            findings_.push_back({Severity::kDamage, "", what});
            return;
        }
        const auto& [path, others] = names_[static_cast<std::size_t>(chunk)];
        const std::string more = others == 0 ? "" : fmt::format(" (shared with {} others)", others);
        findings_.push_back({Severity::kDamage, path, fmt::format("chunk {}{}: {}", chunk, more, what)});
    }

    std::string bytes_at(std::uint64_t at, std::uint64_t size) const {
        std::string bytes(static_cast<std::size_t>(size), '\0');
        file_.read(at, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
        return bytes;
    }

    /// Records must lie one behind the other and say what the index says.
    void check_records() {
        std::uint64_t at = kHeaderBytes;
        std::uint64_t chunk = 0;
        while (at < footer_.index_offset) {
            context_.check_cancelled();
            const auto header = parse_record_header(bytes_at(at, kHeaderBytes));
            if (!header) {
                find(chunk, fmt::format("the record header at byte {} is damaged", at));
                // The index says where the next one is: behind this chunk's payload.
                const std::uint64_t next = end_of_record(at, chunk);
                if (next <= at) return;
                at = next;
                continue;
            }
            if (header->total_bytes() > footer_.index_offset - at) {
                find(chunk, fmt::format("the record at byte {} of {} bytes leaves the place for chunks", at,
                                        header->total_bytes()));
                return;
            }
            check_record(*header, at, chunk);
            at += header->total_bytes();
        }
        if (chunk != store_.chunks().size())
            find(chunk, fmt::format("the records hold {} chunks, the index {}", chunk, store_.chunks().size()));
        check_index_record();
    }

    /// Where the record of a chunk ends whose header cannot be read, by the index; 0 if it does not say.
    std::uint64_t end_of_record(std::uint64_t at, std::uint64_t& chunk) const {
        while (chunk < store_.chunks().size() && store_.chunks()[static_cast<std::size_t>(chunk)].offset < at) ++chunk;
        if (chunk >= store_.chunks().size()) return footer_.index_offset;
        const ChunkEntry* entry = &store_.chunks()[static_cast<std::size_t>(chunk)];
        std::uint64_t end = entry->offset + entry->stored_bytes;
        ++chunk;
        // Pieces of a raw run have no headers of their own.
        while (chunk < store_.chunks().size() && store_.chunks()[static_cast<std::size_t>(chunk)].offset == end) {
            end += store_.chunks()[static_cast<std::size_t>(chunk)].stored_bytes;
            ++chunk;
        }
        return end;
    }

    void check_record(const RecordHeader& header, std::uint64_t at, std::uint64_t& chunk) {
        const std::uint64_t names_at = at + kHeaderBytes;
        const std::string names = bytes_at(names_at, header.names_bytes);
        if (xxh3_64(std::as_bytes(std::span(names.data(), names.size()))) != header.names_xxh3)
            find(chunk, fmt::format("the names at byte {} do not have their checksum", names_at));
        const std::string padding = bytes_at(names_at + header.names_bytes, header.padding_bytes);
        if (std::any_of(padding.begin(), padding.end(), [](char byte) { return byte != 0; }))
            find(chunk, fmt::format("the padding at byte {} is not zero", names_at + header.names_bytes));
        const std::uint64_t payload = names_at + header.names_bytes + header.padding_bytes;
        if (header.type == RecordType::kChunk) {
            check_chunks(header, payload, chunk);
        } else if (header.type == RecordType::kRunChecksums) {
            check_run_checksums(header, payload);
        } else {
            find(chunk, fmt::format("an index record at byte {} lies among the chunks", at));
        }
    }

    void check_chunks(const RecordHeader& header, std::uint64_t payload, std::uint64_t& chunk) {
        if (header.number != chunk) find(chunk, fmt::format("its record says it is chunk {}", header.number));
        std::uint64_t done = 0;
        bool is_first = true;
        while (done < header.stored_bytes || is_first) {
            if (chunk >= store_.chunks().size()) return;
            const ChunkEntry& entry = store_.chunks()[static_cast<std::size_t>(chunk)];
            if (entry.offset != payload + done)
                find(chunk, fmt::format("its payload is at byte {}, the index says {}", payload + done, entry.offset));
            if (is_first && entry.xxh3 != header.payload_xxh3)
                find(chunk, fmt::format("its record says checksum {:016x}, the index {:016x}", header.payload_xxh3,
                                        entry.xxh3));
            if (!header.is_run && (entry.stored_bytes != header.stored_bytes || entry.raw_bytes != header.raw_bytes ||
                                   entry.codec != header.codec))
                find(chunk, "its record and the index disagree on sizes or codec");
            done += entry.stored_bytes;
            ++chunk;
            is_first = false;
            if (!header.is_run) break;
        }
    }

    void check_run_checksums(const RecordHeader& header, std::uint64_t payload) {
        const std::string values = bytes_at(payload, header.stored_bytes);
        if (xxh3_64(std::as_bytes(std::span(values.data(), values.size()))) != header.payload_xxh3)
            find(header.number, fmt::format("the checksums at byte {} do not have theirs", payload));
    }

    void check_index_record() {
        const auto header = parse_record_header(bytes_at(footer_.index_offset, kHeaderBytes));
        if (!header || header->type != RecordType::kIndex || header->stored_bytes != footer_.index_stored_bytes ||
            header->payload_xxh3 != footer_.index_xxh3) {
            findings_.push_back({Severity::kDamage, "",
                                 fmt::format("the index's record header at byte {} is damaged", footer_.index_offset)});
        }
        const std::uint64_t end = footer_.index_offset + kHeaderBytes + footer_.index_stored_bytes + kHeaderBytes;
        if (end != footer_.file_bytes) {
            findings_.push_back({Severity::kDamage, "",
                                 fmt::format("{} bytes lie between index and footer", footer_.file_bytes - end)});
        }
    }

    /// Decodes everything, once: stored checksums, and what comes out against the storages' digests.
    void check_contents() {
        const std::vector<std::uint32_t>& order = store_.in_order();
        std::size_t current = 0;
        Xxh3Stream xxh3;
        bool is_spoilt = false;
        for_each_chunk(store_, context_,
                       [&](std::uint64_t chunk, std::span<const std::byte> raw, const Error* failure) {
                           if (failure != nullptr) note(chunk, *failure);
                           const std::uint64_t begin = store_.position(chunk);
                           const std::uint64_t end = store_.position(chunk + 1);
                           for (; current < order.size(); ++current) {
                               const std::uint64_t from = std::max(store_.begin_of(order[current]), begin);
                               const std::uint64_t stop =
                                   store_.begin_of(order[current]) + store_.storages()[order[current]].size_bytes;
                               if (from >= end) return;
                               is_spoilt = is_spoilt || failure != nullptr;
                               if (failure == nullptr) {
                                   xxh3.update(raw.subspan(static_cast<std::size_t>(from - begin),
                                                           static_cast<std::size_t>(std::min(stop, end) - from)));
                               }
                               if (stop > end) return;
                               if (!is_spoilt) check_digest(order[current], xxh3.digest());
                               xxh3.reset();
                               is_spoilt = false;
                           }
                       });
        for (std::uint64_t i = 0; i < store_.storages().size(); ++i) {
            if (store_.storages()[static_cast<std::size_t>(i)].size_bytes == 0) check_digest(i, Xxh3Stream().digest());
        }
    }

    void note(std::uint64_t chunk, const Error& failure) {
        if (failure.code() == ErrorCode::kDamaged) return find(chunk, failure.message());
        if (unsupported_) return;  // an unknown codec is no damage
        unsupported_.emplace(
            failure.code(),
            fmt::format("'{}': chunk {}: {}", names_[static_cast<std::size_t>(chunk)].first, chunk, failure.message()));
    }

    void check_digest(std::uint64_t storage, const Digest128& found) {
        const auto& digest = store_.storages()[static_cast<std::size_t>(storage)].digest;
        if (found == digest) return;
        findings_.push_back(
            {Severity::kDamage, std::string(store_.name(storage)),
             fmt::format("its bytes have the digest {}, the index says {}", found.hex(), digest->hex())});
    }

    const File& file_;
    const Footer& footer_;
    const ChunkStore& store_;
    const Context& context_;
    std::vector<std::pair<std::string, std::size_t>> names_;
    std::vector<Finding> findings_;
    std::optional<Error> unsupported_;
};

/// Keys of dicts that stand twice (README: "Nodes"); texts and integers, which is what keys are.
std::vector<Finding> find_double_keys(const Document& document) {
    std::vector<Finding> findings;
    walk(document.root, [&](const Visit& visit) {
        if (visit.same_as != nullptr || !visit.value.is(Kind::kDict)) return WalkStep::kInto;
        std::unordered_set<std::string_view> texts;
        std::unordered_set<std::int64_t> numbers;
        for (const auto& [key, value] : visit.value.dict().entries) {
            if (key.node() != nullptr && !key.node()->type.empty()) continue;  // its class says what is equal
            const bool is_plain_text = key.is(Kind::kString);
            const bool is_new = is_plain_text                ? texts.insert(key.as_string()).second
                                : key.as_int64().has_value() ? numbers.insert(*key.as_int64()).second
                                                             : true;
            if (is_new) continue;
            findings.push_back(
                {Severity::kDamage, visit.path,
                 fmt::format("the key '{}' stands twice in a dict",
                             is_plain_text ? std::string(key.as_string()) : std::to_string(*key.as_int64()))});
        }
        return WalkStep::kInto;
    });
    return findings;
}

}  // namespace

std::vector<Finding> verify_native(const Source& source, VerifyLevel level, const Context& context) {
    std::optional<Opened> opened;
    try {
        opened = open_native(source, context, Texts::kWhatIsWhole);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged) throw;
        std::vector<Finding> findings = {{Severity::kDamage, "", error.message()}};
        const Scan scan = scan_records(source, context);
        std::size_t whole = 0;
        for (std::size_t i = 0; i < scan.storages.size(); ++i) {
            if (scan.is_whole(i)) {
                ++whole;
                continue;
            }
            const NamedStorage& storage = scan.storages[i];
            findings.push_back(
                {Severity::kDamage, storage.tensors.empty() ? "" : storage.tensors.front().path,
                 fmt::format("storage {} of {} bytes is not whole", storage.number, storage.size_bytes)});
        }
        findings.push_back({Severity::kNote, "",
                            fmt::format("{} of the {} storages that are named are whole, in {} chunks; `ckpt extract "
                                        "--salvage` gets them out",
                                        whole, scan.storages.size(), scan.whole_chunks)});
        return findings;
    }
    std::vector<Finding> findings = find_double_keys(opened->document);
    if (level == VerifyLevel::kQuick) {
        std::unordered_map<const Node*, std::string> why;
        const Error* unsupported = nullptr;
        for (const auto& [node, error] : opened->lost_texts) {
            if (error.code() == ErrorCode::kUnsupported) {
                unsupported = &error;
            } else {
                why.emplace(node, error.message());
            }
        }
        walk(opened->document.root, [&](const Visit& visit) {
            const auto found = why.find(visit.value.node());
            if (found == why.end()) return WalkStep::kInto;
            findings.push_back({Severity::kDamage, visit.path, found->second});
            why.erase(found);
            return WalkStep::kInto;
        });
        for (const auto& [node, what] : why) findings.push_back({Severity::kDamage, "", what});
        if (unsupported != nullptr && findings.empty()) throw *unsupported;
        return findings;
    }
    std::vector<Finding> more = Verifier(source, *opened, context).run();
    std::move(more.begin(), more.end(), std::back_inserter(findings));
    return findings;
}

}  // namespace ckpt::native
