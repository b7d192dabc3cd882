// Selecting from documents whose containers are shared, lead back to themselves, or stand in many places.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <set>

#include "libckpt/error.hpp"
#include "libckpt/select.hpp"
#include "libckpt/walk.hpp"

using namespace ckpt;

namespace {

using Names = std::vector<std::string>;
using Entries = std::vector<std::pair<const char*, Value>>;

Value number(std::int64_t value) {
    return Value::integer(value);
}
Value dict_of(Pool& pool, const Entries& entries) {
    const Value dict = pool.dict();
    for (const auto& [key, value] : entries) dict.dict().entries.emplace_back(pool.string(key), value);
    return dict;
}
Value list_of(Pool& pool, std::vector<Value> items) {
    const Value list = pool.list();
    list.sequence().items = std::move(items);
    return list;
}
Value tensor(Pool& pool) {
    auto* node = pool.make<TensorNode>();
    node->shape = {1};
    node->stride = {1};
    return Value::of(node);
}
void put(Pool& pool, const Value& dict, const char* key, const Value& value) {
    dict.dict().entries.emplace_back(pool.string(key), value);
}

/// "-GLOB" drops, "+GLOB" keeps.
Selection rules(std::initializer_list<const char*> signs) {
    Selection selection;
    for (const std::string_view sign : signs) selection.rules.push_back({sign[0] == '+', Glob(sign.substr(1))});
    return selection;
}
Document taken(const Document& document, const Selection& selection) {
    return select(document, selection, Side::kTaken).document;
}
Document rest(const Document& document, const Selection& selection) {
    return select(document, selection, Side::kRest).document;
}

/// What stands at a path; null if there is nothing.
Value at(const Document& document, std::string_view path) {
    Value holder;
    const Value* found = find_path(document.root, path, holder);
    return found != nullptr ? *found : Value::null();
}
Names keys(const Value& value) {
    Names names;
    for (const auto& child : children(value)) names.push_back(child.component);
    return names;
}
bool reaches(const Document& document, const Value& wanted) {
    bool found = false;
    walk(document.root, [&](const Visit& visit) {
        found = found || visit.value == wanted;
        return WalkStep::kInto;
    });
    return found;
}
template <typename Function>
double seconds(const Function& function) {
    const auto begin = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Every path to a leaf, a shared one by each of its paths.
void leaf_paths(const Value& value, const std::string& path, std::multiset<std::string>& result) {
    if (!value.is(Kind::kDict)) {
        result.insert(path);
        return;
    }
    for (const auto& child : children(value)) leaf_paths(child.value, join_path(path, child.component), result);
}

}  // namespace

TEST_CASE("a shared dict of which the same is taken in each place stays one") {
    Document document;
    Pool& pool = document.pool();
    const Value shared = dict_of(pool, {{"x", tensor(pool)}, {"y", tensor(pool)}});
    document.root = dict_of(pool, {{"a", shared}, {"b", list_of(pool, {shared})}});
    for (const auto& selection : {rules({"-**/x"}), rules({"-a/x", "-b/0/x"}), rules({"-**/x", "-b/0/z"}),
                                  rules({"+**/y", "+a/y/z"}), rules({"-b/*/x", "-a/x", "+a/y"})}) {
        const Document result = taken(document, selection);
        CHECK(keys(at(result, "a")) == Names{"y"});
        CHECK(at(result, "a") == at(result, "b/0"));
        CHECK_FALSE(at(result, "a") == shared);
        const Document left = rest(document, selection);
        CHECK(keys(at(left, "a")) == Names{"x"});
        CHECK(at(left, "a") == at(left, "b/0"));
    }
}

TEST_CASE("a shared dict of which different things are taken becomes several") {
    Document document;
    Pool& pool = document.pool();
    const Value shared = dict_of(pool, {{"x", tensor(pool)}, {"y", tensor(pool)}});
    document.root = dict_of(pool, {{"a", shared}, {"b", shared}, {"c", shared}, {"d", shared}});
    const Document result = taken(document, rules({"-a/x", "-b/y", "-c/x"}));
    CHECK(keys(at(result, "a")) == Names{"y"});
    CHECK(keys(at(result, "b")) == Names{"x"});
    CHECK(at(result, "c") == at(result, "a"));
    CHECK(at(result, "d") == shared);
    const Document left = rest(document, rules({"-a/x", "-b/y", "-c/x"}));
    CHECK(keys(left.root) == Names{"a", "b", "c"});
    CHECK(keys(at(left, "a")) == Names{"x"});
    CHECK(at(left, "c") == at(left, "a"));
}

TEST_CASE("what holds a changed container twice holds its copy twice") {
    Document document;
    Pool& pool = document.pool();
    const Value leaf = dict_of(pool, {{"x", number(1)}, {"y", number(2)}});
    const Value middle = dict_of(pool, {{"p", leaf}, {"q", leaf}});
    document.root = dict_of(pool, {{"a", middle}, {"b", middle}});
    const Document result = taken(document, rules({"-**/x"}));
    CHECK(at(result, "a") == at(result, "b"));
    CHECK(at(result, "a/p") == at(result, "a/q"));
    CHECK(keys(at(result, "a/p")) == Names{"y"});
}

TEST_CASE("what is dropped does not come back through a ring") {
    Document document;
    Pool& pool = document.pool();
    const Value dropped = tensor(pool);
    const Value ring = dict_of(pool, {{"t", dropped}, {"x", number(1)}});
    put(pool, ring, "self", ring);
    document.root = dict_of(pool, {{"ring", ring}});
    const Selected result = select(document, rules({"-ring/t"}), Side::kTaken);
    CHECK_FALSE(reaches(result.document, dropped));
    CHECK(result.tensors == 0);
    CHECK(keys(at(result.document, "ring")) == Names{"x", "self"});
    CHECK(at(result.document, "ring/self") == at(result.document, "ring"));
    const Selected left = select(document, rules({"-ring/t"}), Side::kRest);
    CHECK(keys(at(left.document, "ring")) == Names{"t"});
    CHECK(left.tensors == 1);
}

TEST_CASE("a ring is closed again whatever its length, through lists, tuples and the root") {
    Document document;
    Pool& pool = document.pool();
    const Value dropped = tensor(pool);
    const Value model = dict_of(pool, {{"w", tensor(pool)}});
    document.root = dict_of(pool, {{"t", dropped}, {"model", model}});
    put(pool, model, "up", list_of(pool, {pool.tuple({document.root, number(1)})}));
    const Document result = taken(document, rules({"-t"}));
    CHECK_FALSE(reaches(result, dropped));
    CHECK(keys(result.root) == Names{"model"});
    CHECK(at(result, "model/up/0/0") == result.root);
    CHECK(at(result, "model/up/0").is(Kind::kTuple));

    Selection model_only;
    model_only.model_only = true;
    const Document only = taken(document, model_only);
    CHECK(only.root == at(only, "up/0/0/model"));
    CHECK_FALSE(reaches(only, dropped));
}

TEST_CASE("a ring of which nothing is dropped stays the same nodes") {
    Document document;
    Pool& pool = document.pool();
    const Value ring = pool.list();
    ring.sequence().items = {ring};
    const Value other = dict_of(pool, {{"x", number(1)}});
    put(pool, other, "back", dict_of(pool, {{"other", other}}));
    document.root = dict_of(pool, {{"ring", ring}, {"other", other}, {"y", number(2)}});
    const Document result = taken(document, rules({"-y"}));
    CHECK(at(result, "ring") == ring);
    CHECK(at(result, "other") == other);
    CHECK(taken(document, {}).root == document.root);
    const Document none = taken(document, rules({"+y"}));
    CHECK(keys(none.root) == Names{"y"});
    CHECK(keys(taken(document, rules({"-ring/0"})).root) == Names{"other", "y"});
}

TEST_CASE("rings that stand in several places are judged in each") {
    Document document;
    Pool& pool = document.pool();
    const Value ring = dict_of(pool, {{"x", number(1)}, {"y", number(2)}});
    put(pool, ring, "self", ring);
    document.root = dict_of(pool, {{"a", ring}, {"b", ring}, {"c", ring}});
    const Document result = taken(document, rules({"-a/x", "-b/x"}));
    CHECK(keys(at(result, "a")) == Names{"y", "self"});
    CHECK(at(result, "a/self") == at(result, "a"));
    CHECK(at(result, "b") == at(result, "a"));
    CHECK(at(result, "c") == ring);
    const Document mixed = taken(document, rules({"-a/x", "-b/x", "+c/z/z", "-b/q"}));
    CHECK(at(mixed, "b") == at(mixed, "a"));
}

TEST_CASE("links to and fro among the items of a list keep leading to those items") {
    Document document;
    Pool& pool = document.pool();
    std::vector<Value> items;
    for (int i = 0; i < 50; ++i) items.push_back(dict_of(pool, {{"x", number(i)}, {"t", tensor(pool)}}));
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) put(pool, items[i], "previous", items[i - 1]);
        if (i + 1 < items.size()) put(pool, items[i], "next", items[i + 1]);
    }
    document.root = dict_of(pool, {{"items", list_of(pool, items)}});
    const Selected result = select(document, rules({"-**/t"}), Side::kTaken);
    CHECK(result.tensors == 0);
    CHECK(at(result.document, "items/0/next/next") == at(result.document, "items/2"));
    CHECK(at(result.document, "items/49/previous") == at(result.document, "items/48"));
}

