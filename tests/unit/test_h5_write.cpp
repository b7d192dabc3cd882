// Written HDF5 files, as Debian's h5dump and h5ls and as the project's own reader find them.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/write.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "formats/shared/h5/write_chunks.hpp"
#include "libckpt/execute.hpp"

using namespace ckpt;
using namespace ckpt::h5;
namespace fs = std::filesystem;

namespace {

/// A folder of its own, gone at the end.
struct Scratch {
    fs::path path = fs::temp_directory_path() / ("ckpt-h5-write-" + std::to_string(::getpid()));
    Scratch() { fs::create_directories(path); }
    ~Scratch() { fs::remove_all(path); }
    std::string file(const std::string& name) const { return (path / name).string(); }
};

std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// What a command prints on both streams.
struct Printed {
    std::string text;
    int exit_code = -1;
};

Printed shell(const std::string& command) {
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

bool has_tools() {
    static const bool has = shell("h5dump --version").exit_code == 0 && shell("h5ls --version").exit_code == 0;
    if (!has) WARN("h5dump and h5ls (package hdf5-tools) are not here: not compared with them");
    return has;
}

/// Runs of white space as one space: what is printed counts, not how lines are broken.
std::string squeezed(const std::string& text) {
    return std::regex_replace(text, std::regex("\\s+"), " ");
}

/// h5dump without array indices; must succeed.
std::string dump(const std::string& options, const std::string& path) {
    const Printed printed = shell("h5dump -y " + options + " '" + path + "'");
    INFO(printed.text.substr(0, 2000));
    CHECK(printed.exit_code == 0);
    CHECK(printed.text.find("error") == std::string::npos);
    return squeezed(printed.text);
}

/// The elements of one dataset as h5dump writes them in little-endian binary form.
std::string dump_bytes(const Scratch& scratch, const std::string& dataset, const std::string& path) {
    const std::string out = scratch.file("elements");
    const Printed printed = shell("h5dump -d '" + dataset + "' -b LE -o '" + out + "' '" + path + "'");
    INFO(printed.text.substr(0, 2000));
    CHECK(printed.exit_code == 0);
    std::string bytes = slurp(out);
    fs::remove(out);
    return bytes;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string save(const Scratch& scratch, Writer& writer, Writer::ObjectId root) {
    const std::string path = scratch.file("x.h5");
    execute(writer.plan(root), path, Existing::kOverwrite, Context());
    return path;
}

std::shared_ptr<const H5File> open(const std::string& path) {
    Context context;
    context.on_warning = [](std::string_view text) { FAIL_CHECK("warning: " << text); };
    return H5File::open(memory_blob(slurp(path)), context);
}

std::shared_ptr<const Object> object(const H5File& file, const std::string& path) {
    const auto address = file.resolve(file.root_address(), path);
    INFO(path);
    REQUIRE(address.has_value());
    return file.object(*address);
}

template <typename T>
std::string raw(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Bytes that compress a little and differ everywhere.
std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 12345;
    for (char& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 28);
    }
    return bytes;
}

WriteData numbers(std::vector<std::int32_t> values) {
    const std::uint64_t count = values.size();
    return {integer_type(4, true), simple_space({count}), raw(values), {}};
}

WriteData number(std::int32_t value) {
    return {integer_type(4, true), scalar_space(), raw(std::vector{value}), {}};
}

}  // namespace

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

TEST_CASE("h5write: groups of any number of links keep them in the order in which they were added") {
    const Scratch scratch;
    const auto count = GENERATE(0, 1, 2, 7, 8, 9, 10, 100, 5000, 66000);
    CAPTURE(count);
    Writer writer;
    const auto root = writer.add_group();
    const auto group = writer.add_group();
    writer.link(root, "group", group);
    const auto leaf = writer.add_dataset(number(41));
    // Neither sorted nor unsorted: 7919 has no factor in common with the counts.
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
        names.push_back("link " + std::to_string(static_cast<std::int64_t>(i) * 7919 % count));
        writer.link(group, names.back(), leaf);
    }
    if (count == 0) writer.link(root, "leaf", leaf);
    const std::string path = save(scratch, writer, root);

