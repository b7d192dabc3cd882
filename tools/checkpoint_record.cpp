// Gathering and printing what is known of a checkpoint.
#include "tools/checkpoint_record.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "libckpt/calibration_state.hpp"
#include "libckpt/roles.hpp"
#include "tools/inspect_json.hpp"
#include "tools/inspect_search.hpp"
#include "tools/text.hpp"
#include "tools/trainer_json.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
    if (!std::isfinite(value)) return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    if (value == std::floor(value) && std::fabs(value) < 9007199254740992.0) return static_cast<std::int64_t>(value);
    return value;
}

Json record(const CheckpointEntry& entry, const CheckpointFacts& facts) {
    Json json;
    json["path"] = entry.path;
    json["name"] = entry.name();
    json["index"] = entry.match.index ? number(*entry.match.index) : Json(nullptr);
    json["axis"] = entry.match.axis.empty() ? Json(nullptr) : Json(entry.match.axis);
    json["base"] = entry.match.base;
    json["scheme"] = entry.match.scheme.empty() ? Json(nullptr) : Json(entry.match.scheme);
    json["series"] = entry.match.series.str();
    json["format"] = facts.format.empty() ? Json(nullptr) : Json(facts.format);
    json["producer"] = facts.producer.empty() ? Json(nullptr) : Json(facts.producer);
    json["bytes"] = entry.bytes;
    json["mtime"] = entry.mtime_seconds;
    json["aliases"] = Json::array();
    for (const auto& alias : entry.aliases) json["aliases"].push_back(alias);
    json["state"] = facts.state;
    Json axes = Json::object();
    for (const auto& known : entry.match.axes) axes[known.axis.str()] = number(known.value);
    json["axes"] = axes;
    if (!entry.match.label.empty()) json["label"] = entry.match.label;
    if (!facts.inside.is_empty()) {
        Json inside = Json::object();
        if (facts.inside.epoch) inside["epoch"] = *facts.inside.epoch;
        if (facts.inside.step) inside["step"] = *facts.inside.step;
        json["inside"] = inside;
        json["disagrees"] = facts.disagrees.empty() ? Json(nullptr) : Json(facts.disagrees);
    }
    if (!facts.target.empty()) json["target"] = facts.target;
    if (!facts.run.is_empty()) json["run"] = Json::parse(run_json(facts.run));
    if (!facts.why.empty()) json["why"] = facts.why;
    return json;
}

}  // namespace

const Format* layout_of_folder(const Session& session, const std::string& path) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) return nullptr;
    try {
        const Source source = Source::open(path, session.context());
        for (const auto& format : session.registry().formats()) {
            if (format->capabilities().is_folder && format->probe(source) >= Evidence::kLikely) return format.get();
        }
    } catch (const Error& failure) {
        if (failure.code() == ErrorCode::kCancelled) throw;
    }
    return nullptr;
}

CheckpointEntry folder_entry(const std::string& path) {
    CheckpointEntry entry;
    entry.path = path;
    entry.is_folder = true;
    return entry;
}

bool is_rolling(const Format& layout) {
    return layout.capabilities().holds == "calibrations";
}

std::optional<NameMatch> rolling_match(const Session& session, const std::string& path) {
    const Format* format = layout_of_folder(session, path);
    if (format == nullptr || !is_rolling(*format)) return std::nullopt;
    NameMatch match;
    match.axis = "batch";
    match.series = folder_entry(path).name();
    Context context = session.context();
    context.on_warning = nullptr;
    try {
        const Document document = read_document(session.registry(), path, context, format);
        if (const auto calibration = summarize_calibration(document.root)) {
            match.index = static_cast<double>(calibration->batches);
            match.axes.push_back({"batch", *match.index, 0, 0});
        }
    } catch (const Error& failure) {
        if (failure.code() == ErrorCode::kCancelled) throw;  // what is wrong is told where it is opened
    }
    return match;
}

namespace {

std::string link_target(const std::string& path) {
    std::error_code error;  // of what is no link, too
    return std::filesystem::read_symlink(path, error).string();
}

}  // namespace

CheckpointFacts facts_by_name(const Session& session, const CheckpointEntry& entry) {
    CheckpointFacts facts;
    const Format* format = session.registry().by_extension(entry.name());
    // Most programs call their files `.ckpt`: only the content tells whose it is.
    if (format != nullptr && !entry.name().ends_with(".ckpt")) facts.format = format->name();
    if (entry.match.scheme == "mammoth") facts.run = run_facts_of_name(entry.name());
    if (entry.match.is_alias) facts.target = link_target(entry.path);
    return facts;
}

