// The files of a checkpoint's folder, and nothing outside of it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "formats/dcp/metadata.hpp"
#include "libckpt/context.hpp"
#include "libckpt/file.hpp"

namespace ckpt::dcp {

/// Opens files by name, each once. Thread-safe.
class Folder {
public:
    Folder(std::string path, const Context& context) : path_(std::move(path)), context_(context) {}

    const std::string& path() const noexcept { return path_; }
    const Context& context() const noexcept { return context_; }
    /// Throws Error (kDamaged) for what is missing, no regular file, or a link that leads out of the folder.
    std::shared_ptr<const File> open(const std::string& name) const;
    /// The stored bytes of an item, before its transforms are undone. Throws Error (kDamaged) if they leave the file.
    BlobPtr stored(const Place& place) const;
    /// The bytes as they were before the transforms. An item that unpacks to more than `limit_bytes` is refused as
    /// damage.
    BlobPtr bytes(const Place& place, std::uint64_t limit_bytes) const;

private:
    std::string path_;
    Context context_;
    mutable std::mutex mutex_;
    mutable std::map<std::string, std::shared_ptr<const File>> files_;
};

}  // namespace ckpt::dcp
