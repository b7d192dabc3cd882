// ckpt extract: a part of a checkpoint as a checkpoint of its own.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "libckpt/averaged.hpp"
#include "libckpt/backbone.hpp"
#include "libckpt/copy_tree.hpp"
#include "libckpt/module_state.hpp"
#include "libckpt/select.hpp"
#include "libckpt/storages.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"
#include "tools/transform_options.hpp"

namespace ckpt {
namespace {

class ExtractCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "extract"; }
    std::string_view summary() const noexcept override {
        return "Take a part of a checkpoint: the model only, a role, or what matches a path";
    }
    void setup(CLI::App& app) override {
        app.add_option("in", input_, "The checkpoint to read")->type_name("IN");
        app.add_option("-o,--output", output_file_, "The file to write")->required()->type_name("OUT");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        app.add_flag("--all", all_, "Of a ZeRO folder all it holds: {model, optimizer, client}, not the model alone");
        auto* model_only = app.add_flag("--model-only", selection_.model_only,
                                        "The model's state dict alone, at the root of the output");
        app.add_flag("--ema", ema_, "The averaged weights (EMA, SWA) alone, at the root of the output")
            ->excludes(model_only);
        app.add_option(
               "--role", roles_,
               "The parts of a role: model, optimizer, scheduler, hyper-parameters, log, other (repeatable); the "
               "model alone of a Mammoth checkpoint is the backbone that it loads")
            ->type_name("ROLE")
            ->allow_extra_args(false)
            ->excludes(model_only);
        // One function for both, so that their order on the command line is kept.
        app.add_option_function<std::string>(
               "--select",
               [this](const std::string& glob) {
                   selection_.rules.push_back({true, Glob(glob)});
               },
               "Keep what matches a path pattern: *, ?, [...], ** (repeatable; the last match of --select and --drop "
               "counts)")
            ->type_name("GLOB")
            ->trigger_on_parse()
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        app.add_option_function<std::string>(
               "--drop",
               [this](const std::string& glob) {
                   selection_.rules.push_back({false, Glob(glob)});
               },
               "Leave out what matches a path pattern (repeatable)")
            ->type_name("GLOB")
            ->trigger_on_parse()
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        app.add_option("--rest", rest_, "Write everything else to this file")->type_name("REST");
        app.add_flag("--salvage", salvage_,
                     "Take what is whole of a damaged checkpoint (native, torch, torch-legacy, safetensors, pyhopper)");
        names_.declare(app);
        cast_.declare(app);
        app.add_flag("--contiguous", contiguous_, "Give each tensor a storage of its own, row-major and without gaps");
        output_.declare(app);
    }

