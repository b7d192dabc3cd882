// Sums over blocks that fit the cache; passes of their own for what depends on whole tensors.
#include "libckpt/combine_blob.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <type_traits>
#include <utility>

#include "libckpt/chunk_cache.hpp"
#include "libckpt/error.hpp"
#include "libckpt/numbers.hpp"
#include "libckpt/once_counter.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::uint64_t kPiece = 32768;  // numbers
constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 20;
constexpr double kNearlyParallel = 0.9995;  // as mergekit has it: beyond, the arc is a line
constexpr double kNoLength = 1e-8;

/// Uniform in [0, 1), the same on every machine: splitmix64's last steps.
double uniform(std::uint64_t number) {
    number += 0x9e3779b97f4a7c15u;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((number ^ (number >> 31)) >> 11) * 0x1p-53;
}

/// The order of magnitudes is that of their bits.
std::uint64_t magnitude_of(double value) {
    return std::bit_cast<std::uint64_t>(std::fabs(value));
}

/// Which numbers of a difference are kept: those above a magnitude, and of those that have it the first ones.
struct Threshold {
    std::uint64_t magnitude = 0;
    std::uint64_t end = std::numeric_limits<std::uint64_t>::max();
    bool keeps(double value, std::uint64_t index) const {
        const std::uint64_t bits = magnitude_of(value);
        return bits > magnitude || (bits == magnitude && index < end);
    }
};

class CombinedBlob final : public Blob {
public:
    CombinedBlob(std::vector<BlobPtr> inputs, BlobPtr base, DType from, DType to,
                 std::shared_ptr<const Formula> formula, const std::string& name,
                 std::shared_ptr<std::atomic<std::uint64_t>> too_large)
        : inputs_(std::move(inputs)),
          base_(std::move(base)),
          from_(from),
          to_(to),
          from_width_(dtype_width(from)),
          to_width_(dtype_width(to)),
          formula_(std::move(formula)),
          count_(inputs_.front()->size_bytes() / from_width_),
          name_hash_(xxh3_64(std::as_bytes(std::span(name.data(), name.size())))),
          overflow_(std::move(too_large)) {
        for (const BlobPtr& input : inputs_) best_ = std::max(best_, input->best_read_bytes() / from_width_);
        limit_ = overflow_from(to_);
    }

    std::uint64_t size_bytes() const noexcept override { return count_ * to_width_; }
    std::uint64_t best_read_bytes() const noexcept override {
        return best_ * to_width_ <= (std::uint64_t{32} << 20) ? best_ * to_width_ : 0;
    }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes)
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        if (out.empty()) return;
        std::call_once(prepared_, [this] { prepare(); });
        const std::uint64_t first = offset_bytes / to_width_;
        const std::uint64_t end = (offset_bytes + out.size() + to_width_ - 1) / to_width_;
        if (first * to_width_ == offset_bytes && out.size() % to_width_ == 0) {
            compute(first, end - first, out.data());
            return;
        }
        Buffer whole(static_cast<std::size_t>((end - first) * to_width_));  // the range cuts numbers
        compute(first, end - first, whole.data());
        std::memcpy(out.data(), whole.data() + (offset_bytes - first * to_width_), out.size());
    }

