// Folders of checkpoints: order, aliases, bounds, axes, links, odd names, the next save.
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "libckpt/error.hpp"
#include "libckpt/run_folder.hpp"

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

const ScanOptions& known() {
    static const ScanOptions kOptions = [] {
        ScanOptions options;
        options.extensions = {"pt", "pth", "bin", "h5", "hdf5", "jld2", "ckpt", "safetensors"};
        return options;
    }();
    return kOptions;
}

class Folder {
public:
    Folder() {
        static int count = 0;
        path_ = fs::temp_directory_path() / fmt::format("ckpt-folder-{}-{}", ::getpid(), count++);
        fs::create_directories(path_);
    }
    explicit Folder(const Names& files) : Folder() {
        for (const auto& name : files) file(name);
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string path() const { return path_.string(); }
    std::string path(const std::string& name) const { return (path_ / name).string(); }
    void file(const std::string& name, const std::string& bytes = "x") const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path(name), std::ios::binary) << bytes;
    }
    void folder(const std::string& name) const { fs::create_directories(path_ / name); }
    void link(const std::string& target, const std::string& name) const { fs::create_symlink(target, path_ / name); }
    void age(const std::string& name, int hours) const {
        fs::last_write_time(path_ / name, fs::file_time_type::clock::now() - std::chrono::hours(hours));
    }

    RunFolder scan(const ScanOptions& options = known()) const { return RunFolder::scan(path(), options, Context{}); }
    Names names(const ScanOptions& options = known()) const {
        Names result;
        const RunFolder folder = scan(options);
        for (const auto& entry : folder.checkpoints()) result.emplace_back(entry.name());
        return result;
    }
    /// Path below this folder.
    std::string below(const std::string& full) const { return fs::path(full).lexically_relative(path_).string(); }

    /// "CHECKPOINT: ALIAS ALIAS" for those that have aliases.
    Names aliases() const {
        Names result;
        const RunFolder run = scan();
        for (const auto& entry : run.checkpoints()) {
            if (entry.aliases.empty()) continue;
            result.push_back(std::string(entry.name()) + ":");
            for (const auto& alias : entry.aliases) result.back() += " " + alias;
        }
        return result;
    }

private:
    fs::path path_;
};

IndexBound prior_to(double index) {
    return {IndexBound::Kind::kPriorTo, index};
}
IndexBound up_to(double index) {
    return {IndexBound::Kind::kUpTo, index};
}
IndexBound at_most(double index) {
    return {IndexBound::Kind::kAt, index};
}

/// The name of the newest, or "-".
std::string newest(const Folder& folder, const std::string& axis = {}, const IndexBound& bound = {},
                   const ScanOptions& options = known()) {
    RunFolder run = folder.scan(options);
    const CheckpointEntry* entry = run.newest(axis, bound);
    return entry != nullptr ? std::string(entry->name()) : "-";
}
std::string at(const Folder& folder, const std::string& axis, double index) {
    RunFolder run = folder.scan();
    const CheckpointEntry* entry = run.at(axis, index);
    return entry != nullptr ? std::string(entry->name()) : "-";
}
/// The name of the next save and its index, or "-".
std::string next(const Names& files) {
    const Folder folder(files);
    const auto following = folder.scan().next();
    return following ? fmt::format("{} {}", index_text(following->first), folder.below(following->second)) : "-";
}

ScanOptions with_pattern(const std::string& pattern, const std::string& axis = {}) {
    ScanOptions options = known();
    options.pattern = pattern;
    options.axis = axis;
    return options;
}
ScanOptions recursive() {
    ScanOptions options = known();
    options.recursive = true;
    return options;
}

std::string why_skipped(const RunFolder& folder, const std::string& path) {
    for (const auto& entry : folder.skipped()) {
        if (entry.path == path) return entry.why;
    }
    return {};
}

}  // namespace

TEST_CASE("bounds admit what they say, and say it") {
    CHECK(IndexBound{}.admits(1e300));
    CHECK(IndexBound{}.phrase().empty());
    CHECK(prior_to(10).admits(9.5));
    CHECK_FALSE(prior_to(10).admits(10));
    CHECK(prior_to(10).phrase() == " before 10");
    CHECK(up_to(10).admits(10));
    CHECK_FALSE(up_to(10).admits(10.25));
    CHECK_THAT(up_to(0.5).phrase(), Catch::EndsWith(" 0.5"));
    CHECK(at_most(10).admits(10));
    CHECK(at_most(10).admits(-1));
    CHECK_FALSE(at_most(10).admits(11));
}

TEST_CASE("nine sorts before ten, whatever the width and the convention") {
    for (const char* form : {"checkpoint={}.jld2", "epoch={}.ckpt", "epoch-{}.pt", "checkpoint{}.pt", "model_{}.h5",
                             "er_seq-cifar10_200_5_20240101-120000_{}.pt", "checkpoint_{}"}) {
        INFO(form);
        Names expected;
        for (const int index : {0, 9, 10, 99, 100, 1000}) expected.push_back(fmt::format(fmt::runtime(form), index));
        Folder folder(Names(expected.rbegin(), expected.rend()));
        CHECK(folder.names() == expected);
        CHECK(newest(folder) == expected.back());
        CHECK(newest(folder, "", prior_to(10)) == expected[1]);
    }
    CHECK(Folder({"epoch-010.pt", "epoch-9.pt", "epoch-0011.pt"}).names() ==
          Names{"epoch-9.pt", "epoch-010.pt", "epoch-0011.pt"});
}

