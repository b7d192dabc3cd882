// A child process that is given a script and two files for what it prints.
#include "tools/gnuplot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "libckpt/atomic_output.hpp"
#include "libckpt/error.hpp"
#include "tools/tensor_elements.hpp"
#include "tools/text.hpp"

extern char** environ;

namespace ckpt {
namespace {

/// In single quotes nothing has a meaning but the quote itself.
std::string in_quotes(const std::string& text) {
    std::string result = "'";
    for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
    return result + "'";
}
std::string quoted(const std::string& text) {
    return in_quotes(printable(text));
}

std::string terminal_of(const Canvas& canvas, std::size_t charts) {
    switch (canvas.kind) {
        case Canvas::Kind::kSvg:
            return fmt::format("set terminal svg size 900,{} noenhanced background 'white' font 'Arial,14'\n",
                               500 * charts);
        case Canvas::Kind::kPng:
            return fmt::format("set terminal pngcairo size 1200,{} noenhanced font 'Sans,13'\n", 660 * charts);
        case Canvas::Kind::kPdf:
            return fmt::format("set terminal pdfcairo size 16cm,{}cm noenhanced font 'Sans,10'\n", 9 * charts);
        default:
            return fmt::format("set terminal dumb size {},{} noenhanced\n", canvas.columns, canvas.lines);
    }
}

std::string style_of(const Curve& curve, const Canvas& canvas, std::size_t number) {
    const bool is_terminal = canvas.kind == Canvas::Kind::kTerminal;
    const std::string look = is_terminal ? "" : fmt::format(" linetype {} linewidth 2", number + 1);
    switch (curve.form) {
        case Curve::Form::kPoints:
            return is_terminal ? "with points"
                               : fmt::format("with points linetype {} pointtype 7 pointsize 0.6", number + 1);
        case Curve::Form::kSteps:
            return "with steps" + look;
        default:
            break;
    }
    // A few points are seen as such, many as a line.
    const bool has_points = curve.x.size() <= 30 && !is_terminal;
    return has_points ? "with linespoints" + look + " pointtype 7 pointsize 0.5" : "with lines" + look;
}

std::string plot_of(const Chart& chart, const Canvas& canvas) {
    std::string text = "plot ";
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
        const Curve& curve = chart.curves[i];
        // One curve alone is named by the title.
        const bool is_alone = chart.curves.size() == 1;
        const std::string bars = canvas.kind == Canvas::Kind::kTerminal ? "with impulses" : "with boxes linetype 1";
        text += fmt::format("{}$data{} using 1:2 {} {}", i == 0 ? "" : ", ", i,
                            chart.is_histogram ? bars : style_of(curve, canvas, i),
                            is_alone ? "notitle" : "title " + quoted(curve.name));
    }
    return text + "\n";
}

std::string blocks_of(const Chart& chart) {
    std::string text;
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
        const Curve& curve = chart.curves[i];
        text += fmt::format("$data{} << EOD\n", i);
        for (std::size_t k = 0; k < curve.y.size(); ++k) {
            const double x = chart.is_histogram ? curve.x[k] / 2 + curve.x[k + 1] / 2 : curve.x[k];
            // An empty line breaks a curve.
            const bool is_there = std::isfinite(x) && std::isfinite(curve.y[k]);
            text += is_there ? float_text(x) + " " + float_text(curve.y[k]) + "\n" : std::string("\n");
        }
        text += "EOD\n";
    }
    return text;
}

/// Where all points have one x gnuplot finds no range by itself.
std::string range_of(const Chart& chart) {
    double least = HUGE_VAL, greatest = -HUGE_VAL;
    for (const Curve& curve : chart.curves) {
        for (const double x : curve.x) {
            least = std::min(least, x);
            greatest = std::max(greatest, x);
        }
    }
    return least == greatest ? fmt::format("set xrange [{}:{}]\n", least - 1, least + 1) : "";
}

