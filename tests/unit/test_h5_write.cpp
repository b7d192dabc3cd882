// Written HDF5 files, as Debian's h5dump and h5ls and as the project's own reader find them.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/shared/h5/write_bytes.hpp"
#include "formats/shared/h5/write_chunks.hpp"
#include "tests/unit/h5_written.hpp"

using namespace ckpt;
using namespace ckpt::h5;
using namespace ckpt::h5_tests;

TEST_CASE("h5write: h5dump finds the type and the values of every kind of dataset") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    const auto add = [&](const std::string& name, WriteType type, const std::string& bytes) {
        const std::uint64_t count = bytes.size() / type.element_bytes;
        writer.link(root, name, writer.add_dataset({std::move(type), simple_space({count}), bytes, {}}));
    };
    add("i8", integer_type(1, true), raw(std::vector<std::int8_t>{-128, 0, 127}));
    add("u8", integer_type(1, false), raw(std::vector<std::uint8_t>{0, 255}));
    add("i16", integer_type(2, true), raw(std::vector<std::int16_t>{-32768, 32767}));
    add("u16", integer_type(2, false), raw(std::vector<std::uint16_t>{0, 65535}));
    add("i32", integer_type(4, true), raw(std::vector<std::int32_t>{-2147483647 - 1, 2147483647}));
    add("u32", integer_type(4, false), raw(std::vector<std::uint32_t>{0, 4294967295U}));
    add("i64", integer_type(8, true), raw(std::vector<std::int64_t>{INT64_MIN, INT64_MAX}));
    add("u64", integer_type(8, false), raw(std::vector<std::uint64_t>{0, UINT64_MAX}));
    add("f16", ieee_type(2), raw(std::vector<std::uint16_t>{0x3c00, 0xc100, 0x7bff, 0x7c00, 0x0001}));
    add("f32", ieee_type(4), raw(std::vector<float>{1.5F, -0.25F, INFINITY}));
    add("f64", ieee_type(8), raw(std::vector<double>{0.1, -1e300}));
    add("bf16", bfloat16_type(), raw(std::vector<std::uint16_t>{0x3fc0, 0xc000, 0x7f80}));
    add("bool", bool_type(), std::string("\0\1\1", 3));
    add("c64", complex_type(ieee_type(4)), raw(std::vector<float>{1.5F, -2.0F, 0.25F, 4.0F}));
    add("c128", complex_type(ieee_type(8)), raw(std::vector<double>{1.5, -2.0}));
    writer.link(root, "text", writer.add_dataset(text_data("plain text")));
    writer.link(root, "texts", writer.add_dataset(texts_data({"one", "", "three"})));
    writer.link(root, "utf8", writer.add_dataset(text_data("naïve 模型 🙂")));
    const std::string path = save(scratch, writer, root);

    if (has_tools()) {
        const auto is = [&](const std::string& name, const std::string& type, const std::string& data) {
            const std::string text = dump("-m %.17g -d /" + name, path);
            INFO(text);
            CHECK(holds(text, "DATATYPE " + type));
            CHECK(holds(text, "DATA { " + data + " }"));
        };
        is("i8", "H5T_STD_I8LE", "-128, 0, 127");
        is("u8", "H5T_STD_U8LE", "0, 255");
        is("i16", "H5T_STD_I16LE", "-32768, 32767");
        is("u16", "H5T_STD_U16LE", "0, 65535");
        is("i32", "H5T_STD_I32LE", "-2147483648, 2147483647");
        is("u32", "H5T_STD_U32LE", "0, 4294967295");
        is("i64", "H5T_STD_I64LE", "-9223372036854775808, 9223372036854775807");
        is("u64", "H5T_STD_U64LE", "0, 18446744073709551615");
        is("f16", "16-bit little-endian floating-point", "1, -2.5, 65504, inf, 5.9604644775390625e-08");
        is("f32", "H5T_IEEE_F32LE", "1.5, -0.25, inf");
        is("f64", "H5T_IEEE_F64LE", "0.10000000000000001, -1.0000000000000001e+300");
        is("bf16", "16-bit little-endian floating-point", "1.5, -2, inf");
        is("bool", "H5T_ENUM { H5T_STD_I8LE; \"FALSE\" 0; \"TRUE\" 1; }", "FALSE, TRUE, TRUE");
        is("c64", "H5T_COMPOUND { H5T_IEEE_F32LE \"r\"; H5T_IEEE_F32LE \"i\"; }", "{ 1.5, -2 }, { 0.25, 4 }");
        is("c128", "H5T_COMPOUND { H5T_IEEE_F64LE \"r\"; H5T_IEEE_F64LE \"i\"; }", "{ 1.5, -2 }");
        is("text",
           "H5T_STRING { STRSIZE H5T_VARIABLE; STRPAD H5T_STR_NULLTERM; CSET H5T_CSET_UTF8; CTYPE H5T_C_S1; } "
           "DATASPACE SCALAR",
           "\"plain text\"");
        const std::string texts = dump("-d /texts", path);
        INFO(texts);
        CHECK(holds(texts, "DATASPACE SIMPLE { ( 3 ) / ( 3 ) }"));
        CHECK((holds(texts, "\"one\", \"\", \"three\"") || holds(texts, "\"one\", NULL, \"three\"")));
    }

    const auto file = open(path);
    CHECK(object(*file, "bool")->dataset().type->is_h5py_bool());
    CHECK(object(*file, "bf16")->dataset().type->is_bfloat16());
    CHECK(object(*file, "f16")->dataset().type->is_ieee_float());
    CHECK_FALSE(object(*file, "bf16")->dataset().type->is_ieee_float());
    CHECK(object(*file, "c64")->dataset().type->is_complex());
    CHECK(object(*file, "c64")->dataset().type->complex_part().size_bytes == 4);
    const Dataset utf8 = object(*file, "utf8")->dataset();
    CHECK(utf8.type->is_utf8);
    CHECK(file->heap_value(*utf8.type, read_all(*file->data(utf8), 16)).bytes == "naïve 模型 🙂");
}

