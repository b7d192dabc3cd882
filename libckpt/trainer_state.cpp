// The keys of a Trainer's checkpoint.
#include "libckpt/trainer_state.hpp"

#include "libckpt/path.hpp"

namespace ckpt {
namespace {

const Value* text_entry(const DictNode& dict, std::string_view key) {
    const Value* value = dict.find(key);
    return value != nullptr && value->is(Kind::kString) ? value : nullptr;
}
const DictNode* dict_entry(const DictNode& dict, std::string_view key) {
    const Value* value = dict.find(key);
    return value != nullptr && value->is(Kind::kDict) ? &value->dict() : nullptr;
}
std::size_t list_size(const DictNode& dict, std::string_view key) {
    const Value* value = dict.find(key);
    return value != nullptr && value->is(Kind::kList) ? value->sequence().items.size() : 0;
}

/// Callbacks by class: a key is a class, or the repr of one with its arguments.
void add_callbacks(const DictNode& callbacks, TrainerSummary& summary) {
    for (const auto& [key, value] : callbacks.entries) {
        const std::string name = key.is(Kind::kString) ? std::string(key.as_string()) : key_text(key);
        summary.callbacks.push_back(name.substr(0, name.find('{')));
        if (!value.is(Kind::kDict)) continue;
        const Value* best = text_entry(value.dict(), "best_model_path");
        if (best != nullptr && summary.best_model_path.empty()) summary.best_model_path = best->as_string();
        // The first is Lightning's own, the others those of callbacks that are passed around.
        for (const std::string_view part : {"average_model_state", "ema_state_dict", "state_dict_ema", "ema_weights"}) {
            const Value* average = value.dict().find(part);
            if (average == nullptr || !average->is(Kind::kDict)) continue;
            summary.averaged_path = "callbacks/" + escape_key(name) + "/" + std::string(part);
            break;
        }
    }
}

}  // namespace

std::optional<TrainerSummary> summarize_trainer(const Value& root) {
    if (!root.is(Kind::kDict)) return std::nullopt;
    const DictNode& dict = root.dict();
    const Value* version = text_entry(dict, "pytorch-lightning_version");
    if (version == nullptr) return std::nullopt;
    TrainerSummary summary;
    summary.version = version->as_string();
    if (const Value* epoch = dict.find("epoch")) summary.epoch = epoch->as_int64();
    if (const Value* step = dict.find("global_step")) summary.global_step = step->as_int64();
    summary.optimizers = list_size(dict, "optimizer_states");
    summary.schedulers = list_size(dict, "lr_schedulers");
    if (const DictNode* loops = dict_entry(dict, "loops")) {
        for (const auto& [key, value] : loops->entries) summary.loops.push_back(key_text(key));
    }
    if (const DictNode* callbacks = dict_entry(dict, "callbacks")) add_callbacks(*callbacks, summary);
    if (dict_entry(dict, "current_model_state") != nullptr && dict_entry(dict, "state_dict") != nullptr) {
        summary.averaged_path = "state_dict";
        summary.trained_path = "current_model_state";
    } else if (!summary.averaged_path.empty()) {
        summary.trained_path = "state_dict";
    }
    return summary;
}

}  // namespace ckpt
