// Joining the states of searches: caches, histories, pruners, the best.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/merge.hpp"
#include "libckpt/search_candidate.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kMostTop = 10000;  // candidates that a pruner keeps; they are compared with each other
constexpr std::size_t kNoEntry = static_cast<std::size_t>(-1);

using Items = std::vector<Value>;

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
bool is_nan(const Value& value) {
    const auto found = number(value);
    return found && std::isnan(*found);
}
bool is_same_number(const Value& a, const Value& b) {
    const auto first = number(a), second = number(b);
    return first && second && *first == *second;
}

/// What a history tells of the evaluations that ended in one way: a list per fact, one entry per evaluation.
struct Outcome {
    std::array<std::string_view, 5> lists;
    std::string_view times;  ///< one of the lists, in seconds since the start
};
constexpr std::array<Outcome, 3> kOutcomes = {{
    {{"log_candidate", "log_types", "log_f", "log_finished_at", "log_runtime"}, "log_finished_at"},
    {{"pruned_candidates", "pruned_types", "pruned_finished_at", "pruned_runtime", ""}, "pruned_finished_at"},
    {{"nan_candidates", "nan_types", "nan_finished_at", "nan_runtime", ""}, "nan_finished_at"},
}};
constexpr std::size_t kEvaluated = 0, kPruned = 1, kNan = 2;

/// One search, its history by outcome, and which key of its cache belongs to which evaluation.
class History {
public:
    History(const MergeInput& input, std::size_t number) : name(input.name), root(input.document.root), place(number) {
        history = at(root, "history");
        for (std::size_t outcome = 0; outcome < kOutcomes.size(); ++outcome) {
            for (const auto list : kOutcomes[outcome].lists) read_list(outcome, list);
            keys[outcome].assign(counts[outcome], kNoEntry);
        }
        const Value held = at(at(root, "cache"), "cache");
        if (held.is(Kind::kDict)) cache = &held.dict().entries;
        if (cache == nullptr || cache->empty()) return;
        if (!match_in_order()) match_what_occurs_once();
    }

    /// The entries of a list; empty where the state does not keep it.
    const Items& list(std::string_view list_name) const {
        static const Items kNone;
        const Value found = at(history, list_name);
        return found.is(Kind::kList) || found.is(Kind::kTuple) ? found.sequence().items : kNone;
    }
    /// The bytes of an evaluation's key, or empty.
    std::string_view key(std::size_t outcome, std::size_t i) const {
        const std::size_t entry = keys[outcome][i];
        return entry != kNoEntry ? key_bytes(entry) : std::string_view();
    }
    std::string_view key_bytes(std::size_t entry) const {
        const Value& bytes = (*cache)[entry].first;
        return bytes.is(Kind::kBytes) ? bytes.as_bytes() : std::string_view();
    }
    std::size_t evaluations() const { return counts[kEvaluated] + counts[kPruned] + counts[kNan]; }
    std::size_t without_key() const {
        std::size_t count = 0;
        for (const auto& outcome : keys)
            count += static_cast<std::size_t>(std::count(outcome.begin(), outcome.end(), kNoEntry));
        return count;
    }

    std::string name;
    Value root;
    std::size_t place;
    Value history;
    std::array<std::size_t, 3> counts{};           ///< evaluations by outcome
    std::array<std::vector<std::size_t>, 3> keys;  ///< of each, its entry in the cache
    const std::vector<std::pair<Value, Value>>* cache = nullptr;

private:
    void read_list(std::size_t outcome, std::string_view list_name) {
        if (list_name.empty()) return;
        const Value found = at(history, list_name);
        const bool is_list = found.is_null() || found.is(Kind::kList) || found.is(Kind::kTuple);
        if (!is_list)
            throw_error(ErrorCode::kRefused, "{}: 'history/{}' is a {}, not a list", name, list_name,
                        kind_name(found.kind()));
        const std::size_t size = list(list_name).size();
        if (size == 0) return;  // a history without candidates keeps the rest
        if (counts[outcome] != 0 && counts[outcome] != size)
            throw_error(ErrorCode::kRefused, "{}: 'history/{}' has {} entries, the lists beside it {}", name, list_name,
                        size, counts[outcome]);
        counts[outcome] = size;
    }

