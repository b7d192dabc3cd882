// Joining the states of searches, and candidates made of plain parameters.
#include <catch2/catch.hpp>

#include <limits>

#include "libckpt/error.hpp"
#include "libckpt/merge.hpp"
#include "libckpt/search_candidate.hpp"

using namespace ckpt;

namespace {

using Fields = std::vector<std::pair<const char*, Value>>;

Value dict_of(Pool& pool, const Fields& fields) {
    const Value dict = pool.dict();
    for (const auto& [name, value] : fields) dict.dict().entries.emplace_back(pool.string(name), value);
    return dict;
}
Value list_of(Pool& pool, std::vector<Value> items) {
    const Value list = pool.list();
    list.sequence().items = std::move(items);
    return list;
}
Value reals(Pool& pool, const std::vector<double>& numbers) {
    std::vector<Value> items;
    for (const double number : numbers) items.push_back(Value::real(number));
    return list_of(pool, std::move(items));
}
Value object_of(Pool& pool, const char* type, const Fields& fields) {
    auto* object = pool.make<ObjectNode>();
    object->type = type;
    object->recipe = std::make_unique<Recipe>();
    object->recipe->callable = type;
    object->recipe->state = dict_of(pool, fields);
    return Value::of(object);
}
Value at(const Value& value, std::string_view key) {
    const Value& held = value.is(Kind::kObject) ? value.node()->recipe->state : value;
    const Value* found = held.dict().find(key);
    REQUIRE(found != nullptr);
    return *found;
}
std::vector<double> numbers(const Value& list) {
    std::vector<double> found;
    for (const Value& item : list.sequence().items) found.push_back(item.as_double());
    return found;
}

/// A finished search: its keys, what came out, and when each evaluation ended.
MergeInput search(const char* name, double start, const std::vector<std::string>& keys,
                  const std::vector<double>& results) {
    MergeInput input;
    input.name = name;
    Pool& pool = input.document.pool();
    const Value cache = pool.dict();
    std::vector<Value> candidates, types;
    std::vector<double> times, bests;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        cache.dict().entries.emplace_back(pool.bytes(keys[i]), Value::real(results[i]));
        candidates.push_back(dict_of(pool, {{"x", Value::real(results[i])}}));
        types.push_back(Value::integer(0));
        times.push_back(static_cast<double>(i) + 1);
        bests.push_back(i == 0 ? results[i] : std::max(bests.back(), results[i]));
    }
    const Value history = dict_of(pool, {{"log_candidate", list_of(pool, candidates)},
                                         {"log_types", list_of(pool, types)},
                                         {"log_f", reals(pool, results)},
                                         {"log_finished_at", reals(pool, times)},
                                         {"log_best_f", reals(pool, bests)},
                                         {"log_runtime", reals(pool, times)},
                                         {"start_time", Value::real(start)},
                                         {"current_best_f", Value::real(bests.back())}});
    input.document.root = dict_of(pool, {{"run_context", Value::null()},
                                         {"cache", dict_of(pool, {{"cache", cache}})},
                                         {"best_f", Value::real(bests.back())},
                                         {"history", history},
                                         {"best_solution", candidates.front()}});
    return input;
}

}  // namespace

TEST_CASE("candidates that several searches had are there once, and times count from the earliest start") {
    const std::vector<MergeInput> inputs = {search("a", 100, {"k1", "k2"}, {1, 3}),
                                            search("b", 90, {"k2", "k3"}, {3, 2})};
    std::vector<std::string> notes;
    Context context;
    context.on_note = [&](std::string_view text) { notes.emplace_back(text); };
    const Document joined = join_searches(inputs, {}, context);
    const Value history = at(joined.root, "history");
    CHECK(numbers(at(history, "log_f")) == std::vector<double>{1, 3, 2});
    CHECK(numbers(at(history, "log_best_f")) == std::vector<double>{1, 3, 3});
    CHECK(numbers(at(history, "log_finished_at")) == std::vector<double>{11, 12, 2});
    CHECK(at(history, "start_time").as_double() == 90);
    CHECK(at(joined.root, "best_f").as_double() == 3);
    CHECK(at(at(joined.root, "cache"), "cache").dict().entries.size() == 3);
    CHECK(notes == std::vector<std::string>{"1 candidate in several searches counts once"});
}

TEST_CASE("a best that is the least is found where the direction is given") {
    const std::vector<MergeInput> inputs = {search("a", 1, {"k1", "k2"}, {1, 3}), search("b", 1, {"k3"}, {-2})};
    HistoryOptions options;
    options.direction = SearchDirection::kMin;
    const Document joined = join_searches(inputs, options, Context{});
    CHECK(at(joined.root, "best_f").as_double() == -2);
    CHECK(numbers(at(at(joined.root, "history"), "log_best_f")) == std::vector<double>{1, 1, -2});
}

TEST_CASE("searches in which nothing shows the direction need one") {
    const std::vector<MergeInput> inputs = {search("a", 1, {"k1"}, {1}), search("b", 1, {"k2"}, {2})};
    CHECK_THROWS_AS(join_searches(inputs, {}, Context{}), Error);
}

TEST_CASE("choices are wrapped with the number of their option where an example tells it") {
    Pool pool;
    const Value choice = object_of(pool, "Choice", {{"value", pool.string("a")}, {"aux", Value::integer(4)}});
    const Value example =
        object_of(pool, "Candidate",
                  {{"value", dict_of(pool, {{"c", choice}, {"x", Value::real(1)}})},
                   {"unwrapped_value", dict_of(pool, {{"c", pool.string("a")}, {"x", Value::real(1)}})}});
    std::size_t unknown = 7;
    const Value known =
        search_candidate(pool, dict_of(pool, {{"c", pool.string("a")}, {"x", Value::real(2)}}), {example}, unknown);
    CHECK(unknown == 0);
    CHECK(known.type() == "Candidate");
    CHECK(at(at(at(known, "value"), "c"), "aux").as_int64() == 4);
    CHECK(at(at(known, "value"), "x").as_double() == 2);
    const Value other =
        search_candidate(pool, dict_of(pool, {{"c", pool.string("b")}, {"x", Value::real(2)}}), {example}, unknown);
    CHECK(unknown == 1);
    CHECK(at(at(at(other, "value"), "c"), "aux").as_int64() == -1);

    Value doubled = list_of(pool, {Value::real(1)});
    for (int i = 0; i < 40; ++i) doubled = list_of(pool, {doubled, doubled});
    CHECK_THROWS_WITH(search_candidate(pool, dict_of(pool, {{"x", doubled}}), {example}, unknown),
                      "a candidate of more than 1000000 values");
}
