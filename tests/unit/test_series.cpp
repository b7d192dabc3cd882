// Names of checkpoints: each convention, and what must not be taken for one.
#include <catch2/catch.hpp>
#include <cmath>

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
    {"epoch=3-step=400.ckpt", kD, "lightning-kv", 3},
    {"last.ckpt", kF, "last", -1},
    {"last-v1.ckpt", kF, "last", -1},
    {"model_0004999.pth", kF, "detectron", 4999},
    {"epoch-40.pt", kF, "icefall", 40},
    {"model-00001-of-00003.safetensors", kF, "hf-shard", 1},
    {"my\nrun\r-epoch=3.ckpt", kF, "lightning-kv", 3},
    {"\n-3.pt", kF, "generic-last-int", 3},
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
    REQUIRE(match->number_on("step") != nullptr);
    CHECK(match->number_on("step")->begin == 13);
    CHECK(match->number_on("step")->length == 3);
    CHECK(match->number_on("loss") == nullptr);
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
    for (const char* name :
         {"x.tmp", "tmp_x", "epoch-3.pt.part", "events.out.tfevents.1", "optimizer.pt", "optimizer-3.pt",
          "scheduler3.pt", "scaler_0.pt", "optimizer", "model.safetensors.index.json", "latest", ".metadata"}) {
        INFO(name);
        CHECK(NameTable::why_not(name));
    }
    CHECK_FALSE(NameTable::why_not("epoch-40.pt"));
}

TEST_CASE("indices are written as people write them") {
    CHECK(index_text(0) == "0");
    CHECK(index_text(42) == "42");
    CHECK(index_text(-3) == "-3");
    CHECK(index_text(0.25) == "0.25");
    CHECK(index_text(9007199254740991) == "9007199254740991");
}

TEST_CASE("names of one series differ in their numbers only") {
    const NameTable table;
    const auto series = [&](const char* name) { return table.classify(name, EntryKind::kFile)->series; };
    CHECK(series("epoch-9.pt") == series("epoch-10.pt"));
    CHECK(series("checkpoint_2_900.pt") == series("checkpoint_10_1000.pt"));
    CHECK_FALSE(series("encoder-1.pt") == series("head-1.pt"));
    CHECK_FALSE(series("epoch-9.pt") == series("epoch-9.pth"));
    CHECK(series("checkpoint_0.25") == series("checkpoint_2"));
    CHECK(series("epoch=3-step=400-val_loss=-0.25.ckpt") == "#.ckpt");
    CHECK(series("epoch=3-v1.ckpt") == "#.ckpt");
    CHECK(series("mnist-epoch=02-val_loss=0.32-v2.ckpt") == series("mnist-step=400.ckpt"));
    CHECK(series("net=resnet-epoch=2-best.ckpt") == "net=resnet-#-best.ckpt");
    CHECK_FALSE(series("run2_model_5.pt") == series("run3_model_5.pt"));
    CHECK(series("model-2024-05-01T12:30:00.jld2") == series("model-2025-05-01T12:30:00.jld2"));
}

TEST_CASE("the first conventions that fit say what the numbers mean") {
    struct Meaning {
        const char* name;
        EntryKind kind;
        const char* scheme;
        const char* axis;
        double index;
        int base;
    };
    const NameTable table;
    for (const Meaning& sample : {
             Meaning{"iter_0001000", kD, "megatron-iter", "iter", 1000, 0},
             {"step-12", kD, "torchtitan-step", "step", 12, 0},
             {"step1000", kD, "olmo-step", "step", 1000, 0},
             {"epoch_3", kD, "torchtune", "epoch", 3, 0},
             {"step_3", kD, "torchtune", "step", 3, 0},
             {"checkpoint_7", kF, "flax-or-accelerate", "step", 7, 0},
             {"checkpoint_2_500.pt", kF, "fairseq-update", "epoch", 2, 1},
             {"checkpoint12.pt", kF, "fairseq-epoch", "epoch", 12, 1},
             {"ppo_10000_steps.zip", kF, "sb3", "timesteps", 10000, 0},
             {"lora-step00000500.safetensors", kF, "kohya-step", "step", 500, 0},
             {"weights.03-0.12.h5", kF, "keras-epoch-metric", "epoch", 3, 1},
             {"model-checkpoint=7.bson", kF, "flux-kv", "epoch", 7, 0},
             {"checkpoint_epoch_2_loss_0.5.bson", kF, "fluxtraining", "epoch", 2, 0},
             {"iter_40000.pth", kF, "mmengine", "iter", 40000, 1},
             {"epoch_12.pth", kF, "mmengine", "epoch", 12, 1},
             {"best_acc_epoch_9.pth", kF, "mmengine-best", "epoch", 9, 1},
             {"12epoch.pth", kF, "espnet", "epoch", 12, 0},
             {"epoch12.pt", kF, "yolo", "epoch", 12, 0},
             {"G_23000.pth", kF, "gan-pair", "step", 23000, 0},
             {"weights_17.h5", kF, "generic-last-int", "int", 17, 0},
         }) {
        INFO(sample.name);
        const auto match = table.classify(sample.name, sample.kind);
        REQUIRE(match);
        CHECK(match->scheme == sample.scheme);
        CHECK(match->axis == sample.axis);
        CHECK(match->index == sample.index);
        CHECK(match->base == sample.base);
        CHECK(match->on_axis(sample.axis) == sample.index);
        CHECK_FALSE(match->is_shard);
        CHECK_FALSE(match->is_alias);
    }
    CHECK(table.classify("model-2024-05-01T12:30:00.jld2", kF)->scheme == "timestamp");
    CHECK(table.classify("valid.acc.ave_10best.pth", kF)->scheme == "espnet-ave");
    CHECK(table.classify("model_final.pth", kF)->is_alias);
    CHECK(table.classify("checkpoint_best.pt", kF)->is_alias);
    CHECK_FALSE(table.classify("checkpoint-500", kD)->scheme == "generic-last-int");
}

