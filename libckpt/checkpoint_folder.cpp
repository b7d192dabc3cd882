// Looking at the names in a folder.
#include "libckpt/checkpoint_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <optional>

namespace ckpt {
namespace {

namespace fs = std::filesystem;

/// Files by which a folder is a single checkpoint, whatever else is in it.
bool is_mark(std::string_view name) {
    constexpr std::string_view kMarks[] = {".metadata", "calibration_params.json", "_CHECKPOINT_METADATA", "_METADATA",
                                           "manifest.ocdbt"};
    return std::find(std::begin(kMarks), std::end(kMarks), name) != std::end(kMarks);
}

struct Listed {
    std::string name;
    bool is_folder = false;
    bool is_link = false;
};
/// nullopt where the folder cannot be read.
std::optional<std::vector<Listed>> list_folder(const fs::path& path) {
    std::error_code error;
    std::vector<Listed> entries;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        entries.push_back({it->path().filename().string(), it->is_directory(ignored), it->is_symlink(ignored)});
    }
    return error ? std::nullopt : std::optional(std::move(entries));
}

class FolderJudge {
public:
    FolderJudge(NameReader& names, const std::vector<std::string>& extensions)
        : names_(names), extensions_(extensions) {}

    bool holds_checkpoint(const fs::path& path, int depth) {
        const auto entries = list_folder(path);
        if (!entries) return true;
        const auto is_file_of_one = [&](const Listed& entry) {
            if (entry.is_folder) return false;
            if (is_mark(entry.name)) return true;
            if (names_.why_not(entry.name)) return false;
            if (has_checkpoint_extension(entry.name, extensions_)) return true;
            const auto match = names_.classify(entry.name, EntryKind::kFile);
            return match && match->is_shard;
        };
        if (std::any_of(entries->begin(), entries->end(), is_file_of_one)) return true;
        return depth > 0 && std::any_of(entries->begin(), entries->end(), [&](const Listed& entry) {
                   return entry.is_folder && !entry.is_link && !names_.why_not(entry.name) &&
                          holds_checkpoint(path / entry.name, depth - 1);
               });
    }

    bool is_one_checkpoint(const fs::path& path) {
        const auto entries = list_folder(path);
        if (!entries) return true;
        bool has_part = false;
        std::map<std::string, std::size_t, std::less<>> numbered;  // by series
        for (const Listed& entry : *entries) {
            if (is_mark(entry.name)) return true;
            if (!names_.why_not(entry.name)) has_part = has_part || (entry.is_folder && is_part(path, entry));
        }
        for (const Listed& entry : *entries) {
            if (names_.why_not(entry.name)) continue;
            const auto kind = entry.is_folder ? EntryKind::kFolder : EntryKind::kFile;
            const auto match = names_.classify(entry.name, kind);
            if (entry.is_folder) {
                if (match && !is_vague(*match) && holds_checkpoint(path / entry.name, 0)) return false;
                continue;
            }
            const bool is_known = has_checkpoint_extension(entry.name, extensions_);
            if (match && is_known && !match->is_shard) {
                if (match->is_alias || !is_vague(*match)) return false;
                // A number of each process of one save.
                const bool is_of_rank = entry.name.starts_with("random_states");
                if (!is_of_rank && ++numbered[match->series.str()] > 1) return false;
            }
            has_part = has_part || is_known || (match && match->is_shard);
        }
        return has_part;
    }

    /// Whether its name alone says so little that anything may be called so.
    static bool is_vague(const NameMatch& match) {
        return match.scheme == "orbax-plain" || match.scheme == "orbax-prefixed" || match.scheme == "generic-last-int";
    }

private:
    /// A folder of one item of a checkpoint.
    static bool is_part(const fs::path& path, const Listed& entry) {
        constexpr std::string_view kMarks[] = {"_METADATA", "manifest.ocdbt", ".metadata"};
        return std::any_of(std::begin(kMarks), std::end(kMarks), [&](std::string_view mark) {
            std::error_code error;
            return fs::exists(path / entry.name / mark, error);
        });
    }

    NameReader& names_;
    const std::vector<std::string>& extensions_;
};

}  // namespace

bool has_checkpoint_extension(std::string_view name, const std::vector<std::string>& extensions) {
    // What other programs write and no layout here need read.
    constexpr std::string_view kForeign[] = {"ckpt", "jld2", "safetensors", "bson",  "keras",
                                             "npz",  "pkl",  "tar",         "distcp"};
    const auto ends_in = [name](std::string_view extension) {
        return name.size() > extension.size() && name.ends_with(extension) &&
               name[name.size() - extension.size() - 1] == '.';
    };
    return std::any_of(extensions.begin(), extensions.end(), ends_in) ||
           std::any_of(std::begin(kForeign), std::end(kForeign), ends_in);
}

bool is_checkpoint_folder(const std::string& path, const NameMatch& match, NameReader& names,
                          const std::vector<std::string>& extensions) {
    constexpr int kDepth = 2;
    FolderJudge judge(names, extensions);
    return FolderJudge::is_vague(match) ? judge.is_one_checkpoint(path) : judge.holds_checkpoint(path, kDepth);
}

}  // namespace ckpt
