// Links and attributes of written HDF5 files: names, order, numbers, sizes.
#include <algorithm>
#include <set>

#include "tests/unit/h5_written.hpp"

using namespace ckpt;
using namespace ckpt::h5;
using namespace ckpt::h5_tests;

namespace {

/// The message with which a writer refuses; empty if it does not.
std::string refusal(Writer& writer, Writer::ObjectId root) {
    try {
        writer.plan(root);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRefused);
        return error.message();
    }
    return {};
}

std::string refusal_of_link(const std::string& name) {
    Writer writer;
    const auto root = writer.add_group();
    writer.link(root, name, writer.add_dataset(number(1)));
    return refusal(writer, root);
}

std::string refusal_of_attribute(const std::string& name, WriteData data) {
    Writer writer;
    const auto root = writer.add_group();
    writer.attribute(root, name, std::move(data));
    return refusal(writer, root);
}

std::string refusal_of_soft_link(const std::string& target) {
    Writer writer;
    const auto root = writer.add_group();
    writer.soft_link(root, "soft", target);
    return refusal(writer, root);
}

}  // namespace

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
        found.emplace_back(link.name);
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

TEST_CASE("h5write: names beyond 64 KiB, of links") {
    const Scratch scratch;
    const auto size = GENERATE(65535U, 65536U, 70000U, 200000U);
    CAPTURE(size);
    Writer writer;
    const auto root = writer.add_group();
    const std::string name(size, 'n');
    writer.link(root, name, writer.add_dataset(number(17)));
    writer.link(root, "short", writer.add_dataset(number(18)));
    writer.soft_link(root, name + "s", "short");
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto links = file->object(file->root_address())->links();
    CHECK(links.errors.empty());
    REQUIRE(links.links.size() == 3);
    CHECK((links.links[0].name == name));
    CHECK((links.links[2].name == name + "s"));
    CHECK(links.links[2].kind == Link::Kind::kSoft);
    if (!has_tools()) return;
    const std::string text = dump("", path);
    CHECK(holds(text, "\"" + name + "\""));
    CHECK(holds(text, "DATA { 17 }"));
    CHECK(holds(dump("-d /short", path), "DATA { 18 }"));
}

TEST_CASE("h5write: what HDF5's fields cannot hold is refused with the name's beginning and the numbers") {
    const std::string longest(65534, 'a');
    CHECK(refusal_of_attribute(longest, number(1)).empty());
    const std::string message = refusal_of_attribute(longest + "b", number(1));
    CHECK(message ==
          "the name of the attribute '" + std::string(40, 'a') + "...' has 65535 bytes, HDF5 holds at most 65534");
    CHECK(holds(refusal_of_attribute(std::string(39, 'a') + "é" + longest, number(1)),
                "'" + std::string(39, 'a') + "...'"));
    CHECK(holds(refusal_of_attribute(std::string("a\0b", 3), number(1)), "NUL"));
    CHECK(
        refusal_of_attribute("rank", {integer_type(1, true), simple_space(std::vector<std::uint64_t>(32, 1)), "1", {}})
            .empty());
    CHECK(holds(
        refusal_of_attribute("rank", {integer_type(1, true), simple_space(std::vector<std::uint64_t>(33, 1)), "1", {}}),
        "'rank' has 33 dimensions, HDF5 holds at most 32"));
    for (const std::string& name :
         {std::string(), std::string("."), std::string("a/b"), std::string("/"), std::string("a\0b", 3)}) {
        CAPTURE(name);
        CHECK(holds(refusal_of_link(name), "cannot be the name of a link"));
    }
    CHECK(refusal_of_link("..").empty());
    // A soft link to nothing is no hard link to the first object.
    CHECK(holds(refusal_of_soft_link(""), "'soft' leads to no path"));
    CHECK(holds(refusal_of_soft_link(std::string("a\0b", 3)), "NUL"));
    CHECK(refusal_of_soft_link(std::string(65535, 'a')).empty());
    CHECK(holds(refusal_of_soft_link(std::string(65536, 'a')), "'soft' has 65536 bytes, HDF5 holds at most 65535"));
}

TEST_CASE("h5write: the most attributes that an object can have") {
    const Scratch scratch;
    const auto count = GENERATE(65535, 65536);
    Writer writer;
    const auto root = writer.add_group();
    const auto data = writer.add_dataset(number(1));
    writer.link(root, "owner", data);
    for (int i = 0; i < count; ++i) writer.attribute(data, std::to_string(i), number(i));
    if (count > 65535) {
        CHECK(refusal(writer, root) == "the object 'owner' has 65536 attributes, HDF5 holds at most 65535");
        return;
    }
    const std::string path = save(scratch, writer, root);
    const auto list = object(*open(path), "owner")->attributes();
    CHECK(list.errors.empty());
    REQUIRE(list.attributes.size() == 65535);
    CHECK(list.attributes[65534].name == "65534");
    if (has_tools()) CHECK(holds(dump("-a /owner/65534", path), "DATA { 65534 }"));
}

TEST_CASE("h5write: soft links of every length") {
    const Scratch scratch;
    Writer writer;
    const auto root = writer.add_group();
    const std::vector<std::size_t> sizes = {1, 255, 256, 5000, 32767, 32768, 65535};
    for (const std::size_t size : sizes) writer.soft_link(root, std::to_string(size), std::string(size, 't'));
    const std::string path = save(scratch, writer, root);
    const auto file = open(path);
    const auto links = file->object(file->root_address())->links();
    REQUIRE(links.links.size() == sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) CHECK((links.links[i].target == std::string(sizes[i], 't')));
    if (!has_tools()) return;
    const std::string text = dump("", path);
    for (const std::size_t size : sizes) CHECK(holds(text, "LINKTARGET \"" + std::string(size, 't') + "\""));
}
