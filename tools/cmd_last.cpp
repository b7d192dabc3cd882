// ckpt last: the path of the newest checkpoint, for shell scripts.
#include <CLI/CLI.hpp>

#include "tools/checkpoint_record.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"

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
    }

    ExitCode run(Session& session) override {
        require_folder(dir_);
        auto folder = RunFolder::scan(dir_, folder_.scan_options(session), session.context());
        const CheckpointEntry* newest = folder.newest(folder_.axis, bound_.bound());
        if (newest == nullptr) return session.no(fmt::format("{}: no checkpoint{}", dir_, bound_.bound().phrase()));
        if ((index_ || next_) && newest->match.is_alias)
            return session.no(fmt::format("{}: {} has no index", dir_, newest->name));
        if (json_) {
            folder.stat();
            session.print(record_json(*newest, facts_by_name(session, *newest), 2));
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
    /// On the axis by which it is the newest.
    double index_of(const RunFolder& folder, const CheckpointEntry& entry) const {
        const std::string axis = folder_.axis.empty() ? folder.main_axis() : folder_.axis;
        return entry.match.on_axis(axis).value_or(entry.mtime_seconds);
    }
    std::string dir_ = ".";
    bool index_ = false;
    bool next_ = false;
    bool json_ = false;
    BoundOptions bound_;
    FolderOptions folder_;
};

}  // namespace

std::unique_ptr<Command> make_last_command() {
    return std::make_unique<LastCommand>();
}

}  // namespace ckpt
