// Walking: children of every kind, order, sharing, depth, and finding by path.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <set>

#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

using namespace ckpt;

namespace {

using Names = std::vector<std::string>;

Value dict_of(Pool& pool, std::vector<std::pair<Value, Value>> entries) {
    const Value dict = pool.dict();
    dict.dict().entries = std::move(entries);
    return dict;
}
Value list_of(Pool& pool, std::vector<Value> items) {
    const Value list = pool.list();
    list.sequence().items = std::move(items);
    return list;
}
Value number(std::int64_t value) {
    return Value::integer(value);
}

Names components(const Value& value) {
    Names names;
    for (const auto& child : children(value)) names.push_back(child.component);
    return names;
}

struct Seen {
    std::string path;
    std::size_t depth;
    std::optional<std::string> same_as;
};
std::vector<Seen> walked(const Value& root, std::size_t max_depth = SIZE_MAX) {
    std::vector<Seen> result;
    walk(
        root,
        [&](const Visit& visit) {
            result.push_back({visit.path, visit.depth,
                              visit.same_as != nullptr ? std::optional<std::string>(*visit.same_as) : std::nullopt});
            return WalkStep::kInto;
        },
        max_depth);
    return result;
}
Names paths(const std::vector<Seen>& seen) {
    Names names;
    for (const auto& step : seen) names.push_back(step.path);
    return names;
}
/// "PATH -> FIRST" for every node met again.
Names repeats(const Value& root) {
    Names names;
    for (const auto& step : walked(root)) {
        if (step.same_as) names.push_back(step.path + " -> " + *step.same_as);
    }
    return names;
}

/// What stands at a path; null and false if there is nothing.
std::optional<Value> at(const Value& root, std::string_view path) {
    Value holder;
    const Value* found = find_path(root, path, holder);
    return found != nullptr ? std::optional<Value>(*found) : std::nullopt;
}

}  // namespace

TEST_CASE("scalars and text have no children") {
    Pool pool;
    for (const Value& value : {Value::null(), Value::boolean(true), number(1), Value::real(1), pool.string("abc"),
                               pool.bytes("abc"), pool.complex({1, 2}), pool.typed_scalar(number(1), "numpy.int8")}) {
        CHECK(children(value).empty());
        CHECK(walked(value).size() == 1);
    }
}

TEST_CASE("children of a dict stand under their keys, its own state last") {
    Pool pool;
    const Value dict =
        dict_of(pool, {{pool.string("b"), number(0)}, {number(-3), number(1)}, {pool.string("a/b"), number(2)}});
    CHECK(components(dict) == Names{"b", "-3", "a\\/b"});
    CHECK(children(dict)[1].value == number(1));

    dict.node()->type = "collections.OrderedDict";
    dict.node()->recipe = std::make_unique<Recipe>();
    CHECK(components(dict) == Names{"b", "-3", "a\\/b"});
    dict.node()->recipe->state = dict_of(pool, {{pool.string("_metadata"), number(7)}});
    CHECK(components(dict) == Names{"b", "-3", "a\\/b", "__dict__"});
    CHECK(at(dict, "__dict__/_metadata") == number(7));
}

TEST_CASE("children of a list and a tuple stand under their numbers, a set has none") {
    Pool pool;
    std::vector<Value> items;
    for (int i = 0; i < 11; ++i) items.push_back(number(i));
    const Value list = list_of(pool, items);
    CHECK(components(list).front() == "0");
    CHECK(components(list).back() == "10");
    CHECK(components(pool.tuple({number(5), number(6)})) == Names{"0", "1"});
    CHECK(components(pool.tuple()).empty());
    const Value set = pool.set();
    set.sequence().items = {number(1), number(2)};
    CHECK(children(set).empty());

    const Value size = pool.tuple({number(2), number(3)});
    size.node()->type = "torch.Size";
    CHECK(children(size).empty());
    const Value classed = pool.tuple({number(2)});
    classed.node()->recipe = std::make_unique<Recipe>();
    classed.node()->recipe->state = dict_of(pool, {{pool.string("x"), number(3)}});
    CHECK(components(classed) == Names{"0", "__dict__"});
}

