// Integers with unused bits and floats of unusual layouts, as numbers that every language has.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "formats/hdf5/types.hpp"
#include "libckpt/error.hpp"

namespace ckpt::hdf5 {
namespace {

/// `count` (at most 64) bits of a little-endian number, from bit `at` on.
std::uint64_t bits_of(const std::byte* number, unsigned at, unsigned count) {
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < count; ++i) {
        const unsigned bit = at + i;
        bits |= (std::to_integer<std::uint64_t>(number[bit / 8]) >> (bit % 8) & 1) << i;
    }
    return bits;
}

void set_bits(std::byte* number, unsigned at, unsigned count, std::uint64_t bits) {
    for (unsigned i = 0; i < count; ++i) {
        const unsigned bit = at + i;
        if ((bits >> i & 1) != 0) number[bit / 8] |= std::byte{1} << (bit % 8);
    }
}

/// To little-endian order and back.
void reorder(h5::ByteOrder order, std::byte* number, std::size_t size_bytes) {
    if (order == h5::ByteOrder::kLittle) return;
    std::reverse(number, number + size_bytes);
    if (order == h5::ByteOrder::kBig) return;
    // VAX order: the words of 16 bits are little-endian, the one with the sign comes first.
    for (std::size_t at = 0; at + 1 < size_bytes; at += 2) std::swap(number[at], number[at + 1]);
}

/// Bits of a mantissa that are beyond what any double has; they are read as zeros.
unsigned unread_bits(const h5::FloatFields& fields) {
    return fields.mantissa_bits > 64 ? fields.mantissa_bits - 64u : 0;
}

double float_value(const h5::FloatFields& fields, const std::byte* number) {
    const bool is_negative = bits_of(number, fields.sign, 1) != 0;
    const std::uint64_t exponent = bits_of(number, fields.exponent_at, fields.exponent_bits);
    const unsigned unread = unread_bits(fields);
    const std::uint64_t mantissa = bits_of(number, fields.mantissa_at + unread, fields.mantissa_bits - unread);
    constexpr unsigned kImplied = 2;
    // The leading bit stands before the point, whether it is stored or implied.
    const bool is_stored = fields.normalization != kImplied;
    const int scale = static_cast<int>(fields.mantissa_bits - unread) - (is_stored ? 1 : 0);
    const std::uint64_t fraction = is_stored ? mantissa & ~(std::uint64_t{1} << scale) : mantissa;
    const auto bias = static_cast<std::int64_t>(fields.bias);
    double value = 0;
    if (exponent == (std::uint64_t{1} << fields.exponent_bits) - 1) {
        value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    } else {
        const bool is_normal = exponent != 0;
        const std::int64_t power = (is_normal ? static_cast<std::int64_t>(exponent) : 1) - bias;
        value = std::ldexp(static_cast<double>(mantissa), static_cast<int>(power) - scale);
        if (is_normal && !is_stored) value += std::ldexp(1.0, static_cast<int>(power));
    }
    return std::copysign(value, is_negative ? -1.0 : 1.0);
}

/// The float of these fields that is `value`, in bits that were zero.
void set_float(const h5::FloatFields& fields, double value, std::byte* number) {
    constexpr unsigned kImplied = 2;
    const bool is_stored = fields.normalization != kImplied;
    const unsigned unread = unread_bits(fields);
    const int scale = static_cast<int>(fields.mantissa_bits - unread) - (is_stored ? 1 : 0);
    const std::uint64_t top = (std::uint64_t{1} << fields.exponent_bits) - 1;
    set_bits(number, fields.sign, 1, std::signbit(value) ? 1 : 0);
    if (!std::isfinite(value)) {
        set_bits(number, fields.exponent_at, fields.exponent_bits, top);
        if (std::isnan(value) && scale > 0)
            set_bits(number, fields.mantissa_at + unread + static_cast<unsigned>(scale) - 1, 1, 1);
        return;
    }
    if (value == 0) return;
    int power = 0;
    const double fraction = std::frexp(std::fabs(value), &power);  // 0.5 to 1
    std::int64_t exponent = std::int64_t{power} - 1 + static_cast<std::int64_t>(fields.bias);
    const bool is_normal = exponent > 0;
    if (!is_normal) exponent = 1;
    // As it was read: mantissa * 2^(exponent - bias - scale), and the implied bit of normal numbers.
    const std::int64_t unit = exponent - static_cast<std::int64_t>(fields.bias) - scale;
    double mantissa = std::ldexp(fraction, static_cast<int>(power - unit));
    if (is_normal && !is_stored) mantissa -= std::ldexp(1.0, scale);
    set_bits(number, fields.mantissa_at + unread, fields.mantissa_bits - unread, static_cast<std::uint64_t>(mantissa));
    if (is_normal)
        set_bits(number, fields.exponent_at, fields.exponent_bits,
                 std::min(static_cast<std::uint64_t>(exponent), top - 1));
}

/// The dtype of floats that only their order makes unusual.
std::optional<DType> reordered_dtype(const h5::Datatype& type) {
    if (type.cls != h5::TypeClass::kFloat || type.order != h5::ByteOrder::kVax) return std::nullopt;
    h5::Datatype little = type;
    little.order = h5::ByteOrder::kLittle;
    return h5::dtype_of(little);
}

/// Elements of one width computed from elements of another.
class ComputedBlob : public Blob {
public:
    ComputedBlob(BlobPtr elements, std::uint64_t from_bytes, std::uint64_t to_bytes)
        : elements_(std::move(elements)), from_bytes_(from_bytes), to_bytes_(to_bytes) {}

