// Reading a folder: which of its entries are checkpoints, which belong to one, and why the others are none.
#include "libckpt/folder_scan.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "libckpt/checkpoint_folder.hpp"
#include "libckpt/error.hpp"
#include "libckpt/text_arena.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

struct RawEntry {
    std::string_view name;
    bool is_folder = false;
    bool is_link = false;
};

struct Listing {
    std::deque<RawEntry> entries;  ///< in no order: there may be thousands, and what becomes of them is sorted later
    TextArena names;
};

Listing read_folder(const std::string& path) {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) {
        Error error(ErrorCode::kNotFound, errno == ENOENT ? "no such file or folder"
                                                          : fmt::format("cannot be read: {}", std::strerror(errno)));
        error.in_file(path);
        throw error;
    }
    Listing listing;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        RawEntry raw{listing.names.keep(name), entry->d_type == DT_DIR, entry->d_type == DT_LNK};
        if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
            struct stat status = {};
            const std::string full = fmt::format("{}/{}", path, name);
            if (entry->d_type == DT_UNKNOWN && ::lstat(full.c_str(), &status) == 0)
                raw.is_link = S_ISLNK(status.st_mode);
            raw.is_folder = ::stat(full.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
        } else if (entry->d_type != DT_REG && entry->d_type != DT_DIR) {
            continue;  // sockets and pipes hold no checkpoints
        }
        listing.entries.push_back(raw);
    }
    ::closedir(folder);
    return listing;
}

class Scanner {
public:
    Scanner(const ScanOptions& options, const Context& context, std::vector<CheckpointEntry>& checkpoints,
            std::vector<SkippedEntry>& skipped)
        : options_(options),
          context_(context),
          table_(options.pattern, options.axis),
          names_(table_),
          checkpoints_(checkpoints),
          skipped_(skipped) {}

    /// The folder that was asked for.
    void top(const std::string& path) {
        const Listing listing = read_folder(path);
        if (!is_full_of_checkpoints(listing.entries) && consider_rolling(path)) return;
        folder(path, listing.entries);
    }

    void folder(const std::string& path) {
        const Listing listing = read_folder(path);
        folder(path, listing.entries);
    }

    void folder(const std::string& path, const std::deque<RawEntry>& entries) {
        std::vector<std::string> below;
        std::vector<RawEntry> links;
        std::vector<std::string_view> strays;  // files that are no checkpoints
        const std::size_t first = checkpoints_.size();
        if (first == 0) checkpoints_.reserve(entries.size());
        for (const auto& entry : entries) {
            context_.check_cancelled();
            const std::size_t count = checkpoints_.size();
            if (entry.is_link) {
                links.push_back(entry);
            } else if (!take(path, entry) && entry.is_folder) {
                if (options_.recursive) {
                    below.push_back(path_in(path, entry.name));
                } else if (entry.name == kPausedFolder) {
                    paused(path_in(path, entry.name));
                }
            }
            if (!entry.is_link && !entry.is_folder && checkpoints_.size() == count) strays.push_back(entry.name);
        }
        join_parts(first);
        if (!strays.empty()) add_sidecars(path, first, strays);
        std::sort(links.begin(), links.end(), [](const RawEntry& a, const RawEntry& b) { return a.name < b.name; });
        std::sort(below.begin(), below.end());
        if (!links.empty()) resolve_links(path, first, links);
        for (const auto& next : below) {
            try {
                folder(next);
            } catch (const Error& error) {
                if (error.code() != ErrorCode::kNotFound) throw;
                skipped_.push_back({next, error.message()});  // its neighbours are looked at all the same
            }
        }
    }

    /// A folder that is rewritten by every save; false for anything else.
    bool consider_rolling(const std::string& full) {
        if (!options_.rolling) return false;
        const auto match = options_.rolling(full);
        if (!match) return false;
        CheckpointEntry checkpoint;
        checkpoint.path = full;
        checkpoint.match = *match;
        checkpoint.is_folder = true;
        checkpoints_.push_back(std::move(checkpoint));
        return true;
    }

