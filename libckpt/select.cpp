// Rebuilding the containers around what is kept.
#include "libckpt/select.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

/// What the rules say of one path, and what they can still say of the paths below it. Two places with one state are
/// judged alike all the way down, so a state is kept small: rules that cannot match any more, or would change nothing,
/// are not in it.
class RuleStates {
public:
    using Id = std::uint32_t;

    explicit RuleStates(const std::vector<Selection::Rule>& rules) {
        for (const auto& rule : rules) {
            std::uint32_t rest = kNothingLeft;
            const auto& parts = rule.glob.parts();
            for (auto it = parts.rbegin(); it != parts.rend(); ++it) rest = intern_rest(*it, rest);
            if (rest != kNothingLeft) first_rests_.push_back({rule.keep, rest});  // an empty pattern is the root alone
        }
    }

    /// The state at the root, above the first component; `taken`: what holds where no rule matches.
    Id start(bool taken) {
        State state{taken, {}};
        for (const auto& [keep, rest] : first_rests_) {
            std::vector<std::uint32_t> rests;
            add_rest(rest, rests);
            add_rule(state, keep, std::move(rests));
        }
        return intern(std::move(state));
    }

    /// One (escaped) component on.
    Id step(Id from, std::string_view component) {
        if (states_[from]->live.empty()) return from;
        State state{states_[from]->taken, {}};
        for (const auto& [keep, old_rests] : states_[from]->live) {
            std::vector<std::uint32_t> rests;
            for (const std::uint32_t rest : old_rests) {
                if (rests_[rest].part == "**") {
                    add_rest(rest, rests);
                } else if (Glob::part_matches(rests_[rest].part, component)) {
                    add_rest(rests_[rest].next, rests);
                }
            }
            add_rule(state, keep, std::move(rests));
        }
        return intern(std::move(state));
    }

    bool takes(Id state) const { return states_[state]->taken; }

private:
    /// What is left of a pattern: a part, and what is left after it. Equal tails of patterns are one.
    struct Rest {
        std::string part;
        std::uint32_t next = 0;
    };
    static constexpr std::uint32_t kNothingLeft = 0;

    struct Live {
        bool keep;
        std::vector<std::uint32_t> rests;  ///< any of them; ascending
        auto operator<=>(const Live&) const = default;
    };
    struct State {
        bool taken;
        std::vector<Live> live;  ///< in order; keep and drop take turns, the first would change what is taken
        auto operator<=>(const State&) const = default;
    };

    std::uint32_t intern_rest(const std::string& part, std::uint32_t next) {
        const auto [it, is_new] = rest_ids_.try_emplace({part, next}, static_cast<std::uint32_t>(rests_.size()));
        if (is_new) rests_.push_back({part, next});
        return it->second;
    }

    /// Adds a rest, and what follows it where it may stand for no component.
    void add_rest(std::uint32_t rest, std::vector<std::uint32_t>& rests) const {
        for (;; rest = rests_[rest].next) {
            const auto place = std::lower_bound(rests.begin(), rests.end(), rest);
            if (place != rests.end() && *place == rest) return;
            rests.insert(place, rest);
            if (rest == kNothingLeft || rests_[rest].part != "**") return;
        }
    }

    /// Adds a rule after those that the state has: it outweighs them.
    static void add_rule(State& state, bool keep, std::vector<std::uint32_t> rests) {
        if (rests.empty()) return;
        if (rests.front() == kNothingLeft) {  // it matches, here and all the way down
            state.taken = keep;
            state.live.clear();
        } else if (state.live.empty() && keep == state.taken) {
            return;
        } else if (!state.live.empty() && state.live.back().keep == keep) {
            auto& merged = state.live.back().rests;
            std::vector<std::uint32_t> both;
            std::set_union(merged.begin(), merged.end(), rests.begin(), rests.end(), std::back_inserter(both));
            merged = std::move(both);
        } else {
            state.live.push_back({keep, std::move(rests)});
        }
    }

    Id intern(State state) {
        const auto [it, is_new] = ids_.try_emplace(std::move(state), static_cast<Id>(states_.size()));
        if (is_new) states_.push_back(&it->first);
        return it->second;
    }

    std::vector<Rest> rests_{{}};
    std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> rest_ids_;
    std::vector<std::pair<bool, std::uint32_t>> first_rests_;
    std::map<State, Id> ids_;
    std::vector<const State*> states_;  ///< keys of `ids_`, which stay where they are
};

