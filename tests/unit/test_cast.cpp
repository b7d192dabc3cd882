// Other dtypes, storages cut to what is used, and other names.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "libckpt/cast.hpp"
#include "libckpt/copy_tree.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/rename.hpp"
#include "libckpt/storages.hpp"

using namespace ckpt;

namespace {

template <typename T>
BlobPtr blob_of(const std::vector<T>& elements) {
    std::string bytes(elements.size() * sizeof(T), '\0');
    if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
    return memory_blob(bytes);
}
StoragePtr storage_of(BlobPtr blob) {
    return std::make_shared<const Storage>(Storage{std::move(blob), {}});
}

Value add(Document& document, const std::string& key, StoragePtr storage, const SizeList& shape,
          std::int64_t offset = 0) {
    if (document.root.is_null()) document.root = document.pool().dict();
    auto* tensor = document.pool().make<TensorNode>();
    tensor->shape = shape;
    tensor->stride = contiguous_strides(shape);
    tensor->offset = offset;
    tensor->storage = std::move(storage);
    document.root.dict().entries.emplace_back(document.pool().string(key), Value::of(tensor));
    return Value::of(tensor);
}

std::vector<std::string> keys_of(const Document& document) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : document.root.dict().entries) keys.emplace_back(key.as_string());
    return keys;
}
using Names = std::vector<std::string>;

std::string why(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a cast blob gives the same bytes however it is read, and counts what is too large once", "[cast]") {
    std::vector<float> numbers(700000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i) / 7;
    const auto count = std::make_shared<std::atomic<std::uint64_t>>(0);
    const BlobPtr cast = cast_blob(blob_of(numbers), DType::kFloat32, DType::kFloat16, count);
    REQUIRE(cast->size_bytes() == 2 * numbers.size());
    const std::string whole = read_all(*cast, 1 << 24);
    const std::uint64_t due = static_cast<std::uint64_t>(numbers.size()) - 65520 * 7;
    CHECK(*count == due);
    std::string pieces(whole.size(), '\0');
    for (std::size_t at = 0; at < pieces.size();) {
        const std::size_t size = std::min<std::size_t>(at % 1000 + 33333, pieces.size() - at);
        cast->read(at, std::as_writable_bytes(std::span(pieces.data() + at, size)));
        at += size;
    }
    CHECK((pieces == whole));
    CHECK(*count == due);
    std::byte one[3];
    CHECK_THROWS_AS(cast->read(cast->size_bytes() - 2, one), Error);
}

TEST_CASE("overflow is counted once where reads overlap", "[cast]") {
    const auto count = std::make_shared<std::atomic<std::uint64_t>>(0);
    const BlobPtr cast = cast_blob(blob_of(std::vector<double>(1000, 1e9)), DType::kFloat64, DType::kFloat16, count);
    std::vector<std::byte> out(2000);
    const auto read = [&](std::size_t first, std::size_t size) {
        cast->read(2 * first, std::span(out).first(2 * size));
        return count->load();
    };
    CHECK(read(100, 50) == 50);
    CHECK(read(300, 50) == 100);
    CHECK(read(120, 10) == 100);
    CHECK(read(90, 70) == 120);
    CHECK(read(0, 1000) == 1000);
    CHECK(read(0, 1000) == 1000);
}

TEST_CASE("tensors are cast with their ties and strides; integers only by name", "[cast]") {
    Document document;
    const auto shared = storage_of(blob_of<float>({1, 2, 3, 4}));
    add(document, "a", shared, {2, 2}).tensor().stride = {1, 2};
    add(document, "b", shared, {4});
    add(document, "i", storage_of(blob_of<std::int64_t>({1, 300})), {2}).tensor().dtype = DType::kInt64;
    Document copy = copied_tree(document);
    CHECK(cast_tensors(copy, DType::kBFloat16, {}).tensors == 2);
    const TensorNode& a = copy.root.dict().find("a")->tensor();
    const TensorNode& b = copy.root.dict().find("b")->tensor();
    CHECK(a.storage == b.storage);
    CHECK((a.stride == SizeList{1, 2}));
    CHECK(a.storage->blob->size_bytes() == 8);
    CHECK(copy.root.dict().find("i")->tensor().dtype == DType::kInt64);
    CHECK(document.root.dict().find("a")->tensor().dtype == DType::kFloat32);
    copy = copied_tree(document);
    CHECK(cast_tensors(copy, DType::kUInt8, {Glob("i")}).tensors == 1);
    CHECK(read_all(*copy.root.dict().find("i")->tensor().storage->blob, 10) == "\x01\x2c");
}

