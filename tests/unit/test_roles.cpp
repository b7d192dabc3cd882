// Roles of the parts of a checkpoint, and taking parts by role and by path.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "libckpt/error.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/select.hpp"
#include "libckpt/walk.hpp"

using namespace ckpt;

namespace {

using Names = std::vector<std::string>;
using RoleMap = std::map<std::string, Role>;

/// A document that grows by paths: `model/fc.weight` makes the dicts on the way.
class Sketch {
public:
    Sketch() { document.root = document.pool().dict(); }

    Value text(std::string value) { return document.pool().string(std::move(value)); }
    Value tensor(std::int64_t size = 2) {
        auto* node = document.pool().make<TensorNode>();
        node->shape = {size};
        node->stride = {1};
        node->storage = std::make_shared<Storage>(Storage{zero_blob(static_cast<std::uint64_t>(size) * 4), ""});
        return Value::of(node);
    }
    Value set(const std::string& path, Value value) {
        const auto parts = split_path(path);
        Value dict = document.root;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            if (const Value* below = dict.dict().find(parts[i])) {
                dict = *below;
            } else {
                const Value made = document.pool().dict();
                dict.dict().entries.emplace_back(text(parts[i]), made);
                dict = made;
            }
        }
        dict.dict().entries.emplace_back(text(parts.back()), value);
        return value;
    }
    Value set(const std::string& path) { return set(path, tensor()); }

    Document document;
};

RoleMap roles_of(const Document& document) {
    const Roles roles = classify_roles(document);
    return {roles.parts.begin(), roles.parts.end()};
}

Value at(const Document& document, std::string_view path) {
    Value holder;
    const Value* found = find_path(document.root, path, holder);
    INFO(path);
    REQUIRE(found != nullptr);
    return *found;
}
bool has(const Document& document, std::string_view path) {
    Value holder;
    return find_path(document.root, path, holder) != nullptr;
}

/// Paths of all that is no dict, list or tuple.
Names leaves(const Document& document) {
    Names names;
    walk(document.root, [&](const Visit& visit) {
        if (children(visit.value).empty()) names.push_back(visit.path);
        return WalkStep::kInto;
    });
    return names;
}

Selection rules(std::initializer_list<std::pair<char, const char*>> signs) {
    Selection selection;
    for (const auto& [sign, glob] : signs) selection.rules.push_back({sign == '+', Glob(glob)});
    return selection;
}
Names taken(const Document& document, const Selection& selection) {
    return leaves(select(document, selection, Side::kTaken).document);
}
Names rest(const Document& document, const Selection& selection) {
    return leaves(select(document, selection, Side::kRest).document);
}

/// Model of two layers, an optimizer, an epoch.
Sketch usual() {
    Sketch sketch;
    sketch.set("model/layer.0.weight");
    sketch.set("model/layer.0.bias");
    sketch.set("model/layer.10.weight");
    sketch.set("optimizer/state/exp_avg");
    sketch.set("optimizer/lr", Value::real(0.1));
    sketch.set("epoch", Value::integer(3));
    return sketch;
}

}  // namespace

TEST_CASE("role names go out and come back") {
    for (const Role role :
         {Role::kModel, Role::kOptimizer, Role::kScheduler, Role::kHyperParameters, Role::kLog, Role::kOther}) {
        CHECK(parse_role(role_name(role)) == role);
    }
    CHECK(role_name(Role::kHyperParameters) == "hyper-parameters");
    CHECK(parse_role("hparams") == Role::kHyperParameters);
}

TEST_CASE("an unknown role is a usage error that lists the roles") {
    for (const char* name : {"", "Model", "weights", "hyperparameters", "model "}) {
        INFO(name);
        try {
            parse_role(name);
            FAIL_CHECK("was taken for a role");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kUsage);
            for (const char* role : {"model", "optimizer", "scheduler", "hyper-parameters", "log", "other"})
                CHECK_THAT(error.message(), Catch::Contains(role));
        }
    }
}

