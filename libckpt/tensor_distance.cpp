// Bytes first, numbers where they differ; in segments, so that one large tensor takes all threads.
#include "libckpt/tensor_distance.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "libckpt/chunk_cache.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/file.hpp"
#include "libckpt/numbers.hpp"
#include "libckpt/parallel.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kSegmentBytes = std::uint64_t{4} << 20;
constexpr std::size_t kBlock = 8192;  // numbers that stay in the cache between the loops over them
constexpr std::size_t kLanes = 8;

bool is_float(DType dtype) {
    return dtype_info(dtype).cls == DTypeClass::kFloat;
}
bool is_wide_integer(DType dtype) {
    return dtype == DType::kInt64 || dtype == DType::kUInt64;
}

/// The place of a float of some width among all floats of its dtype, in their order.
std::int64_t ordered(const std::byte* bytes, unsigned width) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes, width);
    const std::uint64_t sign = std::uint64_t{1} << (8 * width - 1);
    const auto magnitude = static_cast<std::int64_t>(bits & (sign - 1));
    return (bits & sign) != 0 ? -magnitude : magnitude;
}

/// One side of a pair.
struct Side {
    explicit Side(const TensorNode& tensor)
        : blob(logical_blob(tensor)),
          dtype(number_dtype(tensor.dtype)),
          width(dtype_width(dtype)),
          numbers(blob->size_bytes() / width) {}
    BlobPtr blob;
    DType dtype;
    unsigned width;
    std::uint64_t numbers;
};

/// What is known of a stretch of a pair.
struct Sums {
    std::uint64_t differing = 0;
    std::uint64_t unlike = 0;
    std::uint64_t finite = 0;
    std::uint64_t ulp = 0;
    double greatest = 0;
    double total = 0;
    double aa = 0, bb = 0, ab = 0;
    void add(const Sums& other) {
        differing += other.differing;
        unlike += other.unlike;
        finite += other.finite;
        ulp = std::max(ulp, other.ulp);
        greatest = std::max(greatest, other.greatest);
        total += other.total;
        aa += other.aa;
        bb += other.bb;
        ab += other.ab;
    }
};

/// Sums over lanes: the compiler may not reorder a sum by itself.
struct Lanes {
    std::array<double, kLanes> total{}, aa{}, bb{}, ab{}, greatest{};
    void add(const double* a, const double* b, const double* apart, std::size_t count) {
        std::size_t i = 0;
        for (; i + kLanes <= count; i += kLanes) {
            for (std::size_t lane = 0; lane < kLanes; ++lane) step(lane, a[i + lane], b[i + lane], apart[i + lane]);
        }
        for (; i < count; ++i) step(0, a[i], b[i], apart[i]);
    }
    void add_to(Sums& sums) const {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            sums.total += total[lane];
            sums.aa += aa[lane];
            sums.bb += bb[lane];
            sums.ab += ab[lane];
            sums.greatest = std::max(sums.greatest, greatest[lane]);
        }
    }

private:
    void step(std::size_t lane, double x, double y, double distance) {
        total[lane] += distance;
        aa[lane] += x * x;
        bb[lane] += y * y;
        ab[lane] += x * y;
        greatest[lane] = greatest[lane] < distance ? distance : greatest[lane];
    }
};

class Comparison {
public:
    Comparison(const TensorPair& pair, const Tolerance& tolerance)
        : tensors_(pair), a_(*pair.a), b_(*pair.b), tolerance_(tolerance) {
        if (a_.numbers != b_.numbers) throw_error(ErrorCode::kInternal, "tensors of different sizes are compared");
        std::uint64_t segment = kSegmentBytes / std::max(a_.width, b_.width);
        for (const Side* side : {&a_, &b_}) {
            const std::uint64_t best = side->blob->best_read_bytes() / side->width;
            if (best != 0) segment = best >= segment ? best : segment / best * best;
        }
        segment_ = segment;
        coarse_ = significant_bits(a_.dtype) <= significant_bits(b_.dtype) ? a_.dtype : b_.dtype;
    }

