// Looking for attributes of other layouts.
#include "libckpt/foreign_attributes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "libckpt/meaning.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

bool is_foreign(std::string_view name, std::initializer_list<std::string_view> own_prefixes) {
    // How a file put what the value says (the byte order of an element, the softness of a link) is no loss; `__exact__`
    // is bits that the value lacks.
    const bool is_mark = name.ends_with("__") && name.find(":__") != std::string_view::npos;
    return !(is_mark && !name.ends_with(":__exact__")) &&
           std::none_of(own_prefixes.begin(), own_prefixes.end(),
                        [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::vector<Loss> attribute_losses(const Document& document, std::initializer_list<std::string_view> own_prefixes,
                                   std::string_view layout) {
    std::vector<Loss> losses;
    walk(document.root, [&](const Visit& visit) {
        const Node* node = visit.value.node();
        if (node == nullptr || visit.same_as != nullptr || !node->attributes) return WalkStep::kInto;
        for (const auto& [name, value] : *node->attributes) {
            if (is_foreign(name, own_prefixes))
                losses.push_back(
                    {visit.path, fmt::format("has the attribute '{}', which {} has no place for", name, layout)});
        }
        return WalkStep::kInto;
    });
    return losses;
}

void note_dropped_facts(const Document& document, std::initializer_list<std::string_view> own_prefixes,
                        std::string_view layout, const Context& context) {
    std::string names;
    for (const auto& [name, value] : document.attributes) {
        if (is_foreign(name, own_prefixes)) names += (names.empty() ? "" : ", ") + name;
    }
    if (!names.empty())
        context.note(fmt::format("facts about the file that was read, which {} does not keep: {}", layout, names));
}

}  // namespace ckpt
