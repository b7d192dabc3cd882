// What names of Mammoth's checkpoints say of their runs.
#include <catch2/catch.hpp>

#include "libckpt/run_facts.hpp"
#include "libckpt/series.hpp"

using namespace ckpt;

TEST_CASE("names of both forms are taken apart outwards from the timestamp") {
    struct Case {
        const char *name, *base, *model, *dataset, *config;
        int buffer, epochs;
        const char *timestamp, *id;
    };
    for (const Case& one : {
             Case{"er_seq-mnist_None_8_1_20240229-233005_1f2e3d4c_0.pt", "", "er", "seq-mnist", "None", 8, 1,
                  "20240229-233005", "1f2e3d4c"},
             Case{"my_base-run_7_er_seq-cifar100-224_ring_None_8_1_20231231-000001_5eed0005_0.pt", "my_base-run_7",
                  "er", "seq-cifar100-224_ring", "None", 8, 1, "20231231-000001", "5eed0005"},
             Case{"x_er_ace_star_seq-cifar10_mlp-small_500_50_20240302-000000_00c0ffee_last.pt", "x", "er_ace_star",
                  "seq-cifar10", "mlp-small", 500, 50, "20240302-000000", "00c0ffee"},
             Case{"er-ace_perm-mnist_200_1_20240101-000000_joint.pt", "", "er-ace", "perm-mnist", "", 200, 1,
                  "20240101-000000", ""},
             Case{"derpp_mnist-360_8_1_20220115-093000_12.pt", "", "derpp", "mnist-360", "", 8, 1, "20220115-093000",
                  ""},
             Case{"a_b_own_8_1_20220115-093000_3.pt", "a", "b", "own", "", 8, 1, "20220115-093000", ""},
             Case{"moe-adapters_seq-mnist_None_0_1_20230505-101010_01d01d02", "", "moe-adapters", "seq-mnist", "None",
                  0, 1, "20230505-101010", "01d01d02"},
         }) {
        INFO(one.name);
        const RunFacts facts = run_facts_of_name(one.name);
        CHECK(facts.base == one.base);
        CHECK(facts.model == one.model);
        CHECK(facts.dataset == one.dataset);
        CHECK(facts.dataset_config == one.config);
        CHECK(facts.buffer_size == one.buffer);
        CHECK(facts.epochs == one.epochs);
        CHECK(facts.timestamp == one.timestamp);
        CHECK(facts.id == one.id);
    }
    for (const char* name : {"model_0004999.pth", "er_seq-mnist_x_1_20220115-093000_0.pt", "20220115-093000_0.pt",
                             "a_1_1_20220115-093000_0.pt", ""}) {
        INFO(name);
        CHECK(run_facts_of_name(name).is_empty());
    }
}

TEST_CASE("the last, the joint and the paused have a label in place of an index") {
    const NameTable names;
    for (const auto& [name, label] : {std::pair{"er_seq-mnist_None_8_1_20240302-000000_00c0ffee_last.pt", "last"},
                                      {"sgd_seq-mnist_None_0_1_20240303-235959_beef0001_joint.pt", "joint"},
                                      {"7c9e6679-7425-40de-944b-e07fc1f90ae7.pt", "paused"}}) {
        INFO(name);
        const auto match = names.classify(name, EntryKind::kFile);
        REQUIRE(match);
        CHECK(match->axis == "task");
        CHECK(!match->index);
        CHECK(match->label == label);
    }
}
