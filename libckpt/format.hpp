// The interface of a layout: probe, read, preflight, plan, verify. Stateless; one object per layout.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt {

/// How sure a format is that a source is its own.
enum class Evidence : std::uint8_t { kNo, kByName, kLikely, kCertain };

/// Something that writing would not keep: a value, dtype, shape, order or sharing that cannot come back.
struct Loss {
    std::string path;  ///< of the node
    std::string what;  ///< "is float8_e4m3fn, which JLD2 cannot hold"
};

/// Throws Error (kRefused) naming each path and what it is, unless there are none. `layout` as it stands in a sentence.
void refuse_losses(const std::vector<Loss>& losses, std::string_view layout);

struct WriteOptions {
    std::string output_name;   ///< last component of the output's path; torch's archive prefix follows from it
    std::string compress;      ///< "", "zstd" or "gzip", where the format has it
    std::string codec;         ///< "" or "raw", where the format chooses codecs itself
    bool keep_layout = false;  ///< chunks, filters and fill values as the document's file had them, where it says so
    /// Refuse, before it is planned in full, what would have more bytes (a fill value makes any size out of nothing).
    std::uint64_t max_output_bytes = OutputBound::kAnySize;
    bool allow_loss = false;        ///< write what can be written, leave out the rest
    bool keep_rest = false;         ///< what is no tensor too, where the layout has a place for it only on demand
    std::uint64_t shard_bytes = 0;  ///< most tensor bytes in one file of several; 0: one file
    std::uint64_t shard_count = 0;  ///< among how many each tensor's rows are divided; 0: as the layout is used to
    bool weights_only = false;      ///< only what the layout's own loader takes without running anything
    /// Dicts all of whose keys are identifiers as named tuples, where the layout's language tells them from dicts.
    bool named_tuples = false;
};

/// What a layout can hold; shown by `ckpt formats`.
struct Capabilities {
    bool can_write = false;
    bool is_folder = false;
    std::string_view description;  ///< one line for a person
    std::string_view holds;        ///< "everything", "tensors only", ...
    std::vector<std::string_view> compressions;
    std::vector<std::string_view> codecs;  ///< what --codec may say
    bool keeps_layout = false;             ///< heeds `WriteOptions::keep_layout`
    /// Its files have attributes on their nodes, which documents hold under the layout's name and a colon. Those whose
    /// name begins and ends with two underscores are marks of the layout itself; of the user's, such a name has a
    /// backslash before it.
    bool has_attributes = false;
    bool keeps_rest = false;        ///< heeds `WriteOptions::keep_rest`
    bool has_shards = false;        ///< heeds `WriteOptions::shard_bytes`
    bool has_ranks = false;         ///< heeds `WriteOptions::shard_count`
    bool has_weights_only = false;  ///< heeds `WriteOptions::weights_only`
    bool has_more = false;          ///< `read_more` gives more than `read`
};

enum class VerifyLevel : std::uint8_t { kQuick, kFull };

struct Finding {
    enum class Severity : std::uint8_t { kNote, kWarning, kDamage } severity = Severity::kDamage;
    std::string path;  ///< within the checkpoint, or empty for the file
    std::string what;
};

/// Implementations are stateless and thread-safe.
class Format {
public:
    virtual ~Format() = default;

    virtual std::string_view name() const noexcept = 0;
    /// Without dot; the first is the usual one. Empty where the layout is chosen by name only.
    virtual std::vector<std::string_view> extensions() const = 0;
    virtual Capabilities capabilities() const = 0;

    /// Looks at head, tail, size, name and entries; of the file it reads no more than a signature at a few places where
    /// one may stand. A file that ends inside the format's signature is kLikely, so that `read` can say where it was
    /// cut.
    virtual Evidence probe(const Source& source) const noexcept = 0;

    /// Structure now, bytes later. Throws Error without a file name.
    virtual Document read(const Source& source, const Context& context) const = 0;

    /// The same with what a usual reader of the layout leaves aside (a ZeRO folder's optimizer). The default is `read`.
    virtual Document read_more(const Source& source, const Context& context) const;

    /// `document` is the model alone of one that was read: gives its parts the names that the program which wrote it
    /// has for them, where the file's paths are others (Keras: layers by name). The default leaves them.
    virtual void name_model(Document& document) const;

    /// Everything that `plan` would lose, in document order.
    virtual std::vector<Loss> preflight(const Document& document, const WriteOptions& options) const = 0;

    /// The plan of an output. Throws Error (kRefused) where preflight has losses and options do not allow them.
    virtual WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const = 0;

    /// Collects all findings; throws only when the source cannot be read at all. The default reads the document.
    virtual std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const;

    /// What is whole in a damaged source; `damage` says what is not. Throws Error (kUnsupported) where the layout has
    /// no means to tell.
    virtual Document salvage(const Source& source, const Context& context) const;
};

/// The layouts a program knows, in order of preference. A plain value: no singletons, no registration.
class Registry {
public:
    explicit Registry(std::vector<std::unique_ptr<Format>> formats) : formats_(std::move(formats)) {}
    const std::vector<std::unique_ptr<Format>>& formats() const noexcept { return formats_; }
    /// By layout name, or nullptr.
    const Format* by_name(std::string_view name) const noexcept;
    /// The writable layout for an output path's extension, or nullptr.
    const Format* by_extension(std::string_view path) const noexcept;
    /// The layout with the best evidence. Throws Error (kNotCheckpoint) saying what the source looks like instead
    /// (text, HTML, a git-LFS pointer, an empty file is kDamaged).
    const Format& detect(const Source& source) const;

private:
    std::vector<std::unique_ptr<Format>> formats_;
};

/// What a file that no layout knows seems to be, in words that tell the user what happened to it: "is a git-LFS
/// pointer, ...".
std::string describe_stranger(const Source& source);

/// How much to read where a layout has more than what is usually wanted of it.
enum class Reach : bool { kUsual, kAll };

/// What to do with a checkpoint some parts of which cannot be read while others can.
enum class Damage : std::uint8_t { kRefuse, kKeep };

/// Opens, detects, and salvages.
Document salvage_document(const Registry& registry, const std::string& path, const Context& context,
                          const Format* forced = nullptr);

/// Opens, detects (unless `forced` names a layout) and reads. Errors name the file. With kRefuse the first damage is
/// thrown; with kKeep it is the caller who looks at `Document::damage`. kAll is refused (kUsage) where the layout has
/// nothing more.
Document read_document(const Registry& registry, const std::string& path, const Context& context,
                       const Format* forced = nullptr, Damage damage = Damage::kRefuse, Reach reach = Reach::kUsual);

}  // namespace ckpt
