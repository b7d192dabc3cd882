// Keys are replaced in the nodes of a copied tree.
#include "libckpt/rename.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <unordered_set>
#include <utility>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kMostKeyBytes = 4096;  // regular expressions take stack by the length of what they match
constexpr std::size_t kMostListed = 20;

std::string with_dot(std::string_view prefix) {
    std::string text(prefix);
    if (!text.empty() && text.back() != '.') text += '.';
    return text;
}

std::string text_of(const Value& key) {
    return key.is(Kind::kString) ? std::string(key.as_string()) : std::string();
}

std::string where(const std::string& path) {
    return path.empty() ? std::string() : " of '" + path + "'";
}

/// The dict that torch hangs on a state dict: versions of modules, by their names.
DictNode* metadata_of(const DictNode& dict) {
    if (!dict.recipe || !dict.recipe->state.is(Kind::kDict)) return nullptr;
    const Value* metadata = dict.recipe->state.dict().find("_metadata");
    return metadata != nullptr && metadata->is(Kind::kDict) ? &metadata->dict() : nullptr;
}

/// New names for entries, refused where two would be one.
void set_keys(Document& document, DictNode& dict, const std::string& path,
              const std::vector<std::pair<std::size_t, std::string>>& names) {
    std::map<std::string, std::vector<std::string>> sources;
    std::vector<const std::string*> changed(dict.entries.size());
    for (const auto& [index, name] : names) changed[index] = &name;
    for (std::size_t i = 0; i < dict.entries.size(); ++i) {
        const Value& key = dict.entries[i].first;
        if (!key.is(Kind::kString)) continue;
        sources[changed[i] != nullptr ? *changed[i] : text_of(key)].push_back(text_of(key));
    }
    std::string collisions;
    std::size_t listed = 0;
    for (const auto& [name, from] : sources) {
        if (from.size() < 2 || ++listed > kMostListed) continue;
        collisions += fmt::format("{}'{}' (of", collisions.empty() ? " " : ", ", name);
        for (const std::string& source : from) collisions += " '" + source + "'";
        collisions += ")";
    }
    if (listed > 0)
        throw_error(ErrorCode::kRefused, "names{} would come out the same:{}{}", where(path), collisions,
                    listed > kMostListed ? fmt::format(" and {} more", listed - kMostListed) : "");
    for (const auto& [index, name] : names) dict.entries[index].first = document.pool().string(name);
}

/// How many text keys begin with a prefix and go on.
struct Share {
    std::size_t with = 0;
    std::size_t lacking = 0;
    std::string lacks;
};
Share share_of(const DictNode& dict, const std::string& prefix) {
    Share share;
    for (const auto& [key, value] : dict.entries) {
        const bool has =
            key.is(Kind::kString) && key.as_string().starts_with(prefix) && key.as_string().size() > prefix.size();
        if (has) {
            ++share.with;
        } else if (share.lacking++ == 0) {
            share.lacks = key_text(key);
        }
    }
    return share;
}

/// Of "module", "module.fc" (and ""): "", "fc"; as torch's own consume_prefix_in_state_dict_if_present.
void strip_metadata(Document& document, DictNode& dict, const std::string& prefix) {
    DictNode* metadata = metadata_of(dict);
    if (metadata == nullptr) return;
    std::vector<std::pair<Value, Value>> entries;
    const std::string bare = prefix.substr(0, prefix.size() - 1);
    const bool has_bare = metadata->find(bare) != nullptr;
    for (const auto& [key, value] : metadata->entries) {
        const std::string name = text_of(key);
        if (key.is(Kind::kString) && name.empty() && has_bare) continue;
        const bool begins = key.is(Kind::kString) && (name == bare || name.starts_with(prefix));
        entries.emplace_back(begins ? document.pool().string(name == bare ? "" : name.substr(prefix.size())) : key,
                             value);
    }
    metadata->entries = std::move(entries);
}

/// A dict whose only entry is a dict of the prefix's name becomes what that holds.
bool hoist(DictNode& dict, const std::string& prefix, Stripped& stripped) {
    if (dict.entries.size() != 1 || text_of(dict.entries[0].first) + "." != prefix) return false;
    const Value value = dict.entries[0].second;
    if (!value.is(Kind::kDict) || value.node() == &dict) return false;
    const DictNode& inner = value.dict();
    stripped.prefix += prefix;
    stripped.keys = inner.entries.size();
    dict.type = inner.type;
    dict.recipe = inner.recipe ? std::make_unique<Recipe>(*inner.recipe) : nullptr;
    auto entries = inner.entries;
    dict.entries = std::move(entries);
    return true;
}

