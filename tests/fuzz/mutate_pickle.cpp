// Pickles opcode by opcode: other arguments, other opcodes of the same form, runs of them elsewhere or twice.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "formats/shared/pickle/opcodes.hpp"
#include "tests/fuzz/mutator.hpp"

namespace ckpt_fuzz {
namespace {

constexpr std::size_t kMostSteps = 4;
constexpr std::size_t kMostRun = 64;

/// Where opcodes begin, and behind the last one; empty for what is no pickle to its end.
std::vector<std::size_t> opcodes_of(const Bytes& bytes) {
    std::vector<std::size_t> places;
    if (bytes.size() < 2 || bytes[0] != 0x80 || bytes[1] > 5) return {};
    for (std::size_t at = 0; at < bytes.size();) {
        places.push_back(at);
        const std::uint8_t opcode = bytes[at++];
        if (opcode == '.') {
            places.push_back(at);
            return places;
        }
        const ckpt::OpcodeForm form = ckpt::opcode_form(opcode);
        if (form.argument == ckpt::OpcodeArgument::kNone) continue;
        if (form.argument == ckpt::OpcodeArgument::kLine || form.argument == ckpt::OpcodeArgument::kTwoLines) {
            for (int lines = form.argument == ckpt::OpcodeArgument::kLine ? 1 : 2; lines > 0; --lines) {
                const auto end = std::find(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), '\n');
                if (end == bytes.end()) return {};
                at = static_cast<std::size_t>(end - bytes.begin()) + 1;
            }
            continue;
        }
        if (form.width > bytes.size() - at) return {};
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data() + at, form.width);
        at += form.width;
        if (form.argument != ckpt::OpcodeArgument::kRun) continue;
        if (number > bytes.size() - at) return {};
        at += static_cast<std::size_t>(number);
    }
    return {};
}

std::ptrdiff_t offset(std::size_t at) {
    return static_cast<std::ptrdiff_t>(at);
}

class PickleMutator final : public Mutator {
public:
    std::string_view layout() const override { return "pickle"; }
    bool knows(const Bytes& bytes) const override { return !opcodes_of(bytes).empty(); }
    void learn(const Sample& sample) override { samples_.push_back(&sample); }

    Bytes variant(const Sample& sample, Random& random) const override {
        Bytes bytes = sample.bytes;
        for (std::size_t step = 0; step <= random.below(kMostSteps); ++step) {
            const auto places = opcodes_of(bytes);
            if (places.size() < 4) break;  // a step before broke it
            mutate(bytes, places, random);
        }
        return bytes;
    }

private:
    void mutate(Bytes& bytes, const std::vector<std::size_t>& places, Random& random) const {
        const std::size_t which = 1 + random.below(places.size() - 2);
        const std::size_t at = places[which];
        const ckpt::OpcodeForm form = ckpt::opcode_form(bytes[at]);
        const bool is_number = form.argument == ckpt::OpcodeArgument::kNumber;
        switch (random.below(6)) {
            case 0:
            case 1:
                if (form.width > 0) {
                    write_telling_number(bytes, at + 1, form.width, {places.size(), bytes.size()}, random);
                    return;
                }
                [[fallthrough]];
            case 2:
                bytes[at] = like(form, random);
                return;
            case 3: {  // a run elsewhere, or twice
                const auto [begin, end] = run(places, random);
                const Bytes copy(bytes.begin() + offset(begin), bytes.begin() + offset(end));
                if (random.one_in(2)) bytes.erase(bytes.begin() + offset(begin), bytes.begin() + offset(end));
                const std::size_t to = std::min(places[1 + random.below(places.size() - 2)], bytes.size());
                for (std::size_t times = 1 + (random.one_in(8) ? random.below(1000) : 0); times > 0; --times)
                    bytes.insert(bytes.begin() + offset(to), copy.begin(), copy.end());
                return;
            }
            case 4: {  // a run of another pickle
                const Bytes& other = samples_[random.below(samples_.size())]->bytes;
                const auto [begin, end] = run(opcodes_of(other), random);
                bytes.insert(bytes.begin() + offset(at), other.begin() + offset(begin), other.begin() + offset(end));
                return;
            }
            default:
                if (is_number && form.width == 1) {
                    ++bytes[at + 1];
                } else {
                    bytes.erase(bytes.begin() + offset(at), bytes.begin() + offset(places[which + 1]));
                }
        }
    }

    static std::pair<std::size_t, std::size_t> run(const std::vector<std::size_t>& places, Random& random) {
        const std::size_t begin = 1 + random.below(places.size() - 2);
        const std::size_t count = 1 + random.below(kMostRun);
        return {places[begin], places[std::min(begin + count, places.size() - 2)]};
    }

    /// An opcode whose arguments have the same form.
    static std::uint8_t like(const ckpt::OpcodeForm& form, Random& random) {
        for (int attempt = 0; attempt < 256; ++attempt) {
            const auto opcode = static_cast<std::uint8_t>(random.below(256));
            const ckpt::OpcodeForm other = ckpt::opcode_form(opcode);
            if (ckpt::is_opcode(opcode) && other.argument == form.argument && other.width == form.width) return opcode;
        }
        return '0';
    }

    std::vector<const Sample*> samples_;
};

}  // namespace

std::unique_ptr<Mutator> make_pickle_mutator() {
    return std::make_unique<PickleMutator>();
}

}  // namespace ckpt_fuzz
