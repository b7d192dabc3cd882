// Declarations of these options, and what they say to the user.
#include "tools/transform_options.hpp"

#include <CLI/CLI.hpp>

#include "libckpt/numbers.hpp"
#include "tools/text.hpp"

namespace ckpt {

void CastOptions::declare(CLI::App& app) {
    app.add_option("--cast", to,
                   "Floating-point tensors in another dtype: bf16, f16, f32, f64, f8_e4m3, f8_e5m2 or torch's names; "
                   "rounded to nearest, ties to even")
        ->type_name("DTYPE")
        ->check([](const std::string& text) {
            return dtype_from_short_name(text)
                       ? std::string()
                       : fmt::format(
                             "'{}' is no dtype to cast to; write bf16, f16, f32, f64, f8_e4m3, f8_e5m2 or a "
                             "name of torch's",
                             text);
        });
    app.add_option("--cast-only", only,
                   "Cast what matches a path pattern alone, integers too (repeatable; with --cast)")
        ->type_name("GLOB")
        ->allow_extra_args(false);
}

void CastOptions::check() const {
    if (to.empty() && !only.empty())
        throw Error(ErrorCode::kUsage, "--cast-only says what to cast, --cast to what: give both");
    if (!to.empty() && only.empty() && dtype_info(*dtype_from_short_name(to)).cls != DTypeClass::kFloat)
        throw_error(ErrorCode::kUsage, "--cast {} makes integers of floats: say of which with --cast-only", to);
}

void CastOptions::apply(const Session& session, Document& document) {
    check();
    if (to.empty()) return;
    const DType dtype = *dtype_from_short_name(to);
    std::vector<Glob> globs;
    for (const std::string& pattern : only) globs.emplace_back(pattern);
    CastResult result = cast_tensors(document, dtype, globs);
    if (result.tensors == 0) session.context().note(fmt::format("no tensor is cast to {}", dtype_name(dtype)));
    take(std::move(result.overflow));
}

void CastOptions::take(std::vector<CastOverflow> overflow) {
    for (CastOverflow& storage : overflow) overflow_.push_back(std::move(storage));
}

void CastOptions::report(Session& session) const {
    for (const CastOverflow& storage : overflow_) {
        const std::uint64_t count = *storage.count;
        if (count == 0) continue;
        const bool saturates = storage.dtype == DType::kFloat8E4M3FN;
        const bool has_infinity = storage.dtype != DType::kFloat8E4M3FNUZ && storage.dtype != DType::kFloat8E5M2FNUZ;
        session.context().warn(fmt::format("'{}': {} of {} numbers are beyond the range of {} and {}",
                                           printable(storage.path), count, storage.numbers, dtype_name(storage.dtype),
                                           saturates      ? "are now its greatest, 448"
                                           : has_infinity ? "are now infinite"
                                                          : "are now NaN"));
    }
}

void NameOptions::declare(CLI::App& app) {
    app.add_option_function<std::vector<std::string>>(
           "--strip-prefix",
           [this](const std::vector<std::string>& given) {
               wants_strip_ = true;
               for (const std::string& prefix : given) {
                   if (!prefix.empty()) strip.push_back(prefix);
               }
           },
           "Take a leading component off the model's names, as often as all have it (repeatable; without PREFIX those "
           "of "
           "wrappers: module., _orig_mod., ...)")
        ->type_name("PREFIX")
        ->expected(0, 1)
        ->default_str("")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--add-prefix", add, "Put a component before the model's names")->type_name("PREFIX");
    app.add_option_function<std::string>(
           "--rename", [this](const std::string& rule) { rules.push_back(parse_rename(rule)); },
           "Change the model's names by a rule: 's/from/to/', a regular expression (repeatable, in order)")
        ->type_name("RULE")
        ->trigger_on_parse()
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void NameOptions::apply(const Session& session, Document& document) const {
    const Context& context = session.context();
    if (wants_strip_) {
        const auto& prefixes = strip.empty() ? wrapper_prefixes() : strip;
        const auto stripped = strip_prefixes(document, prefixes);
        std::size_t keys = 0;
        for (const Stripped& part : stripped) {
            const std::string of = part.path.empty() ? "" : fmt::format(" of '{}'", printable(part.path));
            keys += part.keys;
            if (part.keys > 0)
                context.note(fmt::format("'{}' is taken off {} names{}", printable(part.prefix), part.keys, of));
            if (part.lacking > 0)
                context.warn(fmt::format("'{}' is not taken off: {} names{} do not begin with it ('{}')",
                                         printable(part.lacked), part.lacking, of, printable(part.lacks)));
        }
        if (stripped.empty()) {
            std::string list;
            for (const std::string& prefix : prefixes) list += (list.empty() ? "'" : ", '") + printable(prefix) + "'";
            context.note(fmt::format("no name begins with {}", list));
        }
    }
    if (!rules.empty()) {
        const std::size_t count = rename_keys(document, rules);
        context.note(fmt::format("{} names are changed by --rename", count));
    }
    if (!add.empty()) add_prefix(document, add);
}

}  // namespace ckpt