    double time(std::size_t outcome, std::size_t i) const {
        const Items& times = list(kOutcomes[outcome].times);
        return i < times.size() ? number(times[i]).value_or(0) : 0;
    }

    /// The cache is in the order of evaluation, and so is each list: where there is a key for each evaluation, the
    /// results and then the times say how the lists interleave.
    bool match_in_order() {
        if (cache->size() != evaluations()) return false;
        std::array<std::size_t, 3> next{};
        const Items& results = list("log_f");
        std::array<std::vector<std::size_t>, 3> found;
        for (std::size_t entry = 0; entry < cache->size(); ++entry) {
            const Value& result = (*cache)[entry].second;
            std::optional<std::size_t> best;
            for (std::size_t outcome = 0; outcome < kOutcomes.size(); ++outcome) {
                const std::size_t i = next[outcome];
                if (i == counts[outcome]) continue;
                if (outcome == kEvaluated && (i >= results.size() || !is_same_number(results[i], result))) continue;
                if (outcome == kNan && !is_nan(result)) continue;
                if (!best || time(outcome, i) < time(*best, next[*best])) best = outcome;
            }
            if (!best) return false;
            found[*best].push_back(entry);
            ++next[*best];
        }
        keys = std::move(found);
        return true;
    }

    /// Some evaluations have no key, or some keys no evaluation: a result that occurs once in both is one evaluation.
    void match_what_occurs_once() {
        std::map<double, std::pair<std::size_t, std::size_t>> seen;  // how often, and where last
        for (std::size_t entry = 0; entry < cache->size(); ++entry) {
            const auto result = number((*cache)[entry].second);
            if (!result || std::isnan(*result)) continue;
            auto& [count, last] = seen[*result];
            ++count;
            last = entry;
        }
        const Items& results = list("log_f");
        std::map<double, std::size_t> logged;
        for (const Value& item : results) {
            const auto result = number(item);
            if (result && !std::isnan(*result)) ++logged[*result];
        }
        for (std::size_t i = 0; i < results.size(); ++i) {
            const auto result = number(results[i]);
            if (!result || std::isnan(*result) || logged[*result] != 1) continue;
            const auto found = seen.find(*result);
            if (found != seen.end() && found->second.first == 1) keys[kEvaluated][i] = found->second.second;
        }
    }
};

class SearchJoiner {
public:
    SearchJoiner(std::span<const MergeInput> inputs, const HistoryOptions& options, const Context& context)
        : inputs_(inputs), options_(options), context_(context) {
        for (const MergeInput& input : inputs_) {
            document_.adopt_pools(input.document);
            histories_.emplace_back(input, histories_.size());
        }
        document_.format = inputs_.front().document.format;
        document_.producer = inputs_.front().document.producer;
        document_.attributes = inputs_.front().document.attributes;
    }

    Document run() {
        refuse_other_kinds();
        choose_direction();
        join_evaluations();
        const Value root = document_.root = document_.pool().dict();
        const auto put = [&](const Value& key, Value value) { root.dict().entries.emplace_back(key, value); };
        const Value cache = joined_cache();
        const Value history = joined_history();
        const auto pruner = joined_pruner();
        bool has_pruner = false;
        for (const auto& [key, value] : inputs_.front().document.root.dict().entries) {
            const std::string_view name = key.is(Kind::kString) ? key.as_string() : std::string_view();
            if (name == "best_solution" && pruner && !has_pruner) put(document_.pool().string("pruner"), *pruner);
            if (name == "pruner") has_pruner = true;
            put(key, name == "run_context"     ? Value::null()
                     : name == "cache"         ? cache
                     : name == "best_f"        ? best_f_
                     : name == "history"       ? history
                     : name == "pruner"        ? pruner.value_or(value)
                     : name == "best_solution" ? best_solution()
                                               : value);
        }
        tell();
        return std::move(document_);
    }

private:
    struct Evaluation {
        const History* from;
        std::size_t i;
    };