TEST_CASE("children of a tensor are its parts by name, then what hangs on it") {
    Pool pool;
    auto* sparse = pool.make<TensorNode>();
    sparse->parts.emplace_back("indices", Value::of(pool.make<TensorNode>()));
    sparse->parts.emplace_back("values", Value::of(pool.make<TensorNode>()));
    CHECK(components(Value::of(sparse)) == Names{"indices", "values"});
    sparse->dict = dict_of(pool, {{pool.string("tag"), number(1)}});
    CHECK(components(Value::of(sparse)) == Names{"indices", "values", "__dict__"});
    CHECK(at(Value::of(sparse), "__dict__/tag") == number(1));
    CHECK(children(Value::of(pool.make<TensorNode>())).empty());
}

TEST_CASE("children of an object: arguments, state, items, entries, in this order") {
    Pool pool;
    auto* node = pool.make<ObjectNode>();
    const Value object = Value::of(node);
    CHECK(children(object).empty());
    node->items = {number(1), number(2)};
    node->entries.emplace_back(pool.string("key"), number(3));
    CHECK(components(object) == Names{"0", "1", "key"});

    node->recipe = std::make_unique<Recipe>();
    Recipe& recipe = *node->recipe;
    recipe.args = pool.tuple();
    recipe.kwargs = pool.dict();
    CHECK(components(object) == Names{"0", "1", "key"});
    recipe.args = pool.tuple({number(4)});
    recipe.kwargs = dict_of(pool, {{pool.string("lr"), number(5)}});
    recipe.state = dict_of(pool, {{pool.string("x"), number(6)}, {pool.string("y"), number(7)}});
    CHECK(components(object) == Names{"__args__", "__kwargs__", "x", "y", "0", "1", "key"});
    CHECK(at(object, "__args__/0") == number(4));
    CHECK(at(object, "__kwargs__/lr") == number(5));
    CHECK(at(object, "y") == number(7));
}

TEST_CASE("a state that sets attributes is spread out, any other is one child") {
    Pool pool;
    auto* node = pool.make<ObjectNode>();
    node->recipe = std::make_unique<Recipe>();
    const Value object = Value::of(node);
    Value& state = node->recipe->state;
    const Value attributes = dict_of(pool, {{pool.string("x"), number(1)}});
    const Value slots = dict_of(pool, {{pool.string("s"), number(2)}});

    state = pool.tuple({attributes, slots});
    CHECK(components(object) == Names{"x", "s"});
    state = pool.tuple({Value::null(), slots});
    CHECK(components(object) == Names{"s"});
    state = pool.tuple({number(1), slots});
    CHECK(components(object) == Names{"__state__"});
    state = pool.tuple({attributes, slots, slots});
    CHECK(components(object) == Names{"__state__"});
    state = pool.tuple({attributes, Value::null()});
    CHECK(components(object) == Names{"__state__"});
    state = dict_of(pool, {{pool.string("x"), number(1)}, {number(3), number(2)}});
    CHECK(components(object) == Names{"__state__"});
    CHECK(at(object, "__state__/3") == number(2));
    state = list_of(pool, {number(1)});
    CHECK(components(object) == Names{"__state__"});
    state = number(8);
    CHECK(at(object, "__state__") == number(8));
    state = pool.dict();
    CHECK(components(object).empty());
    state = dict_of(pool, {{pool.string("x"), number(1)}});
    state.node()->type = "collections.OrderedDict";
    CHECK(components(object) == Names{"__state__"});
    CHECK(at(object, "__state__/x") == number(1));
}

TEST_CASE("a walk goes depth first, parents before children, in order") {
    Pool pool;
    const Value inner = dict_of(pool, {{pool.string("w"), number(1)}, {pool.string("b"), number(2)}});
    const Value root = dict_of(pool, {{pool.string("model"), inner},
                                      {pool.string("steps"), list_of(pool, {number(1), pool.tuple({number(2)})})},
                                      {pool.string("end"), Value::null()}});
    const auto seen = walked(root);
    CHECK(paths(seen) == Names{"", "model", "model/w", "model/b", "steps", "steps/0", "steps/1", "steps/1/0", "end"});
    std::vector<std::size_t> depths;
    for (const auto& step : seen) depths.push_back(step.depth);
    CHECK(depths == std::vector<std::size_t>{0, 1, 2, 2, 1, 2, 2, 3, 1});
    Names last;
    walk(root, [&](const Visit& visit) {
        last.push_back(visit.component);
        return WalkStep::kInto;
    });
    CHECK(last == Names{"", "model", "w", "b", "steps", "0", "1", "0", "end"});
}

