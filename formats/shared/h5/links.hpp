// The links of a group. There may be hundreds of thousands: they are kept small, and their texts in one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/text_arena.hpp"

namespace ckpt::h5 {

/// Its texts are those of the list that it stands in.
struct Link {
    enum class Kind : std::uint8_t { kHard, kSoft, kExternal, kUser } kind = Kind::kHard;
    std::uint8_t user_type = 0;                  ///< kUser: 65 to 255
    std::string_view name;                       ///< any bytes but NUL and '/'; not empty, not "."
    std::uint64_t address = 0;                   ///< kHard: the object's
    std::optional<std::int64_t> creation_order;  ///< where the group keeps it
    std::string_view target;                     ///< kSoft: path; kExternal: path inside `file`; kUser: its bytes
    std::string_view file;                       ///< kExternal: never opened here
};

/// Links in order. Movable; views of texts hold as long as it lives.
class Links {
public:
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Link;
        using difference_type = std::ptrdiff_t;
        using reference = Link;
        struct Pointer {
            Link link;
            const Link* operator->() const noexcept { return &link; }
        };
        using pointer = Pointer;

        Iterator(const Links& links, std::size_t at) : links_(&links), at_(at) {}
        Link operator*() const { return (*links_)[at_]; }
        Pointer operator->() const { return {(*links_)[at_]}; }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) { return Iterator(*links_, at_++); }
        bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }

    private:
        const Links* links_;
        std::size_t at_;
    };

    std::size_t size() const noexcept { return records_.size(); }
    bool empty() const noexcept { return records_.empty(); }
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, size()}; }
    Link operator[](std::size_t i) const {
        const Record& record = records_[i];
        Link link;
        if (record.rest != 0) link = rests_[record.rest - 1];
        link.name = {record.name, record.name_bytes};
        link.address = record.address;
        if (record.has_order != 0) link.creation_order = record.order;
        return link;
    }

    /// Copies the texts of the link.
    void add(const Link& link) {
        if (link.name.size() > kMostNameBytes) throw_damaged("a link has a name of {} bytes", link.name.size());
        Record record;
        record.name = texts_.keep(link.name).data();
        record.name_bytes = static_cast<std::uint32_t>(link.name.size()) & kMostNameBytes;
        record.address = link.address;
        record.has_order = link.creation_order ? 1 : 0;
        record.order = link.creation_order.value_or(0);
        if (link.kind != Link::Kind::kHard) {
            rests_.push_back(link);
            rests_.back().target = texts_.keep(link.target);
            rests_.back().file = texts_.keep(link.file);
            record.rest = static_cast<std::uint32_t>(rests_.size());
        }
        records_.push_back(record);
    }
    /// Puts the links of these numbers in this order, and drops the others.
    void arrange(const std::vector<std::uint32_t>& order) {
        std::vector<Record> records;
        records.reserve(order.size());
        for (const std::uint32_t i : order) records.push_back(records_[i]);
        records_ = std::move(records);
    }

private:
    static constexpr std::uint32_t kMostNameBytes = (std::uint32_t{1} << 31) - 1;

    struct Record {
        const char* name = nullptr;
        std::uint64_t address = 0;
        std::int64_t order = 0;
        std::uint32_t name_bytes : 31 = 0;
        std::uint32_t has_order : 1 = 0;
        std::uint32_t rest = 0;  ///< number of what stands aside, from 1 on; 0 for hard links
    };

    std::vector<Record> records_;
    std::vector<Link> rests_;
    TextArena texts_;
};

struct LinkList {
    Links links;
    bool in_creation_order = false;
    /// Links that were left out because their name is none (empty, ".", with a slash, used twice).
    std::vector<Error> errors;
};

}  // namespace ckpt::h5
