// ckpt get: one value of a checkpoint, for scripts and for people.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <set>

#include "libckpt/elements.hpp"
#include "libckpt/execute.hpp"
#include "libckpt/path.hpp"
#include "libckpt/search_state.hpp"
#include "libckpt/slice.hpp"
#include "libckpt/stored.hpp"
#include "libckpt/walk.hpp"
#include "tools/command.hpp"
#include "tools/csv_text.hpp"
#include "tools/options.hpp"
#include "tools/value_text.hpp"

namespace ckpt {
namespace {

class GetCommand final : public Command {
public:
    std::string_view name() const noexcept override { return "get"; }
    std::string_view summary() const noexcept override { return "Print one value of a checkpoint"; }
    void setup(CLI::App& app) override {
        app.add_option("file", file_, "The checkpoint")->required()->type_name("FILE");
        app.add_option(
               "path", path_,
               "Where the value stands, as inspect shows it: model/fc.weight, model/fc.weight[0:2] (default: all)")
            ->type_name("PATH");
        app.add_option("-f,--from", from_, "Layout of the input (default: by its content)")->type_name("LAYOUT");
        auto* format = app.add_option("--format", format_,
                                      "text (default), json, csv, npy (NumPy's file), raw (little-endian bytes)")
                           ->type_name("FORM")
                           ->check(CLI::IsMember({"text", "json", "csv", "npy", "raw"}));
        app.add_flag("--json", json_, "Print JSON")->excludes(format);
        app.add_option("-o,--output", output_, "Write to a file instead of standard output")->type_name("FILE");
        app.add_flag("--allow-huge", size_.allow_huge, "Write a tensor of any number of bytes as csv, npy or raw");
        app.add_flag("--overwrite", overwrite_, "Replace the file if it exists");
    }

    ExitCode run(Session& session) override {
        if (json_) format_ = "json";
        read(session, Damage::kRefuse, true);
        if (!output_.empty()) refuse_same_file(file_, output_);
        try {
            const auto found = find(session);
            if (!found) return session.no(fmt::format("{}: there is no '{}'", file_, path_));
            // Of a search's candidate one wants its parameters, not how the search remembers them.
            write(session, candidate_parameters(*found));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kNotFound && error.file().empty())
                return session.no(fmt::format("{}: '{}': {}", file_, path_, error.message()));
            if (!error.file().empty() || error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kOutput)
                throw;
            throw_error(error.code(), "{}: '{}': {}", file_, path_, error.message());
        }
        return ExitCode::kYes;
    }

private:
    void read(Session& session, Damage damage, bool is_index_only) {
        const Format* forced = from_.empty() ? nullptr : &session.layout(from_);
        Context context = session.context();
        context.index_only = is_index_only;
        context.on_warning = [this, warn = context.on_warning](std::string_view text) {  // once, when it is read again
            if (warned_.insert(std::string(text)).second && warn) warn(text);
        };
        document_ = read_document(session.registry(), file_, context, forced, damage);
    }

    /// What stands at the path; a name that ends in brackets outranks subscripts.
    std::optional<Value> find(Session& session) {
        if (const Value* found = find_at(session, path_)) return *found;
        const auto slice = parse_slice(path_);
        const Value* found = slice ? find_at(session, slice->path) : nullptr;
        if (found == nullptr) return std::nullopt;
        return sliced(document_.pool(), *found, slice->subscripts);
    }
    const Value* find_at(Session& session, const std::string& path) {
        const Value* found = find_at(path);
        if (!holds_stored(found != nullptr ? *found : document_.root)) return found;
        // The index says only where it is: now it is looked at. What else is wrong with the checkpoint is no matter.
        read(session, Damage::kKeep, false);
        found = find_at(path);
        if (found != nullptr && found->type() == kDamagedType && !document_.damage.empty())
            throw document_.damage.front();
        return found;
    }
    const Value* find_at(const std::string& path) {
        if (path.empty()) return &document_.root;
        if (const Value* found = find_path(document_.root, path, holder_)) return found;
        if (const Value* found = find_alias(path)) return found;
        return find_metadata(path);
    }
    /// A name that the file says stands for another.
    const Value* find_alias(const std::string& path) {
        for (const auto& [name, target] : document_.aliases) {
            if (escape_key(name) == path) return find_path(document_.root, escape_key(target), holder_);
        }
        return nullptr;
    }
    /// "@metadata", "@metadata/format": texts that the file's writer gave it as a whole.
    const Value* find_metadata(const std::string& path) {
        if (!path.starts_with("@")) return nullptr;
        const std::string name = path.substr(1, path.find('/') - 1);
        for (const auto& [key, value] : document_.attributes) {
            if (!key.ends_with(":" + name) || name != "metadata") continue;
            const std::size_t slash = path.find('/');
            return find_path(value, slash == std::string::npos ? "" : path.substr(slash + 1), holder_);
        }
        return nullptr;
    }