/// One chart, whatever was set for the one before.
std::string picture_of(const Chart& chart, const Canvas& canvas) {
    std::string text = "reset\n";
    text += "set title " + quoted(chart.title) + "\n";
    text += "set xlabel " + quoted(chart.x_label) + "\n";
    text += "set ylabel " + quoted(chart.y_label) + "\n";
    text += "set tics nomirror\n";
    if (canvas.kind == Canvas::Kind::kTerminal) {
        text += "set key below\n";
    } else {
        text += "set grid linetype 1 linewidth 0.5 linecolor rgb '#cccccc'\nset border 3\nset key outside right top\n";
    }
    if (canvas.is_log) text += "set logscale y\n";
    text += range_of(chart);
    if (chart.is_histogram) {
        text += "set style fill solid 0.7 border\nset boxwidth 1 relative\n";
        text += fmt::format("set yrange [{}:*]\n", canvas.is_log ? "0.5" : "0");
    }
    return text + blocks_of(chart) + plot_of(chart, canvas);
}

std::string find_program() {
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "";
    while (!rest.empty()) {
        const std::string_view folder = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
        const std::string candidate = std::string(folder.empty() ? "." : folder) + "/gnuplot";
        std::error_code error;
        if (::access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate, error))
            return candidate;
    }
    throw Error(ErrorCode::kUnsupported,
                "gnuplot, which draws, is not installed (Debian: gnuplot-nox); --data prints the numbers without it");
}

/// A folder that goes with all in it.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::error_code error;
        std::string name = (std::filesystem::temp_directory_path(error) / "ckpt-plot-XXXXXX").string();
        if (error || ::mkdtemp(name.data()) == nullptr) throw_output_error("no temporary folder can be made", errno);
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string file(const char* name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// What gnuplot complains of, in one line.
std::string complaint_of(const std::string& text) {
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        if (line.find_first_not_of(" ^") != std::string::npos) result += (result.empty() ? "" : " / ") + line;
        at = end + 1;
    }
    return shortened(result.empty() ? "it says nothing" : result, 300);
}

/// Runs it to its end, with files in place of its streams.
int run_program(const std::string& program, const TemporaryFolder& folder) {
    const std::string out = folder.file("out"), err = folder.file("err");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    // -d: no start-up files of the user's.
    std::string name = "gnuplot", plain = "-d", script = folder.file("script");
    char* arguments[] = {name.data(), plain.data(), script.data(), nullptr};
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw_output_error(program + " cannot be run", failed);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

std::string histogram_data(const Chart& chart) {
    std::string text = "# from\tto\t" + printable(chart.y_label) + "\n";
    for (const Curve& curve : chart.curves) {
        for (std::size_t i = 0; i < curve.y.size(); ++i)
            text += float_text(curve.x[i]) + "\t" + float_text(curve.x[i + 1]) + "\t" + float_text(curve.y[i]) + "\n";
    }
    return text;
}

}  // namespace

std::string gnuplot_script(const std::vector<Chart>& charts, const Canvas& canvas, const std::string& output) {
    if (output.find('\n') != std::string::npos)
        throw Error(ErrorCode::kUnsupported, "gnuplot takes no name with a line end");
    std::string text = terminal_of(canvas, charts.size());
    if (!output.empty()) text += "set output " + in_quotes(output) + "\n";
    const bool are_several = charts.size() > 1 && canvas.kind != Canvas::Kind::kTerminal;
    if (are_several) text += fmt::format("set multiplot layout {},1\n", charts.size());
    for (const Chart& chart : charts) text += picture_of(chart, canvas);
    if (are_several) text += "unset multiplot\n";
    return text;
}

std::string run_gnuplot(const std::string& script) {
    const std::string program = find_program();
    const TemporaryFolder folder;
    std::ofstream(folder.file("script"), std::ios::binary) << script;
    if (run_program(program, folder) != 0)
        throw_error(ErrorCode::kOutput, "gnuplot failed: {}", complaint_of(read_text(folder.file("err"))));
    return read_text(folder.file("out"));
}

std::string chart_data(const Chart& chart) {
    std::string text = "# " + printable(chart.title) + "\n";
    if (chart.is_histogram) return text + histogram_data(chart);
    text += "# " + printable(chart.x_label);
    std::map<double, std::vector<double>> rows;
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
        const Curve& curve = chart.curves[i];
        text += "\t" + printable(curve.name);
        for (std::size_t k = 0; k < curve.x.size(); ++k) {
            auto& row = rows[curve.x[k]];
            row.resize(chart.curves.size(), std::numeric_limits<double>::quiet_NaN());
            row[i] = curve.y[k];
        }
    }
    text += "\n";
    for (const auto& [x, row] : rows) {
        text += float_text(x);
        for (const double value : row) text += "\t" + float_text(value);
        text += "\n";
    }
    return text;
}

}  // namespace ckpt