    /// Versions differ in what they keep as the best candidate.
    void refuse_other_kinds() const {
        const auto kind_of = [](const Value& root) {
            const Value best = at(root, "best_solution");
            return best.is_null()           ? std::string()
                   : best.is(Kind::kObject) ? std::string(best.type())
                                            : "dict of plain values";
        };
        const History* first = nullptr;
        for (const History& one : histories_) {
            const std::string kind = kind_of(one.root);
            if (kind.empty()) continue;
            if (first == nullptr) first = &one;
            if (kind_of(first->root) != kind)
                throw_error(ErrorCode::kRefused,
                            "the searches are of different versions: the best candidate of {} is a {}, that of {} a {}",
                            first->name, kind_of(first->root), one.name, kind);
        }
    }

    void choose_direction() {
        direction_ = options_.direction;
        const History* shown_by = nullptr;
        for (const History& one : histories_) {
            if (direction_ != SearchDirection::kUnknown && shown_by == nullptr) break;  // it was given
            const auto summary = summarize_search(one.root);
            if (!summary || summary->direction == SearchDirection::kUnknown) continue;
            if (shown_by == nullptr) {
                shown_by = &one;
                direction_ = summary->direction;
            } else if (summary->direction != direction_) {
                throw_error(ErrorCode::kRefused, "{} looks for the {}, {} for the {}; a direction must be given",
                            shown_by->name, direction_ == SearchDirection::kMax ? "maximum" : "minimum", one.name,
                            direction_ == SearchDirection::kMax ? "minimum" : "maximum");
            }
        }
        if (direction_ != SearchDirection::kUnknown) return;
        std::optional<double> any;
        const auto meet = [&](const Value& result) {
            const auto found = number(result);
            if (!found || std::isnan(*found)) return;
            if (any && *any != *found)
                throw Error(ErrorCode::kRefused,
                            "no history shows whether the least or the greatest result is the best; a direction must "
                            "be given");
            any = found;
        };
        for (const History& one : histories_) {
            meet(at(one.root, "best_f"));
            for (const Value& result : one.list("log_f")) meet(result);
        }
        direction_ = SearchDirection::kMin;  // all results are equal
    }

    bool is_better(double a, const std::optional<double>& than) const {
        return !than || (direction_ == SearchDirection::kMax ? a > *than : a < *than);
    }

    /// Which evaluations stay: each candidate once, its result before other outcomes.
    void join_evaluations() {
        std::unordered_set<std::string_view> kept, with_result;
        std::unordered_map<std::string_view, Value> results;
        for (const History& one : histories_) {
            for (std::size_t i = 0; i < one.counts[kEvaluated]; ++i) {
                if (const auto key = one.key(kEvaluated, i); !key.empty()) with_result.insert(key);
            }
        }
        for (std::size_t outcome = 0; outcome < kOutcomes.size(); ++outcome) {
            for (const History& one : histories_) {
                for (std::size_t i = 0; i < one.counts[outcome]; ++i) {
                    const auto key = one.key(outcome, i);
                    const bool is_outranked = outcome != kEvaluated && with_result.count(key) != 0;
                    if (!key.empty() && (is_outranked || !kept.insert(key).second)) {
                        ++repeated_;
                        repeats_.insert(one.place);
                        if (outcome != kEvaluated || one.list("log_f").size() <= i) continue;
                        const auto first = results.find(key);
                        differing_ += first != results.end() && !is_same_number(first->second, one.list("log_f")[i]);
                        continue;
                    }
                    if (outcome == kEvaluated && !key.empty() && one.list("log_f").size() > i)
                        results.emplace(key, one.list("log_f")[i]);
                    evaluations_[outcome].push_back({&one, i});
                }
            }
        }
    }

