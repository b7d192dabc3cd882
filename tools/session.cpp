// Streams, warnings, the progress bar.
#include "tools/session.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tools/text.hpp"

namespace ckpt {
namespace {

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void put(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0) {
            if (errno == EINTR) continue;
            if (descriptor != STDOUT_FILENO) return;  // nobody reads the messages: the work goes on
            if (errno == EPIPE) ::_exit(0);           // the reader has seen enough: a quiet success
            throw_error(ErrorCode::kOutput, "standard output: {}", std::strerror(errno));
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

}  // namespace

Session::Session(const std::atomic<bool>* cancel)
    : registry_(all_formats()),
      stdout_is_terminal_(::isatty(STDOUT_FILENO) == 1),
      has_colour_(stdout_is_terminal_ && std::getenv("NO_COLOR") == nullptr) {
    context_.cancel = cancel;
    context_.on_warning = [this](std::string_view text) {
        clear_progress();
        put(STDERR_FILENO, fmt::format("ckpt: warning: {}\n", printable(text)));
    };
    context_.on_note = [this](std::string_view text) { say(fmt::format("ckpt: note: {}", printable(text))); };
}

void Session::apply(const GeneralOptions& options) {
    options_ = options;
    context_.threads = options.threads;
    if (options.allow_external) context_.external_folder = ".";  // of the checkpoint
    shows_progress_ = options.progress || (!options.no_progress && !options.quiet && ::isatty(STDERR_FILENO) == 1);
    if (shows_progress_) {
        context_.on_progress = [this](std::uint64_t done, std::uint64_t total) { show_progress(done, total); };
    }
}

void Session::show_progress(std::uint64_t done, std::uint64_t total) {
    const double now = now_seconds();
    if (bar_started_ == 0) bar_started_ = now;
    // Short jobs need no bar, and a terminal no more than ten pictures a second.
    if (total == 0 || now - bar_started_ < 0.5 || now - bar_drawn_ < 0.1) return;
    bar_drawn_ = now;
    bar_is_up_ = true;
    const double rate = static_cast<double>(done) / (now - bar_started_);
    put(STDERR_FILENO, fmt::format("\r{:3}%  {} of {}, {}/s\x1b[K", done * 100 / total, size_text(done),
                                   size_text(total), size_text(static_cast<std::uint64_t>(rate))));
}

void Session::clear_progress() {
    if (bar_is_up_) put(STDERR_FILENO, "\r\x1b[K");
    bar_is_up_ = false;
}

void Session::finish() {
    clear_progress();
    if (!options_.verbose) return;
    struct rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
    put(STDERR_FILENO, fmt::format("ckpt: peak memory {}, read {}, written {}\n",
                                   size_text(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024),
                                   size_text(context_.io->bytes_read), size_text(context_.io->bytes_written)));
}

void Session::print(std::string_view line) {
    write(std::string(line) + "\n");
}
void Session::write(std::string_view text) {
    put(STDOUT_FILENO, text);
}
void Session::say(std::string_view line) {
    if (options_.quiet) return;
    clear_progress();
    put(STDERR_FILENO, std::string(line) + "\n");
}
ExitCode Session::no(std::string_view line) {
    error(line);
    return ExitCode::kNo;
}
void Session::error(std::string_view line) {
    clear_progress();
    put(STDERR_FILENO, fmt::format("ckpt: {}\n", printable(line)));
}

const Format& Session::layout(const std::string& name) const {
    if (const Format* format = registry_.by_name(name)) return *format;
    std::string names;
    for (const auto& format : registry_.formats()) names += (names.empty() ? "" : ", ") + std::string(format->name());
    throw_error(ErrorCode::kUsage, "there is no layout '{}'; there are {}", name, names);
}

std::vector<std::string> Session::extensions() const {
    std::vector<std::string> result;
    for (const auto& format : registry_.formats()) {
        for (const auto extension : format->extensions()) result.emplace_back(extension);
    }
    return result;
}

}  // namespace ckpt