TEST_CASE("storages are cut to what is used", "[cast]") {
    Document document;
    const auto shared = storage_of(blob_of<float>({0, 1, 2, 3, 4, 5, 6, 7}));
    add(document, "a", shared, {2}, 1);
    add(document, "b", shared, {2}, 2);
    add(document, "c", shared, {1}, 7);
    add(document, "full", storage_of(blob_of<float>({1})), {1});
    Document copy = copied_tree(document);
    const Cut cut = cut_storages(copy);
    CHECK(cut.storages == 1);
    CHECK(cut.dropped_bytes == 16);
    const auto at = [&](const char* key) -> const TensorNode& { return copy.root.dict().find(key)->tensor(); };
    CHECK(at("a").storage == at("b").storage);
    CHECK(at("a").offset == 0);
    CHECK(at("b").offset == 1);
    CHECK(at("c").storage->blob->size_bytes() == 4);
    CHECK(at("full").storage == document.root.dict().find("full")->tensor().storage);
    make_contiguous(copy);
    CHECK(at("a").storage != at("b").storage);
    CHECK(read_all(*at("b").storage->blob, 100) ==
          read_all(*logical_blob(document.root.dict().find("b")->tensor()), 100));
}

TEST_CASE("prefixes are whole components that all names share", "[rename]") {
    Document document;
    const auto storage = storage_of(blob_of<float>({1}));
    for (const char* key : {"module._orig_mod.a.w", "module._orig_mod.module.b"}) add(document, key, storage, {1});
    auto stripped = strip_prefixes(document, wrapper_prefixes());
    CHECK(keys_of(document) == Names{"a.w", "module.b"});
    REQUIRE(stripped.size() == 1);
    CHECK(stripped[0].prefix == "module._orig_mod.");
    CHECK(stripped[0].keys == 2);
    stripped = strip_prefixes(document, {"module"});
    CHECK(keys_of(document) == Names{"a.w", "module.b"});
    CHECK(stripped[0].lacking == 1);
    CHECK(stripped[0].lacks == "a.w");
    CHECK(strip_prefixes(document, {"modul"}).empty());
    CHECK(add_prefix(document, "net") == 2);
    CHECK(keys_of(document) == Names{"net.a.w", "net.module.b"});
    add(document, "a.w", storage, {1});
    CHECK(why([&] { strip_prefixes(document, {"net"}); }) ==
          "names would come out the same: 'a.w' (of 'net.a.w' 'a.w')");
}

TEST_CASE("rules for names", "[rename]") {
    Document document;
    const auto storage = storage_of(blob_of<float>({1}));
    for (const char* key : {"layer.10.weight", "layer.2.bias$"}) add(document, key, storage, {1});
    const auto apply = [&](const char* rule) {
        rename_keys(document, {parse_rename(rule)});
        return keys_of(document);
    };
    CHECK(apply("s/layer\\.([0-9]+)/blocks.\\1.x/") == Names{"blocks.10.x.weight", "blocks.2.x.bias$"});
    CHECK(apply("s|\\.|_|") == Names{"blocks_10.x.weight", "blocks_2.x.bias$"});
    CHECK(apply("s/[.]/-/g") == Names{"blocks_10-x-weight", "blocks_2-x-bias$"});
    CHECK(apply("s/BLOCKS/<&>\\&$/i") == Names{"<blocks>&$_10-x-weight", "<blocks>&$_2-x-bias$"});
    CHECK(apply("s/no such/x/") == Names{"<blocks>&$_10-x-weight", "<blocks>&$_2-x-bias$"});
    CHECK(why([&] { apply("s/.*/same/"); }).starts_with("names would come out the same: 'same' (of '"));
    CHECK(why([&] { apply("s/.*//"); }).starts_with("nothing would be left of the name"));
    CHECK(why([] { parse_rename("s/a/b"); }) ==
          "'s/a/b' is no rule for names: it has not three delimiters; write 's/from/to/'");
    CHECK(why([] { parse_rename("s/(/b/"); }).find("is no regular expression") != std::string::npos);
    CHECK(why([] { parse_rename("s/a/b/x"); }).find("its flags are g and i") != std::string::npos);
    CHECK(why([] { parse_rename("y/a/b/"); }).find("does not begin with s") != std::string::npos);
}
