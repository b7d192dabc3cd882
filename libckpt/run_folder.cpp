// Grouping, ordering and choosing.
#include "libckpt/run_folder.hpp"

#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstring>
#include <filesystem>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "libckpt/folder_scan.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

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
    folder.remove_suffix(entry.name().size());
    while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
    return folder == "." ? std::string_view() : folder;
}

/// Puts at each place the entry that is now at `from` of it, without a second array of them.
void put_in_order(std::vector<CheckpointEntry>& entries, std::vector<std::uint32_t> from) {
    for (std::uint32_t first = 0; first < from.size(); ++first) {
        if (from[first] == first) continue;
        CheckpointEntry held = std::move(entries[first]);
        std::uint32_t place = first;
        while (from[place] != first) {
            entries[place] = std::move(entries[from[place]]);
            place = std::exchange(from[place], place);
        }
        entries[place] = std::move(held);
        from[place] = place;
    }
}

/// Folder and series: what is saved in turn.
struct SeriesKey {
    std::string_view folder;
    std::string_view series;
    auto operator<=>(const SeriesKey&) const = default;
    bool operator==(const SeriesKey& other) const noexcept {
        const bool is_one_text = series.data() == other.series.data() && series.size() == other.series.size();
        return (is_one_text || series == other.series) && folder == other.folder;
    }
};
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
std::map<SeriesKey, SeriesRank> rank_series(const std::vector<CheckpointEntry>& entries, std::string_view axis) {
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

std::string_view CheckpointEntry::name() const noexcept {
    std::string_view name = path;
    while (name.ends_with('/')) name.remove_suffix(1);
    // Asked again and again of thousands: rfind looks at each byte by itself.
    const auto* slash = static_cast<const char*>(::memrchr(name.data(), '/', name.size()));
    return slash != nullptr ? name.substr(static_cast<std::size_t>(slash - name.data()) + 1) : name;
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
    scan_folder(path, options, context, folder.checkpoints_, folder.skipped_);
    if (!options.series.empty()) {
        std::erase_if(folder.checkpoints_, [&](const CheckpointEntry& entry) {
            return ::fnmatch(options.series.c_str(), entry.match.series.str().c_str(), 0) != 0;
        });
    }
    folder.main_axis_ = folder.find_main_axis();
    folder.sort();
    std::sort(folder.skipped_.begin(), folder.skipped_.end(),
              [](const SkippedEntry& a, const SkippedEntry& b) { return a.path < b.path; });
    return folder;
}

RunFolder RunFolder::of(CheckpointEntry entry) {
    RunFolder folder;
    folder.path_ = entry.path;
    folder.checkpoints_.push_back(std::move(entry));
    folder.main_axis_ = folder.find_main_axis();
    return folder;
}

bool RunFolder::is_surely_many() const noexcept {
    return checkpoints_.size() >= kManyNames &&
           std::all_of(checkpoints_.begin(), checkpoints_.begin() + kManyNames / 2,
                       [](const CheckpointEntry& entry) { return entry.match.index.has_value(); });
}

void RunFolder::sort() {
    const std::string_view axis = main_axis_;
    const auto ranks = rank_series(checkpoints_, axis);
    // The series in their order, so that entries compare by numbers.
    std::map<std::pair<SeriesRank, std::string_view>, std::size_t> order;
    for (const auto& [key, rank] : ranks) order.emplace(std::pair{rank, key.series}, 0);
    std::size_t place = 0;
    for (auto& [key, number] : order) number = ++place;

    /// Entries that differ here are in this order, whatever their numbers are.
    struct Group {
        bool is_alias;
        std::string_view folder;
        bool is_unnumbered;
        std::size_t series;
        bool on_axis;
        auto operator<=>(const Group&) const = default;
    };
    std::map<Group, std::uint32_t> groups;
    struct Key {
        const std::uint32_t* group;  ///< its place among the groups
        double number;
        std::uint32_t entry;
    };
    std::vector<Key> keys;
    keys.reserve(checkpoints_.size());
    SeriesKey last_key;
    auto last_group = groups.end();
    std::size_t last_place = 0;
    for (const auto& entry : checkpoints_) {
        const SeriesKey series = series_key(entry);
        if (keys.empty() || series != last_key) {
            const auto rank = ranks.find(series);
            last_place = rank != ranks.end() ? order[{rank->second, series.series}] : 0;
            last_key = series;
        }
        const NameNumber* number = entry.match.number_on(axis);
        const Group group{entry.match.is_alias, series.folder, !entry.match.index.has_value(), last_place,
                          number != nullptr};
        if (last_group == groups.end() || last_group->first != group) last_group = groups.try_emplace(group).first;
        keys.push_back({&last_group->second, number != nullptr ? number->value : entry.match.index.value_or(0),
                        static_cast<std::uint32_t>(keys.size())});
    }
    std::uint32_t group_place = 0;
    for (auto& [group, number] : groups) number = group_place++;
    std::sort(keys.begin(), keys.end(), [this](const Key& a, const Key& b) {
        if (*a.group != *b.group) return *a.group < *b.group;
        if (a.number != b.number) return a.number < b.number;
        const auto& x = checkpoints_[a.entry].match.axes;
        const auto& y = checkpoints_[b.entry].match.axes;
        // A metric may be NaN: it goes behind all numbers.
        const auto is_equal = [](const NameNumber& m, const NameNumber& n) {
            return m.value == n.value || (std::isnan(m.value) && std::isnan(n.value));
        };
        const auto [m, n] = std::mismatch(x.begin(), x.end(), y.begin(), y.end(), is_equal);
        if (m != x.end() && n != y.end()) return !std::isnan(m->value) && (std::isnan(n->value) || m->value < n->value);
        const auto rest = [](const CheckpointEntry& entry) {
            const std::string_view name = entry.name();
            return std::tuple(entry.match.axes.size(), collision_counter(entry.match, name), name);
        };
        return rest(checkpoints_[a.entry]) < rest(checkpoints_[b.entry]);
    });
    std::vector<std::uint32_t> from;
    from.reserve(keys.size());
    for (const Key& key : keys) from.push_back(key.entry);
    put_in_order(checkpoints_, std::move(from));
}

Label RunFolder::find_main_axis() const {
    // Only what is some checkpoint's index: a metric in the name is no axis to go by.
    std::map<std::string_view, std::pair<Label, std::size_t>> counts;
    auto held = counts.end();  // neighbours mostly have one
    for (const auto& entry : checkpoints_) {
        if (!entry.match.index || entry.match.is_alias) continue;
        const Label& axis = entry.match.axis;
        if (held == counts.end() || !(held->second.first == axis)) held = counts.try_emplace(axis, axis, 0).first;
    }
    Label best;
    std::size_t most = 0;
    for (auto& [name, counted] : counts) {
        auto& [axis, count] = counted;
        for (const auto& entry : checkpoints_) count += !entry.match.is_alias && entry.match.number_on(axis) != nullptr;
        if (!best.empty() && count < most + (name == "epoch" ? 0 : 1)) continue;
        best = axis;
        most = count;
    }
    return best;
}

std::vector<const CheckpointEntry*> RunFolder::main_series(std::string_view axis) const {
    const auto ranks = rank_series(checkpoints_, axis);
    const SeriesKey* main = nullptr;
    const SeriesRank* highest = nullptr;
    for (const auto& [key, rank] : ranks) {
        if (!rank.on_axis || (highest != nullptr && rank < *highest)) continue;
        main = &key;
        highest = &rank;
    }
    std::vector<const CheckpointEntry*> series;
    for (const auto& entry : checkpoints_) {
        if (main == nullptr || entry.match.is_alias) continue;
        if (entry.match.number_on(axis) != nullptr && series_key(entry) == *main) series.push_back(&entry);
    }
    // On the main axis they are in order already.
    const auto is_before = [axis](const CheckpointEntry* a, const CheckpointEntry* b) {
        return a->match.number_on(axis)->value < b->match.number_on(axis)->value;
    };
    if (!std::is_sorted(series.begin(), series.end(), is_before))
        std::stable_sort(series.begin(), series.end(), is_before);
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
    const std::string_view wanted = axis.empty() ? std::string_view(main_axis_) : axis;
    found = main_series(wanted);
    std::erase_if(found,
                  [&](const CheckpointEntry* entry) { return !bound.admits(entry->match.number_on(wanted)->value); });
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
    const std::string_view wanted = axis.empty() ? std::string_view(main_axis_) : axis;
    for (const auto* entry : main_series(wanted)) {
        if (entry->match.number_on(wanted)->value == index) return entry;
    }
    for (const auto& entry : checkpoints_) {
        if (!entry.match.is_alias && entry.match.on_axis(wanted) == index) return &entry;
    }
    return nullptr;
}

bool RunFolder::has_axis(std::string_view axis) const {
    return std::any_of(checkpoints_.begin(), checkpoints_.end(),
                       [axis](const CheckpointEntry& entry) { return entry.match.number_on(axis) != nullptr; });
}

std::optional<std::pair<double, std::string>> RunFolder::next(const std::string& wanted) const {
    const std::string_view axis = wanted.empty() ? std::string_view(main_axis_) : wanted;
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
    std::string name(last.name());
    // What told it from another of its number is none of the next one's.
    if (const auto counter = collision_counter(last.match, last.name()); counter != 0)
        name.erase(name.rfind("-v"), fmt::format("-v{}", counter).size());
    return std::pair{index, path_in(folder.empty() ? "." : folder,
                                    with_number(std::move(name), *last.match.number_on(axis), index))};
}

void RunFolder::stat() {
    if (has_stat_) return;
    for (auto& entry : checkpoints_) measure(entry);
    has_stat_ = true;
}

}  // namespace ckpt
