// What becomes of each checkpoint, and why.
#include "tools/prune_report.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "tools/text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;
using Action = PruneSubject::Action;

std::string_view action_name(Action action) {
    return action == Action::kKeep ? "keep" : action == Action::kStrip ? "strip" : "remove";
}

std::string_view state_name(CheckResult::State state) {
    return state == CheckResult::State::kValid     ? "ok"
           : state == CheckResult::State::kDamaged ? "damaged"
                                                   : "unreadable";
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : "; ") + printable(text);
    return all;
}

Json number(double value) {
    if (std::isfinite(value)) return value;
    return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

Json record(const PruneSubject& subject) {
    Json files = Json::array({subject.entry.path});
    for (const std::string& path : subject.entry.others) files.push_back(path);
    Json reasons = Json::array();
    for (const std::string& reason : subject.verdict.reasons) reasons.push_back(reason);
    const auto& index = subject.item.index;
    Json json = {{"path", subject.entry.path},
                 {"action", action_name(subject.action)},
                 {"reasons", reasons},
                 {"series", subject.entry.match.series.str()},
                 {"axis", subject.entry.match.axis.empty() ? Json() : Json(subject.entry.match.axis.str())},
                 {"index", index ? Json(*index) : Json()},
                 {"bytes", subject.item.bytes},
                 {"files", files},
                 {"state", state_name(subject.check.state)}};
    if (index && index_text(*index).find_first_not_of("-0123456789") == std::string::npos)
        json["index"] = static_cast<std::int64_t>(*index);
    if (!subject.item.why_invalid.empty()) json["why"] = subject.item.why_invalid;
    if (subject.item.metric) json["metric"] = number(*subject.item.metric);
    return json;
}

}  // namespace

std::string prune_summary(const PrunePlan& plan) {
    std::string text = fmt::format("keep {}, remove {} ({})", plan.count(Action::kKeep), plan.count(Action::kRemove),
                                   size_text(plan.removed_bytes()));
    if (!plan.options().trash.empty()) {
        text = fmt::format("keep {}, move {} to {} ({} freed)", plan.count(Action::kKeep), plan.count(Action::kRemove),
                           printable(plan.options().trash), size_text(plan.removed_bytes()));
    }
    if (const std::size_t stripped = plan.count(Action::kStrip); stripped != 0)
        text += fmt::format(", strip {}", stripped);
    const std::size_t leftovers = plan.leftovers().size();
    if (leftovers != 0) {
        text += fmt::format(", remove {} leftover{} ({})", leftovers, leftovers == 1 ? "" : "s",
                            size_text(plan.leftover_bytes()));
    }
    return text;
}

void print_prune_table(Session& session, const PrunePlan& plan) {
    Table table({{"", Table::Align::kLeft},
                 {"NAME", Table::Align::kLeft},
                 {"SIZE", Table::Align::kRight},
                 {"WHY", Table::Align::kLeft}});
    for (const PruneSubject& subject : plan.subjects()) {
        std::string name = printable(subject.entry.path);
        const std::size_t others = subject.entry.others.size();
        if (others != 0) name += fmt::format(" (+{} file{})", others, others == 1 ? "" : "s");
        std::string why = joined(subject.verdict.reasons);
        if (!subject.item.why_invalid.empty()) why += ": " + printable(subject.item.why_invalid);
        table.add({std::string(action_name(subject.action)), name, size_text(subject.item.bytes), why});
    }
    for (const Leftover& leftover : plan.leftovers())
        table.add({"remove", printable(leftover.path), size_text(leftover.bytes), leftover.why});
    session.write(table.text() + prune_summary(plan) + "\n");
}

void print_prune_json(Session& session, const PrunePlan& plan, const std::optional<PrunePlan::Done>& done) {
    Json records = Json::array();
    for (const PruneSubject& subject : plan.subjects()) records.push_back(record(subject));
    Json leftovers = Json::array();
    for (const Leftover& leftover : plan.leftovers()) leftovers.push_back(leftover.path);
    Json stale = Json::array();
    for (const Pointer& pointer : plan.stale_pointers())
        stale.push_back({{"name", pointer.name}, {"target", pointer.target}});
    Json failed = Json::array();
    if (done) {
        for (const auto& [path, why] : done->failures) failed.push_back({{"path", path}, {"why", why}});
    }
    session.print(Json({{"plan", records},
                        {"leftovers", leftovers},
                        {"stale_pointers", stale},
                        {"keep", plan.count(Action::kKeep)},
                        {"remove", plan.count(Action::kRemove)},
                        {"strip", plan.count(Action::kStrip)},
                        {"freed_bytes", done ? done->freed_bytes : plan.removed_bytes() + plan.leftover_bytes()},
                        {"done", done.has_value()},
                        {"failed", failed}})
                      .dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace ckpt