TEST_CASE("paths of a walk escape what would split them, and lead back") {
    Pool pool;
    const Value root = dict_of(
        pool, {{pool.string("a/b"), dict_of(pool, {{pool.string("c\\d"), number(1)}, {pool.string(""), number(2)}})},
               {pool.string("\\0"), number(3)},
               {pool.string("a"), dict_of(pool, {{pool.string("b"), number(4)}})}});
    CHECK(paths(walked(root)) == Names{"", "a\\/b", "a\\/b/c\\\\d", "a\\/b/\\0", "\\\\0", "a", "a/b"});
    walk(root, [&](const Visit& visit) {
        INFO(visit.path);
        const auto found = at(root, visit.path);
        REQUIRE(found);
        CHECK(*found == visit.value);
        return WalkStep::kInto;
    });
}

TEST_CASE("kOver leaves out what is below, kStop ends the walk") {
    Pool pool;
    const Value root = dict_of(pool, {{pool.string("a"), list_of(pool, {number(1), number(2)})},
                                      {pool.string("b"), list_of(pool, {number(3), number(4)})},
                                      {pool.string("c"), number(5)}});
    const auto steps = [&](const std::string& at_path, WalkStep step) {
        Names names;
        walk(root, [&](const Visit& visit) {
            names.push_back(visit.path);
            return visit.path == at_path ? step : WalkStep::kInto;
        });
        return names;
    };
    CHECK(steps("a", WalkStep::kOver) == Names{"", "a", "b", "b/0", "b/1", "c"});
    CHECK(steps("", WalkStep::kOver) == Names{""});
    CHECK(steps("b/0", WalkStep::kOver) == Names{"", "a", "a/0", "a/1", "b", "b/0", "b/1", "c"});
    CHECK(steps("a/1", WalkStep::kStop) == Names{"", "a", "a/0", "a/1"});
    CHECK(steps("b", WalkStep::kStop) == Names{"", "a", "a/0", "a/1", "b"});
    CHECK(steps("", WalkStep::kStop) == Names{""});
}

TEST_CASE("kStop at a node met again ends the walk as well") {
    Pool pool;
    const Value shared = list_of(pool, {number(1)});
    const Value root = list_of(pool, {shared, shared, number(2)});
    Names names;
    walk(root, [&](const Visit& visit) {
        names.push_back(visit.path);
        return visit.same_as != nullptr ? WalkStep::kStop : WalkStep::kInto;
    });
    CHECK(names == Names{"", "0", "0/0", "1"});
}

TEST_CASE("paths deeper than the limit are not entered") {
    Pool pool;
    const Value root = list_of(pool, {list_of(pool, {list_of(pool, {number(1)})}), number(2)});
    CHECK(paths(walked(root, 0)) == Names{""});
    CHECK(paths(walked(root, 1)) == Names{"", "0", "1"});
    CHECK(paths(walked(root, 2)) == Names{"", "0", "0/0", "1"});
    CHECK(paths(walked(root, 3)) == Names{"", "0", "0/0", "0/0/0", "1"});
    CHECK(paths(walked(root, 4)) == paths(walked(root)));
}

TEST_CASE("a shared node is entered once and named by its first path") {
    Pool pool;
    const Value set = pool.set();
    const Value list = list_of(pool, {number(1)});
    const Value dict = dict_of(pool, {{pool.string("x"), number(1)}});
    const Value tensor = Value::of(pool.make<TensorNode>());
    const Value object = Value::of(pool.make<ObjectNode>());
    for (const Value& shared : {set, list, dict, tensor, object}) {
        INFO(kind_name(shared.kind()));
        const Value root = dict_of(pool, {{pool.string("a"), list_of(pool, {number(0), shared})},
                                          {pool.string("b/c"), list_of(pool, {shared})},
                                          {pool.string("d"), shared}});
        CHECK(repeats(root) == Names{"b\\/c/0 -> a/1", "d -> a/1"});
    }
}

TEST_CASE("a shared tuple is walked again, and so cannot be told from two equal ones") {
    Pool pool;
    const Value tuple = pool.tuple({number(1)});
    const Value root = list_of(pool, {tuple, tuple, pool.tuple({number(1)})});
    CHECK(repeats(root).empty());
    CHECK(paths(walked(root)) == Names{"", "0", "0/0", "1", "1/0", "2", "2/0"});
}