/// Takes one prefix off all keys, once; false where not all have it.
bool strip(Document& document, const StateDict& state, const std::string& prefix, Stripped& stripped) {
    DictNode& dict = *state.dict;
    const Share share = share_of(dict, prefix);
    if (share.with == 0) return false;
    std::vector<std::pair<std::size_t, std::string>> names;
    for (std::size_t i = 0; i < dict.entries.size(); ++i) {
        const std::string name = text_of(dict.entries[i].first);
        if (name.starts_with(prefix) && name.size() > prefix.size()) names.emplace_back(i, name.substr(prefix.size()));
    }
    const auto before = dict.entries;
    set_keys(document, dict, state.path, names);
    if (share.lacking > 0) {
        // That names would come out the same is said even where nothing is taken off.
        dict.entries = before;
        stripped.lacking = share.lacking;
        stripped.lacks = share.lacks;
        stripped.lacked = prefix;
        return false;
    }
    strip_metadata(document, dict, prefix);
    stripped.prefix += prefix;
    stripped.keys = names.size();
    return true;
}

std::string sed_replacement(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && i + 1 < text.size()) {
            const char next = text[++i];
            if (next >= '0' && next <= '9') {
                result += next == '0' ? std::string("$&") : std::string("$0") + next;
            } else {
                result += next == '$' ? std::string("$$") : std::string(1, next);
            }
        } else if (c == '&') {
            result += "$&";
        } else {
            result += c == '$' ? std::string("$$") : std::string(1, c);
        }
    }
    return result;
}

struct CompiledRule {
    std::regex regex;
    std::string replacement;
    std::regex_constants::match_flag_type flags;
};

std::vector<CompiledRule> compiled(const std::vector<RenameRule>& rules) {
    std::vector<CompiledRule> result;
    for (const RenameRule& rule : rules) {
        auto flags = std::regex::ECMAScript;
        if (rule.ignores_case) flags |= std::regex::icase;
        result.push_back(
            {std::regex(rule.regex, flags), rule.replacement,
             rule.is_global ? std::regex_constants::format_default : std::regex_constants::format_first_only});
    }
    return result;
}

std::string renamed(const std::string& name, const std::vector<CompiledRule>& rules) {
    if (name.size() > kMostKeyBytes)
        throw_error(ErrorCode::kRefused, "a name of {} bytes is not renamed, at most {} are", name.size(),
                    kMostKeyBytes);
    std::string result = name;
    for (const CompiledRule& rule : rules)
        result = std::regex_replace(result, rule.regex, rule.replacement, rule.flags);
    return result;
}

}  // namespace

std::vector<StateDict> state_dicts(const Document& document) {
    std::vector<StateDict> result;
    if (!document.root.is(Kind::kDict)) return result;
    const Roles roles = classify_roles(document);
    if (!roles.whole_is_model) {
        std::unordered_set<const Node*> met;
        const auto take = [&](const std::vector<std::pair<std::string, Role>>& parts) {
            for (const auto& [path, role] : parts) {
                if (role != Role::kModel && role != Role::kAveraged && role != Role::kTrained) continue;
                Value holder;
                const Value* value = find_path(document.root, path, holder);
                if (value != nullptr && value->is(Kind::kDict) && met.insert(value->node()).second)
                    result.push_back({path, &value->dict()});
            }
        };
        take(roles.parts);
        take(roles.inner_parts);
        take(roles.deep_parts);
    }
    if (result.empty()) result.push_back({"", &document.root.dict()});
    return result;
}

