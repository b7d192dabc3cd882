// Mutations that know nothing of any layout, and the list of all mutators.
#include <algorithm>
#include <array>

#include "tests/fuzz/mutator.hpp"

namespace ckpt_fuzz {
namespace {

class BytesMutator final : public Mutator {
public:
    std::string_view layout() const override { return "bytes"; }
    bool knows(const Bytes&) const override { return true; }
    void learn(const Sample& sample) override { samples_.push_back(&sample); }
    Bytes variant(const Sample& sample, Random& random) const override {
        Bytes bytes = sample.bytes;
        if (random.one_in(8) && !bytes.empty()) {  // a piece of another file
            const Bytes& other = samples_[random.below(samples_.size())]->bytes;
            if (!other.empty()) {
                const std::size_t from = random.below(other.size());
                const std::size_t to = random.below(bytes.size());
                const std::size_t count =
                    std::min({std::size_t{1} << random.below(12), other.size() - from, bytes.size() - to});
                std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), count,
                            bytes.begin() + static_cast<std::ptrdiff_t>(to));
            }
        }
        mutate_bytes(bytes, random);
        return bytes;
    }

private:
    std::vector<const Sample*> samples_;
};

}  // namespace

void write_telling_number(Bytes& bytes, std::size_t at, unsigned width, const std::vector<std::uint64_t>& sizes,
                          Random& random) {
    static constexpr std::array<std::uint64_t, 16> kTelling = {
        0,       1,          2,          0x7f,       0x80,       0xff,        0x7fff,      0xffff,
        0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, ~0ULL >> 1U, 1ULL << 63U, ~0ULL};
    std::uint64_t old = 0;
    for (unsigned i = 0; i < width && at + i < bytes.size(); ++i) old |= std::uint64_t{bytes[at + i]} << (8 * i);
    std::uint64_t number = 0;
    switch (random.below(sizes.empty() ? 5 : 7)) {
        case 0:
        case 1:
            number = kTelling[random.below(kTelling.size())];
            break;
        case 2:
            number = old + random.below(5) - 2;
            break;
        case 3:
            number = random.one_in(2) ? old * 2 : old / 2;
            break;
        case 4:
            number = old ^ (std::uint64_t{1} << random.below(8 * width));
            break;
        default:
            number = sizes[random.below(sizes.size())];
    }
    for (unsigned i = 0; i < width && at + i < bytes.size(); ++i)
        bytes[at + i] = static_cast<std::uint8_t>(number >> (8 * i));
}

void mutate_bytes(Bytes& bytes, Random& random) {
    const std::size_t edits = 1 + random.below(4);
    for (std::size_t edit = 0; edit < edits && !bytes.empty(); ++edit) {
        const std::size_t at = random.below(bytes.size());
        switch (random.below(6)) {
            case 0:
                bytes[at] ^= static_cast<std::uint8_t>(1U << random.below(8));
                break;
            case 1:
                bytes[at] = static_cast<std::uint8_t>(random.next());
                break;
            case 2:
                write_telling_number(bytes, at, 1U << random.below(4), {}, random);
                break;
            case 3:
                bytes.resize(at);
                break;
            case 4: {
                const std::size_t count = std::min(1 + random.below(64), bytes.size() - at);
                const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(random.below(bytes.size())), piece.begin(),
                             piece.end());
                break;
            }
            default: {
                const std::size_t to = random.below(bytes.size());
                for (std::size_t i = 0; i < 16 && std::max(at, to) + i < bytes.size(); ++i)
                    bytes[to + i] = bytes[at + i];
            }
        }
    }
}

std::vector<std::unique_ptr<Mutator>> all_mutators() {
    std::vector<std::unique_ptr<Mutator>> mutators;
    mutators.push_back(std::make_unique<BytesMutator>());
    mutators.push_back(make_h5_mutator());
    mutators.push_back(make_pickle_mutator());
    return mutators;
}

}  // namespace ckpt_fuzz
