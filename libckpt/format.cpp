// Finding the layout of a source, and reading it.
#include "libckpt/format.hpp"
#include "libckpt/check.hpp"

#include <algorithm>
#include <cctype>

#include "libckpt/error.hpp"

namespace ckpt {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    for (auto& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

bool starts_with_any_case(std::string_view text, std::string_view start) {
    return lower(text.substr(0, start.size())) == start;
}

/// Printable text, as far as the head shows.
bool looks_like_text(std::string_view head) {
    return std::all_of(head.begin(), head.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u >= 0x20 || u == '\n' || u == '\r' || u == '\t' || u == '\f' || u == 0x1b;
    });
}

}  // namespace

void refuse_losses(const std::vector<Loss>& losses, std::string_view layout) {
    if (losses.empty()) return;
    std::string text = fmt::format("cannot be written as {} without loss:", layout);
    for (const auto& loss : losses) text += fmt::format(" '{}' {};", loss.path, loss.what);
    text.pop_back();
    throw Error(ErrorCode::kRefused, text);
}

std::string describe_stranger(const Source& source) {
    std::string_view head = source.head;
    while (!head.empty() && std::isspace(static_cast<unsigned char>(head.front())) != 0) head.remove_prefix(1);
    if (head.starts_with("version https://git-lfs.github.com/spec/")) {
        return "is a git-LFS pointer, not the file itself; `git lfs pull` fetches it";
    }
    if (starts_with_any_case(head, "<!doctype html") || starts_with_any_case(head, "<html") ||
        starts_with_any_case(head, "<head")) {
        return "is an HTML page, not a checkpoint; the download probably failed";
    }
    if (head.starts_with("<?xml")) return "is an XML document, not a checkpoint";
    if (head.starts_with("PK")) return "is a zip archive of something else, not a checkpoint";
    if (head.starts_with("\x1f\x8b")) return "is a gzip file of no known checkpoint layout";
    if (looks_like_text(head)) {
        if (head.starts_with("{") || head.starts_with("[")) return "is JSON text, not a checkpoint";
        return "is text, not a checkpoint";
    }
    std::string bytes;
    for (const char c : source.head.substr(0, 8)) bytes += fmt::format(" {:02x}", static_cast<unsigned char>(c));
    return fmt::format("is no checkpoint of a known layout (it begins with{})", bytes);
}

Document Format::read_more(const Source& source, const Context& context) const {
    return read(source, context);
}

void Format::name_model(Document&) const {}

std::vector<Finding> Format::verify(const Source& source, VerifyLevel level, const Context& context) const {
    std::vector<Finding> findings;
    try {
        const Document document = read(source, context);
        for (const Error& error : document.damage) findings.push_back(finding_of(error));
        if (level == VerifyLevel::kFull) read_through(document, findings, context);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged) throw;
        findings.push_back(finding_of(error));
    }
    return findings;
}

Document Format::salvage(const Source&, const Context&) const {
    throw_error(ErrorCode::kUnsupported, "layout '{}' does not say which parts are whole", name());
}

const Format* Registry::by_name(std::string_view name) const noexcept {
    for (const auto& format : formats_) {
        if (format->name() == name) return format.get();
    }
    return nullptr;
}

const Format* Registry::by_extension(std::string_view path) const noexcept {
    const auto slash = path.rfind('/');
    const std::string name = lower(slash == std::string_view::npos ? path : path.substr(slash + 1));
    const Format* best = nullptr;
    std::size_t longest = 0;
    for (const auto& format : formats_) {
        if (!format->capabilities().can_write) continue;
        for (const auto extension : format->extensions()) {
            if (extension.size() > longest && name.size() > extension.size() + 1 && name.ends_with(extension) &&
                name[name.size() - extension.size() - 1] == '.') {
                best = format.get();
                longest = extension.size();
            }
        }
    }
    return best;
}

const Format& Registry::detect(const Source& source) const {
    if (!source.is_folder && source.size_bytes == 0) throw_damaged("is empty (0 bytes)");
    const Format* best = nullptr;
    Evidence strongest = Evidence::kNo;
    bool best_is_named = false;
    for (const auto& format : formats_) {
        const Evidence evidence = format->probe(source);
        const auto extensions = format->extensions();
        const bool is_named = std::any_of(extensions.begin(), extensions.end(), [&](std::string_view extension) {
            return source.name.ends_with("." + std::string(extension));
        });
        // A file cut inside a signature that two layouts share is the one that its name says.
        if (evidence > strongest ||
            (evidence == strongest && evidence != Evidence::kNo && is_named && !best_is_named)) {
            best = format.get();
            strongest = evidence;
            best_is_named = is_named;
        }
    }
    // A name alone is enough to let a layout look for itself, unless the bytes are plainly something else.
    if (best != nullptr && (strongest >= Evidence::kLikely || !looks_like_text(source.head))) return *best;
    if (source.is_folder) {
        throw Error(ErrorCode::kNotCheckpoint,
                    source.entries.empty()
                        ? "is an empty folder"
                        : "is a folder, but no checkpoint by itself; `ckpt ls` says whether there are any in it");
    }
    throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
}

Document salvage_document(const Registry& registry, const std::string& path, const Context& context,
                          const Format* forced) {
    const Source source = Source::open(path, context);
    try {
        const Format& format = forced != nullptr ? *forced : registry.detect(source);
        Document document = format.salvage(source, context);
        if (document.format.empty()) document.format = format.name();
        document.source_bytes = source.size_bytes;
        for (Error& error : document.damage) error.in_file(path);
        return document;
    } catch (Error& error) {
        error.in_file(path);
        throw;
    }
}

Document read_document(const Registry& registry, const std::string& path, const Context& context, const Format* forced,
                       Damage damage, Reach reach) {
    const Source source = Source::open(path, context);
    try {
        const Format& format = forced != nullptr ? *forced : registry.detect(source);
        if (reach == Reach::kAll && !format.capabilities().has_more) {
            throw_error(ErrorCode::kUsage, "is of the layout '{}', which has nothing but what is read of it anyway",
                        format.name());
        }
        Document document = reach == Reach::kAll ? format.read_more(source, context) : format.read(source, context);
        if (document.format.empty()) document.format = format.name();
        // A layout of several files has said how large those are.
        document.source_bytes = std::max(document.source_bytes, source.size_bytes);
        for (Error& error : document.damage) error.in_file(path);
        if (damage == Damage::kRefuse && !document.damage.empty()) throw Error(document.damage.front());
        return document;
    } catch (Error& error) {
        error.in_file(path);
        throw;
    }
}

}  // namespace ckpt