TEST_CASE("h5write: the shapes that there are") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    const auto add = [&](const std::string& name, WriteSpace space, const std::string& bytes) {
        writer.link(root, name, writer.add_dataset({integer_type(1, false), std::move(space), bytes, {}}));
    };
    add("scalar", scalar_space(), "\x07");
    add("none", null_space(), "");
    add("line", simple_space({3}), "\1\2\3");
    add("box", simple_space({2, 1, 3}), "\1\2\3\4\5\6");
    add("zero", simple_space({0}), "");
    add("zero_inside", simple_space({4, 0, 2}), "");
    add("no_dims", simple_space({}), "\x09");
    std::vector<std::uint64_t> most(32, 1);
    most[31] = 2;
    add("rank_32", simple_space(most), "\1\2");
    const auto empty_blob = writer.add_dataset(ieee_type(4), simple_space({0, 7}), memory_blob(""));
    writer.link(root, "zero_blob", empty_blob);
    const std::string path = save(scratch, writer, root);
    if (has_tools()) {
        CHECK(holds(dump("-d /scalar", path), "DATASPACE SCALAR DATA { 7 }"));
        CHECK(holds(dump("-d /none", path), "DATASPACE NULL"));
        CHECK(holds(dump("-d /line", path), "SIMPLE { ( 3 ) / ( 3 ) } DATA { 1, 2, 3 }"));
        CHECK(holds(dump("-d /box", path), "SIMPLE { ( 2, 1, 3 ) / ( 2, 1, 3 ) } DATA { 1, 2, 3, 4, 5, 6 }"));
        CHECK(holds(dump("-d /zero", path), "SIMPLE { ( 0 ) / ( 0 ) } DATA { }"));
        CHECK(holds(dump("-d /zero_inside", path), "SIMPLE { ( 4, 0, 2 ) / ( 4, 0, 2 ) } DATA { }"));
        CHECK(holds(dump("-d /zero_blob", path), "SIMPLE { ( 0, 7 ) / ( 0, 7 ) } DATA { }"));
        CHECK(holds(dump("-d /no_dims", path), "DATASPACE SCALAR DATA { 9 }"));
        CHECK(holds(dump("-d /rank_32", path), "DATA { 1, 2 }"));
    }
    const auto file = open(path);
    CHECK(object(*file, "none")->dataset().space.kind == Dataspace::Kind::kNull);
    CHECK(object(*file, "none")->dataset().space.element_count == 0);
    CHECK(object(*file, "no_dims")->dataset().space.kind == Dataspace::Kind::kScalar);
    CHECK(object(*file, "rank_32")->dataset().space.dims == most);
    CHECK(object(*file, "zero_inside")->dataset().size_bytes == 0);
}

