// ckpt ls: the checkpoints of a folder.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "libckpt/check_entry.hpp"
#include "libckpt/parallel.hpp"
#include "tools/checkpoint_record.hpp"
#include "tools/command.hpp"
#include "tools/ls_table.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

class LsCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "ls"; }
    std::string_view summary() const noexcept override { return "List the checkpoints of a folder"; }
    void setup(CLI::App& app) override {
        app.add_option("paths", paths_, "Folders or files (default: here)")->type_name("PATH");
        auto* indices = app.add_flag("--indices", indices_, "Print the indices only, one a line");
        auto* json = app.add_flag("--json", json_, "Print JSON");
        auto* null = app.add_flag("-0,--null", null_, "Print the paths only, each followed by a NUL byte");
        app.add_flag("-l,--long", long_,
                     "Open each checkpoint (its index only) for parameters, contents and state; the table does so "
                     "anyway for up to 50");
        app.add_flag("-r,--recursive", recursive_, "Look into folders below as well");
        auto* valid =
            app.add_flag("--valid", valid_, "Only those that pass `ckpt verify`; says which others there are");
        app.add_flag("--full", full_, "With --valid: every byte of each is checked")->needs(valid);
        folder_.declare(app);
        indices->excludes(json)->excludes(null);
        json->excludes(null);
    }

    ExitCode run(Session& session) override {
        std::vector<CheckpointEntry> entries;
        std::vector<SkippedEntry> skipped;
        gather(session, entries, skipped);
        const std::size_t found = entries.size();
        if (valid_) keep_valid(session, entries, skipped);
        if (valid_ && found > 0 && entries.empty() && !failure_) failure_ = ExitCode::kDamaged;
        if (null_) {
            std::string text;
            for (const auto& entry : entries) text += entry.path + '\0';
            session.write(text);
        } else if (indices_) {
            print_indices(session, entries);
        } else {
            std::vector<CheckpointFacts> facts(entries.size());
            const EntryChecker checker(session.registry(), entries);
            opened_ = long_ || (!json_ && entries.size() <= kMostOpened);
            if (opened_) {
                for_each_parallel(entries.size(), session.context(),
                                  [&](std::size_t i) { facts[i] = facts_by_reading(session, entries[i], checker); });
                judge_aliases(entries, facts);
            } else {
                for (std::size_t i = 0; i < entries.size(); ++i) {
                    facts[i] = facts_by_name(session, entries[i]);
                    if (valid_) facts[i].state = "ok";
                }
            }
            if (json_) {
                session.print(list_json(entries, facts, skipped, pointers_));
            } else if (!entries.empty()) {
                std::vector<std::optional<double>> indices;
                for (const auto& entry : entries) indices.push_back(index_of(entry));
                session.write(ls_table({entries, facts, indices, pointers_, opened_}, session.is_terminal()));
            }
        }
        if (failure_) return *failure_;
        if (entries.empty()) return session.no(fmt::format("{}: no checkpoint", joined()));
        return ExitCode::kYes;
    }

private:
    void gather(Session& session, std::vector<CheckpointEntry>& entries, std::vector<SkippedEntry>& skipped) {
        if (paths_.empty()) paths_.emplace_back(".");
        ScanOptions options = folder_.scan_options(session);
        options.recursive = recursive_;
        for (const auto& path : paths_) {
            try {
                auto folder = RunFolder::scan(path, options, session.context());
                const Format* layout = folder.is_surely_many() ? nullptr : layout_of_folder(session, path);
                // Folders of tags beside a pointer file are what the pointer chooses among.
                const bool has_tags = std::any_of(folder.checkpoints().begin(), folder.checkpoints().end(),
                                                  [](const auto& entry) { return entry.is_folder; });
                const bool is_one = layout != nullptr && !is_rolling(*layout) && !has_tags;
                if (is_one) folder = RunFolder::of(folder_entry(path));
                if (!indices_ && !null_) {
                    folder.stat();
                    if (!is_one && folder_.series.empty()) {
                        for (JudgedPointer& pointer : judge_pointers(folder, path, options, session.context()))
                            pointers_.push_back(std::move(pointer));
                    }
                }
                skipped.insert(skipped.end(), folder.skipped().begin(), folder.skipped().end());
                for (const SkippedEntry& below : folder.skipped()) {
                    if (!below.is_unreadable()) continue;
                    session.error(fmt::format("{}: {}", below.path, below.why));
                    failure_ = ExitCode::kInput;
                }
                auto found = std::move(folder).take_checkpoints();
                entries.insert(entries.end(), std::make_move_iterator(found.begin()),
                               std::make_move_iterator(found.end()));
            } catch (const Error& error) {
                if (error.code() != ErrorCode::kNotFound) throw;
                session.error(error.what());  // the others are listed all the same
                if (!failure_) failure_ = exit_code(error.code());
            }
        }
        if (folder_.axis == "time") {
            std::stable_sort(entries.begin(), entries.end(),
                             [](const auto& a, const auto& b) { return a.mtime_seconds < b.mtime_seconds; });
        }
    }

    /// Leaves the sound ones, and says of each of the others why it is none.
    void keep_valid(Session& session, std::vector<CheckpointEntry>& entries, std::vector<SkippedEntry>& skipped) const {
        const auto level = full_ ? VerifyLevel::kFull : VerifyLevel::kQuick;
        std::vector<CheckResult> results(entries.size());
        const EntryChecker checker(session.registry(), entries);
        for_each_parallel(entries.size(), session.context(), [&](std::size_t i) {
            Context quiet = session.context();
            quiet.on_warning = nullptr;
            quiet.on_progress = nullptr;
            results[i] = checker.check(entries[i], level, quiet);
        });
        std::vector<CheckpointEntry> sound;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (results[i].state == CheckResult::State::kValid) {
                sound.push_back(std::move(entries[i]));
            } else {
                session.error(fmt::format("skipped {}: {}", printable(entries[i].path), printable(results[i].why)));
                skipped.push_back({entries[i].path, results[i].why});
            }
        }
        entries = std::move(sound);
    }

    std::optional<double> index_of(const CheckpointEntry& entry) const {
        if (folder_.axis.empty() || folder_.axis == "time") return entry.match.index;
        return entry.match.on_axis(folder_.axis);
    }

    void print_indices(Session& session, const std::vector<CheckpointEntry>& entries) const {
        std::string text;
        for (const auto& entry : entries) {
            if (const auto index = index_of(entry); index && !entry.match.is_alias) text += index_text(*index) + "\n";
        }
        session.write(text);
    }

    std::string joined() const {
        std::string text;
        for (const auto& path : paths_) text += (text.empty() ? "" : ", ") + path;
        return text;
    }

    static constexpr std::size_t kMostOpened = 50;  // by the table, unasked

    std::vector<std::string> paths_;
    bool indices_ = false;
    bool json_ = false;
    bool null_ = false;
    bool long_ = false;
    bool opened_ = false;  // every checkpoint was read
    bool valid_ = false;
    bool full_ = false;
    std::vector<JudgedPointer> pointers_;
    std::optional<ExitCode> failure_;
    bool recursive_ = false;
    FolderOptions folder_;
};

}  // namespace

std::unique_ptr<Command> make_ls_command() {
    return std::make_unique<LsCommand>();
}

}  // namespace ckpt
