// Fields of foreign objects, and rings.
#include "formats/jld2/visible.hpp"

#include <algorithm>

#include "formats/jld2/names.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::jld2 {
namespace {

constexpr std::size_t kMostFields = 256;  // Julia compiles code for each such type

/// What Julia sees below a value, in the order in which it is counted by Cuts.
std::vector<Value> visible_parts(const Value& value) {
    std::vector<Value> parts;
    switch (value.kind()) {
        case Kind::kList:
        case Kind::kTuple:
        case Kind::kSet:
            return value.sequence().items;
        case Kind::kDict:
            for (const auto& [key, entry] : value.dict().entries) parts.push_back(entry);
            return parts;
        case Kind::kObject:
        case Kind::kTensor:
            for (const Child& child : children(value)) parts.push_back(child.value);
            return parts;
        default:
            return parts;
    }
}

/// What JLD2.jl has at hand before its parts are read, so that they can refer to it.
bool is_made_first(const Value& value) {
    if (value.is(Kind::kDict)) return value.node()->attribute(kSharedAttribute) != nullptr;
    return value.is(Kind::kObject) && is_julia_object(value) && value.node()->recipe->how == Recipe::How::kNew;
}

std::string unescaped(std::string_view component) {
    std::string text;
    for (std::size_t i = 0; i < component.size(); ++i) {
        if (component[i] == '\\' && i + 1 < component.size()) ++i;
        text += component[i];
    }
    return text;
}

}  // namespace

bool is_julia_object(const Value& value) {
    const Recipe* recipe = value.is(Kind::kObject) ? value.node()->recipe.get() : nullptr;
    if (recipe == nullptr) return false;
    const std::string_view type = value.type();
    if (recipe->how == Recipe::How::kGlobal)
        return type == kMissingType || type == kFunctionType || type == kDataTypeType || type == kUndefType;
    return recipe->callable.ends_with('}');
}

std::vector<VisibleField> visible_fields(Pool& scratch, const Value& object) {
    std::vector<VisibleField> fields;
    fields.push_back({"__type__", scratch.string(std::string(object.type()))});
    const Recipe* recipe = object.node()->recipe.get();
    if (recipe != nullptr && recipe->how == Recipe::How::kGlobal)
        fields.push_back({"__name__", scratch.string(recipe->callable)});
    std::unordered_set<std::string> names = {"__type__", "__name__"};
    const auto below = children(object);
    if (below.size() >= kMostFields) return fields;
    std::size_t index = 0;
    for (const Child& child : below) {
        const std::size_t at = index++;
        const std::string name = unescaped(child.component);
        const bool is_name = !name.empty() && name.find('\0') == std::string::npos;
        if (is_name && names.insert(name).second) fields.push_back({name, child.value, at});
    }
    return fields;
}

bool is_identifier(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9') || text[0] == '!') return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '!' ||
               static_cast<unsigned char>(c) >= 0x80;
    });
}

Cuts::Cuts(const Value& root) {
    struct Level {
        Value value;
        std::vector<Value> parts;
        std::size_t next = 0;
    };
    std::vector<Level> stack;
    std::unordered_map<const Node*, std::size_t> open;  // node to its level
    std::unordered_set<const Node*> closed;
    const auto enter = [&](const Value& value) {
        open.emplace(value.node(), stack.size());
        stack.push_back({value, visible_parts(value), 0});
    };
    if (root.node() != nullptr) enter(root);
    while (!stack.empty()) {
        Level& level = stack.back();
        if (level.next == level.parts.size()) {
            open.erase(level.value.node());
            closed.insert(level.value.node());
            stack.pop_back();
            continue;
        }
        const std::size_t index = level.next++;
        const Value part = level.parts[index];
        if (part.node() == nullptr) continue;
        ++uses_[part.node()];
        if (const auto above = open.find(part.node()); above != open.end()) {
            const bool is_loadable = std::any_of(stack.begin() + static_cast<std::ptrdiff_t>(above->second),
                                                 stack.end(), [](const Level& l) { return is_made_first(l.value); });
            if (!is_loadable) cuts_[level.value.node()].insert(index);
        } else if (!closed.contains(part.node())) {
            enter(part);
        }
    }
}

bool Cuts::has(const Node* node, std::size_t index) const {
    const auto* found = of(node);
    return found != nullptr && found->contains(index);
}

const std::unordered_set<std::size_t>* Cuts::of(const Node* node) const {
    const auto found = cuts_.find(node);
    return found != cuts_.end() ? &found->second : nullptr;
}

std::size_t Cuts::uses(const Node* node) const {
    const auto found = uses_.find(node);
    return found != uses_.end() ? found->second : 0;
}

}  // namespace ckpt::jld2