TEST_CASE("containers doubled thirty times are selected from at once") {
    for (const bool is_tuple : {false, true}) {
        Document document;
        Pool& pool = document.pool();
        Value twice = pool.tuple({number(1), number(2)});
        for (int i = 0; i < 30; ++i) twice = is_tuple ? pool.tuple({twice, twice}) : list_of(pool, {twice, twice});
        document.root = dict_of(pool, {{"twice", twice}, {"x", number(1)}});
        for (const auto& selection : {rules({"+x"}), rules({"-x"}), rules({"-**/1"}), rules({"-**/0/*/1"}),
                                      rules({"-twice/0/1/0", "+**/1/0/*/*/1"})}) {
            CHECK(seconds([&] {
                      (void)select(document, selection, Side::kTaken);
                      (void)select(document, selection, Side::kRest);
                  }) < 1);
        }
        CHECK(at(taken(document, rules({"-x"})), "twice") == twice);
        CHECK(at(taken(document, rules({"+x"})), "twice").is_null());
    }
}

TEST_CASE("many places, many rules and a deep document take their time once") {
    Document document;
    Pool& pool = document.pool();
    Value deep = dict_of(pool, {{"t", tensor(pool)}});
    for (int i = 0; i < 100000; ++i) deep = list_of(pool, {deep});
    const Value shared = dict_of(pool, {{"x", number(1)}, {"y", deep}});
    document.root = pool.dict();
    for (int i = 0; i < 10000; ++i) put(pool, document.root, std::to_string(i).c_str(), shared);
    CHECK(seconds([&] { CHECK(select(document, rules({"-**/x"}), Side::kTaken).tensors == 1); }) < 5);
}

