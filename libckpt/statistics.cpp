// Blocks of elements as doubles, and the moments of the blocks put together.
#include "libckpt/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "libckpt/dtype.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/numbers.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kBlockElements = std::size_t{1} << 16;

/// The least positive normal number; 0 for what is no float.
double least_normal(DType dtype) {
    switch (dtype) {
        case DType::kFloat64:
        case DType::kComplex128:
            return std::numeric_limits<double>::min();
        case DType::kFloat32:
        case DType::kComplex64:
        case DType::kBFloat16:
        case DType::kBComplex32:
            return static_cast<double>(std::numeric_limits<float>::min());
        case DType::kFloat16:
        case DType::kComplex32:
        case DType::kFloat8E5M2:
            return std::ldexp(1.0, -14);
        case DType::kFloat8E5M2FNUZ:
            return std::ldexp(1.0, -15);
        case DType::kFloat8E4M3FN:
            return std::ldexp(1.0, -6);
        case DType::kFloat8E4M3FNUZ:
            return std::ldexp(1.0, -7);
        default:
            return 0;
    }
}

/// Mean, sum of squared differences from it, and scaled sum of squares of what was met.
class Moments {
public:
    void add_block(std::span<const double> finite) {
        if (finite.empty()) return;
        double sum = 0;
        double largest = 0;
        for (const double x : finite) {
            sum += x;
            largest = std::max(largest, std::abs(x));
        }
        const auto n = static_cast<double>(finite.size());
        // A sum that overflows: the mean is taken of halves.
        double mean = sum / n;
        if (!std::isfinite(sum)) {
            mean = 0;
            for (const double x : finite) mean += x / n;
        }
        double squares = 0;
        for (const double x : finite) squares += (x - mean) * (x - mean);
        const double total = count_ + n;
        const double delta = mean - mean_;
        squares_ += squares + delta * delta * (count_ * n / total);
        mean_ += delta * (n / total);
        count_ = total;
        add_norm(finite, largest);
    }
    double count() const { return count_; }
    double mean() const { return mean_; }
    double deviation() const { return std::sqrt(squares_ / count_); }
    double norm() const { return scale_ * std::sqrt(scaled_squares_); }

private:
    void add_norm(std::span<const double> finite, double largest) {
        if (largest == 0) return;
        if (largest > scale_) {
            scaled_squares_ *= scale_ / largest * (scale_ / largest);
            scale_ = largest;
        }
        double sum = 0;
        for (const double x : finite) sum += x / scale_ * (x / scale_);
        scaled_squares_ += sum;
    }

    double count_ = 0;
    double mean_ = 0;
    double squares_ = 0;
    double scale_ = 0;
    double scaled_squares_ = 0;
};

}  // namespace

TensorStatistics statistics_of(const TensorNode& tensor, const Context& context) {
    TensorStatistics result;
    const BlobPtr elements = logical_blob(tensor);
    const DType dtype = number_dtype(tensor.dtype);
    const std::size_t width = dtype_width(dtype);
    const std::uint64_t parts = numbers_per_element(tensor.dtype);
    const double normal = least_normal(dtype);
    result.elements = elements->size_bytes() / width;
    std::vector<std::byte> bytes(std::min<std::uint64_t>(result.elements, kBlockElements) * width);
    std::vector<double> values(std::min<std::uint64_t>(result.elements, kBlockElements));
    Moments moments;
    double least = std::numeric_limits<double>::infinity();
    double greatest = -least;
    for (std::uint64_t at = 0; at < result.elements;) {
        context.check_cancelled();
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockElements, result.elements - at));
        elements->read(at * width, std::span(bytes.data(), count * width));
        decode_numbers(dtype, bytes.data(), std::span(values.data(), count));
        at += count;
        std::size_t finite = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double x = values[i];
            if (!std::isfinite(x)) {
                ++(std::isnan(x) ? result.nan : result.infinite);
                continue;
            }
            result.zeros += x == 0 ? 1 : 0;
            result.denormals += x != 0 && std::abs(x) < normal ? 1 : 0;
            least = std::min(least, x);
            greatest = std::max(greatest, x);
            values[finite++] = x;
        }
        moments.add_block(std::span<const double>(values.data(), finite));
    }
    result.elements /= parts;
    if (moments.count() > 0) {
        result.least = least;
        result.greatest = greatest;
        result.mean = moments.mean();
        result.deviation = moments.deviation();
        result.norm = moments.norm();
    }
    return result;
}

TensorHistogram histogram_of(const TensorNode& tensor, std::size_t bars, const Context& context) {
    TensorHistogram result;
    const TensorStatistics range = statistics_of(tensor, context);
    if (!range.least) return result;
    const double least = *range.least;
    // Halves, so that the width of all doubles does not overflow.
    const double half = *range.greatest / 2 - least / 2;
    const std::size_t count = half > 0 ? std::max<std::size_t>(bars, 1) : 1;
    for (std::size_t i = 0; i <= count; ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(count);
        result.edges.push_back(i == count ? *range.greatest : least + half * share + half * share);
    }
    result.counts.resize(count);
    const BlobPtr elements = logical_blob(tensor);
    const DType dtype = number_dtype(tensor.dtype);
    const std::size_t width = dtype_width(dtype);
    const std::uint64_t total = elements->size_bytes() / width;
    std::vector<std::byte> bytes(std::min<std::uint64_t>(total, kBlockElements) * width);
    std::vector<double> values(std::min<std::uint64_t>(total, kBlockElements));
    for (std::uint64_t at = 0; at < total;) {
        context.check_cancelled();
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockElements, total - at));
        elements->read(at * width, std::span(bytes.data(), size * width));
        decode_numbers(dtype, bytes.data(), std::span(values.data(), size));
        at += size;
        for (std::size_t i = 0; i < size; ++i) {
            if (!std::isfinite(values[i])) continue;
            const double place = half > 0 ? (values[i] / 2 - least / 2) / half * static_cast<double>(count) : 0;
            ++result.counts[std::min(static_cast<std::size_t>(place), count - 1)];
        }
    }
    return result;
}

}  // namespace ckpt
