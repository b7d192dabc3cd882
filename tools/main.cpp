// ckpt: the checkpoint toolkit. Parses the command line, runs one command, turns errors into exit codes.
#include <csignal>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <new>

#include "tools/command.hpp"
#include "tools/options.hpp"
#include "tools/session.hpp"
#include "tools/text.hpp"

namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_signal(int) {
    interrupted.store(true);
}

/// The first interrupt asks for a clean end; a second one kills as usual.
void watch_signals() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

/// The command that `word` was probably meant to be: at most two letters away, or none.
std::string nearest_command(const std::vector<std::unique_ptr<ckpt::Command>>& commands, std::string_view word) {
    std::string nearest;
    std::size_t least = std::min<std::size_t>(3, word.size());
    for (const auto& command : commands) {
        const std::size_t away = ckpt::edit_distance(command->name(), word);
        if (away < least) {
            least = away;
            nearest = command->name();
        }
    }
    return nearest;
}

std::string usage_error(const CLI::App& app, const std::vector<std::unique_ptr<ckpt::Command>>& commands,
                        const std::string& what, std::string_view first_word) {
    const auto subs = app.get_subcommands();
    if (subs.empty() && !first_word.empty() && first_word.front() != '-') {
        const std::string nearest = nearest_command(commands, first_word);
        return fmt::format(
            "'{}' is no command{}", first_word,
            nearest.empty() ? " (`ckpt --help` lists them)" : fmt::format("; did you mean '{}'?", nearest));
    }
    return fmt::format("{} (`{} --help` lists what there is)", what,
                       subs.empty() ? "ckpt" : "ckpt " + subs.front()->get_name());
}

/// An option with an empty value is a shell variable that was not set: `--trash "$bin"` would remove for good, and
/// behind `--trash=$bin` the parser would take the next word for the value.
void refuse_empty_values(const CLI::App& command, int argc, char** argv) {
    for (const std::string_view word : std::vector<std::string_view>(argv, argv + argc)) {
        if (word == "--") break;
        if (word.starts_with("--") && word.find('=') == word.size() - 1)
            throw CLI::ValidationError(std::string(word.substr(0, word.size() - 1)), "is empty: give it a value");
    }
    for (const CLI::Option* option : command.get_options()) {
        if (option->get_positional() || option->count() == 0 || option->get_expected_min() == 0) continue;
        const auto& values = option->results();
        if (std::find(values.begin(), values.end(), "") != values.end())
            throw CLI::ValidationError(option->get_name(), "is empty: give it a value");
    }
}

}  // namespace

int main(int argc, char** argv) {
    using namespace ckpt;
    watch_signals();
    Session session(&interrupted);
    try {
        CLI::App app{"Lists, finds, inspects, converts and takes apart training checkpoints."};
        app.name("ckpt");
        app.set_version_flag("--version", "ckpt " CKPT_VERSION);
        app.require_subcommand(1);
        app.footer(
            "Exit codes: 0 yes, 1 no, 2 usage, 3 no such input, 4 damaged, 5 refused, 6 output failed, 7 partly, 130 "
            "interrupted.\n`man ckpt` and `man ckpt-formats` say more.");
        GeneralOptions general;
        const auto commands = all_commands();
        Command* chosen = nullptr;
        for (const auto& command : commands) {
            CLI::App* sub = app.add_subcommand(std::string(command->name()), std::string(command->summary()));
            // Hundreds of options cost a millisecond: only those of a command that may be meant are declared.
            const bool is_named =
                std::any_of(argv, argv + argc, [&](const char* word) { return word == command->name(); });
            if (!is_named) continue;
            command->setup(*sub);
            declare_general(*sub, general);
            sub->callback([&chosen, &command] { chosen = command.get(); });
        }
        try {
            app.parse(argc, argv);
            for (const CLI::App* command : app.get_subcommands()) refuse_empty_values(*command, argc, argv);
        } catch (const CLI::CallForHelp&) {
            session.write(app.help());  // of the chosen command, under its full name
            return 0;
        } catch (const CLI::CallForVersion&) {
            session.print("ckpt " CKPT_VERSION);
            return 0;
        } catch (const CLI::ParseError& error) {
            session.error(usage_error(app, commands, error.what(), argc > 1 ? argv[1] : ""));
            return static_cast<int>(ExitCode::kUsage);
        }
        session.apply(general);
        const ExitCode code = chosen->run(session);
        session.finish();
        return static_cast<int>(code);
    } catch (const Error& error) {
        session.finish();
        session.error(error.what());
        return static_cast<int>(exit_code(error.code()));
    } catch (const std::bad_alloc&) {
        session.error("out of memory");
        return static_cast<int>(ExitCode::kInternal);
    } catch (const std::exception& error) {
        session.error(fmt::format("internal error: {}", error.what()));
        return static_cast<int>(ExitCode::kInternal);
    }
}
