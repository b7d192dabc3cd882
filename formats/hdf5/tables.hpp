// Two tables of a file that is being read, without an allocation for each entry: a group may have a million members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

/// Texts that stand as keys, each one node.
class KeyTable {
public:
    explicit KeyTable(Pool& pool) : pool_(pool) {}

    StringNode* node(std::string text) {
        if (4 * (count_ + 1) > 3 * slots_.size()) grow();
        StringNode*& slot = find(text);
        if (slot != nullptr) return slot;
        ++count_;
        slot = pool_.make<StringNode>();
        slot->text = std::move(text);
        return slot;
    }

private:
    StringNode*& find(std::string_view text) {
        std::size_t at = std::hash<std::string_view>()(text) & (slots_.size() - 1);
        while (slots_[at] != nullptr && slots_[at]->text != text) at = (at + 1) & (slots_.size() - 1);
        return slots_[at];
    }
    void grow() {
        std::vector<StringNode*> old(slots_.empty() ? 64 : 2 * slots_.size());
        old.swap(slots_);
        for (StringNode* node : old) {
            if (node != nullptr) find(node->text) = node;
        }
    }
    Pool& pool_;
    std::vector<StringNode*> slots_;
    std::size_t count_ = 0;
};

/// Which place an address was met at.
class PlaceTable {
public:
    std::optional<std::size_t> find(std::uint64_t address) const {
        if (slots_.empty()) return std::nullopt;
        const Slot& slot = slots_[index(address)];
        return slot.is_used ? std::optional<std::size_t>(slot.place) : std::nullopt;
    }
    /// A later place replaces an earlier one.
    void set(std::uint64_t address, std::size_t place) {
        if (4 * (count_ + 1) > 3 * slots_.size()) grow();
        Slot& slot = slots_[index(address)];
        if (!slot.is_used) ++count_;
        slot = {address, static_cast<std::uint32_t>(place), true};
    }

private:
    struct Slot {
        std::uint64_t address = 0;
        std::uint32_t place = 0;  ///< there are no more of them than nodes in a document
        bool is_used = false;
    };
    std::size_t index(std::uint64_t address) const {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = static_cast<std::size_t>(address * 0x9e3779b97f4a7c15U >> 24) & mask;
        while (slots_[at].is_used && slots_[at].address != address) at = (at + 1) & mask;
        return at;
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : 2 * slots_.size());
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.is_used) slots_[index(slot.address)] = slot;
        }
    }
    std::vector<Slot> slots_;
    std::size_t count_ = 0;
};

}  // namespace ckpt::hdf5
