// The names of checkpoints: one table of conventions, and what a name says by them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/label.hpp"

namespace ckpt {

enum class EntryKind : std::uint8_t { kFile, kFolder };

/// A number in a name that has a meaning. Exact up to 2^53.
struct NameNumber {
    Label axis;
    double value = 0;         ///< of a metric it may be NaN or infinite
    std::uint16_t begin = 0;  ///< where its text stands in the name, in bytes
    std::uint16_t length = 0;
};

/// What the name of a checkpoint says.
struct NameMatch {
    Label scheme;  ///< id of the convention ("mammoth"); empty for a pattern of the user's own
    Label axis;    ///< what the index means: "epoch", "step", "iter", "task", "run", "batch", ...; empty for aliases
    std::optional<double> index;
    std::vector<NameNumber> axes;  ///< every number in the name that has a meaning, the index included
    /// Equal for the checkpoints of one series: the name with `#` for the numbers that have a meaning. Other numbers
    /// (the time at which a run began) set series apart. Pairs like `epoch=3-step=400` and the counter `-v1` behind
    /// them are one `#`, since a run may name now these, now those.
    Label series;
    /// What stands where the index would: "last", "joint", "paused".
    Label label;
    int base = 0;           ///< number of the first
    bool is_alias = false;  ///< last.ckpt, best.pt: names another checkpoint
    bool is_shard = false;  ///< part of a checkpoint, never one by itself
    bool is_part = false;   ///< together with the others of its series that have the same numbers it is one checkpoint

    /// The number on an axis, or nullptr; `nan` and `inf` are none to go by.
    const NameNumber* number_on(std::string_view name) const;
    std::optional<double> on_axis(std::string_view name) const;
};

/// N of `epoch=3-vN.ckpt`, which tells files of one epoch apart; 0 where there is none.
std::uint64_t collision_counter(const NameMatch& match, std::string_view name);

/// Names of the conventions and what they look like; immutable, thread-safe after construction.
class NameTable {
public:
    /// `pattern`: a regular expression (ECMAScript) of the user's own, searched for in names in place of the table; its
    /// first group is the index on `axis`. Throws Error (kUsage) if it is no regular expression or has no group.
    explicit NameTable(const std::string& pattern = {}, const std::string& axis = {});
    ~NameTable();
    NameTable(NameTable&&) noexcept;

    /// First match of the table, or nullopt. Names longer than 255 bytes match nothing.
    std::optional<NameMatch> classify(std::string_view name, EntryKind kind) const;

    /// Leftovers of interrupted saves, sidecars and pointers: never checkpoints. The reason, or nullopt.
    static std::optional<std::string> why_not(std::string_view name);

private:
    friend class NameReader;
    struct Compiled;
    struct Found;
    struct Reading;
    std::optional<Found> find(std::string_view name, EntryKind kind) const;
    Reading read(std::string_view name, const Found& found) const;
    std::unique_ptr<Compiled> compiled_;
};

/// Says the same as the table does, of thousands of names in a fraction of the time: names of a run differ in their
/// digits alone, and no convention tells one digit from another (but in extensions), so the first of them speaks for
/// all that have as many digits at the same places; where those in no number are the same too, only the numbers are
/// read. The table must outlive it. Not thread-safe.
class NameReader {
public:
    explicit NameReader(const NameTable& table);
    ~NameReader();
    std::optional<NameMatch> classify(std::string_view name, EntryKind kind);
    std::optional<std::string> why_not(std::string_view name);

private:
    class Shape;
    struct Shapes;
    const NameTable& table_;
    std::unique_ptr<Shapes> shapes_;
};

/// An index as people write it: without decimals where it has none.
std::string index_text(double index);

}  // namespace ckpt
