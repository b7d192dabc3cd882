// ckpt get: one value of a checkpoint, for scripts and for people.
#include <CLI/CLI.hpp>

#include "libckpt/path.hpp"
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
        Context context = session.context();
        context.index_only = true;
        const Document document = read_document(session.registry(), file_, context, forced);
        Value holder;
        const Value* found = path_.empty() ? &document.root : find_path(document.root, path_, holder);
        if (found == nullptr) found = find_alias(document, holder);
        if (found == nullptr) found = find_metadata(document, holder);
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
    /// A name that the file says stands for another.
    const Value* find_alias(const Document& document, Value& holder) const {
        for (const auto& [name, target] : document.aliases) {
            if (escape_key(name) == path_) return find_path(document.root, escape_key(target), holder);
        }
        return nullptr;
    }
    /// "@metadata", "@metadata/format": texts that the file's writer gave it as a whole.
    const Value* find_metadata(const Document& document, Value& holder) const {
        if (!path_.starts_with("@")) return nullptr;
        const std::string name = path_.substr(1, path_.find('/') - 1);
        for (const auto& [key, value] : document.attributes) {
            if (!key.ends_with(":" + name) || name != "metadata") continue;
            const std::size_t slash = path_.find('/');
            return find_path(value, slash == std::string::npos ? "" : path_.substr(slash + 1), holder);
        }
        return nullptr;
    }

    std::string file_, path_, from_;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_get_command() {
    return std::make_unique<GetCommand>();
}

}  // namespace ckpt