TEST_CASE("a plain state dict is a model as a whole") {
    Sketch sketch;
    sketch.set("fc.weight");
    sketch.set("fc.bias");
    sketch.set("bn.num_batches_tracked", Value::integer(7));
    const Roles roles = classify_roles(sketch.document);
    CHECK(roles.system == "plain state dict");
    CHECK(roles.whole_is_model);
    CHECK(roles.role_of("") == Role::kModel);
    CHECK(roles.role_of("fc.weight") == Role::kModel);
}

TEST_CASE("a dict with few tensors among other things is no state dict") {
    Sketch sketch;
    sketch.set("x");
    sketch.set("epoch", Value::integer(1));
    sketch.set("best", Value::real(0.5));
    CHECK_FALSE(classify_roles(sketch.document).whole_is_model);
    Sketch empty;
    const Roles roles = classify_roles(empty.document);
    CHECK_FALSE(roles.whole_is_model);
    CHECK(roles.system.empty());
    CHECK(roles.parts.empty());
    Sketch numbered;
    numbered.document.root.dict().entries = {{Value::integer(0), numbered.tensor()},
                                             {Value::integer(1), numbered.tensor()}};
    CHECK_FALSE(classify_roles(numbered.document).whole_is_model);
}

TEST_CASE("a tensor by itself and a pickled module are models as a whole") {
    Sketch sketch;
    sketch.document.root = sketch.tensor();
    CHECK(classify_roles(sketch.document).whole_is_model);

    auto* module = sketch.document.pool().make<ObjectNode>();
    module->type = "net.Net";
    module->recipe = std::make_unique<Recipe>();
    sketch.document.root = Value::of(module);
    CHECK_FALSE(classify_roles(sketch.document).whole_is_model);
    module->recipe->state = sketch.document.pool().dict();
    CHECK_FALSE(classify_roles(sketch.document).whole_is_model);
    module->recipe->state.dict().entries = {{sketch.text("_modules"), sketch.document.pool().dict()}};
    const Roles roles = classify_roles(sketch.document);
    CHECK(roles.whole_is_model);
    CHECK(roles.system == "whole module");
    CHECK(roles.role_of("_modules/fc") == Role::kModel);
}

TEST_CASE("scalars and lists at the root have no model") {
    Sketch sketch;
    sketch.document.root = Value::integer(1);
    CHECK_FALSE(classify_roles(sketch.document).whole_is_model);
    sketch.document.root = sketch.document.pool().list();
    sketch.document.root.sequence().items = {sketch.tensor()};
    CHECK(classify_roles(sketch.document).parts.empty());
    CHECK(classify_roles(sketch.document).role_of("0") == Role::kOther);
}

TEST_CASE("Mammoth's parts") {
    Sketch sketch;
    sketch.set("model/net.conv1.weight");
    sketch.set("optimizer/state");
    sketch.set("scheduler", Value::null());
    sketch.set("args/lr", Value::real(0.03));
    sketch.set("results", sketch.document.pool().list());
    sketch.set("buffer/examples");
    const Roles roles = classify_roles(sketch.document);
    CHECK(roles.system == "Mammoth");
    CHECK_FALSE(roles.whole_is_model);
    CHECK(roles_of(sketch.document) == RoleMap{{"model", Role::kModel},
                                               {"optimizer", Role::kOptimizer},
                                               {"scheduler", Role::kScheduler},
                                               {"args", Role::kHyperParameters},
                                               {"results", Role::kLog},
                                               {"buffer", Role::kOther}});
    CHECK(roles.parts.front().first == "model");
    CHECK(roles.parts.back().first == "buffer");
}

TEST_CASE("Lightning's parts") {
    Sketch sketch;
    sketch.set("epoch", Value::integer(3));
    sketch.set("global_step", Value::integer(400));
    sketch.set("pytorch-lightning_version", sketch.text("2.5.0"));
    sketch.set("state_dict/fc.weight");
    sketch.set("loops/fit_loop", Value::null());
    sketch.set("callbacks/early", Value::null());
    sketch.set("optimizer_states", sketch.document.pool().list());
    sketch.set("lr_schedulers", sketch.document.pool().list());
    sketch.set("hparams_name", sketch.text("kwargs"));
    sketch.set("hyper_parameters/lr", Value::real(1));
    CHECK(classify_roles(sketch.document).system == "Lightning");
    CHECK(roles_of(sketch.document) == RoleMap{{"epoch", Role::kOther},
                                               {"global_step", Role::kOther},
                                               {"pytorch-lightning_version", Role::kOther},
                                               {"state_dict", Role::kModel},
                                               {"loops", Role::kOther},
                                               {"callbacks", Role::kOther},
                                               {"optimizer_states", Role::kOptimizer},
                                               {"lr_schedulers", Role::kScheduler},
                                               {"hparams_name", Role::kHyperParameters},
                                               {"hyper_parameters", Role::kHyperParameters}});
}

