// ckpt verify: whether checkpoints are whole.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "libckpt/run_folder.hpp"
#include "libckpt/statistics.hpp"
#include "libckpt/walk.hpp"
#include "tools/checkpoint_record.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"
#include "tools/verify_sample.hpp"

namespace ckpt {
namespace {

class VerifyCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "verify"; }
    std::string_view summary() const noexcept override { return "Check whether checkpoints are whole"; }
    void setup(CLI::App& app) override {
        app.add_option("path", paths_, "Checkpoints, or folders of them")->required()->type_name("PATH");
        app.add_flag("--full", full_, "Read every byte and compare every checksum (default: structure and sizes)");
        app.add_option("--sample", sample_, "Read part of the data, compare its checksums: 5%, or so many pieces")
            ->type_name("PART");
        app.add_option("--seed", seed_, "Of --sample: other numbers choose other pieces (default: 0)");
        app.add_flag("--values", values_,
                     "Read the tensors: NaN and infinities are damage, all zeros and denormals noted");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        app.add_flag("--json", json_, "Print JSON");
        folder_.declare(app);
    }

    ExitCode run(Session& session) override {
        if (!sample_.empty()) {
            size_ = parse_sample(sample_);
            if (!size_) throw_error(ErrorCode::kUsage, "verify: --sample {}: a part like 5%, or a number", sample_);
            full_ = full_ || size_->share >= 1;
        }
        for (const std::string& path : paths_) {
            std::error_code error;
            const bool is_run = from_.empty() && std::filesystem::is_directory(path, error) &&
                                layout_of_folder(session, path) == nullptr;
            if (is_run) {
                check_folder(session, path);
            } else {
                check(session, path);
            }
        }
        if (json_) session.print(nlohmann::ordered_json{{"checkpoints", records_}}.dump(2, ' ', false, kReplace));
        if (!json_ && checked_ + unread_ > 1) {
            const std::string unread = unread_ == 0 ? "" : fmt::format(", {} could not be read", unread_);
            session.print(fmt::format("{} checkpoints, {}{}", checked_ + unread_,
                                      damaged_ == 0 ? "none damaged" : fmt::format("{} damaged", damaged_), unread));
        }
        if (damaged_ > 0) return ExitCode::kNo;
        if (worst_ != ExitCode::kYes) return worst_;
        if (checked_ + unread_ == 0) throw_error(ErrorCode::kNotFound, "{}: no checkpoint to verify", paths_.front());
        return ExitCode::kYes;
    }

private:
    static constexpr std::string_view kIndexSuffix = ".index.json";
    /// Whether a file was asked for by its name: then one that nothing is known of is an error.
    enum class Wanted : bool { kWithFolder, kItself };
    static constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;

