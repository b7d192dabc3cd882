// ckpt convert: any layout to any layout.
#include <CLI/CLI.hpp>

#include "libckpt/copy_tree.hpp"
#include "libckpt/sharded_keys.hpp"
#include "libckpt/trainer_keys.hpp"
#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/transform_options.hpp"

namespace ckpt {
namespace {

class ConvertCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "convert"; }
    std::string_view summary() const noexcept override {
        return "Convert a checkpoint to another layout, nothing lost silently";
    }
    void setup(CLI::App& app) override {
        app.add_option("in", input_, "The checkpoint to read")->required()->type_name("IN");
        app.add_option("out", output_file_, "The file to write; - is standard output")->required()->type_name("OUT");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        app.add_flag("--all", all_, "Of a ZeRO folder all it holds: {model, optimizer, client}, not the model alone");
        auto* trainer = app.add_flag(
            "--trainer", trainer_,
            "Name the parts of a sharded Lightning checkpoint as a Trainer's file has them, so that it resumes");
        app.add_flag("--fsdp", fsdp_,
                     "The reverse: optimizer states by the names of parameters, as sharded strategies load them")
            ->excludes(trainer);
        cast_.declare(app);
        output_.declare(app);
    }

    ExitCode run(Session& session) override {
        output_.layout(session, output_file_);  // a name that says nothing is a usage error before anything is read
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        Document document = read_document(session.registry(), input_, session.context(), forced, Damage::kRefuse,
                                          all_ ? Reach::kAll : Reach::kUsual);
        refuse_same_file(input_, output_file_);
        add_aliases(document);
        if (trainer_ || fsdp_) rename(document);
        if (cast_.is_given()) document = copied_tree(document);
        cast_.apply(session, document);
        const ExitCode code = write_document(session, document, output_file_, output_);
        if (code == ExitCode::kYes) cast_.report(session);
        return code;
    }

private:
    void rename(Document& document) const {
        try {
            trainer_ ? to_trainer_keys(document) : to_sharded_keys(document);
        } catch (Error& error) {
            error.in_file(input_);
            throw;
        }
    }

    bool trainer_ = false, fsdp_ = false;
    std::string input_, output_file_, from_;
    bool all_ = false;
    CastOptions cast_;
    OutputOptions output_;
};

}  // namespace

std::unique_ptr<Command> make_convert_command() {
    return std::make_unique<ConvertCommand>();
}

}  // namespace ckpt
