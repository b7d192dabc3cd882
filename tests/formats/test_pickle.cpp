// Pickles and NumPy's files: the same file again, gzip around it, and tensors as arrays.
#include <catch2/catch.hpp>
#include <filesystem>

#include "formats/all.hpp"
#include "formats/shared/gzip/gzip.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"
#include "libckpt/walk.hpp"
#include "tests/formats/document_equal.hpp"
#include "tests/formats/generate.hpp"
#include "tests/scratch.hpp"

using namespace ckpt;
using ckpt::test::Scratch;
using ckpt::test::slurp;
using ckpt::test::spill;
namespace fs = std::filesystem;

namespace {

void write(const Registry& registry, std::string_view layout, const Document& document, const std::string& path) {
    WriteOptions options;
    options.output_name = fs::path(path).filename().string();
    execute(registry.by_name(layout)->plan(document, options, {}), path, Existing::kOverwrite, {});
}

}  // namespace

TEST_CASE("pickles of CPython and files of np.save, rewritten, are the same files") {
    const Registry registry = all_formats();
    const Scratch scratch;
    std::size_t files = 0;
    for (const auto* folder : {"pickle", "numpy"}) {
        for (const auto& entry : fs::directory_iterator(fs::path(CKPT_TEST_DATA) / folder)) {
            const std::string extension = entry.path().extension().string();
            // Without a memo (`Pickler.fast`) no C pickler writes by itself; archives have headers of their own.
            if ((extension != ".pkl" && extension != ".npy") || entry.path().stem() == "fast_p2") continue;
            INFO(entry.path());
            ++files;
            const Document document = read_document(registry, entry.path().string(), {});
            const std::string copy = scratch.file("copy" + extension);
            write(registry, document.format, document, copy);
            CHECK(slurp(entry.path().string()) == slurp(copy));
        }
    }
    CHECK(files >= 14);
}

TEST_CASE("a pickle in gzip is found, kept so, and read as far as it goes") {
    const Registry registry = all_formats();
    const Scratch scratch;
    const std::string pickle = slurp(fs::path(CKPT_TEST_DATA) / "pickle/several_p4.pkl");
    const std::string packed = gzip(pickle);
    const std::string path = scratch.file("x.gz");
    spill(path, packed);
    std::vector<std::string> warnings;
    Context context;
    context.on_warning = [&](std::string_view text) { warnings.emplace_back(text); };
    const Document document = read_document(registry, path, context);
    CHECK(document.format == "pickle");
    CHECK(document.root.sequence().items.size() == 3);
    CHECK(warnings.empty());
    write(registry, "pickle", document, scratch.file("copy.pkl"));
    CHECK(slurp(scratch.file("copy.pkl")) == packed);

    std::string wrong = packed;
    wrong[wrong.size() - 8] ^= 1;
    spill(path, wrong);
    CHECK(read_document(registry, path, context).root.sequence().items.size() == 3);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0] ==
          "the gzip checksum does not fit the data; Python stops at the end of the pickle and does not see it");

    spill(path, packed + "behind");
    warnings.clear();
    read_document(registry, path, context);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with("6 bytes follow the gzip data at byte " + std::to_string(packed.size())));

    spill(path, packed.substr(0, packed.size() - 8));
    warnings.clear();
    read_document(registry, path, context);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with("the file ends at byte " + std::to_string(packed.size() - 8) +
                                  ", before the gzip checksum is complete"));
}

TEST_CASE("gzip members are joined, and bombs end at the limit") {
    const auto decode = [](const std::string& bytes, std::uint64_t limit) {
        return gunzip(*memory_blob(bytes), limit, Context{});
    };
    CHECK(decode(gzip("first ") + gzip("second"), 100).bytes == "first second");
    CHECK(decode(gzip(""), 100).bytes.empty());
    CHECK(decode(gzip("x") + std::string(512, '\0'), 100).trailing_bytes == 512);
    CHECK_THROWS_WITH(decode(gzip(std::string(1 << 20, '\0')), 1000),
                      Catch::Matchers::StartsWith("gzip: more than 1000 bytes come out of "));
    const std::string packed = gzip(std::string(100000, 'a') + "end");
    for (std::size_t length = 10; length < packed.size() - 8; ++length)
        CHECK(decode(packed.substr(0, length), 1 << 20).end == GzipEnd::kCut);
    for (std::size_t length = packed.size() - 8; length < packed.size(); ++length)
        CHECK(decode(packed.substr(0, length), 1 << 20).end == GzipEnd::kNoTrailer);
}

TEST_CASE("attributes of other layouts stay with a pickle") {
    const Registry registry = all_formats();
    const Scratch scratch;
    Document document;
    document.root = document.pool().dict();
    const Value list = document.pool().list();
    list.node()->set_attribute("hdf5:units", document.pool().string("m/s"));
    document.root.dict().entries.emplace_back(document.pool().string("speed"), list);
    write(registry, "pickle", document, scratch.file("x.pkl"));
    const Document back = read_document(registry, scratch.file("x.pkl"), {});
    CHECK(test::document_difference(document, back) == "");
    Value holder;
    const Value* speed = find_path(back.root, "speed", holder);
    REQUIRE(speed != nullptr);
    REQUIRE(speed->node()->attribute("hdf5:units") != nullptr);
    CHECK(speed->node()->attribute("hdf5:units")->as_string() == "m/s");
}

TEST_CASE("what no array can say is listed before an .npz is written") {
    const Registry registry = all_formats();
    const Document document = read_document(registry, std::string(CKPT_TEST_DATA) + "/run/epoch-40.pt", {});
    const auto losses = registry.by_name("npz")->preflight(document, {});
    REQUIRE(!losses.empty());
    CHECK(losses.front().path == "model");
    CHECK(registry.by_name("npy")->preflight(document, {}).front().what == "is a dict, not an array");
    CHECK_THROWS_AS(registry.by_name("npz")->plan(document, {}, {}), Error);
}
