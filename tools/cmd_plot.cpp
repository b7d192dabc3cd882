// ckpt plot: curves of logs, searches and calibrations, of values over a run, and histograms of tensors.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "libckpt/atomic_output.hpp"
#include "libckpt/chart_choice.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"
#include "tools/command.hpp"
#include "tools/gnuplot.hpp"
#include "tools/options.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kMostCharts = 16;

class PlotCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "plot"; }
    std::string_view summary() const noexcept override {
        return "Draw logs, searches, calibrations, values over a run, and histograms of tensors";
    }
    void setup(CLI::App& app) override {
        app.add_option("file", file_, "A checkpoint, or a folder of them")->required()->type_name("FILE|DIR");
        app.add_option("path", paths_,
                       "What to draw: log/train_loss, model/fc.weight (default: the log, or the history)")
            ->type_name("PATH");
        app.add_option("-o,--output", output_, "Write a picture: x.svg, x.png or x.pdf (default: draw on the terminal)")
            ->type_name("FILE");
        app.add_flag("--overwrite", overwrite_, "Replace the picture if it exists");
        auto* data = app.add_flag("--data", data_, "Print the numbers in place of a picture, with tabs between");
        app.add_flag("--json", json_, "Print the numbers as JSON")->excludes(data);
        app.add_flag("--log", canvas_.is_log, "A logarithmic axis for the values");
        app.add_option("--bars", bars_, "Bars of a histogram (default: 40)")
            ->type_name("N")
            ->check(CLI::Range(1, 10000));
        app.add_flag("--allow-huge", size_.allow_huge, "Count the elements of tensors of any number of bytes");
        app.add_option("--title", title_, "The title of the picture")->type_name("TEXT");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        bound_.declare(app);
        folder_.declare(app);
    }

    ExitCode run(Session& session) override {
        take_canvas();
        std::vector<Chart> charts = is_run_folder(session) ? charts_of_run(session) : charts_of_file(session);
        if (charts.empty()) return session.no(fmt::format("{}: {}", file_, nothing_));
        if (charts.size() > kMostCharts) {
            session.context().note(fmt::format("{} of {} charts are drawn", kMostCharts, charts.size()));
            charts.resize(kMostCharts);
        }
        if (!title_.empty()) charts.front().title = title_;
        if (json_) {
            session.write(charts_json(charts));
        } else if (data_) {
            for (std::size_t i = 0; i < charts.size(); ++i) session.write((i == 0 ? "" : "\n") + chart_data(charts[i]));
        } else if (output_.empty()) {
            session.write(run_gnuplot(gnuplot_script(charts, canvas_, "")));
        } else {
            draw(charts);
        }
        return skipped_ == 0 ? ExitCode::kYes : ExitCode::kPartly;
    }

