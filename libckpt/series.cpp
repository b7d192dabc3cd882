// The table of checkpoint names and the reading of one name.
#include "libckpt/series.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <limits>
#include <mutex>
#include <regex>
#include <unordered_map>

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

/// One convention. Data, not code: adding one is adding a row. First match wins.
struct Row {
    std::string_view id;
    std::string_view kinds;  ///< f file, d folder
    const char* pattern;
    std::string_view needles;  ///< `|` between texts of which every match has one: spares most regular expressions
    std::string_view axis;     ///< of the index; "@": the word in the name says it, "=": key=value pairs
    std::string_view groups;   ///< axis of each group; "-" for none, "#" for none that sets no series apart
    int base;
};
constexpr Row kRows[] = {
    {"hf-trainer", "d", R"(^checkpoint-([0-9]+)$)", "checkpoint-", "step", "step", 0},
    {"deepspeed-tag", "d", R"(^global_step([0-9]+)(?:_universal)?$)", "global_step", "step", "step", 0},
    {"megatron-iter", "d", R"(^iter_([0-9]{7,})$)", "iter_", "iter", "iter", 0},
    {"megatron-release", "d", R"(^release$)", "release", "", "", 0},
    {"torchtitan-step", "d", R"(^step-([0-9]+)$)", "step-", "step", "step", 0},
    {"olmo-step", "d", R"(^step([0-9]+)(?:-unsharded)?$)", "step", "step", "step", 0},
    {"torchtune", "d", R"(^(?:epoch|step)_([0-9]+)$)", "_", "@", "@", 0},
    {"flax-or-accelerate", "fd", R"(^checkpoint_([0-9]+(?:\.[0-9]+)?)$)", "checkpoint_", "step", "step", 0},
    {"orbax-plain", "d", R"(^([0-9]+)$)", "", "step", "step", 0},
    {"orbax-prefixed", "d", R"(^([A-Za-z][A-Za-z0-9]*)_([0-9]+)$)", "", "step", "-,step", 0},
    {"hf-shard", "f", R"(^(.+)-([0-9]{5})-of-([0-9]{5})\.(?:safetensors|bin|gguf)$)", "-of-", "shard", "-,shard,-", 1},
    {"dcp-shard", "f", R"(^__([0-9]+)_([0-9]+)\.distcp$)", ".distcp", "shard", "shard,-", 0},
    {"deepspeed-shard", "f", R"(^(?:bf16_)?(?:zero_pp_rank_([0-9]+)_)?mp_rank_([0-9]+)_(?:model|optim)_states\.pt$)",
     "mp_rank_", "shard", "-,shard", 0},
    {"metaseq", "f", R"(^checkpoint_([0-9]+)_([0-9]+)-model_part-([0-9]+)-shard([0-9]+)\.pt$)", "-model_part-", "epoch",
     "epoch,update,#,#", 1},
    {"mammoth", "f", R"(^(.+)_([0-9]{8}-[0-9]{6})(?:_([0-9a-f]+))?_([0-9]+|last|joint)\.pt$)", ".pt", "task",
     "-,-,-,task", 0},
    {"mammoth-paused", "f", R"(^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.pt$)", ".pt", "task", "",
     0},
    {"pyhopper", "f", R"(^pyhopper_run_([0-9]{5})\.ckpt$)", "pyhopper_run_", "run", "run", 0},
    {"fairseq-update", "f", R"(^checkpoint_([0-9]+)_([0-9]+)\.pt$)", "checkpoint_", "epoch", "epoch,update", 1},
    {"fairseq-best-metric", "f", R"(^checkpoint\.best_([A-Za-z0-9_]+)_(-?[0-9]+(?:\.[0-9]+)?)\.pt$)",
     "checkpoint.best_", "metric", "-,metric", 0},
    {"fairseq-epoch", "f", R"(^checkpoint([0-9]+)\.pt$)", "checkpoint", "epoch", "epoch", 1},
    {"sample-factory", "f", R"(^(checkpoint|best)_([0-9]{9})_([0-9]+)(?:_reward_(-?[0-9]+\.[0-9]+))?\.pth$)", ".pth",
     "step", "-,step,envsteps,reward", 0},
    {"composer", "f", R"(^ep([0-9]+)-ba([0-9]+)-rank([0-9]+)(?:\.pt)?$)", "-ba", "epoch", "epoch,batch,#", 0},
    {"sb3", "f", R"(^(.+)_([0-9]+)_steps\.zip$)", "_steps.zip", "timesteps", "-,timesteps", 0},
    {"tf-index", "f", R"(^(.+)-([0-9]+)\.index$)", ".index", "step", "-,step", 0},
    {"timm-tar", "f", R"(^checkpoint-([0-9]+)\.pth(?:\.tar)?$)", "checkpoint-", "epoch", "epoch", 0},
    {"kohya-step", "f", R"(^(.+)-step([0-9]{8})\.(?:safetensors|ckpt|pt)$)", "-step", "step", "-,step", 0},
    {"kohya-epoch", "f", R"(^(.+)-([0-9]{6})\.(?:safetensors|ckpt|pt)$)", "-", "epoch", "-,epoch", 1},
    {"keras-epoch-metric", "f", R"(^(?:(.+?)[._-])?([0-9]+)-(-?[0-9]+\.[0-9]+)\.(?:weights\.h5|h5|hdf5|keras)$)",
     ".h5|.hdf5|.keras", "epoch", "-,epoch,metric", 1},
    {"flux-kv", "f", R"(^(?:model-)?checkpoint[_-]?(?:epoch)?=([0-9]+)\.(?:jld2|bson)$)", "checkpoint", "epoch",
     "epoch", 0},
    {"fluxtraining", "f", R"(^checkpoint_epoch_([0-9]+)_loss_(-?[0-9.eE+-]+)\.bson$)", "checkpoint_epoch_", "epoch",
     "epoch,loss", 0},
    {"timestamp", "f", R"(^(.+?)[_-]([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+)\.(?:jld2|bson|h5|pt|pth|ckpt)$)", "T", "time",
     "-,#", 0},
    {"mmengine", "f", R"(^(epoch|iter)_([0-9]+)\.pth$)", ".pth", "@", "-,@", 1},
    {"mmengine-best", "f", R"(^best_(.+)_(epoch|iter)_([0-9]+)\.pth$)", "best_", "@", "-,-,@", 1},
    {"espnet", "f", R"(^([0-9]+)epoch\.pth$)", "epoch.pth", "epoch", "epoch", 0},
    {"espnet-ave", "f", R"(^(.+)\.ave_([0-9]+)best(?:\..+)?\.pth$)", ".ave_", "average", "-,average", 0},
    {"detectron", "f", R"(^model_([0-9]{7})\.pth$)", "model_", "iter", "iter", 0},
    {"yolo", "f", R"(^epoch([0-9]+)\.pt$)", "epoch", "epoch", "epoch", 0},
    {"icefall", "f", R"(^epoch-([0-9]+)\.pt$)", "epoch-", "epoch", "epoch", 1},
    {"gan-pair", "f", R"(^(?:G|D|g|d|do)_([0-9]+)(?:\.pth)?$)", "_", "step", "step", 0},
    {"last", "f",
     R"(^(?:checkpoint[_-])?(?:last|latest|final)(?:-v([0-9]+))?(?:-rank[0-9]+)?(?:\.(?:ckpt|pth|pt|tar|pth\.tar))?$)",
     "last|latest|final", "", "-", 0},
    {"best", "f", R"(^(?:checkpoint[_-]|model_)?best(?:_model)?(?:\.(?:ckpt|pth|pt|pth\.tar))?$)", "best", "", "", 0},
    {"model-alias", "f", R"(^model_(?:final|best)\.(?:pth|pt)$)", "model_", "", "", 0},
    {"lightning-kv", "fd", R"(^(?=.*(?:epoch|step)=)(.+?)(?:-v([0-9]+))?\.ckpt$)", "=", "=", "-,-", 0},
    {"generic-last-int", "fd", R"(^(.*?)([0-9]+)(\.[A-Za-z0-9.]+)?$)", "", "int", "-,int,-", 0},
};
constexpr std::size_t kRowCount = std::size(kRows);

