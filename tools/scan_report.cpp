// One line for each thing that is more than plain data, then what the file is, then what weights_only loading does.
#include "tools/scan_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kReplace = Json::error_handler_t::replace;

constexpr std::string_view kNothingMore = "nothing but tensors and plain data";

std::string counted(std::uint64_t count, std::string_view one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string finding_text(const ScanFinding& finding) {
    std::string text = printable(finding.what);
    if (!finding.how.empty()) text += ": " + printable(finding.how);
    if (finding.count > 1) text += fmt::format(", {} times", finding.count);
    if (!finding.place.empty() || finding.at != 0) {
        text += finding.place.empty() ? fmt::format(", at byte {}", finding.at)
                                      : fmt::format(", in {} at byte {}", printable(finding.place), finding.at);
    }
    return text;
}

/// What the generations of torch do, those that do the same in one.
std::string weights_only_text(const ScanReport& report) {
    std::string text;
    const auto& verdicts = report.weights_only;
    for (std::size_t g = 0; g < verdicts.size();) {
        std::size_t end = g + 1;
        while (end < verdicts.size() && verdicts[end].is_accepted == verdicts[g].is_accepted &&
               verdicts[end].why == verdicts[g].why)
            ++end;
        const std::string_view first = kWeightsOnlyGenerations[g];
        const std::string span = end == verdicts.size() ? fmt::format("{} and later", first)
                                 : end == g + 1         ? std::string(first)
                                                : fmt::format("{} to {}", first, kWeightsOnlyGenerations[end - 1]);
        if (!text.empty()) text += "; ";
        text += verdicts[g].is_accepted ? fmt::format("accepted by torch {}", span)
                                        : fmt::format("refused by torch {}: {}", span, printable(verdicts[g].why));
        g = end;
    }
    return text;
}

std::string verdict_text(const ScanReport& report) {
    std::size_t dangerous = 0;
    std::size_t unknown = report.unlisted;
    for (const ScanFinding& finding : report.findings) {
        dangerous += finding.cls == ScanFinding::Class::kDangerous ? 1 : 0;
        unknown += finding.cls == ScanFinding::Class::kUnknown ? 1 : 0;
    }
    if (report.has_more()) {
        return fmt::format("more than tensors and plain data: {} dangerous, {} unknown", dangerous, unknown);
    }
    if (!report.damage.empty() && report.pickle_count == 0) return "damaged";
    if (!report.damage.empty()) return "damaged; nothing but tensors and plain data in what is there";
    return std::string(kNothingMore);
}

Json record(const std::string& path, const ScanReport& report) {
    Json globals = Json::array();
    for (const ScannedGlobal& global : report.globals) {
        Json versions = Json::array();
        for (std::size_t g = 0; g < kWeightsOnlyGenerations.size(); ++g) {
            if ((global.weights_only.generations >> g & 1) != 0) versions.push_back(kWeightsOnlyGenerations[g]);
        }
        globals.push_back({{"name", global.name},
                           {"class", class_text(global.cls)},
                           {"count", global.count},
                           {"weights_only", std::move(versions)}});
    }
    Json findings = Json::array();
    for (const ScanFinding& finding : report.findings) {
        findings.push_back({{"class", class_text(finding.cls)},
                            {"what", finding.what},
                            {"how", finding.how},
                            {"place", finding.place},
                            {"offset", finding.at},
                            {"count", finding.count}});
    }
    Json pickles = Json::array();
    for (const ScannedPickle& pickle : report.pickles) {
        pickles.push_back({{"place", pickle.place},
                           {"offset", pickle.begin},
                           {"bytes", pickle.size_bytes},
                           {"protocol", pickle.protocol},
                           {"names", pickle.names},
                           {"problem", pickle.problem.empty() ? Json() : Json(pickle.problem)}});
    }
    Json weights_only;
    if (report.is_for_torch) {
        weights_only = Json::object();
        for (std::size_t g = 0; g < kWeightsOnlyGenerations.size(); ++g) {
            const WeightsOnlyVerdict& verdict = report.weights_only[g];
            weights_only[std::string(kWeightsOnlyGenerations[g])] = {
                {"accepted", verdict.is_accepted}, {"why", verdict.why.empty() ? Json() : Json(verdict.why)}};
        }
    }
    return {{"path", path},
            {"kind", report.kind.empty() ? Json() : Json(report.kind)},
            {"verdict", report.has_more()       ? "more"
                        : report.damage.empty() ? "plain"
                                                : "damaged"},
            {"pickle_count", report.pickle_count},
            {"pickles", std::move(pickles)},
            {"globals", std::move(globals)},
            {"findings", std::move(findings)},
            {"unlisted", report.unlisted},
            {"damage", report.damage},
            {"weights_only", std::move(weights_only)}};
}

}  // namespace

std::string_view class_text(ScanFinding::Class cls) {
    switch (cls) {
        case ScanFinding::Class::kDangerous:
            return "dangerous";
        case ScanFinding::Class::kUnknown:
            return "unknown";
        default:
            return "note";
    }
}
std::string_view class_text(GlobalClass cls) {
    return cls == GlobalClass::kDangerous ? "dangerous" : cls == GlobalClass::kUnknown ? "unknown" : "harmless";
}

std::string scan_text(const std::string& path, const ScanReport& report, bool all) {
    const std::string name = printable(path);
    std::string text;
    for (const ScanFinding& finding : report.findings) {
        text += fmt::format("{}: {}: {}\n", name, class_text(finding.cls), finding_text(finding));
    }
    if (report.unlisted > 0) text += fmt::format("{}: unknown: {} more\n", name, report.unlisted);
    for (const std::string& damage : report.damage) text += fmt::format("{}: damage: {}\n", name, printable(damage));
    if (all) {
        for (const ScannedPickle& pickle : report.pickles) {
            text += fmt::format("{}: pickle: {}{} bytes of protocol {} at byte {}, {}\n", name,
                                pickle.place.empty() ? "" : printable(pickle.place) + ": ", pickle.size_bytes,
                                pickle.protocol, pickle.begin, counted(pickle.names, "name"));
        }
        for (const ScannedGlobal& global : report.globals) {
            if (global.cls == GlobalClass::kHarmless)
                text +=
                    fmt::format("{}: harmless: {}, {}\n", name, printable(global.name), counted(global.count, "time"));
        }
    }
    if (report.is_for_torch) text += fmt::format("{}: weights_only: {}\n", name, weights_only_text(report));
    text += fmt::format("{}: {}{}: {}\n", name, report.kind.empty() ? "" : report.kind + ", ",
                        report.pickle_count == 0 ? "no pickles" : counted(report.pickle_count, "pickle"),
                        verdict_text(report));
    return text;
}

std::string scan_json(const std::string& path, const ScanReport& report) {
    return record(path, report).dump(-1, ' ', false, kReplace);
}

std::string unread_json(const std::string& path, const std::string& why) {
    Json json = record(path, {});
    json["verdict"] = "unread";
    json["damage"].push_back(why);
    return json.dump(-1, ' ', false, kReplace);
}

}  // namespace ckpt