private:
    void compute(std::uint64_t first, std::uint64_t count, std::byte* out) const {
        formula_->is_fast ? compute_by<float>(first, count, out) : compute_by<double>(first, count, out);
    }

    template <typename T>
    void compute_by(std::uint64_t first, std::uint64_t count, std::byte* out) const {
        const std::uint64_t piece = piece_size();
        const auto most = static_cast<std::size_t>(std::min(piece, count));
        Buffer sums(most * sizeof(T));
        T* const numbers = reinterpret_cast<T*>(sums.data());
        const bool needs_all = formula_->kind == Formula::Kind::kTask;
        Buffer raw(most * from_width_ * (needs_all ? inputs_.size() + 1 : 1));
        while (count > 0) {
            const auto size = static_cast<std::size_t>(std::min(piece, count));
            if (needs_all) {
                add_tasks<T>(first, size, raw, numbers);
            } else {
                add_weighted<T>(first, size, raw, numbers);
            }
            encode(first, std::span<T>(numbers, size), out);
            out += size * to_width_;
            first += size;
            count -= size;
        }
    }

    /// How many numbers at once: whole chunks where the inputs have such, and bounded memory for any number of inputs.
    std::uint64_t piece_size() const {
        const std::uint64_t buffers = formula_->kind == Formula::Kind::kTask ? inputs_.size() + 1 : 1;
        const std::uint64_t most = std::max<std::uint64_t>(kMostBytes / (buffers * from_width_), kBlock);
        return best_ != 0 && best_ <= most ? best_ : std::min(kPiece, most);
    }

    const std::byte* read_numbers(const Blob& blob, std::uint64_t first, std::size_t count, std::byte* to) const {
        blob.read(first * from_width_, {to, count * from_width_});
        return to;
    }

    /// Calls `use` with the numbers of a piece in blocks: where each begins, and how many it has.
    template <typename T, typename Use>
    void for_blocks(const std::byte* bytes, std::size_t count, const Use& use) const {
        std::array<T, kBlock> block;
        for (std::size_t at = 0; at < count; at += kBlock) {
            const std::size_t size = std::min(kBlock, count - at);
            decode_numbers(from_, bytes + at * from_width_, std::span<T>(block).first(size));
            use(at, size, block.data());
        }
    }

    // Means, and slerp once its two coefficients are known.
    template <typename T>
    void add_weighted(std::uint64_t first, std::size_t size, Buffer& raw, T* numbers) const {
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            const std::byte* bytes = read_numbers(*inputs_[i], first, size, raw.data());
            const auto weight = static_cast<T>(coefficients_[i]);
            if (from_ == DType::kFloat32) {
                add_floats(bytes, size, weight, i == 0, numbers);
                continue;
            }
            for_blocks<T>(bytes, size, [&](std::size_t at, std::size_t count, const T* block) {
                T* const sum = numbers + at;
                if (i == 0) {
                    for (std::size_t k = 0; k < count; ++k) sum[k] = weight * block[k];
                } else {
                    for (std::size_t k = 0; k < count; ++k) sum[k] += weight * block[k];
                }
            });
        }
        if (divisor_ == 1) return;
        const auto divisor = static_cast<T>(divisor_);
        for (std::size_t k = 0; k < size; ++k) numbers[k] /= divisor;
    }

    /// The usual case, without a block between.
    template <typename T>
    static void add_floats(const std::byte* bytes, std::size_t size, T weight, bool is_first, T* numbers) {
        const float* const floats = reinterpret_cast<const float*>(bytes);
        if (is_first && weight == 1) {
            for (std::size_t k = 0; k < size; ++k) numbers[k] = static_cast<T>(floats[k]);
        } else if (is_first) {
            for (std::size_t k = 0; k < size; ++k) numbers[k] = weight * static_cast<T>(floats[k]);
        } else if (weight == 1) {
            for (std::size_t k = 0; k < size; ++k) numbers[k] += static_cast<T>(floats[k]);
        } else {
            for (std::size_t k = 0; k < size; ++k) numbers[k] += weight * static_cast<T>(floats[k]);
        }
    }

    // Differences from the base.
    template <typename T>
    void add_tasks(std::uint64_t first, std::size_t size, Buffer& raw, T* numbers) const {
        const std::size_t stride = size * from_width_;
        const std::byte* base = read_numbers(*base_, first, size, raw.data());
        for (std::size_t i = 0; i < inputs_.size(); ++i)
            read_numbers(*inputs_[i], first, size, raw.data() + (i + 1) * stride);
        std::vector<T> deltas(inputs_.size() * kBlock);
        for_blocks<T>(base, size, [&](std::size_t at, std::size_t count, const T* from) {
            for (std::size_t i = 0; i < inputs_.size(); ++i) {
                T* const delta = deltas.data() + i * kBlock;
                decode_numbers(from_, raw.data() + (i + 1) * stride + at * from_width_, std::span<T>(delta, count));
                for (std::size_t k = 0; k < count; ++k) delta[k] -= from[k];
                keep_some(i, first + at, count, delta);
                const auto weight = static_cast<T>(formula_->weights[i]);
                for (std::size_t k = 0; k < count; ++k) delta[k] *= weight;
            }
            mix(from, deltas.data(), count, numbers + at);
        });
    }

    template <typename T>
    void keep_some(std::size_t input, std::uint64_t first, std::size_t count, T* delta) const {
        if (formula_->density >= 1 || formula_->keep == Formula::Keep::kAll) return;
        if (formula_->keep == Formula::Keep::kLargest) {
            for (std::size_t k = 0; k < count; ++k) {
                if (!thresholds_[input].keeps(static_cast<double>(delta[k]), first + k)) delta[k] = 0;
            }
            return;
        }
        const std::uint64_t stream =
            formula_->seed * 0xd1342543de82ef95u ^ name_hash_ ^ (input + 1) * 0xaef17502108ef2d9u;
        const auto density = static_cast<T>(formula_->density);
        for (std::size_t k = 0; k < count; ++k) {
            const bool is_kept = uniform(stream + (first + k) * 0x9e3779b97f4a7c15u) < formula_->density;
            delta[k] = is_kept ? delta[k] / density : T{0};
        }
    }

    template <typename T>
    void mix(const T* base, const T* deltas, std::size_t count, T* numbers) const {
        const auto scale = static_cast<T>(formula_->scale);
        const std::size_t inputs = inputs_.size();
        for (std::size_t k = 0; k < count; ++k) {
            T sum = 0;
            for (std::size_t i = 0; i < inputs; ++i) sum += deltas[i * kBlock + k];
            T mixed = sum;
            if (formula_->elects_sign) {
                T divisor = 0;
                mixed = 0;
                for (std::size_t i = 0; i < inputs; ++i) {
                    const T delta = deltas[i * kBlock + k];
                    if (sum >= 0 ? delta > 0 : delta < 0) {
                        mixed += delta;
                        divisor += static_cast<T>(formula_->weights[i]);
                    }
                }
                if (formula_->normalizes && divisor != 0) mixed /= divisor;
            }
            // NaN in any input must not vanish in a comparison.
            if (sum != sum) mixed = sum;
            numbers[k] = base[k] + (scale == 1 ? mixed : mixed * scale);
        }
    }

    template <typename T>
    void encode(std::uint64_t first, std::span<T> numbers, std::byte* out) const {
        const auto cls = dtype_info(to_).cls;
        if (cls == DTypeClass::kSigned || cls == DTypeClass::kUnsigned) {
            for (T& number : numbers) number = std::nearbyint(number);
        }
        if constexpr (std::is_same_v<T, double>) {
            encode_numbers(to_, numbers, out, Rounding::kOnce);
        } else {
            encode_numbers(to_, numbers, out);
        }
        if (!std::isfinite(limit_)) return;
        const auto is_beyond = [&](std::size_t i) {
            const auto magnitude = static_cast<double>(std::fabs(numbers[i]));
            return magnitude >= limit_ && std::isfinite(magnitude);
        };
        T greatest = 0;
        for (const T number : numbers) greatest = std::max(greatest, std::fabs(number));
        if (static_cast<double>(greatest) >= limit_) overflow_.add(first, numbers.size(), is_beyond);
    }

    // What follows from whole tensors.
    void prepare() const {
        if (formula_->kind == Formula::Kind::kMean) {
            coefficients_ = formula_->weights;
            divisor_ = 0;
            for (const double weight : coefficients_) divisor_ += weight;
            if (std::fabs(divisor_ - 1) < 1e-12) divisor_ = 1;
        } else if (formula_->kind == Formula::Kind::kSlerp) {
            find_arc();
        } else if (formula_->keep == Formula::Keep::kLargest && formula_->density < 1) {
            for (std::size_t i = 0; i < inputs_.size(); ++i) thresholds_.push_back(find_threshold(*inputs_[i]));
        }
    }

    /// Blocks of two blobs side by side.
    template <typename Use>
    void walk_pair(const Blob& left, const Blob& right, const Use& use) const {
        const std::uint64_t piece = best_ != 0 && best_ * from_width_ <= kMostBytes ? best_ : kPiece;
        Buffer a(static_cast<std::size_t>(piece * from_width_)), b(a.size());
        std::array<double, kBlock> other;
        for (std::uint64_t first = 0; first < count_; first += piece) {
            const auto size = static_cast<std::size_t>(std::min(piece, count_ - first));
            read_numbers(left, first, size, a.data());
            read_numbers(right, first, size, b.data());
            for_blocks<double>(a.data(), size, [&](std::size_t at, std::size_t count, const double* block) {
                decode_numbers(from_, b.data() + at * from_width_, std::span<double>(other).first(count));
                use(first + at, count, block, other.data());
            });
        }
    }

    void find_arc() const {
        constexpr std::size_t kLanes = 8;
        std::array<double, kLanes> aa{}, bb{}, ab{};
        walk_pair(*inputs_[0], *inputs_[1], [&](std::uint64_t, std::size_t count, const double* a, const double* b) {
            for (std::size_t k = 0; k < count; ++k) {
                const std::size_t lane = k % kLanes;
                aa[lane] += a[k] * a[k];
                bb[lane] += b[k] * b[k];
                ab[lane] += a[k] * b[k];
            }
        });
        double norms[2] = {0, 0}, dot = 0;
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            norms[0] += aa[lane];
            norms[1] += bb[lane];
            dot += ab[lane];
        }
        bool have_lengths = true;
        for (double& norm : norms) {
            norm = std::sqrt(norm);
            have_lengths = have_lengths && norm > kNoLength;
            if (have_lengths) dot /= norm;
        }
        dot = std::clamp(dot, -1.0, 1.0);
        divisor_ = 1;
        const double t = formula_->t;
        if (!have_lengths || !(std::fabs(dot) <= kNearlyParallel)) {
            coefficients_ = {1 - t, t};
            return;
        }
        const double angle = std::acos(dot);
        coefficients_ = {std::sin((1 - t) * angle) / std::sin(angle), std::sin(t * angle) / std::sin(angle)};
    }

    /// The magnitude of the last of the largest differences, by its digits of 16 bits from the first one on.
    Threshold find_threshold(const Blob& input) const {
        Threshold result;
        if (formula_->density <= 0) return {std::numeric_limits<std::uint64_t>::max(), 0};
        auto rest =
            std::max<std::uint64_t>(1, static_cast<std::uint64_t>(formula_->density * static_cast<double>(count_)));
        std::vector<std::uint64_t> histogram(std::size_t{1} << 16);
        std::uint64_t in_bucket = count_;
        for (int shift = 48; shift >= 0; shift -= 16) {
            std::fill(histogram.begin(), histogram.end(), 0);
            const std::uint64_t above = shift == 48 ? 0 : result.magnitude >> (shift + 16);
            walk_deltas(input, [&](std::uint64_t, double delta) {
                const std::uint64_t bits = magnitude_of(delta);
                if (shift == 48 || bits >> (shift + 16) == above) ++histogram[bits >> shift & 0xffff];
            });
            std::size_t digit = histogram.size() - 1;
            while (digit > 0 && histogram[digit] < rest) rest -= histogram[digit--];
            result.magnitude |= std::uint64_t{digit} << shift;
            in_bucket = histogram[digit];
            if (in_bucket == rest) return result;  // all that begin with these digits are kept
        }
        // Of equal ones the first are kept, as many as are wanted.
        std::uint64_t met = 0;
        walk_deltas(input, [&](std::uint64_t index, double delta) {
            if (magnitude_of(delta) == result.magnitude && ++met == rest) result.end = index + 1;
        });
        return result;
    }
    template <typename Use>
    void walk_deltas(const Blob& input, const Use& use) const {
        walk_pair(input, *base_, [&](std::uint64_t first, std::size_t count, const double* a, const double* b) {
            for (std::size_t k = 0; k < count; ++k) {
                // As it is compared later.
                use(first + k, formula_->is_fast
                                   ? static_cast<double>(static_cast<float>(a[k]) - static_cast<float>(b[k]))
                                   : a[k] - b[k]);
            }
        });
    }

    std::vector<BlobPtr> inputs_;
    BlobPtr base_;
    DType from_, to_;
    unsigned from_width_, to_width_;
    std::shared_ptr<const Formula> formula_;
    std::uint64_t count_;
    std::uint64_t name_hash_;
    std::uint64_t best_ = 0;
    double limit_ = 0;
    mutable OnceCounter overflow_;
    mutable std::once_flag prepared_;
    mutable std::vector<double> coefficients_;
    mutable std::vector<Threshold> thresholds_;
    mutable double divisor_ = 1;
};

}  // namespace

BlobPtr combined_blob(std::vector<BlobPtr> inputs, BlobPtr base, DType from, DType to,
                      std::shared_ptr<const Formula> formula, const std::string& name,
                      std::shared_ptr<std::atomic<std::uint64_t>> too_large) {
    return std::make_shared<CombinedBlob>(std::move(inputs), std::move(base), from, to, std::move(formula), name,
                                          std::move(too_large));
}

}  // namespace ckpt