    std::size_t segments() const { return static_cast<std::size_t>((a_.numbers + segment_ - 1) / segment_); }
    std::uint64_t numbers() const { return a_.numbers; }

    /// By what is known before anything is decoded.
    void recognise(const Context& context) {
        if (a_.numbers == 0 || tensors_.a == tensors_.b || is_one_place()) {
            is_same_ = true;
            return;
        }
        if (!is_one_view()) return;
        const auto left = tensors_.a->storage->blob->known_digest();
        const auto right = tensors_.b->storage->blob->known_digest();
        if (left && right) {
            is_same_ = *left == *right;
            differs_ = !is_same_;
        } else if (left || right) {
            // To read and hash the one takes less than to decode the other as well.
            const Blob& other = *(left ? tensors_.b : tensors_.a)->storage->blob;
            is_same_ = hash(other, context) == (left ? *left : *right);
            differs_ = !is_same_;
        }
    }
    bool is_settled() const { return is_same_ || differs_; }
    bool differs() const { return differs_; }

    void compare_bytes(std::size_t segment) {
        if (differs_) return;
        if (a_.dtype != b_.dtype) {
            differs_ = true;
            return;
        }
        const auto left = read(a_, segment);
        const auto right = read(b_, segment);
        if (std::memcmp(left.data(), right.data(), left.size()) != 0) differs_ = true;
    }

    Sums compare_numbers(std::size_t segment) const {
        const auto left = read(a_, segment);
        const auto right = read(b_, segment);
        Sums sums;
        Lanes lanes;
        const std::size_t count = left.size() / a_.width;
        for (std::size_t at = 0; at < count; at += kBlock) {
            const std::size_t size = std::min(kBlock, count - at);
            compare_block(left.data() + at * a_.width, right.data() + at * b_.width, size, sums, lanes);
        }
        lanes.add_to(sums);
        return sums;
    }

    TensorDistance result(const Sums& sums) const {
        TensorDistance distance;
        distance.numbers = a_.numbers;
        distance.differing = sums.differing;
        distance.unlike = sums.unlike;
        distance.greatest = sums.greatest;
        distance.mean = sums.finite == 0 ? 0 : sums.total / static_cast<double>(sums.finite);
        const double norms = std::sqrt(sums.aa) * std::sqrt(sums.bb);
        if (norms > 0 && std::isfinite(norms)) distance.cosine = std::clamp(sums.ab / norms, -1.0, 1.0);
        if (has_ulp()) distance.ulp = sums.ulp;
        return distance;
    }

private:
    using Bytes = Buffer;

    /// Equal strides and offsets in storages of one size: equal storages are equal tensors.
    bool is_one_view() const {
        const TensorNode& a = *tensors_.a;
        const TensorNode& b = *tensors_.b;
        return a.dtype == b.dtype && a.stride == b.stride && a.offset == b.offset && a.conj == b.conj &&
               a.neg == b.neg && a.storage->blob->size_bytes() == b.storage->blob->size_bytes() &&
               a_.blob->size_bytes() == a.storage->blob->size_bytes();
    }
    bool is_one_place() const {
        if (a_.dtype != b_.dtype) return false;
        if (a_.blob == b_.blob) return true;
        const auto left = a_.blob->file_range();
        const auto right = b_.blob->file_range();
        if (!left || !right || left->offset_bytes != right->offset_bytes || left->size_bytes != right->size_bytes)
            return false;
        struct stat one = {}, other = {};
        return ::fstat(left->file->descriptor(), &one) == 0 && ::fstat(right->file->descriptor(), &other) == 0 &&
               one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    }
    static Digest128 hash(const Blob& blob, const Context& context) {
        Xxh3Stream xxh3;
        const std::uint64_t best = blob.best_read_bytes();
        const std::uint64_t step = best != 0 ? best : kSegmentBytes;
        Buffer buffer(static_cast<std::size_t>(std::min(step, blob.size_bytes())));
        for (std::uint64_t at = 0; at < blob.size_bytes(); at += step) {
            context.check_cancelled();
            const auto piece =
                buffer.span().first(static_cast<std::size_t>(std::min<std::uint64_t>(step, blob.size_bytes() - at)));
            blob.read(at, piece);
            xxh3.update(piece);
        }
        return xxh3.digest();
    }

