// Declarations of the shared option groups, and what they come to.
#include "tools/options.hpp"

#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "libckpt/execute.hpp"
#include "tools/checkpoint_record.hpp"
#include "tools/text.hpp"

namespace ckpt {

void declare_general(CLI::App& app, GeneralOptions& options) {
    app.add_flag("-q,--quiet", options.quiet, "Say nothing but errors and warnings on stderr");
    app.add_flag("-v,--verbose", options.verbose, "End with peak memory and the bytes read and written, on stderr");
    app.add_flag("--progress", options.progress, "Show progress even when stderr is no terminal");
    app.add_flag("--no-progress", options.no_progress, "Show no progress");
    app.add_flag("--allow-external", options.allow_external,
                 "Read other files of the checkpoint's own folder where it names them as part of its data");
    app.add_option("-j,--threads", options.threads, "Worker threads (default: one per core)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
}

void FolderOptions::declare(CLI::App& app) {
    app.add_option(
           "--by", axis,
           "What orders the checkpoints: epoch, step, iter, task, run, time, ... (default: what most of them have)")
        ->type_name("AXIS");
    app.add_option("--pattern", pattern, "A regular expression for names of your own; its first group is the index")
        ->type_name("REGEX");
    app.add_option("--series", series,
                   "Only checkpoints of series whose name matches: that of the checkpoint with # for its numbers")
        ->type_name("GLOB");
}

ScanOptions FolderOptions::scan_options(const Session& session) const {
    ScanOptions options;
    options.pattern = pattern;
    options.axis = axis;
    options.series = series;
    options.extensions = session.extensions();
    options.rolling = [&session](const std::string& path) { return rolling_match(session, path); };
    return options;
}

void FolderOptions::require_axis(const RunFolder& folder, const std::string& path) const {
    if (axis.empty() || axis == "time" || folder.checkpoints().empty() || folder.has_axis(axis)) return;
    throw_error(ErrorCode::kRefused, "{}: no checkpoint has a number '{}' in its name", path, axis);
}

void require_folder(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_directory(status))
        throw_error(ErrorCode::kNotFound, "{}: is a file; name the folder of the checkpoints", path);
}

void BoundOptions::declare(CLI::App& app) {
    auto* prior = app.add_option("--prior-to", prior_to, "Only those strictly before index N")->type_name("N");
    auto* up = app.add_option("--up-to", up_to, "Only those up to and including index N")->type_name("N");
    auto* exact = app.add_option("--at", at, "The one at index N, else the last one before it")->type_name("N");
    prior->excludes(up)->excludes(exact);
    up->excludes(exact);
}

IndexBound BoundOptions::bound() const {
    if (prior_to) return {IndexBound::Kind::kPriorTo, *prior_to};
    if (up_to) return {IndexBound::Kind::kUpTo, *up_to};
    if (at) return {IndexBound::Kind::kAt, *at};
    return {};
}

namespace {

/// Refuses what is no size while the command line is read.
std::string check_size(const std::string& text) {
    return parse_size(text) ? "" : fmt::format("'{}' is no size; write 10GB, 512MiB or a number of bytes", text);
}

/// `growth` times as many, and `least` at least.
std::uint64_t bound_of(std::uint64_t source_bytes, std::uint64_t growth, std::uint64_t least) {
    if (source_bytes >= OutputBound::kAnySize / growth) return OutputBound::kAnySize;
    return std::max(least, source_bytes * growth);
}

}  // namespace

void SizeBound::declare(CLI::App& app) {
    auto* size = app.add_option("--max-output", most,
                                "Refuse an output of more than SIZE (default: 16 times the input, and at least 1GiB)")
                     ->type_name("SIZE")
                     ->check(check_size);
    app.add_flag("--allow-huge", allow_huge, "Write an output of any size")->excludes(size);
}

std::uint64_t SizeBound::bytes(std::uint64_t source_bytes) const {
    if (allow_huge) return OutputBound::kAnySize;
    if (const auto given = parse_size(most)) return std::min(*given, OutputBound::kAnySize);
    return bound_of(source_bytes, 16, std::uint64_t{1} << 30);
}

std::uint64_t SizeBound::digest_bytes(std::uint64_t source_bytes) const {
    return allow_huge ? OutputBound::kAnySize : bound_of(source_bytes, 256, std::uint64_t{4} << 30);
}

void OutputOptions::declare(CLI::App& app) {
    app.add_option("-t,--to", to, "Layout of the output (default: by its extension; `ckpt formats` lists them)")
        ->type_name("LAYOUT");
    app.add_option("--compress", compress, "Compress the tensors where the layout can: zstd, gzip or zlib")
        ->type_name("CODEC")
        ->check(CLI::IsMember({"zstd", "gzip", "zlib"}));
    app.add_option("--codec", codec,
                   "How a native checkpoint stores tensors: auto (smallest, default) or raw (aligned, to be mapped)")
        ->type_name("CODEC")
        ->check(CLI::IsMember({"auto", "raw"}));
    app.add_flag("--keep-layout", keep_layout,
                 "Store HDF5 datasets in the chunks and filters that they had when they were read");
    app.add_option("--julia", julia,
                   "What a JLD2 file makes of dicts whose keys are all identifiers: dict (default) or namedtuple")
        ->type_name("KIND")
        ->check(CLI::IsMember({"dict", "namedtuple"}));
    app.add_option("--shard-size", shard_size,
                   "Write a folder of safetensors files of at most so much each, with an index: 5GB, 512MiB")
        ->type_name("SIZE")
        ->check(check_size);
    app.add_flag("--metadata", metadata,
                 "What is no tensor too, as JSON in the metadata of a safetensors file, so that the way back has it");
    app.add_flag("--weights-only", weights_only,
                 "Write what torch.load(weights_only=True) takes: a Namespace as a dict, NumPy's numbers as numbers");
    app.add_option("--shards", shards,
                   "Among how many shards a distributed checkpoint divides each tensor's rows (default: 1)")
        ->type_name("N")
        ->check(CLI::Range(1, 65536));
    app.add_flag("--overwrite", overwrite, "Replace the output if it exists");
    app.add_flag("--allow-loss", allow_loss, "Write what the layout can hold and leave out the rest");
    size.declare(app);
}

const Format& OutputOptions::layout(const Session& session, const std::string& path) const {
    if (!to.empty()) {
        const Format& format = session.layout(to);
        if (!format.capabilities().can_write) throw_error(ErrorCode::kUsage, "layout '{}' can only be read", to);
        return format;
    }
    if (const Format* format = session.registry().by_extension(path)) return *format;
    std::string known;
    for (const auto& extension : session.extensions()) {
        if (session.registry().by_extension("x." + extension) != nullptr)
            known += (known.empty() ? "." : ", .") + extension;
    }
    throw_error(ErrorCode::kUsage,
                "{}: the name does not say which layout to write; name one with --to or end it in {}", path, known);
}

void refuse_same_file(const std::string& input, const std::string& output) {
    std::error_code error;
    if (std::filesystem::equivalent(input, output, error) && !error) {
        throw_error(ErrorCode::kRefused, "{}: is the input itself; write to another name", output);
    }
}

namespace {

/// Whether a pipe has nobody at its other end any more: having seen enough is no failure.
bool reader_is_gone(int descriptor) {
    struct pollfd state = {descriptor, POLLOUT, 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & POLLERR) != 0;
}

}  // namespace

namespace {

WritePlan plan_within(const Format& format, const Document& document, const std::string& path,
                      const WriteOptions& options, const Context& context) {
    try {
        WritePlan plan = format.plan(document, options, context);
        OutputBound(options.max_output_bytes).add(plan.total_bytes());
        return plan;
    } catch (const TooLarge& error) {
        throw_error(ErrorCode::kRefused,
                    "{}: {}; nothing was written (--allow-huge writes it, --max-output sets another limit)", path,
                    error.message());
    }
}

}  // namespace

std::optional<WritePlan> plan_output(Session& session, const Document& document, const std::string& path,
                                     const OutputOptions& options) {
    const Format& format = options.layout(session, path);
    WriteOptions write;
    write.output_name = std::filesystem::path(path).filename().string();
    write.compress = options.compress;
    write.named_tuples = options.julia == "namedtuple";
    write.codec = options.codec == "auto" ? "" : options.codec;
    const auto codecs = format.capabilities().codecs;
    if (!options.codec.empty() && std::find(codecs.begin(), codecs.end(), options.codec) == codecs.end()) {
        throw_error(ErrorCode::kUsage, "layout '{}' has no codec '{}'; --codec is for native checkpoints",
                    format.name(), options.codec);
    }
    if (options.keep_layout && !format.capabilities().keeps_layout) {
        throw_error(ErrorCode::kUsage, "layout '{}' has no chunks and filters to keep; --keep-layout is for HDF5",
                    format.name());
    }
    if (options.metadata && !format.capabilities().keeps_rest) {
        throw_error(ErrorCode::kUsage, "layout '{}' needs no --metadata; it is for safetensors", format.name());
    }
    if (options.weights_only && !format.capabilities().has_weights_only) {
        throw_error(ErrorCode::kUsage, "layout '{}' runs nothing when it is loaded; --weights-only is for torch",
                    format.name());
    }
    if (!options.shard_size.empty() && !format.capabilities().has_shards) {
        throw_error(ErrorCode::kUsage, "layout '{}' is not cut by size; --shard-size is for safetensors",
                    format.name());
    }
    if (options.shards != 0 && !format.capabilities().has_ranks) {
        throw_error(ErrorCode::kUsage, "layout '{}' has no ranks; --shards is for distributed checkpoints",
                    format.name());
    }
    write.shard_count = options.shards;
    write.keep_layout = options.keep_layout;
    write.keep_rest = options.metadata;
    write.weights_only = options.weights_only;
    write.shard_bytes =
        options.shard_size.empty() ? 0 : std::max<std::uint64_t>(parse_size(options.shard_size).value_or(1), 1);
    write.allow_loss = options.allow_loss;
    const auto losses = format.preflight(document, write);
    constexpr std::size_t kMostShown = 1000;
    for (std::size_t i = 0; i < losses.size() && i < kMostShown; ++i) {
        session.error(fmt::format("{}{}: {}", options.allow_loss ? "left out: " : "",
                                  losses[i].path.empty() ? "(root)" : losses[i].path, losses[i].what));
    }
    if (!losses.empty() && !options.allow_loss) {
        session.error(
            fmt::format("{}: {} of the values above cannot be kept by layout '{}'; nothing was written (--allow-loss "
                        "leaves them out)",
                        path, losses.size(), format.name()));
        return std::nullopt;
    }
    write.max_output_bytes = options.size.bytes(document.source_bytes);
    return plan_within(format, document, path, write, session.context());
}

void write_output(Session& session, const WritePlan& plan, const std::string& path, const OutputOptions& options) {
    if (path == "-") {
        try {
            execute_to_descriptor(plan, STDOUT_FILENO, session.context());
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kOutput || !reader_is_gone(STDOUT_FILENO)) throw;
        }
    } else {
        execute(plan, path, options.overwrite ? Existing::kOverwrite : Existing::kRefuse, session.context());
    }
}

ExitCode write_document(Session& session, const Document& document, const std::string& path,
                        const OutputOptions& options) {
    const auto plan = plan_output(session, document, path, options);
    if (!plan) return ExitCode::kRefused;
    write_output(session, *plan, path, options);
    return ExitCode::kYes;
}

}  // namespace ckpt
