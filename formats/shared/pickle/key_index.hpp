// Setting items of growing dicts as Python does: equal keys are one key, the first stays, the last value counts.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// Whether two keys are equal in Python: 1 == 1.0 == True; text, bytes and tuples by content; objects by identity.
bool python_equal(const Value& a, const Value& b);

/// Finds keys of the dicts that one reader builds. Small dicts are searched, large ones get a hash table.
class PickleKeyIndex {
public:
    using Entries = std::vector<std::pair<Value, Value>>;
    void set(Entries& entries, const Value& key, const Value& value);

private:
    using Table = std::unordered_multimap<std::size_t, std::size_t>;
    std::unordered_map<const Entries*, Table> tables_;
};

}  // namespace ckpt
