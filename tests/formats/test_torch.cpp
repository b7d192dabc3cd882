// The torch layout on files that torch wrote: the same file again, and refusals with their words.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "formats/all.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

fs::path scratch_file(const std::string& name) {
    return fs::temp_directory_path() / ("ckpt-torch-" + std::to_string(::getpid()) + name);
}

}  // namespace

TEST_CASE("a file of the current torch, rewritten, is the same file") {
    const Registry registry = all_formats();
    const Context context;
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(CKPT_TEST_DATA)) {
        if (entry.path().extension() != ".pt" || entry.path().string().find("/bad/") != std::string::npos ||
            entry.path().string().find("/old/") != std::string::npos) {
            continue;
        }
        INFO(entry.path());
        ++files;
        const Document document = read_document(registry, entry.path().string(), context);
        WriteOptions options;
        options.output_name = "another.pt";
        const fs::path copy = scratch_file("copy.pt");
        execute(registry.by_name("torch")->plan(document, options, context), copy.string(), Existing::kOverwrite,
                context);
        CHECK(slurp(entry.path()) == slurp(copy));
        fs::remove(copy);
    }
    CHECK(files >= 5);
}

TEST_CASE("a torch file cut at every sixteenth is damaged, and says where it ends") {
    const Registry registry = all_formats();
    const Context context;
    const std::string whole = slurp(fs::path(CKPT_TEST_DATA) / "run/epoch-40.pt");
    const fs::path cut = scratch_file("cut.pt");
    for (std::size_t i = 1; i < 16; ++i) {
        const std::size_t length = whole.size() * i / 16;
        std::ofstream(cut, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(length));
        try {
            read_document(registry, cut.string(), context);
            FAIL_CHECK("was read");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kDamaged);
            CHECK(std::string(error.what()) == cut.string() +
                                                   ": the zip archive has no end record: the file ends at byte " +
                                                   std::to_string(length) + ", probably too early");
        }
    }
    fs::remove(cut);
}
