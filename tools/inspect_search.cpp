// Words and JSON for SearchSummary.
#include "tools/inspect_search.hpp"

#include <fmt/format.h>
#include <cmath>
#include <nlohmann/json.hpp>

#include "libckpt/walk.hpp"
#include "tools/text.hpp"
#include "tools/value_text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

std::string_view direction_name(SearchDirection direction) {
    switch (direction) {
        case SearchDirection::kMin:
            return "min";
        case SearchDirection::kMax:
            return "max";
        default:
            return "";
    }
}

/// "lr 0.1, act 'relu'": the parameters that fit in place, one level deep.
std::string parameters_text(const Value& best) {
    std::string text;
    for (const auto& child : children(best)) {
        std::string value;
        if (child.value.kind() <= Kind::kBytes) {
            value = value_text(child.value);
            value.pop_back();
            value = shortened(value, 40);
            if (child.value.is(Kind::kString)) value = "'" + value + "'";
        } else {
            value = child.value.type().empty() ? "{...}" : printable(child.value.type());
        }
        text += (text.empty() ? "" : ", ") + printable(child.component) + " " + value;
    }
    return text;
}

Json number_json(const std::optional<double>& number) {
    if (!number) return nullptr;
    if (std::isfinite(*number)) return *number;
    return std::isnan(*number) ? "NaN" : *number < 0 ? "-Inf" : "Inf";
}

}  // namespace

std::vector<std::string> search_lines(const SearchSummary& summary) {
    std::vector<std::string> lines;
    const std::string_view direction = direction_name(summary.direction);
    lines.push_back(fmt::format("{} search: {}", summary.is_running ? "running" : "finished",
                                summary.best_f ? fmt::format("best objective {}{}", *summary.best_f,
                                                             direction.empty() ? "" : fmt::format(" ({})", direction))
                                               : "nothing evaluated yet"));
    if (summary.newer_best_f)
        lines.push_back(
            fmt::format("  older than the history: entry {} has {}", summary.newer_best_at, *summary.newer_best_f));
    std::string counts =
        summary.has_history || summary.cached == 0
            ? fmt::format("{} evaluated, {} pruned, {} NaN", summary.evaluated, summary.pruned, summary.nans)
            : std::string("no history kept");
    counts += summary.duplicates
                  ? fmt::format(", {} duplicate{} rejected", *summary.duplicates, *summary.duplicates == 1 ? "" : "s")
                  : std::string(", duplicates not recorded");
    counts += summary.has_cache ? fmt::format("; {} in the cache", summary.cached) : std::string("; no cache");
    lines.push_back(std::move(counts));
    if (summary.is_running) {
        std::string progress;
        if (summary.step) progress += fmt::format("step {}", *summary.step);
        if (summary.seconds) progress += fmt::format("{}{:.6g} s", progress.empty() ? "" : " after ", *summary.seconds);
        if (summary.seconds_per_candidate)
            progress += fmt::format(", about {:.3g} s each", *summary.seconds_per_candidate);
        lines.push_back(progress + "; its limit is not in the file: resume with run(checkpoint_path=...)");
    }
    lines.push_back("pruner: " + summary.pruner);
    const std::string best = parameters_text(summary.best);
    if (!best.empty()) lines.push_back("best parameters: " + best);
    return lines;
}

std::string search_json(const SearchSummary& summary) {
    Json json;
    json["state"] = summary.is_running ? "running" : "finished";
    json["best_f"] = number_json(summary.best_f);
    json["direction"] =
        summary.direction == SearchDirection::kUnknown ? Json(nullptr) : Json(direction_name(summary.direction));
    json["newer_best_f"] = number_json(summary.newer_best_f);
    json["evaluated"] = summary.evaluated;
    json["pruned"] = summary.pruned;
    json["nan"] = summary.nans;
    json["duplicates"] = summary.duplicates ? Json(*summary.duplicates) : Json(nullptr);
    json["cached"] = summary.cached;
    json["step"] = summary.step ? Json(*summary.step) : Json(nullptr);
    json["seconds"] = number_json(summary.seconds);
    json["seconds_per_candidate"] = number_json(summary.seconds_per_candidate);
    json["pruner"] = summary.pruner;
    return json.dump();
}

std::vector<std::string> calibration_lines(const CalibrationSummary& summary) {
    std::vector<std::string> lines;
    const auto parameter = [&](const std::vector<double>& numbers, std::size_t i) {
        return i < numbers.size() ? fmt::format("{}", numbers[i]) : std::string("?");
    };
    lines.push_back(fmt::format("calibration of {}: {} batches done, {} parameters sampled, ensembles of {}",
                                printable(summary.model), summary.batches, summary.rows, summary.ensemble_size));
    if (summary.best_loss) {
        std::string best;
        for (std::size_t i = 0; i < summary.best_parameters.size(); ++i)
            best += (i == 0 ? "" : ", ") + parameter(summary.best_parameters, i);
        lines.push_back(fmt::format("best loss {} at row {}: ({})", *summary.best_loss, summary.best_row, best));
    } else {
        lines.push_back("no loss that is a number yet");
    }
    std::string bounds;
    for (std::size_t i = 0; i < summary.precision.size(); ++i)
        bounds += fmt::format("{}{} to {} by {}", i == 0 ? "" : ", ", parameter(summary.lower, i),
                              parameter(summary.upper, i), parameter(summary.precision, i));
    lines.push_back("bounds: " + bounds);
    const auto last = [](const std::string& name) { return printable(name.substr(name.rfind('.') + 1)); };
    std::string samplers;
    for (const auto& name : summary.samplers) samplers += (samplers.empty() ? "" : ", ") + last(name);
    lines.push_back(fmt::format("{}samplers: {}; loss: {}",
                                summary.scheduler.empty() ? "" : last(summary.scheduler) + ", ", samplers,
                                last(summary.loss)));
    return lines;
}