    Value joined_cache() {
        const Value cache = document_.pool().dict();
        std::unordered_map<std::string_view, std::size_t> places;
        auto& entries = cache.dict().entries;
        // A result first, then whatever else a search noted down for the candidate.
        std::unordered_map<std::string_view, Value> results;
        for (const Evaluation& one : evaluations_[kEvaluated]) {
            const auto key = one.from->key(kEvaluated, one.i);
            if (!key.empty()) results.emplace(key, (*one.from->cache)[one.from->keys[kEvaluated][one.i]].second);
        }
        for (const History& one : histories_) {
            if (one.cache == nullptr) continue;
            for (std::size_t i = 0; i < one.cache->size(); ++i) {
                const auto& [key, value] = (*one.cache)[i];
                const auto bytes = one.key_bytes(i);
                if (!bytes.empty() && !places.emplace(bytes, entries.size()).second) continue;
                const auto result = results.find(bytes);
                entries.emplace_back(key, result != results.end() ? result->second : value);
            }
        }
        const Value outer = document_.pool().dict();
        outer.dict().entries.emplace_back(document_.pool().string("cache"), cache);
        return outer;
    }

    /// Seconds between the earliest start of all and that of one search.
    double shift_of(const History& one) const {
        const auto start = number(at(one.history, "start_time"));
        return start && earliest_ ? *start - *earliest_ : 0;
    }

    Value joined_list(std::size_t outcome, std::string_view name) {
        const Value list = document_.pool().list();
        for (const Evaluation& one : evaluations_[outcome]) {
            const Items& items = one.from->list(name);
            if (one.i >= items.size()) continue;  // not kept by this search
            Value item = items[one.i];
            const double shift = name == kOutcomes[outcome].times ? shift_of(*one.from) : 0;
            if (const auto seconds = number(item); shift != 0 && seconds) item = Value::real(*seconds + shift);
            list.sequence().items.push_back(item);
        }
        return list;
    }

    /// Lists that some of the searches keep and others do not would no longer be of one length.
    void refuse_uneven(std::size_t outcome, std::string_view name) const {
        const History* with = nullptr;
        const History* without = nullptr;
        for (const Evaluation& one : evaluations_[outcome])
            (one.i < one.from->list(name).size() ? with : without) = one.from;
        if (with != nullptr && without != nullptr)
            throw_error(ErrorCode::kRefused, "{} keeps 'history/{}', {} does not", with->name, name, without->name);
    }

    Value joined_history() {
        for (const History& one : histories_) {
            const auto start = number(at(one.history, "start_time"));
            if (start && (!earliest_ || *start < *earliest_)) {
                earliest_ = start;
                start_ = at(one.history, "start_time");
            }
        }
        std::map<std::string_view, Value> lists;
        for (std::size_t outcome = 0; outcome < kOutcomes.size(); ++outcome) {
            for (const auto name : kOutcomes[outcome].lists) {
                if (name.empty()) continue;
                refuse_uneven(outcome, name);
                lists.emplace(name, joined_list(outcome, name));
            }
        }
        find_best();
        lists.emplace("log_best_f", best_so_far());
        const Value history = document_.pool().dict();
        for (const History& one : histories_) {
            for (const auto& [key, value] : one.history.dict().entries) {
                const std::string_view name = key.is(Kind::kString) ? key.as_string() : std::string_view();
                if (history.dict().find(name) != nullptr || name.empty()) continue;
                const auto list = lists.find(name);
                history.dict().entries.emplace_back(key, list != lists.end()        ? list->second
                                                         : name == "start_time"     ? (earliest_ ? start_ : value)
                                                         : name == "current_best_f" ? current_best()
                                                                                    : value);
            }
        }
        return history;
    }

    /// The history's own best is kept only by searches that keep a history.
    Value current_best() const {
        const bool any = std::any_of(histories_.begin(), histories_.end(),
                                     [](const History& one) { return !at(one.history, "current_best_f").is_null(); });
        return any ? best_f_ : Value::null();
    }

    void find_best() {
        std::optional<double> best;
        for (const History& one : histories_) {
            const Value result = at(one.root, "best_f");
            const auto found = number(result);
            const Value candidate = at(one.root, "best_solution");
            if (!found || std::isnan(*found) || candidate.is_null() || !is_better(*found, best)) continue;
            best = found;
            best_f_ = result;
            best_candidate_ = candidate;
        }
        for (const Evaluation& one : evaluations_[kEvaluated]) {
            const Items& results = one.from->list("log_f");
            const Items& candidates = one.from->list("log_candidate");
            if (one.i >= results.size() || one.i >= candidates.size()) continue;
            const auto found = number(results[one.i]);
            if (!found || std::isnan(*found) || !is_better(*found, best)) continue;
            best = found;
            best_f_ = results[one.i];
            best_plain_ = candidates[one.i];
        }
    }

