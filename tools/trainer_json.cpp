// Reading the file as JSON; one that is none says nothing.
#include "tools/trainer_json.hpp"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace ckpt {
namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMostBytes = std::uintmax_t{64} << 20;

Json read_state(const CheckpointEntry& entry) {
    namespace fs = std::filesystem;
    const fs::path path = fs::path(entry.path) / "trainer_state.json";
    std::error_code error;
    if (!entry.is_folder || !fs::is_regular_file(path, error) || fs::file_size(path, error) > kMostBytes)
        return nullptr;
    std::ifstream file(path, std::ios::binary);
    // Python writes NaN and Infinity as such, which JSON does not know.
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
        for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
            const bool is_value = at > 0 && (text[at - 1] == ' ' || text[at - 1] == ':' || text[at - 1] == '[');
            if (is_value) text.replace(at, word.size(), "null");
        }
    }
    Json state = Json::parse(text, nullptr, false);
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
