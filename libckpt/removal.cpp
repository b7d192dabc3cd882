// Rename, then remove.
#include "libckpt/removal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "libckpt/atomic_output.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNameBytes = 200;  // of 255; the rest is for what makes it a leftover

/// A name beside `path` that nothing has.
std::string leftover_name(const fs::path& path) {
    std::random_device random;
    const std::string name = path.filename().string().substr(0, kMostNameBytes);
    return (path.parent_path() / fmt::format(".{}.ckpt-tmp-{:08x}", name, static_cast<std::uint32_t>(random())))
        .string();
}

bool is_leftover_name(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with('.') && name.find(".ckpt-tmp-") != std::string::npos;
}

void rename_path(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_output_error(fmt::format("{}: cannot be renamed", from), errno);
}

/// Renames all; where one cannot be, those that were get their names back.
std::vector<std::string> set_aside(const std::vector<std::string>& paths) {
    std::vector<std::string> aside;
    try {
        for (const std::string& path : paths) {
            const bool is_aside = is_leftover_name(path);  // of a removal that was interrupted
            const std::string name = is_aside ? path : leftover_name(path);
            if (!is_aside) rename_path(path, name);
            aside.push_back(name);
        }
    } catch (const Error&) {
        for (std::size_t i = aside.size(); i-- > 0;) (void)::rename(aside[i].c_str(), paths[i].c_str());
        throw;
    }
    return aside;
}

void sync_path(const std::string& path, int flags) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
    if (file < 0) throw_output_error(fmt::format("{}: cannot be opened", path), errno);
    const int failed = ::fsync(file) != 0 ? errno : 0;
    ::close(file);
    if (failed != 0) throw_output_error(fmt::format("{}: cannot be synced", path), failed);
}

/// A time that cannot be set is no reason to keep the checkpoint.
void keep_time(const fs::path& from, const fs::path& to) {
    std::error_code error;
    const auto time = fs::last_write_time(from, error);
    if (!error && !fs::is_symlink(to, error)) fs::last_write_time(to, time, error);
}

/// Copies to a leftover's name, syncs, and gives it its own: it is whole there or absent.
void copy_path(const std::string& from, const fs::path& to) {
    const std::string temporary = leftover_name(to);
    std::error_code error;
    fs::copy(from, temporary, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
    if (!error) {
        if (fs::is_directory(temporary, error)) {
            for (const auto& entry : fs::recursive_directory_iterator(temporary, error)) {
                if (!entry.is_regular_file(error) || entry.is_symlink(error)) continue;
                keep_time(fs::path(from) / entry.path().lexically_relative(temporary), entry.path());
                sync_path(entry.path().string(), 0);
            }
        } else if (!fs::is_symlink(temporary)) {
            sync_path(temporary, 0);
        }
        keep_time(from, temporary);
        rename_path(temporary, to.string());
        sync_path(to.parent_path().string(), O_DIRECTORY);
        return;
    }
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw_output_error(fmt::format("{}: cannot be copied", to.string()), error.value());
}

void remove_aside(const std::string& path, const std::string& aside) {
    std::error_code error;
    fs::remove_all(aside, error);
    if (error) {
        throw_output_error(fmt::format("{}: cannot be removed; what is left of it is called {}", path, aside),
                           error.value());
    }
}

}  // namespace

void remove_unit(const std::vector<std::string>& paths) {
    const std::vector<std::string> aside = set_aside(paths);
    for (std::size_t i = 0; i < aside.size(); ++i) remove_aside(paths[i], aside[i]);
}

void move_unit(const std::vector<std::string>& paths, const std::string& folder) {
    std::vector<fs::path> targets;
    for (const std::string& path : paths) {
        targets.push_back(fs::path(folder) / fs::path(path).filename());
        std::error_code error;
        if (fs::exists(fs::symlink_status(targets.back(), error)))
            throw_error(ErrorCode::kRefused, "{}: {} is there already", path, targets.back().string());
    }
    const std::vector<std::string> aside = set_aside(paths);
    std::vector<bool> is_moved(paths.size(), false);
    std::vector<bool> is_copied(paths.size(), false);
    try {
        // What gives it its name comes last: before, no command takes what is there for a whole one.
        for (std::size_t i = paths.size(); i-- > 0;) {
            is_moved[i] = ::rename(aside[i].c_str(), targets[i].c_str()) == 0;
            if (is_moved[i]) continue;
            if (errno != EXDEV) throw_output_error(fmt::format("{}: cannot be moved to {}", paths[i], folder), errno);
            copy_path(aside[i], targets[i]);
            is_copied[i] = true;
        }
    } catch (const Error&) {
        for (std::size_t i = 0; i < paths.size(); ++i) {
            std::error_code ignored;
            if (is_copied[i]) fs::remove_all(targets[i], ignored);
            (void)::rename((is_moved[i] ? targets[i].string() : aside[i]).c_str(), paths[i].c_str());
        }
        throw;
    }
    for (std::size_t i = 0; i < paths.size(); ++i) {
        if (is_copied[i]) remove_aside(paths[i], aside[i]);
    }
}

}  // namespace ckpt
