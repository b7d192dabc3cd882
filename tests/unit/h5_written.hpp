// What the tests of the HDF5 writer share: a scratch folder, Debian's tools, the project's own reader.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/write.hpp"
#include "libckpt/execute.hpp"
#include "tests/scratch.hpp"

namespace ckpt::h5_tests {

using namespace ckpt::h5;
using test::Scratch;
using test::slurp;
namespace fs = std::filesystem;

/// What a command prints on both streams.
struct Printed {
    std::string text;
    int exit_code = -1;
};

inline Printed shell(const std::string& command) {
    Printed printed;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    REQUIRE(pipe != nullptr);
    char buffer[65536];
    for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        printed.text.append(buffer, count);
    }
    const int status = ::pclose(pipe);
    if (WIFEXITED(status)) printed.exit_code = WEXITSTATUS(status);
    return printed;
}

inline bool has_tools() {
    static const bool has = shell("h5dump --version").exit_code == 0 && shell("h5ls --version").exit_code == 0;
    if (!has) WARN("h5dump and h5ls (package hdf5-tools) are not here: not compared with them");
    return has;
}

/// Runs of white space as one space: what is printed counts, not how lines are broken.
inline std::string squeezed(const std::string& text) {
    return std::regex_replace(text, std::regex("\\s+"), " ");
}

/// h5dump without array indices; must succeed.
inline std::string dump(const std::string& options, const std::string& path) {
    const Printed printed = shell("h5dump -y " + options + " '" + path + "'");
    INFO(printed.text.substr(0, 2000));
    CHECK(printed.exit_code == 0);
    CHECK(printed.text.find("error") == std::string::npos);
    return squeezed(printed.text);
}

/// The elements of one dataset as h5dump writes them in little-endian binary form.
inline std::string dump_bytes(const Scratch& scratch, const std::string& dataset, const std::string& path) {
    const std::string out = scratch.file("elements");
    const Printed printed = shell("h5dump -d '" + dataset + "' -b LE -o '" + out + "' '" + path + "'");
    INFO(printed.text.substr(0, 2000));
    CHECK(printed.exit_code == 0);
    std::string bytes = slurp(out);
    fs::remove(out);
    return bytes;
}

inline bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline std::string save(const Scratch& scratch, Writer& writer, Writer::ObjectId root) {
    const std::string path = scratch.file("x.h5");
    execute(writer.plan(root), path, Existing::kOverwrite, Context());
    return path;
}

inline std::shared_ptr<const H5File> open(const std::string& path) {
    Context context;
    context.on_warning = [](std::string_view text) { FAIL_CHECK("warning: " << text); };
    return H5File::open(memory_blob(slurp(path)), context);
}

inline std::shared_ptr<const Object> object(const H5File& file, const std::string& path) {
    const auto address = file.resolve(file.root_address(), path);
    INFO(path);
    REQUIRE(address.has_value());
    return file.object(*address);
}

template <typename T>
inline std::string raw(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Bytes that compress a little and differ everywhere.
inline std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 12345;
    for (char& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 28);
    }
    return bytes;
}

inline WriteData numbers(std::vector<std::int32_t> values) {
    const std::uint64_t count = values.size();
    return {integer_type(4, true), simple_space({count}), raw(values), {}};
}

inline WriteData number(std::int32_t value) {
    return {integer_type(4, true), scalar_space(), raw(std::vector{value}), {}};
}

}  // namespace ckpt::h5_tests