    const auto file = open(path);
    const auto links = object(*file, "/group")->links();
    CHECK(links.in_creation_order);
    CHECK(links.errors.empty());
    std::vector<std::string> found;
    for (const Link& link : links.links) {
        found.push_back(link.name);
        CHECK(link.creation_order == static_cast<std::int64_t>(found.size()) - 1);
    }
    CHECK(found == names);
    if (count > 0) {
        const auto shared = object(*file, "/group/link 0");
        CHECK(shared->reference_count() == static_cast<std::uint32_t>(count));
    }
    if (!has_tools() || count > 5000) return;
    if (count > 0) {
        CHECK(holds(dump("-d '/group/link " + std::to_string(count / 2) + "'", path), "DATA { 41 }"));
    }
    // In creation order, as the libraries ask for it.
    const std::string text = shell("h5dump -H -q creation_order -g /group '" + path + "'").text;
    std::vector<std::string> dumped;
    const std::regex name_of("(DATASET|HARDLINK) \"(link [0-9]+)\"");
    for (std::sregex_iterator it(text.begin(), text.end(), name_of), end; it != end; ++it) {
        if ((*it)[1] == "DATASET") dumped.push_back((*it)[2]);
    }
    CHECK(dumped == names);
    // By name, as h5ls does without being asked.
    const std::string listing = shell("h5ls '" + path + "/group'").text;
    CHECK(std::count(listing.begin(), listing.end(), '\n') == count);
}

TEST_CASE("h5write: names of all sorts") {
    const Scratch scratch;
    std::vector<std::string> names = {"plain",
                                      "with spaces  and\ttab",
                                      "naïve 模型 🙂",
                                      "..",
                                      "...",
                                      "a\\b",
                                      "quote\"and'",
                                      "new\nline",
                                      " ",
                                      "\xff\xfe\x80 odd",
                                      "\x01\x02",
                                      "\x7f",
                                      "%2F",
                                      "layer.0.weight",
                                      std::string(255, 'a'),
                                      std::string(256, 'b'),
                                      std::string(1000, 'c'),
                                      std::string(65535, 'd')};
    const bool is_dense = GENERATE(false, true);
    Writer writer;
    const auto root = writer.add_group();
    if (!is_dense) names.resize(8);
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto data = writer.add_dataset(number(static_cast<std::int32_t>(i)));
        writer.link(root, names[i], data);
        writer.attribute(data, names[i].substr(0, 65534), number(1000));  // one less than a link's: a NUL follows
    }
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto links = file->object(file->root_address())->links();
    CHECK(links.errors.empty());
    REQUIRE(links.links.size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        CHECK(links.links[i].name == names[i]);
        const auto found = file->object(links.links[i].address);
        const Dataset dataset = found->dataset();
        CHECK(read_all(*file->data(dataset), 100) == raw(std::vector{static_cast<std::int32_t>(i)}));
        const auto attributes = found->attributes();
        CHECK(attributes.errors.empty());
        REQUIRE(attributes.attributes.size() == 1);
        CHECK(attributes.attributes[0].name == names[i].substr(0, 65534));
    }
    if (!has_tools()) return;
    CHECK(holds(dump("-d '/with spaces  and\ttab'", path), "DATA { 1 }"));
    CHECK(holds(dump("-d '/naïve 模型 🙂'", path), "DATA { 2 }"));
    CHECK(holds(dump("-d '/..'", path), "DATA { 3 }"));
    const std::string all = dump("", path);
    for (int i = 0; i < static_cast<int>(names.size()); ++i) {
        INFO(i);
        CHECK(holds(all, "DATA { " + std::to_string(i) + " }"));
    }
    if (is_dense) return;  // h5ls takes forever over a name of 64 KiB
    const Printed listing = shell("h5ls '" + path + "'");
    CHECK(listing.exit_code == 0);
    CHECK(std::count(listing.text.begin(), listing.text.end(), '\n') == static_cast<int>(names.size()));
}

