// HDF5 files changed where it hurts: in the fields of their structures, with checksums made right again.
//
// Structures are found by their signatures, messages by walking the headers. What a mutation breaks stays broken, but
// for the checksums: those would otherwise turn every change away at the door.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "formats/shared/h5/write_bytes.hpp"
#include "tests/fuzz/mutator.hpp"

namespace ckpt_fuzz {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr std::size_t kMaxSealedBytes = 8192;  // how far the end of a structure of unknown size is looked for

std::uint64_t number_at(const Bytes& bytes, std::size_t at, unsigned width) {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < width && at + i < bytes.size(); ++i) number |= std::uint64_t{bytes[at + i]} << (8 * i);
    return number;
}
void put_at(Bytes& bytes, std::size_t at, unsigned width, std::uint64_t number) {
    for (unsigned i = 0; i < width && at + i < bytes.size(); ++i)
        bytes[at + i] = static_cast<std::uint8_t>(number >> (8 * i));
}
std::string_view text_at(const Bytes& bytes, std::size_t at, std::size_t size) {
    if (at > bytes.size()) return {};
    return {reinterpret_cast<const char*>(bytes.data()) + at, std::min(size, bytes.size() - at)};
}

/// A structure of a sample, or the body of a message.
struct Region {
    std::string kind;  ///< its signature, or "v1" for headers without, or "m12" for messages of type 12
    std::size_t at = 0;
    std::size_t size = 0;
    std::size_t checksum_at = 0;  ///< in the file; 0: it has none
};

/// What was learnt of one sample.
struct Anatomy {
    std::size_t base = 0;
    unsigned version = 0;
    std::vector<Region> regions;
    std::map<std::string, std::vector<std::size_t>> by_kind;
    std::vector<std::uint64_t> numbers;  ///< addresses and sizes that other fields may be given
};

std::size_t signature_at(const Bytes& bytes) {
    for (std::size_t at = 0; at + kSignature.size() <= bytes.size(); at = at == 0 ? 512 : at * 2) {
        if (text_at(bytes, at, kSignature.size()) == kSignature) return at;
    }
    return bytes.size();
}

class Surveyor {
public:
    explicit Surveyor(const Bytes& bytes) : bytes_(bytes) {}

    Anatomy run() {
        anatomy_.base = signature_at(bytes_);
        superblock();
        for (std::size_t at = anatomy_.base; at + 8 <= bytes_.size(); ++at) {
            const std::string kind(text_at(bytes_, at, 4));
            if (std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end()) structure(kind, at);
        }
        old_headers();
        messages();
        for (std::size_t i = 0; i < anatomy_.regions.size(); ++i) {
            const Region& region = anatomy_.regions[i];
            anatomy_.by_kind[region.kind].push_back(i);
            if (region.kind.front() != 'm') anatomy_.numbers.push_back(region.at - anatomy_.base);
        }
        anatomy_.numbers.push_back(bytes_.size());
        anatomy_.numbers.push_back(bytes_.size() - 1);
        return std::move(anatomy_);
    }

private:
    static constexpr std::array<std::string_view, 19> kKinds = {"OHDR", "OCHK", "BTHD", "BTIN", "BTLF", "FRHP", "FHIB",
                                                                "FHDB", "FAHD", "FADB", "EAHD", "EAIB", "EASB", "EADB",
                                                                "SMTB", "TREE", "SNOD", "HEAP", "GCOL"};

    void superblock() {
        anatomy_.version = static_cast<unsigned>(number_at(bytes_, anatomy_.base + 8, 1));
        const bool is_new = anatomy_.version >= 2;
        const std::size_t size = is_new ? 48 : 96 + (anatomy_.version == 1 ? 4 : 0);
        add({"super", anatomy_.base, size, is_new ? anatomy_.base + 44 : 0});
        if (!is_new) old_header(number_at(bytes_, anatomy_.base + size - 32, 8));
    }

    void add(Region region) {
        if (region.size > 0 && region.at + region.size <= bytes_.size()) anatomy_.regions.push_back(std::move(region));
    }

    bool is_sealed(std::size_t at, std::size_t size) const {
        return at + size + 4 <= bytes_.size() &&
               ckpt::h5::metadata_checksum(text_at(bytes_, at, size)) == number_at(bytes_, at + size, 4);
    }

    void structure(const std::string& kind, std::size_t at) {
        if (kind == "TREE" || kind == "SNOD") return add({kind, at, std::min<std::size_t>(544, bytes_.size() - at), 0});
        if (kind == "HEAP") return add({kind, at, 32, 0});
        if (kind == "GCOL") return add({kind, at, std::min<std::size_t>(256, bytes_.size() - at), 0});
        if (kind == "FHDB") return heap_block(at);
        for (std::size_t size = 8; size <= kMaxSealedBytes; ++size) {
            if (!is_sealed(at, size)) continue;
            return add({kind, at, size, at + size});
        }
        if (kind == "OHDR") add({kind, at, 64, 0});
    }

