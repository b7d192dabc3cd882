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
        for (const auto& entry : folder.checkpoints()) result.push_back(entry.name);
        return result;
    }
    /// Path below this folder.
    std::string below(const std::string& full) const { return fs::path(full).lexically_relative(path_).string(); }

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
    return entry != nullptr ? entry->name : "-";
}
std::string at(const Folder& folder, const std::string& axis, double index) {
    RunFolder run = folder.scan();
    const CheckpointEntry* entry = run.at(axis, index);
    return entry != nullptr ? entry->name : "-";
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

TEST_CASE("aliases are listed last and do not compete") {
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
    CHECK(newest(only_aliases) == "-");
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

TEST_CASE("several series of one axis stand in one folder") {
    const Folder folder({"encoder-epoch-1.pt", "encoder-epoch-2.pt", "head-epoch-1.pt", "head-epoch-10.pt"});
    const RunFolder run = folder.scan();
    REQUIRE(run.checkpoints().size() == 4);
    std::map<std::string, Names> by_series;
    for (const auto& entry : run.checkpoints()) by_series[entry.match.series].push_back(entry.name);
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
    CHECK(run.checkpoints()[0].name == "epoch-1.pt");
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
                         "global_step7/mp_rank_00_model_states.pt", "iter_0000008/mp_rank_00/x.pt"});
    folder.folder("checkpoint-4");
    CHECK(folder.names() == Names{"checkpoint-1", "checkpoint-2", "checkpoint-5", "checkpoint-6", "global_step7"});
    const RunFolder run = folder.scan();
    CHECK_FALSE(why_skipped(run, folder.path("checkpoint-3")).empty());
    CHECK_FALSE(why_skipped(run, folder.path("checkpoint-4")).empty());
    for (const auto& entry : run.checkpoints()) CHECK(entry.is_folder);
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
    CHECK(run.newest("", {})->name == "epoch-3.pt");
    const RunFolder odd = one("whatever");
    REQUIRE(odd.checkpoints().size() == 1);
    CHECK(odd.checkpoints()[0].name == "whatever");
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
    for (const auto& entry : run.checkpoints()) sizes[entry.name] = entry.bytes;
    CHECK(sizes ==
          std::map<std::string, std::uint64_t>{{"epoch-1.pt", 1234}, {"checkpoint_7", 0}, {"checkpoint-5", 1500}});
    struct stat status = {};
    REQUIRE(::stat(folder.path("epoch-1.pt").c_str(), &status) == 0);
    CHECK(run.checkpoints()[0].name == "epoch-1.pt");
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
}

TEST_CASE("the first conventions that fit say what the numbers mean") {
    struct Sample {
        const char* name;
        EntryKind kind;
        const char* scheme;
        const char* axis;
        double index;
        int base;
    };
    constexpr auto kF = EntryKind::kFile;
    constexpr auto kD = EntryKind::kFolder;
    const NameTable table;
    for (const Sample& sample : {
             Sample{"iter_0001000", kD, "megatron-iter", "iter", 1000, 0},
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
