// Scanning, grouping and choosing.
#include "libckpt/run_folder.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

struct RawEntry {
    std::string name;
    bool is_folder = false;
    bool is_link = false;
};

std::vector<RawEntry> read_folder(const std::string& path) {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) {
        Error error(ErrorCode::kNotFound, errno == ENOENT ? "no such file or folder"
                                                          : fmt::format("cannot be read: {}", std::strerror(errno)));
        error.in_file(path);
        throw error;
    }
    std::vector<RawEntry> entries;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        RawEntry raw{std::string(name), entry->d_type == DT_DIR, entry->d_type == DT_LNK};
        if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
            struct stat status = {};
            const std::string full = path + "/" + raw.name;
            if (entry->d_type == DT_UNKNOWN && ::lstat(full.c_str(), &status) == 0)
                raw.is_link = S_ISLNK(status.st_mode);
            raw.is_folder = ::stat(full.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
        } else if (entry->d_type != DT_REG && entry->d_type != DT_DIR) {
            continue;  // sockets and pipes hold no checkpoints
        }
        entries.push_back(std::move(raw));
    }
    ::closedir(folder);
    std::sort(entries.begin(), entries.end(), [](const RawEntry& a, const RawEntry& b) { return a.name < b.name; });
    return entries;
}

bool has_extension(std::string_view name, const std::vector<std::string>& extensions) {
    return std::any_of(extensions.begin(), extensions.end(), [&](const std::string& extension) {
        return name.size() > extension.size() && name.ends_with(extension) &&
               name[name.size() - extension.size() - 1] == '.';
    });
}

/// Extensions of checkpoint files that other programs write and no layout here need read.
const std::vector<std::string>& foreign_extensions() {
    static const std::vector<std::string> kNames = {"ckpt", "jld2", "safetensors", "bson",  "keras",
                                                    "npz",  "pkl",  "tar",         "distcp"};
    return kNames;
}

/// Whether a folder holds a file that by its name is a checkpoint or a shard.
bool holds_checkpoint(const std::string& path, const NameTable& names, const ScanOptions& options) {
    try {
        for (const auto& entry : read_folder(path)) {
            if (entry.is_folder) continue;
            if (entry.name == ".metadata" || entry.name == "calibration_params.json") return true;
            if (has_extension(entry.name, options.extensions) || has_extension(entry.name, foreign_extensions()))
                return true;
            const auto match = names.classify(entry.name, EntryKind::kFile);
            if (match && match->is_shard) return true;
        }
    } catch (const Error&) {
        return true;  // unreadable is not empty: it stays in the list
    }
    return false;
}

std::string join(const std::string& folder, const std::string& name) {
    return folder == "." ? name : (fs::path(folder) / name).string();
}

class Scanner {
public:
    Scanner(const ScanOptions& options, const Context& context, std::vector<CheckpointEntry>& checkpoints,
            std::vector<SkippedEntry>& skipped)
        : options_(options),
          context_(context),
          names_(options.pattern, options.axis),
          checkpoints_(checkpoints),
          skipped_(skipped) {}

    void folder(const std::string& path) {
        std::vector<std::string> below;
        std::vector<RawEntry> links;
        const std::size_t first = checkpoints_.size();
        for (const auto& entry : read_folder(path)) {
            context_.check_cancelled();
            const std::string full = join(path, entry.name);
            if (const auto why = NameTable::why_not(entry.name);
                why && !(entry.is_folder && entry.name == "checkpoint")) {
                if (entry.is_link) {
                    links.push_back(entry);
                } else {
                    skipped_.push_back({full, *why});
                }
                continue;
            }
            if (!consider(full, entry) && entry.is_folder && options_.recursive && !entry.is_link)
                below.push_back(full);
        }
        resolve_links(path, first, links);
        for (const auto& next : below) folder(next);
    }

