// Blocks that fit the cache go from one dtype to the other.
#include "libckpt/cast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "libckpt/chunk_cache.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/numbers.hpp"
#include "libckpt/once_counter.hpp"
#include "libckpt/storages.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;

bool is_float(DType dtype) {
    return dtype_info(dtype).cls == DTypeClass::kFloat;
}
bool is_integer(DType dtype) {
    const DTypeClass cls = dtype_info(dtype).cls;
    return cls == DTypeClass::kSigned || cls == DTypeClass::kUnsigned || cls == DTypeClass::kBool;
}

template <typename T>
std::size_t count_beyond(std::span<const T> numbers, T limit) {
    std::size_t count = 0;
    for (const T number : numbers) {
        const T magnitude = std::fabs(number);
        count += magnitude >= limit && magnitude <= std::numeric_limits<T>::max() ? 1 : 0;
    }
    return count;
}

/// Integers to integers keep their low bits, as in torch and C.
template <typename To>
void wrap_integers(DType from, const std::byte* bytes, std::size_t count, std::byte* out) {
    const unsigned width = dtype_width(from);
    const bool is_signed = dtype_info(from).cls == DTypeClass::kSigned;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, bytes + i * width, width);
        const unsigned shift = 64 - 8 * width;
        if (is_signed) bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << shift) >> shift);
        const To value = static_cast<To>(bits);
        std::memcpy(out + i * sizeof(To), &value, sizeof(To));
    }
}

class CastBlob final : public Blob {
public:
    CastBlob(BlobPtr elements, DType from, DType to, std::shared_ptr<std::atomic<std::uint64_t>> too_large)
        : elements_(std::move(elements)),
          from_(from),
          to_(to),
          from_width_(dtype_width(from)),
          to_width_(dtype_width(to)),
          overflow_(std::move(too_large)) {}

    std::uint64_t size_bytes() const noexcept override { return elements_->size_bytes() / from_width_ * to_width_; }

    std::uint64_t best_read_bytes() const noexcept override {
        const std::uint64_t best = elements_->best_read_bytes() / from_width_ * to_width_;
        return best <= (std::uint64_t{32} << 20) ? best : 0;
    }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes)
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        if (out.empty()) return;
        const std::uint64_t first = offset_bytes / to_width_;
        const std::uint64_t end = (offset_bytes + out.size() + to_width_ - 1) / to_width_;
        if (first * to_width_ == offset_bytes && out.size() % to_width_ == 0) {
            cast(first, end - first, out.data());
            return;
        }
        Buffer whole(static_cast<std::size_t>((end - first) * to_width_));  // the range cuts elements
        cast(first, end - first, whole.data());
        std::memcpy(out.data(), whole.data() + (offset_bytes - first * to_width_), out.size());
    }

private:
    void cast(std::uint64_t first, std::uint64_t count, std::byte* out) const {
        const std::uint64_t best = std::max(elements_->best_read_bytes(), kPieceBytes);
        const std::uint64_t piece = best / from_width_;
        Buffer bytes(static_cast<std::size_t>(std::min(piece, count) * from_width_));
        while (count > 0) {
            const auto size = static_cast<std::size_t>(std::min(piece, count));
            elements_->read(first * from_width_, bytes.span().first(size * from_width_));
            const std::size_t beyond = cast_piece(bytes.data(), size, out);
            if (beyond != 0) note_beyond(first, size, bytes.data());
            out += size * to_width_;
            first += size;
            count -= size;
        }
    }

    /// How many are too large.
    std::size_t cast_piece(const std::byte* bytes, std::size_t count, std::byte* out) const {
        if (is_integer(from_) && is_integer(to_) && to_ != DType::kBool) {
            wrap(bytes, count, out);
            return 0;
        }
        const bool needs_double = from_ == DType::kFloat64 || to_ == DType::kFloat64 || is_integer(to_);
        return needs_double ? cast_by<double>(bytes, count, out) : cast_by<float>(bytes, count, out);
    }

    template <typename T>
    std::size_t cast_by(const std::byte* bytes, std::size_t count, std::byte* out) const {
        std::array<T, kBlock> numbers;
        std::size_t beyond = 0;
        const double limit = overflow_from(to_);
        const bool is_counted = overflow_.is_wanted() && std::isfinite(limit) && limit < greatest_finite(from_);
        for (std::size_t at = 0; at < count; at += kBlock) {
            const auto block = std::span<T>(numbers).first(std::min(kBlock, count - at));
            decode_numbers(from_, bytes + at * from_width_, block);
            if constexpr (std::is_same_v<T, double>) {
                encode_numbers(to_, block, out + at * to_width_, Rounding::kLikeTorch);
            } else {
                encode_numbers(to_, block, out + at * to_width_);
            }
            if (is_counted) beyond += count_beyond<T>(block, static_cast<T>(limit));
        }
        return beyond;
    }

    void wrap(const std::byte* bytes, std::size_t count, std::byte* out) const {
        switch (to_width_) {
            case 1:
                return wrap_integers<std::uint8_t>(from_, bytes, count, out);
            case 2:
                return wrap_integers<std::uint16_t>(from_, bytes, count, out);
            case 4:
                return wrap_integers<std::uint32_t>(from_, bytes, count, out);
            default:
                return wrap_integers<std::uint64_t>(from_, bytes, count, out);
        }
    }

    void note_beyond(std::uint64_t first, std::size_t count, const std::byte* bytes) const {
        std::byte ignored[8];
        overflow_.add(first, count,
                      [&](std::size_t i) { return cast_piece(bytes + i * from_width_, 1, ignored) != 0; });
    }

    BlobPtr elements_;
    DType from_, to_;
    unsigned from_width_, to_width_;
    mutable OnceCounter overflow_;
};

