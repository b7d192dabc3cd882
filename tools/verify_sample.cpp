// Pieces are numbered; a number that a hash maps low enough is in the sample.
#include "tools/verify_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <queue>
#include <span>
#include <unordered_map>

#include "formats/shared/zip/zip_reader.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostPieces = std::uint64_t{1} << 20;  // of a sample by count

/// splitmix64: every number to one that looks like chance.
std::uint64_t mixed(std::uint64_t number) {
    number += 0x9e3779b97f4a7c15;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
    number = (number ^ number >> 27) * 0x94d049bb133111eb;
    return number ^ number >> 31;
}

/// The numbers of a sample of 0..total, in order.
std::vector<std::uint64_t> choose(std::uint64_t total, const SampleSize& size, std::uint64_t seed) {
    std::uint64_t wanted = size.count;
    if (size.share > 0) wanted = static_cast<std::uint64_t>(std::ceil(size.share * static_cast<double>(total)));
    wanted = std::clamp<std::uint64_t>(wanted, std::min<std::uint64_t>(total, 1), std::min(total, kMostPieces));
    // The smallest hashes: as many as are wanted, whatever the total.
    std::priority_queue<std::pair<std::uint64_t, std::uint64_t>> smallest;
    for (std::uint64_t i = 0; i < total && wanted > 0; ++i) {
        const std::uint64_t hash = mixed(mixed(seed) ^ i);
        if (smallest.size() == wanted && hash >= smallest.top().first) continue;
        if (smallest.size() == wanted) smallest.pop();
        smallest.emplace(hash, i);
    }
    std::vector<std::uint64_t> chosen;
    for (; !smallest.empty(); smallest.pop()) chosen.push_back(smallest.top().second);
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

Finding summary(std::string_view what, std::size_t read, std::uint64_t total, std::uint64_t bytes,
                std::uint64_t all_bytes) {
    return {Finding::Severity::kNote, "",
            fmt::format("a sample of {} of {} {} was read, {} of {}", read, total, what, size_text(bytes),
                        size_text(all_bytes))};
}

/// Reads a range of a blob; its checksum.
std::uint32_t read_through(const Blob& blob, std::uint64_t begin, std::uint64_t size, const Context& context) {
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(kPieceBytes, size)));
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < size;) {
        const auto piece =
            std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - done)));
        blob.read(begin + done, piece);
        crc = crc32(crc, piece);
        done += piece.size();
        context.check_cancelled();
    }
    return crc;
}

std::vector<Finding> sample_members(const Source& source, const SampleSize& size, std::uint64_t seed,
                                    const Context& context) {
    Context quiet = context;
    quiet.on_warning = nullptr;
    const ZipDirectory zip = ZipDirectory::read(source.file, quiet);
    const auto& members = zip.members();
    std::vector<Finding> findings;
    std::uint64_t bytes = 0;
    std::uint64_t all_bytes = 0;
    for (const ZipMember& member : members) all_bytes += member.size_bytes;
    const auto chosen = choose(members.size(), size, seed);
    for (const std::uint64_t number : chosen) {
        const ZipMember& member = members[static_cast<std::size_t>(number)];
        bytes += member.size_bytes;
        try {
            const BlobPtr blob = zip.blob(member, context.limits.max_inline_bytes);
            const std::uint32_t crc = read_through(*blob, 0, blob->size_bytes(), context);
            if (crc != member.crc32 && member.crc32 != 0)
                findings.push_back({Finding::Severity::kDamage, member.name,
                                    fmt::format("has the checksum {:08x}, its bytes give {:08x}", member.crc32, crc)});
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            findings.push_back({Finding::Severity::kDamage, member.name, error.message()});
        }
    }
    findings.push_back(summary("members", chosen.size(), members.size(), bytes, all_bytes));
    return findings;
}

/// A storage by the first tensor that looks into it, and the number of its first piece.
struct Pieces {
    std::string path;
    BlobPtr blob;
    std::uint64_t piece_bytes = 0;
    std::uint64_t first = 0;
};

std::vector<Finding> sample_storages(const Document& document, const SampleSize& size, std::uint64_t seed,
                                     const Context& context) {
    std::vector<Pieces> storages;
    std::unordered_map<const Storage*, bool> seen;
    std::uint64_t total = 0;
    std::uint64_t all_bytes = 0;
    walk(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor) || visit.same_as != nullptr) return WalkStep::kInto;
        const StoragePtr& storage = visit.value.tensor().storage;
        if (!storage || storage->blob->size_bytes() == 0 || !seen.emplace(storage.get(), true).second)
            return WalkStep::kInto;
        const std::uint64_t best = storage->blob->best_read_bytes();
        Pieces pieces{visit.path, storage->blob, best != 0 ? best : kPieceBytes, total};
        total += (storage->blob->size_bytes() + pieces.piece_bytes - 1) / pieces.piece_bytes;
        all_bytes += storage->blob->size_bytes();
        storages.push_back(std::move(pieces));
        return WalkStep::kInto;
    });
    std::vector<Finding> findings;
    std::uint64_t bytes = 0;
    const auto chosen = choose(total, size, seed);
    for (const std::uint64_t number : chosen) {
        const auto after = std::upper_bound(storages.begin(), storages.end(), number,
                                            [](std::uint64_t n, const Pieces& pieces) { return n < pieces.first; });
        const Pieces& pieces = *(after - 1);
        const std::uint64_t begin = (number - pieces.first) * pieces.piece_bytes;
        const std::uint64_t length = std::min(pieces.piece_bytes, pieces.blob->size_bytes() - begin);
        bytes += length;
        try {
            read_through(*pieces.blob, begin, length, context);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            const bool is_named = error.message().starts_with("'");
            findings.push_back({Finding::Severity::kDamage, is_named ? "" : pieces.path, error.message()});
        }
    }
    findings.push_back(summary("pieces", chosen.size(), total, bytes, all_bytes));
    return findings;
}

}  // namespace

std::optional<SampleSize> parse_sample(std::string_view text) {
    SampleSize size;
    if (text.ends_with('%')) {
        text.remove_suffix(1);
        double percent = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
        if (error != std::errc() || end != text.data() + text.size() || !(percent > 0 && percent <= 100))
            return std::nullopt;
        size.share = percent / 100;
        return size;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size.count);
    if (error != std::errc() || end != text.data() + text.size() || size.count == 0) return std::nullopt;
    return size;
}

std::vector<Finding> check_sample(const Format& format, const Source& source, const SampleSize& size,
                                  std::uint64_t seed, const Context& context) {
    if (!source.is_folder && source.head.starts_with("PK\3\4")) return sample_members(source, size, seed, context);
    return sample_storages(format.read(source, context), size, seed, context);
}

}  // namespace ckpt
