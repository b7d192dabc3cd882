// Elements of a tensor one by one, as text and as JSON.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// As few digits as tell it from other doubles; nan, inf, -inf.
std::string float_text(double value);
std::string complex_text(std::complex<double> value);

/// Reads elements of a tensor by their row-major number; forward is fast. Throws Error (kUnsupported) for a tensor
/// without elements of its own, or such whose elements share bytes.
class Elements {
public:
    explicit Elements(const TensorNode& tensor);
    std::uint64_t count() const { return blob_->size_bytes() / width_; }
    /// A float with the digits that tell it from others of its dtype.
    std::string text(std::uint64_t number);
    bool is_complex() const;
    /// A bool, an integer or a number; of complex elements the real part.
    Value scalar(std::uint64_t number);
    std::complex<double> complex(std::uint64_t number);

private:
    std::string integer(const std::byte* at) const;
    /// Bytes of an element, by way of a window that moves forward.
    const std::byte* element(std::uint64_t number);

    const TensorNode& tensor_;
    std::uint64_t width_;
    BlobPtr blob_;
    std::vector<std::byte> window_;
    std::uint64_t window_at_ = 0;
};

}  // namespace ckpt
