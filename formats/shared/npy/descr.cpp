// dtypes of text, records, times and objects. NumPy's `dtype_to_descr` and `descr_to_dtype`, as data.
#include "formats/shared/npy/descr.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "formats/shared/npy/literal.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kMostItemBytes = std::uint64_t{1} << 31;
constexpr int kMostDepth = 40;
constexpr std::int64_t kObjectFlags = 63;

struct Number {
    std::string_view code;
    DType dtype;
};
constexpr Number kNumbers[] = {
    {"b1", DType::kBool},    {"?", DType::kBool},       {"u1", DType::kUInt8},       {"u2", DType::kUInt16},
    {"u4", DType::kUInt32},  {"u8", DType::kUInt64},    {"i1", DType::kInt8},        {"i2", DType::kInt16},
    {"i4", DType::kInt32},   {"i8", DType::kInt64},     {"f2", DType::kFloat16},     {"f4", DType::kFloat32},
    {"f8", DType::kFloat64}, {"c8", DType::kComplex64}, {"c16", DType::kComplex128},
};

Value make_dtype(Pool& pool, const std::string& code, std::vector<Value> state) {
    auto* node = pool.make<ObjectNode>();
    node->type = "numpy.dtype";
    node->recipe = std::make_unique<Recipe>();
    node->recipe->callable = "numpy.dtype";
    node->recipe->args = pool.tuple({pool.string(code), Value::boolean(false), Value::boolean(true)});
    node->recipe->state = pool.tuple(std::move(state));
    return Value::of(node);
}

Value number(std::uint64_t value) {
    return Value::integer(static_cast<std::int64_t>(value));
}

/// A dtype without fields; `big` is '<', '>' or '|'.
Value simple_dtype(Pool& pool, const std::string& code, const std::string& order, std::int64_t item, std::int64_t align,
                   std::int64_t flags) {
    return make_dtype(pool, code,
                      {Value::integer(3), pool.string(order), Value::null(), Value::null(), Value::null(),
                       Value::integer(item), Value::integer(align), Value::integer(flags)});
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || count > kMostItemBytes)
        return std::nullopt;
    return count;
}

/// "M8[25ns]": unit and how many of it make one.
Value time_dtype(Pool& pool, const std::string& code, const std::string& order) {
    std::string unit = "generic";
    std::uint64_t count = 1;
    const auto open = code.find('[');
    if (open != std::string::npos) {
        if (code.back() != ']') throw_damaged("dtype '{}' is none", code);
        std::string inside = code.substr(open + 1, code.size() - open - 2);
        std::size_t digits = 0;
        while (digits < inside.size() && inside[digits] >= '0' && inside[digits] <= '9') ++digits;
        if (digits > 0) count = parse_count(std::string_view(inside).substr(0, digits)).value_or(1);
        unit = inside.substr(digits);
        static constexpr std::string_view kUnits[] = {"Y",  "M",  "W",  "D",  "h",  "m",  "s",
                                                      "ms", "us", "ns", "ps", "fs", "as", "generic"};
        if (std::find(std::begin(kUnits), std::end(kUnits), unit) == std::end(kUnits))
            throw_damaged("dtype '{}' has no known unit of time", code);
    }
    return make_dtype(pool, code.substr(0, 2),
                      {Value::integer(4), pool.string(order), Value::null(), Value::null(), Value::null(),
                       Value::integer(-1), Value::integer(-1), Value::integer(0),
                       pool.tuple({Value::null(), pool.tuple({pool.bytes(unit), number(count), Value::integer(1),
                                                              Value::integer(1)})})});
}

