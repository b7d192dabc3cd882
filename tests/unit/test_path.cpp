// Paths inside a checkpoint: escaping, splitting, globs.
#include <catch2/catch.hpp>

#include "libckpt/path.hpp"

using namespace ckpt;

TEST_CASE("keys are escaped so that paths can be taken apart again") {
    for (const std::string key : {"", "a", "a/b", "a\\b", "\\0", "/", "\\", "a/\\/b", "@", "@a", "é"}) {
        INFO(key);
        const auto parts = split_path(join_path(escape_key("first"), escape_key(key)));
        REQUIRE(parts.size() == 2);
        CHECK(parts[1] == key);
    }
    CHECK(escape_key("") == "\\0");
    CHECK(escape_key("a/b") == "a\\/b");
    CHECK(escape_key("@units") == "\\@units");  // "@units" is an attribute of the node
    CHECK(escape_key("a@b") == "a@b");
    CHECK(split_path("").empty());
}

TEST_CASE("keys that are no text stand as Python prints them") {
    Pool pool;
    CHECK(key_text(Value::null()) == "None");
    CHECK(key_text(Value::boolean(true)) == "True");
    CHECK(key_text(Value::integer(-7)) == "-7");
    CHECK(key_text(Value::real(1)) == "1.0");
    CHECK(key_text(pool.bytes(std::string("\0\xff", 2))) == "00ff");
    CHECK(key_text(pool.tuple({Value::integer(1), pool.string("x")})) == "(1, 'x')");
    CHECK(key_text(pool.tuple({Value::integer(1)})) == "(1,)");
}

TEST_CASE("globs match whole paths and what lies below") {
    const auto matches = [](const char* pattern, const char* path) { return Glob(pattern).matches(path); };
    CHECK(matches("model", "model"));
    CHECK(matches("model", "model/fc.weight"));
    CHECK(matches("model/*.weight", "model/fc.weight"));
    CHECK_FALSE(matches("model/*.weight", "model/a/fc.weight"));
    CHECK(matches("**/weight", "a/b/c/weight"));
    CHECK(matches("**", "anything/at/all"));
    CHECK(matches("a/**/z", "a/z"));
    CHECK(matches("layer.[0-9]", "layer.7"));
    CHECK_FALSE(matches("layer.[!0-9]", "layer.7"));
    CHECK(matches("a\\/b", "a\\/b"));
    CHECK_FALSE(matches("a/b", "a\\/b"));
    CHECK_FALSE(matches("mod", "model"));
    CHECK(matches("model/", "model/fc"));
}

TEST_CASE("the parts of a pattern match one component each") {
    CHECK(Glob("model/**/w*/").parts() == std::vector<std::string>{"model", "**", "w*"});
    CHECK(Glob("a\\/b/c").parts() == std::vector<std::string>{"a\\/b", "c"});
    CHECK(Glob("").parts().empty());
    CHECK(Glob::part_matches("w*", "weight"));
    CHECK_FALSE(Glob::part_matches("w", "weight"));
    CHECK(Glob::part_matches("a\\/b", "a\\/b"));
    CHECK(Glob::part_matches("a?b", "a\\/b"));
    CHECK(Glob::part_matches("\\0", "\\0"));
    CHECK_FALSE(Glob::part_matches("\\0", "0"));
}
