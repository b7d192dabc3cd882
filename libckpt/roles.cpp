// The table of conventions.
#include "libckpt/roles.hpp"

#include <algorithm>

#include "libckpt/error.hpp"
#include "libckpt/module_state.hpp"
#include "libckpt/trainer_state.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

struct RoleName {
    Role role;
    std::string_view name;
};
constexpr RoleName kRoleNames[] = {
    {Role::kModel, "model"},
    {Role::kOptimizer, "optimizer"},
    {Role::kScheduler, "scheduler"},
    {Role::kHyperParameters, "hyper-parameters"},
    {Role::kLog, "log"},
    {Role::kOther, "other"},
    {Role::kAveraged, "averaged"},
    {Role::kTrained, "trained"},
};

/// Names of top-level entries that say what they are, whatever the framework. Compared in lower case.
constexpr RoleName kKeys[] = {
    {Role::kModel, "model"},
    {Role::kModel, "model_state"},
    {Role::kModel, "model_state_dict"},
    {Role::kModel, "model_states"},
    {Role::kModel, "model_parameters"},
    {Role::kModel, "model_weights"},
    {Role::kModel, "state_dict"},
    {Role::kModel, "net"},
    {Role::kModel, "network"},
    {Role::kModel, "backbone"},
    {Role::kModel, "weights"},
    {Role::kModel, "params"},
    {Role::kModel, "parameters"},
    {Role::kModel, "module"},
    {Role::kModel, "generator"},
    {Role::kModel, "discriminator"},
    {Role::kAveraged, "ema"},
    {Role::kAveraged, "ema_state_dict"},
    {Role::kAveraged, "ema_model"},
    {Role::kAveraged, "model_ema"},
    {Role::kAveraged, "state_dict_ema"},
    {Role::kAveraged, "ema_weights"},
    {Role::kAveraged, "ema_params"},
    {Role::kAveraged, "model_ema_state_dict"},
    {Role::kAveraged, "ema_model_state_dict"},
    {Role::kAveraged, "swa"},
    {Role::kAveraged, "swa_state_dict"},
    {Role::kAveraged, "swa_model"},
    {Role::kAveraged, "model_swa"},
    {Role::kAveraged, "averaged_model"},
    {Role::kAveraged, "average_model"},
    {Role::kAveraged, "avg_model"},
    {Role::kAveraged, "model_avg"},
    {Role::kAveraged, "model_averaged"},
    {Role::kAveraged, "averaged"},
    {Role::kAveraged, "state_dict_ema"},
    {Role::kAveraged, "model_state_dict_ema"},
    {Role::kAveraged, "ema_params"},
    {Role::kAveraged, "params_ema"},
    {Role::kAveraged, "ema_weights"},
    {Role::kTrained, "current_model_state"},
    {Role::kModel, "layers"},
    {Role::kOptimizer, "optimizer"},
    {Role::kOptimizer, "optimizers"},
    {Role::kOptimizer, "optim"},
    {Role::kOptimizer, "opt"},
    {Role::kOptimizer, "opt_state"},
    {Role::kOptimizer, "optimizer_state"},
    {Role::kOptimizer, "optimizer_states"},
    {Role::kOptimizer, "optimizer_state_dict"},
    {Role::kOptimizer, "optim_state_dict"},
    {Role::kOptimizer, "optimizer_weights"},
    {Role::kOptimizer, "scaler"},
    {Role::kOptimizer, "grad_scaler"},
    {Role::kOptimizer, "mixedprecision"},
    {Role::kOptimizer, "native_amp_scaling_state"},
    {Role::kScheduler, "scheduler"},
    {Role::kScheduler, "schedulers"},
    {Role::kScheduler, "lr_scheduler"},
    {Role::kScheduler, "lr_schedulers"},
    {Role::kScheduler, "scheduler_state_dict"},
    {Role::kScheduler, "lr_scheduler_state_dict"},
    {Role::kHyperParameters, "args"},
    {Role::kHyperParameters, "config"},
    {Role::kHyperParameters, "cfg"},
    {Role::kHyperParameters, "hparams"},
    {Role::kHyperParameters, "hyper_parameters"},
    {Role::kHyperParameters, "hparams_name"},
    {Role::kHyperParameters, "hparams_type"},
    {Role::kHyperParameters, "datamodule_hyper_parameters"},
    {Role::kHyperParameters, "datamodule_hparams_name"},
    {Role::kHyperParameters, "datamodule_hparams_type"},
    {Role::kHyperParameters, "options"},
    {Role::kHyperParameters, "best_solution"},
    {Role::kLog, "log"},
    {Role::kLog, "logs"},
    {Role::kLog, "history"},
    {Role::kLog, "results"},
    {Role::kLog, "metrics"},
    {Role::kLog, "losses"},
    {Role::kLog, "stats"},
    {Role::kLog, "best_f"},
};

