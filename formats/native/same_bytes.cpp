// From cheap to certain.
#include "formats/native/same_bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "libckpt/xxh3.hpp"

namespace ckpt::native {
namespace {

constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kSampleBytes = 4096;

/// Of a beginning, a middle and an end.
Digest128 sample_digest(const Blob& blob) {
    Xxh3Stream xxh3;
    std::array<std::byte, kSampleBytes> bytes;
    const std::uint64_t size = blob.size_bytes();
    for (const std::uint64_t at : {std::uint64_t{0}, size / 2, size - std::min(size, kSampleBytes)}) {
        const auto piece = std::span(bytes).first(static_cast<std::size_t>(std::min(kSampleBytes, size - at)));
        blob.read(at, piece);
        xxh3.update(piece);
    }
    return xxh3.digest();
}

Digest128 whole_digest(const Blob& blob, const Context& context) {
    if (const auto known = blob.known_digest()) return *known;
    Xxh3Stream xxh3;
    std::vector<std::byte> bytes;
    for (std::uint64_t at = 0; at < blob.size_bytes(); at += bytes.size()) {
        context.check_cancelled();
        bytes.resize(static_cast<std::size_t>(std::min(kStepBytes, blob.size_bytes() - at)));
        blob.read(at, bytes);
        xxh3.update(bytes);
    }
    return xxh3.digest();
}

/// A digest that somebody made up, or that happens to be equal, must not cost a storage its bytes.
bool are_equal(const Blob& a, const Blob& b, const Context& context) {
    std::vector<std::byte> left, right;
    for (std::uint64_t at = 0; at < a.size_bytes(); at += left.size()) {
        context.check_cancelled();
        left.resize(static_cast<std::size_t>(std::min(kStepBytes, a.size_bytes() - at)));
        right.resize(left.size());
        a.read(at, left);
        b.read(at, right);
        if (std::memcmp(left.data(), right.data(), left.size()) != 0) return false;
    }
    return true;
}

using Group = std::vector<std::size_t>;

/// The groups of several that a group falls into by `key_of`.
template <typename KeyOf>
std::vector<Group> divide(const std::vector<Group>& groups, KeyOf key_of) {
    std::vector<Group> result;
    for (const Group& group : groups) {
        std::map<decltype(key_of(std::size_t{})), Group> parts;
        for (const std::size_t i : group) parts[key_of(i)].push_back(i);
        for (auto& [key, part] : parts) {
            if (part.size() > 1) result.push_back(std::move(part));
        }
    }
    return result;
}

}  // namespace

std::vector<std::size_t> number_contents(const std::vector<BlobPtr>& blobs, const Context& context) {
    Group all(blobs.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    std::vector<Group> groups = divide({all}, [&](std::size_t i) { return blobs[i]->size_bytes(); });
    groups = divide(groups, [&](std::size_t i) { return sample_digest(*blobs[i]); });
    groups = divide(groups, [&](std::size_t i) { return whole_digest(*blobs[i], context); });
    std::vector<std::size_t> same_as = all;
    for (const Group& group : groups) {
        for (const std::size_t i : group) {
            if (i != group.front() && are_equal(*blobs[group.front()], *blobs[i], context)) same_as[i] = group.front();
        }
    }
    std::vector<std::size_t> numbers(blobs.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < blobs.size(); ++i) numbers[i] = same_as[i] == i ? next++ : numbers[same_as[i]];
    return numbers;
}

}  // namespace ckpt::native
