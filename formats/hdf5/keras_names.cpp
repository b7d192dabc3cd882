// The old format lists names in attributes (`layer_names`, `weight_names`); in the new one a layer's group is called by
// its class, and the attribute `name` of its group `vars` says its own.
#include "formats/hdf5/keras_names.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ckpt::hdf5 {
namespace {

constexpr unsigned kMaxNesting = 64;  // of models in models
constexpr std::string_view kVars = "vars";

/// An attribute that is a list of texts.
std::optional<std::vector<std::string>> texts(const Value& value, std::string_view name) {
    const Value* held = value.node() == nullptr ? nullptr : value.node()->attribute(name);
    if (held == nullptr || !held->is(Kind::kList)) return std::nullopt;
    std::vector<std::string> result;
    for (const Value& item : held->sequence().items) {
        if (!item.is(Kind::kString)) return std::nullopt;
        result.emplace_back(item.as_string());
    }
    return result;
}

/// What a path of plain names leads to, or nullptr.
const Value* below(const Value& group, std::string_view path) {
    const Value* at = &group;
    while (at != nullptr && !path.empty()) {
        const std::string_view name = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), name.size() + 1));
        at = at->is(Kind::kDict) ? at->dict().find(name) : nullptr;
    }
    return at;
}

/// The weights of one layer of the old format; "dense/kernel" is its "kernel".
Value named_weights(Pool& pool, const Value& layer, const std::vector<std::string>& names) {
    std::map<std::string, int> last_parts;
    const auto last_part = [](const std::string& name) { return name.substr(name.rfind('/') + 1); };
    for (const std::string& name : names) ++last_parts[last_part(name)];
    const Value dict = pool.dict();
    for (const std::string& name : names) {
        const Value* weight = below(layer, name);
        if (weight == nullptr) continue;  // not selected
        const std::string last = last_part(name);
        dict.dict().entries.emplace_back(pool.string(last_parts[last] == 1 ? last : name), *weight);
    }
    return dict;
}

bool name_old_model(Document& document) {
    const auto layers = texts(document.root, "hdf5:layer_names");
    if (!layers || !document.root.is(Kind::kDict)) return false;
    const Value model = document.pool().dict();
    for (const std::string& name : *layers) {
        const Value* layer = document.root.dict().find(name);
        const auto weights = layer == nullptr ? std::nullopt : texts(*layer, "hdf5:weight_names");
        if (!weights) continue;  // a layer without weights
        const Value named = named_weights(document.pool(), *layer, *weights);
        if (!named.dict().entries.empty()) model.dict().entries.emplace_back(document.pool().string(name), named);
    }
    document.root = model;
    return true;
}

/// The names of the layers in the order of the configuration, of models in models as well.
std::vector<std::string> configured_order(const Document& document) {
    std::vector<std::string> names;
    const Value* text = document.attribute("hdf5:config.json");
    if (text == nullptr || !text->is(Kind::kString)) return names;
    const auto config = nlohmann::json::parse(text->as_string(), nullptr, false);
    std::vector<const nlohmann::json*> models = {&config};
    for (std::size_t i = 0; i < models.size(); ++i) {
        const nlohmann::json& model = *models[i];
        if (!model.is_object() || !model.contains("config") || !model["config"].is_object()) continue;
        const nlohmann::json& inner = model["config"];
        if (i > 0 && inner.contains("name") && inner["name"].is_string()) names.push_back(inner["name"]);
        if (!inner.contains("layers") || !inner["layers"].is_array()) continue;
        for (const nlohmann::json& layer : inner["layers"]) models.push_back(&layer);
    }
    return names;
}

/// A layer's own name, or nullopt.
std::optional<std::string> own_name(const Value& layer) {
    const Value* vars = layer.is(Kind::kDict) ? layer.dict().find(kVars) : nullptr;
    const Value* name = vars == nullptr || vars->node() == nullptr ? nullptr : vars->node()->attribute("hdf5:name");
    if (name == nullptr || !name->is(Kind::kString)) return std::nullopt;
    return std::string(name->as_string());
}

using Entries = std::vector<std::pair<Value, Value>>;

/// "10" stands behind "2".
void sort_by_number(Entries& entries) {
    const auto number = [](const Value& key) {
        std::uint64_t value = 0;
        const std::string_view text = key.is(Kind::kString) ? key.as_string() : std::string_view();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size() ? value : ~std::uint64_t{0};
    };
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const auto& a, const auto& b) { return number(a.first) < number(b.first); });
}

class LayerNamer {
public:
    explicit LayerNamer(Document& document) : pool_(document.pool()) {
        for (const std::string& name : configured_order(document)) places_.try_emplace(name, places_.size());
    }

    /// Layers of a model under their own names, in the configured order; as they are where not all have one.
    Value layers(const Value& group, unsigned depth) {
        std::set<std::string> names;
        std::vector<std::pair<std::size_t, std::pair<Value, Value>>> ordered;
        for (const auto& [key, layer] : group.dict().entries) {
            const auto name = own_name(layer);
            if (!name || !names.insert(*name).second) return group;
            const auto place = places_.find(*name);
            ordered.push_back(
                {place == places_.end() ? places_.size() : place->second, {pool_.string(*name), parts(layer, depth)}});
        }
        std::stable_sort(ordered.begin(), ordered.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        const Value dict = pool_.dict();
        for (auto& [place, entry] : ordered) {
            if (!entry.second.dict().entries.empty()) dict.dict().entries.push_back(std::move(entry));
        }
        return dict;
    }

private:
    /// What a layer has: its weights in the order of their numbers, layers inside of it.
    Value parts(const Value& layer, unsigned depth) {
        const Value dict = pool_.dict();
        for (const auto& [key, part] : layer.dict().entries) {
            Value named = part;
            if (part.is(Kind::kDict) && key.is(Kind::kString) && key.as_string() == kVars) {
                named = pool_.dict();
                named.dict().entries = part.dict().entries;
                sort_by_number(named.dict().entries);
            } else if (part.is(Kind::kDict) && key.is(Kind::kString) && key.as_string() == "layers" &&
                       depth < kMaxNesting) {
                named = layers(part, depth + 1);
            }
            const bool is_empty = named.is(Kind::kDict) && named.dict().entries.empty();
            if (!is_empty) dict.dict().entries.emplace_back(key, named);
        }
        return dict;
    }

    Pool& pool_;
    std::map<std::string, std::size_t> places_;
};

}  // namespace

void name_keras_model(Document& document) {
    if (!document.root.is(Kind::kDict) || name_old_model(document)) return;
    const auto& entries = document.root.dict().entries;
    const bool is_keras = !entries.empty() && std::all_of(entries.begin(), entries.end(), [](const auto& entry) {
        return own_name(entry.second).has_value();
    });
    if (is_keras) document.root = LayerNamer(document).layers(document.root, 0);
}

}  // namespace ckpt::hdf5
