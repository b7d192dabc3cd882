// Python's equality of dict keys as numbered classes.
#include "formats/shared/pickle/key_index.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

namespace ckpt {
namespace {

constexpr std::size_t kLargeDict = 24;       // from here on a table pays
constexpr std::size_t kShortTextBytes = 64;  // up to here it is not worth remembering by node

void append_number(std::string& out, std::uint64_t number) {
    char bytes[8];
    std::memcpy(bytes, &number, 8);
    out.append(bytes, 8);
}

void append_double(std::string& out, double number) {
    if (number == 0) number = 0;  // -0.0 == 0.0
    std::uint64_t bits = 0;
    std::memcpy(&bits, &number, 8);
    append_number(out, bits);
}

/// The double that has exactly the value of an integer in little-endian two's complement.
std::optional<double> exact_double(std::string_view bytes) {
    constexpr std::size_t kMostBytes = 130;  // the largest double has 1024 bits
    constexpr std::size_t kMantissaBits = 53;
    if (bytes.empty()) return 0.0;
    if (bytes.size() > kMostBytes) return std::nullopt;
    const auto bit = [&](std::size_t at) {
        return ((static_cast<unsigned char>(bytes[at / 8]) >> (at % 8)) & 1U) != 0;
    };
    std::size_t end = 8 * bytes.size();  // behind the highest bit that is not the sign's
    const bool is_negative = bit(end - 1);
    while (end > 0 && bit(end - 1) == is_negative) --end;
    std::size_t begin = 0;  // the lowest bit that is set
    while (begin < end && !bit(begin)) ++begin;
    if (end - begin > kMantissaBits) return std::nullopt;
    std::int64_t mantissa = is_negative ? -1 : 0;
    for (std::size_t at = end; at-- > begin;) mantissa = 2 * mantissa + (bit(at) ? 1 : 0);
    const double number = std::ldexp(static_cast<double>(mantissa), static_cast<int>(begin));
    return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::string spell_real(double number) {
    std::string spelling = "d";
    append_double(spelling, number);
    return spelling;
}

/// Numbers and None: equal text for equal values, none for what equals only itself.
std::optional<std::string> spell(const Value& value) {
    switch (value.kind()) {
        case Kind::kNull:
            return "n";
        case Kind::kBool:
            return spell_real(value.as_bool() ? 1 : 0);
        case Kind::kInt: {
            const std::string bytes = value.integer_bytes();
            if (const auto number = exact_double(bytes)) return spell_real(*number);
            return "i" + bytes;
        }
        case Kind::kFloat:
            if (std::isnan(value.as_double())) return std::nullopt;
            return spell_real(value.as_double());
        case Kind::kComplex: {
            const auto number = value.as_complex();
            if (std::isnan(number.real()) || std::isnan(number.imag())) return std::nullopt;
            if (number.imag() == 0) return spell_real(number.real());
            std::string spelling = "c";
            append_double(spelling, number.real());
            append_double(spelling, number.imag());
            return spelling;
        }
        default:
            return std::nullopt;
    }
}

/// Equal by content: tuples, and sets that cannot change.
bool is_composite(const Value& value) {
    return value.is(Kind::kTuple) || (value.is(Kind::kSet) && !value.type().empty());
}

bool is_mutable(const Value& value) {
    switch (value.kind()) {
        case Kind::kList:
        case Kind::kDict:
        case Kind::kSet:
            return value.type().empty();  // a class of its own may hash
        case Kind::kBytes:
            return value.type() == "builtins.bytearray";
        default:
            return false;
    }
}

const Value& key_of(const Value& item) {
    return item;
}
const Value& key_of(const std::pair<Value, Value>& entry) {
    return entry.first;
}

}  // namespace

PickleKeyClasses::Id PickleKeyClasses::named(std::string spelling) {
    const auto [it, is_new] = others_.try_emplace(std::move(spelling), last_ + 1);
    if (is_new) ++last_;
    return it->second;
}

PickleKeyClasses::Id PickleKeyClasses::leaf(const Value& key) {
    if (is_mutable(key)) return kUnhashable;
    if (key.is(Kind::kString) || key.is(Kind::kBytes)) {
        auto& known = key.is(Kind::kString) ? texts_ : bytes_;
        const auto [it, is_new] =
            known.try_emplace(key.is(Kind::kString) ? key.as_string() : key.as_bytes(), last_ + 1);
        if (is_new) ++last_;
        return it->second;
    }
    auto spelling = spell(key);
    return spelling ? named(std::move(*spelling)) : ++last_;
}

PickleKeyClasses::Id PickleKeyClasses::of(const Value& key) {
    struct Frame {
        Value value;
        std::vector<Id> items;
    };
    std::vector<Frame> open;
    Id id = kUnhashable;
    const auto enter = [&](const Value& value) {  // true: `id` is known
        const Node* node = value.node();
        const bool is_short = value.is(Kind::kString) && value.as_string().size() <= kShortTextBytes;
        if (node != nullptr && !is_short) {
            // What is open counts as unhashable: a circle, which no stream can make of tuples alone.
            const auto [it, is_new] = nodes_.try_emplace(node, kUnhashable);
            if (is_new && is_composite(value)) {
                open.push_back({value, {}});
                return false;
            }
            if (is_new) it->second = leaf(value);
            id = it->second;
        } else {
            id = leaf(value);
        }
        return true;
    };
    if (enter(key)) return id;
    while (!open.empty()) {
        const std::size_t top = open.size() - 1;
        const Value value = open[top].value;
        const auto& items = value.sequence().items;
        if (open[top].items.size() < items.size()) {
            if (enter(items[open[top].items.size()])) open[top].items.push_back(id);
            continue;
        }
        auto ids = std::move(open[top].items);
        open.pop_back();
        if (std::find(ids.begin(), ids.end(), kUnhashable) != ids.end()) {
            id = kUnhashable;
        } else {
            if (value.is(Kind::kSet)) {
                std::sort(ids.begin(), ids.end());
                ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
            }
            std::string spelling = value.is(Kind::kSet) ? "f" : "t";
            for (const Id item : ids) append_number(spelling, item);
            id = named(std::move(spelling));
        }
        nodes_[value.node()] = id;
        if (!open.empty()) open.back().items.push_back(id);
    }
    return id;
}

bool python_equal(const Value& a, const Value& b) {
    PickleKeyClasses classes;
    const auto id = classes.of(a);
    if (id == PickleKeyClasses::kUnhashable) return a == b;
    return id == classes.of(b);
}

bool PickleKeyIndex::is_hashable(const Value& key) {
    return is_composite(key) ? classes_.of(key) != PickleKeyClasses::kUnhashable : !is_mutable(key);
}

bool PickleKeyIndex::same(const Value& a, const Value& b) {
    if (a.is(Kind::kString) && b.is(Kind::kString)) {
        const std::string_view x = a.as_string();
        const std::string_view y = b.as_string();
        if (x.size() != y.size()) return false;
        if (x.size() <= kShortTextBytes) return x == y;
    }
    if (a.node() == nullptr && b.node() == nullptr && a.is(Kind::kInt) && b.is(Kind::kInt)) return a == b;
    return classes_.of(a) == classes_.of(b);
}

template <typename Vector>
std::size_t PickleKeyIndex::place(const Vector& all, const Value& key) {
    if (all.size() < kLargeDict) {
        const auto found =
            std::find_if(all.begin(), all.end(), [&](const auto& old) { return same(key_of(old), key); });
        return static_cast<std::size_t>(found - all.begin());
    }
    Table& table = tables_[&all];
    if (table.size() != all.size()) {
        table.clear();
        for (std::size_t i = 0; i < all.size(); ++i) table.emplace(classes_.of(key_of(all[i])), i);
    }
    return table.try_emplace(classes_.of(key), all.size()).first->second;
}

void PickleKeyIndex::set(Entries& entries, const Value& key, const Value& value) {
    const std::size_t at = place(entries, key);
    if (at == entries.size()) {
        entries.emplace_back(key, value);
    } else {
        entries[at].second = value;
    }
}

void PickleKeyIndex::add(Items& items, const Value& item) {
    if (place(items, item) == items.size()) items.push_back(item);
}

}  // namespace ckpt
