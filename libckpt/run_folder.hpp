// A folder of checkpoints: what is in it by name, in which order, and which one a script wants.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/series.hpp"

namespace ckpt {

/// A checkpoint as its name shows it: nothing of it was opened.
struct CheckpointEntry {
    std::string path;
    NameMatch match;
    bool is_folder = false;
    std::uint64_t bytes = 0;   ///< filled by RunFolder::stat
    double mtime_seconds = 0;  ///< since 1970; filled by RunFolder::stat
    /// Paths of the other files that come and go with it: the parts of a set that has no folder of its own, and what
    /// has its name with another extension (`epoch=3.yaml` beside `epoch=3.ckpt`). Counted in `bytes`.
    std::vector<std::string> others;
    std::vector<std::string> aliases;  ///< names of links in the same folder that lead here, however many steps on

    /// The last component of the path, without slashes behind it.
    std::string_view name() const noexcept;
};

struct SkippedEntry {
    std::string path;
    std::string why;

    /// A folder below the one that was scanned.
    bool is_unreadable() const { return why.starts_with("cannot be read"); }
};

/// Which checkpoint is wanted, by its index on an axis.
struct IndexBound {
    enum class Kind : std::uint8_t { kNone, kPriorTo, kUpTo, kAt } kind = Kind::kNone;
    double index = 0;

    /// Strictly before for kPriorTo; kUpTo and kAt include it.
    bool admits(double value) const noexcept;
    /// " before 40", for messages.
    std::string phrase() const;
};

struct ScanOptions {
    bool recursive = false;
    std::string pattern;  ///< a regular expression of the user's own
    std::string axis;     ///< the axis of that pattern, or the one asked for by --by
    std::vector<std::string>
        extensions;      ///< of the layouts that are known: a name that only ends in a number needs one
    std::string series;  ///< a glob (`*`, `?`, `[...]`) over names of series; others are left out
    /// Asked of the folder itself and of each folder in it, whatever its name: what a folder says of itself that is
    /// rewritten by every save; nullopt for any other. A number whose length is 0 does not stand in the name.
    std::function<std::optional<NameMatch>(const std::string& path)> rolling;
};

class RunFolder {
public:
    /// Reads the folder's names once and opens nothing. A file given as `path` is a folder of that one file. Throws
    /// Error (kNotFound) naming the path when it cannot be read, (kUsage) for a bad pattern.
    static RunFolder scan(const std::string& path, const ScanOptions& options, const Context& context);

    /// A folder of one checkpoint.
    static RunFolder of(CheckpointEntry entry);

    /// By folder, then by series with the main one last, then numerically; then what has no number; aliases last of
    /// all. A link to a checkpoint of the same folder is an alias of that one and not listed; a link that leads
    /// elsewhere is.
    const std::vector<CheckpointEntry>& checkpoints() const noexcept { return checkpoints_; }
    const std::vector<SkippedEntry>& skipped() const noexcept { return skipped_; }
    /// The checkpoints, for who needs the rest no longer.
    std::vector<CheckpointEntry> take_checkpoints() && { return std::move(checkpoints_); }
    /// Whether it holds so many numbered checkpoints that it cannot be the folder of a single one.
    bool is_surely_many() const noexcept;

    /// The axis that most of the numbered checkpoints have, be it as their index or beside it; epoch on a tie. Empty if
    /// there are none.
    const Label& main_axis() const noexcept { return main_axis_; }
    /// The last of the main series on `axis` (empty: the main axis) within the bound, or nullptr. The main series is
    /// the one of which most checkpoints have the axis; of equal ones that which got furthest, then the last by name.
    /// Aliases and other series do not compete; but where nothing is numbered and neither axis nor bound is asked for,
    /// the only one that calls itself the last (`last.ckpt`) is it. On the axis "time" (modification time) all series
    /// do.
    const CheckpointEntry* newest(const std::string& axis, const IndexBound& bound);
    /// All that `newest` chooses among, the newest last.
    std::vector<const CheckpointEntry*> candidates(const std::string& axis, const IndexBound& bound);
    /// The one with exactly this index, of the main series if it has one, or nullptr.
    const CheckpointEntry* at(const std::string& axis, double index) const;
    /// The index and the path that the next save takes: the last name of the main series with its number on `axis`
    /// (empty: the main axis) put on by the usual step, the one that occurs most (the latest of equals; 1 after a
    /// single save); other numbers stay. For numbered runs the first free slot; for a folder that every save rewrites
    /// that folder. nullopt when there is no series to continue.
    std::optional<std::pair<double, std::string>> next(const std::string& axis = {}) const;
    /// Whether some checkpoint has a number on it.
    bool has_axis(std::string_view axis) const;

    /// Sizes and times of all entries (one system call each; a folder's size is that of the files in it, its time that
    /// of the newest).
    void stat();

private:
    void sort();
    Label find_main_axis() const;
    const CheckpointEntry* only_last() const;
    /// Those of the main series that have the axis, ascending.
    std::vector<const CheckpointEntry*> main_series(std::string_view axis) const;
    std::string path_;
    std::vector<CheckpointEntry> checkpoints_;
    Label main_axis_;
    std::vector<SkippedEntry> skipped_;
    bool has_stat_ = false;
};

}  // namespace ckpt
