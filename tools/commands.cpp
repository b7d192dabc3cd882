// The explicit list of commands.
#include "tools/command.hpp"

namespace ckpt {

std::vector<std::unique_ptr<Command>> all_commands() {
    std::vector<std::unique_ptr<Command>> commands;
    commands.push_back(make_ls_command());
    commands.push_back(make_last_command());
    commands.push_back(make_path_command());
    commands.push_back(make_inspect_command());
    commands.push_back(make_get_command());
    commands.push_back(make_convert_command());
    commands.push_back(make_extract_command());
    commands.push_back(make_merge_command());
    commands.push_back(make_diff_command());
    commands.push_back(make_verify_command());
    commands.push_back(make_scan_command());
    commands.push_back(make_plot_command());
    commands.push_back(make_prune_command());
    commands.push_back(make_formats_command());
    return commands;
}

}  // namespace ckpt
