// Global heap collections. Facts: hdf5.md, 13.1.
#include "formats/shared/h5/global_heap.hpp"

namespace ckpt::h5 {

GlobalHeap::Directory GlobalHeap::read_directory(const Image& image, std::uint64_t collection) {
    const Widths widths = image.widths();
    const unsigned head_bytes = (8 + widths.length_bytes + 7) / 8 * 8;  // of the collection and of each object
    const std::string start = image.bytes(collection, 8 + widths.length_bytes, "global heap");
    Cursor header(start, widths, "global heap");
    header.signature("GCOL");
    header.version(1);
    header.skip(3);
    const std::uint64_t size = header.length();
    image.check(collection, size, "global heap");
    require(size >= head_bytes, "global heap at address {} has {} bytes", collection, size);
    Directory directory;
    std::uint64_t at = collection + head_bytes;
    const std::uint64_t end = collection + size;
    while (end - at >= head_bytes) {
        const std::string bytes = image.bytes(at, head_bytes, "global heap object");
        Cursor cursor(bytes, widths, "global heap object");
        const std::uint32_t index = cursor.u16();
        cursor.skip(6);
        const std::uint64_t object_bytes = cursor.length();
        if (index == 0) break;  // free space to the end
        at += head_bytes;
        // JLD2 does not count the head of a collection, so that a large object alone in it sticks out by as much.
        require(object_bytes <= end - at + head_bytes,
                "global heap object {} of {} bytes does not fit into its heap at address {}", index, object_bytes,
                collection);
        require(directory.emplace(index, Place{at, object_bytes}).second,
                "global heap at address {} has two objects {}", collection, index);
        const std::uint64_t padded = object_bytes + (8 - object_bytes % 8) % 8;
        at += std::min(padded, end - at);
    }
    return directory;
}

GlobalHeap::Place GlobalHeap::find(const Image& image, std::uint64_t collection, std::uint32_t index) {
    const std::scoped_lock lock(mutex_);
    auto found = directories_.find(collection);
    if (found == directories_.end()) {
        Directory directory = read_directory(image, collection);
        if (directories_.size() >= kMaxDirectories) directories_.clear();
        found = directories_.emplace(collection, std::move(directory)).first;
    }
    const auto object = found->second.find(index);
    require(object != found->second.end(), "global heap at address {} has no object {}", collection, index);
    return object->second;
}

std::string GlobalHeap::read(const Image& image, std::uint64_t collection, std::uint32_t index,
                             std::uint64_t wanted_bytes) {
    const Place place = find(image, collection, index);
    require(wanted_bytes <= place.size_bytes, "global heap object {} has {} bytes, its element claims {}", index,
            place.size_bytes, wanted_bytes);
    return image.bytes(place.address, wanted_bytes, "global heap object");
}

std::string GlobalHeap::read_whole(const Image& image, std::uint64_t collection, std::uint32_t index) {
    const Place place = find(image, collection, index);
    return image.bytes(place.address, place.size_bytes, "global heap object");
}

}  // namespace ckpt::h5
