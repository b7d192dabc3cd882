// Numbers of parameters to their names: by order, and by the shapes of what is kept for each.
#include "libckpt/sharded_keys.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt {
namespace {

// What has a parameter's shape in the states of torch's optimizers.
constexpr std::string_view kLikeParameter[] = {"exp_avg",    "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer",
                                               "square_avg", "grad_avg",   "acc_delta",      "sum",
                                               "exp_inf",    "ax",         "prev",           "step_size"};
// Buffers of torch's normalizations, which are floats as parameters are.
constexpr std::string_view kBuffers[] = {"running_mean", "running_var", "num_batches_tracked"};

bool is_key(const Value& key, std::string_view text) {
    return key.is(Kind::kString) && key.as_string() == text;
}

bool is_optimizer(const Value& value) {
    return value.is(Kind::kDict) && value.dict().find("state") != nullptr &&
           value.dict().find("param_groups") != nullptr;
}

std::optional<std::int64_t> number_of(const Value& key) {
    if (const auto number = key.as_int64()) return number;
    if (!key.is(Kind::kString)) return std::nullopt;
    const std::string_view text = key.as_string();
    std::int64_t number = 0;  // a distributed checkpoint has numbers as text
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number)
                                                                                     : std::nullopt;
}

struct Parameter {
    std::string name;
    SizeList shape;
};

/// The parameters that a state dict shows, in order.
std::vector<Parameter> parameters_of(const DictNode& state_dict) {
    std::vector<Parameter> parameters;
    std::set<std::tuple<const Storage*, std::int64_t, SizeList, SizeList>> seen;
    for (const auto& [key, value] : state_dict.entries) {
        if (!key.is(Kind::kString) || !value.is(Kind::kTensor)) continue;
        const TensorNode& tensor = value.tensor();
        const std::string_view name = key.as_string();
        const std::string_view last = name.substr(name.rfind('.') + 1);
        const DTypeClass cls = dtype_info(tensor.dtype).cls;
        if (cls != DTypeClass::kFloat && cls != DTypeClass::kComplex) continue;
        if (std::find(std::begin(kBuffers), std::end(kBuffers), last) != std::end(kBuffers)) continue;
        const bool has_elements = tensor.storage && tensor.element_count().value_or(0) > 0;
        if (has_elements && !seen.emplace(tensor.storage.get(), tensor.offset, tensor.shape, tensor.stride).second)
            continue;
        parameters.push_back({std::string(name), tensor.shape});
    }
    return parameters;
}

/// A number that a group has, and the shape of its parameter where a state says it.
struct Numbered {
    std::int64_t number = 0;
    std::optional<SizeList> shape;
};

bool fits(const Numbered& numbered, const Parameter& parameter) {
    return !numbered.shape || *numbered.shape == parameter.shape;
}

using Places = std::vector<std::size_t>;

/// Which parameters the numbers are, in the same order; nullopt unless exactly one choice fits.
std::optional<Places> place(const std::vector<Numbered>& numbers, const std::vector<Parameter>& parameters) {
    const std::size_t n = numbers.size(), m = parameters.size();
    if (n > m) return std::nullopt;
    if (n == m) {
        Places all(n);
        for (std::size_t i = 0; i < n; ++i) {
            if (!fits(numbers[i], parameters[i])) return std::nullopt;
            all[i] = i;
        }
        return all;
    }
    // The earliest and the latest choice: where they are the same there is but one.
    Places first, last;
    for (std::size_t j = 0; j < m && first.size() < n; ++j) {
        if (fits(numbers[first.size()], parameters[j])) first.push_back(j);
    }
    for (std::size_t j = m; j-- > 0 && last.size() < n;) {
        if (fits(numbers[n - 1 - last.size()], parameters[j])) last.push_back(j);
    }
    std::reverse(last.begin(), last.end());
    return first.size() == n && first == last ? std::optional(first) : std::nullopt;
}

class Naming {
public:
    Naming(Document& document, const Value& optimizer, std::string place)
        : document_(document), optimizer_(optimizer), place_(std::move(place)) {
        const Value& groups = *optimizer.dict().find("param_groups");
        if (!groups.is(Kind::kList)) refuse("param_groups is no list");
        for (const Value& group : groups.sequence().items) add_group(group);
    }

    /// Whether there is anything to name.
    bool is_numbered() const { return is_numbered_; }