TEST_CASE("h5write: data stand at multiples of 64 or, small ones, in the header") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    const std::vector<std::size_t> sizes = {0, 1, 63, 64, 65, 100, 127, 128, 1000, 4097};
    for (const std::size_t size : sizes) {
        const std::string name = std::to_string(size);
        writer.link(root, "data" + name,
                    writer.add_dataset({integer_type(1, false), simple_space({size}), pattern(size), {}}));
        writer.link(root, "blob" + name,
                    writer.add_dataset(integer_type(1, false), simple_space({size}), memory_blob(pattern(size))));
    }
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    std::uint64_t before = 0;
    for (const std::size_t size : sizes) {
        for (const std::string kind : {"data", "blob"}) {
            CAPTURE(kind, size);
            const Dataset dataset = object(*file, kind + std::to_string(size))->dataset();
            CHECK(read_all(*file->data(dataset), 10000) == pattern(size));
            if (size == 0 || (kind == "data" && size <= 64)) {
                CHECK((dataset.layout.cls == LayoutClass::kCompact || size == 0));
            } else {
                REQUIRE(dataset.layout.cls == LayoutClass::kContiguous);
                CHECK(dataset.layout.address % 64 == 0);
                CHECK(dataset.layout.address > before);  // in the order in which they were added
                before = dataset.layout.address;
                if (has_tools()) {
                    CHECK(holds(dump("-p -H -d /" + kind + std::to_string(size), path),
                                "CONTIGUOUS SIZE " + std::to_string(size) + " OFFSET " + std::to_string(before)));
                }
            }
        }
    }
    CHECK(fs::file_size(path) == before + 4097);
}

TEST_CASE("h5write: the same calls give the same bytes") {
    const Scratch scratch;
    const auto make = [&](unsigned threads) {
        Writer writer;
        const auto root = writer.add_group();
        for (int i = 0; i < 30; ++i) {
            const auto data = writer.add_dataset(ieee_type(4), simple_space({50000}), memory_blob(pattern(200000)),
                                                 i % 3 == 0   ? Codec::kGzip
                                                 : i % 3 == 1 ? Codec::kZstd
                                                              : Codec::kNone);
            writer.link(root, "data" + std::to_string(i), data);
            writer.attribute(data, "text", text_data("text " + std::to_string(i)));
        }
        const std::string path = scratch.file("same.h5");
        Context context;
        context.threads = threads;
        execute(writer.plan(root), path, Existing::kOverwrite, context);
        return slurp(path);
    };
    const std::string first = make(1);
    CHECK(make(1) == first);
    CHECK(make(4) == first);
}

