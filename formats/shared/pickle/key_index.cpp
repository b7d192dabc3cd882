// Python's equality and hashing of dict keys, without recursion.
#include "formats/shared/pickle/key_index.hpp"

#include <cmath>
#include <functional>
#include <optional>
#include <string_view>

namespace ckpt {
namespace {

constexpr std::size_t kLargeDict = 24;       // from here on a table pays
constexpr std::size_t kMostCompared = 1024;  // values looked at in a pair of tuple keys; beyond that, identity decides

std::optional<double> as_number(const Value& value) {
    switch (value.kind()) {
        case Kind::kBool:
            return value.as_bool() ? 1.0 : 0.0;
        case Kind::kFloat:
            return value.as_double();
        case Kind::kInt: {
            if (const auto number = value.as_int64()) return static_cast<double>(*number);
            if (const auto number = value.as_uint64()) return static_cast<double>(*number);
            return std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

bool equal_leaf(const Value& a, const Value& b) {
    if (a == b) return true;
    if (a.is(Kind::kInt) && b.is(Kind::kInt)) return a.integer_bytes() == b.integer_bytes();
    const auto x = as_number(a);
    const auto y = as_number(b);
    if (x && y) return *x == *y;
    if (a.kind() != b.kind()) return false;
    if (a.is(Kind::kString)) return a.as_string() == b.as_string();
    if (a.is(Kind::kBytes)) return a.as_bytes() == b.as_bytes();
    if (a.is(Kind::kComplex)) return a.as_complex() == b.as_complex();
    return a.is_null();
}

bool is_plain_tuple(const Value& value) {
    return value.is(Kind::kTuple);
}

std::size_t mix(std::size_t seed, std::size_t value) {
    return seed ^ (value + 0x9e3779b97f4a7c15u + (seed << 6) + (seed >> 2));
}

std::size_t hash_leaf(const Value& value) {
    if (const auto number = as_number(value)) return std::hash<double>{}(*number);
    if (value.is(Kind::kString)) return std::hash<std::string_view>{}(value.as_string());
    if (value.is(Kind::kBytes)) return std::hash<std::string_view>{}(value.as_bytes());
    if (value.is(Kind::kInt)) return std::hash<std::string>{}(value.integer_bytes());
    if (value.is(Kind::kComplex)) return std::hash<double>{}(value.as_complex().real());
    return std::hash<const void*>{}(value.node());
}

std::size_t hash_key(const Value& key) {
    if (!is_plain_tuple(key)) return hash_leaf(key);
    std::size_t seed = 0;
    std::size_t budget = kMostCompared;
    std::vector<Value> todo{key};
    while (!todo.empty() && budget-- > 0) {
        const Value value = todo.back();
        todo.pop_back();
        if (is_plain_tuple(value)) {
            const auto& items = value.sequence().items;
            seed = mix(seed, items.size());
            for (std::size_t i = 0; i < items.size() && i < budget; ++i) todo.push_back(items[i]);
        } else {
            seed = mix(seed, hash_leaf(value));
        }
    }
    return seed;
}

}  // namespace

bool python_equal(const Value& a, const Value& b) {
    if (!is_plain_tuple(a) || !is_plain_tuple(b)) return equal_leaf(a, b);
    std::size_t budget = kMostCompared;
    std::vector<std::pair<Value, Value>> todo{{a, b}};
    while (!todo.empty()) {
        const auto [x, y] = todo.back();
        todo.pop_back();
        if (x == y) continue;
        if (!is_plain_tuple(x) || !is_plain_tuple(y)) {
            if (!equal_leaf(x, y)) return false;
            continue;
        }
        const auto& left = x.sequence().items;
        const auto& right = y.sequence().items;
        if (left.size() != right.size()) return false;
        for (std::size_t i = 0; i < left.size(); ++i) {
            if (budget-- == 0) return false;
            todo.emplace_back(left[i], right[i]);
        }
    }
    return true;
}

void PickleKeyIndex::set(Entries& entries, const Value& key, const Value& value) {
    if (entries.size() < kLargeDict) {
        for (auto& [name, old] : entries) {
            if (python_equal(name, key)) {
                old = value;
                return;
            }
        }
        entries.emplace_back(key, value);
        return;
    }
    Table& table = tables_[&entries];
    if (table.size() != entries.size()) {
        table.clear();
        for (std::size_t i = 0; i < entries.size(); ++i) table.emplace(hash_key(entries[i].first), i);
    }
    const std::size_t hash = hash_key(key);
    const auto [begin, end] = table.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
        if (python_equal(entries[it->second].first, key)) {
            entries[it->second].second = value;
            return;
        }
    }
    table.emplace(hash, entries.size());
    entries.emplace_back(key, value);
}

}  // namespace ckpt
