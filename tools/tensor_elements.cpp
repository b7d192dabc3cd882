// A window over the logical elements.
#include "tools/tensor_elements.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

std::string narrow_text(float value) {
    if (!std::isfinite(value)) return ckpt::float_text(static_cast<double>(value));
    return fmt::format("{}", value);
}
}  // namespace

std::string float_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    return fmt::format("{}", value);
}

std::string complex_text(std::complex<double> value) {
    const std::string imaginary = float_text(value.imag());
    return float_text(value.real()) + (imaginary[0] == '-' ? "" : "+") + imaginary + "j";
}

Elements::Elements(const TensorNode& tensor) : tensor_(tensor), width_(dtype_width(tensor.dtype)) {
    if (!tensor.storage || !tensor.layout.empty())
        throw_error(ErrorCode::kUnsupported, "the tensor has no elements of its own to print ({})",
                    tensor.layout.empty() ? "no data" : tensor.layout);
    if (width_ == 0)
        throw_error(ErrorCode::kUnsupported, "elements of {} share bytes; they are not printed",
                    dtype_name(tensor.dtype));
    tensor.check_bounds("the tensor");
    blob_ = logical_blob(tensor);
}
std::string Elements::text(std::uint64_t number) {
    const std::byte* at = element(number);
    switch (dtype_info(tensor_.dtype).cls) {
        case DTypeClass::kBool:
            return *at != std::byte{0} ? "true" : "false";
        case DTypeClass::kFloat:
            // A float32 is written with the digits that tell it from other float32s.
            if (tensor_.dtype == DType::kFloat64) return float_text(element_as_double(tensor_.dtype, at));
            return narrow_text(static_cast<float>(element_as_double(tensor_.dtype, at)));
        case DTypeClass::kComplex:
            return complex_text(element_as_complex(tensor_.dtype, at));
        default:
            return integer(at);
    }
}
bool Elements::is_complex() const {
    return dtype_info(tensor_.dtype).cls == DTypeClass::kComplex;
}

Value Elements::scalar(std::uint64_t number) {
    const std::byte* at = element(number);
    switch (dtype_info(tensor_.dtype).cls) {
        case DTypeClass::kBool:
            return Value::boolean(*at != std::byte{0});
        case DTypeClass::kFloat:
        case DTypeClass::kComplex:
            return Value::real(element_as_double(tensor_.dtype, at));
        default:
            break;
    }
    const std::string digits = integer(at);
    if (digits.starts_with('-')) return Value::integer(std::stoll(digits));
    return Value::unsigned_integer(std::stoull(digits));
}

std::complex<double> Elements::complex(std::uint64_t number) {
    return element_as_complex(tensor_.dtype, element(number));
}

std::string Elements::integer(const std::byte* at) const {
    std::uint64_t bits = 0;
    const bool is_signed = dtype_info(tensor_.dtype).cls == DTypeClass::kSigned || tensor_.dtype == DType::kQInt8 ||
                           tensor_.dtype == DType::kQInt32;
    if (is_signed && (std::to_integer<unsigned>(at[width_ - 1]) & 0x80u) != 0) bits = ~std::uint64_t{0};
    std::copy_n(at, std::min<std::size_t>(width_, sizeof bits), reinterpret_cast<std::byte*>(&bits));
    return is_signed ? std::to_string(static_cast<std::int64_t>(bits)) : std::to_string(bits);
}
const std::byte* Elements::element(std::uint64_t number) {
    constexpr std::uint64_t kWindowBytes = 65536;
    const std::uint64_t at = number * width_;
    if (at < window_at_ || at + width_ > window_at_ + window_.size()) {
        window_at_ = at;
        window_.resize(static_cast<std::size_t>(std::min(kWindowBytes / width_ * width_, blob_->size_bytes() - at)));
        blob_->read(at, window_);
    }
    return window_.data() + (at - window_at_);
}

}  // namespace ckpt
