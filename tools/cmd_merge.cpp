// ckpt merge: several checkpoints as one.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "libckpt/copy_tree.hpp"
#include "libckpt/merge.hpp"
#include "tools/command.hpp"
#include "tools/merge_options.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

/// Each input is an open file, and there may be any number of them.
void allow_many_files() {
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

class MergeCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "merge"; }
    std::string_view summary() const noexcept override {
        return "Average checkpoints, unite their parts, join the histories of searches";
    }
    void setup(CLI::App& app) override {
        app.add_option("in", paths_, "The checkpoints, in their order, the newest last; with --last a folder of them")
            ->required()
            ->type_name("IN");
        app.add_option("-o,--output", output_file_, "The file or folder to write")->required()->type_name("OUT");
        app.add_option("-f,--from", from_, "Layout of the inputs (default: by their content)")->type_name("LAYOUT");
        app.add_option("--last", last_, "Of a folder the last N checkpoints")
            ->type_name("N")
            ->check(CLI::PositiveNumber);
        bound_.declare(app);
        folder_.declare(app);
        merge_.declare(app);
        cast_.declare(app);
        app.add_option("--direction", direction_,
                       "Which results of a search are the better ones: min or max (default: as its history shows)")
            ->type_name("WAY")
            ->check(CLI::IsMember({"min", "max"}));
        output_.declare(app);
    }

    ExitCode run(Session& session) override {
        allow_many_files();
        if (!select_inputs(session)) return ExitCode::kNo;
        const std::size_t least = merge_.base.empty() ? 2 : 1;
        if (paths_.size() < least) throw Error(ErrorCode::kUsage, "merge: give two checkpoints or more");
        std::vector<MergeInput> inputs;
        for (const auto& path : paths_) inputs.push_back(read_input(session, path));
        output_.to = output_layout(session, inputs.front().document).name();
        const bool are_histories = !merge_.is_given() && history_kind(inputs.front().document.root) != nullptr;
        if (are_histories) return join_histories(session, inputs);
        // Checked before the first byte is read of a tensor.
        const CombineOptions options = merge_.combine_options(inputs.size(), cast_);
        return merge_.unites ? unite_parts(session, inputs) : combine_weights(session, inputs, options);
    }

