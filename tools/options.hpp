// Option groups that several commands share: the same option has the same name everywhere.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libckpt/run_folder.hpp"
#include "libckpt/write_plan.hpp"
#include "tools/session.hpp"

namespace CLI {
class App;
}

namespace ckpt {

/// -q, -v, --progress, -j: declared for every command.
void declare_general(CLI::App& app, GeneralOptions& options);

/// Which checkpoints of a folder count, and what their index means.
struct FolderOptions {
    std::string pattern;
    std::string axis;
    std::string series;
    void declare(CLI::App& app);
    ScanOptions scan_options(const Session& session) const;
    /// Throws Error (kRefused) where there are checkpoints and none has a number on the axis asked for: that is no
    /// honest "none" for a script to go on with.
    void require_axis(const RunFolder& folder, const std::string& path) const;
};

/// --prior-to, --up-to, --at.
struct BoundOptions {
    std::optional<double> prior_to, up_to, at;
    void declare(CLI::App& app);
    IndexBound bound() const;
};

/// How large an output may become, and how much may be read that no file holds: a fill value makes any size out of
/// nothing.
struct SizeBound {
    std::string most;  ///< as it was given
    bool allow_huge = false;
    void declare(CLI::App& app);
    /// Bytes, for a document that was read from so many: 16 times as many, and 1 GiB at least, unless told otherwise.
    std::uint64_t bytes(std::uint64_t source_bytes) const;
    /// The same for what is read only: 256 times as many, and 4 GiB at least.
    std::uint64_t digest_bytes(std::uint64_t source_bytes) const;
};

/// Where a new file goes and in which layout.
struct OutputOptions {
    std::string to;
    std::string compress;
    std::string codec;
    bool keep_layout = false;
    std::string julia;
    std::string shard_size;
    bool metadata = false;
    bool weights_only = false;
    std::uint64_t shards = 0;
    bool overwrite = false;
    bool allow_loss = false;
    SizeBound size;
    void declare(CLI::App& app);
    /// By --to, else the extension of `path`; throws Error (kUsage) naming the known ones.
    const Format& layout(const Session& session, const std::string& path) const;
};

/// The plan of an output, so that several can be planned before one is written: preflight and plan. nullopt where
/// losses are refused; they are listed then. The document must outlive what is done with the plan.
std::optional<WritePlan> plan_output(Session& session, const Document& document, const std::string& path,
                                     const OutputOptions& options);
/// Writes what was planned. "-" is stdout.
void write_output(Session& session, const WritePlan& plan, const std::string& path, const OutputOptions& options);

/// Both. Losses are listed and refused (exit 5) unless they are allowed. "-" is
/// stdout.
ExitCode write_document(Session& session, const Document& document, const std::string& path,
                        const OutputOptions& options);

/// Throws Error (kNotFound) when `path` is a file where a folder is wanted: "none found" would be a wrong answer.
void require_folder(const std::string& path);

/// Throws Error (kRefused) when both paths are the same file.
void refuse_same_file(const std::string& input, const std::string& output);

}  // namespace ckpt
