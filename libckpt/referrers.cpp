// Links by where they end, pointers by name.
#include "libckpt/referrers.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>

namespace ckpt {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const CheckpointEntry& entry) {
    const std::string folder = fs::path(entry.path).parent_path().string();
    return folder.empty() ? "." : folder;
}

std::string head_of_file(const fs::path& path) {
    constexpr std::uintmax_t kMostBytes = 1 << 20;
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return {};
    const std::uintmax_t size = fs::file_size(path, error);
    if (error) return {};
    std::ifstream file(path, std::ios::binary);
    std::string bytes(static_cast<std::size_t>(std::min(size, kMostBytes)), '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return bytes;
}

class Finder {
public:
    Finder(const std::vector<const CheckpointEntry*>& checkpoints, const std::string& root)
        : checkpoints_(checkpoints), root_(root) {
        found_.reasons.resize(checkpoints.size());
        for (std::size_t i = 0; i < checkpoints.size(); ++i) folders_[folder_of(*checkpoints[i])].push_back(i);
    }

    Referrers find() {
        for (std::size_t i = 0; i < checkpoints_.size(); ++i) {
            for (const std::string& alias : checkpoints_[i]->aliases)
                found_.reasons[i].push_back(fmt::format("{} leads here", alias));
        }
        find_links();
        for (const auto& [folder, members] : folders_) {
            find_pointers(folder, members);
            find_best(folder, members);
        }
        return std::move(found_);
    }

private:
    /// As a path below the root is shown.
    std::string shown(const fs::path& path) const {
        const fs::path below = path.lexically_normal().lexically_relative(fs::path(root_).lexically_normal());
        const bool is_below = !below.empty() && *below.begin() != "..";
        return is_below ? below.string() : path.string();
    }

    /// The folder that holds the root, as a user would write it.
    fs::path parent_as_given() const {
        fs::path root = fs::path(root_).lexically_normal();
        if (!root.has_filename()) root = root.parent_path();  // "runs/"
        if (root == "." || root.filename() == "..") return root / "..";
        return root.has_parent_path() ? root.parent_path() : fs::path(".");
    }

    void find_links() {
        std::error_code error;
        std::map<std::string, std::size_t> places;  // where each file and folder of a checkpoint really is
        std::set<fs::path> searched = {fs::canonical(root_, error), fs::canonical(fs::path(root_) / "..", error)};
        std::map<fs::path, std::string> as_given = {{fs::canonical(root_, error), root_}};
        const fs::path above = parent_as_given();
        if (fs::equivalent(above, fs::path(root_) / "..", error)) as_given.emplace(fs::canonical(above, error), above);
        for (const auto& [folder, members] : folders_) {
            const fs::path here = fs::canonical(folder, error);
            if (error) continue;
            searched.insert(here);
            as_given[here] = folder;
            for (const std::size_t i : members) {
                places.emplace((here / checkpoints_[i]->name()).string(), i);
                for (const std::string& other : checkpoints_[i]->others)
                    places.emplace((here / fs::path(other).filename()).string(), i);
            }
        }
        for (const fs::path& folder : searched) {
            if (folder.empty()) continue;
            for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
                std::error_code ignored;
                if (!it->is_symlink(ignored)) continue;
                const auto given = as_given.find(folder);
                const fs::path link =
                    (given != as_given.end() ? fs::path(given->second) : folder) / it->path().filename();
                follow(it->path(), shown(link), places);
            }
            error.clear();
        }
    }

    /// A link may lead to a checkpoint by way of another link that is listed as one, or into its folder.
    void follow(const fs::path& link, const std::string& name, const std::map<std::string, std::size_t>& places) {
        constexpr int kMostLinks = 40;
        fs::path at = link;
        for (int hop = 0; hop < kMostLinks; ++hop) {
            std::error_code error;
            const fs::path target = fs::read_symlink(at, error);
            if (error) return;
            const fs::path joined = target.is_absolute() ? target : at.parent_path() / target;
            fs::path real = fs::weakly_canonical(joined.parent_path(), error);
            if (error) return;
            real = (joined.has_filename() ? real / joined.filename() : real).lexically_normal();
            for (fs::path part = real; part.has_relative_path(); part = part.parent_path()) {
                const auto place = places.find(part.string());
                if (place == places.end()) continue;
                note(place->second, name);
                break;
            }
            at = real;
            if (!fs::is_symlink(at, error)) return;
        }
    }

    void note(std::size_t checkpoint, const std::string& link) {
        auto& reasons = found_.reasons[checkpoint];
        std::string reason = fmt::format("{} leads here", link);
        const auto& aliases = checkpoints_[checkpoint]->aliases;
        const std::string name = fs::path(link).filename().string();
        if (std::find(aliases.begin(), aliases.end(), name) != aliases.end()) return;
        if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) reasons.push_back(std::move(reason));
    }

    /// What a pointer file names is what the next start resumes from.
    void find_pointers(const std::string& folder, const std::vector<std::size_t>& members) {
        for (Pointer& pointer : read_pointers(folder)) {
            bool is_met = false;
            for (const std::size_t i : members) {
                const CheckpointEntry& entry = *checkpoints_[i];
                const bool is_alias =
                    std::find(entry.aliases.begin(), entry.aliases.end(), pointer.target) != entry.aliases.end();
                if (entry.name() != pointer.target && entry.name() != pointer.target + ".index" && !is_alias) continue;
                found_.reasons[i].push_back(fmt::format("{} names it", pointer.name));
                is_met = true;
            }
            std::error_code error;
            if (is_met || fs::exists(fs::path(folder) / pointer.target, error) ||
                fs::exists(fs::path(folder) / (pointer.target + ".index"), error))
                continue;
            pointer.name = shown(fs::path(folder) / pointer.name);
            found_.stale.push_back(std::move(pointer));
        }
    }

    /// What a Trainer loads at the end of its run.
    void find_best(const std::string& folder, const std::vector<std::size_t>& members) {
        std::vector<std::size_t> newest_first = members;
        std::stable_sort(newest_first.begin(), newest_first.end(), [this](std::size_t a, std::size_t b) {
            return checkpoints_[a]->match.index > checkpoints_[b]->match.index;
        });
        for (const std::size_t i : newest_first) {
            const CheckpointEntry& entry = *checkpoints_[i];
            if (!entry.is_folder) continue;
            const std::string text = head_of_file(fs::path(entry.path) / "trainer_state.json");
            if (text.empty()) continue;
            protect_best(text, std::string(entry.name()) + "/trainer_state.json", members);
            break;
        }
        protect_best(head_of_file(fs::path(folder) / "trainer_state.json"), "trainer_state.json", members);
    }

    void protect_best(const std::string& text, const std::string& from, const std::vector<std::size_t>& members) {
        const auto best = best_of_trainer_state(text);
        for (const std::size_t i : members) {
            if (!best || checkpoints_[i]->name() != *best) continue;
            found_.reasons[i].push_back(fmt::format("{} names it the best", from));
        }
    }

    const std::vector<const CheckpointEntry*>& checkpoints_;
    const std::string& root_;
    std::map<std::string, std::vector<std::size_t>> folders_;
    Referrers found_;
};

}  // namespace

Referrers find_referrers(const std::vector<const CheckpointEntry*>& checkpoints, const std::string& root) {
    return Finder(checkpoints, root).find();
}

}  // namespace ckpt