TEST_CASE("negative and fractional indices are in order") {
    CHECK(Folder({"epoch=1.ckpt", "epoch=-1.ckpt", "epoch=0.ckpt", "epoch=-10.ckpt"}).names() ==
          Names{"epoch=-10.ckpt", "epoch=-1.ckpt", "epoch=0.ckpt", "epoch=1.ckpt"});
    const Folder folder({"checkpoint_2", "checkpoint_10", "checkpoint_2.5", "checkpoint_0.25"});
    CHECK(folder.names() == Names{"checkpoint_0.25", "checkpoint_2", "checkpoint_2.5", "checkpoint_10"});
    CHECK(newest(folder, "", up_to(2.5)) == "checkpoint_2.5");
    CHECK(newest(folder, "", prior_to(2.5)) == "checkpoint_2");
    CHECK(newest(folder, "", prior_to(0)) == "-");
}

TEST_CASE("bounds choose among gaps") {
    const Folder folder({"epoch-5.pt", "epoch-10.pt", "epoch-40.pt"});
    CHECK(newest(folder) == "epoch-40.pt");
    CHECK(newest(folder, "", prior_to(40)) == "epoch-10.pt");
    CHECK(newest(folder, "", prior_to(41)) == "epoch-40.pt");
    CHECK(newest(folder, "", prior_to(5)) == "-");
    CHECK(newest(folder, "", up_to(40)) == "epoch-40.pt");
    CHECK(newest(folder, "", up_to(39)) == "epoch-10.pt");
    CHECK(newest(folder, "", up_to(4)) == "-");
    CHECK(newest(folder, "", at_most(10)) == "epoch-10.pt");
    CHECK(newest(folder, "", at_most(11)) == "epoch-10.pt");
    CHECK(newest(folder, "", at_most(1000)) == "epoch-40.pt");
    CHECK(newest(folder, "", at_most(-1)) == "-");
    CHECK(at(folder, "", 10) == "epoch-10.pt");
    CHECK(at(folder, "", 11) == "-");
    CHECK(at(folder, "epoch", 5) == "epoch-5.pt");
    CHECK(at(folder, "step", 5) == "-");
}

TEST_CASE("indices beyond 32 bits are kept apart") {
    const Folder folder({"checkpoint_9007199254740991", "checkpoint_9007199254740990", "checkpoint_4294967296"});
    CHECK(newest(folder) == "checkpoint_9007199254740991");
    CHECK(newest(folder, "", prior_to(9007199254740991)) == "checkpoint_9007199254740990");
    CHECK(newest(folder, "", up_to(4294967296)) == "checkpoint_4294967296");
}

TEST_CASE("aliases are listed last and do not compete with numbered checkpoints") {
    const Folder folder({"last.ckpt", "best.ckpt", "epoch=3.ckpt", "epoch=20.ckpt", "last-v1.ckpt", "model_best.pth"});
    const Names names = folder.names();
    REQUIRE(names.size() == 6);
    CHECK(names[0] == "epoch=3.ckpt");
    CHECK(names[1] == "epoch=20.ckpt");
    CHECK(newest(folder) == "epoch=20.ckpt");
    CHECK(newest(folder, "time") == newest(folder, "time", up_to(1e18)));
    const RunFolder run = folder.scan();
    for (std::size_t i = 2; i < names.size(); ++i) {
        CHECK(run.checkpoints()[i].match.is_alias);
        CHECK_FALSE(run.checkpoints()[i].match.index);
        CHECK(run.checkpoints()[i].match.axis.empty());
    }
    CHECK(run.main_axis() == "epoch");
    const Folder only_aliases(Names{"last.ckpt"});
    CHECK(newest(only_aliases) == "last.ckpt");  // where there is nothing else, it is the answer
    CHECK(only_aliases.scan().main_axis().empty());
    CHECK_FALSE(only_aliases.scan().next());
}

TEST_CASE("links to a checkpoint are its aliases") {
    const Folder folder({"checkpoint-5/model.safetensors", "checkpoint-10/model.safetensors"});
    folder.link("checkpoint-5", "latest");
    folder.link(folder.path("checkpoint-10"), "last_checkpoint");
    folder.link("checkpoint-99", "checkpoint");
    const RunFolder run = folder.scan();
    REQUIRE(run.checkpoints().size() == 2);
    CHECK(run.checkpoints()[0].aliases == Names{"latest"});
    CHECK(run.checkpoints()[1].aliases == Names{"last_checkpoint"});
    CHECK(newest(folder) == "checkpoint-10");
    CHECK_FALSE(why_skipped(run, folder.path("checkpoint")).empty());
    CHECK(run.skipped().size() == 1);
}