DescrType parse_text(Pool& pool, std::string_view descr, bool wants_dtype) {
    std::string code(descr);
    DescrType type;
    std::string order = "<";
    if (!code.empty() && std::string_view("<>|=").find(code[0]) != std::string_view::npos) {
        order = code[0] == '=' ? "<" : code.substr(0, 1);
        code.erase(0, 1);
    }
    type.big_endian = order == ">";
    for (const auto& known : kNumbers) {
        if (known.code != code) continue;
        type.native = known.dtype;
        type.item_bytes = dtype_width(known.dtype);
        const bool is_complex = dtype_info(known.dtype).cls == DTypeClass::kComplex;
        type.align_bytes = type.item_bytes / (is_complex ? 2 : 1);
        if (wants_dtype)
            type.dtype =
                simple_dtype(pool, known.code == "?" ? "b1" : code, type.item_bytes == 1 ? "|" : order, -1, -1, 0);
        return type;
    }
    if (code == "f16" || code == "c32") {
        type.item_bytes = code == "f16" ? 16 : 32;
        type.align_bytes = 16;
        type.dtype = simple_dtype(pool, code, order, -1, -1, 0);
        return type;
    }
    if (code == "O" || code == "O8" || code == "O4") {
        type.item_bytes = type.align_bytes = 8;
        type.has_objects = true;
        type.dtype = simple_dtype(pool, "O8", "|", -1, -1, kObjectFlags);
        return type;
    }
    if (code.starts_with("M8") || code.starts_with("m8")) {
        type.item_bytes = type.align_bytes = 8;
        type.dtype = time_dtype(pool, code, order);
        return type;
    }
    const auto count = code.empty() ? std::nullopt : parse_count(std::string_view(code).substr(1));
    if (count && (code[0] == 'S' || code[0] == 'a' || code[0] == 'V')) {
        type.item_bytes = *count;
        if (code[0] == 'a') code[0] = 'S';
        type.dtype = simple_dtype(pool, code, "|", static_cast<std::int64_t>(*count), 1, 0);
        return type;
    }
    if (count && code[0] == 'U') {
        type.item_bytes = *count * 4;
        type.align_bytes = 4;
        type.dtype = simple_dtype(pool, code, order, static_cast<std::int64_t>(type.item_bytes), 4, 8);
        return type;
    }
    throw_damaged("dtype '{}' is none that NumPy writes", descr);
}

DescrType parse_any(Pool& pool, const Value& descr, bool wants_dtype, int depth);

/// A field with a shape: each record holds an array of it.
DescrType subarray(Pool& pool, const DescrType& base, const Value& shape) {
    std::uint64_t count = 1;
    std::vector<Value> sizes = shape.is(Kind::kTuple) ? shape.sequence().items : std::vector<Value>{shape};
    for (const auto& item : sizes) {
        const auto size = item.as_uint64();
        if (!size || __builtin_mul_overflow(count, *size, &count) || count > kMostItemBytes)
            throw_damaged("a field has a shape that is none");
    }
    DescrType type;
    type.has_objects = base.has_objects;
    type.align_bytes = base.align_bytes;
    type.item_bytes = base.item_bytes * count;
    if (type.item_bytes > kMostItemBytes) throw_damaged("a field of {} bytes", type.item_bytes);
    type.dtype =
        make_dtype(pool, "V" + std::to_string(type.item_bytes),
                   {Value::integer(3), pool.string("|"), pool.tuple({base.dtype, pool.tuple(sizes)}), Value::null(),
                    Value::null(), number(type.item_bytes), number(type.align_bytes), Value::integer(0)});
    return type;
}

DescrType parse_fields(Pool& pool, const std::vector<Value>& fields, int depth) {
    DescrType type;
    std::vector<Value> names;
    const Value by_name = pool.dict();
    for (const auto& field : fields) {
        const bool is_field =
            field.is(Kind::kTuple) && (field.sequence().items.size() == 2 || field.sequence().items.size() == 3);
        if (!is_field) throw_damaged("a field of the dtype is no pair of name and dtype");
        const auto& parts = field.sequence().items;
        DescrType part = parse_any(pool, parts[1], true, depth + 1);
        if (parts.size() == 3) part = subarray(pool, part, parts[2]);
        const Value offset = number(type.item_bytes);
        type.item_bytes += part.item_bytes;
        type.has_objects = type.has_objects || part.has_objects;
        if (type.item_bytes > kMostItemBytes) throw_damaged("a record of more than {} bytes", kMostItemBytes);
        // A field without a name is the gap that alignment leaves.
        const bool is_gap = parts[0].is(Kind::kString) && parts[0].as_string().empty();
        if (is_gap && parts[1].is(Kind::kString) && parts[1].as_string().starts_with("|V")) continue;
        if (parts[0].is(Kind::kString)) {
            names.push_back(parts[0]);
            by_name.dict().entries.emplace_back(parts[0], pool.tuple({part.dtype, offset}));
        } else if (parts[0].is(Kind::kTuple) && parts[0].sequence().items.size() == 2) {  // (title, name)
            const Value title = parts[0].sequence().items[0];
            names.push_back(parts[0].sequence().items[1]);
            by_name.dict().entries.emplace_back(names.back(), pool.tuple({part.dtype, offset, title}));
        } else {
            throw_damaged("a field of the dtype has no name");
        }
    }
    type.dtype = make_dtype(pool, "V" + std::to_string(type.item_bytes),
                            {Value::integer(3), pool.string("|"), Value::null(), pool.tuple(std::move(names)), by_name,
                             number(type.item_bytes), Value::integer(1), Value::integer(type.has_objects ? 27 : 16)});
    return type;
}