    bool by_own_names(const std::vector<Parameter>& parameters) {
        std::set<std::string_view> known;
        for (const Parameter& parameter : parameters) known.insert(parameter.name);
        names_.clear();
        for (const Value& group : optimizer_.dict().find("param_groups")->sequence().items) {
            const Value* names = group.dict().find("param_names");
            const auto& params = group.dict().find("params")->sequence().items;
            if (names == nullptr || !names->is(Kind::kList) || names->sequence().items.size() != params.size())
                return false;
            for (std::size_t i = 0; i < params.size(); ++i) {
                const Value& name = names->sequence().items[i];
                if (!name.is(Kind::kString) || known.count(name.as_string()) == 0) return false;
                names_[*params[i].as_int64()] = name.as_string();
            }
        }
        return true;
    }

    bool by_order(const std::vector<Parameter>& parameters) {
        names_.clear();
        std::vector<Numbered> all;
        for (const auto& group : groups_) all.insert(all.end(), group.begin(), group.end());
        const bool are_shapes_known =
            std::all_of(all.begin(), all.end(), [](const Numbered& numbered) { return numbered.shape.has_value(); });
        if (groups_.size() == 1 || are_shapes_known) {
            if (const auto places = place(all, parameters)) return take(all, *places, parameters);
        }
        // Groups of weights and of biases: each has its own in order.
        std::set<std::size_t> taken;
        for (const auto& group : groups_) {
            const auto places = place(group, parameters);
            if (!places) return false;
            for (const std::size_t at : *places) {
                if (!taken.insert(at).second) return false;
            }
            take(group, *places, parameters);
        }
        return true;
    }

    const std::map<std::int64_t, std::string>& names() const { return names_; }
    void set_names(std::map<std::int64_t, std::string> names) { names_ = std::move(names); }

    std::string count_text() const {
        std::size_t count = 0;
        for (const auto& group : groups_) count += group.size();
        return std::to_string(count);
    }

    Value run() {
        Pool& pool = document_.pool();
        const Value result = like(optimizer_);
        for (const auto& [key, value] : optimizer_.dict().entries) {
            Value kept = value;
            if (is_key(key, "param_groups")) {
                kept = pool.list();
                for (const Value& group : value.sequence().items) kept.sequence().items.push_back(name_group(group));
            } else if (is_key(key, "state") && value.is(Kind::kDict)) {
                kept = like(value);
                for (const auto& [number, state] : value.dict().entries)
                    kept.dict().entries.emplace_back(name_of(number), state);
            }
            result.dict().entries.emplace_back(key, kept);
        }
        return result;
    }

    [[noreturn]] void refuse(std::string_view why) const { throw_error(ErrorCode::kRefused, "'{}': {}", place_, why); }

private:
    void add_group(const Value& group) {
        const Value* params = group.is(Kind::kDict) ? group.dict().find("params") : nullptr;
        if (params == nullptr || !params->is(Kind::kList)) refuse("a group of parameters without a list of params");
        std::vector<Numbered> numbers;
        for (const Value& param : params->sequence().items) {
            const auto number = param.as_int64();
            if (!number) {
                if (param.is(Kind::kString) && numbers.empty()) return;  // by name already
                refuse("a group has params that are neither numbers nor names");
            }
            is_numbered_ = true;
            numbers.push_back({*number, shape_of(*number)});
        }
        groups_.push_back(std::move(numbers));
    }

    std::optional<SizeList> shape_of(std::int64_t number) {
        if (states_.empty()) {
            const Value& state = *optimizer_.dict().find("state");
            if (!state.is(Kind::kDict)) return std::nullopt;
            for (const auto& [key, value] : state.dict().entries) {
                if (const auto known = number_of(key); known && value.is(Kind::kDict)) states_[*known] = value;
            }
        }
        const auto found = states_.find(number);
        if (found == states_.end()) return std::nullopt;
        for (const std::string_view name : kLikeParameter) {
            const Value* value = found->second.dict().find(name);
            if (value != nullptr && value->is(Kind::kTensor)) return value->tensor().shape;
        }
        return std::nullopt;
    }

    bool take(const std::vector<Numbered>& numbers, const Places& places, const std::vector<Parameter>& parameters) {
        for (std::size_t i = 0; i < numbers.size(); ++i) names_[numbers[i].number] = parameters[places[i]].name;
        return true;
    }

