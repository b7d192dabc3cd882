// ckpt path: the path for an index, or the one that the next save takes.
#include <CLI/CLI.hpp>

#include "tools/command.hpp"
#include "tools/options.hpp"

namespace ckpt {
namespace {

class PathCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "path"; }
    std::string_view summary() const noexcept override {
        return "Print the path of the checkpoint with an index, or of the next save";
    }
    void setup(CLI::App& app) override {
        app.add_option("dir", dir_, "Folder of checkpoints")->required()->type_name("DIR");
        auto* index = app.add_option("index", index_, "Index of the checkpoint")->type_name("INDEX");
        app.add_flag("--next", next_, "The path that the next save takes")->excludes(index);
        folder_.declare(app);
    }

    ExitCode run(Session& session) override {
        if (!next_ && !index_) throw Error(ErrorCode::kUsage, "path: give an index or --next");
        require_folder(dir_);
        auto folder = RunFolder::scan(dir_, folder_.scan_options(session), session.context());
        folder_.require_axis(folder, dir_);
        if (next_) {
            const auto next = folder.next(folder_.axis);
            if (!next) return session.no(fmt::format("{}: no numbered checkpoint to continue from", dir_));
            session.print(next->second);
            return ExitCode::kYes;
        }
        const CheckpointEntry* found = folder.at(folder_.axis, *index_);
        if (found == nullptr)
            return session.no(fmt::format("{}: no checkpoint with index {}", dir_, index_text(*index_)));
        session.print(found->path);
        return ExitCode::kYes;
    }

private:
    std::string dir_;
    std::optional<double> index_;
    bool next_ = false;
    FolderOptions folder_;
};

}  // namespace

std::unique_ptr<Command> make_path_command() {
    return std::make_unique<PathCommand>();
}

}  // namespace ckpt
