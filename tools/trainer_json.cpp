// Reading the file as JSON; one that is none says nothing.
#include "tools/trainer_json.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace ckpt {
namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMostBytes = std::uintmax_t{64} << 20;

/// Python writes NaN and Infinity as such, which JSON does not know: null for them.
std::string without_nan(std::string_view text) {
    std::string json;
    json.reserve(text.size());
    bool is_quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view rest = text.substr(i);
        if (is_quoted && text[i] == '\\' && i + 1 < text.size()) {
            json += text[i++];
        } else if (text[i] == '"') {
            is_quoted = !is_quoted;
        }
        std::size_t length = 0;
        for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
            if (!is_quoted && length == 0 && rest.starts_with(word)) length = word.size();
        }
        if (length == 0) {
            json += text[i];
        } else {
            json += "null";
            i += length - 1;
        }
    }
    return json;
}

Json read_state(const CheckpointEntry& entry) {
    namespace fs = std::filesystem;
    const fs::path path = fs::path(entry.path) / "trainer_state.json";
    std::error_code error;
    if (!entry.is_folder || !fs::is_regular_file(path, error) || fs::file_size(path, error) > kMostBytes)
        return nullptr;
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    Json state = Json::parse(without_nan(text), nullptr, false);
    return state.is_object() ? state : Json(nullptr);
}

}  // namespace

std::optional<double> metric_of_trainer_state(const CheckpointEntry& entry, const std::string& metric) {
    const Json state = read_state(entry);
    if (!state.is_object()) return std::nullopt;
    if (const auto top = state.find(metric); top != state.end() && top->is_number()) return top->get<double>();
    const auto log = state.find("log_history");
    if (log == state.end() || !log->is_array()) return std::nullopt;
    for (auto line = log->rbegin(); line != log->rend(); ++line) {
        if (!line->is_object()) continue;
        const auto found = line->find(metric);
        if (found != line->end() && found->is_number()) return found->get<double>();
    }
    return std::nullopt;
}

InsideIndex index_of_trainer_state(const CheckpointEntry& entry) {
    InsideIndex inside;
    const Json state = read_state(entry);
    if (!state.is_object()) return inside;
    if (const auto step = state.find("global_step"); step != state.end() && step->is_number_integer())
        inside.step = step->get<std::int64_t>();
    return inside;
}

}  // namespace ckpt
