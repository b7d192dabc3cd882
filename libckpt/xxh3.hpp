// XXH3 checksums: 64 bits for pieces, 128 bits for contents.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ckpt {

/// XXH3-64 with seed 0.
std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept;

/// An XXH3-128 value with seed 0. Its canonical form is `high` then `low`, most significant byte first.
struct Digest128 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    auto operator<=>(const Digest128&) const = default;
    std::string hex() const;  ///< 32 digits
};

/// XXH3-128 of bytes that come piece by piece.
class Xxh3Stream {
public:
    Xxh3Stream();
    ~Xxh3Stream();
    Xxh3Stream(const Xxh3Stream&) = delete;
    Xxh3Stream& operator=(const Xxh3Stream&) = delete;

    void reset() noexcept;
    void update(std::span<const std::byte> bytes) noexcept;
    /// Of all bytes since the last reset; more may follow.
    Digest128 digest() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ckpt
