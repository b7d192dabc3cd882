// XXH3 by libxxhash.
#include "libckpt/xxh3.hpp"

#include <xxhash.h>

#include <new>

#include <fmt/format.h>

namespace ckpt {

std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept {
    return XXH3_64bits(bytes.data(), bytes.size());
}

std::string Digest128::hex() const {
    return fmt::format("{:016x}{:016x}", high, low);
}

struct Xxh3Stream::State {
    State() : xxh(XXH3_createState()) {
        if (xxh == nullptr) throw std::bad_alloc();
    }
    ~State() { XXH3_freeState(xxh); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    XXH3_state_t* xxh;
};

Xxh3Stream::Xxh3Stream() : state_(std::make_unique<State>()) {
    reset();
}
Xxh3Stream::~Xxh3Stream() = default;

void Xxh3Stream::reset() noexcept {
    XXH3_128bits_reset(state_->xxh);
}
void Xxh3Stream::update(std::span<const std::byte> bytes) noexcept {
    XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}
Digest128 Xxh3Stream::digest() const noexcept {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
    return {hash.high64, hash.low64};
}

}  // namespace ckpt