std::size_t item_count(const Value& value) {
    return value.is(Kind::kDict) ? value.dict().entries.size() : value.sequence().items.size();
}
bool is_container(const Value& value) {
    return value.is(Kind::kDict) || ((value.is(Kind::kList) || value.is(Kind::kTuple)) && value.type().empty());
}
/// Empty containers are taken or not, like leaves.
bool is_opened(const Value& value) {
    return is_container(value) && item_count(value) > 0;
}

/// Every container is looked at once for each state of the rules in which it is met: that is a place. Places and what
/// is kept in them form a graph, which is found first (`explore`) and built afterwards (`build`), since a place may
/// lead back to one that is not finished.
class Selector {
public:
    Selector(const Document& document, const Selection& selection, Side side)
        : document_(document),
          selection_(selection),
          side_(side),
          roles_(classify_roles(document)),
          rules_(with_deep_parts()) {}

    /// An object that is looked into, because it holds parts with roles of their own: its fields are its items.
    bool is_looked_into(const Value& value) const { return value.is(Kind::kObject) && value.node() == inner_object_; }
    bool opens(const Value& value) const { return is_opened(value) || is_looked_into(value); }
    std::size_t items_of(const Value& value) const {
        return is_looked_into(value) ? value.node()->recipe->state.dict().entries.size() : item_count(value);
    }

    /// Which entry of the root holds parts with roles of their own, and whether it is an object of nothing but fields.
    void find_inner_parts() {
        if (roles_.inner_parts.empty() || !document_.root.is(Kind::kDict)) return;
        const std::string& first = roles_.inner_parts.front().first;
        const auto below = children(document_.root);
        for (std::size_t i = 0; i < below.size(); ++i) {
            if (below[i].component != first.substr(0, first.find('/'))) continue;
            inner_entry_ = i;
            inner_name_ = below[i].component;
            const Value& value = below[i].value;
            if (!value.is(Kind::kObject)) return;
            const Recipe* recipe = value.node()->recipe.get();
            const bool is_fields = recipe != nullptr && recipe->state.is(Kind::kDict) &&
                                   children(value).size() == recipe->state.dict().entries.size();
            if (is_fields) inner_object_ = value.node();
        }
    }

    Selected run() {
        find_inner_parts();
        Selected result;
        result.document.adopt_pools(document_);
        result.document.format = document_.format;
        result.document.attributes = document_.attributes;
        result.document.producer = document_.producer;
        if (is_opened(document_.root)) {
            explore();
            build(result.document.pool());
            result.document.root = places_[0].result;
            const auto model = selection_.model_only && side_ == Side::kTaken ? only_model() : std::nullopt;
            const auto& kept = places_[0].edges;
            if (model && kept.size() == 1 && kept[0].index == *model) result.document.root = result_of(kept[0]);
            if (selection_.model_only && side_ == Side::kTaken && kept.size() == 1 && kept[0].index == inner_entry_)
                result.document.root = inner_model(result_of(kept[0]));
        }
        const bool has_root = is_opened(document_.root) ? !places_[0].edges.empty() : takes_root() == wants_taken();
        if (!has_root) {
            result.document.root = result.document.pool().dict();
        } else if (!is_opened(document_.root)) {
            result.document.root = document_.root;
        }
        count(result);
        return result;
    }

private:
    static constexpr std::size_t kNoPlace = std::numeric_limits<std::size_t>::max();

    /// Something that a place keeps: a leaf, or what another place keeps.
    struct Edge {
        std::size_t index;  ///< among the items or entries
        Value leaf;
        std::size_t place = kNoPlace;
    };
    struct Place {
        Value source;
        RuleStates::Id state;
        std::vector<Edge> edges;  ///< none: nothing is kept, once it is finished
        std::size_t same_as;      ///< itself, or an earlier place of the same container that keeps the same
        bool changed = false;
        Value result;
    };
    struct Frame {
        std::size_t place;
        std::vector<Child> below;
        std::size_t next = 0;
    };

    /// The model's parts in the entry that holds them: as a dict, or the one that there is.
    static Value inner_model(const Value& entry) {
        const Value parts = entry.is(Kind::kObject) ? entry.node()->recipe->state : entry;
        const bool is_alone = parts.is(Kind::kDict) && parts.dict().entries.size() == 1;
        return is_alone ? parts.dict().entries.front().second : parts;
    }

    bool wants_taken() const { return side_ == Side::kTaken; }