TEST_CASE("after the first thousand meetings a shared tuple is referred to like the rest") {
    Pool pool;
    const Value tuple = pool.tuple({number(1)});
    const Names names = repeats(list_of(pool, std::vector<Value>(1003, tuple)));
    CHECK(names == Names{"1001 -> 0", "1002 -> 0"});
}

TEST_CASE("what is first met below a tuple met again has its whole path") {
    Pool pool;
    const Value shared = list_of(pool, {number(1)});
    const Value tuple = pool.tuple({shared});
    const Value root = list_of(pool, {list_of(pool, {tuple}), tuple, shared});
    const auto firsts = [&](const std::function<WalkStep(const Visit&)>& step, std::size_t max_depth) {
        Names names;
        walk(
            root,
            [&](const Visit& visit) {
                if (visit.value == shared && visit.same_as != nullptr)
                    names.push_back(visit.path + " -> " + *visit.same_as);
                return step(visit);
            },
            max_depth);
        return names;
    };
    CHECK(firsts([](const Visit&) { return WalkStep::kInto; }, 2) == Names{"2 -> 1/0"});
    CHECK(firsts([](const Visit& visit) { return visit.path == "0/0" ? WalkStep::kOver : WalkStep::kInto; },
                 SIZE_MAX) == Names{"2 -> 1/0"});
    CHECK(firsts([](const Visit&) { return WalkStep::kInto; }, SIZE_MAX) == Names{"1/0 -> 0/0/0", "2 -> 0/0/0"});
}

TEST_CASE("classes and functions are names, not nodes that are met again") {
    Pool pool;
    auto* node = pool.make<ObjectNode>();
    node->recipe = std::make_unique<Recipe>();
    node->recipe->how = Recipe::How::kGlobal;
    const Value global = Value::of(node);
    CHECK(repeats(list_of(pool, {global, global})).empty());
    node->recipe->state = list_of(pool, {global});  // one that holds something is a node, or this would not end
    CHECK(repeats(list_of(pool, {global})) == Names{"0/__state__/0 -> 0"});
}

TEST_CASE("text, scalars, typed scalars and empty tuples are not tracked") {
    Pool pool;
    for (const Value& value : {pool.string("x"), pool.bytes("x"), pool.typed_scalar(number(1), "numpy.int8"), number(1),
                               pool.complex({0, 1}), pool.tuple()}) {
        CHECK(repeats(list_of(pool, {value, value})).empty());
    }
}

TEST_CASE("equal values that are not the same node are no repeats") {
    Pool pool;
    const auto entry = [&] { return list_of(pool, {number(1)}); };
    CHECK(repeats(list_of(pool, {entry(), entry()})).empty());
}

TEST_CASE("a cycle ends where it began, a self-reference of the root has the empty path") {
    Pool pool;
    const Value list = pool.list();
    list.sequence().items = {number(1), list};
    const auto seen = walked(list);
    REQUIRE(paths(seen) == Names{"", "0", "1"});
    CHECK(seen[2].same_as == "");

    const Value inner = pool.dict();
    const Value deep = list_of(pool, {inner});
    inner.dict().entries = {{pool.string("back"), deep}, {pool.string("self"), inner}};
    const Value root = dict_of(pool, {{pool.string("a"), number(0)}, {pool.string("b"), deep}});
    CHECK(repeats(root) == Names{"b/0/back -> b", "b/0/self -> b/0"});
}

TEST_CASE("a cycle through a tuple ends") {
    Pool pool;
    const Value list = pool.list();
    const Value tuple = pool.tuple({list});
    list.sequence().items = {tuple};
    CHECK(walked(tuple).size() < 10);
    CHECK(walked(list).size() < 10);
}

TEST_CASE("a list a million deep is walked without recursion") {
    Pool pool;
    constexpr std::size_t kDepth = 1000000;
    Value root = list_of(pool, {number(42)});
    for (std::size_t i = 1; i < kDepth; ++i) root = list_of(pool, {root});
    std::size_t visits = 0;
    std::size_t deepest = 0;
    std::size_t longest = 0;
    Value last;
    walk(root, [&](const Visit& visit) {
        ++visits;
        deepest = std::max(deepest, visit.depth);
        longest = std::max(longest, visit.path.size());
        last = visit.value;
        return WalkStep::kInto;
    });
    CHECK(visits == kDepth + 1);
    CHECK(deepest == kDepth);
    CHECK(longest == 2 * kDepth - 1);
    CHECK(last == number(42));
}