TEST_CASE("h5write: chunked data come back from libhdf5, with shuffle and gzip") {
    const Scratch scratch;
    struct Case {
        std::string name;
        std::vector<std::uint64_t> shape;
        unsigned width;
    };
    const std::vector<Case> cases = {
        {"small", {1024}, 4},
        {"odd", {4099}, 1},
        {"line", {1500001}, 2},
        {"matrix", {1000, 701}, 4},
        {"box", {3, 5, 30000}, 8},
        {"tall", {300000, 3}, 4},
        {"wide", {3, 300001}, 4},
        {"ones", {1, 1, 40000, 1}, 8},
        {"cut_row", {2, 140001}, 8},
        {"exact", {4, 262144}, 4},
        {"long_rows", {3, 2, 262147}, 4},
    };
    for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
        Writer writer;
        const auto root = writer.add_group();
        for (const Case& c : cases) {
            std::uint64_t bytes = c.width;
            for (const std::uint64_t dim : c.shape) bytes *= dim;
            writer.link(root, c.name,
                        writer.add_dataset(integer_type(c.width, false), simple_space(c.shape),
                                           memory_blob(pattern(bytes)), codec));
        }
        writer.link(
            root, "under 4 KiB",
            writer.add_dataset(integer_type(1, false), simple_space({4095}), memory_blob(pattern(4095)), codec));
        writer.link(root, "scalar",
                    writer.add_dataset(integer_type(1, false), scalar_space(), memory_blob("\7"), codec));
        writer.link(root, "zero",
                    writer.add_dataset(integer_type(1, false), simple_space({0, 9}), memory_blob(""), codec));
        const std::string path = save(scratch, writer, root);
        const auto file = open(path);
        CHECK(object(*file, "under 4 KiB")->dataset().layout.cls == LayoutClass::kContiguous);
        for (const Case& c : cases) {
            INFO(c.name << (codec == Codec::kGzip ? " gzip" : " zstd"));
            const Dataset dataset = object(*file, c.name)->dataset();
            REQUIRE(dataset.layout.cls == LayoutClass::kChunked);
            CHECK(dataset.layout.chunk_size_bytes <= (2U << 20));
            CHECK(dataset.filters.back().name == (codec == Codec::kGzip ? "gzip" : "zstd"));
            CHECK(dataset.filters.size() == (c.width == 1 ? 1 : 2));
            CHECK(dataset.filters.front().name == (c.width > 1 ? "shuffle" : dataset.filters.back().name));
            const std::string expected = pattern(dataset.size_bytes);
            CHECK(read_all(*file->data(dataset), 1 << 30) == expected);
            if (!has_tools()) continue;
            const std::string header = dump("-p -H -d /" + c.name, path);
            INFO(header);
            CHECK(holds(header, "CHUNKED"));
            CHECK(holds(header, "PREPROCESSING SHUFFLE") == (c.width > 1));
            if (codec == Codec::kGzip) {
                CHECK(holds(header, "COMPRESSION DEFLATE"));
                CHECK(dump_bytes(scratch, "/" + c.name, path) == expected);
            } else {
                CHECK(holds(header, "FILTER_ID 32015"));
                CHECK(holds(header, "COMMENT zstd"));
            }
        }
    }
}

TEST_CASE("h5write: an index of several levels over many chunks") {
    const Scratch scratch;
    // 130 chunks: more than the 64 of one node.
    constexpr std::uint64_t kRows = 130;
    constexpr std::uint64_t kColumns = 1 << 18;
    std::string bytes(kRows * kColumns * 4, '\0');
    for (std::uint64_t row = 0; row < kRows; ++row) {
        std::memcpy(bytes.data() + (row * kColumns + row) * 4, &row, 4);
        std::memcpy(bytes.data() + ((row + 1) * kColumns - 1) * 4, &row, 4);
    }
    Writer writer;
    const auto root = writer.add_group();
    writer.link(
        root, "x",
        writer.add_dataset(integer_type(4, false), simple_space({kRows, kColumns}), memory_blob(bytes), Codec::kGzip));
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const Dataset dataset = object(*file, "x")->dataset();
    CHECK(file->chunks(dataset).size() == kRows);
    CHECK(read_all(*file->data(dataset), 1 << 30) == bytes);
    if (!has_tools()) return;
    for (const int row : {63, 64, 129}) {
        const std::string r = std::to_string(row);
        CHECK(holds(dump("-d /x -s " + r + "," + r + " -c 1,1", path), "DATA { " + r + " }"));
        CHECK(
            holds(dump("-d /x -s " + r + "," + std::to_string(kColumns - 1) + " -c 1,1", path), "DATA { " + r + " }"));
    }
}

