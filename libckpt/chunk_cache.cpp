// Least recently used.
#include "libckpt/chunk_cache.hpp"

namespace ckpt {

std::size_t ChunkCache::KeyHash::operator()(const Key& key) const noexcept {
    return static_cast<std::size_t>(key.dataset * 0x9e3779b97f4a7c15U ^ key.chunk);
}

std::uint64_t ChunkCache::new_dataset() {
    const std::scoped_lock lock(mutex_);
    return ++datasets_;
}

ChunkCache::Decoded ChunkCache::find(std::uint64_t dataset, std::uint64_t chunk) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_key_.find({dataset, chunk});
    if (found == by_key_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->decoded;
}

void ChunkCache::add(std::uint64_t dataset, std::uint64_t chunk, Decoded decoded) {
    const std::scoped_lock lock(mutex_);
    const Key key{dataset, chunk};
    if (by_key_.contains(key)) return;  // another thread was faster
    bytes_ += decoded->size();
    entries_.push_front({key, std::move(decoded)});
    by_key_[key] = entries_.begin();
    while (bytes_ > kMaxBytes && entries_.size() > 1) {
        bytes_ -= entries_.back().decoded->size();
        by_key_.erase(entries_.back().key);
        entries_.pop_back();
    }
}

}  // namespace ckpt
