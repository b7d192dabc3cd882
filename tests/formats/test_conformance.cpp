// One suite over every registered layout: round trips, determinism, truncation, no foreign claim, refusals.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "formats/all.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"
#include "tests/formats/document_equal.hpp"
#include "tests/formats/generate.hpp"
#include "tests/scratch.hpp"

namespace {

using namespace ckpt;
using ckpt::test::Scratch;
using ckpt::test::slurp;
using ckpt::test::spill;
namespace fs = std::filesystem;

/// Nothing is left out, also where that must be asked for.
WriteOptions whole(const Format& format) {
    WriteOptions options;
    options.keep_rest = format.capabilities().keeps_rest;
    return options;
}

void write(const Format& format, const Document& document, const std::string& path, const Context& context) {
    WriteOptions options = whole(format);
    options.output_name = fs::path(path).filename().string();
    INFO("losses: " << format.preflight(document, options).size());
    execute(format.plan(document, options, context), path, Existing::kOverwrite, context);
}

std::vector<const Format*> writable(const Registry& registry) {
    std::vector<const Format*> result;
    for (const auto& format : registry.formats()) {
        if (format->capabilities().can_write) result.push_back(format.get());
    }
    return result;
}

constexpr int kSeeds = 150;

std::string named(const std::string& stem, const Format& format) {
    const auto extensions = format.extensions();
    return stem + "." + (extensions.empty() ? "x" : std::string(extensions.front()));
}

/// All bytes of an output: of a folder those of its files, by name.
std::string bytes_of(const std::string& path) {
    if (!fs::is_directory(path)) return slurp(path);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().string());
    std::sort(names.begin(), names.end());
    std::string bytes;
    for (const auto& name : names) bytes += fs::path(name).filename().string() + '\n' + slurp(name);
    return bytes;
}

/// Whether a layout can hold a document; if not, its plan must say so before anything is written.
bool can_hold(const Format& format, const Document& document, const Context& context) {
    const auto losses = format.preflight(document, whole(format));
    if (losses.empty()) return true;
    try {
        format.plan(document, whole(format), context);
        FAIL_CHECK(format.name() << " plans what it cannot hold");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRefused);
        CHECK(std::string(error.what()).find(losses.front().what) != std::string::npos);
    }
    return false;
}

}  // namespace

TEST_CASE("every layout gives back the documents it was given") {
    const Scratch scratch;
    const Registry registry = all_formats();
    const Context context;
    for (const Format* format : writable(registry)) {
        const std::string path = scratch.file(named("x-" + std::string(format->name()), *format));
        for (int seed = 1; seed <= kSeeds; ++seed) {
            INFO(format->name() << ", seed " << seed);
            const Document document = test::generate_for(
                format->name(), {.seed = static_cast<std::uint64_t>(seed), .with_cycles = seed % 3 == 0});
            WriteOptions options = whole(*format);
            options.output_name = "x";
            const auto losses = format->preflight(document, options);
            for (const auto& loss : losses) UNSCOPED_INFO("loss: " << loss.path << ' ' << loss.what);
            REQUIRE(losses.empty());
            write(*format, document, path, context);
            const Document back = read_document(registry, path, context);
            CHECK(back.format == format->name());
            CHECK(test::document_difference(document, back) == "");
        }
    }
}

TEST_CASE("layouts hand documents on to each other") {
    const Scratch scratch;
    const Registry registry = all_formats();
    const Context context;
    const auto formats = writable(registry);
    for (const Format* first : formats) {
        for (const Format* second : formats) {
            if (first == second) continue;
            // There every tensor is whole and row-major, so strides and views do not come back; the interop test
            // compares values.
            if (second->name() == "safetensors" || second->name().starts_with("dcp")) continue;
            const std::string a = scratch.file(named("a-" + std::string(first->name()), *first));
            const std::string b = scratch.file(named("b-" + std::string(second->name()), *second));
            int handed_on = 0;
            for (int seed = 1; seed <= kSeeds / 3; ++seed) {
                INFO(first->name() << " -> " << second->name() << " -> " << first->name() << ", seed " << seed);
                const Document document = test::generate_for(first->name(), {.seed = static_cast<std::uint64_t>(seed)});
                write(*first, document, a, context);
                const Document back = read_document(registry, a, context);
                if (!can_hold(*second, back, context)) continue;
                ++handed_on;
                write(*second, back, b, context);
                write(*first, read_document(registry, b, context), a, context);
                CHECK(test::document_difference(document, read_document(registry, a, context)) == "");
            }
            INFO(first->name() << " -> " << second->name());
            if (second->capabilities().holds == "everything") CHECK(handed_on == kSeeds / 3);
        }
    }
}