    /// Which top-level entry is the model, where exactly one is and it is not the whole.
    std::optional<std::size_t> only_model() const {
        std::optional<std::size_t> found;
        if (roles_.whole_is_model || !document_.root.is(Kind::kDict)) return found;
        for (std::size_t i = 0; i < std::min(roles_.parts.size(), item_count(document_.root)); ++i) {
            if (roles_.parts[i].second != Role::kModel) continue;
            if (found) return std::nullopt;
            found = i;
        }
        return found;
    }

    /// The rules, behind such as take or leave parts that have a role of their own further down.
    std::vector<Selection::Rule> with_deep_parts() const {
        std::vector<Selection::Rule> rules;
        for (const auto& [path, role] : roles_.deep_parts) {
            const bool is_plain = path.find_first_of("*?[\\") == std::string::npos;
            if (is_plain && !selection_.roles.empty()) rules.push_back({takes_role(role), Glob(path)});
        }
        rules.insert(rules.end(), selection_.rules.begin(), selection_.rules.end());
        return rules;
    }

    /// Whether a part is taken when no rule matches.
    bool takes_role(Role role) const {
        if (selection_.model_only) return role == Role::kModel;
        if (!selection_.roles.empty()) {
            const auto is_wanted = [&](Role wanted) {
                return std::find(selection_.roles.begin(), selection_.roles.end(), wanted) != selection_.roles.end();
            };
            const Role also = roles_.model_is_averaged ? Role::kAveraged : Role::kTrained;
            return is_wanted(role) || (role == Role::kModel && is_wanted(also));
        }
        // A first rule that selects starts from nothing; one that drops, from everything.
        return selection_.rules.empty() || !selection_.rules.front().keep;
    }

    /// A root without parts.
    bool takes_root() const {
        bool taken = takes_role(roles_.role_of(""));
        for (const auto& rule : selection_.rules) {
            if (rule.glob.matches("")) taken = rule.keep;
        }
        return taken;
    }

    RuleStates::Id state_below(std::size_t place, std::size_t index, std::string_view component) {
        if (place != 0 && place == inner_place_) {
            const std::string path = inner_name_ + "/" + std::string(component);
            for (const auto& [part, role] : roles_.inner_parts) {
                if (part == path)
                    return rules_.step(rules_.step(rules_.start(takes_role(role)), inner_name_), component);
            }
        }
        if (place != 0) return rules_.step(places_[place].state, component);
        Role role = roles_.whole_is_model ? Role::kModel : Role::kOther;
        if (index < roles_.parts.size()) role = roles_.parts[index].second;
        return rules_.step(rules_.start(takes_role(role)), component);
    }

    void explore() {
        std::vector<Frame> stack;
        std::unordered_map<const Node*, std::size_t> open;  // the places on the way down
        const auto enter = [&](const Value& value, RuleStates::Id state) {
            const std::size_t place = places_.size();
            places_.push_back({value, state, {}, place, false, {}});
            places_of_[value.node()].push_back(place);
            open.emplace(value.node(), place);
            Frame frame{place, children(value)};
            frame.below.resize(items_of(value));  // `__dict__` goes with the container
            stack.push_back(std::move(frame));
        };
        enter(document_.root, rules_.start(true));
        while (!stack.empty()) {
            Frame& frame = stack.back();
            const std::size_t place = frame.place;
            if (frame.next == frame.below.size()) {
                settle(place);
                open.erase(places_[place].source.node());
                stack.pop_back();
                if (!stack.empty()) keep_place(stack.back(), place);
                continue;
            }
            const std::size_t index = frame.next++;
            const Child& child = frame.below[index];
            const RuleStates::Id state = state_below(place, index, child.component);
            if (!opens(child.value)) {
                if (rules_.takes(state) == wants_taken())
                    places_[place].edges.push_back({index, child.value, kNoPlace});
            } else if (const auto above = open.find(child.value.node()); above != open.end()) {
                if (rules_.takes(state) == wants_taken()) places_[place].edges.push_back({index, {}, above->second});
            } else if (const std::size_t known = find_place(child.value.node(), state); known != kNoPlace) {
                keep_place(frame, known);
            } else {
                if (place == 0 && index == inner_entry_) inner_place_ = places_.size();
                enter(child.value, state);
            }
        }
    }

    /// The finished place of a container in a state.
    std::size_t find_place(const Node* node, RuleStates::Id state) const {
        const auto known = places_of_.find(node);
        if (known == places_of_.end()) return kNoPlace;
        const auto found = std::find_if(known->second.begin(), known->second.end(),
                                        [&](std::size_t place) { return places_[place].state == state; });
        return found != known->second.end() ? *found : kNoPlace;
    }