    std::uint64_t size_bytes() const noexcept override { return elements_->size_bytes() / from_bytes_ * to_bytes_; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes) {
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        }
        constexpr std::uint64_t kBlock = 65536;  // elements
        std::vector<std::byte> raw;
        std::vector<std::byte> computed;
        while (!out.empty()) {
            const std::uint64_t first = offset_bytes / to_bytes_;
            const std::uint64_t skip = offset_bytes % to_bytes_;
            const std::uint64_t count = std::min(kBlock, (skip + out.size() + to_bytes_ - 1) / to_bytes_);
            raw.resize(static_cast<std::size_t>(count * from_bytes_));
            computed.assign(static_cast<std::size_t>(count * to_bytes_), std::byte{0});
            elements_->read(first * from_bytes_, raw);
            for (std::uint64_t i = 0; i < count; ++i)
                compute(raw.data() + i * from_bytes_, computed.data() + i * to_bytes_);
            const auto size = std::min(out.size(), static_cast<std::size_t>(computed.size() - skip));
            std::memcpy(out.data(), computed.data() + skip, size);
            out = out.subspan(size);
            offset_bytes += size;
        }
    }

private:
    /// One element; `to` is zeros. What `from` holds afterwards does not matter.
    virtual void compute(std::byte* from, std::byte* to) const = 0;

    BlobPtr elements_;
    std::uint64_t from_bytes_;
    std::uint64_t to_bytes_;
};

class ConvertedBlob final : public ComputedBlob {
public:
    ConvertedBlob(const h5::Datatype& type, BlobPtr elements, DType dtype)
        : ComputedBlob(std::move(elements), type.size_bytes, dtype_width(dtype)),
          type_(type),
          dtype_(dtype),
          is_reordered_(reordered_dtype(type)) {}

private:
    void compute(std::byte* from, std::byte* to) const override {
        reorder(type_.order, from, type_.size_bytes);
        if (is_reordered_) {
            std::memcpy(to, from, type_.size_bytes);
        } else if (dtype_ == DType::kFloat64) {
            const double value = float_value(type_.fields, from);
            std::memcpy(to, &value, sizeof value);
        } else if (dtype_ == DType::kFloat32) {
            const auto value = static_cast<float>(float_value(type_.fields, from));
            std::memcpy(to, &value, sizeof value);
        } else {
            std::uint64_t bits = bits_of(from, type_.bit_offset, type_.precision_bits);
            const bool is_negative = type_.is_signed && (bits >> (type_.precision_bits - 1) & 1) != 0;
            if (is_negative && type_.precision_bits < 64) bits |= ~std::uint64_t{0} << type_.precision_bits;
            std::memcpy(to, &bits, dtype_width(dtype_));  // both little-endian
        }
    }

    h5::Datatype type_;
    DType dtype_;
    bool is_reordered_;
};

