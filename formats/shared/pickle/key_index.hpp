// Setting items of growing dicts and sets as Python does: equal keys are one key, the first stays, the last value
// counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// Whether two keys are equal in Python: numbers by their exact value, whatever their kind (1 == 1.0 == True == 1+0j,
/// but 2**53 + 1 != 2.0**53); text, bytes, tuples and frozensets by content; NaN only to its own node; all else by
/// identity.
bool python_equal(const Value& a, const Value& b);

/// Numbers the classes of equal keys. A node is looked at once, without recursion, so however much is shared, the cost
/// is that of the stream. Nodes must outlive this and may not change once they were asked for.
class PickleKeyClasses {
public:
    using Id = std::uint64_t;
    static constexpr Id kUnhashable = 0;  ///< what Python cannot hash; such keys have no class

    /// The same for equal keys. NaN in place is never met again: a new class each time.
    Id of(const Value& key);

private:
    Id leaf(const Value& key);
    Id named(std::string spelling);

    Id last_ = kUnhashable;
    std::unordered_map<const Node*, Id> nodes_;
    std::unordered_map<std::string_view, Id> texts_;  // of nodes
    std::unordered_map<std::string_view, Id> bytes_;  // of nodes
    std::unordered_map<std::string, Id> others_;      // by a spelling that is equal where the values are
};

/// Finds keys of the dicts, and items of the sets, that one reader builds. Small ones are searched, large ones get a
/// hash table.
class PickleKeyIndex {
public:
    using Entries = std::vector<std::pair<Value, Value>>;
    using Items = std::vector<Value>;

    /// Whether Python can hash the key: no list, dict, set or bytearray, and no tuple or frozenset of such.
    bool is_hashable(const Value& key);
    /// The key must be hashable.
    void set(Entries& entries, const Value& key, const Value& value);
    void add(Items& items, const Value& item);

private:
    using Table = std::unordered_map<PickleKeyClasses::Id, std::size_t>;

    bool same(const Value& a, const Value& b);
    /// Where the key stands; the size of `all` if it is new: it must be appended then.
    template <typename Vector>
    std::size_t place(const Vector& all, const Value& key);

    PickleKeyClasses classes_;
    std::unordered_map<const void*, Table> tables_;
};

}  // namespace ckpt