bool is_exact(const Glob& glob) {
    return glob.pattern().find_first_of("*?[") == std::string::npos;
}

/// Whether a tensor is to be cast.
bool is_wanted(const PlacedTensor& placed, DType to, const std::vector<Glob>& only) {
    const DType from = placed.tensor->dtype;
    const Glob* named = nullptr;
    for (const Glob& glob : only) {
        if (glob.matches(placed.path)) named = &glob;
    }
    if (from == to || (!only.empty() && named == nullptr)) return false;
    if (is_float(from)) return true;
    if (named == nullptr) return false;
    if (is_integer(from)) return true;
    if (is_exact(*named) && named->pattern() == placed.path)
        throw_error(ErrorCode::kRefused, "'{}' is {}, which cannot be cast to {}", placed.path, dtype_name(from),
                    dtype_name(to));
    return false;
}

}  // namespace

std::optional<DType> dtype_from_short_name(std::string_view name) noexcept {
    struct Short {
        std::string_view name;
        DType dtype;
    };
    static constexpr Short kShort[] = {
        {"f64", DType::kFloat64},
        {"f32", DType::kFloat32},
        {"f16", DType::kFloat16},
        {"bf16", DType::kBFloat16},
        {"fp64", DType::kFloat64},
        {"fp32", DType::kFloat32},
        {"fp16", DType::kFloat16},
        {"double", DType::kFloat64},
        {"float", DType::kFloat32},
        {"half", DType::kFloat16},
        {"f8_e4m3", DType::kFloat8E4M3FN},
        {"f8_e4m3fn", DType::kFloat8E4M3FN},
        {"f8_e5m2", DType::kFloat8E5M2},
        {"f8_e4m3fnuz", DType::kFloat8E4M3FNUZ},
        {"f8_e8m0", DType::kFloat8E8M0FNU},
        {"f8_e5m2fnuz", DType::kFloat8E5M2FNUZ},
        {"i8", DType::kInt8},
        {"i16", DType::kInt16},
        {"i32", DType::kInt32},
        {"i64", DType::kInt64},
        {"u8", DType::kUInt8},
        {"u16", DType::kUInt16},
        {"u32", DType::kUInt32},
        {"u64", DType::kUInt64},
    };
    for (const Short& known : kShort) {
        if (known.name == name) return known.dtype;
    }
    const auto dtype = dtype_from_name(name);
    return dtype && (is_float(*dtype) || is_integer(*dtype)) ? dtype : std::nullopt;
}

BlobPtr cast_blob(BlobPtr elements, DType from, DType to, std::shared_ptr<std::atomic<std::uint64_t>> too_large) {
    if (from == to) return elements;
    return std::make_shared<CastBlob>(std::move(elements), from, to, std::move(too_large));
}

void drop_stored_type(TensorNode& tensor) {
    if (!tensor.attributes) return;
    std::erase_if(*tensor.attributes, [](const auto& attribute) {
        const std::string_view name = std::string_view(attribute.first).substr(attribute.first.find(':') + 1);
        return (name.starts_with("__") && name.ends_with("__")) || name == "type" || name == "dtype" ||
               name == "byteorder" || name == "frombuffer";
    });
}

CastResult cast_tensors(Document& document, DType to, const std::vector<Glob>& only) {
    CastResult result;
    const auto tensors = tensors_of(document);
    // A storage is cast as a whole where all that show it are: strides and ties stay as they are.
    std::map<const Storage*, std::map<DType, int>> dtypes;
    std::vector<bool> wanted;
    for (const PlacedTensor& placed : tensors) {
        wanted.push_back(is_wanted(placed, to, only));
        if (placed.tensor->storage) dtypes[placed.tensor->storage.get()][placed.tensor->dtype] |= wanted.back() ? 1 : 2;
    }
    const auto as_cast = [&](const BlobPtr& blob, const PlacedTensor& placed) {
        const DType from = placed.tensor->dtype;
        auto count = std::make_shared<std::atomic<std::uint64_t>>(0);
        result.overflow.push_back({placed.path, to, blob->size_bytes() / dtype_width(from), count});
        return std::make_shared<const Storage>(
            Storage{cast_blob(blob, from, to, std::move(count)), placed.tensor->storage->location});
    };
    std::map<const Storage*, StoragePtr> made;
    std::vector<StoragePtr> kept;  // so that no address is used twice
    std::unordered_set<const Node*> changed;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (!wanted[i]) continue;
        TensorNode& tensor = *tensors[i].tensor;
        ++result.tensors;
        drop_stored_type(tensor);
        if (tensor.storage) {
            const auto& uses = dtypes[tensor.storage.get()];
            const bool is_whole = uses.size() == 1 && uses.begin()->second == 1 &&
                                  tensor.storage->blob->size_bytes() % dtype_width(tensor.dtype) == 0;
            kept.push_back(tensor.storage);
            if (is_whole) {
                StoragePtr& storage = made[tensor.storage.get()];
                if (!storage) storage = as_cast(tensor.storage->blob, tensors[i]);
                tensor.storage = storage;
            } else {
                tensor.check_bounds(tensors[i].path);
                tensor.storage = as_cast(logical_blob(tensor), tensors[i]);
                tensor.offset = 0;
                tensor.stride = contiguous_strides(tensor.shape);
                tensor.neg = false;
            }
        }
        tensor.dtype = to;
        changed.insert(&tensor);
    }
    forget_recipes(tensors, changed);
    return result;
}

}  // namespace ckpt