TEST_CASE("h5write: attributes, few and many, keep order and values") {
    const Scratch scratch;
    const int count = GENERATE(0, 1, 8, 9, 40, 3000);
    CAPTURE(count);
    const bool of_group = GENERATE(false, true);
    Writer writer;
    const auto root = writer.add_group();
    const auto owner = of_group ? writer.add_group() : writer.add_dataset(number(5));
    writer.link(root, "owner", owner);
    for (int i = 0; i < count; ++i) {
        const int n = static_cast<int>(static_cast<std::int64_t>(i) * 7919 % count);
        writer.attribute(owner, "attribute " + std::to_string(n), number(100000 + n));
    }
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto list = object(*file, "owner")->attributes();
    CHECK(list.errors.empty());
    REQUIRE(list.attributes.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        const int n = static_cast<int>(static_cast<std::int64_t>(i) * 7919 % count);
        const Attribute& attribute = list.attributes[static_cast<std::size_t>(i)];
        CHECK(attribute.name == "attribute " + std::to_string(n));
        CHECK(attribute.bytes == raw(std::vector{100000 + n}));
        CHECK(attribute.creation_order == static_cast<std::uint32_t>(i));
    }
    if (!has_tools()) return;
    const std::string kind = of_group ? "-g /owner" : "-d /owner";
    const std::string text = dump(kind, path);
    std::set<std::string> names;
    const std::regex shape(
        "ATTRIBUTE \"attribute ([0-9]+)\" \\{ DATATYPE H5T_STD_I32LE DATASPACE SCALAR DATA \\{ "
        "([0-9]+) \\} \\}");
    for (std::sregex_iterator it(text.begin(), text.end(), shape), end; it != end; ++it) {
        names.insert((*it)[1]);
        CHECK(std::stoi((*it)[2]) == 100000 + std::stoi((*it)[1]));
    }
    CHECK(names.size() == static_cast<std::size_t>(count));
    if (count > 0) {
        const std::string last = std::to_string(count - 1);
        CHECK(holds(dump("-a '/owner/attribute " + last + "'", path),
                    "DATA { " + std::to_string(100000 + count - 1) + " }"));
    }
}