TEST_CASE("a link is an alias by what it leads to, whatever its name") {
    const Folder folder({"epoch=3.ckpt", "epoch=4.ckpt", "checkpoint-5/model.safetensors"});
    folder.link("epoch=4.ckpt", "last.ckpt");
    folder.link("./epoch=3.ckpt", "epoch=9.ckpt");
    folder.link("../" + fs::path(folder.path()).filename().string() + "/epoch=3.ckpt", "chosen for the paper");
    folder.link("checkpoint-5/", "latest");
    const Names expected = {"checkpoint-5: latest", "epoch=3.ckpt: chosen for the paper epoch=9.ckpt",
                            "epoch=4.ckpt: last.ckpt"};
    CHECK(folder.aliases() == expected);
    CHECK(folder.names() == Names{"checkpoint-5", "epoch=3.ckpt", "epoch=4.ckpt"});
    CHECK(newest(folder, "epoch") == "epoch=4.ckpt");
    CHECK(folder.scan().skipped().empty());
}

TEST_CASE("a link to a link leads to the checkpoint, a ring of links nowhere") {
    const Folder folder({"checkpoint-5/model.safetensors"});
    folder.link("checkpoint-5", "last_checkpoint");
    folder.link("last_checkpoint", "latest");
    folder.link("latest", "checkpoint");
    CHECK(folder.aliases() == Names{"checkpoint-5: checkpoint last_checkpoint latest"});
    const Folder ring({"epoch-1.pt"});
    ring.link("epoch-3.pt", "epoch-2.pt");
    ring.link("epoch-2.pt", "epoch-3.pt");
    ring.link("latest", "latest");
    ring.link("/", "checkpoint");
    CHECK(ring.aliases().empty());
    CHECK_THAT(why_skipped(ring.scan(), ring.path("latest")), Catch::Contains("not there"));
    CHECK_FALSE(why_skipped(ring.scan(), ring.path("checkpoint")).empty());
}

TEST_CASE("a link that leads elsewhere is no alias of a namesake here") {
    const Folder folder({"epoch-3.pt", "elsewhere/epoch-3.pt"});
    folder.link("elsewhere/epoch-3.pt", "latest");
    folder.link("elsewhere/epoch-3.pt", "epoch-2.pt");
    folder.link("epoch-2.pt", "best.pt");
    CHECK(folder.aliases() == Names{"epoch-2.pt: best.pt"});
    CHECK(folder.names() == Names{"epoch-2.pt", "epoch-3.pt"});
    CHECK_THAT(why_skipped(folder.scan(), folder.path("latest")), Catch::Contains("no checkpoint of this folder"));
}

TEST_CASE("a link to what is no checkpoint here counts by its own name") {
    const Folder folder({"blob", "notes.txt"});
    folder.link("blob", "epoch-1.pt");
    folder.link("epoch-1.pt", "last.pt");
    folder.link("notes.txt", "readme");
    CHECK(folder.aliases() == Names{"epoch-1.pt: last.pt"});
    CHECK(folder.names() == Names{"epoch-1.pt"});
}

TEST_CASE("a checkpoint may itself be a link to somewhere else") {
    const Folder store({"data", "kept/model.safetensors"});
    const Folder folder({"epoch-1.pt"});
    folder.link(store.path("data"), "epoch-2.pt");
    CHECK(folder.names() == Names{"epoch-1.pt", "epoch-2.pt"});
    const Folder steps;
    steps.link(store.path("kept"), "checkpoint-7");
    const RunFolder run = steps.scan();
    REQUIRE(run.checkpoints().size() == 1);
    CHECK(run.checkpoints()[0].is_folder);
}

TEST_CASE("axes are not mixed: the one that most have, epoch on a tie") {
    const Folder steps({"checkpoint_100", "checkpoint_200", "epoch-900.pt"});
    CHECK(steps.scan().main_axis() == "step");
    CHECK(newest(steps) == "checkpoint_200");
    CHECK(newest(steps, "epoch") == "epoch-900.pt");
    CHECK(at(steps, "", 900) == "-");
    CHECK(at(steps, "epoch", 900) == "epoch-900.pt");
    CHECK(newest(steps, "task") == "-");
    CHECK(steps.names() == Names{"epoch-900.pt", "checkpoint_100", "checkpoint_200"});

    const Folder tie({"checkpoint_100", "checkpoint_200", "epoch-1.pt", "epoch-2.pt"});
    CHECK(tie.scan().main_axis() == "epoch");
    CHECK(newest(tie) == "epoch-2.pt");
    CHECK(newest(tie, "step", prior_to(200)) == "checkpoint_100");
}

TEST_CASE("the main axis is the one that most checkpoints have, a second axis counted, metrics not") {
    const Folder folder(
        {"epoch=0-step=100.ckpt", "epoch=1-step=200.ckpt", "epoch=2-step=300.ckpt", "step=400.ckpt", "step=500.ckpt"});
    CHECK(folder.scan().main_axis() == "step");
    CHECK(newest(folder) == "step=500.ckpt");
    CHECK(newest(folder, "epoch") == "epoch=2-step=300.ckpt");
    CHECK(folder.names() == Names{"epoch=0-step=100.ckpt", "epoch=1-step=200.ckpt", "epoch=2-step=300.ckpt",
                                  "step=400.ckpt", "step=500.ckpt"});
    CHECK(Folder({"step=1-loss=5.ckpt", "step=2-loss=4.ckpt"}).scan().main_axis() == "step");
    CHECK(Folder({"epoch=0-step=100.ckpt", "epoch=1-step=200.ckpt"}).scan().main_axis() == "epoch");
    CHECK(next({"epoch=0-step=100.ckpt", "epoch=1-step=200.ckpt", "step=50.ckpt"}) == "300 epoch=1-step=300.ckpt");
}