bool may_match(const Row& row, std::string_view name) {
    std::string_view needles = row.needles;
    do {
        const std::string_view needle = needles.substr(0, needles.find('|'));
        if (name.find(needle) != std::string_view::npos) return true;
        needles.remove_prefix(std::min(needles.size(), needle.size() + 1));
    } while (!needles.empty());
    return false;
}

constexpr std::size_t kLongestName = 255;

/// Saves that did not finish.
bool is_leftover(std::string_view name) {
    for (const std::string_view end : {".tmp", ".part", "-unfinished", ".unfinished", ".incomplete"}) {
        if (name.ends_with(end)) return true;
    }
    return name.starts_with("tmp-") || name.starts_with("tmp_") ||
           name.find(".orbax-checkpoint-tmp") != std::string_view::npos ||
           (name.starts_with('.') && name.find(".ckpt-tmp-", 1) != std::string_view::npos);
}

constexpr std::string_view kSidecarStarts[] = {"optimizer", "scheduler",         "scaler",
                                               "rng_state", "training_args.bin", "events.out.tfevents"};
constexpr std::string_view kSidecars[] = {"trainer_state.json", ".metadata"};
constexpr std::string_view kPointers[] = {"latest", "last_checkpoint", "latest_checkpointed_iteration.txt",
                                          "checkpoint"};

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// Of a metric; `nan` and `inf` are such.
struct PairNumber {
    double value = 0;
    std::size_t length = 0;  ///< of its text; 0 where there is no number
};
PairNumber read_pair_number(std::string_view text) {
    const auto is_digit = [text](std::size_t at) {
        return at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    const std::size_t sign = text.starts_with('-') ? 1 : 0;
    for (const std::string_view word : {"nan", "inf"}) {
        const std::size_t end = sign + word.size();
        if (text.substr(sign, word.size()) != word) continue;
        if (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) != 0) continue;
        const double value =
            word == "nan" ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
        return {sign != 0 ? -value : value, end};
    }
    std::size_t end = sign;
    while (is_digit(end) || (end < text.size() && text[end] == '.' && is_digit(end + 1))) ++end;
    if (end > sign && end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
        const std::size_t after = end + 1;
        std::size_t digits = after + (after < text.size() && (text[after] == '-' || text[after] == '+') ? 1 : 0);
        if (is_digit(digits)) {
            while (is_digit(digits)) ++digits;
            end = digits;
        }
    }
    const auto value = parse_number(text.substr(0, end));
    return value ? PairNumber{*value, end} : PairNumber{};
}

