// Walking over a tree by lstat.
#include "libckpt/identity.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

namespace ckpt {
namespace {

namespace fs = std::filesystem;

void add(Identity& identity, const struct stat& status) {
    ++identity.files;
    identity.bytes += static_cast<std::uint64_t>(status.st_size);
    constexpr std::int64_t kPerSecond = 1'000'000'000;
    identity.newest_nanoseconds = std::max<std::int64_t>(identity.newest_nanoseconds,
                                                         status.st_mtim.tv_sec * kPerSecond + status.st_mtim.tv_nsec);
}

}  // namespace

std::optional<Identity> identity_of(const std::string& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    Identity identity;
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    if (!S_ISDIR(status.st_mode)) {
        add(identity, status);
        return identity;
    }
    std::error_code error;
    for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
        if (::lstat(it->path().c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) add(identity, status);
    }
    if (identity.files == 0 && ::lstat(path.c_str(), &status) == 0) {  // its own time is all that there is
        add(identity, status);
        identity.files = identity.bytes = 0;
    }
    return identity;
}

std::uint64_t freed_by_removing(const std::vector<std::string>& paths) {
    std::map<std::pair<dev_t, ino_t>, nlink_t> linked;  // how many of the links of a file were met
    std::uint64_t bytes = 0;
    const auto take = [&](const fs::path& path) {
        struct stat status = {};
        if (::lstat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return;
        const nlink_t met = status.st_nlink == 1 ? 1 : ++linked[{status.st_dev, status.st_ino}];
        if (met == status.st_nlink) bytes += static_cast<std::uint64_t>(status.st_size);
    };
    for (const std::string& path : paths) {
        std::error_code error;
        take(path);
        if (!fs::is_directory(fs::symlink_status(path, error))) continue;
        for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error))
            take(it->path());
    }
    return bytes;
}

std::optional<Identity> identity_of(const std::string& path, const std::vector<std::string>& others) {
    auto identity = identity_of(path);
    if (!identity) return std::nullopt;
    for (const std::string& other : others) {
        const auto more = identity_of(other);
        if (!more) return std::nullopt;
        identity->files += more->files;
        identity->bytes += more->bytes;
        identity->newest_nanoseconds = std::max(identity->newest_nanoseconds, more->newest_nanoseconds);
    }
    return identity;
}

}  // namespace ckpt
