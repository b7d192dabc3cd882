// Paths inside a checkpoint: `model/net.layers.0.weight`. Escaping, splitting, globs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// One key as it stands in a path: `/`, `\` and an `@` at its beginning get a backslash, the empty key is `\0`.
std::string escape_key(std::string_view key);
/// Text keys as they are, numbers in decimal, None True False as Python prints them, bytes by hex digits, tuples as
/// "(1, 'a')"; then escaped.
std::string key_text(const Value& key);
/// The unescaped components. An empty path has none.
std::vector<std::string> split_path(std::string_view path);
std::string join_path(std::string_view parent, std::string_view escaped_component);

/// A pattern over whole paths: `*` and `?` stay within a component, `[...]` is a set, `**` spans components. A pattern
/// also matches everything below what it matches (`model` selects `model/fc.weight`).
class Glob {
public:
    explicit Glob(std::string_view pattern);
    bool matches(std::string_view path) const;
    const std::string& pattern() const noexcept { return pattern_; }

    /// What stands between the slashes; "**" spans components. For who matches component by component.
    const std::vector<std::string>& parts() const noexcept { return parts_; }
    /// Whether a part other than "**" matches an (escaped) component.
    static bool part_matches(std::string_view part, std::string_view component);

private:
    std::string pattern_;
    std::vector<std::string> parts_;
};

}  // namespace ckpt