TEST_CASE("h5write: chunk plans cover every byte once, in order") {
    const std::vector<std::vector<std::uint64_t>> shapes = {
        {1},          {3000000},   {7, 100000}, {100000, 7}, {3, 4, 5}, {2, 3, 1000000}, {1, 1, 1, 5000000},
        {2000, 2000}, {5000000, 1}};
    for (const auto& shape : shapes) {
        for (const std::uint32_t width : {1U, 2U, 8U, 16U}) {
            CAPTURE(shape, width);
            const ChunkPlan plan = plan_chunks(shape, width);
            REQUIRE(plan.dims.size() == shape.size());
            std::uint64_t total = width;
            std::uint64_t chunk = width;
            for (std::size_t i = 0; i < shape.size(); ++i) {
                CHECK(plan.dims[i] >= 1);
                CHECK(plan.dims[i] <= shape[i]);
                total *= shape[i];
                chunk *= plan.dims[i];
            }
            CHECK(plan.chunk_bytes == chunk);
            CHECK(chunk <= (2U << 20));
            CHECK((chunk >= (1U << 19) || chunk == total));
            std::uint64_t at = 0;
            for (const auto& part : plan.parts) {
                CHECK(part.offset_bytes == at);
                CHECK(part.size_bytes > 0);
                CHECK(part.size_bytes <= chunk);
                std::uint64_t linear = 0;
                for (std::size_t i = 0; i < shape.size(); ++i) {
                    CHECK(part.offset[i] % plan.dims[i] == 0);
                    linear = linear * shape[i] + part.offset[i];
                }
                CHECK(linear * width == at);
                at += part.size_bytes;
            }
            CHECK(at == total);
        }
    }
}

TEST_CASE("h5write: texts of any number and size") {
    const Scratch scratch;
    std::vector<std::string> many;
    for (int i = 0; i < 70000; ++i) many.push_back(i % 5 == 0 ? "" : "text " + std::to_string(i));
    std::vector<std::string> sizes;
    for (const std::size_t size : {1, 7, 8, 9, 4000, 4095, 4096, 65535, 65536, 100000, 1})
        sizes.emplace_back(size, 'y');
    Writer writer;
    const auto root = writer.add_group();
    writer.link(root, "many", writer.add_dataset(texts_data(many)));
    writer.link(root, "sizes", writer.add_dataset(texts_data(sizes)));
    writer.link(root, "empty", writer.add_dataset(text_data("")));
    writer.link(root, "none", writer.add_dataset(texts_data({})));
    writer.link(root, "grid", writer.add_dataset({text_type(), simple_space({2, 2}), {}, {"a", "b", "c", "d"}}));
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto texts = [&](const std::string& name) {
        const Dataset dataset = object(*file, name)->dataset();
        const std::string bytes = read_all(*file->data(dataset), 1 << 30);
        std::vector<std::string> result;
        for (std::size_t i = 0; i < dataset.space.element_count; ++i) {
            result.push_back(file->heap_value(*dataset.type, bytes.substr(16 * i, 16)).bytes);
        }
        return result;
    };
    CHECK(texts("many") == many);
    CHECK(texts("sizes") == sizes);
    CHECK(texts("empty") == std::vector<std::string>{""});
    CHECK(texts("none").empty());
    CHECK(texts("grid") == std::vector<std::string>{"a", "b", "c", "d"});
    if (!has_tools()) return;
    CHECK(holds(dump("-d /many -s 69999 -c 1", path), "\"text 69999\""));
    CHECK(holds(dump("-d /many -s 65001 -c 1", path), "\"text 65001\""));
    CHECK(holds(dump("-d /grid", path), "\"a\", \"b\", \"c\", \"d\""));
    const std::string text = dump("-d /sizes", path);
    CHECK(holds(text, "\"yyyyyyyyy\""));
    CHECK(holds(text, "\"y\" }"));
}

TEST_CASE("h5write: the file begins with superblock 2 and ends where that says") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    writer.link(root, "x", writer.add_dataset(numbers(std::vector<std::int32_t>(1000, 5))));
    const std::string path = save(scratch, writer, root);
    const std::string bytes = slurp(path);
    CHECK(bytes.starts_with("\x89HDF\r\n\x1a\n\x02\x08\x08"));
    std::uint64_t end = 0;
    std::memcpy(&end, bytes.data() + 28, 8);
    CHECK(end == bytes.size());
    CHECK(open(path)->superblock_version() == 2);
    // Jenkins' own example values.
    CHECK(metadata_checksum("") == 0xdeadbeef);
    CHECK(metadata_checksum("Four score and seven years ago") == 0x17770551);
}