private:
    MergeInput read_input(const Session& session, const std::string& path) const {
        refuse_same_file(path, output_file_);
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        MergeInput input{path, read_document(session.registry(), path, session.context(), forced)};
        add_aliases(input.document);
        return input;
    }

    /// Puts the checkpoints of a folder in its place; false where it has none.
    bool select_inputs(Session& session) {
        const bool has_bound =
            bound_.prior_to || bound_.up_to || bound_.at || !folder_.axis.empty() || !folder_.pattern.empty();
        if (!last_ && has_bound)
            throw Error(ErrorCode::kUsage, "merge: which checkpoints of a folder is said with --last N");
        if (!last_) return true;
        if (paths_.size() != 1) throw Error(ErrorCode::kUsage, "merge: --last takes the checkpoints of one folder");
        const std::string folder_path = paths_.front();
        require_folder(folder_path);
        RunFolder folder = RunFolder::scan(folder_path, folder_.scan_options(session), session.context());
        auto candidates = folder.candidates(folder_.axis, bound_.bound());
        if (candidates.size() > *last_)
            candidates.erase(candidates.begin(), candidates.end() - static_cast<std::ptrdiff_t>(*last_));
        paths_.clear();
        for (const CheckpointEntry* entry : candidates) paths_.push_back(entry->path);
        if (paths_.empty()) session.no(fmt::format("{}: no checkpoint{}", folder_path, bound_.bound().phrase()));
        std::string names;
        for (const CheckpointEntry* entry : candidates) names += (names.empty() ? "" : ", ") + printable(entry->name());
        if (!names.empty()) session.context().note("merging " + names);
        return !paths_.empty();
    }

    ExitCode join_histories(Session& session, const std::vector<MergeInput>& inputs) const {
        HistoryOptions options;
        if (!direction_.empty())
            options.direction = direction_ == "max" ? SearchDirection::kMax : SearchDirection::kMin;
        const Document joined = common_kind(inputs).join(inputs, options, session.context());
        return write_document(session, joined, output_file_, output_);
    }

    ExitCode unite_parts(Session& session, const std::vector<MergeInput>& inputs) {
        Union result = unite(inputs, merge_.preference(), session.context());
        if (const auto refused = refuse(session, result.conflicts, "cannot be united; --prefer first or last decides"))
            return *refused;
        if (result.decided > 0)
            session.context().note(
                fmt::format("{} entries that differ are those of the {}", result.decided, merge_.prefer));
        if (cast_.is_given()) result.document = copied_tree(result.document);
        cast_.apply(session, result.document);
        const ExitCode code = write_document(session, result.document, output_file_, output_);
        if (code == ExitCode::kYes) cast_.report(session);
        return code;
    }

    ExitCode combine_weights(Session& session, std::vector<MergeInput>& inputs, const CombineOptions& options) {
        std::optional<MergeInput> base;
        if (!merge_.base.empty()) base = read_input(session, merge_.base);
        // Between a base and a checkpoint is between the first and the second of two.
        if (merge_.slerp && base) {
            inputs.insert(inputs.begin(), std::move(*base));
            base.reset();
        }
        cast_.check();
        Combination result = combine(inputs, base ? &*base : nullptr, options, session.context());
        if (const auto refused = refuse(session, result.mismatches, "cannot be combined")) return *refused;
        const std::string newest = printable(inputs.back().name);
        if (result.combined == 0) throw_error(ErrorCode::kRefused, "{}: has no tensors to combine", newest);
        if (result.kept_tensors + result.kept_others > 0)
            session.context().note(
                fmt::format("{} tensors are combined; {} other tensors and {} other values are those of {}",
                            result.combined, result.kept_tensors, result.kept_others, newest));
        cast_.take(std::move(result.overflow));
        const ExitCode code = write_document(session, result.document, output_file_, output_);
        if (code == ExitCode::kYes) cast_.report(session);
        return code;
    }

    static std::optional<ExitCode> refuse(Session& session, const std::vector<std::string>& problems,
                                          std::string_view why) {
        if (problems.empty()) return std::nullopt;
        constexpr std::size_t kMostShown = 1000;
        for (std::size_t i = 0; i < problems.size() && i < kMostShown; ++i) session.error(printable(problems[i]));
        session.error(fmt::format("these {}: {} differences; nothing was written", why, problems.size()));
        return ExitCode::kRefused;
    }

    /// By --to; else the layout of the inputs, unless the name asks for another.
    const Format& output_layout(const Session& session, const Document& first) const {
        const auto extension = [](const std::string& path) { return std::filesystem::path(path).extension().string(); };
        const bool is_as_input =
            extension(output_file_).empty() || extension(output_file_) == extension(paths_.front());
        const Format& input = session.layout(first.format);
        return output_.to.empty() && is_as_input && input.capabilities().can_write
                   ? input
                   : output_.layout(session, output_file_);
    }

    static const HistoryKind& common_kind(const std::vector<MergeInput>& inputs) {
        const HistoryKind* common = nullptr;
        for (const MergeInput& input : inputs) {
            const HistoryKind* kind = history_kind(input.document.root);
            if (kind == nullptr)
                throw_error(ErrorCode::kRefused, "{} is the state of a {}, {} is not", inputs.front().name,
                            history_kind(inputs.front().document.root)->name, input.name);
            if (common != nullptr && common != kind)
                throw_error(ErrorCode::kRefused, "{} is the state of a {}, {} that of a {}", inputs.front().name,
                            common->name, input.name, kind->name);
            common = kind;
        }
        return *common;
    }

    std::vector<std::string> paths_;
    std::string output_file_, from_, direction_;
    std::optional<std::size_t> last_;
    BoundOptions bound_;
    FolderOptions folder_;
    MergeOptions merge_;
    CastOptions cast_;
    OutputOptions output_;
};

}  // namespace

std::unique_ptr<Command> make_merge_command() {
    return std::make_unique<MergeCommand>();
}

}  // namespace ckpt
