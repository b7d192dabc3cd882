// Little-endian words of 64 bits are bytes of 8 bits in the same order.
#include "formats/jld2/bits.hpp"

#include <algorithm>
#include <vector>

#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 16;

void check_range(std::uint64_t offset_bytes, std::size_t wanted, std::uint64_t size_bytes) {
    if (offset_bytes > size_bytes || wanted > size_bytes - offset_bytes)
        throw_damaged("{} bytes wanted at {}, but there are only {}", wanted, offset_bytes, size_bytes);
}

class UnpackedBits final : public Blob {
public:
    UnpackedBits(BlobPtr chunks, std::uint64_t count) : chunks_(std::move(chunks)), count_(count) {}
    std::uint64_t size_bytes() const noexcept override { return count_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), count_);
        std::vector<std::byte> block;
        while (!out.empty()) {
            const std::uint64_t first = offset_bytes / 8;
            const auto bits = std::min<std::size_t>(out.size(), kBlockBytes * 8 - offset_bytes % 8);
            block.resize(static_cast<std::size_t>((offset_bytes % 8 + bits + 7) / 8));
            chunks_->read(first, block);
            for (std::size_t i = 0; i < bits; ++i) {
                const std::uint64_t bit = offset_bytes % 8 + i;
                out[i] = block[static_cast<std::size_t>(bit / 8)] >> (bit % 8) & std::byte{1};
            }
            out = out.subspan(bits);
            offset_bytes += bits;
        }
    }

private:
    BlobPtr chunks_;
    std::uint64_t count_;
};

class PackedBits final : public Blob {
public:
    explicit PackedBits(BlobPtr bools) : bools_(std::move(bools)) {}
    std::uint64_t size_bytes() const noexcept override { return (bools_->size_bytes() + 63) / 64 * 8; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), size_bytes());
        std::fill(out.begin(), out.end(), std::byte{0});
        std::vector<std::byte> block;
        for (std::size_t at = 0; at < out.size(); at += kBlockBytes) {
            const std::uint64_t first = (offset_bytes + at) * 8;
            if (first >= bools_->size_bytes()) return;
            const std::size_t bytes = std::min(kBlockBytes, out.size() - at);
            block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(bytes * 8, bools_->size_bytes() - first)));
            bools_->read(first, block);
            for (std::size_t i = 0; i < block.size(); ++i) {
                if (block[i] != std::byte{0}) out[at + i / 8] |= std::byte{1} << (i % 8);
            }
        }
    }

private:
    BlobPtr bools_;
};

}  // namespace

BlobPtr unpacked_bits(BlobPtr chunks, std::uint64_t count) {
    if (chunks->size_bytes() < count / 8 + (count % 8 != 0 ? 1 : 0))
        throw_damaged("{} bits are due, there are {} bytes of them", count, chunks->size_bytes());
    return std::make_shared<UnpackedBits>(std::move(chunks), count);
}

BlobPtr packed_bits(BlobPtr bools) {
    return std::make_shared<PackedBits>(std::move(bools));
}

}  // namespace ckpt::jld2
