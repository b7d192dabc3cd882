// Names are checked by the metadata's reader; links and sizes here.
#include "formats/dcp/folder.hpp"

#include <filesystem>

#include "formats/dcp/zstd_blob.hpp"
#include "libckpt/error.hpp"

namespace ckpt::dcp {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::shared_ptr<const File> Folder::open(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    if (const auto found = files_.find(name); found != files_.end()) return found->second;
    const fs::path path = fs::path(path_) / name;
    std::error_code error;
    const auto status = fs::symlink_status(path, error);
    if (!fs::exists(status)) throw_damaged("'{}' is missing", name);
    if (fs::is_symlink(status)) {
        const fs::path target = fs::canonical(path, error);
        std::error_code other;
        if (error || target.parent_path() != fs::canonical(path_, other) || other)
            throw_damaged("'{}' is a link that leads out of the folder", name);
    }
    if (!fs::is_regular_file(path, error)) throw_damaged("'{}' is no file", name);
    const auto file = File::open(path.string(), context_);
    files_.emplace(name, file);
    return file;
}

BlobPtr Folder::stored(const Place& place) const {
    const auto file = open(place.file);
    if (place.offset_bytes > file->size_bytes() || place.length_bytes > file->size_bytes() - place.offset_bytes) {
        throw_damaged("its item of {} bytes at byte {} of '{}' ends behind the file, which has {}", place.length_bytes,
                      place.offset_bytes, place.file, file->size_bytes());
    }
    return file_blob({file, place.offset_bytes, place.length_bytes});
}

BlobPtr Folder::bytes(const Place& place, std::uint64_t limit_bytes) const {
    BlobPtr blob = stored(place);
    for (auto transform = place.transforms.rbegin(); transform != place.transforms.rend(); ++transform) {
        const auto slash = transform->rfind('/');
        const std::string name = transform->substr(0, slash);
        const std::string version = slash == std::string::npos ? "" : transform->substr(slash + 1);
        if (name != "stream.zstd") throw_damaged("its transform '{}' is not known", *transform);
        if (version != "1") throw_damaged("its transform is version '{}' of '{}'; only 1 is known", version, name);
        blob = zstd_blob(std::move(blob), limit_bytes);
    }
    return blob;
}

}  // namespace ckpt::dcp