    Bytes read(const Side& side, std::size_t segment) const {
        const std::uint64_t first = segment * segment_;
        const std::uint64_t count = std::min(segment_, side.numbers - first);
        Bytes bytes(static_cast<std::size_t>(count * side.width));
        side.blob->read(first * side.width, bytes.span());
        return bytes;
    }
    bool has_ulp() const { return is_float(a_.dtype) && is_float(b_.dtype); }

    /// How many floats apart, in the coarser dtype.
    std::uint64_t ulps(const std::byte* left, const std::byte* right, double a, double b) const {
        std::array<std::byte, 8> one{}, other{};
        const unsigned width = dtype_width(coarse_);
        if (a_.dtype == b_.dtype) {
            std::memcpy(one.data(), left, width);
            std::memcpy(other.data(), right, width);
        } else {
            encode_numbers(coarse_, std::span(&a, 1), one.data(), Rounding::kOnce);
            encode_numbers(coarse_, std::span(&b, 1), other.data(), Rounding::kOnce);
        }
        const std::int64_t x = ordered(one.data(), width);
        const std::int64_t y = ordered(other.data(), width);
        return x > y ? static_cast<std::uint64_t>(x) - static_cast<std::uint64_t>(y)
                     : static_cast<std::uint64_t>(y) - static_cast<std::uint64_t>(x);
    }

    /// What two integers of 64 bits are apart, which as doubles they may not be.
    double integer_distance(const std::byte* left, const std::byte* right) const {
        const auto load = [](DType dtype, const std::byte* bytes) -> long double {
            if (dtype == DType::kUInt64) {
                std::uint64_t value;
                std::memcpy(&value, bytes, sizeof value);
                return static_cast<long double>(value);
            }
            std::int64_t value;
            std::memcpy(&value, bytes, sizeof value);
            return static_cast<long double>(value);
        };
        return static_cast<double>(std::fabs(load(a_.dtype, left) - load(b_.dtype, right)));
    }

    void compare_block(const std::byte* left, const std::byte* right, std::size_t count, Sums& sums,
                       Lanes& lanes) const {
        std::array<double, kBlock> a, b, apart;
        decode_numbers(a_.dtype, left, std::span(a.data(), count));
        decode_numbers(b_.dtype, right, std::span(b.data(), count));
        const bool is_wide = is_wide_integer(a_.dtype) && is_wide_integer(b_.dtype);
        std::size_t odd = 0;
        for (std::size_t i = 0; i < count; ++i) apart[i] = std::fabs(a[i] - b[i]);
        // Infinite or NaN exactly where one side is, but for overflow between huge doubles.
        for (std::size_t i = 0; i < count; ++i) odd += apart[i] <= std::numeric_limits<double>::max() ? 0 : 1;
        if (is_wide) {
            for (std::size_t i = 0; i < count; ++i) apart[i] = integer_distance(left + 8 * i, right + 8 * i);
        }
        if (odd != 0) set_aside(a, b, apart, count, sums);
        sums.finite += count;
        const bool wants_ulp = has_ulp();
        const double relative = tolerance_.relative, absolute = tolerance_.absolute;
        for (std::size_t i = 0; i < count; ++i) {
            if (apart[i] == 0) continue;
            std::uint64_t steps = 0;
            if (wants_ulp) {
                steps = ulps(left + i * a_.width, right + i * b_.width, a[i], b[i]);
                sums.ulp = std::max(sums.ulp, steps);
            }
            const bool passes = apart[i] <= absolute + relative * std::fabs(b[i]) ||
                                (wants_ulp && tolerance_.ulp && steps <= *tolerance_.ulp);
            if (!passes) ++sums.differing;
        }
        lanes.add(a.data(), b.data(), apart.data(), count);
    }