TEST_CASE("the newest is the last of the main series: most checkpoints, then furthest, then by name") {
    const Folder folder({"epoch-1.pt", "epoch-2.pt", "epoch-3.pt", "pretrained-epoch=90.ckpt"});
    CHECK(newest(folder) == "epoch-3.pt");
    CHECK(newest(folder, "epoch", up_to(90)) == "epoch-3.pt");
    CHECK(at(folder, "", 90) == "pretrained-epoch=90.ckpt");
    CHECK(folder.names() == Names{"pretrained-epoch=90.ckpt", "epoch-1.pt", "epoch-2.pt", "epoch-3.pt"});
    const Folder further({"a-1.pt", "a-9.pt", "b-1.pt", "b-5.pt"});
    CHECK(newest(further) == "a-9.pt");
    CHECK(at(further, "", 1) == "a-1.pt");
    CHECK(newest(Folder({"a-1.pt", "b-1.pt"})) == "b-1.pt");
}

TEST_CASE("runs of one folder are series of their own, told apart by what is no index") {
    const std::string first = "er_seq-cifar10_200_5_20240101-120000_";
    const std::string second = "er_seq-cifar10_200_5_20240202-120000_";
    const Folder folder({first + "0.pt", first + "7.pt", second + "0.pt", second + "1.pt", second + "2.pt",
                         second + "last.pt", "last.pt"});
    CHECK(folder.names() == Names{first + "0.pt", first + "7.pt", second + "0.pt", second + "1.pt", second + "2.pt",
                                  second + "last.pt", "last.pt"});
    CHECK(newest(folder) == second + "2.pt");
}

TEST_CASE("a name with two axes competes on both, and on its metrics") {
    const Folder folder({"epoch=3-step=400-val_loss=0.50.ckpt", "epoch=10-step=100-val_loss=0.75.ckpt",
                         "epoch=4-step=50-val_loss=-0.25.ckpt"});
    CHECK(newest(folder) == "epoch=10-step=100-val_loss=0.75.ckpt");
    CHECK(newest(folder, "step") == "epoch=3-step=400-val_loss=0.50.ckpt");
    CHECK(newest(folder, "step", prior_to(400)) == "epoch=10-step=100-val_loss=0.75.ckpt");
    CHECK(newest(folder, "val_loss", prior_to(0)) == "epoch=4-step=50-val_loss=-0.25.ckpt");
    CHECK(at(folder, "step", 50) == "epoch=4-step=50-val_loss=-0.25.ckpt");
    const Folder updates({"checkpoint_2_900.pt", "checkpoint_2_1000.pt", "checkpoint_1_50.pt"});
    CHECK(updates.names() == Names{"checkpoint_1_50.pt", "checkpoint_2_900.pt", "checkpoint_2_1000.pt"});
    CHECK(newest(updates) == "checkpoint_2_1000.pt");
    CHECK(newest(updates, "update", prior_to(1000)) == "checkpoint_2_900.pt");
}

TEST_CASE("modification time orders only when asked") {
    const Folder folder({"epoch-1.pt", "epoch-2.pt", "epoch-3.pt", "last.pt"});
    folder.age("epoch-1.pt", 1);
    folder.age("epoch-2.pt", 3);
    folder.age("epoch-3.pt", 2);
    folder.age("last.pt", 0);
    CHECK(newest(folder) == "epoch-3.pt");
    CHECK(newest(folder, "time") == "epoch-1.pt");
    CHECK(newest(folder, "time", prior_to(0)) == "-");
}

TEST_CASE("checkpoints are listed by series, then numerically") {
    const Folder folder({"encoder-1.pt", "head-1.pt", "encoder-2.pt", "head-2.pt", "encoder-10.pt", "head-10.pt"});
    CHECK(folder.names() ==
          Names{"encoder-1.pt", "encoder-2.pt", "encoder-10.pt", "head-1.pt", "head-2.pt", "head-10.pt"});
    CHECK(newest(folder) == folder.names().back());
}

TEST_CASE("several series of one axis stand in one folder") {
    const Folder folder({"encoder-epoch-1.pt", "encoder-epoch-2.pt", "head-epoch-1.pt", "head-epoch-10.pt"});
    const RunFolder run = folder.scan();
    REQUIRE(run.checkpoints().size() == 4);
    std::map<std::string, Names> by_series;
    for (const auto& entry : run.checkpoints()) by_series[entry.match.series].emplace_back(entry.name());
    REQUIRE(by_series.size() == 2);
    CHECK(by_series.begin()->second == Names{"encoder-epoch-1.pt", "encoder-epoch-2.pt"});
    CHECK(by_series.rbegin()->second == Names{"head-epoch-1.pt", "head-epoch-10.pt"});
}

