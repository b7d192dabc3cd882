// One run of the program: where output goes, which layouts there are, what was asked for in general.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "formats/all.hpp"
#include "libckpt/context.hpp"
#include "tools/exit_code.hpp"

namespace ckpt {

/// What every command can be told.
struct GeneralOptions {
    bool quiet = false;
    bool verbose = false;
    bool progress = false;
    bool no_progress = false;
    unsigned threads = 0;
    bool allow_external = false;
};

/// stdout carries data only; everything else goes to stderr.
class Session {
public:
    explicit Session(const std::atomic<bool>* cancel);

    /// Takes the options over; before a command runs.
    void apply(const GeneralOptions& options);
    /// Clears a progress bar; says peak memory and bytes under --verbose.
    void finish();

    const Registry& registry() const noexcept { return registry_; }
    const Context& context() const noexcept { return context_; }
    bool is_terminal() const noexcept { return stdout_is_terminal_; }
    /// Colour on stdout: a terminal, and NO_COLOR is not set.
    bool has_colour() const noexcept { return has_colour_; }
    bool is_quiet() const noexcept { return options_.quiet; }

    /// A line of data.
    void print(std::string_view line);
    /// Data as it is. Throws Error (kOutput) when stdout cannot take it; a closed pipe ends the run quietly.
    void write(std::string_view text);
    /// A line for a person, on stderr; not under --quiet.
    void say(std::string_view line);
    /// The honest "no": a line on stderr (also under --quiet) and exit code 1.
    ExitCode no(std::string_view line);
    void error(std::string_view line);

    /// The layout of that name; throws Error (kUsage) listing all.
    const Format& layout(const std::string& name) const;
    /// Extensions that some layout uses.
    std::vector<std::string> extensions() const;

private:
    void show_progress(std::uint64_t done, std::uint64_t total);
    void clear_progress();

    Registry registry_;
    Context context_;
    GeneralOptions options_;
    bool stdout_is_terminal_;
    bool has_colour_;
    bool shows_progress_ = false;
    bool bar_is_up_ = false;
    double bar_started_ = 0;
    double bar_drawn_ = 0;
};

}  // namespace ckpt
