// A bfloat16 is the upper half of a float32.
#include "formats/jld2/converted.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::size_t kBlockElements = std::size_t{1} << 16;

/// Elements of another width than those beneath.
class ConvertedBlob : public Blob {
public:
    ConvertedBlob(BlobPtr whole, unsigned from_bytes, unsigned to_bytes)
        : whole_(std::move(whole)), from_(from_bytes), to_(to_bytes) {
        if (whole_->size_bytes() % from_ != 0)
            throw_damaged("{} bytes are no whole number of elements of {} bytes", whole_->size_bytes(), from_);
    }
    std::uint64_t size_bytes() const noexcept override { return whole_->size_bytes() / from_ * to_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes)
            throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes());
        std::vector<std::byte> source, made;
        while (!out.empty()) {
            const std::uint64_t first = offset_bytes / to_;
            const auto skipped = static_cast<std::size_t>(offset_bytes % to_);
            const std::size_t count = std::min(kBlockElements, (skipped + out.size() + to_ - 1) / to_);
            source.resize(count * from_);
            made.assign(count * to_, std::byte{0});
            whole_->read(first * from_, source);
            convert(source, made);
            const std::size_t size = std::min(out.size(), made.size() - skipped);
            std::memcpy(out.data(), made.data() + skipped, size);
            out = out.subspan(size);
            offset_bytes += size;
        }
    }

protected:
    virtual void convert(std::span<const std::byte> source, std::span<std::byte> made) const = 0;

private:
    BlobPtr whole_;
    unsigned from_, to_;
};

class Widened final : public ConvertedBlob {
public:
    explicit Widened(BlobPtr whole) : ConvertedBlob(std::move(whole), 2, 4) {}

private:
    void convert(std::span<const std::byte> source, std::span<std::byte> made) const override {
        for (std::size_t i = 0; 2 * i < source.size(); ++i) {
            made[4 * i + 2] = source[2 * i];
            made[4 * i + 3] = source[2 * i + 1];
        }
    }
};

class Narrowed final : public ConvertedBlob {
public:
    explicit Narrowed(BlobPtr whole) : ConvertedBlob(std::move(whole), 4, 2) {}

private:
    void convert(std::span<const std::byte> source, std::span<std::byte> made) const override {
        for (std::size_t i = 0; 4 * i < source.size(); ++i) {
            made[2 * i] = source[4 * i + 2];
            made[2 * i + 1] = source[4 * i + 3];
        }
    }
};

}  // namespace

BlobPtr widened_bfloat16(BlobPtr elements) {
    return std::make_shared<Widened>(std::move(elements));
}

BlobPtr narrowed_bfloat16(BlobPtr elements) {
    return std::make_shared<Narrowed>(std::move(elements));
}

}  // namespace ckpt::jld2
