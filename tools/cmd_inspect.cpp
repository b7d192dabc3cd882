// ckpt inspect: what a checkpoint is and what is in it, from its index only.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

#include "tools/command.hpp"
#include "tools/inspect_json.hpp"
#include "tools/inspect_tree.hpp"
#include "tools/options.hpp"

namespace ckpt {
namespace {

class InspectCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "inspect"; }
    std::string_view summary() const noexcept override {
        return "Show what is in a checkpoint, without reading its tensors";
    }
    void setup(CLI::App& app) override {
        app.add_option("file", file_, "The checkpoint")->required()->type_name("FILE");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        app.add_flag("--all", all_, "Of a ZeRO folder all it holds: {model, optimizer, client}, not the model alone");
        app.add_option("--depth", depth_, "Levels of the tree to show (default: 4; with --json 1000)")
            ->type_name("N")
            ->check(CLI::Range(1, 1000));
        auto* tensors = app.add_flag("--tensors", tensors_, "A line for each tensor in place of the tree");
        auto* json = app.add_flag("--json", json_, "Print JSON");
        app.add_flag("--stats", stats_,
                     "Read each tensor: least, greatest, mean, deviation, norm, and how many are NaN, infinite, zero");
        app.add_option("--hist", bars_, "The same, and how often numbers lie where, in N bars (default: 20)")
            ->type_name("N")
            ->expected(0, 1)
            ->default_str("20")
            ->check(CLI::Range(1, 10000));
        app.add_flag("--allow-huge", size_.allow_huge, "Compute digests and statistics of any number of bytes");
        app.add_option("--digest", digest_,
                       "Add a digest of each tensor's elements to the JSON: xxh3 (default) or sha256")
            ->type_name("KIND")
            ->expected(0, 1)
            ->default_str("xxh3")
            ->check(CLI::IsMember({"xxh3", "sha256"}));
        tensors->excludes(json);
    }

    ExitCode run(Session& session) override {
#ifdef __GLIBC__
        ::mallopt(M_TOP_PAD, 0);  // hundreds of thousands of nodes are promised to the mebibyte: nothing in reserve
#endif
        if (!digest_.empty() && !json_)
            throw Error(ErrorCode::kUsage, "inspect: --digest adds to the JSON; give --json as well");
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        Context context = session.context();
        context.index_only = digest_.empty();
        Document document = read_document(session.registry(), file_, context, forced, Damage::kKeep,
                                          all_ ? Reach::kAll : Reach::kUsual);
        // What the index says of chunks is no part of a document that was read in full.
        std::optional<Document> index;
        if (!context.index_only && std::filesystem::is_directory(file_)) {
            context.index_only = true;
            context.on_warning = nullptr;
            index = read_document(session.registry(), file_, context, forced, Damage::kKeep,
                                  all_ ? Reach::kAll : Reach::kUsual);
            for (const auto& [name, value] : index->attributes) {
                if (document.attribute(name) == nullptr) document.set_attribute(name, value);
            }
        }
        const std::uint64_t bytes = std::max(document.source_bytes, size_of(Source::open(file_, session.context())));
        std::vector<Error> damage = document.damage;
        if (json_) {
            InspectOptions options;
            options.digest = digest_.empty() ? Digest::kNone : digest_ == "sha256" ? Digest::kSha256 : Digest::kXxh3;
            options.max_digest_bytes = size_.digest_bytes(document.source_bytes);
            options.stats = stats_ || bars_ != 0;
            options.bars = bars_;
            if (depth_ != 0) options.max_depth = depth_;
            for (Error& error : print_inspect_json(session, document, file_, bytes, options)) {
                error.in_file(file_);
                damage.push_back(std::move(error));
            }
        } else if (stats_ || bars_ != 0) {
            for (Error& error : print_statistics(session, document, size_.digest_bytes(document.source_bytes), bars_)) {
                error.in_file(file_);
                damage.push_back(std::move(error));
            }
        } else if (tensors_) {
            print_tensors(session, document);
        } else {
            print_inspect_tree(session, document, file_, bytes, {depth_});
        }
        for (const Error& error : damage) session.error(error.what());
        return damage.empty() ? ExitCode::kYes : exit_code(damage.front().code());
    }

private:
    /// Of a folder the sum of its files.
    static std::uint64_t size_of(const Source& source) {
        std::uint64_t bytes = source.size_bytes;
        for (const auto& name : source.entries) {
            std::error_code error;
            const auto size = std::filesystem::file_size(source.path + "/" + name, error);
            if (!error) bytes += size;
        }
        return bytes;
    }

    std::string file_, from_, digest_;
    SizeBound size_;
    std::size_t depth_ = 0;
    std::size_t bars_ = 0;
    bool tensors_ = false;
    bool all_ = false;
    bool stats_ = false;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect_command() {
    return std::make_unique<InspectCommand>();
}

}  // namespace ckpt