TEST_CASE("names of one shape are read as the table reads each of them") {
    const NameTable table;
    NameReader reader(table);
    std::vector<std::string> names;
    for (const Sample& sample : kSamples) names.emplace_back(sample.name);
    for (const char* name : {"a.h5",
                             "a.h6",
                             "x-3.h5",
                             "x-3.h6",
                             "x-4.h5",
                             "03-0.12.keras",
                             "epoch=1-val_loss=0.25.ckpt",
                             "epoch=2-val_loss=1.25.ckpt",
                             "epoch=3-v2.ckpt",
                             "README",
                             "",
                             "1",
                             "22",
                             "optimizer.pt",
                             "optimizer3.pt",
                             "epoch-1.pt.tmp",
                             "checkpoint_1_2.pt",
                             "checkpoint_1.5",
                             "latest",
                             "epoch=1-acc1=0.5.ckpt",
                             "epoch=1-acc5=0.5.ckpt",
                             "checkpoint_epoch_3_loss_1e005.bson",
                             "checkpoint_epoch_3_loss_9e999.bson",
                             "seed7_20240102-030405_11.pt",
                             "ep1-ba22-rank3.pt",
                             "last-v2.ckpt"})
        names.emplace_back(name);
    const std::size_t count = names.size();
    for (std::size_t i = 0; i < count; ++i) {
        for (const char shift : {1, 4, 7}) {  // the same with other digits
            std::string other = names[i];
            for (char& c : other) {
                if (c >= '0' && c <= '9') c = static_cast<char>('0' + (c - '0' + shift) % 10);
            }
            names.push_back(other);
        }
        for (std::size_t at = 0; at < names[i].size(); ++at) {  // and with one other digit
            std::string other = names[i];
            if (other[at] < '0' || other[at] > '9') continue;
            other[at] = other[at] == '9' ? '0' : static_cast<char>(other[at] + 1);
            names.push_back(other);
        }
    }
    for (const std::string& name : names) {
        INFO(name);
        CHECK(reader.why_not(name) == NameTable::why_not(name));
        for (const EntryKind kind : {kF, kD}) {
            const auto one = reader.classify(name, kind);
            const auto other = table.classify(name, kind);
            REQUIRE(one.has_value() == other.has_value());
            if (!one) continue;
            CHECK(one->scheme == other->scheme);
            CHECK(one->axis == other->axis);
            CHECK(one->index == other->index);
            CHECK(one->series == other->series);
            CHECK(one->label == other->label);
            CHECK(one->base == other->base);
            CHECK(one->is_part == other->is_part);
            REQUIRE(one->axes.size() == other->axes.size());
            for (std::size_t i = 0; i < one->axes.size(); ++i) {
                CHECK(one->axes[i].axis == other->axes[i].axis);
                CHECK(one->axes[i].value == other->axes[i].value);
                CHECK(one->axes[i].begin == other->axes[i].begin);
                CHECK(one->axes[i].length == other->axes[i].length);
            }
        }
    }
    const NameTable own("snap-([0-9]+)", "step");
    NameReader own_reader(own);
    CHECK(own_reader.classify("snap-12", kF)->index == 12.0);
    CHECK(own_reader.classify("snap-34", kF)->index == 34.0);
}

TEST_CASE("a word before the key of a pair belongs to the series, and pairs may be joined by underscores") {
    const NameTable table;
    const auto model = table.classify("model_epoch=03_val_loss=0.10.ckpt", EntryKind::kFile);
    REQUIRE(model);
    CHECK(model->axis == "epoch");
    CHECK(model->index == 3.0);
    CHECK(model->on_axis("val_loss") == 0.1);
    CHECK(model->series == "model_#.ckpt");
    CHECK(table.classify("ema_epoch=3.ckpt", EntryKind::kFile)->series == "ema_#.ckpt");
    // A metric that an epoch has is no counter, and an epoch of its own goes before a word that ends like one.
    CHECK_FALSE(table.classify("train_loss_epoch=0.25.ckpt", EntryKind::kFile)->index);
    CHECK(table.classify("val_acc_epoch=1-epoch=7.ckpt", EntryKind::kFile)->index == 7.0);
}

TEST_CASE("numbers of pairs may have exponents, and be none") {
    const NameTable table;
    const auto read = [&](const char* name) { return *table.classify(name, EntryKind::kFile); };
    CHECK(read("epoch=3-val_loss=1.50e-03.ckpt").on_axis("val_loss") == 0.0015);
    CHECK(read("epoch=3-val_loss=1E+2-v1.ckpt").on_axis("val_loss") == 100.0);
    CHECK(read("epoch=3ema.ckpt").index == 3.0);
    for (const char* name :
         {"epoch=3-val_loss=-1.5e-03.ckpt", "epoch=3-val_loss=nan.ckpt", "epoch=3-val_loss=-inf.ckpt"})
        CHECK(read(name).series == "#.ckpt");
    const auto none = read("epoch=3-val_loss=nan.ckpt");
    CHECK_FALSE(none.on_axis("val_loss"));
    REQUIRE(none.axes.size() == 2);
    CHECK(std::isnan(none.axes[1].value));
    CHECK_FALSE(read("epoch=nan-step=4.ckpt").on_axis("epoch"));
    CHECK(read("epoch=3-fold=information.ckpt").series == "#-fold=information.ckpt");
    CHECK(read("best_000002041_1064960_reward_-12.5.pth").on_axis("reward") == -12.5);
}
