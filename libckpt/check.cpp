// The first damage that a layout finds.
#include "libckpt/check.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

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
