// ckpt ls: the checkpoints of a folder.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <optional>

#include "tools/checkpoint_record.hpp"
#include "tools/command.hpp"
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
        folder_.declare(app);
        indices->excludes(json)->excludes(null);
        json->excludes(null);
    }

    ExitCode run(Session& session) override {
        std::vector<CheckpointEntry> entries;
        std::vector<SkippedEntry> skipped;
        gather(session, entries, skipped);
        if (null_) {
            std::string text;
            for (const auto& entry : entries) text += entry.path + '\0';
            session.write(text);
        } else if (indices_) {
            print_indices(session, entries);
        } else {
            std::vector<CheckpointFacts> facts;
            opened_ = long_ || (!json_ && entries.size() <= kMostOpened);
            for (const auto& entry : entries)
                facts.push_back(opened_ ? facts_by_reading(session, entry) : facts_by_name(session, entry));
            if (json_) {
                session.print(list_json(entries, facts, skipped));
            } else if (!entries.empty()) {
                print_table(session, entries, facts);
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
                const Format* layout = layout_of_folder(session, path);
                const bool is_one = layout != nullptr && !is_rolling(*layout);
                auto folder =
                    is_one ? RunFolder::of(folder_entry(path)) : RunFolder::scan(path, options, session.context());
                if (!indices_ && !null_) folder.stat();
                entries.insert(entries.end(), folder.checkpoints().begin(), folder.checkpoints().end());
                skipped.insert(skipped.end(), folder.skipped().begin(), folder.skipped().end());
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

    void print_table(Session& session, const std::vector<CheckpointEntry>& entries,
                     const std::vector<CheckpointFacts>& facts) const {
        // One axis gives its name to the column; several are written beside each index.
        std::string axis;
        bool several = false;
        for (const auto& entry : entries) {
            if (!entry.match.index) continue;
            several = several || (!axis.empty() && axis != entry.match.axis);
            axis = entry.match.axis;
        }
        std::string title = several || axis.empty() ? "INDEX" : axis;
        std::transform(title.begin(), title.end(), title.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        const bool has_runs =
            std::any_of(facts.begin(), facts.end(), [](const CheckpointFacts& one) { return !one.run.is_empty(); });
        std::vector<Table::Column> columns = {{title, Table::Align::kRight}, {"NAME", Table::Align::kLeft}};
        if (has_runs) {
            columns.insert(columns.end(), {{"MODEL", Table::Align::kLeft},
                                           {"DATASET", Table::Align::kLeft},
                                           {"BUFFER", Table::Align::kRight},
                                           {"EPOCHS", Table::Align::kRight},
                                           {"STARTED", Table::Align::kLeft}});
        }
        columns.insert(columns.end(), {{"LAYOUT", Table::Align::kLeft},
                                       {"SAVED", Table::Align::kLeft},
                                       {"SIZE", Table::Align::kRight},
                                       {"PARAMS", Table::Align::kRight},
                                       {"HOLDS", Table::Align::kLeft},
                                       {"STATE", Table::Align::kLeft}});
        Table table(columns);
        const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const auto& entry = entries[i];
            const auto index = index_of(entry);
            std::string index_cell = index                        ? index_text(*index)
                                     : !entry.match.label.empty() ? entry.match.label.str()
                                     : entry.match.is_alias       ? "alias"
                                                                  : "-";
            if (several && index) index_cell = entry.match.axis + " " + index_cell;
            std::string shown_name = printable(entry.path);
            for (const auto& alias : entry.aliases) shown_name += " (" + printable(alias) + ")";
            total += entry.bytes;
            std::string state = opened_ && facts[i].state != "ok" ? facts[i].state : "";
            if (!facts[i].why.empty())
                state += ": " + (session.is_terminal() ? shortened(facts[i].why, 60) : printable(facts[i].why));
            std::vector<std::string> cells = {index_cell, shown_name};
            if (has_runs) add_run(facts[i].run, cells);
            cells.insert(cells.end(), {facts[i].format, age_text(now - entry.mtime_seconds), size_text(entry.bytes),
                                       !opened_                  ? ""
                                       : facts[i].parameters > 0 ? count_text(facts[i].parameters)
                                                                 : "-",
                                       facts[i].holds, state});
            table.add(std::move(cells));
        }
        std::string summary =
            fmt::format("{} checkpoint{}, {}", entries.size(), entries.size() == 1 ? "" : "s", size_text(total));
        if (opened_) summary += last_whole(entries, facts);
        if (!opened_) summary += "; not opened: -l says more";
        session.write(table.text() + summary + "\n");
    }

    static void add_run(const RunFacts& run, std::vector<std::string>& cells) {
        const auto text = [](const std::string& value) { return value.empty() ? std::string("-") : printable(value); };
        const auto count = [](const auto& value) { return value ? std::to_string(*value) : std::string("-"); };
        cells.insert(cells.end(), {text(run.model), text(run.dataset), count(run.buffer_size), count(run.epochs),
                                   text(run.timestamp)});
    }

    /// "; last valid: 40" where some are not.
    std::string last_whole(const std::vector<CheckpointEntry>& entries,
                           const std::vector<CheckpointFacts>& facts) const {
        std::string last = "none";
        bool all = true;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            all = all && facts[i].state == "ok";
            const auto index = index_of(entries[i]);
            if (facts[i].state == "ok" && index && !entries[i].match.is_alias) last = index_text(*index);
        }
        return all ? "" : "; last valid: " + last;
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
    std::optional<ExitCode> failure_;
    bool recursive_ = false;
    FolderOptions folder_;
};

}  // namespace

std::unique_ptr<Command> make_ls_command() {
    return std::make_unique<LsCommand>();
}

}  // namespace ckpt
