// Opcodes by the size of their arguments: enough to find STOP.
#include "formats/shared/pickle/extent.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "formats/shared/pickle/opcodes.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 16;

/// A file's bytes from a place on, read as far as they are looked at.
class Scanner {
public:
    Scanner(const File& file, std::uint64_t begin, std::uint64_t end, std::uint64_t most)
        : file_(file), begin_(begin), size_(end - begin), most_(most) {}

    PickleExtent run() {
        while (true) {
            if (!has(1)) return cut(fmt::format("the pickle has no end: the data end at byte {}", begin_ + size_));
            const std::uint64_t opcode_at = begin_ + at_;
            const auto opcode = static_cast<unsigned char>(bytes_[static_cast<std::size_t>(at_++)]);
            if (opcode == '.') return cut("");
            if (opcode > 0x98) return cut("");
            const OpcodeForm form = opcode_form(opcode);
            std::uint64_t wanted = form.width;
            bool is_there = true;
            if (form.argument == OpcodeArgument::kLine || form.argument == OpcodeArgument::kTwoLines) {
                is_there = line() && (form.argument == OpcodeArgument::kLine || line());
            } else if (form.argument != OpcodeArgument::kNone) {
                is_there = has(wanted);
                std::uint64_t number = 0;
                if (is_there) std::memcpy(&number, bytes_.data() + at_, form.width);
                if (is_there) at_ += wanted;
                if (is_there && form.argument == OpcodeArgument::kRun) {
                    wanted = number;
                    is_there = has(wanted);
                    if (is_there) at_ += wanted;
                }
            }
            if (!is_there) {
                return cut(fmt::format(
                    "the pickle has no end: opcode 0x{:02x} at byte {} wants {} more bytes, the data end at byte {}",
                    opcode, opcode_at, std::max<std::uint64_t>(wanted, 1), begin_ + size_));
            }
        }
    }

private:
    /// Whether so many bytes are there; they are loaded then.
    bool has(std::uint64_t count) {
        if (count > size_ - at_) return false;
        load(at_ + count);
        return true;
    }
    bool line() {
        for (std::size_t from = static_cast<std::size_t>(at_);;) {
            const std::size_t found = bytes_.find('\n', from);
            if (found != std::string::npos) {
                at_ = found + 1;
                return true;
            }
            from = bytes_.size();
            if (from == size_) return false;
            load(from + 1);
        }
    }
    void load(std::uint64_t size) {
        if (size <= bytes_.size()) return;
        if (size > most_) {
            throw_error(ErrorCode::kRefused, "the pickle at byte {} has more than {} bytes, which is the limit", begin_,
                        most_);
        }
        const std::size_t had = bytes_.size();
        const std::uint64_t ahead = had + std::max<std::uint64_t>(kStepBytes, had / 2);
        bytes_.resize(static_cast<std::size_t>(std::min({std::max(size, ahead), size_, most_})));
        file_.read(begin_ + had, std::as_writable_bytes(std::span(bytes_.data() + had, bytes_.size() - had)));
    }
    PickleExtent cut(std::string problem) {
        bytes_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(at_, bytes_.size())));
        return {std::move(bytes_), std::move(problem)};
    }

    const File& file_;
    std::uint64_t begin_, size_, most_;
    std::uint64_t at_ = 0;
    std::string bytes_;
};

}  // namespace

PickleExtent find_pickle(const File& file, std::uint64_t begin, std::uint64_t end, std::uint64_t most_bytes) {
    end = std::min(end, file.size_bytes());
    if (begin >= end) return {"", fmt::format("a pickle is missing: the data end at byte {}", end)};
    return Scanner(file, begin, end, most_bytes).run();
}

}  // namespace ckpt
