// Little-endian appending, the checksum of HDF5's metadata, and the area that metadata grow in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ckpt::h5 {

inline constexpr std::uint64_t kUndefinedAddress = ~std::uint64_t{0};

/// Appends the low `width_bytes` bytes of `value`, lowest first.
inline void put(std::string& out, unsigned width_bytes, std::uint64_t value) {
    for (unsigned i = 0; i < width_bytes; ++i) out.push_back(static_cast<char>(i < 8 ? value >> (8 * i) : 0));
}

/// Jenkins' lookup3 (hashlittle) with start value 0: the checksum of version-2 metadata and the hash of names.
std::uint32_t metadata_checksum(std::string_view bytes) noexcept;

/// Appends the checksum of what `block` holds.
inline void seal(std::string& block) {
    put(block, 4, metadata_checksum(block));
}

/// Metadata under construction: blocks one after another, each at a multiple of 8.
class MetadataArea {
public:
    explicit MetadataArea(std::uint64_t start) : start_(start) {}
    std::uint64_t next_address() const noexcept { return start_ + bytes_.size(); }
    /// Returns the address of the block.
    std::uint64_t append(std::string_view block) {
        const std::uint64_t address = next_address();
        bytes_ += block;
        bytes_.append((8 - bytes_.size() % 8) % 8, '\0');
        return address;
    }
    std::string& bytes() noexcept { return bytes_; }

private:
    std::uint64_t start_;
    std::string bytes_;
};

}  // namespace ckpt::h5
