// Renaming the entries of a model's state dict.
#include "libckpt/backbone.hpp"

#include <optional>
#include <string>
#include <unordered_map>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/roles.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kNet = "net.";
constexpr std::size_t kMostNamed = 5;

/// Drops the leading components of wrappers.
std::string_view unwrapped(std::string_view name) {
    while (true) {
        bool any = false;
        for (const std::string_view wrapper : {"module.", "_orig_mod."}) {
            any = any || name.starts_with(wrapper);
            if (name.starts_with(wrapper)) name.remove_prefix(wrapper.size());
        }
        if (!any) return name;
    }
}

/// The name within the network; nullopt for what is not the network's. "net" alone is the network itself.
std::optional<std::string_view> own_name(std::string_view name) {
    name = unwrapped(name);
    if (!name.starts_with(kNet)) return std::nullopt;
    return unwrapped(name.substr(kNet.size()));
}

const Value* model_of(const Document& document) {
    return document.root.is(Kind::kDict) ? document.root.dict().find("model") : nullptr;
}

/// What torch notes down of the modules of a state dict, under their names: without those that are no part of it.
Value renamed_metadata(Pool& pool, const Value& state) {
    if (!state.is(Kind::kDict)) return state;
    const Value copy = pool.dict();
    for (const auto& [key, value] : state.dict().entries) {
        if (!key.is(Kind::kString) || key.as_string() != "_metadata" || !value.is(Kind::kDict)) {
            copy.dict().entries.emplace_back(key, value);
            continue;
        }
        const Value modules = pool.dict();
        modules.node()->type = value.node()->type;
        if (value.node()->recipe) modules.node()->recipe = std::make_unique<Recipe>(*value.node()->recipe);
        for (const auto& [module, facts] : value.dict().entries) {
            if (!module.is(Kind::kString)) continue;
            const std::string name = std::string(module.as_string()) + ".";
            const auto own = own_name(name);
            if (!own) continue;
            std::string full = std::string(kNet) + std::string(*own);
            full.pop_back();
            if (modules.dict().find(full) == nullptr) modules.dict().entries.emplace_back(pool.string(full), facts);
        }
        copy.dict().entries.emplace_back(key, modules);
    }
    return copy;
}

}  // namespace

bool has_backbone(const Document& document) {
    const Value* model = model_of(document);
    return model != nullptr && model->is(Kind::kDict) && classify_roles(document).system == "Mammoth";
}

Document backbone(const Document& document, const Context& context) {
    Document result;
    result.adopt_pools(document);
    result.format = document.format;
    result.producer = document.producer;
    result.attributes = document.attributes;
    const Value& model = *model_of(document);
    const Value root = result.root = result.pool().dict();
    root.node()->type = model.node()->type;
    if (model.node()->recipe) {
        root.node()->recipe = std::make_unique<Recipe>(*model.node()->recipe);
        root.node()->recipe->state = renamed_metadata(result.pool(), model.node()->recipe->state);
    }
    if (model.node()->attributes) root.node()->attributes = std::make_unique<NamedValues>(*model.node()->attributes);
    std::unordered_map<std::string, std::string> taken;
    std::string collisions, left_out;
    std::size_t left_out_count = 0;
    for (const auto& [key, value] : model.dict().entries) {
        const std::string old_name = key.is(Kind::kString) ? std::string(key.as_string()) : std::string();
        const auto own = own_name(old_name);
        if (!own) {
            if (++left_out_count <= kMostNamed) left_out += (left_out.empty() ? "" : ", ") + old_name;
            continue;
        }
        const std::string name = std::string(kNet) + std::string(*own);
        const auto [it, is_new] = taken.emplace(name, old_name);
        if (!is_new) collisions += fmt::format(" '{}' and '{}' would both be '{}';", it->second, old_name, name);
        root.dict().entries.emplace_back(name == old_name ? key : result.pool().string(name), value);
    }
    if (!collisions.empty()) {
        collisions.pop_back();
        throw_error(ErrorCode::kRefused, "the backbone's names collide:{}", collisions);
    }
    if (left_out_count > 0)
        context.note(fmt::format("left out, no part of the network ('net.'): {}{}", left_out,
                                 left_out_count > kMostNamed ? fmt::format(", ... {} in all", left_out_count) : ""));
    return result;
}

}  // namespace ckpt
