// Global heap collections: where the contents of variable-length elements lie.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {

/// Finds objects in collections; keeps the directories of the last few. Thread-safe.
class GlobalHeap {
public:
    /// The first `wanted_bytes` bytes of an object. Throws Error (kDamaged) if there is no such object or it is
    /// shorter.
    std::string read(const Image& image, std::uint64_t collection, std::uint32_t index, std::uint64_t wanted_bytes);

    /// All of an object.
    std::string read_whole(const Image& image, std::uint64_t collection, std::uint32_t index);

private:
    struct Place {
        std::uint64_t address = 0;
        std::uint64_t size_bytes = 0;
    };
    using Directory = std::unordered_map<std::uint32_t, Place>;
    static constexpr std::size_t kMaxDirectories = 64;

    Place find(const Image& image, std::uint64_t collection, std::uint32_t index);
    static Directory read_directory(const Image& image, std::uint64_t collection);

    std::mutex mutex_;
    std::map<std::uint64_t, Directory> directories_;
};

}  // namespace ckpt::h5