    Value like(const Value& dict) {
        const Value result = document_.pool().dict();
        result.node()->type = dict.node()->type;
        return result;
    }
    Value name_of(const Value& key) {
        const auto number = number_of(key);
        const auto found = number ? names_.find(*number) : names_.end();
        if (found == names_.end())
            refuse(fmt::format("the state '{}' is of no parameter that a group has", key_text(key)));
        return document_.pool().string(found->second);
    }
    Value name_group(const Value& group) {
        const Value result = like(group);
        for (const auto& [key, value] : group.dict().entries) {
            Value kept = value;
            if (is_key(key, "params")) {
                kept = document_.pool().list();
                for (const Value& param : value.sequence().items)
                    kept.sequence().items.push_back(param.is(Kind::kString) ? param : name_of(param));
            }
            result.dict().entries.emplace_back(key, kept);
        }
        return result;
    }

    Document& document_;
    Value optimizer_;
    std::string place_;
    std::vector<std::vector<Numbered>> groups_;
    std::map<std::int64_t, Value> states_;
    std::map<std::int64_t, std::string> names_;
    bool is_numbered_ = false;
};

struct Model {
    std::string path;
    std::vector<Parameter> parameters;
};

/// State dicts among the root's entries.
std::vector<Model> models_of(const DictNode& root) {
    std::vector<Model> models;
    for (const auto& [key, value] : root.entries) {
        if (!value.is(Kind::kDict) || is_optimizer(value)) continue;
        auto parameters = parameters_of(value.dict());
        if (!parameters.empty()) models.push_back({key_text(key), std::move(parameters)});
    }
    return models;
}

Value named(Document& document, const Value& optimizer, const std::string& path, const std::vector<Model>& models) {
    Naming naming(document, optimizer, path);
    if (!naming.is_numbered()) return optimizer;
    std::vector<std::map<std::int64_t, std::string>> found;
    std::string sizes;
    for (const Model& model : models) {
        if (naming.by_own_names(model.parameters) || naming.by_order(model.parameters)) found.push_back(naming.names());
        sizes += fmt::format("{}'{}' has {}", sizes.empty() ? "" : ", ", model.path, model.parameters.size());
    }
    if (found.empty()) {
        naming.refuse(fmt::format(
            "the names of its {} parameters cannot be told: {}", naming.count_text(),
            models.empty() ? std::string("there is no model beside it")
                           : sizes + ", and neither number nor shapes leave one way to place them in that order"));
    }
    if (found.size() > 1)
        naming.refuse(fmt::format("its {} parameters fit more than one model: {}", naming.count_text(), sizes));
    naming.set_names(std::move(found.front()));
    return naming.run();
}

}  // namespace

void to_sharded_keys(Document& document) {
    if (!document.root.is(Kind::kDict))
        throw_error(ErrorCode::kRefused, "holds a {}, not a training state", kind_name(document.root.kind()));
    Pool& pool = document.pool();
    const DictNode& old = document.root.dict();
    const Value* states = old.find("optimizer_states");
    const bool is_trainers = old.find("state_dict") != nullptr && old.find("model") == nullptr && states != nullptr &&
                             states->is(Kind::kList);
    const std::vector<Model> models = models_of(old);
    const Value root = pool.dict();
    root.node()->type = document.root.node()->type;
    auto& entries = root.dict().entries;
    for (const auto& [key, value] : old.entries) {
        if (is_trainers && is_key(key, "state_dict")) {
            entries.emplace_back(pool.string("model"), value);
            entries.emplace_back(key, value);
        } else if (is_trainers && is_key(key, "optimizer_states")) {
            std::size_t number = 0;
            for (const Value& state : states->sequence().items) {
                const std::string name = fmt::format("optimizer_{}", number++);
                if (old.find(name) != nullptr)
                    throw_error(ErrorCode::kRefused, "has '{}' beside optimizer_states", name);
                entries.emplace_back(pool.string(name),
                                     is_optimizer(state) ? named(document, state, key_text(key), models) : state);
            }
        } else if (is_optimizer(value)) {
            entries.emplace_back(key, named(document, value, key_text(key), models));
        } else {
            entries.emplace_back(key, value);
        }
    }
    document.root = root;
}

}  // namespace ckpt