/// The word of the name that says what its number counts.
std::string word_axis(std::string_view name) {
    for (const std::string_view word : {"epoch", "iter", "step"}) {
        if (name.find(word) != std::string_view::npos) return std::string(word);
    }
    return "step";
}

/// A stretch of a name; none is longer than kLongestName.
struct Span {
    std::uint16_t begin;
    std::uint16_t length;
};
Span span(std::size_t begin, std::size_t length) {
    return {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(length)};
}

/// Every `key=number` of a Lightning name; the index is the epoch where there is one. Returns where the pairs stand.
std::vector<Span> read_pairs(std::string_view name, NameMatch& match) {
    std::vector<Span> pairs;
    std::size_t last_end = 0;
    for (std::size_t at = name.find('='); at != std::string_view::npos; at = name.find('=', at + 1)) {
        std::size_t begin = at;
        while (begin > last_end && name[begin - 1] != '-' && name[begin - 1] != '/') --begin;
        if (last_end > 0 && begin == last_end && begin < at && name[begin] == '_') ++begin;  // pairs joined by '_'
        const auto [value, length] = read_pair_number(name.substr(at + 1));
        if (length == 0) continue;
        const Span text = span(at + 1, length);
        match.axes.push_back({std::string(name.substr(begin, at - begin)), value, text.begin, text.length});
        pairs.push_back(span(begin, at + 1 + length - begin));
        last_end = at + 1 + length;
    }
    for (const std::string_view wanted : {"epoch", "step"}) {
        if (match.on_axis(wanted)) continue;
        // A template like `model_{epoch}` puts a word before the key. What has decimals is a metric
        // (`loss_epoch=0.25`).
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            NameNumber& number = match.axes[i];
            const std::string_view key = number.axis;
            const bool is_counter =
                name.substr(number.begin, number.length).find_first_not_of("0123456789") == std::string_view::npos;
            if (!is_counter || !key.ends_with(wanted) || key.size() <= wanted.size() ||
                key[key.size() - wanted.size() - 1] != '_')
                continue;
            const std::size_t prefix = key.size() - wanted.size();
            pairs[i] = span(pairs[i].begin + prefix, pairs[i].length - prefix);
            number.axis = wanted;
            break;
        }
    }
    for (const std::string_view wanted : {"epoch", "step"}) {
        if (const auto value = match.on_axis(wanted)) {
            match.axis = wanted;
            match.index = value;
            break;
        }
    }
    return pairs;
}