    Value best_solution() {
        std::vector<Value> examples;
        for (const History& one : histories_) {
            if (const Value known = at(one.root, "best_solution"); !known.is_null()) examples.push_back(known);
        }
        if (best_plain_.is_null()) {
            if (!best_candidate_.is_null() || examples.empty()) return best_candidate_;
            return examples.front();  // nothing was evaluated: what the first would begin with
        }
        std::size_t unknown = 0;
        const Value made = search_candidate(document_.pool(), best_plain_, examples, unknown);
        if (unknown > 0)
            context_.note(
                fmt::format("the best candidate stands in a history only, which does not tell the option of "
                            "{} of its choices: the search will draw {} anew",
                            unknown, unknown == 1 ? "it" : "them"));
        return made;
    }

    Value best_so_far() {
        const Value list = document_.pool().list();
        std::optional<double> best;
        Value shown;
        for (const Evaluation& one : evaluations_[kEvaluated]) {
            const Items& results = one.from->list("log_f");
            if (one.i >= results.size()) continue;
            const auto found = number(results[one.i]);
            if (found && !std::isnan(*found) && is_better(*found, best)) {
                best = found;
                shown = results[one.i];
            }
            list.sequence().items.push_back(shown);
        }
        return list;
    }

    /// nullopt: no search has one.
    std::optional<Value> joined_pruner() {
        std::vector<const History*> with;
        const History* without_state = nullptr;
        for (const History& one : histories_) {
            const Value* pruner = one.root.dict().find("pruner");
            if (pruner == nullptr) continue;
            without_state = &one;
            if (pruner->is(Kind::kDict) && !at(*pruner, "n").is_null()) with.push_back(&one);
        }
        if (with.empty())
            return without_state != nullptr ? std::optional(at(without_state->root, "pruner")) : std::nullopt;
        for (const History* one : with) {
            const Value first = at(with.front()->root, "pruner"), other = at(one->root, "pruner");
            const bool is_alike = is_top(first) == is_top(other) && rungs_of(first).size() == rungs_of(other).size() &&
                                  is_same_number(at(first, "n"), at(other, "n"));
            if (!is_alike)
                throw_error(ErrorCode::kRefused,
                            "the pruners of {} and {} differ: {} of {} intermediate results, {} of {}",
                            with.front()->name, one->name, is_top(first) ? "top-k" : "quantile", rungs_of(first).size(),
                            is_top(other) ? "top-k" : "quantile", rungs_of(other).size());
        }
        if (with.size() == 1) return at(with.front()->root, "pruner");
        return is_top(at(with.front()->root, "pruner")) ? joined_top(with) : joined_quantiles(with);
    }
    static bool is_top(const Value& pruner) { return pruner.dict().find("top_k_of") != nullptr; }
    static const Items& items_of(const Value& value) {
        static const Items kNone;
        return value.is(Kind::kList) || value.is(Kind::kTuple) ? value.sequence().items : kNone;
    }
    static const Items& rungs_of(const Value& pruner) {
        return items_of(at(pruner, is_top(pruner) ? "top_k_intermediates" : "intermediates"));
    }
    Value dict_of(std::initializer_list<std::pair<std::string_view, Value>> entries) {
        const Value dict = document_.pool().dict();
        for (const auto& [name, value] : entries)
            dict.dict().entries.emplace_back(document_.pool().string(std::string(name)), value);
        return dict;
    }

    /// Each rung's results one behind the other. Searches that go back to one have its results first; those count once.
    Value joined_quantiles(const std::vector<const History*>& with) {
        const Value rungs = document_.pool().list();
        const std::size_t count = rungs_of(at(with.front()->root, "pruner")).size();
        for (std::size_t rung = 0; rung < count; ++rung) {
            const Value joined = document_.pool().list();
            Items& results = joined.sequence().items;
            for (const History* one : with) {
                const Items& added = items_of(rungs_of(at(one->root, "pruner"))[rung]);
                std::size_t common = 0;
                if (repeats_.count(one->place) != 0) {
                    while (common < added.size() && common < results.size() &&
                           is_same_number(added[common], results[common]))
                        ++common;
                }
                results.insert(results.end(), added.begin() + static_cast<std::ptrdiff_t>(common), added.end());
            }
            rungs.sequence().items.push_back(joined);
        }
        return dict_of({{"n", at(at(with.front()->root, "pruner"), "n")}, {"intermediates", rungs}});
    }