class UnconvertedBlob final : public ComputedBlob {
public:
    UnconvertedBlob(const h5::Datatype& type, BlobPtr numbers, DType dtype)
        : ComputedBlob(std::move(numbers), dtype_width(dtype), type.size_bytes),
          type_(type),
          dtype_(dtype),
          is_reordered_(reordered_dtype(type)) {}

private:
    void compute(std::byte* from, std::byte* to) const override {
        if (is_reordered_) {
            std::memcpy(to, from, type_.size_bytes);
        } else if (dtype_ == DType::kFloat64 || dtype_ == DType::kFloat32) {
            set_float(type_.fields, element_as_double(dtype_, from), to);
        } else {
            std::uint64_t bits = 0;
            std::memcpy(&bits, from, dtype_width(dtype_));
            set_bits(to, type_.bit_offset, type_.precision_bits, bits);
        }
        reorder(type_.order, to, type_.size_bytes);
    }

    h5::Datatype type_;
    DType dtype_;
    bool is_reordered_;
};

/// Floats of more bits than a double has: each as it was, unless its number is no longer what it was rounded to.
class ExactBlob final : public Blob {
public:
    ExactBlob(const h5::Datatype& type, BlobPtr exact, BlobPtr numbers)
        : type_bytes_(type.size_bytes),
          exact_(std::move(exact)),
          rounded_(converted_blob(type, exact_)),
          numbers_(std::move(numbers)),
          unconverted_(unconverted_blob(type, numbers_)) {}

    std::uint64_t size_bytes() const noexcept override { return exact_->size_bytes(); }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        constexpr std::uint64_t kBlock = 65536;  // elements
        constexpr std::uint64_t kNumber = sizeof(double);
        std::vector<std::byte> exact;
        std::vector<std::byte> rounded;
        std::vector<std::byte> numbers;
        std::vector<std::byte> changed;
        while (!out.empty()) {
            const std::uint64_t first = offset_bytes / type_bytes_;
            const std::uint64_t skip = offset_bytes % type_bytes_;
            const std::uint64_t count = std::min(kBlock, (skip + out.size() + type_bytes_ - 1) / type_bytes_);
            exact.resize(static_cast<std::size_t>(count * type_bytes_));
            rounded.resize(static_cast<std::size_t>(count * kNumber));
            numbers.resize(rounded.size());
            exact_->read(first * type_bytes_, exact);
            rounded_->read(first * kNumber, rounded);
            numbers_->read(first * kNumber, numbers);
            if (rounded != numbers) {
                changed.resize(exact.size());
                unconverted_->read(first * type_bytes_, changed);
                for (std::uint64_t i = 0; i < count; ++i) {
                    if (std::memcmp(&rounded[i * kNumber], &numbers[i * kNumber], kNumber) != 0)
                        std::memcpy(&exact[i * type_bytes_], &changed[i * type_bytes_], type_bytes_);
                }
            }
            const auto size = std::min(out.size(), static_cast<std::size_t>(exact.size() - skip));
            std::memcpy(out.data(), exact.data() + skip, size);
            out = out.subspan(size);
            offset_bytes += size;
        }
    }

private:
    std::uint64_t type_bytes_;
    BlobPtr exact_;
    BlobPtr rounded_;
    BlobPtr numbers_;
    BlobPtr unconverted_;
};

}  // namespace

std::optional<DType> converted_dtype(const h5::Datatype& type) {
    if (const auto dtype = reordered_dtype(type)) return dtype;
    if (type.cls == h5::TypeClass::kFloat) {
        const bool is_narrow = type.fields.exponent_bits < 8 && type.fields.mantissa_bits <= 23;
        const bool is_any = type.fields.exponent_bits >= 1 && type.fields.exponent_bits <= 30 &&
                            type.fields.mantissa_bits >= 1 && type.fields.mantissa_bits <= 128;
        return !is_any ? std::nullopt : std::optional(is_narrow ? DType::kFloat32 : DType::kFloat64);
    }
    const bool is_integer = type.cls == h5::TypeClass::kInteger || type.cls == h5::TypeClass::kBitField;
    if (!is_integer || type.precision_bits == 0 || type.precision_bits > 64) return std::nullopt;
    const bool is_signed = type.cls == h5::TypeClass::kInteger && type.is_signed;
    if (type.size_bytes <= 1) return is_signed ? DType::kInt8 : DType::kUInt8;
    if (type.size_bytes <= 2) return is_signed ? DType::kInt16 : DType::kUInt16;
    if (type.size_bytes <= 4) return is_signed ? DType::kInt32 : DType::kUInt32;
    return is_signed ? DType::kInt64 : DType::kUInt64;
}

