// Temporary siblings, renamed at the end.
#include "libckpt/atomic_output.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".ckpt-tmp-";

/// A file system takes 255 bytes for a name, and the temporary's is longer than the final one's.
std::string temporary_prefix(const std::string& name) {
    constexpr std::size_t kMostBytes = 200;
    return "." + name.substr(0, kMostBytes) + std::string(kMark);
}

/// Removes temporaries of `name` in `folder` whose process is gone: a killed run leaves one.
void remove_stale(const std::string& folder, const std::string& name) {
    const std::string prefix = temporary_prefix(name);
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const std::string entry = it->path().filename().string();
        if (!entry.starts_with(prefix)) continue;
        pid_t process = 0;
        const char* begin = entry.data() + prefix.size();
        const auto [rest, failure] = std::from_chars(begin, entry.data() + entry.size(), process);
        if (failure != std::errc() || rest == begin || *rest != '-' || process <= 0) continue;
        if (::kill(process, 0) != 0 && errno == ESRCH) {
            std::error_code ignored;
            fs::remove_all(it->path(), ignored);
        }
    }
}

/// The path that a rename must replace: the end of a chain of symbolic links, or `path` itself.
std::string resolve_links(const std::string& path) {
    std::error_code error;
    fs::path current = path;
    for (int hops = 0; hops < 40 && fs::is_symlink(fs::symlink_status(current, error)); ++hops) {
        const fs::path target = fs::read_symlink(current, error);
        if (error) break;
        current = target.is_absolute() ? target : current.parent_path() / target;
    }
    return current.string();
}

}  // namespace

void throw_output_error(const std::string& what, int error_number) {
    throw_error(ErrorCode::kOutput, "{}: {}", what, std::strerror(error_number));
}

AtomicOutput::AtomicOutput(const std::string& path, Existing existing, bool is_folder)
    : existing_(existing), is_folder_(is_folder) {
    static std::atomic<unsigned> counter{0};
    std::string trimmed = path;
    while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
    final_ = resolve_links(trimmed);
    const fs::path as_path(final_);
    folder_ = as_path.has_parent_path() ? as_path.parent_path().string() : ".";
    const std::string name = as_path.filename().string();

    struct stat status = {};
    const bool exists = ::lstat(final_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode) != is_folder) {
        throw_error(ErrorCode::kRefused, "is {}, and {} would replace it",
                    S_ISDIR(status.st_mode) ? "a folder" : "no folder", is_folder ? "a folder" : "a file");
    }
    if (exists && existing == Existing::kRefuse) {
        throw Error(ErrorCode::kRefused, "exists already; --overwrite replaces it");
    }
    if (exists && !S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
        throw Error(ErrorCode::kRefused, "is no regular file");
    }
    remove_stale(folder_, name);
    for (int attempt = 0;; ++attempt) {
        const std::string candidate = (fs::path(folder_) / (temporary_prefix(name) + std::to_string(::getpid()) + "-" +
                                                            std::to_string(counter++)))
                                          .string();
        if (is_folder) {
            if (::mkdir(candidate.c_str(), 0777) == 0) {
                temporary_ = candidate;
                return;
            }
        } else {
            const int descriptor = ::open(candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (descriptor >= 0) {
                if (exists) ::fchmod(descriptor, status.st_mode & 07777);
                ::close(descriptor);
                temporary_ = candidate;
                return;
            }
        }
        if (errno != EEXIST || attempt > 100) throw_output_error("cannot be written", errno);
    }
}

AtomicOutput::~AtomicOutput() {
    if (committed_ || temporary_.empty()) return;
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
}

void AtomicOutput::commit() {
    if (existing_ == Existing::kRefuse) {
        // The name may have been taken while we wrote; the kernel decides, where the file system lets it.
        if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, final_.c_str(), RENAME_NOREPLACE) != 0) {
            if (errno == EEXIST) throw Error(ErrorCode::kRefused, "exists already; --overwrite replaces it");
            if (errno != EINVAL && errno != ENOSYS) throw_output_error("cannot be renamed into place", errno);
            struct stat status = {};
            if (::lstat(final_.c_str(), &status) == 0)
                throw Error(ErrorCode::kRefused, "exists already; --overwrite replaces it");
            if (::rename(temporary_.c_str(), final_.c_str()) != 0)
                throw_output_error("cannot be renamed into place", errno);
        }
    } else if (is_folder_) {
        // A folder that is not empty cannot be replaced by rename: the two are exchanged, then the old one goes.
        if (::rename(temporary_.c_str(), final_.c_str()) != 0) {
            if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, final_.c_str(), RENAME_EXCHANGE) != 0) {
                throw_output_error("cannot be renamed into place", errno);
            }
            std::error_code ignored;
            fs::remove_all(temporary_, ignored);
        }
    } else if (::rename(temporary_.c_str(), final_.c_str()) != 0) {
        throw_output_error("cannot be renamed into place", errno);
    }
    committed_ = true;
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        ::fsync(folder);
        ::close(folder);
    }
}

}  // namespace ckpt