std::string calibration_json(const CalibrationSummary& summary) {
    const auto numbers = [](const std::vector<double>& values) {
        Json list = Json::array();
        for (const double value : values) list.push_back(number_json(value));
        return list;
    };
    Json json;
    json["model"] = printable(summary.model);
    json["batches"] = summary.batches;
    json["sampled"] = summary.rows;
    json["ensemble_size"] = summary.ensemble_size;
    json["best_loss"] = number_json(summary.best_loss);
    json["best_row"] = summary.best_row;
    json["best_parameters"] = numbers(summary.best_parameters);
    json["lower"] = numbers(summary.lower);
    json["upper"] = numbers(summary.upper);
    json["precision"] = numbers(summary.precision);
    json["scheduler"] = summary.scheduler.empty() ? Json(nullptr) : Json(printable(summary.scheduler));
    json["samplers"] = Json::array();
    for (const auto& name : summary.samplers) json["samplers"].push_back(printable(name));
    json["loss"] = printable(summary.loss);
    return json.dump();
}

std::string run_line(const RunFacts& facts) {
    std::string line = fmt::format("{} on {}", facts.model.empty() ? "?" : printable(facts.model),
                                   facts.dataset.empty() ? "?" : printable(facts.dataset));
    if (facts.buffer_size)
        line += *facts.buffer_size == 0 ? ", no buffer" : fmt::format(", buffer {}", *facts.buffer_size);
    if (facts.epochs) line += fmt::format(", {} epoch{}", *facts.epochs, *facts.epochs == 1 ? "" : "s");
    if (!facts.timestamp.empty()) line += ", started " + printable(facts.timestamp);
    return line;
}

std::string run_json(const RunFacts& facts) {
    const auto text = [](const std::string& value) { return value.empty() ? Json(nullptr) : Json(printable(value)); };
    const auto count = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
    return Json({{"base", text(facts.base)},
                 {"model", text(facts.model)},
                 {"dataset", text(facts.dataset)},
                 {"dataset_config", text(facts.dataset_config)},
                 {"buffer", count(facts.buffer_size)},
                 {"epochs", count(facts.epochs)},
                 {"timestamp", text(facts.timestamp)},
                 {"id", text(facts.id)}})
        .dump();
}

namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + printable(name);
    return text;
}

}  // namespace

std::vector<std::string> trainer_lines(const TrainerSummary& summary) {
    std::string line = "Lightning " + printable(summary.version);
    if (summary.epoch) line += fmt::format(", epoch {}", *summary.epoch);
    if (summary.global_step) line += fmt::format(", step {}", *summary.global_step);
    if (!summary.loops.empty()) line += "; " + joined(summary.loops);
    std::vector<std::string> lines = {line};
    if (!summary.callbacks.empty()) {
        line = "callbacks " + joined(summary.callbacks);
        if (!summary.best_model_path.empty()) line += "; best " + shortened(summary.best_model_path, 60);
        lines.push_back(line);
    }
    if (!summary.averaged_path.empty()) {
        lines.push_back(fmt::format("{} is the average of the weights, {} are the trained ones",
                                    printable(summary.averaged_path), printable(summary.trained_path)));
    }
    return lines;
}

std::string trainer_json(const TrainerSummary& summary) {
    nlohmann::ordered_json json;
    json["version"] = printable(summary.version);
    json["epoch"] = summary.epoch ? nlohmann::ordered_json(*summary.epoch) : nlohmann::ordered_json(nullptr);
    json["global_step"] =
        summary.global_step ? nlohmann::ordered_json(*summary.global_step) : nlohmann::ordered_json(nullptr);
    json["loops"] = nlohmann::ordered_json::array();
    for (const auto& loop : summary.loops) json["loops"].push_back(printable(loop));
    json["callbacks"] = nlohmann::ordered_json::array();
    for (const auto& callback : summary.callbacks) json["callbacks"].push_back(printable(callback));
    json["best_model_path"] = summary.best_model_path.empty()
                                  ? nlohmann::ordered_json(nullptr)
                                  : nlohmann::ordered_json(printable(summary.best_model_path));
    json["optimizers"] = summary.optimizers;
    json["schedulers"] = summary.schedulers;
    json["averaged"] = summary.averaged_path.empty() ? nlohmann::ordered_json(nullptr)
                                                     : nlohmann::ordered_json(printable(summary.averaged_path));
    json["trained"] = summary.trained_path.empty() ? nlohmann::ordered_json(nullptr)
                                                   : nlohmann::ordered_json(printable(summary.trained_path));
    return json.dump();
}

}  // namespace ckpt