bool converts_exactly(const h5::Datatype& type) {
    return type.cls != h5::TypeClass::kFloat || reordered_dtype(type) ||
           (type.fields.exponent_bits < 11 && type.fields.mantissa_bits <= 52);
}

BlobPtr converted_blob(const h5::Datatype& type, BlobPtr elements) {
    const auto dtype = converted_dtype(type);
    if (!dtype) throw_error(ErrorCode::kInternal, "elements of a type that is no number were to be converted");
    return std::make_shared<ConvertedBlob>(type, std::move(elements), *dtype);
}

BlobPtr unconverted_blob(const h5::Datatype& type, BlobPtr numbers) {
    const auto dtype = converted_dtype(type);
    if (!dtype) throw_error(ErrorCode::kInternal, "elements of a type that is no number were to be converted back");
    return std::make_shared<UnconvertedBlob>(type, std::move(numbers), *dtype);
}

BlobPtr exact_blob(const h5::Datatype& type, BlobPtr exact, BlobPtr numbers) {
    return std::make_shared<ExactBlob>(type, std::move(exact), std::move(numbers));
}

bool is_wide_integer(const h5::Datatype& type) {
    const bool is_integer = type.cls == h5::TypeClass::kInteger || type.cls == h5::TypeClass::kBitField;
    return is_integer && type.precision_bits > 64 &&
           std::uint64_t{type.bit_offset} + type.precision_bits <= std::uint64_t{type.size_bytes} * 8;
}

std::string wide_integer(const h5::Datatype& type, std::string_view element) {
    std::vector<std::byte> number(element.size());
    std::memcpy(number.data(), element.data(), element.size());
    reorder(type.order, number.data(), number.size());
    const bool is_signed = type.cls == h5::TypeClass::kInteger && type.is_signed;
    const auto bit_at = [&](unsigned i) { return bits_of(number.data(), type.bit_offset + i, 1) != 0; };
    const bool is_negative = is_signed && bit_at(type.precision_bits - 1u);
    std::string bytes(type.precision_bits / 8 + 1u, is_negative ? '\xff' : '\0');  // a sign bit behind the last one
    for (unsigned i = 0; i < type.precision_bits; ++i) {
        const auto bit = static_cast<unsigned char>(1u << (i % 8));
        auto byte = static_cast<unsigned char>(bytes[i / 8]);
        byte = static_cast<unsigned char>(bit_at(i) ? byte | bit : byte & ~bit);
        bytes[i / 8] = static_cast<char>(byte);
    }
    return bytes;
}

std::optional<std::string> wide_element(const h5::Datatype& type, const Value& value) {
    if (!value.is(Kind::kInt)) return std::nullopt;
    const std::string bytes = value.integer_bytes();
    const bool is_negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
    const auto bit_at = [&](std::size_t i) {
        return i / 8 < bytes.size() ? (static_cast<unsigned char>(bytes[i / 8]) >> (i % 8) & 1) != 0 : is_negative;
    };
    const bool is_signed = type.cls == h5::TypeClass::kInteger && type.is_signed;
    // All bits from the last one that is stored on must be the sign.
    for (std::size_t i = is_signed ? type.precision_bits - 1u : type.precision_bits; i < 8 * bytes.size(); ++i) {
        if (bit_at(i) != is_negative) return std::nullopt;
    }
    if (is_negative && !is_signed) return std::nullopt;
    std::vector<std::byte> number(type.size_bytes);
    for (unsigned i = 0; i < type.precision_bits; ++i)
        set_bits(number.data(), type.bit_offset + i, 1, bit_at(i) ? 1 : 0);
    reorder(type.order, number.data(), number.size());
    return std::string(reinterpret_cast<const char*>(number.data()), number.size());
}

}  // namespace ckpt::hdf5
