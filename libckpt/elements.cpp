// Row-major elements of strided tensors, pulled in tiles, and digests over them.
#include "libckpt/elements.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt {
namespace {

/// One dimension of a view, outermost first.
struct Axis {
    std::uint64_t size;
    std::uint64_t stride;  // in elements
};

/// Negates the sign of each real number of `width` bytes at every `step` bytes from `first`.
void flip_signs(std::span<std::byte> bytes, std::size_t width, std::size_t step, std::size_t first) {
    for (std::size_t at = first; at + width <= bytes.size(); at += step) bytes[at + width - 1] ^= std::byte{0x80};
}

/// Negates integers of `width` bytes in two's complement, as torch does (unsigned ones too).
void negate_integers(std::span<std::byte> bytes, std::size_t width) {
    for (std::size_t at = 0; at + width <= bytes.size(); at += width) {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data() + at, width);
        number = 0 - number;
        std::memcpy(bytes.data() + at, &number, width);
    }
}

/// How the elements of a negated view are negated.
enum class Negation : std::uint8_t { kNone, kSign, kSignButZero, kInteger };
Negation negation_of(const TensorNode& tensor) {
    if (!tensor.neg) return Negation::kNone;
    switch (dtype_info(tensor.dtype).cls) {
        case DTypeClass::kUnsigned:
        case DTypeClass::kSigned:
            return Negation::kInteger;
        case DTypeClass::kComplex:
            return Negation::kSign;
        case DTypeClass::kFloat:
            if (tensor.dtype == DType::kFloat8E8M0FNU) break;  // has no sign
            // The FNUZ kinds have their NaN where other floats have negative zero.
            return tensor.dtype == DType::kFloat8E4M3FNUZ || tensor.dtype == DType::kFloat8E5M2FNUZ
                       ? Negation::kSignButZero
                       : Negation::kSign;
        default:
            break;
    }
    throw_error(ErrorCode::kUnsupported, "a negated view of {} has no meaning", dtype_name(tensor.dtype));
}

/// Gathers a strided view into row-major order. Reads the storage in whole spans: the innermost dimensions that
/// together span at most kSpanBytes of the storage are gathered from one read.
class StridedBlob final : public Blob {
public:
    explicit StridedBlob(const TensorNode& tensor)
        : storage_(tensor.storage->blob),
          width_(dtype_width(tensor.dtype)),
          offset_(static_cast<std::uint64_t>(tensor.offset)) {
        std::vector<Axis> axes;
        for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
            if (tensor.shape[i] != 1) {
                axes.push_back(
                    {static_cast<std::uint64_t>(tensor.shape[i]), static_cast<std::uint64_t>(tensor.stride[i])});
            }
        }
        for (const Axis& axis : axes) {  // neighbours that lie as one dimension become one
            if (!axes_.empty() && axis.stride != 0 && axes_.back().stride == axis.size * axis.stride) {
                axes_.back() = {axes_.back().size * axis.size, axis.stride};
            } else {
                axes_.push_back(axis);
            }
        }
        if (axes_.empty()) axes_.push_back({1, 1});
        size_bytes_ = *tensor.logical_bytes();
        const auto cls = dtype_info(tensor.dtype).cls;
        if (tensor.conj && cls == DTypeClass::kComplex) conj_ = true;
        negation_ = negation_of(tensor);
        complex_ = cls == DTypeClass::kComplex;
    }

    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes_ || out.size() > size_bytes_ - offset_bytes) {
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes_);
        }
        if (out.empty()) return;
        const std::uint64_t first = offset_bytes / width_;
        const std::uint64_t last = (offset_bytes + out.size() + width_ - 1) / width_;
        if (first * width_ == offset_bytes && out.size() % width_ == 0) {
            gather(first, last - first, out);
            return;
        }
        std::vector<std::byte> whole((last - first) * width_);  // the range cuts elements
        gather(first, last - first, whole);
        std::memcpy(out.data(), whole.data() + (offset_bytes - first * width_), out.size());
    }