private:
    void take_canvas() {
        if (output_.empty()) {
            struct winsize size = {};
            if (::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 &&
                size.ws_row >= 12) {
                canvas_.columns = std::min<unsigned>(size.ws_col - 1, 200);
                canvas_.lines = std::min<unsigned>(size.ws_row - 1, 40);
            }
            return;
        }
        const std::string extension = std::filesystem::path(output_).extension().string();
        if (extension == ".svg") {
            canvas_.kind = Canvas::Kind::kSvg;
        } else if (extension == ".png") {
            canvas_.kind = Canvas::Kind::kPng;
        } else if (extension == ".pdf") {
            canvas_.kind = Canvas::Kind::kPdf;
        } else {
            throw_error(ErrorCode::kUsage, "{}: a picture is .svg, .png or .pdf", output_);
        }
    }

    /// A folder that is no checkpoint by itself.
    bool is_run_folder(const Session& session) const {
        std::error_code error;
        if (!std::filesystem::is_directory(file_, error) || !from_.empty()) return false;
        const Source source = Source::open(file_, session.context());
        const auto& formats = session.registry().formats();
        return std::none_of(formats.begin(), formats.end(),
                            [&](const auto& format) { return format->probe(source) >= Evidence::kLikely; });
    }

    Document read(const Session& session, const std::string& path) const {
        Context context = session.context();
        context.index_only = true;
        return read_document(session.registry(), path, context, from_.empty() ? nullptr : &session.layout(from_));
    }

    std::vector<Chart> charts_of_file(Session& session) {
        if (bound_.prior_to || bound_.up_to || bound_.at)
            throw Error(ErrorCode::kUsage, "plot: --prior-to, --up-to and --at are for a folder of checkpoints");
        const Document document = read(session, file_);
        const std::string name = printable(std::filesystem::path(file_).filename().string());
        if (paths_.empty()) {
            nothing_ = "has no log, search or calibration to draw; name a path";
            return usual_charts(document, name, session.context());
        }
        std::vector<Named> values;
        for (const std::string& path : paths_) {
            Value holder;
            const Value* found = find_path(document.root, path, holder);
            if (found == nullptr) {
                nothing_ = fmt::format("there is no '{}'", path);
                return {};
            }
            values.push_back({path, *found});
        }
        nothing_ = "there are no numbers at these paths";
        try {
            return charts_of(document, values, name, bars_, size_.digest_bytes(document.source_bytes),
                             session.context());
        } catch (Error& error) {
            if (error.code() == ErrorCode::kRefused) error.in_file(file_);
            throw;
        }
    }

    /// A value at each checkpoint of a run.
    std::vector<Chart> charts_of_run(Session& session) {
        if (paths_.empty())
            throw_error(ErrorCode::kUsage, "plot: {} is a folder of checkpoints; name what to follow: log/val_loss",
                        file_);
        RunFolder folder = RunFolder::scan(file_, folder_.scan_options(session), session.context());
        const std::string axis = folder_.axis.empty() ? folder.main_axis().str() : folder_.axis;
        std::vector<Curve> curves(paths_.size());
        for (std::size_t i = 0; i < paths_.size(); ++i) curves[i].name = paths_[i];
        std::size_t number = 0;
        for (const CheckpointEntry* entry : folder.candidates(folder_.axis, bound_.bound())) {
            const double x = entry->match.on_axis(axis).value_or(static_cast<double>(++number));
            try {
                add_point(read(session, entry->path), x, curves);
            } catch (const Error& error) {
                if (error.code() == ErrorCode::kCancelled) throw;
                session.error(fmt::format("skipped {}", error.what()));
                ++skipped_;
            }
        }
        std::erase_if(curves, [](const Curve& curve) {
            return std::none_of(curve.y.begin(), curve.y.end(), [](double y) { return std::isfinite(y); });
        });
        nothing_ = "no checkpoint has a number at these paths" + bound_.bound().phrase();
        if (curves.empty()) return {};
        const std::string name = printable(std::filesystem::path(file_).lexically_normal().string());
        return {Chart{name,
                      axis.empty()    ? "checkpoint"
                      : axis == "int" ? "index"
                                      : axis,
                      y_label_of(curves), std::move(curves), false}};
    }

    void add_point(const Document& document, double x, std::vector<Curve>& curves) const {
        for (std::size_t i = 0; i < paths_.size(); ++i) {
            Value holder;
            const Value* found = find_path(document.root, paths_[i], holder);
            curves[i].x.push_back(x);
            curves[i].y.push_back(found != nullptr ? last_number(*found) : std::nan(""));
        }
    }

    void draw(const std::vector<Chart>& charts) const {
        try {
            AtomicOutput picture(output_, overwrite_ ? Existing::kOverwrite : Existing::kRefuse, false);
            run_gnuplot(gnuplot_script(charts, canvas_, picture.temporary()));
            const int descriptor = ::open(picture.temporary().c_str(), O_RDONLY | O_CLOEXEC);
            if (descriptor < 0 || ::fsync(descriptor) != 0) throw_output_error("cannot be synced to disk", errno);
            ::close(descriptor);
            picture.commit();
        } catch (Error& error) {
            if (error.code() != ErrorCode::kNotFound) error.in_file(output_);
            throw;
        }
    }

    static std::string charts_json(const std::vector<Chart>& charts) {
        using Json = nlohmann::ordered_json;
        const auto numbers = [](const std::vector<double>& values) {
            Json list = Json::array();
            for (const double value : values) list.push_back(std::isfinite(value) ? Json(value) : Json());
            return list;
        };
        Json list = Json::array();
        for (const Chart& chart : charts) {
            Json curves = Json::array();
            for (const Curve& curve : chart.curves)
                curves.push_back({{"name", curve.name}, {"x", numbers(curve.x)}, {"y", numbers(curve.y)}});
            list.push_back({{"title", chart.title},
                            {"x_label", chart.x_label},
                            {"y_label", chart.y_label},
                            {"kind", chart.is_histogram ? "histogram" : "curves"},
                            {"curves", std::move(curves)}});
        }
        return Json{{"charts", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    }

    std::string file_, output_, from_, title_, nothing_;
    std::vector<std::string> paths_;
    std::size_t bars_ = 40;
    std::size_t skipped_ = 0;
    Canvas canvas_;
    SizeBound size_;
    bool overwrite_ = false;
    bool data_ = false;
    bool json_ = false;
    BoundOptions bound_;
    FolderOptions folder_;
};

}  // namespace

std::unique_ptr<Command> make_plot_command() {
    return std::make_unique<PlotCommand>();
}

}  // namespace ckpt