TEST_CASE("Fabric's parts") {
    Sketch sketch;
    sketch.set("model/transformer.wte.weight");
    sketch.set("optimizer/state");
    sketch.set("hparams/lr", Value::real(1));
    sketch.set("iter_num", Value::integer(4));
    CHECK(roles_of(sketch.document) == RoleMap{{"model", Role::kModel},
                                               {"optimizer", Role::kOptimizer},
                                               {"hparams", Role::kHyperParameters},
                                               {"iter_num", Role::kOther}});
}

TEST_CASE("parts of Flux, Lux and Keras") {
    Sketch flux;
    flux.set("model_state/layers/0");
    flux.set("opt_state/layers/0");
    flux.set("log/loss");
    CHECK(classify_roles(flux.document).system == "Flux");
    CHECK(roles_of(flux.document) ==
          RoleMap{{"model_state", Role::kModel}, {"opt_state", Role::kOptimizer}, {"log", Role::kLog}});

    Sketch lux;
    lux.set("model_parameters/layer_1");
    lux.set("model_states/layer_1");
    lux.set("optimizer_state/layer_1");
    CHECK(classify_roles(lux.document).system == "Lux");
    CHECK(roles_of(lux.document) == RoleMap{{"model_parameters", Role::kModel},
                                            {"model_states", Role::kModel},
                                            {"optimizer_state", Role::kOptimizer}});

    Sketch keras;
    keras.set("layers/dense/vars/0");
    keras.set("optimizer/vars/0");
    keras.set("vars/0");
    CHECK(classify_roles(keras.document).system == "Keras");
    CHECK(roles_of(keras.document) ==
          RoleMap{{"layers", Role::kModel}, {"optimizer", Role::kOptimizer}, {"vars", Role::kOther}});

    Sketch keras2;
    keras2.set("model_weights/dense/kernel");
    keras2.set("optimizer_weights/adam");
    CHECK(classify_roles(keras2.document).system == "Keras");
    CHECK(roles_of(keras2.document) ==
          RoleMap{{"model_weights", Role::kModel}, {"optimizer_weights", Role::kOptimizer}});
}

TEST_CASE("a convention needs all its keys; names say their role without one") {
    Sketch sketch;
    sketch.set("Model_State_Dict/w");
    sketch.set("OPTIMIZER/state");
    sketch.set("lr_scheduler/last", Value::integer(1));
    sketch.set("grad_scaler/scale", Value::real(1));
    sketch.set("config/x", Value::integer(1));
    sketch.set("history/loss", Value::real(1));
    sketch.set("rng", Value::integer(1));
    CHECK(classify_roles(sketch.document).system.empty());
    CHECK(roles_of(sketch.document) == RoleMap{{"Model_State_Dict", Role::kModel},
                                               {"OPTIMIZER", Role::kOptimizer},
                                               {"lr_scheduler", Role::kScheduler},
                                               {"grad_scaler", Role::kOptimizer},
                                               {"config", Role::kHyperParameters},
                                               {"history", Role::kLog},
                                               {"rng", Role::kOther}});
}

TEST_CASE("a role holds for what lies below a part, not for names that only begin alike") {
    Sketch sketch = usual();
    sketch.set("model/a/b");
    sketch.set("model2/w");
    sketch.set("model.ema/w");
    sketch.set("x\\/y/w");
    const Roles roles = classify_roles(sketch.document);
    CHECK(roles.role_of("model") == Role::kModel);
    CHECK(roles.role_of("model/a/b") == Role::kModel);
    CHECK(roles.role_of("model2/w") == Role::kOther);
    CHECK(roles.role_of("model.ema/w") == Role::kOther);
    CHECK(roles.role_of("optimizer/state/exp_avg") == Role::kOptimizer);
    CHECK(roles.role_of("absent") == Role::kOther);
    CHECK(roles.role_of("") == Role::kOther);
    CHECK(roles.parts.back().first == "x\\/y");
}

