// Plain parameters wrapped as the candidates of other states are.
#include "libckpt/search_candidate.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "libckpt/error.hpp"
#include "libckpt/search_state.hpp"

namespace ckpt {
namespace {

constexpr unsigned kMostDepth = 200;          // of a candidate's parameters
constexpr std::size_t kMostValues = 1000000;  // of one, and of those that are compared with it

/// Counts what is looked at: values that are shared over and over look like more than any memory holds.
class Budget {
public:
    void spend() {
        if (++spent_ > kMostValues) throw_error(ErrorCode::kRefused, "a candidate of more than {} values", kMostValues);
    }

private:
    std::size_t spent_ = 0;
};

Value at(const Value& value, std::string_view key) {
    const Value* found = value.is(Kind::kDict) ? value.dict().find(key) : nullptr;
    return found != nullptr ? *found : Value();
}

std::optional<double> number(const Value& value) {
    if (value.is(Kind::kFloat)) return value.as_double();
    if (value.is(Kind::kBool)) return value.as_bool() ? 1 : 0;
    const auto whole = value.as_int64();
    return whole ? std::optional<double>(static_cast<double>(*whole)) : std::nullopt;
}
bool is_same_number(const Value& a, const Value& b) {
    const auto first = number(a), second = number(b);
    return first && second && *first == *second;
}

/// Whether two plain parameters are equal, as far as that can be seen: scalars, texts and containers of them.
bool is_equal(const Value& a, const Value& b, Budget& budget, unsigned depth = 0) {
    budget.spend();
    if (a == b) return true;
    if (a.kind() != b.kind() || depth > kMostDepth) return false;
    switch (a.kind()) {
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
            return a.type() == b.type() && is_same_number(a, b);
        case Kind::kString:
            return a.as_string() == b.as_string();
        case Kind::kBytes:
            return a.as_bytes() == b.as_bytes();
        case Kind::kList:
        case Kind::kTuple:
            return std::equal(a.sequence().items.begin(), a.sequence().items.end(), b.sequence().items.begin(),
                              b.sequence().items.end(),
                              [&](const Value& x, const Value& y) { return is_equal(x, y, budget, depth + 1); });
        case Kind::kDict:
            return std::equal(a.dict().entries.begin(), a.dict().entries.end(), b.dict().entries.begin(),
                              b.dict().entries.end(), [&](const auto& x, const auto& y) {
                                  return is_equal(x.first, y.first, budget, depth + 1) &&
                                         is_equal(x.second, y.second, budget, depth + 1);
                              });
        default:
            return false;
    }
}

/// A candidate as a search keeps its best: each choice wrapped together with the number of the option. A history has
/// the plain parameters alone; the best candidates of the inputs show which parameters are choices.
class CandidateMaker {
public:
    CandidateMaker(Pool& pool, const std::vector<Value>& examples) : pool_(pool), examples_(examples) {}

    Value make(const Value& plain) {
        const auto example = std::find_if(examples_.begin(), examples_.end(), [](const Value& one) {
            return one.is(Kind::kObject) && !candidate_parameters(one).is_null() && !(candidate_parameters(one) == one);
        });
        if (example == examples_.end()) return plain;  // a search that wraps nothing
        std::vector<Value> wrapped;
        for (const Value& one : examples_) {
            if (const Value value = at(state_of(one), "value"); !value.is_null()) wrapped.push_back(value);
        }
        return object_like(*example, {{"value", wrap(plain, wrapped, 0)}, {"unwrapped_value", plain}});
    }
    /// Choices whose number no input tells.
    std::size_t unknown() const noexcept { return unknown_; }

private:
    static constexpr std::int64_t kUnknownOption = -1;  // equal to no option, so the choice is drawn anew

    static Value state_of(const Value& object) {
        return object.is(Kind::kObject) && object.node()->recipe ? object.node()->recipe->state : Value();
    }
    static bool is_choice(const Value& value) {
        const Value state = state_of(value);
        return state.is(Kind::kDict) && state.dict().find("value") != nullptr && state.dict().find("aux") != nullptr;
    }
    Value object_like(const Value& example, const std::vector<std::pair<std::string_view, Value>>& fields) {
        auto* object = pool_.make<ObjectNode>();
        object->type = example.node()->type;
        object->recipe = std::make_unique<Recipe>(*example.node()->recipe);
        object->recipe->state = pool_.dict();
        for (const auto& [name, value] : fields)
            object->recipe->state.dict().entries.emplace_back(pool_.string(std::string(name)), value);
        return Value::of(object);
    }
    static Value unwrapped(const Value& value) { return is_choice(value) ? at(state_of(value), "value") : value; }

    Value wrap(const Value& plain, const std::vector<Value>& examples, unsigned depth) {
        if (depth > kMostDepth) throw_error(ErrorCode::kRefused, "a candidate of more than {} levels", kMostDepth);
        budget_.spend();
        const auto choice = std::find_if(examples.begin(), examples.end(), is_choice);
        if (choice != examples.end()) {
            Value option;
            std::vector<Value> inner;
            for (const Value& one : examples) {
                if (!is_choice(one)) continue;
                inner.push_back(unwrapped(one));
                if (option.is_null() && is_like(plain, unwrapped(one), depth)) option = at(state_of(one), "aux");
            }
            if (option.is_null()) {
                option = Value::integer(kUnknownOption);
                inner.clear();  // of other options
                ++unknown_;
            }
            return object_like(*choice, {{"value", wrap(plain, inner, depth + 1)}, {"aux", option}});
        }
        if (plain.is(Kind::kDict) && plain.type().empty()) {
            const Value dict = pool_.dict();
            for (const auto& [key, value] : plain.dict().entries) {
                std::vector<Value> below;
                for (const Value& one : examples) {
                    if (!one.is(Kind::kDict) || !key.is(Kind::kString)) continue;
                    if (const Value* found = one.dict().find(key.as_string())) below.push_back(*found);
                }
                dict.dict().entries.emplace_back(key, wrap(value, below, depth + 1));
            }
            return dict;
        }
        if (plain.is(Kind::kList) && plain.type().empty()) {
            const Value list = pool_.list();
            const std::vector<Value>& items = plain.sequence().items;
            for (std::size_t i = 0; i < items.size(); ++i) {
                std::vector<Value> below;
                for (const Value& one : examples) {
                    if (one.is(Kind::kList) && i < one.sequence().items.size())
                        below.push_back(one.sequence().items[i]);
                }
                list.sequence().items.push_back(wrap(items[i], below, depth + 1));
            }
            return list;
        }
        return plain;
    }

    /// Whether `plain` may be what a choice came to, which may have choices in it.
    bool is_like(const Value& plain, const Value& chosen, unsigned depth) {
        if (depth > kMostDepth) return false;
        const Value inner = unwrapped(chosen);
        if (plain.is(Kind::kDict) && inner.is(Kind::kDict)) {
            return std::equal(plain.dict().entries.begin(), plain.dict().entries.end(), inner.dict().entries.begin(),
                              inner.dict().entries.end(), [this](const auto& x, const auto& y) {
                                  return is_equal(x.first, y.first, budget_);  // its parameters may differ
                              });
        }
        return is_equal(plain, inner, budget_);
    }

    Pool& pool_;
    const std::vector<Value>& examples_;
    Budget budget_;
    std::size_t unknown_ = 0;
};

}  // namespace

Value search_candidate(Pool& pool, const Value& plain, const std::vector<Value>& examples, std::size_t& unknown) {
    CandidateMaker maker(pool, examples);
    const Value made = maker.make(plain);
    unknown = maker.unknown();
    return made;
}

}  // namespace ckpt
