// One line for each thing that is more than plain data, then what the file is, then what weights_only loading does.
#include "tools/scan_report.hpp"

#include <fmt/format.h>

#include "tools/text.hpp"

namespace ckpt {
namespace {

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

}  // namespace ckpt