/// Who saves a dict with all of these top-level keys. First match wins.
struct Convention {
    std::string_view system;
    std::vector<std::string_view> keys;
};
const std::vector<Convention>& conventions() {
    static const std::vector<Convention> kTable = {
        {"Lightning", {"state_dict", "pytorch-lightning_version"}},
        {"Mammoth", {"model", "optimizer", "scheduler", "args", "results"}},
        {"black-it", {"parameters_bounds", "params_samp", "losses_samp", "loss_function"}},
        {"pyhopper", {"run_context", "cache", "best_f", "history", "best_solution"}},
        {"Flux", {"model_state", "opt_state"}},
        {"Lux", {"model_parameters", "model_states"}},
        {"Keras", {"layers", "optimizer"}},
        {"Keras", {"model_weights"}},
    };
    return kTable;
}

/// Parts of one entry that holds the whole training state, by its name and theirs.
struct InnerPart {
    std::string_view entry;
    std::string_view name;
    Role role;
};
constexpr InnerPart kInnerParts[] = {
    {"state", "parameters", Role::kModel},
    {"state", "states", Role::kModel},
    {"state", "optimizer_state", Role::kOptimizer},
};

std::string lower(std::string_view text) {
    std::string result(text);
    for (auto& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}

bool is_tensor_like(const Value& value) {
    return value.is(Kind::kTensor);
}

/// A dict whose values are tensors, mostly: the state dict of a model by itself.
bool is_bare_state_dict(const Value& root) {
    if (!root.is(Kind::kDict)) return false;
    std::size_t tensors = 0;
    const auto& entries = root.dict().entries;
    for (const auto& [key, value] : entries) {
        if (!key.is(Kind::kString)) return false;
        tensors += is_tensor_like(value) ? 1 : 0;
    }
    return tensors > 0 && tensors * 2 > entries.size();
}

bool has_text_key(const DictNode& dict, std::string_view key) {
    return dict.find(key) != nullptr;
}

/// A dict of tensors, at least one of which is called as parameters are; or one with what a state dict has beside them.
bool looks_like_state_dict(const Value& value) {
    if (!is_bare_state_dict(value)) return false;
    const Recipe* recipe = value.node()->recipe.get();
    if (recipe != nullptr && recipe->state.is(Kind::kDict) && has_text_key(recipe->state.dict(), "_metadata"))
        return true;
    const auto& entries = value.dict().entries;
    return std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
        const std::string_view name = entry.first.as_string();
        const std::string_view last = name.substr(name.rfind('.') + 1);
        return last == "weight" || last == "bias";
    });
}

/// torch.optim.swa_utils.AveragedModel: how many models were averaged, and the module that it wraps.
bool is_averaged_model(const DictNode& dict) {
    bool has_count = false;
    for (const auto& [key, value] : dict.entries) {
        if (!key.is(Kind::kString)) return false;
        has_count = has_count || key.as_string() == "n_averaged";
        if (key.as_string() != "n_averaged" && !key.as_string().starts_with("module.")) return false;
    }
    return has_count && dict.entries.size() > 1;
}

/// What a part is by what it is made of; of a list, by its first item.
Role role_by_structure(const Value& value) {
    const bool is_list = value.is(Kind::kList) && !value.sequence().items.empty();
    const Value& part = is_list ? value.sequence().items.front() : value;
    if (!part.is(Kind::kDict)) return Role::kOther;
    const DictNode& dict = part.dict();
    if (!is_list && is_averaged_model(dict)) return Role::kAveraged;
    if (has_text_key(dict, "state") && has_text_key(dict, "param_groups")) return Role::kOptimizer;
    if (has_text_key(dict, "last_epoch") && (has_text_key(dict, "base_lrs") || has_text_key(dict, "_step_count")))
        return Role::kScheduler;
    return !is_list && looks_like_state_dict(part) ? Role::kModel : Role::kOther;
}

/// The average is the model where no trained weights stand beside it; and it is where Lightning's averaging has put it.
void settle_averages(const Value& root, Roles& roles) {
    const auto has = [&](Role role) {
        return std::any_of(roles.parts.begin(), roles.parts.end(),
                           [&](const auto& part) { return part.second == role; });
    };
    if (!has(Role::kModel)) {
        for (auto& [path, role] : roles.parts) {
            if (role == Role::kTrained) role = Role::kModel;
        }
    }
    if (!has(Role::kModel)) {
        roles.model_is_averaged = has(Role::kAveraged);
        for (auto& [path, role] : roles.parts) {
            if (role == Role::kAveraged) role = Role::kModel;
        }
    }
    if (has(Role::kTrained)) roles.model_is_averaged = true;
    if (const auto trainer = summarize_trainer(root);
        trainer && !trainer->averaged_path.empty() && trainer->averaged_path != "state_dict")
        roles.deep_parts.emplace_back(trainer->averaged_path, Role::kAveraged);
}

