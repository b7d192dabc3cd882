// What tells a file or folder from one that was put in its place, or written on, since.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// Of all files of a tree together; of a single file its own.
struct Identity {
    std::uint64_t device = 0;  ///< of the file or folder itself
    std::uint64_t inode = 0;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::int64_t newest_nanoseconds = 0;  ///< the latest modification, since 1970
    bool operator==(const Identity&) const = default;
};

/// Of a path, links not followed; nullopt where it is not there.
std::optional<Identity> identity_of(const std::string& path);
/// Of one and of those that come and go with it.
std::optional<Identity> identity_of(const std::string& path, const std::vector<std::string>& others);

/// What removing all of them frees: the bytes of their files that have no hard link elsewhere. Links are not followed.
std::uint64_t freed_by_removing(const std::vector<std::string>& paths);

}  // namespace ckpt
