// The program's own `open`, `openat` and `fopen` stand before the C library's, and note who opens what.
#include "tests/fuzz/guard.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define CKPT_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CKPT_HAS_ASAN 1
#endif
#endif

namespace {

bool is_watching = false;
char allowed_path[64];
char escaped_path[256];

void note(const char* path) {
    if (!is_watching || std::strcmp(path, allowed_path) == 0 || escaped_path[0] != '\0') return;
    std::strncpy(escaped_path, path, sizeof escaped_path - 1);
}

int open_at(int folder, const char* path, int flags, unsigned mode) {
    note(path);
    return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
}

template <typename Function>
FILE* open_stream(const char* name, const char* path, const char* mode) {
    note(path);
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name))(path, mode);
}

}  // namespace

extern "C" {
int open(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return open_at(folder, path, flags, mode);
}
FILE* fopen(const char* path, const char* mode) {
    return open_stream<FILE*(const char*, const char*)>("fopen", path, mode);
}
FILE* fopen64(const char* path, const char* mode) {
    return open_stream<FILE*(const char*, const char*)>("fopen64", path, mode);
}
}

namespace ckpt_fuzz {

void watch_opens(const std::string& allowed) {
    std::strncpy(allowed_path, allowed.c_str(), sizeof allowed_path - 1);
    is_watching = true;
}

std::string escaped_to() {
    return escaped_path;
}

std::uint64_t peak_memory_mib() {
    const auto peak = [] {
        rusage usage = {};
        ::getrusage(RUSAGE_SELF, &usage);
        return static_cast<std::uint64_t>(usage.ru_maxrss) / 1024;
    };
    static const std::uint64_t start = peak();
    return peak() - start;
}

std::uint64_t memory_limit_mib() {
#ifdef CKPT_HAS_ASAN
    return std::uint64_t{4} * kMaxMemoryMiB;
#else
    return kMaxMemoryMiB;
#endif
}

}  // namespace ckpt_fuzz