/// The name with `#` for each stretch. Stretches are in order and do not overlap.
std::string series_of(std::string_view name, const std::vector<Span>& replaced) {
    std::string series;
    std::size_t begin = 0;
    for (const Span& span : replaced) {
        series += name.substr(begin, span.begin - begin);
        series += '#';
        begin = span.begin + span.length;
    }
    return series += name.substr(begin);
}

/// Of a Lightning name: the pairs that follow each other are one `#`, and the collision counter `-v1` goes with them.
std::string series_of_pairs(std::string_view name, const std::vector<Span>& pairs, std::string_view version) {
    std::vector<Span> merged;
    for (const Span& pair : pairs) {
        if (!merged.empty() && merged.back().begin + merged.back().length + 1 == pair.begin) {
            merged.back() = span(merged.back().begin, std::size_t{pair.begin} + pair.length - merged.back().begin);
        } else {
            merged.push_back(pair);
        }
    }
    std::string series = series_of(name, merged);
    if (!version.empty()) {
        const std::size_t length = version.size() + 2;  // "-v"
        series.erase(series.size() - std::string_view(".ckpt").size() - length, length);
    }
    return series;
}

}  // namespace

/// A regular expression that is made when it is first needed: most runs need few of the table.
class LazyRegex {
public:
    explicit LazyRegex(const char* pattern) : pattern_(pattern) {}
    const std::regex& get() {
        std::call_once(once_, [this] { regex_.assign(pattern_, std::regex::ECMAScript | std::regex::optimize); });
        return regex_;
    }

private:
    const char* pattern_;
    std::once_flag once_;
    std::regex regex_;
};

struct NameTable::Compiled {
    std::deque<LazyRegex> rows;
    std::optional<std::regex> own;
    std::string own_axis;
};

/// Which row a name matches, and where its groups stand; groups that are not there are nullopt.
struct NameTable::Found {
    std::size_t row;
    std::vector<std::optional<Span>> groups;
};

/// What a name says, and the stretches of it that only say numbers: with other digits there nothing else changes.
struct NameTable::Reading {
    NameMatch match;
    std::vector<Span> numbers;  ///< in order
};

const NameNumber* NameMatch::number_on(std::string_view name) const {
    for (const NameNumber& number : axes) {
        const std::string_view known = number.axis;
        // Asked of thousands, mostly for an axis that is one of theirs.
        const bool is_it = known.size() == name.size() && (known.data() == name.data() || known == name);
        if (is_it && std::isfinite(number.value)) return &number;
    }
    return nullptr;
}

std::optional<double> NameMatch::on_axis(std::string_view name) const {
    const NameNumber* number = number_on(name);
    return number != nullptr ? std::optional<double>(number->value) : std::nullopt;
}

std::uint64_t collision_counter(const NameMatch& match, std::string_view name) {
    if (match.scheme != "lightning-kv") return 0;
    const std::size_t end = name.rfind('.');
    const std::size_t begin = name.rfind("-v", end);
    std::uint64_t counter = 0;
    if (end == std::string_view::npos || begin == std::string_view::npos) return 0;
    const auto [stop, error] = std::from_chars(name.data() + begin + 2, name.data() + end, counter);
    return error == std::errc() && stop == name.data() + end ? counter : 0;
}

