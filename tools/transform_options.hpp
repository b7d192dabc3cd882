// Options that change what is written: dtypes and names.
#pragma once

#include <string>
#include <vector>

#include "libckpt/cast.hpp"
#include "libckpt/rename.hpp"
#include "tools/session.hpp"

namespace CLI {
class App;
}

namespace ckpt {

/// --cast, --cast-only.
struct CastOptions {
    std::string to;
    std::vector<std::string> only;
    void declare(CLI::App& app);
    bool is_given() const noexcept { return !to.empty(); }
    /// Throws Error (kUsage) for what does not go together.
    void check() const;
    /// Casts tensors of a document of one's own (`copied_tree`); notes what there is to note.
    void apply(const Session& session, Document& document);
    /// What was cast elsewhere, to be reported, too.
    void take(std::vector<CastOverflow> overflow);
    /// After writing: numbers that were too large, on stderr.
    void report(Session& session) const;

private:
    std::vector<CastOverflow> overflow_;
};

/// --strip-prefix, --add-prefix, --rename.
struct NameOptions {
    std::vector<std::string> strip;
    std::string add;
    std::vector<RenameRule> rules;
    void declare(CLI::App& app);
    bool is_given() const noexcept { return wants_strip_ || !add.empty() || !rules.empty(); }
    /// As CastOptions::apply.
    void apply(const Session& session, Document& document) const;

private:
    bool wants_strip_ = false;
};

}  // namespace ckpt
