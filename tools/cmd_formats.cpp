// ckpt formats: the layouts and what each can hold.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tools/command.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

class FormatsCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "formats"; }
    std::string_view summary() const noexcept override { return "List the layouts and what each can hold"; }
    void setup(CLI::App& app) override { app.add_flag("--json", json_, "Print JSON"); }

    ExitCode run(Session& session) override {
        if (json_) {
            session.print(as_json(session).dump(2));
            return ExitCode::kYes;
        }
        Table table({{"LAYOUT", Table::Align::kLeft},
                     {"FILES", Table::Align::kLeft},
                     {"WRITE", Table::Align::kLeft},
                     {"HOLDS", Table::Align::kLeft},
                     {"WHAT IT IS", Table::Align::kLeft}});
        for (const auto& format : session.registry().formats()) {
            const auto capabilities = format->capabilities();
            std::string files;
            for (const auto extension : format->extensions())
                files += (files.empty() ? "." : " .") + std::string(extension);
            table.add({std::string(format->name()), files, capabilities.can_write ? "yes" : "no",
                       std::string(capabilities.holds), std::string(capabilities.description)});
        }
        session.write(table.text());
        return ExitCode::kYes;
    }

private:
    static nlohmann::ordered_json as_json(const Session& session) {
        nlohmann::ordered_json formats = nlohmann::ordered_json::array();
        for (const auto& format : session.registry().formats()) {
            const auto capabilities = format->capabilities();
            nlohmann::ordered_json extensions = nlohmann::ordered_json::array();
            for (const auto extension : format->extensions()) extensions.push_back("." + std::string(extension));
            formats.push_back({{"name", format->name()},
                               {"extensions", extensions},
                               {"read", true},
                               {"write", capabilities.can_write},
                               {"folder", capabilities.is_folder},
                               {"holds", capabilities.holds},
                               {"compress", capabilities.compressions},
                               {"codecs", capabilities.codecs},
                               {"description", capabilities.description}});
        }
        return {{"formats", formats}};
    }
    bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_formats_command() {
    return std::make_unique<FormatsCommand>();
}

}  // namespace ckpt
