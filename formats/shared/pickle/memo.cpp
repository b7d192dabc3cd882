// A walk over the opcodes that looks at GET alone, and the slots.
#include "formats/shared/pickle/memo.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "formats/shared/pickle/opcodes.hpp"

namespace ckpt {

MemoReads::MemoReads(std::string_view pickle) {
    std::size_t at = 0;
    while (at < pickle.size()) {
        const auto opcode = static_cast<unsigned char>(pickle[at++]);
        if (opcode == '.') return;
        has_copies_ = has_copies_ || opcode == '2';
        const OpcodeForm form = opcode_form(opcode);
        if (form.argument == OpcodeArgument::kNone) continue;
        if (form.argument == OpcodeArgument::kLine || form.argument == OpcodeArgument::kTwoLines) {
            for (int lines = form.argument == OpcodeArgument::kLine ? 1 : 2; lines > 0; --lines) {
                const std::size_t end = pickle.find('\n', at);
                if (end == pickle.npos) return;
                if (opcode == 'g') {
                    std::uint64_t slot = 0;
                    const auto [last, error] = std::from_chars(pickle.data() + at, pickle.data() + end, slot);
                    // Other spellings of a number than plain digits: too rare to be read here.
                    if (error == std::errc() && last == pickle.data() + end) {
                        add(slot);
                    } else {
                        has_all_ = has_far_ = true;
                        slots_.clear();
                        return;
                    }
                }
                at = end + 1;
            }
            continue;
        }
        if (form.width > pickle.size() - at) return;
        std::uint64_t number = 0;
        std::memcpy(&number, pickle.data() + at, form.width);
        at += form.width;
        if (form.argument == OpcodeArgument::kRun) {
            if (number > pickle.size() - at) return;
            at += static_cast<std::size_t>(number);
        } else if (opcode == 'h' || opcode == 'j') {
            add(number);
        }
    }
}

void MemoReads::add(std::uint64_t slot) {
    if (slot >= kMostSlots) {
        has_far_ = true;
        return;
    }
    const auto index = static_cast<std::size_t>(slot);
    if (index >= slots_.size())
        slots_.resize(std::max(index + 1, std::min<std::size_t>(2 * slots_.size(), kMostSlots)));
    slots_[index] = true;
}

bool PickleMemo::put(std::uint64_t slot, const Value& value) {
    if (slot < MemoReads::kMostSlots) {
        const auto index = static_cast<std::size_t>(slot);
        if (index >= written_.size()) written_.resize(std::max(index + 1, 2 * written_.size()));
        if (!written_[index]) ++size_;
        written_[index] = true;
    } else if (far_written_.insert(slot).second) {
        ++size_;
    }
    if (!reads_.is_read(slot)) return false;
    values_[slot] = value;
    return true;
}

const Value* PickleMemo::find(std::uint64_t slot) const {
    const auto found = values_.find(slot);
    return found == values_.end() ? nullptr : &found->second;
}

}  // namespace ckpt