    /// Takes what is not finite out of a block: it is judged here and counts as 0 from then on.
    static void set_aside(std::array<double, kBlock>& a, std::array<double, kBlock>& b,
                          std::array<double, kBlock>& apart, std::size_t count, Sums& sums) {
        for (std::size_t i = 0; i < count; ++i) {
            if (std::isfinite(a[i]) && std::isfinite(b[i])) continue;
            const bool is_like = (std::isnan(a[i]) && std::isnan(b[i])) || a[i] == b[i];
            sums.unlike += is_like ? 0 : 1;
            sums.differing += is_like ? 0 : 1;
            --sums.finite;
            a[i] = b[i] = apart[i] = 0;
        }
    }

    TensorPair tensors_;
    Side a_, b_;
    const Tolerance& tolerance_;
    std::uint64_t segment_ = 1;
    DType coarse_ = DType::kFloat64;
    std::atomic<bool> is_same_{false};
    std::atomic<bool> differs_{false};
};

struct Job {
    std::size_t pair, segment;
};

}  // namespace

bool Tolerance::passes(double a, double b) const noexcept {
    if (a == b || (std::isnan(a) && std::isnan(b))) return true;
    if (!std::isfinite(a) || !std::isfinite(b)) return false;
    if (std::fabs(a - b) <= absolute + relative * std::fabs(b)) return true;
    if (!ulp) return false;
    const std::int64_t x = ordered(reinterpret_cast<const std::byte*>(&a), sizeof a);
    const std::int64_t y = ordered(reinterpret_cast<const std::byte*>(&b), sizeof b);
    const auto apart = static_cast<std::uint64_t>(x) - static_cast<std::uint64_t>(y);
    return (x > y ? apart : 0 - apart) <= *ulp;
}

std::vector<std::optional<TensorDistance>> tensor_distances(const std::vector<TensorPair>& pairs,
                                                            const Tolerance& tolerance, const Context& context) {
    std::vector<std::unique_ptr<Comparison>> comparisons;
    for (const TensorPair& pair : pairs) comparisons.push_back(std::make_unique<Comparison>(pair, tolerance));
    for_each_parallel(pairs.size(), context, [&](std::size_t i) { comparisons[i]->recognise(context); });
    std::vector<Job> jobs;
    const auto make_jobs = [&](const auto& wanted) {
        jobs.clear();
        for (std::size_t pair = 0; pair < pairs.size(); ++pair) {
            for (std::size_t i = 0; wanted(*comparisons[pair]) && i < comparisons[pair]->segments(); ++i)
                jobs.push_back({pair, i});
        }
    };
    make_jobs([](const Comparison& comparison) { return !comparison.is_settled(); });
    for_each_parallel(jobs.size(), context, [&](std::size_t i) {
        context.check_cancelled();
        comparisons[jobs[i].pair]->compare_bytes(jobs[i].segment);
    });
    make_jobs([](const Comparison& comparison) { return comparison.differs(); });
    // Put together in order: the numbers are the same on any number of threads.
    std::vector<Sums> parts(jobs.size());
    for_each_parallel(jobs.size(), context, [&](std::size_t i) {
        context.check_cancelled();
        parts[i] = comparisons[jobs[i].pair]->compare_numbers(jobs[i].segment);
    });
    std::vector<Sums> sums(pairs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) sums[jobs[i].pair].add(parts[i]);
    std::vector<std::optional<TensorDistance>> distances(pairs.size());
    for (std::size_t pair = 0; pair < pairs.size(); ++pair) {
        if (comparisons[pair]->differs()) distances[pair] = comparisons[pair]->result(sums[pair]);
    }
    return distances;
}

}  // namespace ckpt