TEST_CASE("an empty folder has no checkpoint, and nothing to continue") {
    const Folder folder;
    RunFolder run = folder.scan();
    CHECK(run.checkpoints().empty());
    CHECK(run.skipped().empty());
    CHECK(run.main_axis().empty());
    CHECK(run.newest("", {}) == nullptr);
    CHECK(run.newest("time", {}) == nullptr);
    CHECK(run.at("", 0) == nullptr);
    CHECK_FALSE(run.next());
    run.stat();
}

TEST_CASE("what is not there or cannot be read is not taken for empty") {
    const Folder folder({"secret/epoch-1.pt"});
    const auto refused = [&](const std::string& name) {
        try {
            (void)RunFolder::scan(folder.path(name), known(), Context{});
            FAIL_CHECK("was read: " << name);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kNotFound);
            CHECK_THAT(error.what(), Catch::StartsWith(folder.path(name) + ": "));
        }
    };
    refused("absent");
    folder.link("absent", "dangling");
    refused("dangling");

    ::chmod(folder.path("secret").c_str(), 0);
    const auto before = static_cast<uid_t>(::setfsuid(65534));  // root reads everything otherwise
    refused("secret");
    ::setfsuid(before);
    ::chmod(folder.path("secret").c_str(), 0755);
}

TEST_CASE("leftovers, sidecars, pointers and shards are skipped with a reason") {
    const Folder folder({"epoch-1.pt", "epoch-2.pt.tmp", "tmp-epoch-3.pt", "epoch-4.pt.part", "optimizer.pt",
                         "rng_state_0.pth", "latest", "model.safetensors.index.json",
                         "model-00001-of-00002.safetensors", "mp_rank_00_model_states.pt"});
    const RunFolder run = folder.scan();
    REQUIRE(run.checkpoints().size() == 1);
    CHECK(run.checkpoints()[0].name() == "epoch-1.pt");
    CHECK(run.skipped().size() == 9);
    CHECK_THAT(why_skipped(run, folder.path("epoch-2.pt.tmp")), Catch::Contains("interrupted"));
    CHECK_THAT(why_skipped(run, folder.path("optimizer.pt")), Catch::Contains("sidecar"));
    CHECK_THAT(why_skipped(run, folder.path("latest")), Catch::Contains("pointer"));
    CHECK_THAT(why_skipped(run, folder.path("mp_rank_00_model_states.pt")), Catch::Contains("shard"));
}

TEST_CASE("a name that only ends in a number needs the extension of a layout") {
    const Folder folder({"model_1.pt", "model_2.h5", "model_3.safetensors", "notes_4.txt", "run5", "model_6.png",
                         "train_7.log", "pt8", "README"});
    CHECK(folder.names() == Names{"model_1.pt", "model_2.h5", "model_3.safetensors"});
    ScanOptions options = known();
    options.extensions.emplace_back("log");
    CHECK(folder.names(options).back() == "train_7.log");
}

TEST_CASE("a folder is a checkpoint when a file in it is one by its name") {
    const Folder folder({"checkpoint-1/model.safetensors", "checkpoint-2/model-00001-of-00002.safetensors",
                         "checkpoint-3/notes.txt", "checkpoint-5/__0_0.distcp", "checkpoint-6/.metadata",
                         "global_step7/mp_rank_00_model_states.pt", "iter_0000008/mp_rank_00/x.pt",
                         "checkpoint-9/global_step9/mp_rank_00_model_states.pt", "checkpoint-9/rng_state_0.pth",
                         "checkpoint-10/optimizer_0/__0_0.distcp", "checkpoint-11/a/b/c/d/model.pt"});
    folder.folder("checkpoint-4");
    CHECK(folder.names() == Names{"iter_0000008", "global_step7", "checkpoint-1", "checkpoint-2", "checkpoint-5",
                                  "checkpoint-6", "checkpoint-9"});
    const RunFolder run = folder.scan();
    CHECK_FALSE(why_skipped(run, folder.path("checkpoint-3")).empty());
    CHECK_FALSE(why_skipped(run, folder.path("checkpoint-4")).empty());
    for (const auto& entry : run.checkpoints()) CHECK(entry.is_folder);
}

TEST_CASE("a folder whose name says little is a checkpoint by what is in it, a run's otherwise") {
    const Folder folder({"1000/_CHECKPOINT_METADATA", "1000/default/manifest.ocdbt", "2000/default/_METADATA",
                         "ckpt_5/model.safetensors", "ckpt_5/random_states_0.pkl", "ckpt_5/random_states_1.pkl",
                         "ckpt_6/__0_0.distcp", "3/epoch_1.pth", "seed_0/epoch-1.pt", "seed_0/vocab.pkl",
                         "seed_1/last.ckpt", "seed_1/model.pt", "fold_2/model_1.pt", "fold_2/model_2.pt",
                         "fold_2/scaler.pkl", "version_0/checkpoints/epoch=1.ckpt",
                         "exp_4/checkpoint-7/model.safetensors", "exp_4/config.pt"});
    CHECK(folder.names() == Names{"ckpt_5", "ckpt_6", "1000", "2000"});
    RunFolder run = folder.scan(recursive());
    Names found;
    for (const auto& entry : run.checkpoints()) found.push_back(folder.below(entry.path));
    CHECK(found == Names{"ckpt_5", "ckpt_6", "1000", "2000", "3/epoch_1.pth", "exp_4/checkpoint-7", "fold_2/model_1.pt",
                         "fold_2/model_2.pt", "seed_0/epoch-1.pt", "version_0/checkpoints/epoch=1.ckpt",
                         "seed_1/last.ckpt"});
}