TEST_CASE("a limit keeps a deep list from being entered") {
    Pool pool;
    Value root = pool.list();
    for (int i = 0; i < 100000; ++i) root = list_of(pool, {root});
    CHECK(walked(root, 100).size() == 101);
}

TEST_CASE("thirty doublings of a list are sixty steps") {
    Pool pool;
    Value list = pool.list();
    for (int i = 0; i < 30; ++i) list = list_of(pool, {list, list});
    const auto seen = walked(list);
    CHECK(seen.size() == 61);
    std::size_t again = 0;
    for (const auto& step : seen) again += step.same_as ? 1 : 0;
    CHECK(again == 30);
}

TEST_CASE("thirty doublings of a tuple end soon, and each is met") {
    Pool pool;
    Value tuple = pool.tuple({number(1)});
    for (int i = 0; i < 30; ++i) tuple = pool.tuple({tuple, tuple});
    std::size_t visits = 0;
    std::set<const Node*> nodes;
    walk(tuple, [&](const Visit& visit) {
        if (visit.value.is(Kind::kTuple)) nodes.insert(visit.value.node());
        return ++visits > 100000 ? WalkStep::kStop : WalkStep::kInto;
    });
    CHECK(nodes.size() == 31);
    CHECK(visits < 10000);
}

TEST_CASE("a path leads through dicts, lists and tuples") {
    Pool pool;
    const Value root = dict_of(
        pool, {{pool.string("model"), dict_of(pool, {{pool.string("fc.weight"), number(1)}})},
               {pool.string("list"), list_of(pool, {number(2), pool.tuple({number(3), pool.string("text")})})}});
    CHECK(at(root, "") == root);
    CHECK(at(root, "model/fc.weight") == number(1));
    CHECK(at(root, "list/0") == number(2));
    CHECK(at(root, "list/1/0") == number(3));
    CHECK(at(root, "list/1/1")->as_string() == "text");
    for (const char* path : {"absent", "model/absent", "model/fc", "Model", "list/2", "list/-1", "list/00", "list/x",
                             "list/0/0", "/model", "model//fc.weight", "list/1/1/0", "\\0", "\\"}) {
        INFO(path);
        CHECK_FALSE(at(root, path));
    }
}

TEST_CASE("escapes in a path: slash, backslash, empty key") {
    Pool pool;
    const Value root = dict_of(pool, {{pool.string("a/b"), number(1)},
                                      {pool.string("a\\b"), number(2)},
                                      {pool.string(""), list_of(pool, {number(3)})},
                                      {pool.string("\\0"), number(4)},
                                      {pool.string("/"), number(5)},
                                      {pool.string("\\"), number(6)},
                                      {pool.string("\\/"), number(7)},
                                      {pool.string("a"), dict_of(pool, {{pool.string("b"), number(8)}})}});
    CHECK(at(root, "a\\/b") == number(1));
    CHECK(at(root, "a\\\\b") == number(2));
    CHECK(at(root, "\\0/0") == number(3));
    CHECK(at(root, "\\\\0") == number(4));
    CHECK(at(root, "\\/") == number(5));
    CHECK(at(root, "\\\\") == number(6));
    CHECK(at(root, "\\\\\\/") == number(7));
    CHECK(at(root, "a/b") == number(8));
}

TEST_CASE("keys that are no text are found as they print") {
    Pool pool;
    const Value huge = pool.integer(std::string(12, '\x7f'));
    const std::vector<std::pair<Value, const char*>> keys = {
        {number(0), "0"},
        {number(-7), "-7"},
        {Value::boolean(true), "True"},
        {Value::boolean(false), "False"},
        {Value::null(), "None"},
        {Value::real(2), "2.0"},
        {pool.bytes("a/"), "612f"},
        {pool.tuple({number(1), pool.string("x")}), "(1, 'x')"},
        {pool.tuple({pool.string("a/b")}), "('a\\/b',)"},
        {pool.tuple(), "()"},
        {huge, "39458731918868905389725810559"},
    };
    const Value root = pool.dict();
    for (std::size_t i = 0; i < keys.size(); ++i)
        root.dict().entries.emplace_back(keys[i].first, number(static_cast<std::int64_t>(i)));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        INFO(keys[i].second);
        CHECK(at(root, keys[i].second) == number(static_cast<std::int64_t>(i)));
    }
}

