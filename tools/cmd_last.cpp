// ckpt last: the path of the newest checkpoint, for shell scripts.
#include <CLI/CLI.hpp>

#include "libckpt/check_entry.hpp"
#include "tools/checkpoint_record.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

class LastCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "last"; }
    std::string_view summary() const noexcept override { return "Print the path of the newest checkpoint of a folder"; }
    void setup(CLI::App& app) override {
        app.add_option("dir", dir_, "Folder of checkpoints (default: here)")->type_name("DIR");
        bound_.declare(app);
        folder_.declare(app);
        auto* index = app.add_flag("--index", index_, "Print its index in place of its path");
        auto* next = app.add_flag("--next", next_, "Print the index to go on with");
        app.add_flag("--json", json_, "Print JSON")->excludes(index)->excludes(next);
        index->excludes(next);
        auto* valid = app.add_flag("--valid", valid_, "The newest that passes `ckpt verify`, not the newest name");
        app.add_flag("--full", full_, "With --valid: every byte of it is checked")->needs(valid);
    }

    ExitCode run(Session& session) override {
        require_folder(dir_);
        auto folder = RunFolder::scan(dir_, folder_.scan_options(session), session.context());
        folder_.require_axis(folder, dir_);
        const auto candidates = folder.candidates(folder_.axis, bound_.bound());
        if (candidates.empty()) return session.no(fmt::format("{}: no checkpoint{}", dir_, bound_.bound().phrase()));
        const CheckpointEntry* newest = valid_ ? newest_valid(session, folder, candidates) : candidates.back();
        if (newest == nullptr) {
            throw_error(ErrorCode::kDamaged, "{}: {} checkpoint{}{}, none of them valid", dir_, candidates.size(),
                        candidates.size() == 1 ? "" : "s", bound_.bound().phrase());
        }
        if ((index_ || next_) && newest->match.is_alias)
            return session.no(fmt::format("{}: {} has no index", dir_, newest->name()));
        if (json_) {
            folder.stat();
            CheckpointFacts facts = facts_by_name(session, *newest);
            if (valid_) facts.state = "ok";
            session.print(record_json(*newest, facts, 2));
        } else if (index_) {
            session.print(index_text(index_of(folder, *newest)));
        } else if (next_) {
            session.print(index_text(index_of(folder, *newest) + 1));
        } else {
            session.print(newest->path);
        }
        return ExitCode::kYes;
    }

private:
    /// Says of each that is passed over why.
    const CheckpointEntry* newest_valid(Session& session, const RunFolder& folder,
                                        const std::vector<const CheckpointEntry*>& candidates) const {
        const EntryChecker checker(session.registry(), folder.checkpoints());
        for (auto it = candidates.rbegin(); it != candidates.rend(); ++it) {
            const auto level = full_ ? VerifyLevel::kFull : VerifyLevel::kQuick;
            const CheckResult result = checker.check(**it, level, session.context());
            if (result.state == CheckResult::State::kValid) return *it;
            session.error(fmt::format("skipped {}: {}", printable((*it)->path), printable(result.why)));
        }
        return nullptr;
    }

    /// On the axis by which it is the newest.
    double index_of(const RunFolder& folder, const CheckpointEntry& entry) const {
        const std::string axis = folder_.axis.empty() ? folder.main_axis().str() : folder_.axis;
        return entry.match.on_axis(axis).value_or(entry.mtime_seconds);
    }
    std::string dir_ = ".";
    bool index_ = false;
    bool next_ = false;
    bool json_ = false;
    bool valid_ = false;
    bool full_ = false;
    BoundOptions bound_;
    FolderOptions folder_;
};

}  // namespace

std::unique_ptr<Command> make_last_command() {
    return std::make_unique<LastCommand>();
}

}  // namespace ckpt
