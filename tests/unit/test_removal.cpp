// Pointer files, work by several threads, and taking checkpoints away.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/parallel.hpp"
#include "libckpt/pointers.hpp"
#include "libckpt/removal.hpp"

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "ckpt-removal-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string below(const std::string& name) const { return (path_ / name).string(); }
    std::string file(const std::string& name, const std::string& text = "x") const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name) << text;
        return below(name);
    }
    std::size_t count() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
    }
    std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

std::string target(std::string_view name, std::string_view bytes) {
    const auto pointer = parse_pointer(name, bytes);
    return pointer ? pointer->target : "(none)";
}

}  // namespace

TEST_CASE("pointer files name a checkpoint", "[pointers]") {
    CHECK(target("latest", "global_step100\n") == "global_step100");
    CHECK(target("last_checkpoint", "/old/place/epoch_12.pth") == "epoch_12.pth");
    CHECK(target("last_checkpoint", "model_0004999.pth") == "model_0004999.pth");
    CHECK(target("last_checkpoint", "runs/checkpoint-5/") == "checkpoint-5");
    CHECK(target("latest_checkpointed_iteration.txt", "5000\n") == "iter_0005000");
    CHECK(target("latest_checkpointed_iteration.txt", "123456789") == "iter_123456789");
    CHECK(target("latest_checkpointed_iteration.txt", "release") == "release");
    CHECK(target("checkpoint", "model_checkpoint_path: \"ckpt-12\"\nall_model_checkpoint_paths: \"ckpt-11\"\n") ==
          "ckpt-12");
    CHECK(target("checkpoint", "all_model_checkpoint_paths: \"ckpt-11\"\n") == "(none)");
    CHECK(target("checkpoint", "model_checkpoint_path: ckpt-12\n") == "(none)");
    CHECK(target("checkpoint", "") == "(none)");
    CHECK(target("latest", "") == "(none)");
    CHECK(target("latest", std::string("PK\x03\x04\x00", 5)) == "(none)");
    CHECK(target("epoch-1.pt", "global_step100") == "(none)");

    const Folder folder;
    folder.file("latest", "global_step7");
    fs::create_directories(folder.below("checkpoint"));
    const auto found = read_pointers(folder.path());
    REQUIRE(found.size() == 1);
    CHECK(found[0].name == "latest");
    CHECK(found[0].target == "global_step7");
    CHECK(read_pointers(folder.below("nothing")).empty());
}

TEST_CASE("a trainer's state names its best checkpoint", "[pointers]") {
    CHECK(best_of_trainer_state(R"({"a": 1, "best_model_checkpoint": "out/checkpoint-500/", "b": 2})") ==
          "checkpoint-500");
    CHECK(best_of_trainer_state(R"({"best_model_checkpoint":"a\\b\"c"})") == R"(a\b"c)");
    for (const char* text : {"", "{}", R"({"best_model_checkpoint": null})", R"({"best_model_checkpoint": "never)",
                             R"({"best_model_checkpoint": ""})", R"({"best_model_checkpoint")"})
        CHECK_FALSE(best_of_trainer_state(text));
}

TEST_CASE("each number is worked on once, and an exception ends the work", "[parallel]") {
    for (const unsigned threads : {1u, 2u, 7u}) {
        Context context;
        context.threads = threads;
        std::vector<std::atomic<int>> met(1000);
        for_each_parallel(met.size(), context, [&](std::size_t i) { ++met[i]; });
        for (const auto& times : met) REQUIRE(times == 1);
        for_each_parallel(0, context, [](std::size_t) { FAIL("there is nothing to do"); });
        std::atomic<int> begun{0};
        CHECK_THROWS_AS(for_each_parallel(100000, context,
                                          [&](std::size_t i) {
                                              ++begun;
                                              if (i == 5) throw std::runtime_error("five");
                                              // Time for that thread, on a machine with much else to do.
                                              std::this_thread::sleep_for(std::chrono::microseconds(20));
                                          }),
                        std::runtime_error);
        CHECK(begun < 100000);
    }
}

TEST_CASE("a unit is removed whole", "[removal]") {
    const Folder folder;
    const std::string main = folder.file("epoch=3.ckpt");
    const std::string sidecar = folder.file("epoch=3.yaml");
    folder.file("checkpoint-5/model.pt");
    folder.file("checkpoint-5/deep/er/model.pt");
    folder.file("kept.pt");
    fs::create_symlink("kept.pt", folder.below("link.pt"));
    remove_unit({main, sidecar});
    remove_unit({folder.below("checkpoint-5")});
    remove_unit({folder.below("link.pt")});
    CHECK(folder.count() == 1);
    CHECK(fs::exists(folder.below("kept.pt")));
    const std::string long_name = folder.file(std::string(250, 'n'));
    remove_unit({long_name});
    CHECK(folder.count() == 1);
}

TEST_CASE("a unit of which a part cannot be renamed stays as it was", "[removal]") {
    const Folder folder;
    const std::string main = folder.file("epoch=3.ckpt");
    CHECK_THROWS_AS(remove_unit({main, folder.below("gone.yaml")}), Error);
    CHECK(folder.count() == 1);
    CHECK(fs::exists(main));
}

TEST_CASE("a unit is moved, unless a name is taken", "[removal]") {
    const Folder folder;
    const Folder trash;
    const std::string main = folder.file("epoch=3.ckpt", "main");
    const std::string sidecar = folder.file("epoch=3.yaml");
    const std::string taken = trash.file("epoch=3.yaml", "taken");
    CHECK_THROWS_AS(move_unit({main, sidecar}, trash.path()), Error);
    CHECK(folder.count() == 2);
    CHECK(trash.count() == 1);
    fs::remove(taken);
    move_unit({main, sidecar}, trash.path());
    CHECK(folder.count() == 0);
    CHECK(trash.count() == 2);
    // Onto another file system, where there is one.
    if (!fs::is_directory("/dev/shm")) return;
    std::string other = "/dev/shm/ckpt-removal-XXXXXX";
    if (::mkdtemp(other.data()) == nullptr) return;
    folder.file("checkpoint-5/deep/model.pt", "weights");
    move_unit({folder.below("checkpoint-5")}, other);
    CHECK(folder.count() == 0);
    std::string text;
    std::ifstream(other + "/checkpoint-5/deep/model.pt") >> text;
    CHECK(text == "weights");
    CHECK(std::distance(fs::directory_iterator(other), fs::directory_iterator()) == 1);
    fs::remove_all(other);
}
