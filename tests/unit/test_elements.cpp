// Strided views against a plain loop over their elements.
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "libckpt/elements.hpp"

using namespace ckpt;

namespace {

std::string naive(const TensorNode& tensor, const std::string& bytes) {
    const unsigned width = dtype_width(tensor.dtype);
    std::string result;
    const std::uint64_t count = *tensor.element_count();
    for (std::uint64_t i = 0; i < count; ++i) {
        std::uint64_t rest = i;
        std::uint64_t place = static_cast<std::uint64_t>(tensor.offset);
        for (std::size_t k = tensor.shape.size(); k-- > 0;) {
            const auto size = static_cast<std::uint64_t>(tensor.shape[k]);
            place += rest % size * static_cast<std::uint64_t>(tensor.stride[k]);
            rest /= size;
        }
        result.append(bytes, place * width, width);
    }
    return result;
}

}  // namespace

TEST_CASE("any view gives its elements in row-major order, from any range") {
    std::mt19937_64 random(GENERATE(range(1, 60)));
    static constexpr DType kTypes[] = {DType::kUInt8, DType::kInt16, DType::kFloat32, DType::kInt64,
                                       DType::kComplex128};
    TensorNode tensor;
    tensor.dtype = kTypes[random() % 5];
    std::uint64_t last = 0;
    tensor.offset = static_cast<std::int64_t>(random() % 7);
    for (std::size_t rank = random() % 5; rank > 0; --rank) {
        tensor.shape.push_back(static_cast<std::int64_t>(1 + random() % (rank > 2 ? 9 : 40)));
        tensor.stride.push_back(static_cast<std::int64_t>(random() % 60));
        last += static_cast<std::uint64_t>((tensor.shape.back() - 1) * tensor.stride.back());
    }
    if (random() % 3 == 0) tensor.stride = column_major_strides(tensor.shape), last = *tensor.element_count();
    std::string bytes(static_cast<std::size_t>((last + 8) * dtype_width(tensor.dtype)), '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob(bytes);
    tensor.storage = storage;
    tensor.check_bounds("x");
    const BlobPtr blob = logical_blob(tensor);
    const std::string expected = naive(tensor, bytes);
    REQUIRE(blob->size_bytes() == expected.size());
    CHECK(read_all(*blob, expected.size()) == expected);
    for (int i = 0; i < 20 && !expected.empty(); ++i) {
        const std::uint64_t from = random() % expected.size();
        const std::uint64_t size = random() % (expected.size() - from + 1);
        std::string part(static_cast<std::size_t>(size), '\0');
        blob->read(from, std::as_writable_bytes(std::span(part.data(), part.size())));
        CHECK(part == expected.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(size)));
    }
}

TEST_CASE("an expanded view of four TiB is read in any place without being made") {
    TensorNode tensor;
    tensor.shape = {std::int64_t{1} << 40};
    tensor.stride = {0};
    auto storage = std::make_shared<Storage>();
    storage->blob = memory_blob("abcd");
    tensor.storage = storage;
    const BlobPtr blob = logical_blob(tensor);
    CHECK(blob->size_bytes() == std::uint64_t{1} << 42);
    std::string part(8, '\0');
    blob->read((std::uint64_t{1} << 42) - 8, std::as_writable_bytes(std::span(part.data(), part.size())));
    CHECK(part == "abcdabcd");
}

TEST_CASE("rows of a column-major array that is larger than any buffer are gathered by columns") {
    // Wide enough for its runs to be read one by one: 1100 rows of 2 x 1050 elements, column-major.
    constexpr std::int64_t kRows = 1100;
    constexpr std::int64_t kColumns = 2100;
    for (const DType dtype : {DType::kUInt8, DType::kFloat16, DType::kFloat32, DType::kFloat64, DType::kComplex128}) {
        const unsigned width = dtype_width(dtype);
        TensorNode tensor;
        tensor.dtype = dtype;
        tensor.shape = {kRows, 2, kColumns / 2};
        tensor.stride = column_major_strides(tensor.shape);
        std::string bytes(static_cast<std::size_t>(kRows * kColumns) * width, '\0');
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 13);
        tensor.storage = std::make_shared<const Storage>(Storage{memory_blob(bytes), ""});
        const BlobPtr blob = logical_blob(tensor);
        for (const std::uint64_t from : {std::uint64_t{0}, std::uint64_t{12345}, blob->size_bytes() - 300000}) {
            std::string found(300000, '\0');
            blob->read(from, std::as_writable_bytes(std::span(found.data(), found.size())));
            for (std::size_t i = 0; i < found.size(); i += 997) {
                const std::uint64_t element = (from + i) / width;
                const std::uint64_t row = element / kColumns;
                const std::uint64_t middle = element / (kColumns / 2) % 2;
                const std::uint64_t column = element % (kColumns / 2);
                const std::uint64_t place = row + kRows * (middle + 2 * column);
                INFO(dtype_name(dtype) << " byte " << from + i);
                REQUIRE(found[i] == bytes[static_cast<std::size_t>(place * width + (from + i) % width)]);
            }
        }
    }
}

TEST_CASE("digests are those of the elements") {
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest_sha256(*memory_blob("abc")) == sha256_hex("abc"));
    CHECK(digest_xxh3_128(*memory_blob("")) == "99aa06d3014798d86001c324468d497f");
}