    /// The checkpoints of the folder's series; then what has no number: sets of shards, files of a known layout.
    void check_folder(Session& session, const std::string& path) {
        namespace fs = std::filesystem;
        const auto folder = RunFolder::scan(path, folder_.scan_options(session), session.context());
        std::unordered_set<std::string> done;
        for (const auto& entry : folder.checkpoints()) {
            done.insert(fs::path(entry.path).filename());
            for (const std::string& other : entry.others) done.insert(fs::path(other).filename());
            done.insert(entry.aliases.begin(), entry.aliases.end());
            if (!entry.match.is_alias) check(session, entry.path);
        }
        if (!folder_.series.empty() || !folder_.pattern.empty()) return;
        std::vector<std::string> shards;
        for (const auto& skipped : folder.skipped()) {
            if (!skipped.path.ends_with(kIndexSuffix)) done.insert(fs::path(skipped.path).filename());
            if (skipped.why.starts_with("a shard")) shards.push_back(fs::path(skipped.path).filename());
        }
        std::vector<std::string> rest;
        std::error_code error;
        for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
            const std::string name = it->path().filename();
            const bool is_known = name.ends_with(kIndexSuffix) || session.registry().by_extension(name) != nullptr;
            if (is_known && name[0] != '.' && done.count(name) == 0 && it->is_regular_file(error))
                rest.push_back(it->path());
        }
        std::sort(rest.begin(), rest.end());
        const bool has_index =
            std::any_of(rest.begin(), rest.end(), [](const std::string& file) { return file.ends_with(kIndexSuffix); });
        if (!shards.empty() && !has_index) {
            report(
                session, path, "",
                {{Finding::Severity::kDamage, "",
                  fmt::format("the index of {} shards is not there: '{}' and others", shards.size(), shards.front())}});
        }
        for (const std::string& file : rest) check(session, file, Wanted::kWithFolder);
    }

    void check(Session& session, const std::string& path, Wanted wanted = Wanted::kItself) {
        std::string layout;
        std::vector<Finding> findings;
        try {
            const Source source = Source::open(path, session.context());
            try {
                const Format& format = from_.empty() ? session.registry().detect(source) : session.layout(from_);
                layout = format.name();
                findings = format.verify(source, full_ ? VerifyLevel::kFull : VerifyLevel::kQuick, session.context());
                const bool is_damaged = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
                    return finding.severity == Finding::Severity::kDamage;
                });
                if (size_ && !full_ && !is_damaged) {
                    auto more = check_sample(format, source, *size_, seed_, session.context());
                    findings.insert(findings.end(), more.begin(), more.end());
                }
                if (values_ && !is_damaged) check_values(format.read(source, session.context()), session, findings);
            } catch (Error& error) {
                if (error.code() != ErrorCode::kDamaged) {
                    error.in_file(path);
                    throw;
                }
                findings.push_back({Finding::Severity::kDamage, "", error.message()});
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kUsage) throw;
            if (wanted == Wanted::kWithFolder && error.code() == ErrorCode::kNotCheckpoint) return;
            session.error(error.what());
            if (worst_ == ExitCode::kYes) worst_ = exit_code(error.code());
            ++unread_;
            const auto finding = nlohmann::ordered_json{{"severity", "error"}, {"path", ""}, {"what", error.message()}};
            if (json_) records_.push_back(record(path, layout, "unread", nlohmann::ordered_json::array({finding})));
            return;
        }
        report(session, path, layout, findings);
    }

    /// What no checksum tells: a run that has diverged saves whole files.
    static void check_values(const Document& document, const Session& session, std::vector<Finding>& findings) {
        walk(document.root, [&](const Visit& visit) {
            if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr)
                check_numbers(visit.value.tensor(), visit.path, session, findings);
            return WalkStep::kInto;
        });
    }

    static void check_numbers(const TensorNode& tensor, const std::string& path, const Session& session,
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

    void report(Session& session, const std::string& path, const std::string& layout,
                const std::vector<Finding>& findings) {
        ++checked_;
        std::size_t damages = 0;
        nlohmann::ordered_json list = nlohmann::ordered_json::array();
        for (const Finding& finding : findings) {
            const bool is_damage = finding.severity == Finding::Severity::kDamage;
            damages += is_damage ? 1 : 0;
            const std::string_view severity = is_damage                                         ? "damage"
                                              : finding.severity == Finding::Severity::kWarning ? "warning"
                                                                                                : "note";
            list.push_back({{"severity", severity}, {"path", finding.path}, {"what", finding.what}});
            if (json_) continue;
            const std::string place = finding.path.empty() ? "" : "'" + printable(finding.path) + "': ";
            session.print(fmt::format("{}: {}: {}{}", printable(path), severity, place, printable(finding.what)));
        }
        if (damages > 0) ++damaged_;
        if (json_) {
            records_.push_back(record(path, layout, damages == 0 ? "ok" : "damaged", list));
        } else if (damages == 0) {
            session.print(fmt::format("{}: ok", printable(path)));
        }
    }

    nlohmann::ordered_json record(const std::string& path, const std::string& layout, std::string_view state,
                                  const nlohmann::ordered_json& findings) const {
        return {{"path", path},
                {"layout", layout.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(layout)},
                {"level", full_   ? "full"
                          : size_ ? "sample"
                                  : "quick"},
                {"values", values_},
                {"state", state},
                {"findings", findings}};
    }

    std::vector<std::string> paths_;
    std::string from_;
    bool full_ = false;
    bool values_ = false;
    std::string sample_;
    std::optional<SampleSize> size_;
    std::uint64_t seed_ = 0;
    bool json_ = false;
    FolderOptions folder_;
    nlohmann::ordered_json records_ = nlohmann::ordered_json::array();
    std::size_t checked_ = 0;
    std::size_t unread_ = 0;
    std::size_t damaged_ = 0;
    ExitCode worst_ = ExitCode::kYes;
};

}  // namespace

std::unique_ptr<Command> make_verify_command() {
    return std::make_unique<VerifyCommand>();
}

}  // namespace ckpt
