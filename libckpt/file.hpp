// An open file for reading, and what stands at a path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt {

/// A regular file open for reading. Thread-safe (pread); the size is that at opening.
class File {
public:
    /// Throws Error (kNotFound) with the system's reason.
    static std::shared_ptr<const File> open(const std::string& path, const Context& context);
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    const std::string& path() const noexcept { return path_; }
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }
    int descriptor() const noexcept { return descriptor_; }
    /// Fills `out`; throws Error (kDamaged) past the end, (kNotFound) when the system cannot read.
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const;
    /// The whole file as a blob.
    static BlobPtr blob(const std::shared_ptr<const File>& file);

private:
    File(std::string path, int descriptor, std::uint64_t size_bytes, std::shared_ptr<IoCounters> io)
        : path_(std::move(path)), descriptor_(descriptor), size_bytes_(size_bytes), io_(std::move(io)) {}
    std::string path_;
    int descriptor_;
    std::uint64_t size_bytes_;
    std::shared_ptr<IoCounters> io_;
};

/// What a format is offered to read: a file or a folder, with the little that detection looks at.
struct Source {
    std::string path;  ///< as the user gave it
    std::string name;  ///< its last component
    bool is_folder = false;
    std::shared_ptr<const File> file;  ///< open, for files
    std::uint64_t size_bytes = 0;
    std::string head;                  ///< the first bytes of a file, up to kHeadBytes
    std::string tail;                  ///< the last bytes of a file, up to kTailBytes
    std::vector<std::string> entries;  ///< names in a folder, sorted

    static constexpr std::size_t kHeadBytes = 8192;  // HDF5 may begin at 512, 1024, 2048, 4096
    static constexpr std::size_t kTailBytes = 64;    // a footer of the native layout

    /// Throws Error (kNotFound) when there is nothing or it cannot be opened.
    static Source open(const std::string& path, const Context& context);
};

}  // namespace ckpt
