// Names of parameters to their numbers, parts to their places.
#include "libckpt/trainer_keys.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <unordered_map>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt {
namespace {

/// In the order of a Trainer's own file; what it does not have stands behind them.
constexpr std::string_view kOrder[] = {"epoch", "global_step", "pytorch-lightning_version", "state_dict",
                                       "loops", "callbacks",   "optimizer_states",          "lr_schedulers"};

bool is_key(const Value& key, std::string_view text) {
    return key.is(Kind::kString) && key.as_string() == text;
}

/// "optimizer" is 0, "optimizer_3" is 3.
std::optional<std::size_t> optimizer_number(const Value& key) {
    constexpr std::string_view kName = "optimizer", kNumbered = "optimizer_";
    if (!key.is(Kind::kString)) return std::nullopt;
    const std::string_view text = key.as_string();
    if (text == kName) return 0;
    if (!text.starts_with(kNumbered)) return std::nullopt;
    const std::string_view digits = text.substr(kNumbered.size());
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc() && end == digits.data() + digits.size() ? std::optional(number) : std::nullopt;
}

class Renumbering {
public:
    Renumbering(Document& document, std::string place) : document_(document), place_(std::move(place)) {}

    Value run(const Value& optimizer) {
        if (!optimizer.is(Kind::kDict)) return optimizer;
        const Value* state = optimizer.dict().find("state");
        const Value* groups = optimizer.dict().find("param_groups");
        if (groups == nullptr || !groups->is(Kind::kList)) return optimizer;
        const Value numbered = number_groups(*groups);
        const Value result = like(optimizer);
        for (const auto& [key, value] : optimizer.dict().entries) {
            Value kept = value;
            if (is_key(key, "param_groups")) kept = numbered;
            if (is_key(key, "state") && state->is(Kind::kDict)) kept = number_state(*state);
            result.dict().entries.emplace_back(key, kept);
        }
        return result;
    }

private:
    Value like(const Value& dict) {
        const Value result = document_.pool().dict();
        result.node()->type = dict.node()->type;
        return result;
    }

    /// The groups with numbers for their parameters, which count on from group to group.
    Value number_groups(const Value& groups) {
        const Value result = document_.pool().list();
        for (const Value& group : groups.sequence().items) {
            const Value* params = group.is(Kind::kDict) ? group.dict().find("params") : nullptr;
            if (params == nullptr || !params->is(Kind::kList))
                throw_error(ErrorCode::kRefused, "'{}/param_groups': a group without a list of params", place_);
            const Value numbers = document_.pool().list();
            for (const Value& param : params->sequence().items) {
                const auto number = static_cast<std::int64_t>(count_++);
                if (param.is(Kind::kString)) numbers_.emplace(param.as_string(), number);
                numbers.sequence().items.push_back(param.is(Kind::kString) ? Value::integer(number) : param);
            }
            const Value renamed = like(group);
            for (const auto& [key, value] : group.dict().entries)
                renamed.dict().entries.emplace_back(key, is_key(key, "params") ? numbers : value);
            result.sequence().items.push_back(renamed);
        }
        return result;
    }

    Value number_state(const Value& state) const {
        std::map<std::int64_t, Value> by_number;
        for (const auto& [key, value] : state.dict().entries) by_number.emplace(number_of(key), value);
        const Value result = document_.pool().dict();
        for (const auto& [number, value] : by_number) result.dict().entries.emplace_back(Value::integer(number), value);
        return result;
    }

    std::int64_t number_of(const Value& key) const {
        if (const auto number = key.as_int64()) return *number;
        if (key.is(Kind::kString)) {
            const std::string text(key.as_string());
            if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
            // A distributed checkpoint has numbers as text.
            std::int64_t number = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (error == std::errc() && end == text.data() + text.size() && numbers_.empty()) return number;
        }
        throw_error(ErrorCode::kRefused, "'{}/state/{}' is of no parameter that a group has", place_, key_text(key));
    }

    Document& document_;
    std::string place_;
    std::unordered_map<std::string, std::int64_t> numbers_;  // by name
    std::size_t count_ = 0;
};

}  // namespace

void to_trainer_keys(Document& document) {
    if (!document.root.is(Kind::kDict))
        throw_error(ErrorCode::kRefused, "holds a {}, not a training state", kind_name(document.root.kind()));
    Pool& pool = document.pool();
    const DictNode& old = document.root.dict();
    const bool has_state_dict = old.find("state_dict") != nullptr;
    if (!has_state_dict && old.find("model") == nullptr)
        throw Error(ErrorCode::kRefused, "has neither 'state_dict' nor 'model': nothing a Trainer could resume from");
    std::vector<std::pair<Value, Value>> entries;
    std::map<std::size_t, Value> optimizers;
    for (const auto& [key, value] : old.entries) {
        if (const auto number = optimizer_number(key)) {
            if (!optimizers.emplace(*number, Renumbering(document, key_text(key)).run(value)).second)
                throw_error(ErrorCode::kRefused, "'{}': there are two optimizers of the number {}", key_text(key),
                            *number);
        } else if (is_key(key, "model") && has_state_dict && value == *old.find("state_dict")) {
            continue;  // one thing by both names, for either strategy
        } else if (is_key(key, "model") && !has_state_dict) {
            entries.emplace_back(pool.string("state_dict"), value);
        } else {
            entries.emplace_back(key, value);
        }
    }
    if (!optimizers.empty()) {
        const Value list = pool.list();
        for (const auto& [number, optimizer] : optimizers) list.sequence().items.push_back(optimizer);
        entries.emplace_back(pool.string("optimizer_states"), list);
    }
    const auto rank = [](const std::pair<Value, Value>& entry) {
        return std::find_if(std::begin(kOrder), std::end(kOrder),
                            [&](std::string_view name) { return is_key(entry.first, name); });
    };
    std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    const Value root = pool.dict();
    root.dict().entries = std::move(entries);
    document.root = root;
}

}  // namespace ckpt