TEST_CASE("h5write: attributes of every type, and of more than 64 KiB") {
    const Scratch scratch;
    const std::size_t others = GENERATE(0, 20);
    CAPTURE(others);
    Writer writer;
    const auto root = writer.add_group();
    for (const std::size_t size : {4096, 64999, 65000, 65535, 65536, 70000, 3000000}) {
        writer.attribute(root, "bytes " + std::to_string(size),
                         {integer_type(1, false), simple_space({size}), pattern(size), {}});
    }
    writer.attribute(root, "text", text_data("short text"));
    writer.attribute(root, "long text", text_data(std::string(200000, 'x')));
    writer.attribute(root, "texts", texts_data({"a", "b c", "ue"}));
    writer.attribute(root, "no texts", texts_data({}));
    writer.attribute(root, "empty text", text_data(""));
    writer.attribute(root, "none", {integer_type(4, true), null_space(), "", {}});
    writer.attribute(root, "zero", {ieee_type(8), simple_space({2, 0}), "", {}});
    writer.attribute(root, "flag", {bool_type(), scalar_space(), "\1", {}});
    writer.attribute(root, "matrix", {ieee_type(4), simple_space({2, 2}), raw(std::vector{1.F, 2.F, 3.F, 4.5F}), {}});
    for (std::size_t i = 0; i < others; ++i) writer.attribute(root, "other " + std::to_string(i), number(0));
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto list = file->object(file->root_address())->attributes();
    CHECK(list.errors.empty());
    REQUIRE(list.attributes.size() == 16 + others);
    for (const Attribute& attribute : list.attributes) {
        if (!attribute.name.starts_with("bytes ")) continue;
        CHECK(attribute.bytes == pattern(std::stoul(attribute.name.substr(6))));
    }
    const Attribute& long_text = list.attributes[8];
    CHECK(long_text.name == "long text");
    CHECK(file->heap_value(*long_text.type, long_text.bytes).bytes == std::string(200000, 'x'));
    if (!has_tools()) return;
    CHECK(holds(dump("-a '/text'", path), "\"short text\""));
    CHECK(holds(dump("-a '/texts'", path), "\"a\", \"b c\", \"ue\""));
    CHECK(holds(dump("-a '/none'", path), "DATASPACE NULL"));
    CHECK(holds(dump("-a '/zero'", path), "DATASPACE SIMPLE { ( 2, 0 ) / ( 2, 0 ) }"));
    CHECK(holds(dump("-a '/flag'", path), "DATA { TRUE }"));
    CHECK(holds(dump("-a '/matrix'", path), "DATASPACE SIMPLE { ( 2, 2 ) / ( 2, 2 ) } DATA { 1, 2, 3, 4.5 }"));
    for (const std::size_t size : {4096, 70000}) {
        std::string values;
        for (const char byte : pattern(size)) values += (values.empty() ? "" : ", ") + std::to_string(byte);
        CHECK(holds(dump("-a '/bytes " + std::to_string(size) + "'", path), "DATA { " + values + " }"));
    }
    const std::string text = dump("-a '/long text'", path);
    CHECK(std::count(text.begin(), text.end(), 'x') > 199000);
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

TEST_CASE("h5write: hard links, cycles and soft links") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    const auto inner = writer.add_group();
    const auto data = writer.add_dataset(numbers({1, 2, 3}));
    writer.link(root, "inner", inner);
    writer.link(inner, "up", root);
    writer.link(inner, "itself", inner);
    writer.link(inner, "data", data);
    writer.link(root, "tied", data);
    writer.soft_link(root, "soft", "/inner/data");
    writer.soft_link(inner, "relative", "data");
    writer.soft_link(root, "nowhere", "/not/there");
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto at = [&](const std::string& name) { return file->resolve(file->root_address(), name); };
    CHECK(at("tied") == at("inner/data"));
    CHECK(at("soft") == at("tied"));
    CHECK(at("inner/relative") == at("tied"));
    CHECK(at("inner/up") == file->root_address());
    CHECK(at("inner/itself/itself/up/inner/data") == at("tied"));
    CHECK(at("nowhere") == std::nullopt);
    CHECK(file->object(*at("tied"))->reference_count() == 2);
    CHECK(file->object(*at("inner"))->reference_count() == 2);
    if (!has_tools()) return;
    const Printed listing = shell("h5ls -r '" + path + "'");
    INFO(listing.text);
    CHECK(listing.exit_code == 0);
    const std::string text = squeezed(listing.text);
    CHECK(holds(text, "/inner/up Group, same as /"));
    CHECK(holds(text, "/inner/itself Group, same as /inner"));
    CHECK(holds(text, "/tied Dataset, same as /inner/data"));
    CHECK(holds(text, "/soft Soft Link {/inner/data}"));
    CHECK(holds(text, "/inner/relative Soft Link {data}"));
    CHECK(holds(dump("-d /soft", path), "DATA { 1, 2, 3 }"));
    CHECK(holds(dump("-d /inner/relative", path), "DATA { 1, 2, 3 }"));
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

TEST_CASE("h5write: groups thousands deep") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    auto at = root;
    for (int i = 0; i < 2000; ++i) {
        const auto next = writer.add_group();
        writer.link(at, "d", next);
        at = next;
    }
    writer.link(at, "leaf", writer.add_dataset(number(7)));
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    std::string name;
    for (int i = 0; i < 2000; ++i) name += "d/";
    CHECK(object(*file, name + "leaf")->kind() == ObjectKind::kDataset);
    if (!has_tools()) return;
    // The tools themselves do not take longer paths.
    const Printed listing = shell("h5ls '" + path + "/" + name.substr(0, 200) + "'");
    INFO(listing.text.substr(0, 300));
    CHECK(listing.exit_code == 0);
    CHECK(squeezed(listing.text) == "d Group ");
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
