// From cheap to certain.
#include "formats/native/same_bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <tuple>
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

/// What is known to have the same bytes without a look at them, since it is the same place: the first one for each.
std::vector<std::size_t> first_in_place(const std::vector<BlobPtr>& blobs) {
    using Place = std::tuple<const void*, std::uint64_t, std::uint64_t, std::size_t>;
    std::vector<Place> places;
    places.reserve(blobs.size());
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        const auto range = blobs[i]->file_range();
        places.emplace_back(range ? static_cast<const void*>(range->file.get()) : blobs[i].get(),
                            range ? range->offset_bytes : 0, blobs[i]->size_bytes(), i);
    }
    std::sort(places.begin(), places.end());
    std::vector<std::size_t> first(blobs.size());
    for (std::size_t at = 0, begin = 0; at < places.size(); ++at) {
        const auto key = [&places](std::size_t i) {
            return std::tie(std::get<0>(places[i]), std::get<1>(places[i]), std::get<2>(places[i]));
        };
        if (key(at) != key(begin)) begin = at;
        first[std::get<3>(places[at])] = std::get<3>(places[begin]);
    }
    return first;
}

}  // namespace

std::vector<std::size_t> number_contents(const std::vector<BlobPtr>& blobs, const Context& context) {
    std::vector<std::size_t> same_as = first_in_place(blobs);
    Group places;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        if (same_as[i] == i) places.push_back(i);
    }
    std::vector<Group> groups = divide({std::move(places)}, [&](std::size_t i) { return blobs[i]->size_bytes(); });
    groups = divide(groups, [&](std::size_t i) { return sample_digest(*blobs[i]); });
    groups = divide(groups, [&](std::size_t i) { return whole_digest(*blobs[i], context); });
    for (const Group& group : groups) {
        for (const std::size_t i : group) {
            if (i != group.front() && are_equal(*blobs[group.front()], *blobs[i], context)) same_as[i] = group.front();
        }
    }
    std::vector<std::size_t> numbers(blobs.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        // What is the same place as another is as equal as that one.
        const std::size_t first = same_as[same_as[i]];
        numbers[i] = first == i ? next++ : numbers[first];
    }
    return numbers;
}

}  // namespace ckpt::native
