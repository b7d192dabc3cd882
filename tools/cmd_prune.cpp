// ckpt prune: removes checkpoints of a run by rules of what to keep; shows the plan first.
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "libckpt/path.hpp"
#include "libckpt/prune.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/prune_report.hpp"
#include "tools/text.hpp"
#include "tools/trainer_json.hpp"

namespace ckpt {
namespace {

class PruneCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "prune"; }
    std::string_view summary() const noexcept override { return "Remove checkpoints by rules of what to keep"; }
    void setup(CLI::App& app) override {
        app.add_option("dir", dir_, "Folder of checkpoints")->required()->type_name("DIR");
        declare_rules(app);
        declare_safety(app);
        app.add_option("--strip", strip_,
                       "Keep what would be removed, without its parts of this role (repeatable): optimizer, ...")
            ->type_name("ROLE")
            ->allow_extra_args(false);
        app.add_option("--trash", options_.trash, "Move to this folder instead of removing")->type_name("DIR");
        auto* dry = app.add_flag("-n,--dry-run", dry_run_, "Show the plan and remove nothing");
        app.add_flag("-y,--yes", yes_, "Do not ask")->excludes(dry);
        app.add_flag("--json", json_, "Print the plan as JSON");
        app.add_flag("-r,--recursive", recursive_, "Folders below as well, each by itself");
        folder_.declare(app);
    }

    ExitCode run(Session& session) override {
        check_options();
        require_folder(dir_);
        ScanOptions scan = folder_.scan_options(session);
        scan.recursive = recursive_;
        RunFolder folder = RunFolder::scan(dir_, scan, session.context());
        for (const SkippedEntry& below : folder.skipped()) {
            if (!below.is_unreadable()) continue;
            session.error(fmt::format("{}: {}", below.path, below.why));
            best_ = ExitCode::kInput;
        }
        PrunePlan plan = look(session, std::move(folder));
        if (plan.subjects().empty() && plan.leftovers().empty()) {
            if (json_) print_prune_json(session, plan, std::nullopt);
            return session.no(fmt::format("{}: no checkpoint", dir_));
        }
        for (const Pointer& pointer : plan.stale_pointers())
            session.say(fmt::format("{} names '{}', which is not there", pointer.name, printable(pointer.target)));
        if (!json_) print_prune_table(session, plan);
        if (const auto emptied = plan.emptied_folders(); !emptied.empty() && !allow_remove_all_) {
            if (json_) print_prune_json(session, plan, std::nullopt);
            throw_error(ErrorCode::kRefused,
                        "{}: nothing would be left; nothing was removed (--unsafe-allow-remove-all goes on)",
                        emptied.front());
        }
        const bool goes_on = plan.has_work() && !dry_run_;
        const bool is_agreed = goes_on && (yes_ || is_confirmed(session, plan));
        std::optional<PrunePlan::Done> done;
        if (is_agreed) done = carry_out(session, plan);
        if (json_) print_prune_json(session, plan, done);
        if (!goes_on) return best_;
        return !is_agreed ? ExitCode::kRefused : done->failures.empty() ? best_ : ExitCode::kPartly;
    }

private:
    void declare_rules(CLI::App& app) {
        app.add_option("-l,--keep-last", options_.rules.last, "Keep the last N")->type_name("N")->check(check_count);
        app.add_flag("--keep-first", options_.rules.first, "Keep the first one");
        auto* every = app.add_option("--keep-every", options_.rules.every, "Keep those whose index is a multiple of N")
                          ->type_name("N")
                          ->check([](const std::string& text) {
                              const bool is_step = CLI::Number(text).empty() && std::strtod(text.c_str(), nullptr) > 0;
                              return is_step ? std::string() : fmt::format("'{}' is no number above 0", text);
                          });
        app.add_flag("--closest", options_.rules.closest, "With --keep-every: the one nearest to each multiple")
            ->needs(every);
        auto* best = app.add_option("--keep-best", options_.rules.best, "Keep the N best by --metric")
                         ->type_name("N")
                         ->check(check_count);
        auto* metric = app.add_option("--metric", options_.metric,
                                      "What --keep-best goes by: a number in the name (val_loss) or a path in the file")
                           ->type_name("PATH")
                           ->needs(best);
        best->needs(metric);
        app.add_option("--mode", mode_, "Whether the best metric is the least (min, default) or the greatest (max)")
            ->type_name("MODE")
            ->check(CLI::IsMember({"min", "max"}))
            ->needs(best);
        app.add_option("--keep-within", within_, "Keep what is no older than the newest by more: 7d, 12h, 30m, 2w")
            ->type_name("TIME")
            ->check(check_duration);
        app.add_option("--keep-hourly", options_.rules.hourly,
                       "Keep the last one of each of the last N hours that have one")
            ->type_name("N")
            ->check(check_count);
        app.add_option("--keep-daily", options_.rules.daily, "The same by days")->type_name("N")->check(check_count);
        app.add_option("--keep-weekly", options_.rules.weekly, "The same by weeks")->type_name("N")->check(check_count);
        app.add_option("--keep", options_.rules.indices, "Keep these indices: 10,20,40")
            ->type_name("N,N")
            ->allow_extra_args(false)
            ->delimiter(',');
        app.add_option("--keep-glob", options_.rules.globs, "Keep what is named like this (repeatable)")
            ->type_name("GLOB")
            ->allow_extra_args(false);
    }

