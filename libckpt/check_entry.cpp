// Every file of a checkpoint, one after the other.
#include "libckpt/check_entry.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

std::string parent_of(const CheckpointEntry& entry) {
    return fs::path(entry.path).parent_path().string();
}

/// The number behind the last of these words in a name, or nullopt.
std::optional<std::uint64_t> number_behind(std::string_view name, std::string_view word) {
    const std::size_t at = name.rfind(word);
    if (at == std::string_view::npos) return std::nullopt;
    std::uint64_t number = 0;
    const std::string_view rest = name.substr(at + word.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    return error == std::errc() && end != rest.data() ? std::optional(number) : std::nullopt;
}

/// The place of a part in its set: of a file for each part of the model and each shard both, else the rank.
struct Place {
    std::uint64_t part = 0;
    std::uint64_t shard = 0;
    auto operator<=>(const Place&) const = default;
};
std::optional<Place> place_of(std::string_view name) {
    if (const auto part = number_behind(name, "-model_part-"))
        return Place{*part, number_behind(name, "-shard").value_or(0)};
    if (const auto rank = number_behind(name, "-rank")) return Place{0, *rank};
    return std::nullopt;
}
std::string place_text(const Place& place, std::string_view like) {
    return like.find("-model_part-") != std::string_view::npos
               ? fmt::format("model_part-{}-shard{}", place.part, place.shard)
               : fmt::format("rank{}", place.shard);
}

/// Files below a folder that could be checkpoints by their extension. Links to folders are not followed.
std::vector<std::string> files_below(const Registry& registry, const std::string& folder, int depth) {
    std::vector<std::string> files;
    std::vector<fs::path> below;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        const std::string name = it->path().filename().string();
        const auto why = NameTable::why_not(name);
        if (why && why->starts_with("leftover")) continue;
        if (it->is_directory(ignored)) {
            if (!it->is_symlink(ignored)) below.push_back(it->path());
        } else if (it->is_regular_file(ignored) && registry.by_extension(name) != nullptr) {
            files.push_back(it->path().string());
        }
    }
    for (const fs::path& next : below) {
        if (depth == 0) break;
        auto more = files_below(registry, next.string(), depth - 1);
        files.insert(files.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// How many folders of one rank each a folder holds (`mp_rank_00`, `mp_rank_00_001`, `rank_3`).
std::size_t ranks_in(const std::string& folder) {
    std::size_t count = 0;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        const std::string name = it->path().filename().string();
        if (number_behind(name, "rank_") && it->is_directory(ignored)) ++count;
    }
    return count;
}

/// The place of a name among others that it counts: "model-", ".safetensors", 2, 3 of
/// "model-00002-of-00003.safetensors".
struct Counted {
    std::string before, behind;
    std::uint64_t number = 0;
    std::uint64_t count = 0;
};
std::optional<Counted> counted(std::string_view path) {
    constexpr std::string_view kOf = "-of-";
    constexpr std::string_view kDigits = "0123456789";
    const std::size_t name = path.rfind('/') + 1;  // 0 where there is none
    const std::size_t of = path.rfind(kOf);
    if (of == std::string_view::npos || of <= name) return std::nullopt;
    std::size_t begin = of;
    while (begin > name && kDigits.find(path[begin - 1]) != std::string_view::npos) --begin;
    std::size_t end = path.find_first_not_of(kDigits, of + kOf.size());
    if (end == std::string_view::npos) end = path.size();
    Counted place;
    const auto read = [&](std::size_t from, std::size_t to, std::uint64_t& number) {
        const auto [stop, error] = std::from_chars(path.data() + from, path.data() + to, number);
        return error == std::errc() && stop == path.data() + to;
    };
    if (!read(begin, of, place.number) || !read(of + kOf.size(), end, place.count)) return std::nullopt;
    place.before = path.substr(0, begin);
    place.behind = path.substr(end);
    // Each process writes those of its own, and the numbers go through all of them: shard-00001-model-00002-of-00003.
    if (path.substr(name).starts_with("shard-")) {
        const std::size_t rank_end = path.find_first_not_of(kDigits, name + std::string_view("shard-").size());
        if (rank_end != std::string_view::npos && rank_end < begin) place.before.erase(name, rank_end - name);
    }
    return place;
}

/// The first that is not valid, or the last of them.
CheckResult check_files(const Registry& registry, const std::vector<std::string>& files, const std::string& folder,
                        VerifyLevel level, const Context& context) {
    CheckResult result;
    for (const std::string& file : files) {
        context.check_cancelled();
        CheckResult one = check_checkpoint(registry, file, level, context);
        if (one.state == CheckResult::State::kValid) {
            result.layout = one.layout;
            continue;
        }
        one.why = fmt::format("{}: {}", fs::path(file).lexically_relative(folder).string(), one.why);
        if (one.state == CheckResult::State::kDamaged) return one;
        if (result.state == CheckResult::State::kValid) result = std::move(one);
    }
    return result;
}

}  // namespace

bool is_counted(std::string_view name) {
    return counted(name).has_value();
}

std::string missing_of_counted(const std::vector<std::string>& files, bool has_index) {
    struct Division {
        std::set<std::uint64_t> numbers;
        std::string_view like;
    };
    std::map<std::pair<std::string, std::string>, std::map<std::uint64_t, Division>> sets;
    for (const std::string& file : files) {
        auto place = counted(file);
        if (!place || place->number > place->count) continue;
        Division& division = sets[{std::move(place->before), std::move(place->behind)}][place->count];
        division.numbers.insert(place->number);
        division.like = file;
    }
    for (const auto& [name, divisions] : sets) {
        const auto is_whole = [](const auto& division) { return division.second.numbers.size() >= division.first; };
        if (has_index && divisions.size() > 1) continue;
        if (std::any_of(divisions.begin(), divisions.end(), is_whole)) continue;
        const auto& [count, division] = *divisions.begin();
        std::uint64_t missing = division.numbers.contains(0) ? 0 : 1;
        while (division.numbers.contains(missing)) ++missing;
        return fmt::format("{} of the {} files like '{}' are there: number {} is missing", division.numbers.size(),
                           count, division.like.substr(division.like.rfind('/') + 1), missing);
    }
    return {};
}

EntryChecker::EntryChecker(const Registry& registry, const std::vector<CheckpointEntry>& all) : registry_(registry) {
    for (const CheckpointEntry& entry : all) {
        if (entry.is_folder && entry.match.index)
            folders_[{parent_of(entry), entry.match.series.str()}].push_back(entry.path);
        if (!entry.match.is_part) continue;
        if (!names_) names_.emplace();
        const auto parts = parts_of(entry);
        if (gap_in(parts).empty()) counts_[{parent_of(entry), entry.match.series.str()}].push_back(parts.size());
    }
    for (auto& [series, counts] : counts_) std::sort(counts.begin(), counts.end());
}

std::vector<std::string> EntryChecker::parts_of(const CheckpointEntry& entry) const {
    std::vector<std::string> parts = {entry.path};
    for (const std::string& other : entry.others) {
        const auto match = names_->classify(fs::path(other).filename().string(), EntryKind::kFile);
        if (match && match->is_part) parts.push_back(other);
    }
    return parts;
}

std::string EntryChecker::gap_in(const std::vector<std::string>& parts) {
    std::set<Place> places;
    Place most;
    for (const std::string& part : parts) {
        const auto place = place_of(fs::path(part).filename().string());
        if (!place) return {};
        places.insert(*place);
        most = {std::max(most.part, place->part), std::max(most.shard, place->shard)};
    }
    // The first that is not there comes early: there are no more places than parts before it.
    for (std::uint64_t part = 0; part <= most.part; ++part) {
        for (std::uint64_t shard = 0; shard <= most.shard; ++shard) {
            if (!places.contains({part, shard})) return place_text({part, shard}, parts.front()) + " is not there";
        }
    }
    return {};
}

std::string EntryChecker::missing_part(const CheckpointEntry& entry) const {
    const auto parts = parts_of(entry);
    if (std::string gap = gap_in(parts); !gap.empty()) return gap;
    const auto counts = counts_.find({parent_of(entry), entry.match.series.str()});
    if (counts == counts_.end() || counts->second.size() < 2) return {};
    const std::size_t least = counts->second[0];
    const std::size_t next = counts->second[1];
    if (least != parts.size() || next == least) return {};
    return fmt::format("has {} file{}, each of the others of its series {} or more", least, least == 1 ? "" : "s",
                       next);
}

std::string EntryChecker::missing_ranks(const CheckpointEntry& entry) const {
    constexpr std::ptrdiff_t kNear = 4;
    const std::size_t own = ranks_in(entry.path);
    const auto found = folders_.find({parent_of(entry), entry.match.series.str()});
    if (own == 0 || found == folders_.end()) return {};
    const auto& all = found->second;
    const auto place = std::find(all.begin(), all.end(), entry.path);
    if (place == all.end()) return {};
    std::size_t least = 0;  // of those that have any
    const auto end = place + std::min(kNear + 1, all.end() - place);
    for (auto other = place - std::min(kNear, place - all.begin()); other != end; ++other) {
        const std::size_t count = other == place ? 0 : ranks_in(*other);
        if (count != 0 && (least == 0 || count < least)) least = count;
    }
    if (least <= own) return {};
    return fmt::format("has {} folder{} of ranks, each of those around it {} or more", own, own == 1 ? "" : "s", least);
}

bool EntryChecker::is_of_others(const CheckpointEntry& entry, const CheckResult& own) {
    return own.state == CheckResult::State::kUnreadable && own.layout.empty() && entry.is_folder;
}

bool EntryChecker::counts(const CheckpointEntry& entry, const CheckResult& own, const CheckResult& rest) {
    using State = CheckResult::State;
    if (is_of_others(entry, own)) return !rest.layout.empty() || rest.state != State::kValid;
    // What some other program keeps beside a checkpoint may be of no layout that is known.
    return rest.state == State::kDamaged || (entry.match.is_part && rest.state != State::kValid);
}

CheckResult EntryChecker::check(const CheckpointEntry& entry, VerifyLevel level, const Context& context) const {
    CheckResult result = check_checkpoint(registry_, entry.path, level, context);
    if (result.state != CheckResult::State::kValid && !is_of_others(entry, result)) return result;
    CheckResult rest = check_rest(entry, level, context);
    return counts(entry, result, rest) ? rest : result;
}

EntryRest EntryChecker::rest_of(const CheckpointEntry& entry, const Context& context) const {
    EntryRest rest;
    rest.folder = entry.is_folder ? entry.path : parent_of(entry);
    if (entry.match.is_part && names_) {
        rest.missing = missing_part(entry);
        rest.files = parts_of(entry);
        rest.files.erase(rest.files.begin());  // that is its path
    }
    for (const std::string& other : entry.others) {
        const bool is_known = registry_.by_extension(other) != nullptr;
        if (is_known && std::find(rest.files.begin(), rest.files.end(), other) == rest.files.end())
            rest.files.push_back(other);
    }
    if (!entry.is_folder) return rest;
    bool is_known = false;
    try {
        registry_.detect(Source::open(entry.path, context));
        is_known = true;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
    }
    constexpr int kDepth = 2;
    auto below = files_below(registry_, entry.path, is_known ? 0 : kDepth);
    if (rest.missing.empty()) rest.missing = missing_of_counted(below, is_known);
    if (rest.missing.empty()) rest.missing = missing_ranks(entry);
    for (std::string& file : below) {
        // Its layout looks after the others.
        if (!is_known || NameTable::why_not(fs::path(file).filename().string())) rest.files.push_back(std::move(file));
    }
    return rest;
}

CheckResult EntryChecker::check_rest(const CheckpointEntry& entry, VerifyLevel level, const Context& context) const {
    EntryRest rest = rest_of(entry, context);
    if (!rest.missing.empty()) return {CheckResult::State::kDamaged, "", std::move(rest.missing)};
    return check_files(registry_, rest.files, rest.folder, level, context);
}

}  // namespace ckpt