TEST_CASE("keys that are no text take part as they print") {
    Sketch sketch = usual();
    sketch.document.root.dict().entries.emplace_back(Value::integer(5), Value::null());
    CHECK(classify_roles(sketch.document).parts.back() == std::pair<std::string, Role>("5", Role::kOther));
}

TEST_CASE("a role takes its parts, the rest is everything else") {
    const Sketch sketch = usual();
    Selection selection;
    selection.roles = {Role::kOptimizer};
    CHECK(taken(sketch.document, selection) == Names{"optimizer/state/exp_avg", "optimizer/lr"});
    CHECK(rest(sketch.document, selection) ==
          Names{"model/layer.0.weight", "model/layer.0.bias", "model/layer.10.weight", "epoch"});
    selection.roles = {Role::kOther, Role::kOptimizer};
    CHECK(taken(sketch.document, selection) == Names{"optimizer/state/exp_avg", "optimizer/lr", "epoch"});
    selection.roles = {Role::kLog};
    const Selected none = select(sketch.document, selection, Side::kTaken);
    CHECK(none.tensors == 0);
    CHECK(none.leaves == 0);
    CHECK(leaves(none.document).size() <= 1);
}

TEST_CASE("what is taken is counted") {
    const Sketch sketch = usual();
    const Selected all = select(sketch.document, {}, Side::kTaken);
    CHECK(all.tensors == 4);
    CHECK(all.leaves == 6);
    CHECK(all.document.root == sketch.document.root);
    const Selected part = select(sketch.document, rules({{'+', "optimizer"}}), Side::kTaken);
    CHECK(part.tensors == 1);
    CHECK(part.leaves == 2);
    const Selected other = select(sketch.document, rules({{'+', "optimizer"}}), Side::kRest);
    CHECK(other.tensors == 3);
    CHECK(other.leaves == 4);
}

TEST_CASE("the model only: its state dict becomes the root") {
    const Sketch sketch = usual();
    Selection selection;
    selection.model_only = true;
    const Selected model = select(sketch.document, selection, Side::kTaken);
    CHECK(model.document.root == at(sketch.document, "model"));
    CHECK(model.tensors == 3);
    CHECK(rest(sketch.document, selection) == Names{"optimizer/state/exp_avg", "optimizer/lr", "epoch"});
}

TEST_CASE("the model only, less what is dropped") {
    const Sketch sketch = usual();
    Selection selection = rules({{'-', "**/*.bias"}});
    selection.model_only = true;
    CHECK(taken(sketch.document, selection) == Names{"layer.0.weight", "layer.10.weight"});
    CHECK(rest(sketch.document, selection) ==
          Names{"model/layer.0.bias", "optimizer/state/exp_avg", "optimizer/lr", "epoch"});
}

TEST_CASE("the model only of a bare state dict is all of it, of two models both") {
    Sketch bare;
    bare.set("w");
    bare.set("b");
    Selection selection;
    selection.model_only = true;
    CHECK(select(bare.document, selection, Side::kTaken).document.root == bare.document.root);
    CHECK(select(bare.document, selection, Side::kRest).leaves == 0);

    Sketch lux;
    lux.set("model_parameters/w");
    lux.set("model_states/mean");
    lux.set("optimizer_state/w");
    CHECK(taken(lux.document, selection) == Names{"model_parameters/w", "model_states/mean"});
    CHECK(rest(lux.document, selection) == Names{"optimizer_state/w"});
}

