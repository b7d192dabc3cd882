// Scanning, grouping and choosing.
#include "libckpt/run_folder.hpp"

#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <compare>
#include <cstring>
#include <filesystem>
#include <map>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>

#include "libckpt/checkpoint_folder.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

struct RawEntry {
    std::string name;
    bool is_folder = false;
    bool is_link = false;
};

/// So many names of a folder tell what it is.
constexpr std::size_t kManyNames = 64;

/// In no order: there may be thousands, and what becomes of them is sorted later.
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
    return entries;
}

/// In the current folder the name alone, unless a command would take it for an option.
std::string join(const std::string& folder, const std::string& name) {
    if (folder == "." && name.starts_with('-')) return "./" + name;
    if (folder == ".") return name;
    return folder.ends_with('/') ? folder + name : folder + '/' + name;
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

    /// The folder that was asked for, whose own name is `name`.
    void top(const std::string& path, const std::string& name) {
        const auto entries = read_folder(path);
        if (!is_full_of_checkpoints(entries) && consider_rolling(path, name)) return;
        folder(path, entries);
    }

    void folder(const std::string& path) { folder(path, read_folder(path)); }

    void folder(const std::string& path, const std::vector<RawEntry>& entries) {
        std::vector<std::string> below;
        std::vector<RawEntry> links;
        std::vector<std::string> strays;  // files that are no checkpoints
        const std::size_t first = checkpoints_.size();
        if (first == 0) checkpoints_.reserve(entries.size());
        for (const auto& entry : entries) {
            context_.check_cancelled();
            const std::size_t count = checkpoints_.size();
            if (entry.is_link) {
                links.push_back(entry);
            } else if (!take(path, entry) && entry.is_folder) {
                if (options_.recursive) {
                    below.push_back(join(path, entry.name));
                } else if (entry.name == kPausedFolder) {
                    paused(join(path, entry.name));
                }
            }
            if (!entry.is_link && !entry.is_folder && checkpoints_.size() == count) strays.push_back(entry.name);
        }
        join_parts(first);
        if (!strays.empty()) add_sidecars(path, first, strays);
        std::sort(links.begin(), links.end(), [](const RawEntry& a, const RawEntry& b) { return a.name < b.name; });
        std::sort(below.begin(), below.end());
        if (!links.empty()) resolve_links(path, first, links);
        for (const auto& next : below) folder(next);
    }

    /// A folder that is rewritten by every save; false for anything else.
    bool consider_rolling(const std::string& full, const std::string& name) {
        if (!options_.rolling) return false;
        const auto match = options_.rolling(full);
        if (!match) return false;
        CheckpointEntry checkpoint;
        checkpoint.path = full;
        checkpoint.name = name;
        checkpoint.match = *match;
        checkpoint.is_folder = true;
        checkpoints_.push_back(std::move(checkpoint));
        return true;
    }

    bool consider(const std::string& full, const RawEntry& entry) {
        if (entry.is_folder && consider_rolling(full, entry.name)) return true;
        const auto match = names_.classify(entry.name, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
        if (!match) return false;
        if (match->is_shard) {
            skipped_.push_back({full, "a shard: part of a checkpoint"});
            return true;
        }
        if (match->scheme == "generic-last-int" && !entry.is_folder &&
            !has_checkpoint_extension(entry.name, options_.extensions)) {
            return false;
        }
        if (entry.is_folder && !is_checkpoint_folder(full, *match, names_, options_.extensions)) {
            if (!options_.recursive) skipped_.push_back({full, "a folder that is no checkpoint by itself"});
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
    /// No folder that every save rewrites is full of numbered names; to ask its layout means to read all of them again.
    bool is_full_of_checkpoints(const std::vector<RawEntry>& entries) {
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
            for (const auto& entry : read_folder(path)) {
                const auto match = names_.classify(entry.name, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
                if (match && match->label == kPausedFolder) consider(join(path, entry.name), entry);
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
                      [this](std::size_t a, std::size_t b) { return checkpoints_[a].name < checkpoints_[b].name; });
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
    void add_sidecars(const std::string& path, std::size_t first, std::vector<std::string>& strays) {
        std::unordered_map<std::string_view, std::size_t> stems;
        for (std::size_t i = first; i < checkpoints_.size(); ++i) {
            const CheckpointEntry& entry = checkpoints_[i];
            if (entry.is_folder || entry.match.is_alias || !entry.match.index) continue;
            const NameNumber& last = entry.match.axes.back();
            std::string_view stem = entry.name;
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
        for (const std::string& name : strays) {
            if (const auto why = names_.why_not(name); why && why->starts_with("leftover")) continue;
            std::optional<std::size_t> owner = owner_by_number(name, first, owners);
            for (std::size_t dot = name.rfind('.'); dot != std::string::npos && dot != 0;
                 dot = name.rfind('.', dot - 1)) {
                const auto stem = stems.find(std::string_view(name).substr(0, dot));
                if (stem == stems.end()) continue;
                owner = stem->second;
                break;
            }
            if (owner) checkpoints_[*owner].others.push_back(join(path, name));
        }
    }

    using Owners = std::unordered_map<double, std::optional<std::size_t>>;  ///< who alone has a number

    /// Whose a sidecar like `optimizer_3.pth` is. Numbers of ranks stand in other names.
    std::optional<std::size_t> owner_by_number(const std::string& name, std::size_t first,
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
        const std::string full = join(path, entry.name);
        const auto why = names_.why_not(entry.name);
        if (!why || (entry.is_folder && entry.name == "checkpoint")) return consider(full, entry);
        if (entry.is_folder && options_.recursive && !why->starts_with("leftover")) return false;
        skipped_.push_back({full, *why});
        return true;
    }

    /// Links to a checkpoint of the same folder are its aliases, whatever their names are and however many links lie in
    /// between. Others are entries like files and folders.
    void resolve_links(const std::string& path, std::size_t first, const std::vector<RawEntry>& links) {
        std::error_code error;
        const fs::path here = fs::canonical(path, error);
        std::map<std::string, std::string> targets;  // of the links that lead to a name of this folder
        for (const auto& link : links) {
            if (auto target = target_in(here, link.name); !target.empty()) targets[link.name] = std::move(target);
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
                target->aliases.push_back(chain.link->name);
            } else {
                take_link(path, *chain.link);
            }
        }
        for (std::size_t i = first; i < checkpoints_.size(); ++i)
            std::sort(checkpoints_[i].aliases.begin(), checkpoints_[i].aliases.end());
    }

    /// The name in the folder `here` that a link of it leads to in one step; empty if it leads elsewhere.
    static std::string target_in(const fs::path& here, const std::string& link) {
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
                                        [&](const CheckpointEntry& entry) { return entry.name == name; });
        return found != checkpoints_.end() ? &*found : nullptr;
    }

    /// A link to no checkpoint of its folder: an entry of its own where its name is that of one.
    void take_link(const std::string& path, const RawEntry& link) {
        const std::string full = join(path, link.name);
        const auto why = names_.why_not(link.name);
        if (!why) {
            consider(full, link);
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

double seconds_of(const struct timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void measure(CheckpointEntry& entry) {
    struct stat status = {};
    if (::stat(entry.path.c_str(), &status) != 0) return;
    entry.mtime_seconds = seconds_of(status.st_mtim);
    entry.bytes = static_cast<std::uint64_t>(status.st_size);
    for (const std::string& other : entry.others) {
        if (::stat(other.c_str(), &status) != 0) continue;
        entry.bytes += static_cast<std::uint64_t>(status.st_size);
        if (entry.match.is_part) entry.mtime_seconds = std::max(entry.mtime_seconds, seconds_of(status.st_mtim));
    }
    if (!entry.is_folder) return;
    entry.bytes = 0;
    entry.mtime_seconds = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator it(entry.path, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (!it->is_regular_file(ignored)) continue;
        entry.bytes += it->file_size(ignored);
        if (::stat(it->path().c_str(), &status) == 0)
            entry.mtime_seconds = std::max(entry.mtime_seconds, seconds_of(status.st_mtim));
    }
    if (entry.mtime_seconds == 0 && ::stat(entry.path.c_str(), &status) == 0)
        entry.mtime_seconds = seconds_of(status.st_mtim);  // nothing is in it
}

/// The folder as it stands in the path; empty for the current one.
std::string_view folder_of(const CheckpointEntry& entry) {
    std::string_view folder = entry.path;
    while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
    folder.remove_suffix(std::min(folder.size(), entry.name.size()));
    while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
    return folder == "." ? std::string_view() : folder;
}

/// Folder and series: what is saved in turn.
using SeriesKey = std::pair<std::string_view, std::string_view>;
SeriesKey series_key(const CheckpointEntry& entry) {
    return {folder_of(entry), entry.match.series};
}

/// How a series compares with others; the main one is the greatest.
struct SeriesRank {
    bool on_axis = false;   ///< some of it have a number on the axis asked for
    std::size_t count = 0;  ///< of those, or of all
    double last = 0;        ///< the greatest number
    auto operator<=>(const SeriesRank&) const = default;
};
std::map<SeriesKey, SeriesRank> rank_series(const std::vector<CheckpointEntry>& entries, const std::string& axis) {
    std::map<SeriesKey, SeriesRank> ranks;
    auto held = ranks.end();  // neighbours are mostly of one series
    for (const auto& entry : entries) {
        if (entry.match.is_alias) continue;
        const auto number = entry.match.on_axis(axis);
        const SeriesKey key = series_key(entry);
        if (held == ranks.end() || held->first != key) held = ranks.try_emplace(key).first;
        SeriesRank& rank = held->second;
        if (number && !rank.on_axis) rank = {true, 0, *number};
        if (!number && rank.on_axis) continue;
        const double value = number ? *number : entry.match.index.value_or(0);
        rank.last = rank.count == 0 ? value : std::max(rank.last, value);
        ++rank.count;
    }
    return ranks;
}

/// Without the noise of the last digits: 0.3 - 0.2 is 0.1.
double rounded(double value) {
    return value == std::floor(value) ? value : std::round(value * 1e9) / 1e9;
}

/// The difference between neighbours that occurs most; the last of equals. 1 if there are no two.
double usual_step(const std::vector<double>& ascending) {
    std::map<double, std::size_t> counts;
    double usual = 1;
    for (std::size_t i = 1; i < ascending.size(); ++i) ++counts[rounded(ascending[i] - ascending[i - 1])];
    counts.erase(0);  // two saves with one number
    std::size_t most = 0;
    for (std::size_t i = ascending.size(); i-- > 1;) {
        const auto found = counts.find(rounded(ascending[i] - ascending[i - 1]));
        if (found == counts.end() || found->second <= most) continue;
        most = found->second;
        usual = found->first;
    }
    return usual;
}

/// A name with one of its numbers replaced, zeros in front kept.
std::string with_number(std::string name, const NameNumber& place, double value) {
    const std::string old_text = name.substr(place.begin, place.length);
    std::string text = index_text(value);
    const bool is_padded =
        old_text.size() > 1 && old_text[0] == '0' && old_text.find_first_not_of("0123456789") == std::string::npos;
    if (is_padded && value >= 0 && text.size() < old_text.size()) text.insert(0, old_text.size() - text.size(), '0');
    return name.replace(place.begin, place.length, text);
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
    const fs::path trimmed = fs::path(path).filename().empty() ? fs::path(path).parent_path() : fs::path(path);
    scanner.top(path, trimmed.filename().string());
    if (!options.series.empty()) {
        std::erase_if(folder.checkpoints_, [&](const CheckpointEntry& entry) {
            return ::fnmatch(options.series.c_str(), entry.match.series.str().c_str(), 0) != 0;
        });
    }
    folder.sort();
    std::sort(folder.skipped_.begin(), folder.skipped_.end(),
              [](const SkippedEntry& a, const SkippedEntry& b) { return a.path < b.path; });
    return folder;
}

RunFolder RunFolder::of(CheckpointEntry entry) {
    RunFolder folder;
    folder.path_ = entry.path;
    folder.checkpoints_.push_back(std::move(entry));
    return folder;
}

bool RunFolder::is_surely_many() const noexcept {
    return checkpoints_.size() >= kManyNames &&
           std::all_of(checkpoints_.begin(), checkpoints_.begin() + kManyNames / 2,
                       [](const CheckpointEntry& entry) { return entry.match.index.has_value(); });
}

void RunFolder::sort() {
    const std::string axis = main_axis();
    const auto ranks = rank_series(checkpoints_, axis);
    // The series in their order, so that entries compare by numbers.
    std::map<std::pair<SeriesRank, std::string_view>, std::size_t> order;
    for (const auto& [key, rank] : ranks) order.emplace(std::pair{rank, key.second}, 0);
    std::size_t place = 0;
    for (auto& [key, number] : order) number = ++place;
    struct Key {
        bool is_alias;
        std::string_view folder;
        bool is_unnumbered;
        std::size_t series;
        bool on_axis;
        double number;
        const CheckpointEntry* entry;
    };
    std::vector<Key> keys;
    keys.reserve(checkpoints_.size());
    SeriesKey last_key;
    std::size_t last_place = 0;
    for (const auto& entry : checkpoints_) {
        const SeriesKey series = series_key(entry);
        if (keys.empty() || series != last_key) {
            const auto rank = ranks.find(series);
            last_place = rank != ranks.end() ? order[{rank->second, series.second}] : 0;
            last_key = series;
        }
        const NameNumber* number = entry.match.number_on(axis);
        keys.push_back({entry.match.is_alias, series.first, !entry.match.index.has_value(), last_place,
                        number != nullptr, number != nullptr ? number->value : entry.match.index.value_or(0), &entry});
    }
    std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
        const auto fields = [](const Key& key) {
            return std::tie(key.is_alias, key.folder, key.is_unnumbered, key.series, key.on_axis, key.number);
        };
        if (fields(a) != fields(b)) return fields(a) < fields(b);
        const auto& x = a.entry->match.axes;
        const auto& y = b.entry->match.axes;
        // A metric may be NaN: it goes behind all numbers.
        const auto is_equal = [](const NameNumber& m, const NameNumber& n) {
            return m.value == n.value || (std::isnan(m.value) && std::isnan(n.value));
        };
        const auto [m, n] = std::mismatch(x.begin(), x.end(), y.begin(), y.end(), is_equal);
        if (m != x.end() && n != y.end()) return !std::isnan(m->value) && (std::isnan(n->value) || m->value < n->value);
        const auto rest = [](const CheckpointEntry& entry) {
            return std::tuple(entry.match.axes.size(), collision_counter(entry.match, entry.name),
                              std::string_view(entry.name));
        };
        return rest(*a.entry) < rest(*b.entry);
    });
    std::vector<CheckpointEntry> sorted;
    sorted.reserve(checkpoints_.size());
    for (const auto& key : keys)
        sorted.push_back(std::move(checkpoints_[static_cast<std::size_t>(key.entry - checkpoints_.data())]));
    checkpoints_ = std::move(sorted);
}

std::string RunFolder::main_axis() const {
    // Only what is some checkpoint's index: a metric in the name is no axis to go by.
    std::map<std::string, std::size_t> counts;
    for (const auto& entry : checkpoints_) {
        if (entry.match.index && !entry.match.is_alias) counts[entry.match.axis] = 0;
    }
    for (auto& [axis, count] : counts) {
        for (const auto& entry : checkpoints_) count += !entry.match.is_alias && entry.match.number_on(axis) != nullptr;
    }
    std::string best;
    for (const auto& [axis, count] : counts) {
        if (best.empty() || count > counts[best] || (count == counts[best] && axis == "epoch")) best = axis;
    }
    return best;
}

std::vector<const CheckpointEntry*> RunFolder::main_series(const std::string& axis) const {
    const auto ranks = rank_series(checkpoints_, axis);
    const SeriesKey* main = nullptr;
    const SeriesRank* highest = nullptr;
    for (const auto& [key, rank] : ranks) {
        if (!rank.on_axis || (highest != nullptr && rank < *highest)) continue;
        main = &key;
        highest = &rank;
    }
    std::vector<std::pair<double, const CheckpointEntry*>> numbered;
    for (const auto& entry : checkpoints_) {
        if (main == nullptr || entry.match.is_alias) continue;
        const NameNumber* number = entry.match.number_on(axis);
        if (number != nullptr && series_key(entry) == *main) numbered.emplace_back(number->value, &entry);
    }
    std::stable_sort(numbered.begin(), numbered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<const CheckpointEntry*> series;
    series.reserve(numbered.size());
    for (const auto& [number, entry] : numbered) series.push_back(entry);
    return series;
}

const CheckpointEntry* RunFolder::newest(const std::string& axis, const IndexBound& bound) {
    const auto all = candidates(axis, bound);
    return all.empty() ? nullptr : all.back();
}

std::vector<const CheckpointEntry*> RunFolder::candidates(const std::string& axis, const IndexBound& bound) {
    std::vector<const CheckpointEntry*> found;
    if (axis == "time") {
        stat();
        for (const auto& entry : checkpoints_) {
            if (!entry.match.is_alias && bound.admits(entry.mtime_seconds)) found.push_back(&entry);
        }
        std::stable_sort(found.begin(), found.end(), [](const CheckpointEntry* a, const CheckpointEntry* b) {
            return a->mtime_seconds < b->mtime_seconds;
        });
        return found;
    }
    const std::string wanted = axis.empty() ? main_axis() : axis;
    for (const auto* entry : main_series(wanted)) {
        if (bound.admits(entry->match.number_on(wanted)->value)) found.push_back(entry);
    }
    const bool is_any = axis.empty() && bound.kind == IndexBound::Kind::kNone;
    if (found.empty() && is_any) {
        if (const CheckpointEntry* last = only_last()) found.push_back(last);
    }
    return found;
}

const CheckpointEntry* RunFolder::only_last() const {
    const CheckpointEntry* found = nullptr;
    for (const auto& entry : checkpoints_) {
        const bool is_last = entry.match.is_alias ? entry.match.scheme == "last"
                                                  : entry.match.label == "last" || entry.match.label == "joint";
        if (!is_last) continue;
        if (found != nullptr) return nullptr;  // two say so
        found = &entry;
    }
    return found;
}

const CheckpointEntry* RunFolder::at(const std::string& axis, double index) const {
    const std::string wanted = axis.empty() ? main_axis() : axis;
    for (const auto* entry : main_series(wanted)) {
        if (entry->match.number_on(wanted)->value == index) return entry;
    }
    for (const auto& entry : checkpoints_) {
        if (!entry.match.is_alias && entry.match.on_axis(wanted) == index) return &entry;
    }
    return nullptr;
}

std::optional<std::pair<double, std::string>> RunFolder::next() const {
    const std::string axis = main_axis();
    const auto series = main_series(axis);
    if (series.empty()) return std::nullopt;
    const CheckpointEntry& last = *series.back();
    std::vector<double> numbers;
    for (const auto* entry : series) numbers.push_back(entry->match.number_on(axis)->value);
    double index = 0;
    if (axis == "run") {  // a gap is a free slot
        index = last.match.base;
        for (const double number : numbers) index += number == index ? 1 : 0;
    } else {
        index = rounded(numbers.back() + usual_step(numbers));
    }
    if (last.match.number_on(axis)->length == 0) return std::pair{index, last.path};  // it is rewritten
    const std::string folder(folder_of(last));
    return std::pair{index,
                     join(folder.empty() ? "." : folder, with_number(last.name, *last.match.number_on(axis), index))};
}

void RunFolder::stat() {
    if (has_stat_) return;
    for (auto& entry : checkpoints_) measure(entry);
    has_stat_ = true;
}

}  // namespace ckpt