    void declare_safety(CLI::App& app) {
        app.add_flag("--remove-invalid", options_.rules.removes_invalid, "Remove damaged checkpoints as well");
        app.add_flag("--remove-tmp", options_.removes_leftovers, "Remove leftovers of interrupted saves as well");
        app.add_option("--min-age", min_age_, "Never remove what was written less than TIME ago (default: 10m)")
            ->type_name("TIME")
            ->check(check_duration);
        app.add_flag("--full", full_, "Count as valid only what passes `verify --full` (default: the quick check)");
        app.add_flag("--unsafe-allow-remove-all", allow_remove_all_, "Go on even where nothing would be left");
    }

    static std::string check_count(const std::string& text) {
        const bool is_count = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
        return is_count ? "" : fmt::format("'{}' is no count", text);
    }

    static std::string check_duration(const std::string& text) {
        return parse_duration(text) ? "" : fmt::format("'{}' is no time; write 7d, 12h, 30m, 45s or 2w", text);
    }

    void check_options() {
        KeepRules& rules = options_.rules;
        rules.mode = mode_ == "max" ? MetricMode::kMax : MetricMode::kMin;
        if (!within_.empty()) rules.within_seconds = parse_duration(within_);
        for (const std::string& role : strip_) options_.stripped.push_back(parse_role(role));
        for (const std::string& glob : rules.globs) Glob{glob};
        if (rules.is_empty() && !rules.removes_invalid && !options_.removes_leftovers) {
            throw_error(
                ErrorCode::kUsage,
                "prune: say what to keep with --keep-last, --keep-every, --keep-best, ...; nothing was removed");
        }
        // What is damaged or left over may go without a rule; then all that is sound stays.
        rules.all = rules.is_empty();
        options_.root = dir_;
        std::error_code error;  // a trash that is not there yet is another folder
        if (!options_.trash.empty() && std::filesystem::equivalent(options_.trash, dir_, error))
            throw_error(ErrorCode::kUsage, "prune: {} cannot be its own trash", dir_);
        options_.metric_beside = metric_of_trainer_state;
        options_.axis = folder_.axis;
        options_.min_age_text = min_age_;
        options_.min_age_seconds = parse_duration(min_age_).value_or(0);
        options_.level = full_ ? VerifyLevel::kFull : VerifyLevel::kQuick;
    }

    PrunePlan look(Session& session, RunFolder folder) const {
        try {
            return PrunePlan(session.registry(), std::move(folder), options_, session.context());
        } catch (Error& error) {
            if (error.code() == ErrorCode::kRefused) error.in_file(dir_);
            throw;
        }
    }

    bool is_confirmed(Session& session, const PrunePlan& plan) const {
        if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) {
            session.error("prune: nothing was removed: --yes carries the plan out where nobody can be asked");
            return false;
        }
        std::cerr << prune_summary(plan) << ". Go on? [y/N] " << std::flush;
        // An interrupt just before a read would not end it.
        constexpr int kMilliseconds = 50;
        struct pollfd input = {STDIN_FILENO, POLLIN, 0};
        while (::poll(&input, 1, kMilliseconds) <= 0) session.context().check_cancelled();
        std::string answer;
        std::getline(std::cin, answer);
        session.context().check_cancelled();
        const bool is_yes = answer == "y" || answer == "Y" || answer == "yes";
        if (!is_yes) session.error("prune: nothing was removed");
        return is_yes;
    }

    PrunePlan::Done carry_out(Session& session, PrunePlan& plan) const {
        auto done = plan.carry_out([&](const Document& document, const std::string& path) {
            OutputOptions output;
            output.to = document.format;
            output.overwrite = true;
            const Format* format = session.registry().by_name(document.format);
            output.keep_layout = format != nullptr && format->capabilities().keeps_layout;
            if (write_document(session, document, path, output) != ExitCode::kYes)
                throw_error(ErrorCode::kRefused, "{}: cannot be written without its {}", path, strip_.front());
        });
        for (const auto& [path, why] : done.failures) session.error(why);
        const std::string_view partly = done.failures.empty() ? "" : "not all was removed; ";
        session.say(fmt::format("{}: {}{} freed{}", dir_, partly, size_text(done.freed_bytes),
                                options_.trash.empty() ? "" : fmt::format(", the rest is in {}", options_.trash)));
        return done;
    }

    std::string dir_, mode_, within_;
    std::string min_age_ = "10m";
    std::vector<std::string> strip_;
    PruneOptions options_;
    FolderOptions folder_;
    ExitCode best_ = ExitCode::kYes;  // where all is done
    bool full_ = false;
    bool allow_remove_all_ = false;
    bool dry_run_ = false;
    bool yes_ = false;
    bool json_ = false;
    bool recursive_ = false;
};

}  // namespace

std::unique_ptr<Command> make_prune_command() {
    return std::make_unique<PruneCommand>();
}

}  // namespace ckpt