TEST_CASE("the same document gives the same bytes, whatever the number of threads") {
    const Scratch scratch;
    const Registry registry = all_formats();
    for (const Format* format : writable(registry)) {
        std::vector<std::string> compressions = {""};
        for (const auto name : format->capabilities().compressions) compressions.emplace_back(name);
        for (const auto& compress : compressions) {
            std::string first;
            for (const unsigned threads : {1u, 2u, 8u}) {
                Context context;
                context.threads = threads;
                WriteOptions options = whole(*format);
                options.output_name = "same";
                options.compress = compress;
                const std::string path = scratch.file(format->capabilities().is_folder ? "same-folder" : "same");
                execute(format->plan(test::generate_for(format->name(), {.seed = 7}), options, context), path,
                        Existing::kOverwrite, context);
                const std::string bytes = bytes_of(path);
                if (first.empty()) first = bytes;
                INFO(format->name() << ", " << threads << " threads, compression '" << compress << "'");
                CHECK(bytes == first);
                CHECK(test::document_difference(test::generate_for(format->name(), {.seed = 7}),
                                                read_document(registry, path, context)) == "");
            }
        }
    }
}

TEST_CASE("a file cut at any place is damaged, never something else") {
    const Scratch scratch;
    const Registry registry = all_formats();
    const Context context;
    for (const Format* format : writable(registry)) {
        if (format->capabilities().is_folder) continue;  // its files are cut in the case below
        const std::string whole = scratch.file("whole");
        write(*format, test::generate_for(format->name(), {.seed = 3, .max_depth = 3}), whole, context);
        const std::string bytes = slurp(whole);
        // A safetensors file has no signature, so within its first eight bytes its name alone says what it is.
        const std::string cut = scratch.file(format->name() == "safetensors" ? "cut.safetensors" : "cut");
        std::vector<std::size_t> lengths;
        for (std::size_t i = 0; i < 16; ++i) lengths.push_back(bytes.size() * i / 16);
        for (std::size_t i = 1; i < 40; ++i) lengths.push_back(i);
        for (std::size_t i = 1; i < 200 && i < bytes.size(); i += 3) lengths.push_back(bytes.size() - i);
        for (const std::size_t length : lengths) {
            INFO(format->name() << " cut to " << length << " of " << bytes.size() << " bytes");
            spill(cut, std::string_view(bytes).substr(0, length));
            std::vector<std::string> warnings;
            Context listening;
            listening.on_warning = [&](std::string_view text) { warnings.emplace_back(text); };
            try {
                read_document(registry, cut, listening);
                // pyhopper itself never looks at the checksum behind its data: those are all there, and it is said.
                const bool lacks_checksum_only = format->name() == "pyhopper" && length + 8 >= bytes.size();
                if (!lacks_checksum_only || warnings.empty()) FAIL_CHECK("was read");
            } catch (const Error& error) {
                INFO(error.what());
                CHECK(error.code() == ErrorCode::kDamaged);
                CHECK(std::string(error.what()).starts_with(cut + ": "));
            }
        }
    }
}

TEST_CASE("a folder with a file cut at any place, or without one, is damaged or warned of") {
    const Scratch scratch;
    const Registry registry = all_formats();
    for (const Format* format : writable(registry)) {
        if (!format->capabilities().is_folder) continue;
        const std::string whole = scratch.file("whole-" + std::string(format->name()));
        write(*format, test::generate_for(format->name(), {.seed = 3, .max_depth = 3}), whole, Context{});
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(whole)) files.push_back(entry.path());
        for (const auto& file : files) {
            const std::string bytes = slurp(file.string());
            for (std::size_t i = 0; i <= 16; ++i) {
                if (i == 16) fs::remove(file);
                if (i < 16) spill(file.string(), std::string_view(bytes).substr(0, bytes.size() * i / 16));
                INFO(format->name() << ", " << file.filename() << " cut to " << i << " sixteenths");
                std::vector<std::string> warnings;
                Context context;
                context.on_warning = [&](std::string_view text) { warnings.emplace_back(text); };
                try {
                    read_document(registry, whole, context, format);
                    CHECK(!warnings.empty());
                } catch (const Error& error) {
                    INFO(error.what());
                    const bool is_gone = i == 16 && error.code() == ErrorCode::kNotFound;
                    CHECK((error.code() == ErrorCode::kDamaged || is_gone));
                    CHECK(error.message().find(file.filename().string()) != std::string::npos);
                }
            }
            spill(file.string(), bytes);
        }
    }
}

TEST_CASE("no layout claims the file of another") {
    const Scratch scratch;
    const Registry registry = all_formats();
    const Context context;
    for (const Format* format : writable(registry)) {
        const std::string path = scratch.file("claimed-" + std::string(format->name()) + ".bin");
        write(*format, test::generate_for(format->name(), {.seed = 5}), path, context);
        const Source source = Source::open(path, context);
        for (const auto& other : registry.formats()) {
            INFO(other->name() << " looks at a file of " << format->name());
            if (other.get() == format) {
                CHECK(other->probe(source) == Evidence::kCertain);
            } else {
                CHECK(other->probe(source) < Evidence::kLikely);
            }
        }
    }
    for (const std::string_view foreign :
         {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "<!DOCTYPE html><html></html>", "plain words",
          "{\"error\": \"not found\"}", "\x89PNG\r\n\x1a\n0000"}) {
        const std::string path = scratch.file("foreign.pt");
        spill(path, foreign);
        INFO(foreign);
        try {
            read_document(registry, path, context);
            FAIL_CHECK("was read");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kNotCheckpoint);
        }
    }
}