    /// The best of all, as many as the longest of the lists: how many a search keeps is not in its state.
    Value joined_top(const std::vector<const History*>& with) {
        struct Row {
            Value result;
            std::vector<Value> intermediates;
        };
        std::vector<Row> rows;
        std::size_t most = 0;
        for (const History* one : with) {
            const Value pruner = at(one->root, "pruner");
            const Items& results = items_of(at(pruner, "top_k_of"));
            most = std::max(most, results.size());
            if (most > kMostTop)
                throw_error(ErrorCode::kRefused, "{}: its pruner keeps {} candidates, more than {}", one->name, most,
                            kMostTop);
            for (std::size_t i = 0; i < results.size(); ++i) {
                Row row{results[i], {}};
                for (const Value& rung : rungs_of(pruner)) {
                    if (i < items_of(rung).size()) row.intermediates.push_back(items_of(rung)[i]);
                }
                const bool is_known = std::any_of(rows.begin(), rows.end(), [&](const Row& known) {
                    return is_same_number(known.result, row.result) &&
                           std::equal(known.intermediates.begin(), known.intermediates.end(), row.intermediates.begin(),
                                      row.intermediates.end(), is_same_number);
                });
                if (!is_known) rows.push_back(std::move(row));
            }
        }
        while (rows.size() > most) {
            const auto worst = std::max_element(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
                return is_better(number(a.result).value_or(0), number(b.result).value_or(0));
            });
            rows.erase(worst);
        }
        const Value results = document_.pool().list(), rungs = document_.pool().list();
        for (const Row& row : rows) results.sequence().items.push_back(row.result);
        for (std::size_t rung = 0; rung < rungs_of(at(with.front()->root, "pruner")).size(); ++rung) {
            const Value list = document_.pool().list();
            for (const Row& row : rows) {
                if (rung < row.intermediates.size()) list.sequence().items.push_back(row.intermediates[rung]);
            }
            rungs.sequence().items.push_back(list);
        }
        return dict_of(
            {{"n", at(at(with.front()->root, "pruner"), "n")}, {"top_k_intermediates", rungs}, {"top_k_of", results}});
    }

    void tell() const {
        for (const History& one : histories_) {
            if (!at(one.root, "run_context").is_null())
                context_.note(fmt::format("{}: a run was under way; the joined search has none", one.name));
            if (const std::size_t count = one.without_key(); count > 0)
                context_.note(
                    fmt::format("{}: {} of {} candidates have no key in its cache, so they are kept even if "
                                "another search had them",
                                one.name, count, one.evaluations()));
        }
        if (repeated_ > 0)
            context_.note(fmt::format("{} candidate{} in several searches count{} once", repeated_,
                                      repeated_ == 1 ? "" : "s", repeated_ == 1 ? "s" : ""));
        if (differing_ > 0)
            context_.note(fmt::format("{} of them had other results the second time; the first is kept", differing_));
    }

    std::span<const MergeInput> inputs_;
    const HistoryOptions& options_;
    const Context& context_;
    Document document_;
    std::vector<History> histories_;
    SearchDirection direction_ = SearchDirection::kUnknown;
    std::array<std::vector<Evaluation>, 3> evaluations_;
    std::size_t repeated_ = 0;
    std::size_t differing_ = 0;
    std::unordered_set<std::size_t> repeats_;  ///< inputs some of whose candidates an earlier one has
    std::optional<double> earliest_;
    Value start_;
    Value best_f_, best_candidate_, best_plain_;
};

}  // namespace

Document join_searches(std::span<const MergeInput> inputs, const HistoryOptions& options, const Context& context) {
    return SearchJoiner(inputs, options, context).run();
}

}  // namespace ckpt