TEST_CASE("a sidecar with the number of one checkpoint belongs to it") {
    const auto others = [](const Names& files) {
        const Folder folder(files);
        Names result;
        const RunFolder run = folder.scan();
        for (const auto& entry : run.checkpoints()) {
            for (const auto& other : entry.others)
                result.push_back(std::string(entry.name()) + ": " + folder.below(other));
        }
        return result;
    };
    CHECK(others({"model_1.pth", "model_2.pth", "optimizer_2.pth", "scheduler-1.pt", "optimizer.pt", "rng_state_1.pth",
                  "optimizer_3.pth"}) == Names{"model_1.pth: scheduler-1.pt", "model_2.pth: optimizer_2.pth"});
    CHECK(others({"G_1.pth", "D_1.pth", "optimizer_1.pth"}).empty());
}

TEST_CASE("of names with equal numbers the collision counter tells the order, a metric may be NaN") {
    CHECK(Folder({"epoch=2.ckpt", "epoch=2-v10.ckpt", "epoch=2-v2.ckpt", "epoch=1.ckpt"}).names() ==
          Names{"epoch=1.ckpt", "epoch=2.ckpt", "epoch=2-v2.ckpt", "epoch=2-v10.ckpt"});
    const Folder folder({"epoch=1-loss=nan.ckpt", "epoch=1-loss=2.00e-03.ckpt", "epoch=0-loss=inf.ckpt",
                         "epoch=1-loss=9e-04.ckpt", "epoch=2-loss=1.00.ckpt"});
    CHECK(folder.names() == Names{"epoch=0-loss=inf.ckpt", "epoch=1-loss=9e-04.ckpt", "epoch=1-loss=2.00e-03.ckpt",
                                  "epoch=1-loss=nan.ckpt", "epoch=2-loss=1.00.ckpt"});
    CHECK(newest(folder) == "epoch=2-loss=1.00.ckpt");
    CHECK(newest(folder, "loss") == "epoch=2-loss=1.00.ckpt");
}

TEST_CASE("a folder of sidecars is no checkpoint") {
    const Folder folder({"checkpoint-5/optimizer.pt", "checkpoint-5/rng_state.pth", "checkpoint-6/scheduler.pt",
                         "checkpoint-6/training_args.bin", "checkpoint-7/optimizer-3.pt",
                         "checkpoint-8/epoch-3.pt.tmp"});
    CHECK(folder.names().empty());
    CHECK(folder.scan().skipped().size() == 4);
}

TEST_CASE("subfolders are looked into only when asked") {
    const Folder folder({"epoch-9.pt", "a/epoch-10.pt", "a/b/epoch-2.pt", "c/readme.txt", "last.pt", "a/last.pt"});
    CHECK(folder.names() == Names{"epoch-9.pt", "last.pt"});
    RunFolder run = folder.scan(recursive());
    Names found;
    for (const auto& entry : run.checkpoints()) found.push_back(folder.below(entry.path));
    REQUIRE(found.size() == 5);
    CHECK(std::vector(found.begin(), found.begin() + 3) == Names{"epoch-9.pt", "a/epoch-10.pt", "a/b/epoch-2.pt"});
    CHECK(run.checkpoints()[3].match.is_alias);
    CHECK(run.checkpoints()[4].match.is_alias);
    REQUIRE(run.newest("", {}) != nullptr);
    CHECK(folder.below(run.newest("", {})->path) == "a/epoch-10.pt");
}

TEST_CASE("a checkpoint folder is not taken apart, a ring of links is not followed") {
    const Folder folder({"checkpoint-1/model_5.pt", "runs/epoch-3.pt"});
    folder.link("..", "runs/up");
    folder.link(".", "here");
    RunFolder run = folder.scan(recursive());
    Names found;
    for (const auto& entry : run.checkpoints()) found.push_back(folder.below(entry.path));
    CHECK(found == Names{"checkpoint-1", "runs/epoch-3.pt"});
}

TEST_CASE("a file is a folder of that one file, whatever its name") {
    const Folder folder({"epoch-3.pt", "epoch-4.pt", "whatever"});
    const auto one = [&](const std::string& name) { return RunFolder::scan(folder.path(name), known(), Context{}); };
    RunFolder run = one("epoch-3.pt");
    REQUIRE(run.checkpoints().size() == 1);
    CHECK(run.checkpoints()[0].path == folder.path("epoch-3.pt"));
    CHECK(run.checkpoints()[0].match.index == 3.0);
    REQUIRE(run.newest("", {}) != nullptr);
    CHECK(run.newest("", {})->name() == "epoch-3.pt");
    const RunFolder odd = one("whatever");
    REQUIRE(odd.checkpoints().size() == 1);
    CHECK(odd.checkpoints()[0].name() == "whatever");
    CHECK_FALSE(odd.checkpoints()[0].match.index);
}