/// Where no name says which part is the model, the modules that were saved whole are it.
void find_modules(const Value& root, Roles& roles) {
    const auto is_model = [](const auto& part) { return part.second == Role::kModel; };
    if (std::any_of(roles.parts.begin(), roles.parts.end(), is_model)) return;
    const auto below = children(root);
    for (std::size_t i = 0; i < below.size(); ++i) {
        if (roles.parts[i].second == Role::kOther && has_module_tensors(below[i].value))
            roles.parts[i].second = Role::kModel;
    }
}

/// By its name, else by what it is made of.
Role role_of_part(const Child& child) {
    const std::string key = lower(child.component);
    const auto found =
        std::find_if(std::begin(kKeys), std::end(kKeys), [&](const RoleName& known) { return known.name == key; });
    return found != std::end(kKeys) ? found->role : role_by_structure(child.value);
}

/// Where no part is the model, the only one that holds a model and an optimizer is the training state (torch's own
/// examples save `{"app": {"model": ..., "optim": ...}}`).
void find_whole_state(const Value& root, Roles& roles) {
    const auto has = [](const auto& parts, Role role) {
        return std::any_of(parts.begin(), parts.end(), [role](const auto& part) { return part.second == role; });
    };
    if (has(roles.parts, Role::kModel) || has(roles.parts, Role::kAveraged)) return;
    std::vector<std::pair<std::string, Role>> found;
    const auto below = children(root);
    for (std::size_t i = 0; i < below.size(); ++i) {
        const Child& part = below[i];
        if (!part.value.is(Kind::kDict) || roles.parts[i].second != Role::kOther) continue;
        std::vector<std::pair<std::string, Role>> inner;
        for (const auto& child : children(part.value))
            inner.emplace_back(part.component + "/" + child.component, role_of_part(child));
        if (!has(inner, Role::kModel) || !has(inner, Role::kOptimizer)) continue;
        if (!found.empty()) return;  // two of them: nothing says which
        found = std::move(inner);
    }
    roles.inner_parts = std::move(found);
}

}  // namespace

std::string_view role_name(Role role) noexcept {
    return kRoleNames[static_cast<std::size_t>(role)].name;
}

Role parse_role(std::string_view name) {
    if (name == "hparams") return Role::kHyperParameters;
    for (const auto& known : kRoleNames) {
        if (known.name == name) return known.role;
    }
    throw_error(
        ErrorCode::kUsage,
        "'{}' is no role; there are model, optimizer, scheduler, hyper-parameters, log, other, averaged and trained",
        name);
}

Role Roles::role_of(std::string_view path) const {
    if (whole_is_model) return Role::kModel;
    for (const auto* table : {&deep_parts, &inner_parts, &parts}) {
        for (const auto& [part, role] : *table) {
            if (path == part || (path.size() > part.size() && path.starts_with(part) && path[part.size()] == '/'))
                return role;
        }
    }
    return Role::kOther;
}

Roles classify_roles(const Document& document) {
    Roles roles;
    const Value& root = document.root;
    if (root.is(Kind::kTensor) || is_bare_state_dict(root)) {
        roles.system = root.is(Kind::kTensor) ? "" : "plain state dict";
        roles.whole_is_model = true;
        return roles;
    }
    if (!root.is(Kind::kDict)) {
        if (is_module(root)) {
            roles.system = "whole module";
            roles.whole_is_model = true;
        }
        return roles;
    }
    for (const auto& child : children(root)) roles.parts.emplace_back(child.component, role_of_part(child));
    find_modules(root, roles);
    settle_averages(root, roles);
    for (const auto& part : children(root)) {
        if (part.component != "state") continue;
        const auto below = children(part.value);
        const auto has = [&](std::string_view name) {
            return std::any_of(below.begin(), below.end(), [&](const Child& c) { return c.component == name; });
        };
        if (!has("parameters") || !(has("optimizer_state") || has("states"))) continue;
        for (const auto& inner : kInnerParts) {
            if (has(inner.name))
                roles.inner_parts.emplace_back(fmt::format("{}/{}", inner.entry, inner.name), inner.role);
        }
        roles.system = "Lux";
    }
    if (roles.inner_parts.empty()) find_whole_state(root, roles);
    for (const auto& convention : conventions()) {
        if (!roles.system.empty()) break;
        if (std::all_of(convention.keys.begin(), convention.keys.end(),
                        [&](std::string_view key) { return root.dict().find(key) != nullptr; })) {
            roles.system = convention.system;
            break;
        }
    }
    return roles;
}

}  // namespace ckpt
