// ckpt scan: what loading a file's pickles would name and run.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "formats/shared/scan/scan.hpp"
#include "libckpt/error.hpp"
#include "libckpt/file.hpp"
#include "tools/command.hpp"
#include "tools/scan_report.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

class ScanCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "scan"; }
    std::string_view summary() const noexcept override { return "Show what loading a file would name and run"; }
    void setup(CLI::App& app) override {
        app.add_option("path", paths_, "Files, or folders: every file below them")->required()->type_name("PATH");
        app.add_flag("--all", all_, "List harmless names and pickles, too");
        auto* json = app.add_flag("--json", json_, "Print JSON");
        app.add_flag("--jsonl", jsonl_, "Print a JSON record per file")->excludes(json);
    }

    ExitCode run(Session& session) override {
        for (const std::string& path : paths_) {
            std::error_code error;
            if (std::filesystem::is_directory(path, error)) {
                scan_folder(session, path);
            } else {
                scan_asked(session, path);
            }
        }
        if (json_) session.print(nlohmann::ordered_json{{"files", records_}}.dump(2, ' ', false, kReplace));
        if (!json_ && !jsonl_ && scanned_ + unread_ > 1) {
            session.print(fmt::format("{} files: {}{}", scanned_ + unread_,
                                      more_ == 0 && damaged_ == 0 ? "nothing but tensors and plain data"
                                                                  : fmt::format("{} with more than tensors and plain "
                                                                                "data, {} damaged",
                                                                                more_, damaged_),
                                      unread_ == 0 ? "" : fmt::format(", {} could not be read", unread_)));
        }
        if (more_ > 0) return ExitCode::kNo;
        if (damaged_ > 0) return ExitCode::kDamaged;
        if (worst_ != ExitCode::kYes) return worst_;
        if (scanned_ == 0) throw_error(ErrorCode::kNotFound, "{}: no file that pickles could be in", paths_.front());
        return ExitCode::kYes;
    }

private:
    static constexpr std::uint64_t kMostIndexBytes = std::uint64_t{1} << 28;
    static constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
    /// Whether a file was asked for by its name: then one that nothing is known of is an error.
    enum class Wanted : bool { kWithFolder, kItself };

    /// The files that an index of shards names, in its own folder; empty for any other file.
    static std::vector<std::string> shards_of(const Session& session, const std::string& path) {
        std::vector<std::string> shards;
        if (!path.ends_with(".index.json")) return shards;
        const auto file = File::open(path, session.context());
        const auto index = nlohmann::json::parse(read_all(*File::blob(file), kMostIndexBytes), nullptr, false);
        if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) return shards;
        for (const auto& [tensor, name] : index["weight_map"].items()) {
            if (name.is_string()) shards.push_back(name.get<std::string>());
        }
        std::sort(shards.begin(), shards.end());
        shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
        const auto folder = std::filesystem::path(path).parent_path();
        for (std::string& shard : shards) {
            if (shard.find('/') != std::string::npos || shard == "..")
                throw_error(ErrorCode::kRefused, "{}: names '{}', which is not in its folder", path, shard);
            shard = (folder / shard).string();
        }
        return shards;
    }

    void scan_asked(Session& session, const std::string& path) {
        std::vector<std::string> shards;
        try {
            shards = shards_of(session, path);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            unseen(session, path, error.message(), exit_code(error.code()));
            return;
        }
        for (const std::string& shard : shards) scan(session, shard, Wanted::kItself);
        if (shards.empty()) scan(session, path, Wanted::kItself);
    }

    /// What is below a folder, links followed; each folder once, so that links in a ring have an end.
    void list_below(Session& session, const std::string& folder, std::vector<std::string>& files) {
        namespace fs = std::filesystem;
        session.context().check_cancelled();
        std::error_code error;
        const std::string real = fs::canonical(folder, error).string();
        if (!error && !seen_.insert(real).second) return;
        std::vector<std::string> names;
        fs::directory_iterator it(folder, error);
        for (; !error && it != fs::directory_iterator(); it.increment(error)) names.push_back(it->path().string());
        if (error) unseen(session, folder, error.message());
        std::sort(names.begin(), names.end());
        for (const std::string& name : names) {
            const fs::file_status status = fs::status(name, error);
            if (status.type() == fs::file_type::not_found) {
                unseen(session, name, "a link to what is not there");
            } else if (error) {
                unseen(session, name, error.message());
            } else if (fs::is_directory(status)) {
                list_below(session, name, files);
            } else if (fs::is_regular_file(status)) {
                files.push_back(name);
            }
        }
    }

    void scan_folder(Session& session, const std::string& folder) {
        std::vector<std::string> files;
        list_below(session, folder, files);
        for (const std::string& file : files) scan(session, file, Wanted::kWithFolder);
    }

    /// What was not looked into.
    void unseen(Session& session, const std::string& path, const std::string& why, ExitCode code = ExitCode::kInput) {
        session.error(fmt::format("{}: {}", printable(path), why));
        if (json_ || jsonl_) add_record(session, unread_json(path, why));
        ++unread_;
        if (worst_ == ExitCode::kYes) worst_ = code;
    }

    void add_record(Session& session, const std::string& json) {
        if (json_) records_.push_back(nlohmann::ordered_json::parse(json));
        if (jsonl_) session.print(json);
    }

    void scan(Session& session, const std::string& path, Wanted wanted) {
        try {
            ScanReport report = scan_file(path, session.context());
            const bool is_something = !report.kind.empty() || report.has_more() || report.pickle_count > 0;
            if (!is_something && report.damage.empty() && !look_otherwise(session, path, wanted, report)) return;
            ++scanned_;
            more_ += report.has_more() ? 1 : 0;
            damaged_ += !report.has_more() && !report.damage.empty() ? 1 : 0;
            if (json_ || jsonl_) add_record(session, scan_json(path, report));
            if (!json_ && !jsonl_) session.write(scan_text(path, report, all_));
        } catch (Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            error.in_file(path);
            session.error(error.what());
            if (json_ || jsonl_) add_record(session, unread_json(path, error.message()));
            const ExitCode code = exit_code(error.code());
            ++(error.code() == ErrorCode::kDamaged ? damaged_ : unread_);
            if (worst_ == ExitCode::kYes) worst_ = code;
        }
    }

    /// A file in which nothing was found is of a layout without pickles, or damaged, or no checkpoint: false where the
    /// last does not matter.
    static bool look_otherwise(Session& session, const std::string& path, Wanted wanted, ScanReport& report) {
        const Source source = Source::open(path, session.context());
        try {
            const Format& format = session.registry().detect(source);
            for (const Finding& finding : format.verify(source, VerifyLevel::kQuick, session.context())) {
                if (finding.severity == Finding::Severity::kDamage) report.damage.push_back(finding.what);
            }
            report.kind = format.name();
        } catch (Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            if (wanted == Wanted::kWithFolder && error.code() == ErrorCode::kNotCheckpoint) return false;
            error.in_file(path);
            throw;
        }
        return true;
    }

    std::vector<std::string> paths_;
    std::unordered_set<std::string> seen_;  ///< folders, by their real paths
    bool all_ = false;
    bool json_ = false;
    bool jsonl_ = false;
    nlohmann::ordered_json records_ = nlohmann::ordered_json::array();
    std::size_t scanned_ = 0;
    std::size_t unread_ = 0;
    std::size_t more_ = 0;
    std::size_t damaged_ = 0;
    ExitCode worst_ = ExitCode::kYes;
};

}  // namespace

std::unique_ptr<Command> make_scan_command() {
    return std::make_unique<ScanCommand>();
}

}  // namespace ckpt