TEST_CASE("of two keys that print alike the text key wins, wherever it stands") {
    Pool pool;
    const Value as_number = number(100);
    const Value as_text = number(200);
    CHECK(at(dict_of(pool, {{number(1), as_number}, {pool.string("1"), as_text}}), "1") == as_text);
    CHECK(at(dict_of(pool, {{pool.string("1"), as_text}, {number(1), as_number}}), "1") == as_text);
    CHECK(at(dict_of(pool, {{Value::null(), as_number}, {pool.string("None"), as_text}}), "None") == as_text);
    CHECK(at(dict_of(pool, {{Value::boolean(true), as_number}, {pool.string("True"), as_text}}), "True") == as_text);
    CHECK(at(dict_of(pool, {{number(1), as_number}, {pool.typed_scalar(number(1), "numpy.int8"), as_text}}), "1") ==
          as_number);
    const Value nested =
        dict_of(pool, {{number(0), list_of(pool, {number(5)})}, {pool.string("0"), list_of(pool, {number(6)})}});
    CHECK(at(dict_of(pool, {{pool.string("s"), nested}}), "s/0/0") == number(6));
}

TEST_CASE("of what an object holds under one name the text key wins") {
    Pool pool;
    auto* object = pool.make<ObjectNode>();
    const Value value = Value::of(object);
    object->entries = {{number(1), number(100)}, {pool.string("1"), number(200)}};
    CHECK(at(value, "1") == number(200));
    object->items = {number(300), number(400)};
    CHECK(at(value, "0") == number(300));
    CHECK(at(value, "1") == number(200));
    object->recipe = std::make_unique<Recipe>();
    object->recipe->args = pool.tuple({number(500)});
    CHECK(at(value, "__args__/0") == number(500));
    object->recipe->state = dict_of(pool, {{pool.string("__args__"), number(600)}, {pool.string("1"), number(700)}});
    CHECK(at(value, "__args__") == number(600));
    CHECK(at(value, "1") == number(700));
}

TEST_CASE("a path may be as deep as the document") {
    Pool pool;
    Value root = number(9);
    std::string path;
    for (int i = 0; i < 100000; ++i) {
        root = list_of(pool, {root});
        path += path.empty() ? "0" : "/0";
    }
    CHECK(at(root, path) == number(9));
    CHECK_FALSE(at(root, path + "/0"));
}

TEST_CASE("a path may go round a cycle") {
    Pool pool;
    const Value dict = pool.dict();
    dict.dict().entries = {{pool.string("self"), dict}, {pool.string("x"), number(1)}};
    CHECK(at(dict, "self/self/self/x") == number(1));
}

TEST_CASE("a name that only points is not where a node stands, though it may come first") {
    Pool pool;
    const Value z = dict_of(pool, {{pool.string("w"), list_of(pool, {number(1)})}});
    const Value gone = list_of(pool, {number(2)});  // stands nowhere by itself
    const Value root = dict_of(pool, {{pool.string("a"), at(z, "w").value()},
                                      {pool.string("b"), z},
                                      {pool.string("g"), gone},
                                      {pool.string("h"), gone},
                                      {pool.string("z"), z}});
    const Value links = dict_of(pool, {{pool.string("a"), pool.string("/z/w")},
                                       {pool.string("b"), pool.string("/z")},
                                       {pool.string("g"), pool.string("/x")},
                                       {pool.string("h"), pool.string("/x")}});
    root.node()->set_attribute("any:__soft_links__", links);
    Names names;
    walk_where_it_stands(root, [&](const Visit& visit) {
        names.push_back(visit.path + (visit.same_as != nullptr ? " -> " + *visit.same_as : ""));
        return WalkStep::kInto;
    });
    CHECK(names == Names{"", "a -> z/w", "b -> z", "g", "g/0", "h -> g", "z", "z/w", "z/w/0"});
    CHECK(repeats(root) == Names{"b/w -> a", "h -> g", "z -> b"});
}