    /// Its checksum stands in the middle, and counts as zero in itself.
    void heap_block(std::size_t at) {
        for (std::size_t size = 512; size <= (std::size_t{1} << 20) && at + size <= bytes_.size(); size *= 2) {
            Bytes block(bytes_.begin() + static_cast<std::ptrdiff_t>(at),
                        bytes_.begin() + static_cast<std::ptrdiff_t>(at + size));
            for (const std::size_t place : {std::size_t{17}, std::size_t{18}}) {
                const std::uint64_t stored = number_at(block, place, 4);
                Bytes cleared = block;
                put_at(cleared, place, 4, 0);
                if (ckpt::h5::metadata_checksum(text_at(cleared, 0, size)) == stored)
                    return add({"FHDB", at, size, at + place});
            }
        }
    }

    void old_header(std::uint64_t address) {
        const std::uint64_t at = anatomy_.base + address;
        if (address > bytes_.size() || at + 16 > bytes_.size() || bytes_[at] != 1) return;
        const std::size_t size = 16 + static_cast<std::size_t>(number_at(bytes_, at + 8, 4));
        add({"v1", at, std::min(size, bytes_.size() - at), 0});
    }
    /// Version-1 headers have no signature: symbol nodes say where they are.
    void old_headers() {
        const std::size_t known = anatomy_.regions.size();
        for (std::size_t i = 0; i < known; ++i) {
            const Region region = anatomy_.regions[i];
            if (region.kind != "SNOD") continue;
            const auto count = std::min<std::uint64_t>(number_at(bytes_, region.at + 6, 2), 8);
            for (std::uint64_t n = 0; n < count; ++n) old_header(number_at(bytes_, region.at + 16 + 40 * n, 8));
        }
    }

    void messages() {
        const std::size_t known = anatomy_.regions.size();
        bool has_order = false;
        for (std::size_t i = 0; i < known; ++i) {
            const Region region = anatomy_.regions[i];
            if (region.kind == "v1") old_messages(region.at + 16, region.at + region.size);
            if (region.kind == "OHDR") {
                const auto flags = static_cast<unsigned>(number_at(bytes_, region.at + 5, 1));
                has_order = (flags & 4) != 0;
                const std::size_t head =
                    6 + ((flags & 32) != 0 ? 16 : 0) + ((flags & 16) != 0 ? 4 : 0) + (1U << (flags & 3));
                new_messages(region.at + head, region.at + region.size, has_order);
            }
            if (region.kind == "OCHK") new_messages(region.at + 4, region.at + region.size, has_order);
        }
    }
    void old_messages(std::size_t at, std::size_t end) {
        while (at + 8 <= end) {
            const auto type = number_at(bytes_, at, 2);
            const auto size = static_cast<std::size_t>(number_at(bytes_, at + 2, 2));
            if (type == 0x10) {  // the rest of the header, without a signature either
                const std::uint64_t rest = anatomy_.base + number_at(bytes_, at + 8, 8);
                const std::uint64_t length = number_at(bytes_, at + 16, 8);
                if (rest < bytes_.size() && length < bytes_.size() - rest && continued_++ < 64)
                    old_messages(rest, rest + length);
            }
            if (type != 0 && size > 0) add({"m" + std::to_string(type), at + 8, size, 0});
            at += 8 + size;
        }
    }
    void new_messages(std::size_t at, std::size_t end, bool has_order) {
        const std::size_t head = has_order ? 6 : 4;
        while (at + head <= end) {
            const auto type = number_at(bytes_, at, 1);
            const auto size = static_cast<std::size_t>(number_at(bytes_, at + 1, 2));
            if (type != 0 && size > 0 && at + head + size <= end) add({"m" + std::to_string(type), at + head, size, 0});
            at += head + size;
        }
    }

    const Bytes& bytes_;
    Anatomy anatomy_;
    int continued_ = 0;
};

/// Checksums for what stands there now.
void seal(Bytes& bytes, const Anatomy& anatomy) {
    for (const Region& region : anatomy.regions) {
        if (region.checksum_at == 0 || region.checksum_at + 4 > bytes.size() || region.at + region.size > bytes.size())
            continue;
        std::size_t size = region.size;
        std::size_t checksum_at = region.checksum_at;
        if (region.kind == "FHDB") put_at(bytes, checksum_at, 4, 0);
        if (region.kind == "OHDR") {  // its size is one of its fields
            const auto flags = static_cast<unsigned>(number_at(bytes, region.at + 5, 1));
            const std::size_t head = 6 + ((flags & 32) != 0 ? 16 : 0) + ((flags & 16) != 0 ? 4 : 0);
            const std::uint64_t body = number_at(bytes, region.at + head, 1U << (flags & 3));
            const std::uint64_t whole = head + (1U << (flags & 3)) + body;
            if (body < bytes.size() && region.at + whole + 4 <= bytes.size()) {
                size = static_cast<std::size_t>(whole);
                checksum_at = region.at + size;
            }
        }
        put_at(bytes, checksum_at, 4, ckpt::h5::metadata_checksum(text_at(bytes, region.at, size)));
    }
}