TEST_CASE("globs choose by whole paths and take what lies below") {
    const Sketch sketch = usual();
    const auto chosen = [&](const char* glob) { return taken(sketch.document, rules({{'+', glob}})); };
    CHECK(chosen("model") == Names{"model/layer.0.weight", "model/layer.0.bias", "model/layer.10.weight"});
    CHECK(chosen("model/") == chosen("model"));
    CHECK(chosen("model/*.weight") == Names{"model/layer.0.weight", "model/layer.10.weight"});
    CHECK(chosen("model/layer.?.*") == Names{"model/layer.0.weight", "model/layer.0.bias"});
    CHECK(chosen("model/layer.[1-9]*") == Names{"model/layer.10.weight"});
    CHECK(chosen("model/layer.[!1-9]*") == Names{"model/layer.0.weight", "model/layer.0.bias"});
    CHECK(chosen("*/state") == Names{"optimizer/state/exp_avg"});
    CHECK(chosen("**/exp_avg") == Names{"optimizer/state/exp_avg"});
    CHECK(chosen("optimizer/**/exp_avg") == Names{"optimizer/state/exp_avg"});
    CHECK(chosen("*") == leaves(sketch.document));
    CHECK(chosen("**") == leaves(sketch.document));
    CHECK(chosen("epoch") == Names{"epoch"});
    const auto count = [&](const char* glob) {
        return select(sketch.document, rules({{'+', glob}}), Side::kTaken).leaves;
    };
    CHECK(count("mod") == 0);
    CHECK(count("weight") == 0);
    CHECK(count("*.weight") == 0);
    CHECK(count("layer.0.weight") == 0);
    CHECK(count("Model") == 0);
}

TEST_CASE("globs see escaped keys as one component") {
    Sketch sketch;
    sketch.set("a\\/b/w");
    sketch.set("a/b");
    sketch.set("\\0/x", Value::integer(1));
    sketch.set("n", Value::integer(1));
    sketch.set("m", Value::integer(1));
    sketch.set("l", Value::integer(1));
    CHECK(taken(sketch.document, rules({{'+', "a\\/b"}})) == Names{"a\\/b/w"});
    CHECK(taken(sketch.document, rules({{'+', "a/b"}})) == Names{"a/b"});
    CHECK(taken(sketch.document, rules({{'+', "\\0"}})) == Names{"\\0/x"});
}

TEST_CASE("rules apply in order, the last that matches counts") {
    const Sketch sketch = usual();
    CHECK(taken(sketch.document, rules({{'+', "model"}, {'-', "**/*.bias"}})) ==
          Names{"model/layer.0.weight", "model/layer.10.weight"});
    CHECK(taken(sketch.document, rules({{'-', "**/*.bias"}, {'+', "model"}})) == leaves(sketch.document));
    CHECK(taken(sketch.document, rules({{'-', "model"}})) == Names{"optimizer/state/exp_avg", "optimizer/lr", "epoch"});
    CHECK(taken(sketch.document, rules({{'-', "model"}, {'+', "model/*.bias"}})) ==
          Names{"model/layer.0.bias", "optimizer/state/exp_avg", "optimizer/lr", "epoch"});
    CHECK(taken(sketch.document, rules({{'+', "epoch"}, {'+', "optimizer/lr"}})) == Names{"optimizer/lr", "epoch"});
    CHECK(select(sketch.document, rules({{'+', "model"}, {'-', "**"}}), Side::kTaken).leaves == 0);
}

TEST_CASE("rules refine a role") {
    const Sketch sketch = usual();
    Selection selection = rules({{'-', "**/*.bias"}});
    selection.roles = {Role::kModel};
    CHECK(taken(sketch.document, selection) == Names{"model/layer.0.weight", "model/layer.10.weight"});
    selection = rules({{'+', "epoch"}});
    selection.roles = {Role::kOptimizer};
    CHECK(taken(sketch.document, selection) == Names{"optimizer/state/exp_avg", "optimizer/lr", "epoch"});
}

TEST_CASE("the two sides together are the whole, and share nothing") {
    const Sketch sketch = usual();
    for (const auto& selection :
         {rules({{'+', "model"}}), rules({{'-', "**/*.weight"}}), rules({{'+', "**/l*"}, {'-', "optimizer"}}),
          rules({{'+', "nothing"}}), rules({{'+', "**"}})}) {
        std::vector<const Node*> seen;
        std::size_t count = 0;
        for (const Side side : {Side::kTaken, Side::kRest}) {
            const Selected selected = select(sketch.document, selection, side);
            count += selected.leaves;
            walk(selected.document.root, [&](const Visit& visit) {
                if (visit.value.is(Kind::kTensor)) seen.push_back(visit.value.node());
                return WalkStep::kInto;
            });
        }
        CHECK(count == 6);
        std::sort(seen.begin(), seen.end());
        CHECK(seen.size() == 4);
        CHECK(std::unique(seen.begin(), seen.end()) == seen.end());
    }
}

