// What the tests of pickles share: streams as literals, values as text, damage by its message, Python's own answers.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/error.hpp"

namespace ckpt::pickle_tests {

namespace fs = std::filesystem;

/// A string literal with NULs inside, whole.
template <std::size_t N>
std::string lit(const char (&text)[N]) {
    return {text, N - 1};
}

/// A value and the pool that owns it.
struct Read {
    std::shared_ptr<Pool> pool = std::make_shared<Pool>();
    Value value;
    PickleFacts facts;
};

inline Read read(std::string_view bytes, const Context& context = {}) {
    Read result;
    PickleReaderHooks hooks;
    result.value = read_pickle(bytes, *result.pool, hooks, context, &result.facts);
    return result;
}

/// A value as text; containers that are inside of themselves are not for this.
inline std::string show(const Value& value) {
    const auto sequence = [](const std::vector<Value>& items) {
        std::string text;
        for (const Value& item : items) text += (text.empty() ? "" : ",") + show(item);
        return text;
    };
    const auto entries = [](const std::vector<std::pair<Value, Value>>& pairs) {
        std::string text;
        for (const auto& [key, item] : pairs) text += (text.empty() ? "" : ",") + show(key) + ":" + show(item);
        return text;
    };
    std::string type(value.type());
    if (!type.empty()) type += ' ';
    switch (value.kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kBool:
            return value.as_bool() ? "True" : "False";
        case Kind::kInt:
            return type + value.integer_text();
        case Kind::kFloat:
            return type + fmt::format("{}", value.as_double()) +
                   (std::floor(value.as_double()) == value.as_double() ? "f" : "");
        case Kind::kComplex:
            return type + fmt::format("({}{:+}j)", value.as_complex().real(), value.as_complex().imag());
        case Kind::kString:
            return type + "'" + std::string(value.as_string()) + "'";
        case Kind::kBytes:
            return type + "b'" + std::string(value.as_bytes()) + "'";
        case Kind::kList:
            return type + "[" + sequence(value.sequence().items) + "]";
        case Kind::kTuple:
            return type + "(" + sequence(value.sequence().items) + ")";
        case Kind::kSet:
            return type + "{" + sequence(value.sequence().items) + "}";
        case Kind::kDict:
            return type + "{" + entries(value.dict().entries) + "}";
        case Kind::kTensor:
            return type + "tensor";
        case Kind::kObject: {
            const ObjectNode& node = value.object();
            if (!node.recipe) return type + "?";
            const Recipe& recipe = *node.recipe;
            if (recipe.how == Recipe::How::kGlobal) return "<" + recipe.callable + ">";
            std::string text =
                (recipe.how == Recipe::How::kNew ? "new " : "call ") + recipe.callable + show(recipe.args);
            if (!recipe.kwargs.is_null()) text += "**" + show(recipe.kwargs);
            if (!node.items.empty()) text += "[" + sequence(node.items) + "]";
            if (!node.entries.empty()) text += "{" + entries(node.entries) + "}";
            if (!recipe.state.is_null()) text += "|" + show(recipe.state);
            return text;
        }
    }
    return "?";
}

inline std::string shown(std::string_view bytes) {
    return show(read(bytes).value);
}

/// The message of the damage that a stream is refused with; checks that the offset is named twice.
inline std::string damage(std::string_view bytes, std::optional<std::uint64_t> at = std::nullopt,
                          const Context& context = {}) {
    try {
        read(bytes, context);
    } catch (const Error& error) {
        INFO(error.what());
        CHECK(error.code() == ErrorCode::kDamaged);
        REQUIRE(error.offset_bytes().has_value());
        CHECK(error.message().find("at byte " + std::to_string(*error.offset_bytes())) != std::string::npos);
        if (at) CHECK(*error.offset_bytes() == *at);
        return error.message();
    }
    FAIL_CHECK("was read");
    return {};
}

inline bool holds(const std::string& text, const std::string& part) {
    INFO(text << " | " << part);
    return text.find(part) != std::string::npos;
}

inline std::string unhex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

inline std::string write(const Value& value, int protocol) {
    PickleWriterHooks hooks;
    return write_pickle(value, protocol, hooks);
}

/// Runs a Python script; its standard output.
inline std::string python(const std::string& script) {
    const fs::path path = fs::temp_directory_path() / ("ckpt-pickle-" + std::to_string(::getpid()) + ".py");
    std::ofstream(path) << script;
    FILE* pipe = ::popen(("python3 -B '" + path.string() + "'").c_str(), "r");
    std::string text;
    char buffer[65536];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
    CHECK(::pclose(pipe) == 0);
    fs::remove(path);
    return text;
}

inline std::string little(std::uint64_t number, std::size_t width) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &number, 8);
    return bytes.substr(0, width);
}

}  // namespace ckpt::pickle_tests
