// ckpt diff: what differs between two checkpoints, of whatever layouts.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "libckpt/compare.hpp"
#include "tools/command.hpp"
#include "tools/diff_report.hpp"
#include "tools/options.hpp"

namespace ckpt {
namespace {

class DiffCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "diff"; }
    std::string_view summary() const noexcept override {
        return "Compare two checkpoints: names, classes, dtypes, shapes and values, across layouts";
    }
    void setup(CLI::App& app) override {
        app.add_option("a", a_, "A checkpoint")->required()->type_name("A");
        app.add_option("b", b_, "The checkpoint to compare it with")->required()->type_name("B");
        app.add_option("--rtol", options_.tolerance.relative,
                       "Numbers are equal where |a - b| <= atol + rtol * |b| (default: 0)")
            ->type_name("R")
            ->check(CLI::NonNegativeNumber);
        app.add_option("--atol", options_.tolerance.absolute, "The absolute part of it (default: 0)")
            ->type_name("X")
            ->check(CLI::NonNegativeNumber);
        app.add_option("--ulp", options_.tolerance.ulp,
                       "Floats are equal, too, where at most N steps of their dtype lie between them")
            ->type_name("N");
        app.add_option_function<std::string>(
               "--ignore", [this](const std::string& glob) { options_.ignored.emplace_back(glob); },
               "Leave out what matches a path pattern (repeatable)")
            ->type_name("GLOB")
            ->trigger_on_parse()
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
        app.add_flag("--names-only", options_.names_only, "Compare names alone; nothing but the indexes is read");
        app.add_flag("--values-only", values_only_,
                     "Compare names, shapes and numbers, not classes, dtypes, strides, ties and order");
        app.add_option("--limit", limit_, "Lines of differences to show (default: 1000; 0: all)")->type_name("N");
        app.add_option("-f,--from", from_, "Layout of both (default: by their content)")->type_name("LAYOUT");
        app.add_flag("--allow-huge", size_.allow_huge, "Compare tensors of any number of bytes");
        app.add_flag("--json", json_, "Print JSON");
    }

    ExitCode run(Session& session) override {
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        Context context = session.context();
        context.index_only = options_.names_only;
        Document a = read_document(session.registry(), a_, context, forced);
        Document b = read_document(session.registry(), b_, context, forced);
        add_aliases(a);
        add_aliases(b);
        // What is but a layout's own way to say the same is no difference between two of them.
        options_.with_form = !values_only_ && a.format == b.format;
        options_.with_dtypes = !values_only_;
        options_.max_bytes = size_.digest_bytes(std::max(a.source_bytes, b.source_bytes));
        const DocumentComparison comparison = compare(session, a, b);
        session.write(json_ ? diff_json(comparison, a_, b_)
                            : diff_text(comparison, limit_ == 0 ? std::numeric_limits<std::size_t>::max() : limit_));
        return comparison.differences.empty() ? ExitCode::kYes : ExitCode::kNo;
    }

private:
    DocumentComparison compare(const Session& session, const Document& a, const Document& b) const {
        try {
            return compare_documents(a, b, options_, session.context());
        } catch (Error& error) {
            if (error.code() == ErrorCode::kRefused) error.in_file(a_ + ", " + b_);
            throw;
        }
    }

    std::string a_, b_, from_;
    CompareOptions options_;
    SizeBound size_;
    bool values_only_ = false;
    bool json_ = false;
    std::size_t limit_ = 1000;
};

}  // namespace

std::unique_ptr<Command> make_diff_command() {
    return std::make_unique<DiffCommand>();
}

}  // namespace ckpt