class H5Mutator final : public Mutator {
public:
    std::string_view layout() const override { return "hdf5"; }
    bool knows(const Bytes& bytes) const override { return signature_at(bytes) < bytes.size(); }

    void learn(const Sample& sample) override {
        const Anatomy& anatomy = anatomies_.emplace(&sample, Surveyor(sample.bytes).run()).first->second;
        for (const Region& region : anatomy.regions) donors_[region.kind].emplace_back(&sample, region);
    }

    Bytes variant(const Sample& sample, Random& random) const override {
        const Anatomy& anatomy = anatomies_.at(&sample);
        Bytes bytes = sample.bytes;
        if (anatomy.regions.empty()) {  // a file that is hardly one
            mutate_bytes(bytes, random);
            return bytes;
        }
        const std::size_t edits = random.one_in(2) ? 1 : 1 + random.below(6);
        for (std::size_t i = 0; i < edits; ++i) edit(bytes, anatomy, random);
        if (!random.one_in(16)) seal(bytes, anatomy);
        if (random.one_in(32)) shorten(bytes, anatomy, random);
        return bytes;
    }

private:
    /// Rare kinds are as likely as common ones.
    static const Region& any_region(const Anatomy& anatomy, Random& random) {
        auto kind = anatomy.by_kind.begin();
        std::advance(kind, static_cast<std::ptrdiff_t>(random.below(anatomy.by_kind.size())));
        return anatomy.regions[kind->second[random.below(kind->second.size())]];
    }

    void edit(Bytes& bytes, const Anatomy& anatomy, Random& random) const {
        const Region& region = any_region(anatomy, random);
        const std::size_t reach = random.one_in(3) ? region.size : std::min<std::size_t>(region.size, 40);
        const std::size_t at = region.at + random.below(reach);
        switch (random.below(8)) {
            case 0:
                bytes[at] ^= static_cast<std::uint8_t>(1U << random.below(8));
                break;
            case 1:
                bytes[at] = static_cast<std::uint8_t>(random.next());
                break;
            case 2:
                return transplant(bytes, region, random);
            case 3: {  // another message's type, size or flags
                if (region.kind.front() == 'm' && region.at >= 4)
                    bytes[region.at - 1 - random.below(4)] ^= static_cast<std::uint8_t>(1U << random.below(8));
                break;
            }
            case 4: {  // any byte of the file: data, names, free space
                bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.next());
                break;
            }
            default: {
                const unsigned width = 1U << random.below(4);
                // Most fields are aligned to their width, counted from the structure's signature.
                const std::size_t aligned = random.one_in(3) ? at : region.at + (at - region.at) / width * width;
                write_telling_number(bytes, aligned, width, anatomy.numbers, random);
            }
        }
    }

    /// Puts another structure of the same kind in a structure's place, or a piece of it.
    void transplant(Bytes& bytes, const Region& region, Random& random) const {
        const auto& donors = donors_.at(region.kind);
        const auto& [sample, donor] = donors[random.below(donors.size())];
        const std::size_t count = std::min(region.size, donor.size);
        std::copy_n(sample->bytes.begin() + static_cast<std::ptrdiff_t>(donor.at), count,
                    bytes.begin() + static_cast<std::ptrdiff_t>(region.at));
    }

    /// A file that is cut and says so: everything behind the cut is missing, and the superblock agrees.
    static void shorten(Bytes& bytes, const Anatomy& anatomy, Random& random) {
        if (bytes.size() < anatomy.base + 200) return;
        bytes.resize(anatomy.base + 200 + random.below(bytes.size() - anatomy.base - 199));
        const std::size_t end_at = anatomy.base + (anatomy.version >= 2 ? 28 : anatomy.version == 1 ? 44 : 40);
        put_at(bytes, end_at, 8, bytes.size());
        if (anatomy.version >= 2)
            put_at(bytes, anatomy.base + 44, 4, ckpt::h5::metadata_checksum(text_at(bytes, anatomy.base, 44)));
    }

    std::unordered_map<const Sample*, Anatomy> anatomies_;
    std::map<std::string, std::vector<std::pair<const Sample*, Region>>> donors_;
};

}  // namespace

std::unique_ptr<Mutator> make_h5_mutator() {
    return std::make_unique<H5Mutator>();
}

}  // namespace ckpt_fuzz
