// Collections of the global heap. Facts: hdf5.md, 15.1.
#include "formats/shared/h5/write_heap.hpp"

#include <algorithm>

namespace ckpt::h5 {
namespace {

constexpr unsigned kMaxObjects = 65000;
constexpr std::uint64_t kCollectionHeadBytes = 16;
constexpr std::uint64_t kObjectHeadBytes = 16;
constexpr std::size_t kCollectionBytes = std::size_t{1} << 20;
constexpr std::uint64_t kMinCollectionBytes = 4096;

}  // namespace

std::string ElementHeap::add(const std::vector<std::string>& texts) {
    std::string references;
    for (const std::string& text : texts) references += add(text, static_cast<std::uint32_t>(text.size()), {});
    return references;
}

void ElementHeap::add(std::string& bytes, const std::vector<HeapItem>& items) {
    for (const HeapItem& item : items) {
        std::string content = item.bytes;
        add(content, item.items);
        std::string place = add(content, item.count, item.references);
        if (item.is_region) place.erase(0, kHeapReferenceBytes - kRegionReferenceBytes);
        bytes.replace(static_cast<std::size_t>(item.offset_bytes), place.size(), place);
    }
}

std::string ElementHeap::add(std::string_view content, std::uint32_t count,
                             const std::vector<ReferencePlace>& references) {
    if (content.empty()) return std::string(kHeapReferenceBytes, '\0');
    if (objects_ == kMaxObjects || (objects_ > 0 && body_.size() + content.size() > kCollectionBytes)) finish();
    ++objects_;
    put(body_, 2, objects_);
    put(body_, 2, 0);
    put(body_, 4, 0);
    put(body_, 8, content.size());
    for (const ReferencePlace& reference : references) {
        addresses_.push_back(
            {area_.next_address() + kCollectionHeadBytes + body_.size() + reference.offset_bytes, reference.target});
    }
    body_ += content;
    body_.append((8 - body_.size() % 8) % 8, '\0');
    std::string place;
    put(place, 4, count);
    put(place, 8, area_.next_address());
    put(place, 4, objects_);
    return place;
}

std::string& ElementHeap::finish() {
    if (objects_ == 0) return area_.bytes();
    const std::uint64_t total =
        std::max<std::uint64_t>(kMinCollectionBytes, kCollectionHeadBytes + body_.size() + kObjectHeadBytes);
    std::string collection("GCOL\1\0\0\0", 8);
    put(collection, 8, total);
    collection += body_;
    const std::uint64_t free_bytes = total - collection.size();
    put(collection, 8, 0);  // object 0: the free space
    put(collection, 8, free_bytes);
    collection.resize(static_cast<std::size_t>(total), '\0');
    area_.append(collection);
    body_.clear();
    objects_ = 0;
    return area_.bytes();
}

}  // namespace ckpt::h5