    bool consider(const std::string& full, const RawEntry& entry) {
        const auto match = names_.classify(entry.name, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
        if (!match) return false;
        if (match->is_shard) {
            skipped_.push_back({full, "a shard: part of a checkpoint"});
            return true;
        }
        if (match->scheme == "generic-last-int" && !entry.is_folder &&
            !has_extension(entry.name, options_.extensions) && !has_extension(entry.name, foreign_extensions())) {
            return false;
        }
        if (entry.is_folder && !holds_checkpoint(full, names_, options_)) {
            if (!options_.recursive) skipped_.push_back({full, "a folder without a checkpoint in it"});
            return false;
        }
        CheckpointEntry checkpoint;
        checkpoint.path = full;
        checkpoint.name = entry.name;
        checkpoint.match = *match;
        checkpoint.is_folder = entry.is_folder;
        checkpoints_.push_back(std::move(checkpoint));
        return true;
    }

private:
    /// Links to a checkpoint of the same folder are its aliases.
    void resolve_links(const std::string& path, std::size_t first, const std::vector<RawEntry>& links) {
        for (const auto& link : links) {
            std::error_code error;
            const fs::path target = fs::read_symlink(join(path, link.name), error);
            const auto found = std::find_if(
                checkpoints_.begin() + static_cast<std::ptrdiff_t>(first), checkpoints_.end(),
                [&](const CheckpointEntry& entry) { return !error && entry.name == target.filename().string(); });
            if (found != checkpoints_.end()) {
                found->aliases.push_back(link.name);
            } else {
                skipped_.push_back({join(path, link.name), "pointer to a checkpoint that is not there"});
            }
        }
    }

    const ScanOptions& options_;
    const Context& context_;
    NameTable names_;
    std::vector<CheckpointEntry>& checkpoints_;
    std::vector<SkippedEntry>& skipped_;
};

void measure(CheckpointEntry& entry) {
    struct stat status = {};
    if (::stat(entry.path.c_str(), &status) != 0) return;
    entry.mtime_seconds =
        static_cast<double>(status.st_mtim.tv_sec) + static_cast<double>(status.st_mtim.tv_nsec) * 1e-9;
    entry.bytes = static_cast<std::uint64_t>(status.st_size);
    if (!entry.is_folder) return;
    entry.bytes = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator it(entry.path, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (it->is_regular_file(ignored)) entry.bytes += it->file_size(ignored);
    }
}

}  // namespace

bool IndexBound::admits(double value) const noexcept {
    switch (kind) {
        case Kind::kNone:
            return true;
        case Kind::kPriorTo:
            return value < index;
        default:
            return value <= index;
    }
}

std::string IndexBound::phrase() const {
    switch (kind) {
        case Kind::kPriorTo:
            return fmt::format(" before {}", index_text(index));
        case Kind::kUpTo:
            return fmt::format(" up to {}", index_text(index));
        case Kind::kAt:
            return fmt::format(" at or before {}", index_text(index));
        default:
            return {};
    }
}

RunFolder RunFolder::scan(const std::string& path, const ScanOptions& options, const Context& context) {
    RunFolder folder;
    folder.path_ = path;
    Scanner scanner(options, context, folder.checkpoints_, folder.skipped_);
    struct stat status = {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
        RawEntry entry{fs::path(path).filename().string(), false, false};
        if (!scanner.consider(path, entry)) {  // asked for by name: it is listed whatever its name says
            CheckpointEntry checkpoint;
            checkpoint.path = path;
            checkpoint.name = entry.name;
            folder.checkpoints_.push_back(std::move(checkpoint));
        }
        return folder;
    }
    scanner.folder(path);
    std::stable_sort(folder.checkpoints_.begin(), folder.checkpoints_.end(),
                     [](const CheckpointEntry& a, const CheckpointEntry& b) {
                         if (a.match.is_alias != b.match.is_alias) return b.match.is_alias;
                         const std::string folder_a = fs::path(a.path).parent_path().string();
                         const std::string folder_b = fs::path(b.path).parent_path().string();
                         if (folder_a != folder_b) return folder_a < folder_b;
                         if (a.match.axis != b.match.axis) return a.match.axis < b.match.axis;
                         if (a.match.index.has_value() != b.match.index.has_value()) return a.match.index.has_value();
                         if (a.match.index && *a.match.index != *b.match.index) return *a.match.index < *b.match.index;
                         for (std::size_t i = 0; i < std::min(a.match.axes.size(), b.match.axes.size()); ++i) {
                             if (a.match.axes[i].second != b.match.axes[i].second)
                                 return a.match.axes[i].second < b.match.axes[i].second;
                         }
                         return a.name < b.name;
                     });
    return folder;
}