const std::vector<std::string>& wrapper_prefixes() {
    static const std::vector<std::string> kPrefixes = {"module.", "_orig_mod.", "_forward_module.",
                                                       "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};
    return kPrefixes;
}

std::vector<Stripped> strip_prefixes(Document& document, const std::vector<std::string>& prefixes) {
    std::vector<std::string> whole;
    for (const std::string& prefix : prefixes) whole.push_back(with_dot(prefix));
    std::vector<Stripped> result;
    for (const StateDict& state : state_dicts(document)) {
        Stripped stripped{state.path, {}, 0, 0, {}, {}};
        const auto strip_one = [&] {
            return std::any_of(whole.begin(), whole.end(), [&](const std::string& prefix) {
                return hoist(*state.dict, prefix, stripped) || strip(document, state, prefix, stripped);
            });
        };
        while (strip_one()) stripped.lacking = 0;
        if (stripped.keys > 0 || stripped.lacking > 0) result.push_back(std::move(stripped));
    }
    return result;
}

std::size_t add_prefix(Document& document, std::string_view prefix) {
    std::size_t count = 0;
    const std::string added = with_dot(prefix);
    for (const StateDict& state : state_dicts(document)) {
        for (auto& [key, value] : state.dict->entries) {
            if (!key.is(Kind::kString))
                throw_error(ErrorCode::kRefused, "'{}': the key {} is no text, so that nothing can be put before it",
                            join_path(state.path, key_text(key)), key_text(key));
            key = document.pool().string(added + text_of(key));
            ++count;
        }
        DictNode* metadata = metadata_of(*state.dict);
        if (metadata == nullptr) continue;
        const std::string bare = added.substr(0, added.size() - 1);
        for (auto& [key, value] : metadata->entries) {
            if (key.is(Kind::kString)) key = document.pool().string(text_of(key).empty() ? bare : added + text_of(key));
        }
    }
    return count;
}

RenameRule parse_rename(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        throw_error(ErrorCode::kUsage, "'{}' is no rule for names: {}; write 's/from/to/'", text, why);
    };
    if (text.size() < 4 || text[0] != 's') refuse("it does not begin with s and a delimiter");
    const char delimiter = text[1];
    std::vector<std::string> parts{""};
    for (std::size_t i = 2; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            if (text[i + 1] != delimiter) parts.back() += text[i];
            parts.back() += text[++i];
        } else if (text[i] == delimiter && parts.size() < 3) {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    if (parts.size() != 3) refuse("it has not three delimiters");
    if (parts[0].empty()) refuse("it looks for nothing");
    RenameRule rule{parts[0], sed_replacement(parts[1]), false, false};
    for (const char flag : parts[2]) {
        if (flag == 'g') {
            rule.is_global = true;
        } else if (flag == 'i' || flag == 'I') {
            rule.ignores_case = true;
        } else {
            refuse("its flags are g and i");
        }
    }
    try {
        std::regex check(rule.regex, std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
        refuse(fmt::format("'{}' is no regular expression ({})", rule.regex, error.what()));
    }
    return rule;
}

std::size_t rename_keys(Document& document, const std::vector<RenameRule>& rules) {
    const auto compiled_rules = compiled(rules);
    std::size_t count = 0;
    struct Place {
        std::string path;  // within the state dict
        DictNode* dict;
    };
    for (const StateDict& state : state_dicts(document)) {
        std::vector<Place> todo{{"", state.dict}};
        std::unordered_set<const Node*> met{state.dict};
        while (!todo.empty()) {
            const Place place = std::move(todo.back());
            todo.pop_back();
            std::vector<std::pair<std::size_t, std::string>> names;
            for (std::size_t i = 0; i < place.dict->entries.size(); ++i) {
                const auto& [key, value] = place.dict->entries[i];
                if (!key.is(Kind::kString)) continue;
                const std::string name = text_of(key);
                // Below the state dict itself the rules see where the key stands.
                const bool is_deep = !place.path.empty();
                const std::string before = is_deep ? join_path(place.path, escape_key(name)) : name;
                const std::string after = renamed(before, compiled_rules);
                if (value.is(Kind::kDict) && met.insert(value.node()).second)
                    todo.push_back({is_deep ? before : escape_key(name), &value.dict()});
                if (after == before) continue;
                const auto parts = is_deep ? split_path(after) : std::vector<std::string>{after};
                if (is_deep && parts.size() != split_path(before).size())
                    throw_error(ErrorCode::kRefused, "'{}'{} would become '{}', which is not as deep", before,
                                where(state.path), after);
                if (parts.back().empty())
                    throw_error(ErrorCode::kRefused, "nothing would be left of the name '{}'{}", before,
                                where(state.path));
                if (parts.back() == name) continue;
                names.emplace_back(i, parts.back());
                ++count;
            }
            set_keys(document, *place.dict, place.path.empty() ? state.path : join_path(state.path, place.path), names);
            DictNode* metadata = metadata_of(*place.dict);
            if (metadata == nullptr || names.empty()) continue;
            for (auto& [key, value] : metadata->entries) {
                if (key.is(Kind::kString) && !text_of(key).empty())
                    key = document.pool().string(renamed(text_of(key), compiled_rules));
            }
        }
    }
    return count;
}

}  // namespace ckpt
