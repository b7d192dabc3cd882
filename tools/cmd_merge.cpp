// ckpt merge: several checkpoints as one.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "libckpt/merge.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"

namespace ckpt {
namespace {

class MergeCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "merge"; }
    std::string_view summary() const noexcept override { return "Join the histories of searches or calibrations"; }
    void setup(CLI::App& app) override {
        app.add_option("in", inputs_, "The checkpoints to join, in their order")->required()->type_name("IN");
        app.add_option("-o,--output", output_file_, "The file or folder to write")->required()->type_name("OUT");
        app.add_option("-f,--from", from_, "Layout of the inputs (default: by their content)")->type_name("LAYOUT");
        app.add_option("--direction", direction_,
                       "Which results of a search are the better ones: min or max (default: as its history shows)")
            ->type_name("WAY")
            ->check(CLI::IsMember({"min", "max"}));
        output_.declare(app);
    }

    ExitCode run(Session& session) override {
        if (inputs_.size() < 2) throw Error(ErrorCode::kUsage, "merge: give two checkpoints or more");
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        std::vector<MergeInput> inputs;
        for (const auto& path : inputs_) {
            refuse_same_file(path, output_file_);
            inputs.push_back({path, read_document(session.registry(), path, session.context(), forced)});
            add_aliases(inputs.back().document);
        }
        output_.to = output_layout(session, inputs.front().document).name();
        HistoryOptions options;
        if (!direction_.empty())
            options.direction = direction_ == "max" ? SearchDirection::kMax : SearchDirection::kMin;
        const Document joined = common_kind(inputs).join(inputs, options, session.context());
        return write_document(session, joined, output_file_, output_);
    }

private:
    /// By --to; else the layout of the inputs, unless the name asks for another.
    const Format& output_layout(const Session& session, const Document& first) const {
        const auto extension = [](const std::string& path) { return std::filesystem::path(path).extension().string(); };
        const bool is_as_input =
            extension(output_file_).empty() || extension(output_file_) == extension(inputs_.front());
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
                throw_error(ErrorCode::kUnsupported,
                            "{}: is neither the state of a search nor of a calibration; nothing else is joined yet",
                            input.name);
            if (common != nullptr && common != kind)
                throw_error(ErrorCode::kRefused, "{} is the state of a {}, {} that of a {}", inputs.front().name,
                            common->name, input.name, kind->name);
            common = kind;
        }
        return *common;
    }

    std::vector<std::string> inputs_;
    std::string output_file_, from_, direction_;
    OutputOptions output_;
};

}  // namespace

std::unique_ptr<Command> make_merge_command() {
    return std::make_unique<MergeCommand>();
}

}  // namespace ckpt