TEST_CASE("containers keep their kind, class, attributes and keys; lists close ranks") {
    Sketch sketch;
    Pool& pool = sketch.document.pool();
    const Value list = sketch.set("list", pool.list());
    list.sequence().items = {Value::integer(0), Value::integer(1), Value::integer(2), Value::integer(3)};
    sketch.set("tuple", pool.tuple({Value::integer(4), Value::integer(5)}));
    const Value dict = sketch.set("dict", pool.dict());
    dict.dict().entries = {{Value::integer(7), Value::integer(1)}, {Value::boolean(false), Value::integer(2)}};
    dict.node()->type = "collections.OrderedDict";
    dict.node()->recipe = std::make_unique<Recipe>();
    dict.node()->recipe->state = pool.dict();
    dict.node()->set_attribute("hdf5:units", Value::integer(9));
    sketch.document.set_attribute("torch:byteorder", Value::integer(1));
    sketch.document.format = "torch";
    sketch.document.producer = "torch 2.7";

    const Selected selected = select(
        sketch.document, rules({{'-', "list/1"}, {'-', "list/3"}, {'-', "tuple/0"}, {'-', "dict/7"}}), Side::kTaken);
    const Document& result = selected.document;
    CHECK(selected.leaves == 4);
    CHECK(at(result, "list/0") == Value::integer(0));
    CHECK(at(result, "list/1") == Value::integer(2));
    CHECK(at(result, "tuple").is(Kind::kTuple));
    CHECK(at(result, "tuple").sequence().items == std::vector<Value>{Value::integer(5)});
    const Value kept = at(result, "dict");
    CHECK(kept.type() == "collections.OrderedDict");
    REQUIRE(kept.dict().entries.size() == 1);
    CHECK(kept.dict().entries[0].first == Value::boolean(false));
    REQUIRE(kept.node()->recipe);
    CHECK(kept.node()->recipe->state == dict.node()->recipe->state);
    REQUIRE(kept.node()->attribute("hdf5:units") != nullptr);
    CHECK(*kept.node()->attribute("hdf5:units") == Value::integer(9));
    REQUIRE(result.attribute("torch:byteorder") != nullptr);
    CHECK(result.format == "torch");
    CHECK(result.producer == "torch 2.7");
    CHECK(dict.dict().entries.size() == 2);
    CHECK(list.sequence().items.size() == 4);
}

TEST_CASE("tied tensors stay tied, untouched containers stay the same nodes") {
    Sketch sketch = usual();
    const Value tied = at(sketch.document, "model/layer.0.weight");
    sketch.set("model/head.weight", tied);
    auto* view = sketch.document.pool().make<TensorNode>();
    view->storage = tied.tensor().storage;
    view->shape = {1};
    view->stride = {1};
    sketch.set("model/view", Value::of(view));
    sketch.set("again", at(sketch.document, "optimizer"));

    const Document result = select(sketch.document, rules({{'-', "**/*.bias"}}), Side::kTaken).document;
    CHECK(at(result, "model/layer.0.weight") == tied);
    CHECK(at(result, "model/head.weight") == tied);
    CHECK(at(result, "model/view").tensor().storage == tied.tensor().storage);
    CHECK(at(result, "optimizer") == at(sketch.document, "optimizer"));
    CHECK(at(result, "again") == at(result, "optimizer"));
    CHECK_FALSE(at(result, "model") == at(sketch.document, "model"));
}

TEST_CASE("what is taken outlives the document it came from") {
    Document result;
    {
        const Sketch sketch = usual();
        result = select(sketch.document, rules({{'+', "optimizer/lr"}}), Side::kTaken).document;
    }
    CHECK(at(result, "optimizer/lr").as_double() == 0.1);
    CHECK(result.root.dict().entries.front().first.as_string() == "optimizer");
}

