// Which of the files that count each other is not there.
#include <catch2/catch.hpp>

#include "libckpt/check_entry.hpp"

using namespace ckpt;

namespace {

std::string missing(const std::vector<std::string>& files, bool has_index = false) {
    return missing_of_counted(files, has_index);
}

}  // namespace

TEST_CASE("each number up to the count is asked for") {
    CHECK(missing({}).empty());
    CHECK(missing({"a/model.safetensors", "a/optimizer.pt"}).empty());
    CHECK(missing({"a/m-00001-of-00002.safetensors", "a/m-00002-of-00002.safetensors"}).empty());
    CHECK(missing({"a/m-00000-of-00002.bin", "a/m-00001-of-00002.bin"}).empty());
    CHECK(missing({"a/m-00001-of-00003.bin", "a/m-00003-of-00003.bin"}) ==
          "2 of the 3 files like 'm-00003-of-00003.bin' are there: number 2 is missing");
    CHECK(missing({"m-1-of-2.bin"}) == "1 of the 2 files like 'm-1-of-2.bin' are there: number 2 is missing");
    CHECK(missing({"m-0-of-2.bin"}) == "1 of the 2 files like 'm-0-of-2.bin' are there: number 1 is missing");
    CHECK_FALSE(missing({"m-1-of-18446744073709551615.bin"}).empty());
    CHECK(missing({"m-1-of-99999999999999999999.bin", "m-7-of-2.bin", "one-of-us.bin"}).empty());
}

TEST_CASE("sets are apart by name, extension and folder, not by the process that wrote a file") {
    CHECK_FALSE(missing({"a-1-of-2.bin", "b-2-of-2.bin"}).empty());
    CHECK_FALSE(missing({"a-1-of-2.bin", "a-2-of-2.safetensors"}).empty());
    CHECK_FALSE(missing({"x/a-1-of-2.bin", "y/a-2-of-2.bin"}).empty());
    CHECK(missing({"shard-00001-m-00001-of-00002.safetensors", "shard-00002-m-00002-of-00002.safetensors"}).empty());
}

TEST_CASE("of two divisions of one set one holds") {
    const std::vector<std::string> both = {"m-1-of-1.bin", "m-2-of-4.bin"};
    CHECK(missing(both).empty());
    CHECK(missing(both, true).empty());
    CHECK_FALSE(missing({"m-1-of-2.bin", "m-2-of-4.bin"}).empty());
    CHECK(missing({"m-1-of-2.bin", "m-2-of-4.bin"}, true).empty());
    CHECK_FALSE(missing({"m-1-of-2.bin"}, true).empty());
}