TEST_CASE("names that are not UTF-8, have spaces, or are as long as names get") {
    const std::string latin = "caf\xe9-epoch-7.pt";
    const std::string spaces = "my run  epoch 8.pt";
    const std::string quotes = "it's \"9\" $(x) 9.pt";
    const std::string longest = std::string(249, 'x') + "-10.pt";
    const Folder folder({latin, spaces, quotes, longest});
    CHECK(folder.names() == Names{latin, spaces, quotes, longest});
    const RunFolder run = folder.scan();
    CHECK(run.checkpoints()[0].path == folder.path(latin));
    CHECK(run.checkpoints()[3].match.index == 10.0);
}

TEST_CASE("pipes are not opened and not listed") {
    const Folder folder({"epoch-1.pt"});
    REQUIRE(::mkfifo(folder.path("epoch-2.pt").c_str(), 0600) == 0);
    CHECK(folder.names() == Names{"epoch-1.pt"});
}

TEST_CASE("a pattern of the user's own decides what is a checkpoint") {
    const Folder folder({"snap-2.dat", "snap-10.dat", "snap-x.dat", "epoch-40.pt", "snap-11.dat.tmp"});
    const ScanOptions options = with_pattern("^snap-([0-9]+)\\.dat$", "step");
    CHECK(folder.names(options) == Names{"snap-2.dat", "snap-10.dat"});
    CHECK(folder.scan(options).main_axis() == "step");
    CHECK(newest(folder, "", {}, options) == "snap-10.dat");
    CHECK(newest(folder, "step", prior_to(10), options) == "snap-2.dat");
    CHECK(folder.scan(options).checkpoints()[0].match.scheme.empty());

    const Folder floats({"t=-1.5", "t=0.25", "t=-10"});
    CHECK(floats.names(with_pattern("^t=(-?[0-9.]+)$")) == Names{"t=-10", "t=-1.5", "t=0.25"});
}

TEST_CASE("a pattern that is none, or has no group, is a usage error") {
    const Folder folder;
    for (const char* pattern : {"(", "[a", "abc", "(?:x)", "*"}) {
        INFO(pattern);
        try {
            (void)folder.scan(with_pattern(pattern));
            FAIL_CHECK("was taken");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kUsage);
            CHECK_THAT(error.message(), Catch::Contains(pattern));
        }
    }
}

TEST_CASE("the next save goes on by the usual step, in the same naming") {
    CHECK(next({"checkpoint=10.jld2"}) == "11 checkpoint=11.jld2");
    CHECK(next({"checkpoint=10.jld2", "checkpoint=20.jld2"}) == "30 checkpoint=30.jld2");
    CHECK(next({"checkpoint=8.jld2", "checkpoint=9.jld2"}) == "10 checkpoint=10.jld2");
    CHECK(next({"epoch-099.pt"}) == "100 epoch-100.pt");
    CHECK(next({"epoch-008.pt", "epoch-009.pt"}) == "10 epoch-010.pt");
    CHECK(next({"model_0004999.pth", "model_0009999.pth"}) == "14999 model_0014999.pth");
    CHECK(next({"er_seq-cifar10_200_5_20240104-120004_4.pt"}) == "5 er_seq-cifar10_200_5_20240104-120004_5.pt");
    CHECK(next({"checkpoint-500/model.safetensors", "checkpoint-1000/model.safetensors"}) == "1500 checkpoint-1500");
    CHECK(next({"checkpoint_0.25", "checkpoint_0.75"}) == "1.25 checkpoint_1.25");
    CHECK(next({"epoch=7.ckpt", "last.ckpt", "best.ckpt"}) == "8 epoch=8.ckpt");
    CHECK(next({"README", "model.pt"}) == "-");
}

TEST_CASE("the next save has no counter of a name that was taken") {
    CHECK(next({"epoch=1.ckpt", "epoch=2.ckpt", "epoch=2-v1.ckpt"}) == "3 epoch=3.ckpt");
    CHECK(next({"epoch=9-v12.ckpt"}) == "10 epoch=10.ckpt");
}

TEST_CASE("the next save leaves digits of the extension alone") {
    CHECK(next({"checkpoint=2.jld2"}) == "3 checkpoint=3.jld2");
    CHECK(next({"model_5.h5"}) == "6 model_6.h5");
    CHECK(next({"checkpoint=1.jld2", "checkpoint=2.jld2"}) == "3 checkpoint=3.jld2");
}

