// What a command of the program is: `setup` declares and does no I/O, `run` does the work.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tools/exit_code.hpp"
#include "tools/session.hpp"

namespace CLI {
class App;
}

namespace ckpt {

class Command {
public:
    virtual ~Command() = default;
    virtual std::string_view name() const noexcept = 0;
    /// One line for the list of commands.
    virtual std::string_view summary() const noexcept = 0;
    virtual void setup(CLI::App& app) = 0;
    virtual ExitCode run(Session& session) = 0;
};

/// All commands, in the order of `ckpt --help`.
std::vector<std::unique_ptr<Command>> all_commands();

std::unique_ptr<Command> make_ls_command();
std::unique_ptr<Command> make_last_command();
std::unique_ptr<Command> make_path_command();
std::unique_ptr<Command> make_inspect_command();
std::unique_ptr<Command> make_get_command();
std::unique_ptr<Command> make_convert_command();
std::unique_ptr<Command> make_extract_command();
std::unique_ptr<Command> make_merge_command();
std::unique_ptr<Command> make_diff_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_plot_command();
std::unique_ptr<Command> make_scan_command();
std::unique_ptr<Command> make_prune_command();
std::unique_ptr<Command> make_formats_command();

}  // namespace ckpt
