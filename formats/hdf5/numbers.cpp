// Numbers in the width of their element type, and lists of them as arrays.
#include "formats/hdf5/numbers.hpp"

#include <algorithm>

#include "formats/hdf5/text.hpp"
#include "formats/hdf5/types.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/h5/write_bytes.hpp"

namespace ckpt::hdf5 {
namespace {

/// The double as another width, where nothing is lost by that, NaN payloads included.
std::optional<std::string> narrowed(DType dtype, double value) {
    std::string bytes;
    double back = 0;
    if (dtype == DType::kFloat64) {
        put_bits(bytes, value);
        return bytes;
    }
    if (dtype == DType::kFloat32) {
        const auto narrow = static_cast<float>(value);
        put_bits(bytes, narrow);
        back = narrow;
    } else if (dtype == DType::kFloat16) {
        const std::uint16_t narrow = double_to_float16(value);
        put_bits(bytes, narrow);
        back = float16_to_double(narrow);
    } else {
        return std::nullopt;
    }
    return std::memcmp(&back, &value, sizeof value) == 0 ? std::optional(bytes) : std::nullopt;
}

}  // namespace

std::optional<h5::WriteData> numpy_number(const Value& value, DType dtype) {
    const DTypeInfo& info = dtype_info(dtype);
    h5::WriteData data{stored_type(dtype).type, h5::scalar_space(), "", {}};
    if (info.cls == DTypeClass::kBool && value.is(Kind::kBool)) {
        data.bytes.push_back(value.as_bool() ? '\1' : '\0');
        return data;
    }
    if (info.cls == DTypeClass::kFloat && value.is(Kind::kFloat)) {
        const auto bytes = narrowed(dtype, value.as_double());
        if (!bytes) return std::nullopt;
        data.bytes = *bytes;
        return data;
    }
    if (info.cls == DTypeClass::kComplex && value.is(Kind::kComplex)) {
        const DType part = dtype == DType::kComplex64 ? DType::kFloat32 : DType::kFloat64;
        const auto real = narrowed(part, value.as_complex().real());
        const auto imaginary = narrowed(part, value.as_complex().imag());
        if (!real || !imaginary) return std::nullopt;
        data.bytes = *real + *imaginary;
        return data;
    }
    const unsigned bits = info.bits;
    if (info.cls == DTypeClass::kSigned && value.is(Kind::kInt)) {
        const auto number = value.as_int64();
        if (!number ||
            (bits < 64 && (*number < -(std::int64_t{1} << (bits - 1)) || *number >= std::int64_t{1} << (bits - 1))))
            return std::nullopt;
        h5::put(data.bytes, bits / 8, static_cast<std::uint64_t>(*number));
        return data;
    }
    if (info.cls == DTypeClass::kUnsigned && value.is(Kind::kInt)) {
        const auto number = value.as_uint64();
        if (!number || (bits < 64 && *number >> bits != 0)) return std::nullopt;
        h5::put(data.bytes, bits / 8, *number);
        return data;
    }
    return std::nullopt;
}

std::optional<h5::WriteData> packed(const std::vector<Value>& items) {
    if (items.empty()) return std::nullopt;
    const Kind kind = items.front().kind();
    const auto all = [&items](auto is_fine) { return std::all_of(items.begin(), items.end(), is_fine); };
    if (kind == Kind::kString) {
        const bool is_plain = all([](const Value& v) {
            return v.is(Kind::kString) && v.type().empty() && !v.node()->attributes && is_plain_text(v.as_string());
        });
        if (!is_plain) return std::nullopt;
        std::vector<std::string> texts;
        for (const Value& item : items) texts.emplace_back(item.as_string());
        return h5::texts_data(std::move(texts));
    }
    if (!all([kind](const Value& v) { return v.is(kind) && v.node() == nullptr; })) return std::nullopt;
    h5::WriteData data;
    data.space = h5::simple_space({items.size()});
    if (kind == Kind::kBool) {
        data.type = h5::bool_type();
        for (const Value& item : items) data.bytes.push_back(item.as_bool() ? '\1' : '\0');
    } else if (kind == Kind::kInt && all([](const Value& v) { return v.as_int64().has_value(); })) {
        data.type = h5::integer_type(8, true);
        for (const Value& item : items) put_bits(data.bytes, *item.as_int64());
    } else if (kind == Kind::kFloat) {
        data.type = h5::ieee_type(8);
        for (const Value& item : items) put_bits(data.bytes, item.as_double());
    } else {
        return std::nullopt;
    }
    return data;
}

}  // namespace ckpt::hdf5
