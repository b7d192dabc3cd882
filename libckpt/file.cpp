// Opening and reading files and folders.
#include "libckpt/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

std::string system_reason(int error_number) {
    return std::strerror(error_number);
}

std::string last_component(const std::string& path) {
    std::string_view rest = path;
    while (rest.size() > 1 && rest.back() == '/') rest.remove_suffix(1);
    const auto slash = rest.rfind('/');
    return std::string(slash == std::string_view::npos || rest.size() == 1 ? rest : rest.substr(slash + 1));
}

std::vector<std::string> folder_entries(const std::string& path) {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
        names.push_back(it->path().filename().string());
    }
    if (error) throw_error(ErrorCode::kNotFound, "cannot be read: {}", system_reason(error.value()));
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::shared_ptr<const File> File::open(const std::string& path, const Context& context) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hang us
    if (descriptor < 0) throw_error(ErrorCode::kNotFound, "cannot be opened: {}", system_reason(errno));
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0) {
        const int reason = errno;
        ::close(descriptor);
        throw_error(ErrorCode::kNotFound, "cannot be read: {}", system_reason(reason));
    }
    if (!S_ISREG(status.st_mode)) {
        ::close(descriptor);
        throw_error(ErrorCode::kNotFound, "is neither a file nor a folder");
    }
    return std::shared_ptr<const File>(
        new File(path, descriptor, static_cast<std::uint64_t>(status.st_size), context.io));
}

File::~File() {
    ::close(descriptor_);
}

void File::read(std::uint64_t offset_bytes, std::span<std::byte> out) const {
    if (offset_bytes > size_bytes_ || out.size() > size_bytes_ - offset_bytes) {
        throw_damaged("{} bytes wanted at byte {}, but the file ends at {}", out.size(), offset_bytes, size_bytes_);
    }
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t count =
            ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset_bytes + done));
        if (count < 0) {
            if (errno == EINTR) continue;
            throw_error(ErrorCode::kNotFound, "cannot be read at byte {}: {}", offset_bytes + done,
                        system_reason(errno));
        }
        if (count == 0) throw_damaged("became shorter while it was read: ends at byte {}", offset_bytes + done);
        done += static_cast<std::size_t>(count);
    }
    io_->bytes_read.fetch_add(out.size(), std::memory_order_relaxed);
}

BlobPtr File::blob(const std::shared_ptr<const File>& file) {
    return file_blob({file, 0, file->size_bytes()});
}

Source Source::open(const std::string& path, const Context& context) {
    Source source;
    source.path = path;
    source.name = last_component(path);
    try {
        struct stat status = {};
        if (::stat(path.c_str(), &status) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) throw_error(ErrorCode::kNotFound, "no such file or folder");
            throw_error(ErrorCode::kNotFound, "cannot be opened: {}", system_reason(errno));
        }
        if (S_ISDIR(status.st_mode)) {
            source.is_folder = true;
            source.entries = folder_entries(path);
            return source;
        }
        source.file = File::open(path, context);
        source.size_bytes = source.file->size_bytes();
        source.head.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kHeadBytes, source.size_bytes)));
        source.file->read(0, std::as_writable_bytes(std::span(source.head.data(), source.head.size())));
        source.tail.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kTailBytes, source.size_bytes)));
        source.file->read(source.size_bytes - source.tail.size(),
                          std::as_writable_bytes(std::span(source.tail.data(), source.tail.size())));
    } catch (Error& error) {
        error.in_file(path);
        throw;
    }
    return source;
}

}  // namespace ckpt
