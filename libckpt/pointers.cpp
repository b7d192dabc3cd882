// One line of text each, but for TensorFlow's.
#include "libckpt/pointers.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>

namespace ckpt {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMegatron = "latest_checkpointed_iteration.txt";
constexpr std::string_view kTensorFlow = "checkpoint";
constexpr std::string_view kNames[] = {kTensorFlow, "last_checkpoint", "latest", kMegatron};
constexpr std::size_t kMostBytes = 64 << 10;

std::string_view trimmed(std::string_view text) {
    const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::string_view last_component(std::string_view path) {
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    return path.substr(path.rfind('/') + 1);
}

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 19 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The text in quotes behind `model_checkpoint_path:` of a protocol buffer as text.
std::string_view tensorflow_path(std::string_view text) {
    constexpr std::string_view kField = "model_checkpoint_path:";
    std::size_t at = text.find(kField);
    while (at != std::string_view::npos && at != 0 && text[at - 1] != '\n') at = text.find(kField, at + 1);
    if (at == std::string_view::npos) return {};
    std::string_view value = text.substr(at + kField.size());
    value = trimmed(value.substr(0, value.find('\n')));
    if (value.size() < 2 || (value.front() != '"' && value.front() != '\'') || value.back() != value.front()) return {};
    return value.substr(1, value.size() - 2);
}

}  // namespace

std::optional<Pointer> parse_pointer(std::string_view name, std::string_view bytes) {
    std::string_view target;
    if (name == kTensorFlow) {
        target = last_component(tensorflow_path(bytes));
    } else if (std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames)) {
        target = trimmed(bytes);
        const auto is_text = [](char c) { return static_cast<unsigned char>(c) >= ' '; };
        if (!std::all_of(target.begin(), target.end(), is_text)) return std::nullopt;
        target = last_component(target);
    }
    if (target.empty()) return std::nullopt;
    if (name == kMegatron && is_number(target)) return Pointer{std::string(name), fmt::format("iter_{:0>7}", target)};
    return Pointer{std::string(name), std::string(target)};
}

std::optional<std::string> best_of_trainer_state(std::string_view text) {
    constexpr std::string_view kKey = "\"best_model_checkpoint\"";
    const std::size_t key = text.find(kKey);
    if (key == std::string_view::npos) return std::nullopt;
    text = trimmed(text.substr(key + kKey.size()));
    if (!text.starts_with(':')) return std::nullopt;
    text = trimmed(text.substr(1));
    if (!text.starts_with('"')) return std::nullopt;  // null: there is none yet
    std::string path;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            std::string name(last_component(path));
            return name.empty() ? std::nullopt : std::optional(std::move(name));
        }
        if (text[i] == '\\') ++i;
        if (i < text.size()) path += text[i];
    }
    return std::nullopt;
}

std::vector<Pointer> read_pointers(const std::string& folder) {
    std::vector<Pointer> pointers;
    for (const std::string_view name : kNames) {
        const fs::path path = fs::path(folder) / name;
        std::error_code error;
        if (!fs::is_regular_file(path, error)) continue;
        std::ifstream file(path, std::ios::binary);
        std::string bytes(kMostBytes, '\0');
        file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        bytes.resize(static_cast<std::size_t>(file.gcount()));
        if (auto pointer = parse_pointer(name, bytes)) pointers.push_back(std::move(*pointer));
    }
    return pointers;
}

namespace {

std::vector<JudgedPointer> judge_folder(RunFolder& folder, const std::string& path) {
    const CheckpointEntry* newest = folder.newest("", {});
    std::vector<JudgedPointer> judged;
    const auto in_folder = [&](std::string_view name) {
        return path == "." ? std::string(name) : (fs::path(path) / name).string();
    };
    const auto judge = [&](const std::string& name, const std::string& target, const CheckpointEntry* entry) {
        JudgedPointer pointer;
        pointer.path = in_folder(name);
        pointer.target = entry != nullptr ? std::string(entry->name()) : target;
        if (newest != nullptr) pointer.newest = newest->name();
        pointer.state = entry == nullptr  ? JudgedPointer::State::kMissing
                        : entry == newest ? JudgedPointer::State::kNewest
                                          : JudgedPointer::State::kOlder;
        judged.push_back(std::move(pointer));
    };
    const auto is_named = [](const CheckpointEntry& entry, const std::string& target) {
        // TensorFlow names what the files of a checkpoint begin with.
        return entry.name() == target || entry.name().starts_with(target + ".") ||
               std::find(entry.aliases.begin(), entry.aliases.end(), target) != entry.aliases.end();
    };
    for (const Pointer& pointer : read_pointers(path)) {
        const CheckpointEntry* found = nullptr;
        for (const CheckpointEntry& entry : folder.checkpoints()) {
            const bool is_exact = entry.name() == pointer.target;
            if (entry.path == in_folder(entry.name()) &&
                (is_exact || (found == nullptr && is_named(entry, pointer.target))))
                found = &entry;
            if (is_exact && found == &entry) break;
        }
        judge(pointer.name, pointer.target, found);
    }
    // Links that lead nowhere: the times of these cannot be had, and links of the names of pointer files.
    const auto judge_dangling = [&](std::string_view name) {
        std::error_code error;
        const fs::path link = fs::path(path) / name;
        const fs::path target = fs::read_symlink(link, error);
        if (!error && !fs::exists(link, error)) judge(std::string(name), target.filename().string(), nullptr);
    };
    for (const CheckpointEntry& entry : folder.checkpoints()) {
        if (entry.mtime_seconds == 0 && entry.path == in_folder(entry.name())) judge_dangling(entry.name());
    }
    for (const SkippedEntry& skipped : folder.skipped()) {
        const std::string name = fs::path(skipped.path).filename().string();
        if (skipped.why.starts_with("pointer") && skipped.path == in_folder(name)) judge_dangling(name);
    }
    const NameTable table;
    for (const CheckpointEntry& entry : folder.checkpoints()) {
        for (const std::string& alias : entry.aliases) {
            const auto match = table.classify(alias, entry.is_folder ? EntryKind::kFolder : EntryKind::kFile);
            if (match && match->is_alias && match->scheme == "last" && entry.path == in_folder(entry.name()))
                judge(alias, std::string(entry.name()), &entry);
        }
    }
    return judged;
}

}  // namespace

std::vector<JudgedPointer> judge_pointers(RunFolder& folder, const std::string& path, const ScanOptions& options,
                                          const Context& context) {
    if (!options.recursive) return judge_folder(folder, path);
    // Each folder by itself: the newest of another run is none of its business.
    std::set<std::string> folders;
    for (const CheckpointEntry& entry : folder.checkpoints()) {
        const std::string parent = fs::path(entry.path).parent_path().string();
        folders.insert(parent.empty() ? "." : parent);
    }
    ScanOptions own = options;
    own.recursive = false;
    std::vector<JudgedPointer> judged;
    for (const std::string& place : folders) {
        RunFolder run = RunFolder::scan(place, own, context);
        run.stat();
        for (JudgedPointer& pointer : judge_folder(run, place)) judged.push_back(std::move(pointer));
    }
    return judged;
}

}  // namespace ckpt