DescrType parse_any(Pool& pool, const Value& descr, bool wants_dtype, int depth) {
    if (depth > kMostDepth) throw_damaged("a dtype of more than {} levels", kMostDepth);
    if (descr.is(Kind::kString)) return parse_text(pool, descr.as_string(), wants_dtype);
    if (descr.is(Kind::kTuple) && descr.sequence().items.size() == 2) {
        const auto& items = descr.sequence().items;
        return subarray(pool, parse_any(pool, items[0], true, depth + 1), items[1]);
    }
    if (descr.is(Kind::kList)) return parse_fields(pool, descr.sequence().items, depth);
    throw_damaged("the dtype is a {}", kind_name(descr.kind()));
}

std::optional<Value> descr_at(Pool& scratch, const Value& dtype, int depth);

/// The fields of a record, with gaps as void fields without name.
std::optional<Value> field_descrs(Pool& scratch, const std::vector<Value>& names, const DictNode& fields,
                                  std::uint64_t item_bytes, int depth) {
    const Value list = scratch.list();
    std::uint64_t at = 0;
    const auto add_gap = [&](std::uint64_t to) {
        if (to > at)
            list.sequence().items.push_back(
                scratch.tuple({scratch.string(""), scratch.string("|V" + std::to_string(to - at))}));
        at = to;
    };
    for (const auto& name : names) {
        if (!name.is(Kind::kString)) return std::nullopt;
        const Value* field = fields.find(name.as_string());
        if (field == nullptr || !field->is(Kind::kTuple) || field->sequence().items.size() < 2) return std::nullopt;
        const auto& parts = field->sequence().items;
        const auto offset = parts[1].as_uint64();
        if (!offset || *offset < at) return std::nullopt;  // fields that overlap
        add_gap(*offset);
        const auto descr = descr_at(scratch, parts[0], depth + 1);
        if (!descr) return std::nullopt;
        const Value shown_name = parts.size() > 2 ? scratch.tuple({parts[2], name}) : name;
        if (descr->is(Kind::kTuple)) {
            list.sequence().items.push_back(
                scratch.tuple({shown_name, descr->sequence().items[0], descr->sequence().items[1]}));
        } else {
            list.sequence().items.push_back(scratch.tuple({shown_name, *descr}));
        }
        Pool aside;
        at += parse_any(aside, *descr, true, depth).item_bytes;
    }
    add_gap(item_bytes);
    return list;
}

std::optional<Value> descr_at(Pool& scratch, const Value& dtype, int depth) {
    if (depth > kMostDepth || !dtype.is(Kind::kObject) || !dtype.node()->recipe) return std::nullopt;
    const Recipe& recipe = *dtype.node()->recipe;
    if (recipe.callable != "numpy.dtype" || !recipe.args.is(Kind::kTuple) || recipe.args.sequence().items.empty() ||
        !recipe.args.sequence().items[0].is(Kind::kString) || !recipe.state.is(Kind::kTuple) ||
        recipe.state.sequence().items.size() < 8 || !recipe.state.sequence().items[1].is(Kind::kString))
        return std::nullopt;
    const std::string code(recipe.args.sequence().items[0].as_string());
    const auto& state = recipe.state.sequence().items;
    const std::string order(state[1].as_string());
    if (state[2].is(Kind::kTuple) && state[2].sequence().items.size() == 2) {
        const auto base = descr_at(scratch, state[2].sequence().items[0], depth + 1);
        if (!base) return std::nullopt;
        return scratch.tuple({*base, state[2].sequence().items[1]});
    }
    if (state[3].is(Kind::kTuple) && state[4].is(Kind::kDict)) {
        const auto item = state[5].as_uint64();
        if (!item) return std::nullopt;
        return field_descrs(scratch, state[3].sequence().items, state[4].dict(), *item, depth);
    }
    if (code.starts_with("O")) return scratch.string("|O");
    if (code == "M8" || code == "m8") {
        if (state.size() < 9 || !state[8].is(Kind::kTuple) || state[8].sequence().items.size() != 2)
            return std::nullopt;
        const Value unit = state[8].sequence().items[1];
        if (!unit.is(Kind::kTuple) || unit.sequence().items.size() < 2 || !unit.sequence().items[0].is(Kind::kBytes))
            return std::nullopt;
        const std::string name(unit.sequence().items[0].as_bytes());
        const auto count = unit.sequence().items[1].as_int64();
        std::string text = order + code;
        if (name != "generic") text += "[" + (count.value_or(1) == 1 ? "" : std::to_string(*count)) + name + "]";
        return scratch.string(text);
    }
    return scratch.string((order == "=" ? "<" : order) + code);
}

}  // namespace

DescrType parse_descr(Pool& pool, const Value& descr) {
    return parse_any(pool, descr, false, 0);
}

std::optional<Value> descr_of(Pool& scratch, const Value& dtype) {
    return descr_at(scratch, dtype, 0);
}

}  // namespace ckpt