TEST_CASE("the next save has the next index, by its own convention") {
    const NameTable table;
    for (const char* name : {"checkpoint_23_22750.pt",
                             "checkpoint_3_3.pt",
                             "checkpoint_000002041_1064960.pth",
                             "ep0-ba100-rank0.pt",
                             "ep2-ba2-rank0",
                             "ppo_10000_steps.zip",
                             "03-0.12.weights.h5",
                             "03-3.5.h5",
                             "checkpoint_epoch_2_loss_2.bson",
                             "best_acc_epoch_9.pth",
                             "12epoch.pth",
                             "epoch=3-step=400.ckpt",
                             "epoch=3-step=3.ckpt",
                             "epoch=1-v1.ckpt",
                             "epoch=5-val_loss=0.5.ckpt",
                             "lora-000010.safetensors",
                             "x_20240101-120000_1a2b3c4d_4.pt",
                             "epoch=-1.ckpt",
                             "3-epoch=3-3.ckpt",
                             "epoch=09.ckpt",
                             "epoch=99-step=099.ckpt"}) {
        INFO(name);
        const auto now = table.classify(name, EntryKind::kFile);
        REQUIRE(now);
        const Folder folder(Names{name});
        const auto following = folder.scan().next();
        REQUIRE(following);
        INFO(following->second);
        CHECK(following->first == *now->index + 1);
        const auto then = table.classify(folder.below(following->second), EntryKind::kFile);
        REQUIRE(then);
        CHECK(then->scheme == now->scheme);
        CHECK(then->index == *now->index + 1);
        CHECK(then->series == now->series);
        for (std::size_t i = 1; i < now->axes.size(); ++i) CHECK(then->axes[i].value == now->axes[i].value);
    }
    const Folder own(Names{"snap-7-of-7.dat"});
    const auto following = own.scan(with_pattern("^snap-([0-9]+)-of", "step")).next();
    REQUIRE(following);
    CHECK(own.below(following->second) == "snap-8-of-7.dat");
}

TEST_CASE("the next save goes on by the step that occurs most") {
    CHECK(next({"epoch-10.pt", "epoch-20.pt", "epoch-30.pt", "epoch-40.pt", "epoch-60.pt"}) == "70 epoch-70.pt");
    CHECK(next({"epoch-1.pt", "epoch-5.pt", "epoch-10.pt"}) == "15 epoch-15.pt");
    CHECK(next({"G_0.pth", "D_0.pth", "G_100.pth", "D_100.pth"}) == "200 G_200.pth");
    CHECK(next({"epoch=3-step=10.ckpt", "epoch=3-step=20.ckpt"}) == "4 epoch=4-step=20.ckpt");
    CHECK(next({"checkpoint_0.1", "checkpoint_0.2", "checkpoint_0.3", "checkpoint_0.4", "checkpoint_0.9"}) ==
          "1 checkpoint_1");
    CHECK(next({"epoch-1.pt", "epoch-2.pt", "epoch-3.pt", "pretrained-epoch=90.ckpt"}) == "4 epoch-4.pt");
}

TEST_CASE("numbered runs take the first free slot") {
    CHECK(next({"pyhopper_run_00000.ckpt"}) == "1 pyhopper_run_00001.ckpt");
    CHECK(next({"pyhopper_run_00000.ckpt", "pyhopper_run_00001.ckpt", "pyhopper_run_00003.ckpt"}) ==
          "2 pyhopper_run_00002.ckpt");
    CHECK(next({"pyhopper_run_00001.ckpt", "pyhopper_run_00002.ckpt"}) == "0 pyhopper_run_00000.ckpt");
    CHECK(next({"pyhopper_run_00099.ckpt"}) == "0 pyhopper_run_00000.ckpt");
}

TEST_CASE("sizes and times are those of the files") {
    const Folder folder;
    folder.file("epoch-1.pt", std::string(1234, 'x'));
    folder.file("checkpoint_7", "");
    folder.file("checkpoint-5/model.safetensors", std::string(1000, 'x'));
    folder.file("checkpoint-5/deep/er/optimizer.pt", std::string(500, 'x'));
    folder.age("epoch-1.pt", 1);
    RunFolder run = folder.scan();
    for (const auto& entry : run.checkpoints()) CHECK(entry.bytes == 0);
    run.stat();
    std::map<std::string, std::uint64_t> sizes;
    for (const auto& entry : run.checkpoints()) sizes[std::string(entry.name())] = entry.bytes;
    CHECK(sizes ==
          std::map<std::string, std::uint64_t>{{"epoch-1.pt", 1234}, {"checkpoint_7", 0}, {"checkpoint-5", 1500}});
    struct stat status = {};
    REQUIRE(::stat(folder.path("epoch-1.pt").c_str(), &status) == 0);
    CHECK(run.checkpoints()[0].name() == "epoch-1.pt");
    CHECK(run.checkpoints()[0].mtime_seconds == Approx(static_cast<double>(status.st_mtim.tv_sec)).margin(1));
}

TEST_CASE("a raised flag stops a scan") {
    const Folder folder({"epoch-1.pt"});
    const std::atomic<bool> cancel{true};
    Context context;
    context.cancel = &cancel;
    try {
        (void)RunFolder::scan(folder.path(), known(), context);
        FAIL_CHECK("went on");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kCancelled);
    }
}

TEST_CASE("paths keep the folder as it was given") {
    const Folder folder({"epoch-1.pt"});
    const RunFolder run = RunFolder::scan(folder.path() + "/", known(), Context{});
    REQUIRE(run.checkpoints().size() == 1);
    CHECK(run.checkpoints()[0].path == folder.path("epoch-1.pt"));
}