    /// Notes that the child which was looked at last is a place, unless nothing is kept there.
    void keep_place(const Frame& above, std::size_t place) {
        if (places_[place].edges.empty()) return;
        places_[above.place].edges.push_back({above.next - 1, {}, places_[place].same_as});
    }

    /// A finished place that keeps the same as another of its container is that one, so that what was shared stays so.
    void settle(std::size_t place) {
        Place& settled = places_[place];
        settled.changed = settled.edges.size() != items_of(settled.source);
        for (const std::size_t other : places_of_[settled.source.node()]) {
            if (other == place) return;
            const auto& others = places_[other].edges;
            const auto is_same = [&](const Edge& a, const Edge& b) {
                return a.index == b.index && (a.place == b.place || (a.place == other && b.place == place));
            };
            if (std::equal(others.begin(), others.end(), settled.edges.begin(), settled.edges.end(), is_same)) {
                settled.same_as = places_[other].same_as;
                return;
            }
        }
    }

    const Value& result_of(const Edge& edge) const {
        return edge.place == kNoPlace ? edge.leaf : places_[places_[edge.place].same_as].result;
    }

    void build(Pool& pool) {
        // What holds something that changed has changed.
        std::vector<std::vector<std::size_t>> above(places_.size());
        std::vector<std::size_t> todo;
        for (std::size_t i = 0; i < places_.size(); ++i) {
            if (places_[i].changed) todo.push_back(i);
            for (const auto& edge : places_[i].edges) {
                if (edge.place != kNoPlace) above[places_[edge.place].same_as].push_back(i);
            }
        }
        while (!todo.empty()) {
            const std::size_t place = todo.back();
            todo.pop_back();
            for (const std::size_t holder : above[place]) {
                if (std::exchange(places_[holder].changed, true)) continue;
                todo.push_back(holder);
            }
        }
        for (std::size_t i = 0; i < places_.size(); ++i) {
            if (places_[i].same_as == i && !places_[i].edges.empty())
                places_[i].result = places_[i].changed ? like(pool, places_[i].source) : places_[i].source;
        }
        for (std::size_t i = 0; i < places_.size(); ++i) {
            const Place& place = places_[i];
            if (place.same_as != i || !place.changed || place.edges.empty()) continue;
            for (const auto& edge : place.edges) {
                if (place.source.is(Kind::kObject)) {
                    place.result.node()->recipe->state.dict().entries.emplace_back(
                        place.source.node()->recipe->state.dict().entries[edge.index].first, result_of(edge));
                } else if (place.source.is(Kind::kDict)) {
                    place.result.dict().entries.emplace_back(place.source.dict().entries[edge.index].first,
                                                             result_of(edge));
                } else {
                    place.result.sequence().items.push_back(result_of(edge));
                }
            }
        }
    }

    /// An empty container of the same class.
    static Value like(Pool& pool, const Value& value) {
        const Node& source = *value.node();
        Node* node = nullptr;
        if (value.is(Kind::kDict)) {
            node = pool.make<DictNode>();
        } else if (value.is(Kind::kObject)) {
            node = pool.make<ObjectNode>();
        } else {
            node = pool.make<SequenceNode>(value.kind());
        }
        node->type = source.type;
        if (source.recipe) node->recipe = std::make_unique<Recipe>(*source.recipe);
        if (value.is(Kind::kObject)) node->recipe->state = pool.dict();
        if (source.attributes) node->attributes = std::make_unique<NamedValues>(*source.attributes);
        return Value::of(node);
    }

    static void count(Selected& result) {
        walk(result.document.root, [&](const Visit& visit) {
            if (visit.value.is(Kind::kTensor)) {
                ++result.tensors;
                ++result.leaves;
                return WalkStep::kOver;
            }
            if (!is_container(visit.value)) ++result.leaves;
            return WalkStep::kInto;
        });
    }

    const Document& document_;
    const Selection& selection_;
    Side side_;
    Roles roles_;
    RuleStates rules_;
    std::size_t inner_entry_ = std::numeric_limits<std::size_t>::max();  ///< of the root: holds parts with roles
    std::string inner_name_;
    const Node* inner_object_ = nullptr;
    std::size_t inner_place_ = std::numeric_limits<std::size_t>::max();
    std::vector<Place> places_;  ///< the root's first
    std::unordered_map<const Node*, std::vector<std::size_t>> places_of_;
};

}  // namespace

Selected select(const Document& document, const Selection& selection, Side side) {
    if (selection.model_only && !selection.roles.empty())
        throw_error(ErrorCode::kUsage, "the model only and roles exclude each other: the model is a role");
    return Selector(document, selection, side).run();
}

}  // namespace ckpt
