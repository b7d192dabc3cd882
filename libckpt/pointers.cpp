// One line of text each, but for TensorFlow's.
#include "libckpt/pointers.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

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

std::vector<JudgedPointer> judge_pointers(RunFolder& folder, const std::string& path) {
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

}  // namespace ckpt