    void write(Session& session, const Value& value) {
        const bool is_whole = format_ == "csv" || format_ == "npy" || format_ == "raw";
        if (is_whole && value.is(Kind::kTensor)) {
            const auto bytes = value.tensor().logical_bytes().value_or(~std::uint64_t{0});
            if (bytes > size_.digest_bytes(document_.source_bytes))
                throw_error(ErrorCode::kRefused, "{} bytes are out of proportion to the file (--allow-huge)", bytes);
        }
        if (format_ == "npy") return write_npy(session, value);
        if (format_ == "raw")
            return write_plan(session, {{LiteralExtent{}, false}, {BlobExtent{raw_bytes(value)}, false}});
        if (format_ == "csv" && output_.empty())
            return write_csv(value, [&](std::string_view text) { session.write(text); });
        std::string text;
        if (format_ == "csv") {
            write_csv(value, [&](std::string_view piece) { text += piece; });
        } else {
            text = format_ == "json" ? value_json(value) : value_text(value);
        }
        if (output_.empty()) return session.write(text);
        write_plan(session, {{LiteralExtent{std::move(text)}, false}});
    }

    void write_plan(Session& session, std::vector<Extent> extents) {
        WritePlan plan;
        plan.files.push_back({"", std::move(extents)});
        write_plan(session, plan);
    }
    void write_plan(Session& session, const WritePlan& plan) {
        OutputOptions options;
        options.overwrite = overwrite_;
        write_output(session, plan, output_.empty() ? "-" : output_, options);
    }

    void write_npy(Session& session, const Value& value) {
        Document array;
        array.adopt_pools(document_);
        array.root = numbers(value);
        const Format* npy = session.registry().by_name("npy");
        WriteOptions options;
        for (const Loss& loss : npy->preflight(array, options)) {
            throw_error(ErrorCode::kRefused, "{}; --format raw has its bytes", loss.what);
        }
        write_plan(session, npy->plan(array, options, session.context()));
    }

    BlobPtr raw_bytes(const Value& value) {
        if (value.is(Kind::kBytes)) return memory_blob(std::string(value.as_bytes()));
        if (value.is(Kind::kString)) return memory_blob(std::string(value.as_string()));
        const Value tensor = numbers(value);
        if (!tensor.tensor().storage || !tensor.tensor().layout.empty())
            throw_error(ErrorCode::kUnsupported, "the tensor has no bytes of its own");
        tensor.tensor().check_bounds("the tensor");
        return logical_blob(tensor.tensor());
    }
    /// A tensor, without what a layout notes beside it.
    Value numbers(const Value& value) {
        const auto tensor = as_tensor(document_.pool(), value);
        if (!tensor) throw_error(ErrorCode::kRefused, "a {} is neither a tensor nor numbers", kind_name(value.kind()));
        if (!tensor->tensor().layout.empty()) return *tensor;
        const Value plain = tied_tensor(document_.pool(), tensor->tensor());
        plain.node()->attributes.reset();
        plain.tensor().requires_grad = false;
        return plain;
    }

    Document document_;
    std::set<std::string> warned_;
    Value holder_;
    std::string file_, path_, from_, output_;
    std::string format_ = "text";
    SizeBound size_;
    bool json_ = false;
    bool overwrite_ = false;
};

}  // namespace

std::unique_ptr<Command> make_get_command() {
    return std::make_unique<GetCommand>();
}

}  // namespace ckpt
