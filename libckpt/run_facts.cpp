// Names taken apart at their underscores, and arguments.
#include "libckpt/run_facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <regex>
#include <vector>

#include "libckpt/roles.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

/// Models whose names have underscores; a name may have dashes in their place.
constexpr std::array<std::string_view, 30> kModels = {"agem_r",
                                                      "coda_prompt",
                                                      "derpp_casper",
                                                      "derpp_cscct",
                                                      "derpp_lider",
                                                      "derpp_star",
                                                      "er_ace",
                                                      "er_ace_aer_abs",
                                                      "er_ace_casper",
                                                      "er_ace_cscct",
                                                      "er_ace_lider",
                                                      "er_ace_star",
                                                      "er_ace_tricks",
                                                      "er_star",
                                                      "er_tricks",
                                                      "ewc_on",
                                                      "first_stage_starprompt",
                                                      "gdumb_lider",
                                                      "icarl_casper",
                                                      "icarl_cscct",
                                                      "icarl_lider",
                                                      "joint_gcl",
                                                      "lwf_mc",
                                                      "second_order",
                                                      "second_stage_starprompt",
                                                      "xder_ce",
                                                      "xder_rpc",
                                                      "xder_rpc_casper",
                                                      "xder_rpc_cscct",
                                                      "xder_rpc_star"};
constexpr std::array<std::string_view, 5> kDatasets = {"seq-", "perm-", "rot-", "mnist-360", "old-mnist"};

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto at = text.find('_');
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}
std::string join(const std::vector<std::string_view>& parts, std::size_t begin, std::size_t end) {
    std::string text;
    for (std::size_t i = begin; i < end; ++i) text += (i == begin ? "" : "_") + std::string(parts[i]);
    return text;
}
std::optional<std::int64_t> whole(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Where the model begins in the parts before the dataset.
std::size_t model_begin(const std::vector<std::string_view>& parts, std::size_t end) {
    for (std::size_t begin = 0; begin + 1 < end; ++begin) {
        std::string name = join(parts, begin, end);
        std::replace(name.begin(), name.end(), '-', '_');
        if (std::find(kModels.begin(), kModels.end(), name) != kModels.end()) return begin;
    }
    return end == 0 ? 0 : end - 1;
}

}  // namespace

RunFacts run_facts_of_name(std::string_view name) {
    static const std::regex kForm(R"(^(.+)_([0-9]{8}-[0-9]{6})(?:_([0-9a-f]{8}))?(?:_([0-9]+|last|joint))?(?:\.pt)?$)",
                                  std::regex::ECMAScript | std::regex::optimize);
    constexpr std::size_t kLongestName = 255;
    RunFacts facts;
    std::match_results<std::string_view::const_iterator> found;
    if (name.size() > kLongestName || !std::regex_match(name.begin(), name.end(), found, kForm)) return facts;
    const std::string_view before = name.substr(0, static_cast<std::size_t>(found.length(1)));
    const std::vector<std::string_view> parts = split(before);
    if (parts.size() < 4) return facts;
    const std::size_t count = parts.size();
    facts.epochs = whole(parts[count - 1]);
    facts.buffer_size = whole(parts[count - 2]);
    if (!facts.epochs || !facts.buffer_size) return {};
    facts.timestamp = found[2].str();
    facts.id = found[3].str();
    // With an id there is a configuration of the dataset as well.
    const bool has_config = !facts.id.empty() && parts.size() >= 5;
    const std::size_t dataset_end = count - (has_config ? 3 : 2);
    if (has_config) facts.dataset_config = parts[dataset_end];
    std::size_t dataset = dataset_end - 1;
    for (std::size_t i = 1; i < dataset_end; ++i) {
        const bool is_known = std::any_of(kDatasets.begin(), kDatasets.end(),
                                          [&](std::string_view start) { return parts[i].starts_with(start); });
        if (is_known) dataset = i;
    }
    const std::size_t model = model_begin(parts, dataset);
    facts.dataset = join(parts, dataset, dataset_end);
    facts.model = join(parts, model, dataset);
    facts.base = join(parts, 0, model);
    return facts;
}

RunFacts run_facts_of(const Document& document) {
    if (!document.root.is(Kind::kDict) || classify_roles(document).system != "Mammoth") return {};
    const Value* args = document.root.dict().find("args");
    if (args == nullptr) return {};
    const auto text_at = [&](std::string_view name) {
        Value holder;
        const Value* found = find_path(*args, name, holder);
        return found != nullptr && found->is(Kind::kString) ? std::string(found->as_string()) : std::string();
    };
    const auto number_at = [&](std::string_view name) {
        Value holder;
        const Value* found = find_path(*args, name, holder);
        return found != nullptr ? found->as_int64() : std::nullopt;
    };
    RunFacts facts = run_facts_of_name(text_at("ckpt_name"));  // with the time at which the run began
    if (const std::string model = text_at("model"); !model.empty()) facts.model = model;
    if (const std::string dataset = text_at("dataset"); !dataset.empty()) facts.dataset = dataset;
    if (const auto epochs = number_at("n_epochs")) facts.epochs = epochs;
    if (const auto size = number_at("buffer_size")) facts.buffer_size = size;
    return facts;
}

}  // namespace ckpt
