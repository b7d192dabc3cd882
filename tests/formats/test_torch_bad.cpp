// Damaged and hostile torch files: each ends as the table beside them says, and the commonest say it in these words.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "formats/all.hpp"
#include "libckpt/error.hpp"

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

const fs::path kBad = fs::path(CKPT_TEST_DATA) / "torch/bad";

struct Outcome {
    std::optional<ErrorCode> code;
    std::string message;
    std::vector<std::string> warnings;

    bool warns_of(std::string_view text) const {
        return std::any_of(warnings.begin(), warnings.end(),
                           [&](const auto& warning) { return warning.find(text) != std::string::npos; });
    }
};

Outcome read(const fs::path& path) {
    const Registry registry = all_formats();
    Outcome outcome;
    Context context;
    context.on_warning = [&](std::string_view text) { outcome.warnings.emplace_back(text); };
    try {
        read_document(registry, path.string(), context);
    } catch (const Error& error) {
        outcome.code = error.code();
        outcome.message = error.message();
    }
    return outcome;
}

bool is_as_expected(const Outcome& outcome, const std::string& expected, const std::string& what) {
    const bool either = what.find("right too") != std::string::npos;
    if (expected == "damaged") return outcome.code == ErrorCode::kDamaged || (either && !outcome.code);
    if (expected == "foreign") {
        const bool is_pickle = what.find("a pickle reader may read it") != std::string::npos;
        return outcome.code == ErrorCode::kNotCheckpoint || (is_pickle && !outcome.code);
    }
    if (expected == "warn") return !outcome.code && !outcome.warnings.empty();
    if (expected == "reads") return !outcome.code;
    return outcome.code == ErrorCode::kDamaged || (!outcome.code && !outcome.warnings.empty());
}

}  // namespace

TEST_CASE("every bad torch file ends as its table says") {
    std::ifstream table(kBad / "outcomes.tsv");
    std::string line;
    std::getline(table, line);
    int rows = 0;
    while (std::getline(table, line)) {
        std::istringstream fields(line);
        std::string file, expected, what;
        std::getline(fields, file, '\t');
        std::getline(fields, expected, '\t');
        std::getline(fields, what);
        const Outcome outcome = read(kBad / file);
        INFO(file << ": " << what << ": " << outcome.message
                  << (outcome.warnings.empty() ? std::string() : " / " + outcome.warnings.front()));
        CHECK(is_as_expected(outcome, expected, what));
        ++rows;
    }
    CHECK(rows == 192);
}

TEST_CASE("bad torch files are refused in words that name the thing and the number") {
    const std::map<std::string, std::string> messages = {
        {"empty", "is empty (0 bytes)"},
        {"one_byte", "ends inside its signature, at byte 1"},
        {"no_pickle", "record 'archive/data.pkl' is missing"},
        {"no_version", "record 'archive/version' is missing"},
        {"version_11", "the archive has version 11; torch reads 1 to 10"},
        {"two_levels", "record 'a/version' is missing"},
        {"no_folder", "member 'data.pkl' lies in no folder; torch wants one folder for all"},
        {"stray_member", "member 'other/x' lies outside of the archive's folder 'archive/'"},
        {"duplicate_other_case",
         "there are two members 'archive/data.pkl' and 'archive/DATA.PKL': programs disagree which one counts"},
        {"offset_overlap", "members 'archive/data/0' and 'archive/data/1' overlap at byte 470"},
        {"storage_short", "storage 'data/0' holds 20 bytes, its torch.FloatStorage needs 24"},
        {"storage_missing", "storage 'data/1' is missing"},
        {"byteorder_middle", "record 'archive/byteorder' says 'middle', neither little nor big"},
        {"out_of_bounds", "tensor 'w' needs 32 bytes of its storage, which has 24"},
        {"negative_stride", "tensor 'w' has the negative stride -1"},
        {"size_overflow", "tensor 'w': the product of its sizes overflows 64 bits"},
        {"class_unknown", "'torch.FooStorage' is no storage class that is known"},
        {"other_zip",
         "is a zip archive, but no torch checkpoint: it has no member FOLDER/data.pkl (its first is 'notes/a.txt')"},
        {"lfs_pointer", "is a git-LFS pointer, not the file itself; `git lfs pull` fetches it"},
        {"html_page", "is an HTML page, not a checkpoint; the download probably failed"},
        {"legacy_magic",
         "begins like a torch.save stream, but with 119547037146038801333357 in place of the magic number "
         "119547037146038801333356"},
        {"legacy_truncated_pickle",
         "ends within the pickle of the object: the pickle has no end: the data end at byte 200"},
        {"legacy_no_storages", "ends at byte 295, before storage '7' (1 of 1), whose header belongs at byte 295"},
        {"legacy_truncated_storage",
         "storage '94637463311040' (2 of 2) has 24 bytes from byte 498 on, but the file ends at byte 517"},
        {"legacy_numel_lie", "storage '7' at byte 295 has 5 elements, the object's pickle says 6"},
        {"legacy_key_missing", "storage '7' of 24 bytes is not in the list of storages: its bytes are nowhere"},
    };
    for (const auto& [file, message] : messages) {
        INFO(file);
        CHECK(read(kBad / (file + ".pt")).message == message);
    }
}

TEST_CASE("older and neighbouring files of torch are read by their content") {
    const Registry registry = all_formats();
    const Context context;
    const fs::path old = fs::path(CKPT_TEST_DATA) / "torch/old";
    const std::map<std::string, std::string> layouts = {{"legacy.pt", "torch-legacy"},
                                                        {"tar.pt", "torch-tar"},
                                                        {"torchscript.pt", "torchscript"},
                                                        {"torch_package.pt", "torch-package"},
                                                        {"export.pt2", "torch-export"}};
    for (const auto& [file, layout] : layouts) {
        INFO(file);
        const std::string path = (old / file).string();
        CHECK(read_document(registry, path, context).format == layout);
        const Format* forced = registry.by_name(layout);
        REQUIRE(forced != nullptr);
        CHECK(read_document(registry, path, context, forced).format == layout);
        CHECK_FALSE(forced->capabilities().can_write);
        CHECK(forced->verify(Source::open(path, context), VerifyLevel::kFull, context).empty());
        const std::string saved = (fs::path(CKPT_TEST_DATA) / "torch/checkpoint.pt").string();
        CHECK_THROWS_AS(read_document(registry, saved, context, forced), Error);
    }
}

TEST_CASE("a pickle that would run something is read as data, and names what it would run") {
    for (const auto& [file, name] : std::map<std::string, std::string>{{"os_system", "os.system"},
                                                                       {"posix_system", "posix.system"},
                                                                       {"builtins_eval", "builtins.eval"},
                                                                       {"hidden_in_state", "os.system"},
                                                                       {"payload_then_broken", "os.system"},
                                                                       {"stack_global", "os.system"},
                                                                       {"stack_global_dotted", "os.path.os.system"},
                                                                       {"stack_global_memo", "os.system"},
                                                                       {"inst", "os.system"},
                                                                       {"obj", "os.system"},
                                                                       {"getattr_chain", "builtins.getattr"},
                                                                       {"nested_pickle_loads", "pickle.loads"},
                                                                       {"torch_load", "torch.serialization.load"}}) {
        INFO(file);
        CHECK(read(kBad / (file + ".pt")).warns_of("the pickle names '" + name + "'"));
    }
}
