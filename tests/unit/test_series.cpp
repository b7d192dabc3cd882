// Names of checkpoints: each convention, and what must not be taken for one.
#include <catch2/catch.hpp>

#include "libckpt/error.hpp"
#include "libckpt/series.hpp"

using namespace ckpt;

namespace {

struct Sample {
    const char* name;
    EntryKind kind;
    const char* scheme;
    double index;  // -1: none
};
constexpr auto kF = EntryKind::kFile;
constexpr auto kD = EntryKind::kFolder;
constexpr Sample kSamples[] = {
    {"checkpoint-500", kD, "hf-trainer", 500},
    {"global_step4000_universal", kD, "deepspeed-tag", 4000},
    {"release", kD, "megatron-release", -1},
    {"step1000-unsharded", kD, "olmo-step", 1000},
    {"checkpoint_1000", kD, "flax-or-accelerate", 1000},
    {"1000", kD, "orbax-plain", 1000},
    {"ckpt_1000", kD, "orbax-prefixed", 1000},
    {"__0_0.distcp", kF, "dcp-shard", 0},
    {"bf16_zero_pp_rank_3_mp_rank_00_optim_states.pt", kF, "deepspeed-shard", 0},
    {"checkpoint_23_22750-model_part-7-shard96.pt", kF, "metaseq", 23},
    {"er_seq-cifar100_200_5_20240101-120000_last.pt", kF, "mammoth", -1},
    {"er_seq-cifar10_None_500_50_20260520-221332_1a2b3c4d_4.pt", kF, "mammoth", 4},
    {"pyhopper_run_00001.ckpt", kF, "pyhopper", 1},
    {"checkpoint.best_loss_3.456.pt", kF, "fairseq-best-metric", 3.456},
    {"checkpoint_000002041_1064960.pth", kF, "sample-factory", 2041},
    {"ep0-ba100-rank0.pt", kF, "composer", 0},
    {"ckpt-12.index", kF, "tf-index", 12},
    {"checkpoint-12.pth.tar", kF, "timm-tar", 12},
    {"mylora-000010.safetensors", kF, "kohya-epoch", 10},
    {"03-0.12.weights.h5", kF, "keras-epoch-metric", 3},
    {"checkpoint_epoch=42.jld2", kF, "flux-kv", 42},
    {"checkpoint=9.jld2", kF, "flux-kv", 9},
    {"epoch=3-step=400.ckpt", kF, "lightning-kv", 3},
    {"last.ckpt", kF, "last", -1},
    {"last-v1.ckpt", kF, "last", -1},
    {"model_0004999.pth", kF, "detectron", 4999},
    {"epoch-40.pt", kF, "icefall", 40},
    {"model-00001-of-00003.safetensors", kF, "hf-shard", 1},
};

}  // namespace

TEST_CASE("names are classified by the first convention that fits") {
    const NameTable table;
    for (const Sample& sample : kSamples) {
        INFO(sample.name);
        const auto match = table.classify(sample.name, sample.kind);
        REQUIRE(match);
        CHECK(match->scheme == sample.scheme);
        CHECK(match->index.value_or(-1) == sample.index);
    }
    CHECK_FALSE(table.classify("README", kF));
    CHECK_FALSE(table.classify(std::string(300, '1'), kF));
}

TEST_CASE("a name may carry two axes") {
    const auto match = NameTable().classify("epoch=3-step=400.ckpt", kF);
    CHECK(match->axis == "epoch");
    CHECK(match->on_axis("step") == 400.0);
    CHECK_FALSE(NameTable().classify("last.ckpt", kF)->index);
}

TEST_CASE("a pattern of one's own has the index as its first group") {
    const NameTable table("^snap-([0-9]+)$", "step");
    CHECK(table.classify("snap-12", kF)->index == 12.0);
    CHECK(table.classify("snap-12", kF)->axis == "step");
    CHECK_FALSE(table.classify("epoch-40.pt", kF));
    CHECK_THROWS_AS(NameTable("("), Error);
    CHECK_THROWS_AS(NameTable("abc"), Error);
}

TEST_CASE("leftovers, sidecars and pointers are no checkpoints") {
    for (const char* name : {"x.tmp", "tmp_x", "epoch-3.pt.part", "events.out.tfevents.1", "optimizer.pt",
                             "model.safetensors.index.json", "latest", ".metadata"}) {
        INFO(name);
        CHECK(NameTable::why_not(name));
    }
    CHECK_FALSE(NameTable::why_not("epoch-40.pt"));
}
