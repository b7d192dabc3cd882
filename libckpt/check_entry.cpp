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

EntryChecker::EntryChecker(const Registry& registry, const std::vector<CheckpointEntry>& all) : registry_(registry) {
    for (const CheckpointEntry& entry : all) {
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

CheckResult EntryChecker::check(const CheckpointEntry& entry, VerifyLevel level, const Context& context) const {
    using State = CheckResult::State;
    CheckResult result = check_checkpoint(registry_, entry.path, level, context);
    const bool is_of_others = result.state == State::kUnreadable && result.layout.empty() && entry.is_folder;
    if (result.state != State::kValid && !is_of_others) return result;
    CheckResult rest = check_rest(entry, level, context);
    // What some other program keeps beside a checkpoint may be of no layout that is known.
    const bool counts = is_of_others
                            ? !rest.layout.empty() || rest.state != State::kValid
                            : rest.state == State::kDamaged || (entry.match.is_part && rest.state != State::kValid);
    return counts ? rest : result;
}

CheckResult EntryChecker::check_rest(const CheckpointEntry& entry, VerifyLevel level, const Context& context) const {
    std::vector<std::string> files;
    if (entry.match.is_part && names_) {
        if (std::string why = missing_part(entry); !why.empty())
            return {CheckResult::State::kDamaged, "", std::move(why)};
        files = parts_of(entry);
        files.erase(files.begin());  // that is its path
    }
    for (const std::string& other : entry.others) {
        const bool is_known = registry_.by_extension(other) != nullptr;
        if (is_known && std::find(files.begin(), files.end(), other) == files.end()) files.push_back(other);
    }
    if (entry.is_folder) {
        bool is_known = false;
        try {
            registry_.detect(Source::open(entry.path, context));
            is_known = true;
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
        }
        constexpr int kDepth = 2;
        for (std::string& file : files_below(registry_, entry.path, is_known ? 0 : kDepth)) {
            // Its layout looks after the others.
            if (!is_known || NameTable::why_not(fs::path(file).filename().string())) files.push_back(std::move(file));
        }
    }
    return check_files(registry_, files, entry.is_folder ? entry.path : parent_of(entry), level, context);
}

}  // namespace ckpt
