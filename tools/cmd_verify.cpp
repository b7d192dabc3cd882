// ckpt verify: whether checkpoints are whole.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "libckpt/run_folder.hpp"
#include "tools/checkpoint_record.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"
#include "tools/verify_entry.hpp"

namespace ckpt {
namespace {

class VerifyCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "verify"; }
    std::string_view summary() const noexcept override { return "Check whether checkpoints are whole"; }
    void setup(CLI::App& app) override {
        app.add_option("path", paths_, "Checkpoints, or folders of them")->required()->type_name("PATH");
        auto* full = app.add_flag("--full", how_.full,
                                  "Read every byte and compare every checksum (default: structure and sizes)");
        app.add_option("--sample", sample_, "Read part of the data, compare its checksums: 5%, or so many pieces")
            ->type_name("PART")
            ->excludes(full);
        app.add_option("--seed", how_.seed, "Of --sample: other numbers choose other pieces (default: 0)")
            ->check([](const std::string& text) {
                return text.starts_with('-') ? text + " is no number from 0 on" : std::string();
            });
        app.add_flag("--values", how_.values,
                     "Read the tensors: NaN and infinities are damage, all zeros and denormals noted");
        app.add_option("-f,--from", how_.from, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        app.add_flag("--json", json_, "Print JSON");
        folder_.declare(app);
    }

    ExitCode run(Session& session) override {
        if (sample_) {
            how_.size = parse_sample(*sample_);
            if (!how_.size)
                throw_error(ErrorCode::kUsage, "verify: --sample '{}': a part like 5%, or a number", *sample_);
            how_.full = how_.full || how_.size->share >= 1;
        }
        for (const std::string& path : paths_) verify(session, path);
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
    static constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;

    /// A file, a folder that is one checkpoint by its layout or by its name, or the folder of a run.
    void verify(Session& session, const std::string& path) {
        std::error_code error;
        if (!how_.from.empty() || !std::filesystem::is_directory(path, error)) {
            report(session, path, verify_path(session, path, how_));
            return;
        }
        try {
            const auto folder = RunFolder::scan(path, folder_.scan_options(session), session.context());
            std::optional<CheckpointEntry> one;
            const auto& listed = folder.checkpoints();
            // Folders of tags beside a pointer file are what the pointer chooses among, as for `ls`.
            const bool has_tags =
                std::any_of(listed.begin(), listed.end(), [](const auto& entry) { return entry.is_folder; });
            const Format* layout = folder.is_surely_many() ? nullptr : layout_of_folder(session, path);
            if (layout != nullptr && (is_rolling(*layout) || !has_tags)) {
                one = folder_entry(path);
            } else if (folder_.series.empty() && folder_.pattern.empty()) {
                one = named_folder(session, path, folder);
            }
            if (one) {
                const EntryChecker checker(session.registry(), {*one});
                report(session, path, verify_entry(session, checker, *one, how_));
            } else {
                verify_run(session, path, folder);
            }
        } catch (const Error& failure) {
            if (failure.code() != ErrorCode::kNotFound) throw;
            report(session, path, {"", {}, failure});  // the others are looked at all the same
        }
    }

    /// The checkpoints of the folder as `ls` lists them; then what has no number: sets of shards, files of a known
    /// layout.
    void verify_run(Session& session, const std::string& path, const RunFolder& folder) {
        namespace fs = std::filesystem;
        const EntryChecker checker(session.registry(), folder.checkpoints());
        std::unordered_set<std::string> done;
        for (const auto& entry : folder.checkpoints()) {
            done.insert(std::string(entry.name()));
            for (const std::string& other : entry.others) done.insert(fs::path(other).filename());
            done.insert(entry.aliases.begin(), entry.aliases.end());
            report(session, entry.path, verify_entry(session, checker, entry, how_));
        }
        for (const auto& below : folder.skipped()) {
            if (below.is_unreadable()) report(session, below.path, {"", {}, Error(ErrorCode::kNotFound, below.why)});
        }
        if (!folder_.series.empty() || !folder_.pattern.empty()) return;
        std::vector<std::string> shards;
        for (const auto& skipped : folder.skipped()) {
            const std::string name = fs::path(skipped.path).filename();
            if (skipped.why.starts_with("leftover")) done.insert(name);
            if (!skipped.why.starts_with("a shard") || !is_counted(name)) continue;
            shards.push_back(skipped.path);
            done.insert(name);
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
        if (!shards.empty() && !has_index) report(session, path, verify_shards(session, path, shards));
        for (const std::string& file : rest) {
            Verified found = verify_path(session, file, how_);
            // Nobody asked for it by its name.
            if (found.unread && found.unread->code() == ErrorCode::kNotCheckpoint) continue;
            report(session, file, found);
        }
    }

    Verified verify_shards(const Session& session, const std::string& path,
                           const std::vector<std::string>& shards) const {
        Verified whole;
        whole.findings.push_back({Finding::Severity::kWarning, "",
                                  fmt::format("the index of {} shards is not there: '{}' and others", shards.size(),
                                              std::filesystem::path(shards.front()).filename().string())});
        if (std::string missing = missing_of_counted(shards, false); !missing.empty())
            whole.findings.push_back({Finding::Severity::kDamage, "", std::move(missing)});
        for (const std::string& file : shards) {
            const Verified part = verify_path(session, file, how_);
            add_part(whole, part, file, path);
            if (part.unread) whole.unread = part.unread;
        }
        if (whole.is_damaged()) whole.unread.reset();
        return whole;
    }

    void report(Session& session, const std::string& path, const Verified& found) {
        if (found.unread) {
            report_unread(session, path, found.layout, *found.unread);
        } else {
            report(session, path, found.layout, found.findings);
        }
    }

    void report_unread(Session& session, const std::string& path, const std::string& layout, Error error) {
        error.in_file(path);
        session.error(error.what());
        if (worst_ == ExitCode::kYes) worst_ = exit_code(error.code());
        ++unread_;
        const auto finding = nlohmann::ordered_json{{"severity", "error"}, {"path", ""}, {"what", error.message()}};
        if (json_) records_.push_back(record(path, layout, "unread", nlohmann::ordered_json::array({finding})));
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
                {"level", how_.full   ? "full"
                          : how_.size ? "sample"
                                      : "quick"},
                {"values", how_.values},
                {"state", state},
                {"findings", findings}};
    }

    std::vector<std::string> paths_;
    VerifyHow how_;
    std::optional<std::string> sample_;
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