NameTable::NameTable(const std::string& pattern, const std::string& axis) : compiled_(std::make_unique<Compiled>()) {
    for (const Row& row : kRows) compiled_->rows.emplace_back(row.pattern);
    if (pattern.empty()) return;
    try {
        compiled_->own.emplace(pattern, std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
        throw_error(ErrorCode::kUsage, "'{}' is no regular expression: {}", pattern, error.what());
    }
    if (compiled_->own->mark_count() == 0) throw_error(ErrorCode::kUsage, "'{}' has no group for the index", pattern);
    compiled_->own_axis = axis.empty() ? "int" : axis;
}
NameTable::~NameTable() = default;
NameTable::NameTable(NameTable&&) noexcept = default;

std::optional<NameMatch> NameTable::classify(std::string_view name, EntryKind kind) const {
    if (name.empty() || name.size() > kLongestName) return std::nullopt;
    if (compiled_->own) {
        std::match_results<std::string_view::const_iterator> found;
        NameMatch match;
        if (!std::regex_search(name.begin(), name.end(), found, *compiled_->own)) return std::nullopt;
        match.axis = compiled_->own_axis;
        match.index = parse_number(found[1].str());
        if (!match.index) return std::nullopt;
        const Span place = span(static_cast<std::size_t>(found.position(1)), static_cast<std::size_t>(found.length(1)));
        match.axes.push_back({match.axis, *match.index, place.begin, place.length});
        match.series = series_of(name, {place});
        return match;
    }
    const auto known = find(name, kind);
    return known ? std::optional<NameMatch>(read(name, *known).match) : std::nullopt;
}

std::optional<NameTable::Found> NameTable::find(std::string_view name, EntryKind kind) const {
    const char wanted = kind == EntryKind::kFolder ? 'd' : 'f';
    std::match_results<std::string_view::const_iterator> found;
    // A dot of a regular expression stands for any character but the end of a line, which a name may have.
    std::string one_line;
    if (name.find_first_of("\n\r") != std::string_view::npos) {
        one_line = name;
        std::replace_if(
            one_line.begin(), one_line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
        name = one_line;
    }
    for (std::size_t i = 0; i < kRowCount; ++i) {
        const Row& row = kRows[i];
        if (row.kinds.find(wanted) == std::string_view::npos) continue;
        if (!may_match(row, name)) continue;
        if (!std::regex_match(name.begin(), name.end(), found, compiled_->rows[i].get())) continue;
        Found result{i, {}};
        for (std::size_t group = 0; group < found.size(); ++group) {
            result.groups.emplace_back();
            if (!found[group].matched) continue;
            result.groups.back() =
                span(static_cast<std::size_t>(found.position(group)), static_cast<std::size_t>(found.length(group)));
        }
        return result;
    }
    return std::nullopt;
}

NameTable::Reading NameTable::read(std::string_view name, const Found& found) const {
    const Row& row = kRows[found.row];
    const auto text = [name](const std::optional<Span>& span) {
        return span ? name.substr(span->begin, span->length) : std::string_view();
    };
    Reading reading;
    NameMatch& match = reading.match;
    match.scheme = row.id;
    match.base = row.base;
    match.is_alias = row.id == "last" || row.id == "best" || row.id == "model-alias";
    match.is_shard = row.axis == "shard";
    if (row.id == "mammoth-paused") match.label = "paused";
    match.is_part = row.id == "metaseq" || row.id == "composer";
    if (row.axis == "=") {
        const auto pairs = read_pairs(name, match);
        match.series = series_of_pairs(name, pairs, text(found.groups[2]));
        for (const NameNumber& number : match.axes) reading.numbers.push_back({number.begin, number.length});
        if (found.groups[2]) reading.numbers.push_back(*found.groups[2]);
        return reading;
    }
    std::string_view groups = row.groups;
    std::vector<Span>& replaced = reading.numbers;
    for (std::size_t group = 1; group < found.groups.size() && !groups.empty(); ++group) {
        const std::string_view axis = groups.substr(0, groups.find(','));
        groups.remove_prefix(std::min(groups.size(), axis.size() + 1));
        const auto& place = found.groups[group];
        if (axis == "-" || !place) continue;
        if (axis == "#") {
            replaced.push_back(*place);
            continue;
        }
        const std::string axis_name = axis == "@" ? word_axis(name) : std::string(axis);
        const auto number = parse_number(text(place));
        if (!number) {
            match.label = text(place);  // "last", "joint"
            continue;
        }
        replaced.push_back(*place);
        match.axes.push_back({axis_name, *number, place->begin, place->length});
        if (!match.index) {
            match.index = number;
            match.axis = axis_name;
        }
    }
    if (match.axis.empty()) match.axis = row.axis == "@" ? word_axis(name) : std::string(row.axis);
    match.series = series_of(name, replaced);
    return reading;
}

/// All names that have the same text but for the digits in it.
class NameReader::Shape {
public:
    explicit Shape(std::string_view name) : text_(normal(name)), digits_end_(digits_end(name)) {}

    /// The name with one digit for all; the extension as it is: "h5" is no "h6".
    static std::string normal(std::string_view name) {
        std::string text(name);
        for (std::size_t i = 0, end = digits_end(name); i < end; ++i) {
            if (is_digit(text[i])) text[i] = '0';
        }
        return text;
    }

    bool has(std::string_view name) const noexcept {
        if (name.size() != text_.size() || name.starts_with(kWordWithDigits)) return name == text_;
        int differs = 0;  // asked of thousands: without a branch for each byte
        for (std::size_t i = 0; i < digits_end_; ++i) differs |= (is_digit(name[i]) ? '0' : name[i]) ^ text_[i];
        return differs == 0 && name.substr(digits_end_) == std::string_view(text_).substr(digits_end_);
    }

    std::optional<NameMatch> classify(std::string_view name, EntryKind kind, const NameTable& table) {
        Known& known = known_[kind == EntryKind::kFolder ? 1 : 0];
        if (!known.was_asked) known.found = table.find(name, kind);
        known.was_asked = true;
        if (!known.found) return std::nullopt;
        if (auto match = known.renumbered(name)) return match;
        known.reading = table.read(name, *known.found);
        known.name = name;
        return known.reading.match;
    }

    const std::optional<std::string>& why_not(std::string_view name) {
        if (!reason_) reason_ = NameTable::why_not(name);
        return *reason_;
    }

private:
    /// A word of the table in which the digits are meant.
    static constexpr std::string_view kWordWithDigits = "bf16";

    static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    static std::size_t digits_end(std::string_view name) noexcept {
        return name.starts_with(kWordWithDigits) ? 0 : std::min(name.rfind('.'), name.size());
    }

    /// What was found out of the last name of this shape.
    struct Known {
        bool was_asked = false;
        std::optional<NameTable::Found> found;
        std::string name;
        NameTable::Reading reading;

        /// Of a name that differs from the last one in its numbers alone; nullopt for another.
        std::optional<NameMatch> renumbered(std::string_view other) const {
            if (name.size() != other.size() || !reading.match.label.empty()) return std::nullopt;
            std::size_t begin = 0;
            for (const Span& number : reading.numbers) {
                if (!is_same(other, begin, number.begin)) return std::nullopt;
                begin = number.begin + number.length;
            }
            if (!is_same(other, begin, other.size())) return std::nullopt;
            std::optional<NameMatch> match = reading.match;
            for (NameNumber& number : match->axes) {
                const auto value = parse_number(other.substr(number.begin, number.length));
                if (!value) return std::nullopt;
                number.value = *value;
            }
            if (match->index) match->index = match->on_axis(match->axis);
            return match;
        }

        bool is_same(std::string_view other, std::size_t begin, std::size_t end) const noexcept {
            return other.substr(begin, end - begin) == std::string_view(name).substr(begin, end - begin);
        }
    };

    std::string text_;
    std::size_t digits_end_;
    std::optional<std::optional<std::string>> reason_;
    Known known_[2];  ///< as a file, as a folder
};

struct NameReader::Shapes {
    std::unordered_map<std::string, Shape> known;
    Shape* last = nullptr;  ///< neighbours are mostly alike

    Shape& of(std::string_view name) {
        if (last == nullptr || !last->has(name)) last = &known.try_emplace(Shape::normal(name), name).first->second;
        return *last;
    }
};

NameReader::NameReader(const NameTable& table) : table_(table), shapes_(std::make_unique<Shapes>()) {}
NameReader::~NameReader() = default;

std::optional<NameMatch> NameReader::classify(std::string_view name, EntryKind kind) {
    if (table_.compiled_->own || name.empty() || name.size() > kLongestName) return table_.classify(name, kind);
    return shapes_->of(name).classify(name, kind, table_);
}

std::optional<std::string> NameReader::why_not(std::string_view name) {
    return shapes_->of(name).why_not(name);
}

std::optional<std::string> NameTable::why_not(std::string_view name) {
    if (is_leftover(name)) return "leftover of an interrupted save";
    for (const auto sidecar : kSidecars) {
        if (name == sidecar) return "sidecar of a checkpoint";
    }
    for (const auto start : kSidecarStarts) {
        if (name.starts_with(start)) return "sidecar of a checkpoint";
    }
    if (name.ends_with(".index.json")) return "sidecar of a checkpoint";
    for (const auto pointer : kPointers) {
        if (name == pointer) return "pointer to a checkpoint";
    }
    return std::nullopt;
}

std::string index_text(double index) {
    if (index == std::floor(index) && std::fabs(index) < 9007199254740992.0)
        return fmt::format("{}", static_cast<std::int64_t>(index));
    return fmt::format("{}", index);
}

}  // namespace ckpt