private:
    static constexpr std::uint64_t kSpanBytes = std::uint64_t{8} << 20;  // most that one read takes in
    static constexpr std::uint64_t kSmallSpanBytes = std::uint64_t{64}
                                                     << 10;  // a span this small is read whatever is in it
    static constexpr std::uint64_t kDense = 4;               // span per element up to which one read serves

    /// Elements [first, first + count) in row-major order.
    void gather(std::uint64_t first, std::uint64_t count, std::span<std::byte> out) const {
        const std::size_t rank = axes_.size();
        std::vector<std::uint64_t> index(rank);
        while (count > 0) {
            const std::uint64_t done = std::min(count, gather_box(first, count, out, index));
            out = out.subspan(static_cast<std::size_t>(done * width_));
            first += done;
            count -= done;
        }
    }

    /// Gathers as many elements from `first` on as one read of the storage serves; returns how many.
    std::uint64_t gather_box(std::uint64_t first, std::uint64_t count, std::span<std::byte> out,
                             std::vector<std::uint64_t>& index) const {
        const std::size_t rank = axes_.size();
        std::uint64_t rest = first;
        for (std::size_t i = rank; i-- > 0;) {
            index[i] = rest % axes_[i].size;
            rest /= axes_[i].size;
        }
        // Grow the box from the innermost dimension outwards while whole dimensions fit the rest.
        std::size_t axis = rank - 1;
        std::uint64_t inner_count = 1;
        while (true) {
            const std::uint64_t steps =
                std::min(axes_[axis].size - index[axis], std::max<std::uint64_t>(count / inner_count, 1));
            const bool whole = index[axis] == 0 && steps == axes_[axis].size;
            if (!whole || axis == 0 || inner_count * steps >= count) {
                copy_box(axis, steps, index, out);
                return inner_count * steps;
            }
            inner_count *= steps;
            --axis;
        }
    }

    /// Copies `steps` along `axis` and everything below it, beginning at `index`.
    void copy_box(std::size_t axis, std::uint64_t steps, const std::vector<std::uint64_t>& index,
                  std::span<std::byte> out) const {
        std::uint64_t start = offset_;
        for (std::size_t i = 0; i < axes_.size(); ++i) start += index[i] * axes_[i].stride;
        std::uint64_t elements = 1;
        std::uint64_t span = 1;  // of the storage, from the first to the last element of the box
        for (std::size_t i = axis; i < axes_.size(); ++i) {
            const std::uint64_t size = i == axis ? steps : axes_[i].size;
            elements *= size;
            span += (size - 1) * axes_[i].stride;
        }
        const auto target = out.first(static_cast<std::size_t>(elements * width_));
        const std::size_t inner = axes_.size() - 1;
        if (elements == 1 || (axis == inner && axes_[inner].stride == 1)) {
            storage_->read(start * width_, target);
        } else if (span * width_ <= kSmallSpanBytes || (span <= kDense * elements && span * width_ <= kSpanBytes)) {
            const auto buffer = std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(span * width_));
            storage_->read(start * width_, {buffer.get(), static_cast<std::size_t>(span * width_)});
            switch (width_) {
                case 1:
                    scatter<std::uint8_t>(axis, steps, buffer.get(), target.data());
                    break;
                case 2:
                    scatter<std::uint16_t>(axis, steps, buffer.get(), target.data());
                    break;
                case 4:
                    scatter<std::uint32_t>(axis, steps, buffer.get(), target.data());
                    break;
                case 8:
                    scatter<std::uint64_t>(axis, steps, buffer.get(), target.data());
                    break;
                default:
                    scatter<Wide>(axis, steps, buffer.get(), target.data());
                    break;
            }
        } else {
            copy_runs(axis, steps, start, target);
        }
        if (negation_ != Negation::kNone || conj_) apply_signs(target);
    }

    struct Wide {
        std::uint64_t low, high;
    };

    /// Runs that lie whole in the storage, some of them at a time: neighbours along the innermost dimension, which are
    /// neighbours in the target too, so that whole lines of the cache are written.
    template <typename T>
    void copy_columns(std::size_t axis, std::uint64_t steps, std::size_t fast, std::uint64_t start,
                      std::span<std::byte> target) const {
        constexpr std::uint64_t kAtOnce = 64 / sizeof(T) < 16 ? 16 : 64 / sizeof(T);
        const auto size_of = [&](std::size_t i) { return i == axis ? steps : axes_[i].size; };
        const std::size_t inner = axes_.size() - 1;
        std::vector<std::uint64_t> target_step(axes_.size(), 1);
        for (std::size_t i = inner; i-- > axis;) target_step[i] = target_step[i + 1] * size_of(i + 1);
        const std::uint64_t length = size_of(fast);
        const std::uint64_t columns = size_of(inner);
        std::uint64_t outer = 1;
        for (std::size_t i = axis; i < inner; ++i) outer *= i == fast ? 1 : size_of(i);
        const auto buffer = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(length * kAtOnce));
        for (std::uint64_t block = 0; block < outer; ++block) {
            std::uint64_t from = start;
            std::uint64_t to = 0;
            std::uint64_t rest = block;
            for (std::size_t i = inner; i-- > axis;) {
                if (i == fast) continue;
                from += rest % size_of(i) * axes_[i].stride;
                to += rest % size_of(i) * target_step[i];
                rest /= size_of(i);
            }
            for (std::uint64_t column = 0; column < columns; column += kAtOnce) {
                const std::uint64_t count = std::min(kAtOnce, columns - column);
                for (std::uint64_t k = 0; k < count; ++k) {
                    storage_->read((from + (column + k) * axes_[inner].stride) * width_,
                                   {reinterpret_cast<std::byte*>(buffer.get() + k * length),
                                    static_cast<std::size_t>(length * width_)});
                }
                for (std::uint64_t i = 0; i < length; ++i) {
                    std::byte* row = target.data() + (to + i * target_step[fast] + column) * sizeof(T);
                    for (std::uint64_t k = 0; k < count; ++k)
                        std::memcpy(row + k * sizeof(T), buffer.get() + k * length + i, sizeof(T));
                }
            }
        }
    }

    /// A box that lies thinly over the storage (some rows of a large column-major matrix): only its runs along the
    /// dimension with the smallest stride are read.
    void copy_runs(std::size_t axis, std::uint64_t steps, std::uint64_t start, std::span<std::byte> target) const {
        const auto size_of = [&](std::size_t i) { return i == axis ? steps : axes_[i].size; };
        std::size_t fast = axis;
        std::uint64_t runs = 1;
        for (std::size_t i = axis; i < axes_.size(); ++i) {
            if (axes_[i].stride < axes_[fast].stride) fast = i;
            runs *= size_of(i);
        }
        runs /= size_of(fast);
        if (axes_[fast].stride == 1 && fast != axes_.size() - 1) {
            switch (width_) {
                case 1:
                    return copy_columns<std::uint8_t>(axis, steps, fast, start, target);
                case 2:
                    return copy_columns<std::uint16_t>(axis, steps, fast, start, target);
                case 4:
                    return copy_columns<std::uint32_t>(axis, steps, fast, start, target);
                case 8:
                    return copy_columns<std::uint64_t>(axis, steps, fast, start, target);
                default:
                    return copy_columns<Wide>(axis, steps, fast, start, target);
            }
        }
        std::vector<std::uint64_t> target_step(axes_.size(), 1);  // in elements of the box
        for (std::size_t i = axes_.size() - 1; i-- > axis;) target_step[i] = target_step[i + 1] * size_of(i + 1);
        const std::uint64_t length = size_of(fast);
        const std::uint64_t step = axes_[fast].stride;
        // Elements of a run that lie far apart are read in groups, so that a buffer never exceeds the span limit.
        const std::uint64_t group =
            step == 0 ? 1 : std::max<std::uint64_t>(1, step > kDense * 8 ? 1 : kSpanBytes / (step * width_));
        const auto buffer = std::make_unique_for_overwrite<std::byte[]>(
            static_cast<std::size_t>((std::min(group, length) * std::max<std::uint64_t>(step, 1)) * width_));
        for (std::uint64_t run = 0; run < runs; ++run) {
            std::uint64_t from = start;
            std::uint64_t to = 0;
            std::uint64_t rest = run;
            for (std::size_t i = axes_.size(); i-- > axis;) {
                if (i == fast) continue;
                from += rest % size_of(i) * axes_[i].stride;
                to += rest % size_of(i) * target_step[i];
                rest /= size_of(i);
            }
            for (std::uint64_t done = 0; done < length; done += group) {
                const std::uint64_t count = std::min(group, length - done);
                if (step != 0 || done == 0) {
                    storage_->read((from + done * step) * width_,
                                   {buffer.get(), static_cast<std::size_t>(((count - 1) * step + 1) * width_)});
                }
                for (std::uint64_t i = 0; i < count; ++i) {
                    std::memcpy(target.data() + (to + (done + i) * target_step[fast]) * width_,
                                buffer.get() + i * step * width_, width_);
                }
            }
        }
    }

    /// Row-major walk of the box through a buffer that holds its span. The two innermost dimensions are done in tiles,
    /// so that a transposition stays in the cache on both sides.
    template <typename T>
    void scatter(std::size_t axis, std::uint64_t steps, const std::byte* from, std::byte* to) const {
        const std::size_t inner = axes_.size() - 1;
        const std::uint64_t columns = axis == inner ? steps : axes_[inner].size;
        const std::uint64_t column_step = axes_[inner].stride;
        if (axis == inner) {
            copy_row<T>(columns, column_step, from, to);
            return;
        }
        const std::size_t middle = inner - 1;
        const std::uint64_t rows = axis == middle ? steps : axes_[middle].size;
        const std::uint64_t row_step = axes_[middle].stride;
        std::vector<std::uint64_t> outer(middle - std::min(axis, middle) + 1, 0);
        std::uint64_t blocks = axis == middle ? 1 : steps;
        for (std::size_t i = axis + 1; i < middle; ++i) blocks *= axes_[i].size;
        for (std::uint64_t block = 0; block < blocks; ++block) {
            std::uint64_t place = 0;
            std::uint64_t rest = block;
            for (std::size_t i = middle; i-- > axis;) {
                const std::uint64_t size = i == axis ? steps : axes_[i].size;
                place += rest % size * axes_[i].stride;
                rest /= size;
            }
            copy_plane<T>(rows, columns, row_step, column_step, from + place * sizeof(T),
                          to + block * rows * columns * sizeof(T));
        }
    }

    template <typename T>
    static void copy_row(std::uint64_t columns, std::uint64_t step, const std::byte* from, std::byte* to) {
        for (std::uint64_t i = 0; i < columns; ++i)
            std::memcpy(to + i * sizeof(T), from + i * step * sizeof(T), sizeof(T));
    }

    template <typename T>
    static void copy_plane(std::uint64_t rows, std::uint64_t columns, std::uint64_t row_step, std::uint64_t column_step,
                           const std::byte* from, std::byte* to) {
        constexpr std::uint64_t kTile = 32;
        for (std::uint64_t row = 0; row < rows; row += kTile) {
            const std::uint64_t row_end = std::min(rows, row + kTile);
            for (std::uint64_t column = 0; column < columns; column += kTile) {
                const std::uint64_t width = std::min(columns - column, kTile);
                for (std::uint64_t r = row; r < row_end; ++r) {
                    copy_row<T>(width, column_step, from + (r * row_step + column * column_step) * sizeof(T),
                                to + (r * columns + column) * sizeof(T));
                }
            }
        }
    }

    void apply_signs(std::span<std::byte> bytes) const {
        const bool is_negated = negation_ != Negation::kNone;
        if (complex_) {
            const std::size_t half = width_ / 2;
            if (is_negated) flip_signs(bytes, half, width_, 0);
            if (is_negated != conj_) flip_signs(bytes, half, width_, half);  // both: the imaginary part is as it was
        } else if (negation_ == Negation::kInteger) {
            negate_integers(bytes, width_);
        } else if (negation_ == Negation::kSignButZero) {
            for (std::byte& code : bytes) {
                if ((code & std::byte{0x7f}) != std::byte{0}) code ^= std::byte{0x80};
            }
        } else {
            flip_signs(bytes, width_, width_, 0);
        }
    }

    BlobPtr storage_;
    unsigned width_;
    std::uint64_t offset_;
    std::vector<Axis> axes_;
    std::uint64_t size_bytes_ = 0;
    bool conj_ = false;
    Negation negation_ = Negation::kNone;
    bool complex_ = false;
};