TEST_CASE("by random rules, each path of a shared document is kept or not as its rules say") {
    std::mt19937 random(7);
    const auto pick = [&](std::size_t count) { return static_cast<std::size_t>(random() % count); };
    const char* const parts[] = {"a", "b", "c", "*", "**", "[ab]"};
    for (int round = 0; round < 300; ++round) {
        Document document;
        Pool& pool = document.pool();
        std::vector<Value> made{number(1), tensor(pool)};
        for (int i = 0; i < 6; ++i) {
            const Value dict = pool.dict();
            for (const char* key : {"a", "b", "c"}) {
                if (pick(4) != 0)
                    put(pool, dict, key, made[made.size() - 1 - pick(std::min<std::size_t>(made.size(), 3))]);
            }
            if (!dict.dict().entries.empty()) made.push_back(dict);
        }
        document.root = made.back();
        if (!document.root.is(Kind::kDict)) continue;
        Selection selection;
        for (std::size_t rule = 0; rule <= pick(4); ++rule) {
            std::string glob;
            for (std::size_t part = 0; part <= pick(4); ++part) glob = join_path(glob, parts[pick(6)]);
            selection.rules.push_back({pick(2) == 0, Glob(glob)});
        }
        std::multiset<std::string> all;
        leaf_paths(document.root, "", all);
        const bool is_bare = classify_roles(document).whole_is_model;
        for (const Side side : {Side::kTaken, Side::kRest}) {
            std::multiset<std::string> expected;
            for (const auto& path : all) {
                bool keep = !selection.rules.front().keep;
                for (const auto& rule : selection.rules) {
                    if (rule.glob.matches(path)) keep = rule.keep;
                }
                if (keep == (side == Side::kTaken)) expected.insert(path);
            }
            const Document result = select(document, selection, side).document;
            std::multiset<std::string> found;
            leaf_paths(result.root, "", found);
            INFO(round << " " << is_bare << " " << selection.rules.front().glob.pattern());
            CHECK(found == expected);
        }
    }
}