TEST_CASE("null and empty containers are taken as they are") {
    Sketch sketch;
    sketch.set("a/none", Value::null());
    sketch.set("a/list", sketch.document.pool().list());
    sketch.set("a/dict", sketch.document.pool().dict());
    sketch.set("b", Value::integer(1));
    const Document result = select(sketch.document, rules({{'+', "a"}}), Side::kTaken).document;
    CHECK(at(result, "a/none").is_null());
    CHECK(at(result, "a/list").is(Kind::kList));
    CHECK(at(result, "a/dict").is(Kind::kDict));
    CHECK_FALSE(has(result, "b"));
    const Document dropped = select(sketch.document, rules({{'-', "a/none"}, {'-', "a/list"}}), Side::kTaken).document;
    CHECK_FALSE(has(dropped, "a/none"));
    CHECK(has(dropped, "a/dict"));
}

TEST_CASE("a container of which nothing is taken is gone") {
    const Sketch sketch = usual();
    const Document result = select(sketch.document, rules({{'-', "optimizer/state/*"}}), Side::kTaken).document;
    CHECK(has(result, "optimizer/lr"));
    CHECK_FALSE(has(result, "optimizer/state"));
}

TEST_CASE("objects are taken whole") {
    Sketch sketch = usual();
    auto* object = sketch.document.pool().make<ObjectNode>();
    object->type = "argparse.Namespace";
    object->recipe = std::make_unique<Recipe>();
    object->recipe->state = sketch.document.pool().dict();
    object->recipe->state.dict().entries = {{sketch.text("lr"), Value::real(1)}};
    sketch.set("args", Value::of(object));
    const Document result = select(sketch.document, rules({{'+', "args"}}), Side::kTaken).document;
    CHECK(at(result, "args") == Value::of(object));
    CHECK(at(result, "args/lr") == Value::real(1));
}

TEST_CASE("a root that is no container is taken or not") {
    Sketch sketch;
    const Value tensor = sketch.tensor();
    sketch.document.root = tensor;
    CHECK(select(sketch.document, {}, Side::kTaken).document.root == tensor);
    CHECK(select(sketch.document, {}, Side::kTaken).tensors == 1);
    CHECK(select(sketch.document, {}, Side::kRest).tensors == 0);
    Selection selection;
    selection.model_only = true;
    CHECK(select(sketch.document, selection, Side::kTaken).document.root == tensor);
    selection = {};
    selection.roles = {Role::kOptimizer};
    CHECK(select(sketch.document, selection, Side::kTaken).tensors == 0);
}

TEST_CASE("selecting from a deep or a circular document ends") {
    Sketch deep;
    Value list = deep.document.pool().list();
    list.sequence().items = {Value::integer(1)};
    for (int i = 0; i < 2000; ++i) {
        const Value outer = deep.document.pool().list();
        outer.sequence().items = {list};
        list = outer;
    }
    deep.set("deep", list);
    deep.set("x", Value::integer(2));
    CHECK(select(deep.document, rules({{'+', "deep"}}), Side::kTaken).leaves == 1);
    CHECK(select(deep.document, rules({{'+', "deep"}}), Side::kRest).leaves == 1);

    Sketch ring = usual();
    ring.set("model/self", at(ring.document, "model"));
    const Selected selected = select(ring.document, rules({{'+', "model"}}), Side::kTaken);
    CHECK(selected.tensors == 3);
}

TEST_CASE("one entry that holds a model and an optimizer is the training state; two of them are not") {
    Sketch sketch;
    sketch.set("app/model/layer.weight");
    sketch.set("app/optim/state/exp_avg");
    sketch.set("app/note", Value::integer(1));
    sketch.set("step", Value::integer(3));
    Selection selection;
    selection.model_only = true;
    CHECK(taken(sketch.document, selection) == Names{"layer.weight"});
    CHECK(rest(sketch.document, selection) == Names{"app/optim/state/exp_avg", "app/note", "step"});
    CHECK(classify_roles(sketch.document).role_of("app/model/layer.weight") == Role::kModel);
    CHECK(classify_roles(sketch.document).role_of("app/optim/state/exp_avg") == Role::kOptimizer);
    sketch.set("other/model/layer.weight");
    sketch.set("other/optim/state/exp_avg");
    CHECK(classify_roles(sketch.document).inner_parts.empty());
    CHECK(select(sketch.document, selection, Side::kTaken).tensors == 0);
}
