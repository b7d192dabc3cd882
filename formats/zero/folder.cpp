// Opening the files of a folder and checking that they are all of one checkpoint.
#include "formats/zero/folder.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "formats/shared/torch/object.hpp"
#include "libckpt/error.hpp"

namespace ckpt::zero {
namespace {

constexpr std::string_view kOptimizerEnd = "_optim_states.pt";
constexpr std::string_view kModelEnd = "_model_states.pt";
constexpr std::uint64_t kMostTagBytes = 4096;
constexpr std::uint64_t kMostRanks = 1u << 20;

/// The number behind a word of a name: "pp_rank_" in "zero_pp_rank_12_mp_rank_00_optim_states.pt".
std::optional<std::uint64_t> number_behind(std::string_view name, std::string_view word) {
    const std::size_t at = name.find(word);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view digits = name.substr(at + word.size());
    std::uint64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) return std::nullopt;
    return number;
}

/// A number, or an enum's member made of one.
std::optional<std::int64_t> stage_number(const Value& value) {
    if (value.is(Kind::kObject) && value.node()->recipe && value.node()->recipe->args.is(Kind::kTuple)) {
        const auto& args = value.node()->recipe->args.sequence().items;
        return args.size() == 1 ? args[0].as_int64() : std::nullopt;
    }
    return value.as_int64();
}

/// Partitions of a parameter group: a number, or a list of one for each group.
std::optional<std::uint64_t> partition_count(const Value& value) {
    if (!value.is(Kind::kList)) return value.as_uint64();
    std::optional<std::uint64_t> most;
    for (const Value& item : value.sequence().items) {
        const auto count = item.as_uint64();
        if (!count) return std::nullopt;
        most = std::max(most.value_or(0), *count);
    }
    return most;
}

/// A link is followed within the folder alone.
void refuse_outside(const Source& folder, const std::string& name) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path path = fs::path(folder.path) / name;
    if (!fs::is_symlink(fs::symlink_status(path, error))) return;
    const fs::path target = fs::canonical(path, error);
    if (error) throw_damaged("'{}' is a link to nothing", name);
    const fs::path inside = fs::canonical(folder.path, error);
    if (std::mismatch(inside.begin(), inside.end(), target.begin(), target.end()).first != inside.end())
        throw_damaged("'{}' is a link out of the folder", name);
}

Part read_part(const Source& folder, const std::string& name, const Context& context) {
    const std::string path = folder.path + "/" + name;
    refuse_outside(folder, name);
    try {
        const auto file = File::open(path, context);
        Part part{name, {}};
        part.document.root = read_torch_object(File::blob(file), path, part.document, context);
        part.document.source_bytes = file->size_bytes();
        if (!part.document.root.is(Kind::kDict))
            throw_damaged("holds a {}, not a dict", kind_name(part.document.root.kind()));
        return part;
    } catch (Error& error) {
        error.in_file(path);
        throw;
    }
}

[[noreturn]] void throw_in(const Source& folder, const std::string& name, const std::string& what) {
    Error error(ErrorCode::kDamaged, what);
    error.in_file(folder.path + "/" + name);
    throw error;
}

/// The names of all ranks' files, from the first file's own name.
std::string name_of_rank(const std::string& name, std::uint64_t rank) {
    const std::string word = "pp_rank_";
    const std::size_t begin = name.find(word) + word.size();
    return name.substr(0, begin) + std::to_string(rank) + name.substr(name.find('_', begin));
}

/// By rank; refuses what is of several tensor-parallel ranks.
std::map<std::uint64_t, std::string> by_rank(const std::vector<std::string>& names) {
    std::map<std::uint64_t, std::string> ranks;
    for (const std::string& name : names) {
        if (number_behind(name, "mp_rank_").value_or(0) != 0) {
            throw_error(ErrorCode::kUnsupported,
                        "'{}' is of a second model-parallel rank; a model that is cut that way is not put together",
                        name);
        }
        const auto [other, is_new] = ranks.emplace(number_behind(name, "pp_rank_").value_or(0), name);
        if (!is_new)
            throw_damaged("'{}' and '{}' are of one rank: the folder holds two checkpoints", other->second, name);
    }
    return ranks;
}

