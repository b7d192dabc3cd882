// The first damage that a layout finds.
#include "libckpt/check.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <unordered_set>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/file.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;

}  // namespace

Finding finding_of(const Error& error, std::string path) {
    // What a later version wrote may be whole.
    const bool is_damage = error.code() != ErrorCode::kUnsupported && error.code() != ErrorCode::kRefused;
    // One of several files; what the index of a set says names the file itself.
    const bool is_index = error.file().ends_with(".index.json");
    const std::string name = is_index ? "" : error.file().substr(error.file().rfind('/') + 1);
    return {is_damage ? Finding::Severity::kDamage : Finding::Severity::kWarning, std::move(path),
            error.message().find(name) != std::string::npos ? error.message() : name + ": " + error.message()};
}

void read_through(const Document& document, std::vector<Finding>& findings, const Context& context) {
    std::vector<std::byte> buffer;
    std::unordered_set<const Storage*> seen;
    walk(document.root, [&](const Visit& visit) {
        if (visit.same_as != nullptr || !visit.value.is(Kind::kTensor)) return WalkStep::kInto;
        const StoragePtr& storage = visit.value.tensor().storage;
        if (!storage || !seen.insert(storage.get()).second) return WalkStep::kInto;
        try {
            const Blob& blob = *storage->blob;
            buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, blob.size_bytes())));
            for (std::uint64_t done = 0; done < blob.size_bytes();) {
                context.check_cancelled();
                const auto piece = std::span(buffer).first(
                    static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), blob.size_bytes() - done)));
                blob.read(done, piece);
                done += piece.size();
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            findings.push_back(finding_of(error, visit.path));
        }
        return WalkStep::kInto;
    });
}

CheckResult check_checkpoint(const Registry& registry, const std::string& path, VerifyLevel level,
                             const Context& context) {
    Context quiet = context;  // what is wrong is the result
    quiet.on_warning = nullptr;
    quiet.on_note = nullptr;
    CheckResult result;
    try {
        const Source source = Source::open(path, quiet);
        const Format& format = registry.detect(source);
        result.layout = format.name();
        const auto findings = format.verify(source, level, quiet);
        const auto damage = std::find_if(findings.begin(), findings.end(),
                                         [](const Finding& f) { return f.severity == Finding::Severity::kDamage; });
        if (damage == findings.end()) return result;
        result.state = CheckResult::State::kDamaged;
        result.why = damage->path.empty() ? damage->what : fmt::format("'{}': {}", damage->path, damage->what);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        const bool is_damaged = error.code() == ErrorCode::kDamaged;
        result.state = is_damaged ? CheckResult::State::kDamaged : CheckResult::State::kUnreadable;
        result.why = error.message();
    }
    return result;
}

}  // namespace ckpt
