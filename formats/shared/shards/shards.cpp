// The index of a sharded checkpoint, and its files.
#include "formats/shared/shards/shards.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "formats/shared/json/json_cursor.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostIndexBytes = std::uint64_t{256} << 20;

bool is_plain_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

ShardIndex read_index(std::string_view text) {
    ShardIndex index;
    std::unordered_map<std::string, std::size_t> numbers;
    bool has_map = false;
    JsonCursor json(text);
    json.object([&](const std::string& member) {
        if (member == "weight_map") {
            has_map = true;
            json.object([&](const std::string& name) {
                if (!json.next_is_text())
                    throw_damaged("weight_map: {} is {}, not a file's name", json_quoted(name), json.what_is_next());
                const std::string file = json.text();
                if (!is_plain_name(file))
                    throw_damaged("weight_map: {} is in {}, which is no name of a file in this folder",
                                  json_quoted(name), json_quoted(file));
                const auto [found, is_new] = numbers.emplace(file, index.files.size());
                if (is_new) index.files.push_back({file, {}});
                index.files[found->second].second.push_back(name);
            });
        } else if (member == "metadata" && json.next_is_object()) {
            json.object([&](const std::string& key) {
                if (json.next_is_text()) {
                    index.metadata.emplace_back(key, json.text());
                    return;
                }
                const std::string_view value = json.skip();
                if (key == "total_size" && value.size() < 20 && value.find_first_not_of("0123456789") == value.npos)
                    index.total_size_bytes = std::stoull(std::string(value));
            });
        } else {
            json.skip();
        }
    });
    json.end();
    if (!has_map) throw_damaged("has no weight_map, so is no index of a sharded checkpoint");
    return index;
}

/// `path` as it is without links, or empty where that cannot be said.
fs::path resolved(const fs::path& path) {
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    return error ? fs::path() : real;
}

}  // namespace

std::optional<std::string> shard_index_path(const Source& source, std::string_view suffix) {
    if (!source.is_folder) return source.name.ends_with(suffix) ? std::optional(source.path) : std::nullopt;
    std::optional<std::string> found;
    for (const std::string& entry : source.entries) {
        if (!entry.ends_with(suffix)) continue;
        if (found) return std::nullopt;
        found = (fs::path(source.path) / entry).string();
    }
    return found;
}

ShardFolder::ShardFolder(std::string index_path, const Context& context)
    : path_(std::move(index_path)), folder_(fs::path(path_).parent_path().string()) {
    if (folder_.empty()) folder_ = ".";
    try {
        const auto file = File::open(path_, context);
        index_ = read_index(read_all(*File::blob(file), std::min(kMostIndexBytes, context.limits.max_header_bytes)));
    } catch (Error& error) {
        error.in_file(path_);
        throw;
    }
}

std::shared_ptr<const File> ShardFolder::open(const std::string& name, const Context& context) const {
    const fs::path path = fs::path(folder_) / name;
    std::error_code error;
    const auto status = fs::symlink_status(path, error);
    if (!fs::exists(status)) throw_damaged("the index names '{}', which is not there", name);
    if (fs::is_symlink(status)) {
        const fs::path target = resolved(path).parent_path();
        const bool is_index_linked = fs::is_symlink(fs::symlink_status(path_, error));
        if (target.empty() ||
            (target != resolved(folder_) && !(is_index_linked && target == resolved(path_).parent_path())))
            throw_damaged("'{}' is a link that leads out of the folder", name);
    }
    if (!fs::is_regular_file(path, error)) throw_damaged("'{}' is no file", name);
    return File::open(path.string(), context);
}

void take_aliases(Document& document, const std::vector<std::pair<std::string, std::string>>& metadata) {
    std::unordered_set<std::string_view> names;
    for (const auto& [key, value] : document.root.dict().entries) {
        if (key.is(Kind::kString)) names.insert(key.as_string());
    }
    for (const auto& [name, target] : metadata) {
        if (name != "format" && !names.contains(name) && names.contains(target))
            document.aliases.emplace_back(name, target);
    }
}

std::string shard_index_bytes(const std::vector<std::pair<std::string, std::string>>& weight_map,
                              std::uint64_t total_size_bytes,
                              const std::vector<std::pair<std::string, std::string>>& metadata) {
    std::string text = fmt::format("{{\n  \"metadata\": {{\n    \"total_size\": {}", total_size_bytes);
    for (const auto& [key, value] : metadata)
        text += fmt::format(",\n    {}: {}", json_quoted(key), json_quoted(value));
    text += "\n  },\n  \"weight_map\": {";
    for (std::size_t i = 0; i < weight_map.size(); ++i) {
        text += fmt::format("{}\n    {}: {}", i == 0 ? "" : ",", json_quoted(weight_map[i].first),
                            json_quoted(weight_map[i].second));
    }
    return text + (weight_map.empty() ? "}\n}" : "\n  }\n}");
}

}  // namespace ckpt