    bool consider(std::string full, const RawEntry& entry) {
        if (entry.is_folder && consider_rolling(full)) return true;
        auto match = names_.classify(entry.name, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
        if (!match) return false;
        if (match->is_shard) {
            skipped_.push_back({std::move(full), "a shard: part of a checkpoint"});
            return true;
        }
        if (match->scheme == "generic-last-int" && !entry.is_folder &&
            !has_checkpoint_extension(entry.name, options_.extensions)) {
            return false;
        }
        if (entry.is_folder && !is_checkpoint_folder(full, *match, names_, options_.extensions)) {
            if (!options_.recursive) skipped_.push_back({std::move(full), "a folder that is no checkpoint by itself"});
            return false;
        }
        CheckpointEntry& checkpoint = checkpoints_.emplace_back();
        checkpoint.path = std::move(full);
        checkpoint.match = std::move(*match);
        checkpoint.is_folder = entry.is_folder;
        return true;
    }

private:
    /// No folder that every save rewrites is full of numbered names; to ask its layout means to read all of them again.
    bool is_full_of_checkpoints(const std::deque<RawEntry>& entries) {
        constexpr std::size_t kSample = kManyNames;
        if (entries.size() < kSample) return false;
        const auto is_numbered = [this](const RawEntry& entry) {
            const auto match = names_.classify(entry.name, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
            return match && match->index && !match->is_shard;
        };
        return std::count_if(entries.begin(), entries.begin() + kSample, is_numbered) > std::ptrdiff_t{kSample} / 2;
    }

    /// A folder of this name belongs to the runs beside it: what was saved when they were interrupted.
    static constexpr std::string_view kPausedFolder = "paused";
    void paused(const std::string& path) {
        try {
            const Listing listing = read_folder(path);
            for (const auto& entry : listing.entries) {
                const auto match = names_.classify(entry.name, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
                if (match && match->label == kPausedFolder) consider(path_in(path, entry.name), entry);
            }
        } catch (const Error& error) {
            skipped_.push_back({path, error.message()});
        }
    }

    /// Files of one set become one checkpoint, under the name of the first.
    void join_parts(std::size_t first) {
        std::map<std::pair<std::string, std::vector<double>>, std::vector<std::size_t>> sets;
        for (std::size_t i = first; i < checkpoints_.size(); ++i) {
            const NameMatch& match = checkpoints_[i].match;
            if (!match.is_part || checkpoints_[i].is_folder) continue;
            std::vector<double> numbers;
            for (const NameNumber& number : match.axes) numbers.push_back(number.value);
            sets[{match.series.str(), std::move(numbers)}].push_back(i);
        }
        if (sets.empty()) return;
        std::vector<bool> is_joined(checkpoints_.size(), false);
        for (auto& [key, members] : sets) {
            std::sort(members.begin(), members.end(),
                      [this](std::size_t a, std::size_t b) { return checkpoints_[a].name() < checkpoints_[b].name(); });
            for (std::size_t i = 1; i < members.size(); ++i) {
                checkpoints_[members[0]].others.push_back(checkpoints_[members[i]].path);
                is_joined[members[i]] = true;
            }
        }
        std::size_t kept = first;
        for (std::size_t i = first; i < checkpoints_.size(); ++i) {
            if (is_joined[i]) continue;
            if (kept != i) checkpoints_[kept] = std::move(checkpoints_[i]);
            ++kept;
        }
        checkpoints_.erase(checkpoints_.begin() + static_cast<std::ptrdiff_t>(kept), checkpoints_.end());
    }

    /// A file whose name is that of a numbered checkpoint, whole or without its extension, and more behind a dot; and
    /// what holds the rest of its state by its number.
    void add_sidecars(const std::string& path, std::size_t first, std::vector<std::string_view>& strays) {
        std::unordered_map<std::string_view, std::size_t> stems;
        for (std::size_t i = first; i < checkpoints_.size(); ++i) {
            const CheckpointEntry& entry = checkpoints_[i];
            if (entry.is_folder || entry.match.is_alias || !entry.match.index) continue;
            const NameNumber& last = entry.match.axes.back();
            std::string_view stem = entry.name();
            stems.emplace(stem, i);
            // No dot of a number (`loss=0.25`) begins an extension.
            for (std::size_t dot = stem.rfind('.'); dot != std::string_view::npos && dot >= last.begin + last.length;
                 dot = stem.rfind('.')) {
                stem = stem.substr(0, dot);
                stems.emplace(stem, i);
            }
        }
        std::optional<Owners> owners;
        std::sort(strays.begin(), strays.end());
        for (const std::string_view name : strays) {
            if (const auto why = names_.why_not(name); why && why->starts_with("leftover")) continue;
            std::optional<std::size_t> owner = owner_by_number(name, first, owners);
            for (std::size_t dot = name.rfind('.'); dot != std::string_view::npos && dot != 0;
                 dot = name.rfind('.', dot - 1)) {
                const auto stem = stems.find(name.substr(0, dot));
                if (stem == stems.end()) continue;
                owner = stem->second;
                break;
            }
            if (owner) checkpoints_[*owner].others.push_back(path_in(path, name));
        }
    }

    using Owners = std::unordered_map<double, std::optional<std::size_t>>;  ///< who alone has a number

    /// Whose a sidecar like `optimizer_3.pth` is. Numbers of ranks stand in other names.
    std::optional<std::size_t> owner_by_number(std::string_view name, std::size_t first,
                                               std::optional<Owners>& owners) {
        if (!name.starts_with("optimizer") && !name.starts_with("scheduler") && !name.starts_with("scaler")) return {};
        const auto match = names_.classify(name, EntryKind::kFile);
        if (!match || !match->index || match->is_shard) return {};
        for (std::size_t i = owners ? checkpoints_.size() : first; i < checkpoints_.size(); ++i) {
            if (!owners) owners.emplace();
            if (checkpoints_[i].match.is_alias || !checkpoints_[i].match.index) continue;
            const auto [owner, is_new] = owners->try_emplace(*checkpoints_[i].match.index, i);
            if (!is_new) owner->second.reset();
        }
        if (!owners) return {};
        const auto owner = owners->find(*match->index);
        return owner != owners->end() ? owner->second : std::nullopt;
    }

    /// Lists an entry or notes why not; false for a folder that may hold checkpoints further down.
    bool take(const std::string& path, const RawEntry& entry) {
        const auto why = names_.why_not(entry.name);
        if (!why || (entry.is_folder && entry.name == "checkpoint")) return consider(path_in(path, entry.name), entry);
        if (entry.is_folder && options_.recursive && !why->starts_with("leftover")) return false;
        skipped_.push_back({path_in(path, entry.name), *why});
        return true;
    }

    /// Links to a checkpoint of the same folder are its aliases, whatever their names are and however many links lie in
    /// between. Others are entries like files and folders.
    void resolve_links(const std::string& path, std::size_t first, const std::vector<RawEntry>& links) {
        std::error_code error;
        const fs::path here = fs::canonical(path, error);
        std::map<std::string, std::string, std::less<>> targets;  // of the links that lead to a name of this folder
        for (const auto& link : links) {
            if (auto target = target_in(here, link.name); !target.empty())
                targets.emplace(link.name, std::move(target));
        }
        struct Chain {
            const RawEntry* link;
            std::vector<std::string> names;  ///< what it leads to, step by step, as long as that is in the folder
        };
        std::vector<Chain> chains;
        for (const auto& link : links) {
            Chain chain{&link, {}};
            for (auto next = targets.find(link.name); next != targets.end(); next = targets.find(next->second)) {
                chain.names.push_back(next->second);
                if (chain.names.size() <= kMostLinks) continue;
                chain.names.clear();  // a ring
                break;
            }
            chains.push_back(std::move(chain));
        }
        // The short ones first: a link that is listed itself may have aliases.
        std::stable_sort(chains.begin(), chains.end(),
                         [](const Chain& a, const Chain& b) { return a.names.size() < b.names.size(); });
        for (const auto& chain : chains) {
            CheckpointEntry* target = nullptr;
            for (auto it = chain.names.rbegin(); target == nullptr && it != chain.names.rend(); ++it)
                target = find(first, *it);
            if (target != nullptr) {
                target->aliases.emplace_back(chain.link->name);
            } else {
                take_link(path, *chain.link);
            }
        }
        for (std::size_t i = first; i < checkpoints_.size(); ++i)
            std::sort(checkpoints_[i].aliases.begin(), checkpoints_[i].aliases.end());
    }

    /// The name in the folder `here` that a link of it leads to in one step; empty if it leads elsewhere.
    static std::string target_in(const fs::path& here, std::string_view link) {
        std::error_code error;
        fs::path target = here / fs::read_symlink(here / link, error);
        if (error) return {};
        while (target.has_relative_path() && (target.filename().empty() || target.filename() == "."))
            target = target.parent_path();  // "checkpoint-5/"
        const bool is_here = fs::canonical(target.parent_path(), error) == here && !error;
        return is_here ? target.filename().string() : std::string();
    }

    CheckpointEntry* find(std::size_t first, const std::string& name) {
        const auto found = std::find_if(checkpoints_.begin() + static_cast<std::ptrdiff_t>(first), checkpoints_.end(),
                                        [&](const CheckpointEntry& entry) { return entry.name() == name; });
        return found != checkpoints_.end() ? &*found : nullptr;
    }

    /// A link to no checkpoint of its folder: an entry of its own where its name is that of one.
    void take_link(const std::string& path, const RawEntry& link) {
        std::string full = path_in(path, link.name);
        const auto why = names_.why_not(link.name);
        if (!why) {
            consider(std::move(full), link);
            return;
        }
        std::error_code error;
        const bool is_there = fs::exists(full, error);
        const bool is_pointer = why->starts_with("pointer");
        skipped_.push_back({full, !is_pointer ? *why
                                  : is_there  ? "pointer to what is no checkpoint of this folder"
                                              : "pointer to a checkpoint that is not there"});
    }

    static constexpr std::size_t kMostLinks = 40;  ///< as many as Linux follows

    const ScanOptions& options_;
    const Context& context_;
    NameTable table_;
    NameReader names_;
    std::vector<CheckpointEntry>& checkpoints_;
    std::vector<SkippedEntry>& skipped_;
};

}  // namespace

std::string path_in(const std::string& folder, std::string_view name) {
    std::string path;
    if (folder != "." || name.starts_with('-')) {
        path.reserve(folder.size() + 1 + name.size());
        path = folder;
        if (!folder.ends_with('/')) path += '/';
    }
    return path += name;
}

void scan_folder(const std::string& path, const ScanOptions& options, const Context& context,
                 std::vector<CheckpointEntry>& checkpoints, std::vector<SkippedEntry>& skipped) {
    Scanner scanner(options, context, checkpoints, skipped);
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) {
        scanner.top(path);
        return;
    }
    const std::string name = fs::path(path).filename().string();
    if (scanner.consider(path, {name})) return;
    CheckpointEntry& checkpoint = checkpoints.emplace_back();  // asked for by name: whatever its name says
    checkpoint.path = path;
}

}  // namespace ckpt