    ExitCode run(Session& session) override {
        take_input();
        output_.layout(session, output_file_);
        for (const auto& role : roles_) selection_.roles.push_back(parse_role(role));
        const bool takes_all = !selection_.model_only && !ema_ && selection_.roles.empty() && selection_.rules.empty();
        if (takes_all && !salvage_ && !names_.is_given() && !cast_.is_given() && !contiguous_) {
            throw Error(ErrorCode::kUsage, "extract: say what to take with --model-only, --role, --select or --drop");
        }
        if (takes_all) selection_.rules.push_back({true, Glob("**")});
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        Document document = salvage_ ? salvage_document(session.registry(), input_, session.context(), forced)
                                     : read_document(session.registry(), input_, session.context(), forced,
                                                     Damage::kRefuse, all_ ? Reach::kAll : Reach::kUsual);
        for (const Error& lost : document.damage) session.error(lost.what());
        refuse_same_file(input_, output_file_);
        add_aliases(document);
        if (ema_) return extract_averaged(session, document);
        Selected taken = select(document, selection_, Side::kTaken);
        // The model of such a checkpoint is more than the network that its own program takes.
        if (selection_.roles == std::vector<Role>{Role::kModel} && selection_.rules.empty() && rest_.empty() &&
            has_backbone(document)) {
            taken.document = backbone(document, session.context());
            if (taken.document.root.dict().entries.empty()) taken.leaves = 0;
        }
        if (taken.leaves == 0 && takes_all) throw_error(ErrorCode::kDamaged, "{}: nothing of it is whole", input_);
        if (taken.leaves == 0) return session.no(fmt::format("{}: nothing is selected", input_));
        const Format* read_by = session.registry().by_name(document.format);
        if (selection_.model_only && name_modules(taken.document) && !rest_.empty())
            session.context().note(
                "the model was saved as an object: what that holds beside its tensors is in neither file");
        if (selection_.model_only && read_by != nullptr) read_by->name_model(taken.document);
        transform(session, taken.document, Side::kTaken);
        if (!rest_.empty()) check_rest(session);
        // Both are planned before one is written: what cannot be written must not leave half of the whole.
        const auto plan = plan_output(session, taken.document, output_file_, output_);
        if (!plan) return ExitCode::kRefused;
        if (!rest_.empty()) {
            Document rest = select(document, selection_, Side::kRest).document;
            transform(session, rest, Side::kRest);
            const auto rest_plan = plan_output(session, rest, rest_, output_);
            if (!rest_plan) return ExitCode::kRefused;
            write_output(session, *plan, output_file_, output_);
            write_output(session, *rest_plan, rest_, output_);
        } else {
            write_output(session, *plan, output_file_, output_);
        }
        cast_.report(session);
        return document.damage.empty() ? ExitCode::kYes : ExitCode::kPartly;
    }

private:
    /// `--strip-prefix IN` takes the input for its prefix where that is all there is.
    void take_input() {
        if (input_.empty() && !names_.strip.empty()) {
            input_ = names_.strip.back();
            names_.strip.pop_back();
        }
        if (input_.empty()) throw Error(ErrorCode::kUsage, "extract: name the checkpoint to read");
    }

    /// What is taken, as it is to be written; of the rest only what nothing uses is left out.
    void transform(const Session& session, Document& document, Side side) {
        document = copied_tree(document);
        if (contiguous_) make_contiguous(document);
        const Cut cut = cut_storages(document);
        if (cut.storages > 0 && side == Side::kTaken)
            session.context().note(fmt::format("{} of {} storages are left out: no tensor that is taken uses them",
                                               size_text(cut.dropped_bytes), cut.storages));
        if (side == Side::kRest) return;
        names_.apply(session, document);
        cast_.apply(session, document);
    }

    ExitCode extract_averaged(Session& session, const Document& document) {
        if (!selection_.roles.empty() || !selection_.rules.empty() || !rest_.empty())
            throw Error(ErrorCode::kUsage,
                        "extract: --ema takes the averaged weights alone, without --role, --select, "
                        "--drop or --rest");
        Document taken = averaged_weights(document, session.context());
        if (taken.root.is_null()) return session.no(fmt::format("{}: there are no averaged weights", input_));
        transform(session, taken, Side::kTaken);
        const ExitCode written = write_document(session, taken, output_file_, output_);
        if (written == ExitCode::kYes) cast_.report(session);
        return written == ExitCode::kYes && !document.damage.empty() ? ExitCode::kPartly : written;
    }

    /// What the second output would stumble over, found before the first is written.
    void check_rest(const Session& session) const {
        refuse_same_file(input_, rest_);
        output_.layout(session, rest_);
        const auto absolute = [](const std::string& path) {
            std::error_code error;
            const auto found = std::filesystem::weakly_canonical(path, error);
            return error ? std::filesystem::path(path) : found;
        };
        if (absolute(output_file_) == absolute(rest_))
            throw Error(ErrorCode::kUsage, "extract: --output and --rest name the same file");
        std::error_code error;
        if (!output_.overwrite && std::filesystem::exists(std::filesystem::symlink_status(rest_, error)))
            throw_error(ErrorCode::kRefused, "{}: exists already; --overwrite replaces it", rest_);
    }

    std::string input_, output_file_, from_, rest_;
    std::vector<std::string> roles_;
    bool salvage_ = false;
    bool all_ = false;
    bool ema_ = false;
    bool contiguous_ = false;
    NameOptions names_;
    CastOptions cast_;
    Selection selection_;
    OutputOptions output_;
};

}  // namespace

std::unique_ptr<Command> make_extract_command() {
    return std::make_unique<ExtractCommand>();
}

}  // namespace ckpt