constexpr std::size_t kDigestPieceBytes = std::size_t{4} << 20;

/// Feeds a blob to `update` in pieces.
template <typename Update>
void stream(const Blob& blob, const Update& update) {
    const std::uint64_t best = blob.best_read_bytes();
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(blob.size_bytes(), best != 0 ? best : kDigestPieceBytes)));
    for (std::uint64_t done = 0; done < blob.size_bytes();) {
        const auto piece = std::span(buffer).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), blob.size_bytes() - done)));
        blob.read(done, piece);
        update(piece);
        done += piece.size();
    }
}

std::string hex(std::span<const unsigned char> bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

class Sha256 {
public:
    Sha256() : context_(EVP_MD_CTX_new()) {
        if (context_ == nullptr || EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) != 1) {
            EVP_MD_CTX_free(context_);
            throw Error(ErrorCode::kInternal, "SHA-256 is not available");
        }
    }
    ~Sha256() { EVP_MD_CTX_free(context_); }
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    void update(std::span<const std::byte> bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
    std::string finish() {
        unsigned char digest[32];
        EVP_DigestFinal_ex(context_, digest, nullptr);
        return hex(digest);
    }

private:
    EVP_MD_CTX* context_;
};

}  // namespace

BlobPtr logical_blob(const TensorNode& tensor) {
    if (!tensor.storage) throw_error(ErrorCode::kInternal, "a tensor without data has no elements to read");
    const auto bytes = tensor.logical_bytes();
    if (!bytes) throw_damaged("the product of a tensor's sizes overflows 64 bits");
    if (*bytes == 0) return zero_blob(0);
    const unsigned bits = dtype_info(tensor.dtype).bits;
    if (tensor.is_contiguous() && !tensor.conj && !tensor.neg) {
        const std::uint64_t start_bits = static_cast<std::uint64_t>(tensor.offset) * bits;
        if (start_bits % 8 == 0) return slice_blob(tensor.storage->blob, start_bits / 8, *bytes);
    }
    if (bits < 8) {
        throw_error(ErrorCode::kUnsupported, "a view of {} that is not contiguous cannot be read",
                    dtype_name(tensor.dtype));
    }
    return std::make_shared<StridedBlob>(tensor);
}

std::string digest_xxh3_128(const Blob& blob) {
    if (const auto known = blob.known_digest()) return known->hex();
    Xxh3Stream xxh3;
    stream(blob, [&](std::span<const std::byte> piece) { xxh3.update(piece); });
    return xxh3.digest().hex();
}

std::string digest_sha256(const Blob& blob) {
    Sha256 sha;
    stream(blob, [&](std::span<const std::byte> piece) { sha.update(piece); });
    return sha.finish();
}

std::string sha256_hex(std::string_view bytes) {
    Sha256 sha;
    sha.update(std::as_bytes(std::span(bytes.data(), bytes.size())));
    return sha.finish();
}

}  // namespace ckpt
