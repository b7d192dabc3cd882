// Each file of a checkpoint is verified alike; the verdict is EntryChecker's.
#include "tools/verify_entry.hpp"

#include <algorithm>
#include <filesystem>

#include "libckpt/checkpoint_folder.hpp"
#include "libckpt/series.hpp"
#include "libckpt/statistics.hpp"
#include "libckpt/walk.hpp"
#include "tools/checkpoint_record.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;

bool is_damage(const Finding& finding) {
    return finding.severity == Finding::Severity::kDamage;
}

void check_numbers(const TensorNode& tensor, const std::string& path, const Session& session,
                   std::vector<Finding>& findings) {
    const auto count = tensor.element_count();
    if (tensor.storage == nullptr || !count || *count == 0) return;
    const TensorStatistics found = statistics_of(tensor, session.context());
    const bool is_complex = dtype_info(tensor.dtype).cls == DTypeClass::kComplex;  // both of its numbers count
    const std::uint64_t numbers = found.elements * (is_complex ? 2 : 1);
    const auto add = [&](Finding::Severity severity, std::uint64_t number, std::string_view what) {
        if (number == 0) return;
        findings.push_back({severity, path,
                            fmt::format("{} of {} {} {}", number, numbers,
                                        is_complex ? "numbers of complex elements" : "elements", what)});
    };
    add(Finding::Severity::kDamage, found.nan, "are NaN");
    add(Finding::Severity::kDamage, found.infinite, "are infinite");
    if (found.zeros == numbers && found.elements > 1) add(Finding::Severity::kNote, found.zeros, "are 0");
    add(Finding::Severity::kNote, found.denormals, "are denormal");
}

/// What no checksum tells: a run that has diverged saves whole files.
void check_values(const Document& document, const Session& session, std::vector<Finding>& findings) {
    walk(document.root, [&](const Visit& visit) {
        if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr)
            check_numbers(visit.value.tensor(), visit.path, session, findings);
        return WalkStep::kInto;
    });
}

CheckResult result_of(const Verified& verified) {
    using State = CheckResult::State;
    return {verified.is_damaged() ? State::kDamaged
            : verified.unread     ? State::kUnreadable
                                  : State::kValid,
            verified.layout, ""};
}

}  // namespace

bool Verified::is_damaged() const noexcept {
    return std::any_of(findings.begin(), findings.end(), is_damage);
}

Verified verify_path(const Session& session, const std::string& path, const VerifyHow& how) {
    Verified result;
    try {
        const Source source = Source::open(path, session.context());
        const Format& format = how.from.empty() ? session.registry().detect(source) : session.layout(how.from);
        result.layout = format.name();
        result.findings = format.verify(source, how.full ? VerifyLevel::kFull : VerifyLevel::kQuick, session.context());
        const bool is_damaged = result.is_damaged();
        if (how.size && !how.full && !is_damaged) {
            auto more = check_sample(format, source, *how.size, how.seed, session.context());
            result.findings.insert(result.findings.end(), more.begin(), more.end());
        }
        if (how.values && !is_damaged) check_values(format.read(source, session.context()), session, result.findings);
    } catch (Error& error) {
        if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kUsage) throw;
        if (error.code() == ErrorCode::kDamaged) {
            result.findings.push_back({Finding::Severity::kDamage, "", error.message()});
        } else {
            error.in_file(path);
            result.unread = error;
        }
    }
    return result;
}

void add_part(Verified& whole, const Verified& part, const std::string& file, const std::string& folder) {
    const std::string name = fs::path(file).lexically_relative(folder).string();
    for (Finding finding : part.findings) {
        finding.what = name + ": " + finding.what;
        whole.findings.push_back(std::move(finding));
    }
}

Verified verify_entry(const Session& session, const EntryChecker& checker, const CheckpointEntry& entry,
                      const VerifyHow& how) {
    Verified whole = verify_path(session, entry.path, how);
    const CheckResult own = result_of(whole);
    const bool is_of_others = EntryChecker::is_of_others(entry, own);
    if (own.state == CheckResult::State::kUnreadable && !is_of_others) return whole;
    const EntryRest rest = checker.rest_of(entry, session.context());
    Verified parts;
    if (!rest.missing.empty()) parts.findings.push_back({Finding::Severity::kDamage, "", rest.missing});
    for (const std::string& file : rest.files) {
        session.context().check_cancelled();
        // What the layout has said of it already.
        const std::string begin = fs::path(file).lexically_relative(rest.folder).string() + ": ";
        if (std::any_of(whole.findings.begin(), whole.findings.end(),
                        [&](const Finding& finding) { return is_damage(finding) && finding.what.starts_with(begin); }))
            continue;
        const Verified part = verify_path(session, file, how);
        add_part(parts, part, file, rest.folder);
        if (!part.layout.empty()) parts.layout = part.layout;
        if (part.unread && !parts.unread) parts.unread = part.unread;
    }
    if (EntryChecker::counts(entry, own, result_of(parts))) whole.unread = parts.unread;
    // What is damaged says more than what could not be read.
    if (parts.is_damaged()) whole.unread.reset();
    if (whole.layout.empty()) whole.layout = parts.layout;
    whole.findings.insert(whole.findings.end(), parts.findings.begin(), parts.findings.end());
    return whole;
}

std::optional<CheckpointEntry> named_folder(const Session& session, const std::string& path, const RunFolder& folder) {
    std::error_code error;
    fs::path whole = fs::absolute(path, error).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();  // "run/checkpoint-5/"
    const NameTable table;
    NameReader names(table);
    auto match = names.classify(whole.filename().string(), EntryKind::kFolder);
    if (!match || match->is_shard || !is_checkpoint_folder(path, *match, names, session.extensions())) return {};
    const bool is_vague = match->scheme == "generic-last-int" || match->scheme.starts_with("orbax");
    if (is_vague && !folder.checkpoints().empty()) return {};
    CheckpointEntry entry = folder_entry(path);
    entry.match = std::move(*match);
    return entry;
}

}  // namespace ckpt
