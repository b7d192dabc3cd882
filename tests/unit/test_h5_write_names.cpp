// Links and attributes of written HDF5 files: names, order, numbers, sizes.
#include <algorithm>
#include <set>

#include "tests/unit/h5_written.hpp"

using namespace ckpt;
using namespace ckpt::h5;
using namespace ckpt::h5_tests;

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