TEST_CASE("the model only of a bare state dict stays a dict when one entry is left") {
    Document document;
    Pool& pool = document.pool();
    document.root = dict_of(pool, {{"weight", tensor(pool)}, {"bias", tensor(pool)}});
    Selection selection = rules({"-bias"});
    selection.model_only = true;
    CHECK(keys(taken(document, selection).root) == Names{"weight"});
    CHECK(taken(document, selection).root.dict().find("weight")->is(Kind::kTensor));
}

TEST_CASE("the model becomes the root only if nothing else is taken") {
    Document document;
    Pool& pool = document.pool();
    document.root =
        dict_of(pool, {{"model", dict_of(pool, {{"w", tensor(pool)}, {"b", tensor(pool)}})}, {"epoch", number(1)}});
    const auto model_only = [](Selection selection) {
        selection.model_only = true;
        return selection;
    };
    CHECK(keys(taken(document, model_only(rules({"-**/b"}))).root) == Names{"w"});
    CHECK(keys(taken(document, model_only(rules({"+epoch"}))).root) == Names{"model", "epoch"});
    CHECK(keys(taken(document, model_only(rules({"-model", "+epoch"}))).root) == Names{"epoch"});
    CHECK(keys(taken(document, model_only(rules({"-model"}))).root).empty());
}

TEST_CASE("the model only and roles exclude each other") {
    Document document;
    document.root = dict_of(document.pool(), {{"model", number(1)}, {"optimizer", number(2)}});
    Selection selection;
    selection.model_only = true;
    selection.roles = {Role::kOptimizer};
    try {
        (void)select(document, selection, Side::kTaken);
        FAIL_CHECK("was taken");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kUsage);
        CHECK_THAT(error.message(), Catch::Contains("exclude each other"));
    }
}

TEST_CASE("a root of which nothing is taken is an empty dict, whatever it was") {
    Document document;
    Pool& pool = document.pool();
    for (const Value& root : {tensor(pool), number(1), pool.list(), list_of(pool, {number(1)}), pool.dict()}) {
        document.root = root;
        const Selected none = select(document, rules({"+nothing"}), Side::kTaken);
        CHECK(none.document.root.is(Kind::kDict));
        CHECK(none.leaves == 0);
        CHECK(taken(document, rules({"-nothing"})).root == root);
    }
}

TEST_CASE("what hangs on a list goes with it and is no item") {
    Document document;
    Pool& pool = document.pool();
    const Value list = list_of(pool, {number(1), number(2)});
    list.node()->recipe = std::make_unique<Recipe>();
    list.node()->recipe->state = dict_of(pool, {{"x", number(3)}});
    document.root = dict_of(pool, {{"list", list}});
    const Document result = taken(document, rules({"-list/0"}));
    CHECK(keys(at(result, "list")) == Names{"0", "__dict__"});
    CHECK(at(result, "list/0") == number(2));
    CHECK(at(result, "list/__dict__/x") == number(3));
}