CheckpointFacts facts_by_reading(const Session& session, const CheckpointEntry& entry, const EntryChecker& checker) {
    CheckpointFacts facts = facts_by_name(session, entry);
    facts.target = link_target(entry.path);
    Context context = session.context();
    context.on_warning = nullptr;
    context.on_progress = nullptr;
    try {
        const Document document = read_document(session.registry(), entry.path, context);
        facts.format = document.format;
        facts.producer = document.producer;
        facts.state = "ok";
        const Roles roles = classify_roles(document);
        std::set<Role> held;  // in the order of the roles, whatever the file's
        if (roles.whole_is_model) held.insert(Role::kModel);
        for (const auto& part : roles.parts) held.insert(part.second);
        for (const Role role : held) facts.holds += (facts.holds.empty() ? "" : ", ") + std::string(role_name(role));
        facts.parameters = count_totals(document).parameters;
        facts.inside = inside_index(document.root);
        if (facts.inside.is_empty()) facts.inside = index_of_trainer_state(entry);
        facts.disagrees = disagreement(entry.match, facts.inside);
        if (RunFacts run = run_facts_of(document); !run.is_empty()) {
            if (run.timestamp.empty()) run.timestamp = facts.run.timestamp;
            if (run.dataset_config.empty()) run.dataset_config = facts.run.dataset_config;
            facts.run = std::move(run);
        }
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        facts.state = error.code() == ErrorCode::kDamaged ? "damaged" : "unreadable";
        facts.why = error.message();
    }
    if (!entry.is_folder && entry.others.empty()) return facts;
    const bool is_whole = facts.state == "ok";
    const bool is_of_others = facts.state == "unreadable" && entry.is_folder;
    if (!is_whole && !is_of_others) return facts;
    const CheckResult rest = is_whole ? checker.check_rest(entry, VerifyLevel::kQuick, context)
                                      : checker.check(entry, VerifyLevel::kQuick, context);
    if (rest.state == CheckResult::State::kValid && is_of_others) {
        facts.state = "ok";
        facts.why.clear();
        facts.format = rest.layout;
    } else if (rest.state == CheckResult::State::kDamaged) {
        facts.state = "damaged";
        facts.why = rest.why;
    }
    return facts;
}

void judge_aliases(const std::vector<CheckpointEntry>& entries, std::vector<CheckpointFacts>& facts) {
    const auto folder_of = [](const CheckpointEntry& entry) {
        return std::string_view(entry.path).substr(0, entry.path.size() - entry.name().size());
    };
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const InsideIndex& inside = facts[i].inside;
        if (entries[i].match.scheme != "last" || inside.is_empty()) continue;
        const std::string_view axis = inside.epoch ? "epoch" : "step";
        const double held = static_cast<double>(inside.epoch ? *inside.epoch : *inside.step);
        for (const CheckpointEntry& other : entries) {
            if (other.match.is_alias || folder_of(other) != folder_of(entries[i])) continue;
            const auto named = other.match.on_axis(axis);
            if (!named || *named <= held + 1) continue;  // one is no difference
            facts[i].disagrees = fmt::format("holds {} {}, and there is {}", axis, index_text(held), other.name());
        }
    }
}

std::string record_json(const CheckpointEntry& entry, const CheckpointFacts& facts, int indent) {
    return record(entry, facts).dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string list_json(const std::vector<CheckpointEntry>& entries, const std::vector<CheckpointFacts>& facts,
                      const std::vector<SkippedEntry>& skipped, const std::vector<JudgedPointer>& pointers) {
    Json checkpoints = Json::array();
    for (std::size_t i = 0; i < entries.size(); ++i) checkpoints.push_back(record(entries[i], facts[i]));
    Json left = Json::array();
    for (const auto& entry : skipped) left.push_back({{"path", entry.path}, {"why", entry.why}});
    Json named = Json::array();
    for (const auto& pointer : pointers) {
        const std::string_view state = pointer.state == JudgedPointer::State::kNewest  ? "newest"
                                       : pointer.state == JudgedPointer::State::kOlder ? "older"
                                                                                       : "missing";
        named.push_back({{"path", pointer.path}, {"target", pointer.target}, {"state", state}});
    }
    return Json({{"checkpoints", checkpoints}, {"skipped", left}, {"pointers", named}})
        .dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string pointer_text(const JudgedPointer& pointer) {
    const std::string begin = fmt::format("{} names {}", printable(pointer.path), printable(pointer.target));
    const std::string newest = pointer.newest.empty() ? "" : "; the newest is " + printable(pointer.newest);
    switch (pointer.state) {
        case JudgedPointer::State::kNewest:
            return {};
        case JudgedPointer::State::kOlder:
            return begin + newest;
        case JudgedPointer::State::kMissing:
            return begin + ", which is not there" + newest;
    }
    return {};
}

}  // namespace ckpt
