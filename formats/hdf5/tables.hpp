// Two tables of a file that is being read, without an allocation for each entry: a group may have a million members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
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

/// Where objects were met first; paths are put together when somebody needs one.
struct Place {
    Value value = {};            ///< once it is made
    StringNode* name = nullptr;  ///< the key; nullptr for the root
    std::uint64_t address = 0;   ///< once the object was met
    std::uint32_t parent = 0;    ///< there are no more of them than nodes in a document
};

/// Places by number, from 0 for the root on, and by the address of what was met there.
class Places {
public:
    std::size_t size() const noexcept { return places_.size(); }
    Place& operator[](std::size_t place) { return places_[place]; }
    const Place& operator[](std::size_t place) const { return places_[place]; }

    std::size_t add(std::size_t parent, StringNode* name) {
        places_.push_back({{}, name, 0, static_cast<std::uint32_t>(parent)});
        return places_.size() - 1;
    }
    std::optional<std::size_t> find(std::uint64_t address) const {
        if (slots_.empty()) return std::nullopt;
        const std::uint32_t held = slots_[index(address)];
        return held != 0 ? std::optional<std::size_t>(held - 1) : std::nullopt;
    }
    /// A later place replaces an earlier one.
    void set_met(std::size_t place, std::uint64_t address, Value value) {
        if (4 * (count_ + 1) > 3 * slots_.size()) grow();
        std::uint32_t& held = slots_[index(address)];
        if (held == 0) ++count_;
        held = static_cast<std::uint32_t>(place + 1);
        places_[place].address = address;
        places_[place].value = value;
    }

private:
    /// Of the slot that has the address, or the empty one where it belongs.
    std::size_t index(std::uint64_t address) const {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = static_cast<std::size_t>(address * 0x9e3779b97f4a7c15U >> 24) & mask;
        while (slots_[at] != 0 && places_[slots_[at] - 1].address != address) at = (at + 1) & mask;
        return at;
    }
    void grow() {
        std::vector<std::uint32_t> old(slots_.empty() ? 64 : 2 * slots_.size());
        old.swap(slots_);
        for (const std::uint32_t held : old) {
            if (held != 0) slots_[index(places_[held - 1].address)] = held;
        }
    }
    std::deque<Place> places_;
    std::vector<std::uint32_t> slots_;  ///< numbers from 1 on; 0 where nothing is
    std::size_t count_ = 0;
};

}  // namespace ckpt::hdf5