std::string RunFolder::main_axis() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& entry : checkpoints_) {
        if (entry.match.index && !entry.match.is_alias) ++counts[entry.match.axis];
    }
    std::string best;
    for (const auto& [axis, count] : counts) {
        if (best.empty() || count > counts[best] || (count == counts[best] && axis == "epoch")) best = axis;
    }
    return best;
}

std::vector<const CheckpointEntry*> RunFolder::competitors(const std::string& axis) {
    std::vector<const CheckpointEntry*> result;
    if (axis == "time") {
        stat();
        for (const auto& entry : checkpoints_) {
            if (!entry.match.is_alias) result.push_back(&entry);
        }
        std::stable_sort(result.begin(), result.end(),
                         [](const auto* a, const auto* b) { return a->mtime_seconds < b->mtime_seconds; });
        return result;
    }
    const std::string wanted = axis.empty() ? main_axis() : axis;
    for (const auto& entry : checkpoints_) {
        if (!entry.match.is_alias && entry.match.on_axis(wanted)) result.push_back(&entry);
    }
    std::stable_sort(result.begin(), result.end(), [&](const auto* a, const auto* b) {
        return *a->match.on_axis(wanted) < *b->match.on_axis(wanted);
    });
    return result;
}

const CheckpointEntry* RunFolder::newest(const std::string& axis, const IndexBound& bound) {
    const std::string wanted = axis.empty() ? main_axis() : axis;
    const CheckpointEntry* best = nullptr;
    for (const auto* entry : competitors(axis)) {
        const double index = wanted == "time" ? entry->mtime_seconds : *entry->match.on_axis(wanted);
        if (bound.admits(index)) best = entry;
    }
    return best;
}

const CheckpointEntry* RunFolder::at(const std::string& axis, double index) {
    const std::string wanted = axis.empty() ? main_axis() : axis;
    for (const auto* entry : competitors(axis)) {
        if (wanted != "time" && *entry->match.on_axis(wanted) == index) return entry;
    }
    return nullptr;
}

std::optional<std::pair<double, std::string>> RunFolder::next() const {
    const std::string axis = main_axis();
    std::vector<const CheckpointEntry*> series;
    for (const auto& entry : checkpoints_) {
        if (!entry.match.is_alias && entry.match.index && entry.match.axis == axis) series.push_back(&entry);
    }
    if (series.empty()) return std::nullopt;
    const CheckpointEntry& last = *series.back();
    double index = *last.match.index + 1;
    if (axis == "run") {  // a gap is a free slot
        index = last.match.base;
        for (const auto* entry : series) {
            if (*entry->match.index == index) index += 1;
        }
    } else if (series.size() > 1) {
        const double step = *last.match.index - *series[series.size() - 2]->match.index;
        if (step > 0) index = *last.match.index + step;
    }
    // The new name is the last one's with its index replaced, zeros in front kept.
    const std::string old_text = index_text(*last.match.index);
    std::string name = last.name;
    const std::string new_text = index_text(index);
    for (std::size_t at = name.rfind(old_text); at != std::string::npos;
         at = at == 0 ? std::string::npos : name.rfind(old_text, at - 1)) {
        std::size_t begin = at;
        const std::size_t end = at + old_text.size();
        const auto digit = [&](std::size_t i) {
            return i < name.size() && std::isdigit(static_cast<unsigned char>(name[i])) != 0;
        };
        while (begin > 0 && name[begin - 1] == '0') --begin;
        if (digit(end) || (begin > 0 && digit(begin - 1))) continue;
        const std::size_t width = end - begin;
        std::string padded = new_text;
        if (begin != at && padded.size() < width) padded.insert(0, width - padded.size(), '0');
        name.replace(begin, width, padded);
        return std::pair{
            index,
            join(fs::path(last.path).parent_path().string().empty() ? "." : fs::path(last.path).parent_path().string(),
                 name)};
    }
    return std::nullopt;
}

void RunFolder::stat() {
    if (has_stat_) return;
    for (auto& entry : checkpoints_) measure(entry);
    has_stat_ = true;
}

}  // namespace ckpt
