// Walking modules as `state_dict()` does.
#include "libckpt/module_state.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

/// The fields of an object: its state where that is a dict, or the first of a pair of dicts.
const DictNode* fields_of(const Value& value) {
    if (!value.is(Kind::kObject) || !value.node()->recipe) return nullptr;
    Value state = value.node()->recipe->state;
    if (state.is(Kind::kTuple) && state.sequence().items.size() == 2) state = state.sequence().items[0];
    return state.is(Kind::kDict) ? &state.dict() : nullptr;
}

const DictNode* dict_field(const DictNode& fields, std::string_view name) {
    const Value* value = fields.find(name);
    return value != nullptr && value->is(Kind::kDict) ? &value->dict() : nullptr;
}

bool has_name(const Value* names, const Value& name) {
    if (names == nullptr || !name.is(Kind::kString) || !(names->is(Kind::kSet) || names->is(Kind::kList))) return false;
    const auto& items = names->sequence().items;
    return std::any_of(items.begin(), items.end(), [&](const Value& item) {
        return item.is(Kind::kString) && item.as_string() == name.as_string();
    });
}

/// The same elements as a tensor without class and gradients, as `detach` gives it; one that has parts stays what it
/// is.
Value detached(Pool& pool, const Value& value) {
    const TensorNode& tensor = value.tensor();
    if (!tensor.storage || !tensor.layout.empty() || tensor.quantization) return value;
    const Value plain = tied_tensor(pool, tensor);
    plain.tensor().requires_grad = false;
    return plain;
}

class Namer {
public:
    explicit Namer(Pool& pool) : pool_(pool), result_(pool.dict()) { result_.node()->type = "collections.OrderedDict"; }

    std::optional<Value> run(const Value& module) {
        stack_.push_back({module, "", false});
        while (!stack_.empty()) {
            Step step = std::move(stack_.back());
            stack_.pop_back();
            if (step.leaves) {
                open_.erase(step.module.node());
                continue;
            }
            if (!open_.insert(step.module.node()).second) continue;
            stack_.push_back({step.module, "", true});
            const std::size_t first = stack_.size();
            add(step.module, step.prefix);
            std::reverse(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
            if (result_.dict().entries.size() > kMostModuleTensors || ++steps_ > kMostModuleTensors)
                return std::nullopt;
        }
        return result_;
    }

private:
    struct Step {
        Value module;
        std::string prefix;
        bool leaves;  ///< the way back out of it
    };

    void add_tensor(const std::string& prefix, const Value& name, const Value& value) {
        if (!value.is(Kind::kTensor) || !name.is(Kind::kString)) return;
        result_.dict().entries.emplace_back(pool_.string(prefix + std::string(name.as_string())),
                                            detached(pool_, value));
    }
    void add_module(const std::string& prefix, const Value& name, const Value& value) {
        if (!is_module(value) || !name.is(Kind::kString)) return;
        stack_.push_back({value, prefix + std::string(name.as_string()) + ".", false});
    }

    void add(const Value& module, const std::string& prefix) {
        const DictNode& fields = *fields_of(module);
        const Value* parameters = module.node()->attribute(kModuleParameters);
        if (parameters != nullptr) return add_fields(module, fields, *parameters, prefix);
        if (const DictNode* own = dict_field(fields, "_parameters")) {
            for (const auto& [name, value] : own->entries) add_tensor(prefix, name, value);
        }
        if (const DictNode* buffers = dict_field(fields, "_buffers")) {
            const Value* passing = fields.find("_non_persistent_buffers_set");
            for (const auto& [name, value] : buffers->entries) {
                if (!has_name(passing, name)) add_tensor(prefix, name, value);
            }
        }
        if (const DictNode* modules = dict_field(fields, "_modules")) {
            for (const auto& [name, value] : modules->entries) add_module(prefix, name, value);
        }
    }
    /// A module whose tensors and parts are fields of its own.
    void add_fields(const Value& module, const DictNode& fields, const Value& parameters, const std::string& prefix) {
        const Value* buffers = module.node()->attribute(kModuleBuffers);
        for (const Value* names : {&parameters, buffers}) {
            for (const auto& [name, value] : fields.entries) {
                if (has_name(names, name)) add_tensor(prefix, name, value);
            }
        }
        for (const auto& [name, value] : fields.entries) add_module(prefix, name, value);
    }

    Pool& pool_;
    Value result_;
    std::vector<Step> stack_;
    std::unordered_set<const Node*> open_;
    std::size_t steps_ = 0;
};

}  // namespace

bool is_module(const Value& value) {
    const DictNode* fields = fields_of(value);
    if (fields == nullptr) return false;
    if (value.node()->attribute(kModuleParameters) != nullptr) return true;
    return dict_field(*fields, "_modules") != nullptr || dict_field(*fields, "_parameters") != nullptr;
}

bool has_module_tensors(const Value& value) {
    std::vector<Value> todo{value};
    std::unordered_set<const Node*> met;
    while (!todo.empty()) {
        const Value module = todo.back();
        todo.pop_back();
        if (!is_module(module) || !met.insert(module.node()).second) continue;
        const DictNode& fields = *fields_of(module);
        for (const auto& [name, field] : fields.entries) {
            if (field.is(Kind::kTensor)) return true;
            todo.push_back(field);
            if (!field.is(Kind::kDict)) continue;
            const bool is_parts = name.is(Kind::kString) && name.as_string() == "_modules";
            for (const auto& [key, item] : field.dict().entries) {
                if (item.is(Kind::kTensor)) return true;
                if (is_parts) todo.push_back(item);
            }
        }
    }
    return false;
}

std::optional<Value> module_state_dict(Pool& pool, const Value& value) {
    if (!is_module(value)) return std::nullopt;
    return Namer(pool).run(value);
}

bool name_modules(Document& document) {
    Pool& pool = document.pool();
    if (auto state = module_state_dict(pool, document.root)) {
        document.root = *state;
        return true;
    }
    if (!document.root.is(Kind::kDict)) return false;
    const auto& entries = document.root.dict().entries;
    if (std::none_of(entries.begin(), entries.end(), [](const auto& entry) { return is_module(entry.second); }))
        return false;
    const Value named = pool.dict();  // the node may be that of another document
    named.node()->type = document.root.node()->type;
    for (const auto& [key, value] : entries) {
        const auto state = module_state_dict(pool, value);
        named.dict().entries.emplace_back(key, state ? *state : value);
    }
    document.root = named;
    return true;
}

}  // namespace ckpt