void require_all(const std::map<std::uint64_t, std::string>& ranks, std::uint64_t count, std::string_view what) {
    if (count == 0 || count > kMostRanks) throw_damaged("says that it has {} partitions", count);
    std::string missing;
    std::uint64_t absent = 0;
    constexpr std::uint64_t kMostNamed = 16;
    for (std::uint64_t rank = 0; rank < count; ++rank) {
        if (ranks.count(rank) != 0) continue;
        if (++absent <= kMostNamed)
            missing += (missing.empty() ? "'" : ", '") + name_of_rank(ranks.begin()->second, rank) + "'";
    }
    if (absent > 0) {
        throw_damaged("{} of {} {} are missing: {}{}", absent, count, what, missing,
                      absent > kMostNamed ? ", ..." : "");
    }
    if (ranks.size() != count) {
        throw_damaged("'{}' is one too many: the checkpoint has {} {}", ranks.rbegin()->second, count, what);
    }
}

}  // namespace

bool is_optimizer_file(std::string_view name) noexcept {
    return name.ends_with(kOptimizerEnd) && name.find("zero_pp_rank_") != std::string_view::npos;
}

bool is_model_file(std::string_view name) noexcept {
    return name.ends_with(kModelEnd) && name.find("mp_rank_") != std::string_view::npos;
}

const Value* Part::find(std::string_view key) const {
    return document.root.dict().find(key);
}

Source find_folder(const Source& source, const Context& context) {
    const bool has_files = std::any_of(source.entries.begin(), source.entries.end(), [](const std::string& name) {
        return is_optimizer_file(name) || is_model_file(name);
    });
    if (has_files) return source;
    if (!std::binary_search(source.entries.begin(), source.entries.end(), "latest"))
        throw Error(ErrorCode::kNotCheckpoint, "is a folder without ZeRO's files, and without a file 'latest'");
    const std::string path = source.path + "/latest";
    refuse_outside(source, "latest");
    const auto file = File::open(path, context);
    std::string tag = read_all(*File::blob(file), kMostTagBytes);
    while (!tag.empty() && (tag.back() == '\n' || tag.back() == '\r' || tag.back() == ' ')) tag.pop_back();
    if (tag.empty() || tag == "." || tag == ".." || tag.find('/') != std::string::npos ||
        tag.find('\0') != std::string::npos) {
        throw_in(source, "latest", fmt::format("names '{}', which is no folder's name", tag));
    }
    if (!std::binary_search(source.entries.begin(), source.entries.end(), tag))
        throw_in(source, "latest", fmt::format("names the folder '{}', which is not there", tag));
    refuse_outside(source, tag);
    Source found = Source::open(source.path + "/" + tag, context);
    if (!found.is_folder) throw_in(source, tag, "is no folder, though 'latest' names it");
    return found;
}

Folder read_folder(const Source& source, const Context& context) {
    Folder folder;
    folder.path = source.path;
    std::vector<std::string> optimizer_names, model_names;
    for (const std::string& name : source.entries) {
        if (is_optimizer_file(name)) optimizer_names.push_back(name);
        if (is_model_file(name)) model_names.push_back(name);
    }
    if (optimizer_names.empty())
        throw_damaged("has no file '*{}': without the partitions there are no fp32 weights", kOptimizerEnd);
    if (model_names.empty())
        throw_damaged("has no file '*{}': it says which parameters the partitions hold", kModelEnd);
    const auto optimizers = by_rank(optimizer_names);
    const auto models = by_rank(model_names);

    std::uint64_t ranks = 0;
    for (const auto& [rank, name] : optimizers) {
        Part part = read_part(source, name, context);
        const Value* state = part.find("optimizer_state_dict");
        const Value* stage = state != nullptr && state->is(Kind::kDict) ? state->dict().find("zero_stage") : nullptr;
        const Value* count = stage != nullptr ? state->dict().find("partition_count") : nullptr;
        const auto number = stage != nullptr ? stage_number(*stage) : std::nullopt;
        if (!number || *number < 1 || *number > 3 || count == nullptr)
            throw_in(source, name, "does not say its ZeRO stage (1 to 3) and how many partitions there are");
        const auto partitions = partition_count(*count);
        if (!partitions) throw_in(source, name, "has a 'partition_count' that is no count");
        if (folder.optimizers.empty()) {
            folder.stage = static_cast<int>(*number);
            ranks = *partitions;
            require_all(optimizers, ranks, "partitions");
            if (folder.stage == 3) require_all(models, ranks, "model files");
        } else if (*number != folder.stage || *partitions != ranks) {
            throw_in(source, name,
                     fmt::format("is of stage {} with {} partitions, '{}' of stage {} with {}", *number, *partitions,
                                 folder.optimizers.front().name, folder.stage, ranks));
        }
        folder.optimizers.push_back(std::move(part));
    }
    for (const auto& [rank, name] : models) folder.models.push_back(read_part(source, name, context));
    if (folder.stage < 3 && folder.models.size() > 1) {
        throw_damaged("has {} model files, though stage {} writes one", folder.models.size(), folder.stage);
    }
    return folder;
}

}  // namespace ckpt::zero
