// ckpt get: one value of a checkpoint, for scripts and for people.
#include <CLI/CLI.hpp>

#include "libckpt/search_state.hpp"
#include "libckpt/walk.hpp"
#include "tools/command.hpp"
#include "tools/value_text.hpp"

namespace ckpt {
namespace {

class GetCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "get"; }
    std::string_view summary() const noexcept override { return "Print one value of a checkpoint"; }
    void setup(CLI::App& app) override {
        app.add_option("file", file_, "The checkpoint")->required()->type_name("FILE");
        app.add_option("path", path_, "Where the value stands, as inspect shows it: model/fc.weight (default: all)")
            ->type_name("PATH");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        app.add_flag("--json", json_, "Print JSON");
    }

    ExitCode run(Session& session) override {
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        const Document document = read_document(session.registry(), file_, session.context(), forced);
        Value holder;
        const Value* found = path_.empty() ? &document.root : find_path(document.root, path_, holder);
        if (found == nullptr) return session.no(fmt::format("{}: there is no '{}'", file_, path_));
        // Of a search's candidate one wants its parameters, not how the search remembers them.
        const Value value = candidate_parameters(*found);
        try {
            session.write(json_ ? value_json(value) : value_text(value));
        } catch (const Error& error) {
            if (!error.file().empty()) throw;
            throw_error(error.code(), "{}: '{}': {}", file_, path_, error.message());
        }
        return ExitCode::kYes;
    }

private:
    std::string file_, path_, from_;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_get_command() {
    return std::make_unique<GetCommand>();
}

}  // namespace ckpt
