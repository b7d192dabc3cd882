// Subscripts move the offset and the strides; nothing is copied.
#include "libckpt/slice.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t at = text.find(separator);
        parts.push_back(trimmed(text.substr(0, at)));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::optional<std::int64_t> parse_number(std::string_view text, std::string_view whole) {
    if (text.empty()) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
        throw_error(ErrorCode::kUsage, "'[{}]': '{}' is no integer", whole, text);
    return number;
}

Subscript parse_subscript(std::string_view text, std::string_view whole) {
    Subscript result;
    if (text == "...") {
        result.kind = Subscript::Kind::kEllipsis;
        return result;
    }
    const auto parts = split(text, ':');
    if (parts.size() > 3) throw_error(ErrorCode::kUsage, "'[{}]': '{}' has more than two colons", whole, text);
    result.first = parse_number(parts[0], whole);
    if (parts.size() == 1) {
        if (!result.first) throw_error(ErrorCode::kUsage, "'[{}]': a subscript is missing", whole);
        return result;
    }
    result.kind = Subscript::Kind::kRange;
    result.end = parse_number(parts[1], whole);
    if (parts.size() == 3) result.step = parse_number(parts[2], whole).value_or(1);
    if (result.step < 1)
        throw_error(ErrorCode::kUsage, "'[{}]': a step of {} is not supported, only positive ones are", whole,
                    result.step);
    return result;
}

std::int64_t index_in(const Subscript& subscript, std::int64_t size, std::size_t dimension) {
    const std::int64_t index = *subscript.first < 0 ? *subscript.first + size : *subscript.first;
    if (index < 0 || index >= size)
        throw_error(ErrorCode::kNotFound, "index {} is out of range: dimension {} has {} elements", *subscript.first,
                    dimension, size);
    return index;
}

/// First place and how many of them, as Python's `range(*slice.indices(size))`.
struct Range {
    std::int64_t first, count;
};
Range range_in(const Subscript& subscript, std::int64_t size) {
    const auto clipped = [&](std::int64_t place) {
        return std::clamp<std::int64_t>(place < 0 ? place + size : place, 0, size);
    };
    const std::int64_t first = clipped(subscript.first.value_or(0));
    const std::int64_t end = subscript.end ? clipped(*subscript.end) : size;
    return {first, end <= first ? 0 : (end - first - 1) / subscript.step + 1};
}

/// One for each dimension: what an ellipsis, or nothing, stands for is whole.
std::vector<Subscript> completed(const std::vector<Subscript>& subscripts, std::size_t rank) {
    const auto ellipses = std::count_if(subscripts.begin(), subscripts.end(), [](const Subscript& subscript) {
        return subscript.kind == Subscript::Kind::kEllipsis;
    });
    if (ellipses > 1) throw_error(ErrorCode::kUsage, "there may be one '...' among the subscripts");
    const std::size_t given = subscripts.size() - static_cast<std::size_t>(ellipses);
    if (given > rank) throw_error(ErrorCode::kNotFound, "{} subscripts for {} dimensions", given, rank);
    Subscript all;
    all.kind = Subscript::Kind::kRange;
    std::vector<Subscript> result;
    for (const Subscript& subscript : subscripts) {
        if (subscript.kind == Subscript::Kind::kEllipsis) {
            result.insert(result.end(), rank - given, all);
        } else {
            result.push_back(subscript);
        }
    }
    result.resize(rank, all);
    return result;
}

Value sliced_tensor(Pool& pool, const TensorNode& tensor, const std::vector<Subscript>& subscripts) {
    if (!tensor.layout.empty())
        throw_error(ErrorCode::kUnsupported, "a {} tensor is not sliced", std::string(tensor.layout));
    const Value view = tied_tensor(pool, tensor);
    TensorNode& result = view.tensor();
    result.attributes.reset();
    std::vector<std::int64_t> shape, stride;
    const auto whole = completed(subscripts, tensor.shape.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole[i].kind == Subscript::Kind::kIndex) {
            result.offset += index_in(whole[i], tensor.shape[i], i) * tensor.stride[i];
            continue;
        }
        const Range range = range_in(whole[i], tensor.shape[i]);
        if (range.count > 0) result.offset += range.first * tensor.stride[i];
        shape.push_back(range.count);
        stride.push_back(range.count > 1 ? tensor.stride[i] * whole[i].step
                                         : std::max<std::int64_t>(tensor.stride[i], 1));
    }
    result.shape = shape;
    result.stride = stride;
    return view;
}

}  // namespace

std::optional<SlicedPath> parse_slice(std::string_view text) {
    if (!text.ends_with(']')) return std::nullopt;
    const std::size_t open = text.rfind('[');
    if (open == std::string_view::npos) return std::nullopt;
    const std::string_view between = text.substr(open + 1, text.size() - open - 2);
    SlicedPath result{std::string(text.substr(0, open)), {}};
    for (const std::string_view part : split(between, ',')) result.subscripts.push_back(parse_subscript(part, between));
    return result;
}

Value sliced(Pool& pool, const Value& value, const std::vector<Subscript>& subscripts) {
    if (value.is(Kind::kTensor)) return sliced_tensor(pool, value.tensor(), subscripts);
    if (!value.is(Kind::kList) && !value.is(Kind::kTuple))
        throw_error(ErrorCode::kUsage, "{}: only tensors and lists have subscripts", kind_name(value.kind()));
    const auto& items = value.sequence().items;
    const auto size = static_cast<std::int64_t>(items.size());
    const Subscript only = completed(subscripts, 1).front();
    if (only.kind == Subscript::Kind::kIndex) return items[static_cast<std::size_t>(index_in(only, size, 0))];
    const Range range = range_in(only, size);
    const Value part = pool.list();
    for (std::int64_t i = 0; i < range.count; ++i)
        part.sequence().items.push_back(items[static_cast<std::size_t>(range.first + i * only.step)]);
    return part;
}

std::optional<Value> as_tensor(Pool& pool, const Value& value) {
    if (value.is(Kind::kTensor)) return value;
    const bool is_list = value.is(Kind::kList) || value.is(Kind::kTuple);
    const std::vector<Value> alone{value};
    const auto& items = is_list ? value.sequence().items : alone;
    const bool are_integers = !items.empty() && std::all_of(items.begin(), items.end(), [](const Value& item) {
        return item.as_int64().has_value();
    });
    const bool are_numbers = std::all_of(items.begin(), items.end(), [](const Value& item) {
        return item.is(Kind::kFloat) || item.as_int64().has_value();
    });
    if (!are_numbers) return std::nullopt;
    std::string bytes(8 * items.size(), '\0');
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::int64_t integer = items[i].as_int64().value_or(0);
        const double number = items[i].is(Kind::kFloat) ? items[i].as_double() : static_cast<double>(integer);
        std::memcpy(bytes.data() + 8 * i, are_integers ? static_cast<const void*>(&integer) : &number, 8);
    }
    auto* tensor = pool.make<TensorNode>();
    tensor->dtype = are_integers ? DType::kInt64 : DType::kFloat64;
    if (is_list) {
        tensor->shape = {static_cast<std::int64_t>(items.size())};
        tensor->stride = {1};
    }
    tensor->storage = std::make_shared<const Storage>(Storage{memory_blob(std::move(bytes)), {}});
    return Value::of(tensor);
}

}  // namespace ckpt
