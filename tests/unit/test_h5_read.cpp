// Reading HDF5: sample files against what h5py found in them, links, types, chunks, the cache, and damage in words.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>

#include <fmt/ranges.h>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/data.hpp"
#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/image.hpp"
#include "formats/shared/h5/write.hpp"
#include "libckpt/execute.hpp"
#include "libckpt/file.hpp"

using namespace ckpt;
using namespace ckpt::h5;
namespace fs = std::filesystem;

namespace {

const fs::path kSamples = fs::path(CKPT_TEST_DATA) / "hdf5";
using FilePtr = std::shared_ptr<const H5File>;

std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in.good());
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string sample(const std::string& name) {
    return slurp(kSamples / name);
}

FilePtr open(std::string bytes, std::vector<std::string>* warnings = nullptr) {
    Context context;
    context.on_warning = [warnings](std::string_view text) {
        if (warnings != nullptr) {
            warnings->emplace_back(text);
        } else {
            FAIL_CHECK("warning: " << text);
        }
    };
    return H5File::open(memory_blob(std::move(bytes)), context);
}

std::shared_ptr<const Object> object(const FilePtr& file, const std::string& path) {
    INFO(path);
    const auto address = file->resolve(file->root_address(), path);
    REQUIRE(address.has_value());
    return file->object(*address);
}

std::string bytes_of(const FilePtr& file, const Dataset& dataset) {
    return read_all(*file->data(dataset), std::uint64_t{1} << 30);
}

std::string bytes_of(const FilePtr& file, const std::string& path) {
    return bytes_of(file, object(file, path)->dataset());
}

template <typename T>
std::vector<T> values(const std::string& bytes) {
    std::vector<T> result(bytes.size() / sizeof(T));
    std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
    return result;
}

template <typename T>
std::string raw(const std::vector<T>& numbers) {
    return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}

/// What `action` throws as "code: message"; empty if it throws nothing.
template <typename Action>
std::string thrown(Action action) {
    static const std::map<ErrorCode, std::string> kNames = {{ErrorCode::kDamaged, "damaged"},
                                                            {ErrorCode::kUnsupported, "unsupported"},
                                                            {ErrorCode::kRefused, "refused"},
                                                            {ErrorCode::kNotCheckpoint, "not a checkpoint"}};
    try {
        action();
    } catch (const Error& error) {
        const auto name = kNames.find(error.code());
        return (name == kNames.end() ? "another code" : name->second) + ": " + error.message();
    }
    return {};
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string file_of(Writer& writer, Writer::ObjectId root) {
    const fs::path path = fs::temp_directory_path() / ("ckpt-h5-read-" + std::to_string(::getpid()));
    execute(writer.plan(root), path.string(), Existing::kOverwrite, Context());
    std::string bytes = slurp(path);
    fs::remove(path);
    return bytes;
}

/// A line of a table that is made of an expected.json.
struct Expected {
    std::string path, kind, cls, order, layout, sha256, target;
    unsigned size = 0;
    std::string shape;
    long links = -1;
};

/// The tables, by the name of the sample file. Python takes the JSON apart.
const std::map<std::string, std::vector<Expected>>& expected() {
    static const auto tables = [] {
        const std::string script = R"(
import glob, json, sys
for name in sorted(glob.glob(sys.argv[1] + "/*.expected.json")):
    table = json.load(open(name))
    for e in table["entries"]:
        path = bytes.fromhex(e["name_hex"]) if "name_hex" in e else None
        if path is None: path = e["path"].replace("\\\\", "\\").encode("utf-8", "surrogatepass")
        t = e.get("type", {})
        base = t.get("base", t) if t.get("meaning") == "bool" else t
        shape = e.get("shape", "-")
        fields = [table["file"], path.hex(), e["kind"], t.get("class", ""), base.get("order", ""), e.get("layout", ""),
                  e.get("sha256") or e.get("sha256_of_stored_bits") or "",
                  (e.get("target") or e.get("same_as") or "").encode().hex(), t.get("size", base.get("size", 0)),
                  "null" if shape is None else shape if shape == "-" else ",".join(map(str, shape)), e.get("links", -1),
                  e.get("order", "")]
        print("\t".join(map(str, fields)))
)";
        const fs::path path = fs::temp_directory_path() / ("ckpt-h5-expected-" + std::to_string(::getpid()));
        std::ofstream(path) << script;
        FILE* pipe = ::popen(("python3 -B '" + path.string() + "' '" + kSamples.string() + "'").c_str(), "r");
        std::string text;
        char buffer[65536];
        for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
        ::pclose(pipe);
        fs::remove(path);
        const auto unhex = [](const std::string& hex) {
            std::string bytes;
            for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
                bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
            return bytes;
        };
        std::map<std::string, std::vector<Expected>> result;
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            std::vector<std::string> f;
            std::istringstream fields(line + "\t");
            for (std::string field; std::getline(fields, field, '\t');) f.push_back(field);
            REQUIRE(f.size() == 12);
            Expected e;
            e.path = unhex(f[1]);
            e.kind = f[2];
            e.cls = f[3];
            e.order = f[2] == "group" ? f[11] : f[4];
            e.layout = f[5];
            e.sha256 = f[6];
            e.target = unhex(f[7]);
            e.size = static_cast<unsigned>(std::stoul(f[8]));
            e.shape = f[9];
            e.links = std::stol(f[10]);
            result[f[0]].push_back(e);
        }
        return result;
    }();
    return tables;
}

/// SHA-256 of many byte strings at once, by coreutils.
std::vector<std::string> sha256(const std::vector<std::string>& contents) {
    const fs::path folder = fs::temp_directory_path() / ("ckpt-h5-sha-" + std::to_string(::getpid()));
    fs::create_directories(folder);
    for (std::size_t i = 0; i < contents.size(); ++i) {
        std::ofstream(folder / fmt::format("{:06}", i), std::ios::binary) << contents[i];
    }
    FILE* pipe = ::popen(("cd '" + folder.string() + "' && sha256sum *").c_str(), "r");
    std::vector<std::string> sums;
    char line[256];
    while (std::fgets(line, sizeof line, pipe) != nullptr) sums.emplace_back(line, 64);
    ::pclose(pipe);
    fs::remove_all(folder);
    return sums;
}

std::string class_name(TypeClass cls, bool is_string) {
    switch (cls) {
        case TypeClass::kInteger:
            return "integer";
        case TypeClass::kFloat:
            return "float";
        case TypeClass::kString:
            return "string";
        case TypeClass::kOpaque:
            return "opaque";
        case TypeClass::kCompound:
            return "compound";
        case TypeClass::kReference:
            return "reference";
        case TypeClass::kEnum:
            return "enum";
        case TypeClass::kVlen:
            return is_string ? "string" : "vlen";
        case TypeClass::kArray:
            return "array";
        default:
            return "other";
    }
}

std::string swapped(std::string bytes, std::size_t width) {
    for (std::size_t i = 0; i + width <= bytes.size(); i += width)
        std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                     bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
    return bytes;
}

/// Compares reading in odd pieces with reading whole.
void check_pieces(const Blob& blob, unsigned seed) {
    const auto size = static_cast<std::size_t>(blob.size_bytes());
    const std::string whole = read_all(blob, std::uint64_t{1} << 30);
    REQUIRE(whole.size() == size);
    std::mt19937 random(seed);
    std::size_t wrong = 0;
    const auto check = [&](std::size_t offset, std::size_t length) {
        std::string piece(length, '?');
        blob.read(offset, std::as_writable_bytes(std::span(piece.data(), piece.size())));
        wrong += piece != whole.substr(offset, length);
    };
    for (int i = 0; i < 400; ++i) {
        const std::size_t offset = random() % (size + 1);
        check(offset, random() % (size - offset + 1));
        check(offset, std::min<std::size_t>(size - offset, random() % 9));
    }
    for (const std::size_t step : {1, 3, 7, 64, 1001}) {
        if (size / step > 5000) continue;
        for (std::size_t offset = 0; offset < size; offset += step) check(offset, std::min(step, size - offset));
    }
    check(0, 0);
    check(size, 0);
    CHECK(wrong == 0);
    std::string piece(2, '?');
    CHECK(holds(thrown([&] { blob.read(size - 1, std::as_writable_bytes(std::span(piece.data(), 2))); }), "damaged"));
    CHECK(holds(thrown([&] { blob.read(size + 1, {}); }), "damaged"));
    CHECK(holds(thrown([&] { blob.read(~std::uint64_t{0}, std::as_writable_bytes(std::span(piece.data(), 2))); }),
                "damaged"));
}

/// Counts what is read through it.
struct CountingBlob final : Blob {
    explicit CountingBlob(std::string all) : bytes(std::move(all)) {}
    std::uint64_t size_bytes() const noexcept override { return bytes.size(); }
    void read(std::uint64_t offset, std::span<std::byte> out) const override {
        count += out.size();
        if (!out.empty()) std::memcpy(out.data(), bytes.data() + offset, out.size());
    }
    std::string bytes;
    mutable std::uint64_t count = 0;
};

}  // namespace

TEST_CASE("h5read: the sample files hold what h5py found in them") {
    REQUIRE(expected().size() >= 13);
    std::vector<std::string> contents;
    std::vector<std::string> names;
    std::vector<std::string> due;
    for (const auto& [name, entries] : expected()) {
        const FilePtr file = open(sample(name));
        for (const Expected& e : entries) {
            INFO(name << ": " << e.path);
            if (e.kind == "softlink" || e.kind == "externallink") continue;
            const auto address = file->resolve(file->root_address(), e.path);
            REQUIRE(address.has_value());
            const auto found = file->object(*address);
            CHECK(found->address() == *address);
            if (e.kind == "hardlink") {
                CHECK(address == file->resolve(file->root_address(), e.target));
                continue;
            }
            if (e.kind == "group") {
                REQUIRE(found->kind() == ObjectKind::kGroup);
                const LinkList list = found->links();
                CHECK(list.errors.empty());
                CHECK(static_cast<long>(list.links.size()) == e.links);
                CHECK(list.in_creation_order == (e.order == "creation"));
                CHECK(found->attributes().errors.empty());
                continue;
            }
            REQUIRE(found->kind() == ObjectKind::kDataset);
            const Dataset dataset = found->dataset();
            const Datatype& type = *dataset.type;
            CHECK(class_name(type.cls, type.is_string) == e.cls);
            if (e.size != 0) CHECK(type.size_bytes == e.size);
            CHECK((dataset.layout.cls == LayoutClass::kChunked) == (e.layout == "chunked"));
            if (e.shape == "null") {
                CHECK(dataset.space.kind == Dataspace::Kind::kNull);
            } else {
                CHECK(fmt::format("{}", fmt::join(dataset.space.dims, ",")) == e.shape);
            }
            const bool is_number =
                type.cls == TypeClass::kInteger || type.cls == TypeClass::kFloat || type.is_h5py_bool();
            if (!is_number || e.sha256.empty()) continue;
            // h5py shifts the first and clears the padding of the second.
            if (type.cls == TypeClass::kFloat && type.precision_bits != 8 * type.size_bytes) continue;
            if (type.cls == TypeClass::kInteger && type.precision_bits != 8 * type.size_bytes) continue;
            const bool is_big = type.order == ByteOrder::kBig;
            if (type.size_bytes > 1 && !e.order.empty()) CHECK((e.order == "BE") == is_big);
            const bool is_refused = std::any_of(dataset.filters.begin(), dataset.filters.end(),
                                                [](const Filter& f) { return f.name == "blosc2" || f.name == "zfp"; });
            if (is_refused) {
                CHECK(holds(thrown([&] { bytes_of(file, dataset); }), dataset.filters.front().name + ") is not read"));
                continue;
            }
            std::string bytes = bytes_of(file, dataset);
            if (is_big) bytes = swapped(bytes, type.size_bytes);
            contents.push_back(std::move(bytes));
            names.push_back(name + ": " + e.path);
            due.push_back(e.sha256);
        }
    }
    const auto sums = sha256(contents);
    REQUIRE(sums.size() == due.size());
    CHECK(due.size() > 150);
    for (std::size_t i = 0; i < due.size(); ++i) {
        INFO(names[i]);
        CHECK(sums[i] == due[i]);
    }
}

TEST_CASE("h5read: every group of the sample files is in the order that h5py gives") {
    for (const auto& [name, entries] : expected()) {
        const FilePtr file = open(sample(name));
        std::map<std::string, std::vector<std::string>> children;
        for (const Expected& e : entries) {
            if (e.path.empty()) continue;
            const auto slash = e.path.rfind('/');
            children[slash == std::string::npos ? "" : e.path.substr(0, slash)].push_back(
                e.path.substr(slash == std::string::npos ? 0 : slash + 1));
        }
        for (const auto& [parent, names] : children) {
            INFO(name << ": group '" << parent << "'");
            std::vector<std::string> found;
            for (const Link& link : object(file, parent)->links().links) found.emplace_back(link.name);
            if (object(file, parent)->links().in_creation_order) {
                CHECK(found == names);
            } else {
                CHECK(std::is_sorted(found.begin(), found.end()));
                CHECK(std::vector<std::string>(found) == [&] {
                    auto sorted = names;
                    std::sort(sorted.begin(), sorted.end());
                    return sorted;
                }());
            }
        }
    }
}

TEST_CASE("h5read: links of all kinds") {
    const FilePtr file = open(sample("links.h5"));
    const std::uint64_t root = file->root_address();
    std::map<std::string, Link> links;
    const LinkList list = file->object(root)->links();
    for (const Link& link : list.links) links[std::string(link.name)] = link;
    REQUIRE(links.size() == 12);
    CHECK(links["soft"].kind == Link::Kind::kSoft);
    CHECK(links["soft"].target == "/encoder/embed");
    CHECK(links["soft_dangling"].target == "/nowhere/at/all");
    CHECK(links["external_present"].kind == Link::Kind::kExternal);
    CHECK(links["external_present"].file == "links_target.h5");
    CHECK(links["external_present"].target == "/weights/w");
    CHECK(links["encoder"].kind == Link::Kind::kHard);
    CHECK(links["encoder"].address == links["group_again"].address);

    const auto tied = file->resolve(root, "/decoder/tied");
    REQUIRE(tied.has_value());
    CHECK(file->resolve(root, "encoder/embed") == tied);
    CHECK(file->resolve(root, "soft") == tied);
    CHECK(file->resolve(root, "soft_to_soft") == tied);
    CHECK(file->resolve(root, "encoder/soft_relative") == tied);
    CHECK(file->resolve(root, "group_again/soft_relative") == tied);
    CHECK(file->resolve(root, "decoder/up") == root);
    CHECK(file->resolve(root, "decoder/up/decoder/up/encoder/embed") == tied);
    CHECK(file->resolve(*file->resolve(root, "encoder"), "embed") == tied);
    CHECK(file->resolve(*file->resolve(root, "encoder"), "/decoder/tied") == tied);
    CHECK(file->object(*tied)->reference_count() == 2);
    // Slashes in a row, at the end, and "." are as in libhdf5.
    CHECK(file->resolve(root, "//decoder///tied/") == tied);
    CHECK(file->resolve(root, "./decoder/./tied/.") == tied);
    CHECK(file->resolve(root, "") == root);
    CHECK(file->resolve(root, "/") == root);

    CHECK(file->resolve(root, "soft_dangling") == std::nullopt);
    CHECK(file->resolve(root, "soft_cycle_a") == std::nullopt);
    CHECK(file->resolve(root, "soft_cycle_b/x") == std::nullopt);
    CHECK(file->resolve(root, "external_present") == std::nullopt);
    CHECK(file->resolve(root, "external_to_itself/embed") == std::nullopt);
    CHECK(file->resolve(root, "nothing") == std::nullopt);
    CHECK(file->resolve(root, "decoder/tied/inside") == std::nullopt);
    CHECK(file->resolve(root, "..") == std::nullopt);
}

TEST_CASE("h5read: soft links are followed sixteen times") {
    Writer writer;
    const auto root = writer.add_group();
    const auto leaf = writer.add_dataset(text_data("end"));
    writer.link(root, "link0", leaf);
    for (int i = 1; i <= 20; ++i) writer.soft_link(root, "link" + std::to_string(i), "/link" + std::to_string(i - 1));
    const auto group = writer.add_group();
    writer.link(root, "group", group);
    writer.soft_link(group, "self", ".");
    writer.soft_link(group, "both", "self/self");
    const FilePtr file = open(file_of(writer, root));
    const auto end = file->resolve(file->root_address(), "link0");
    for (int i = 1; i <= 16; ++i) CHECK(file->resolve(file->root_address(), "link" + std::to_string(i)) == end);
    for (int i = 17; i <= 20; ++i)
        CHECK(file->resolve(file->root_address(), "link" + std::to_string(i)) == std::nullopt);
    const auto inner = file->resolve(file->root_address(), "group");
    CHECK(file->resolve(file->root_address(), "group/self") == inner);
    CHECK(file->resolve(file->root_address(), "group/both/self") == inner);
}

TEST_CASE("h5read: datatypes of every class") {
    const FilePtr numeric = open(sample("numeric.h5"));
    const auto type = [](const FilePtr& file, const std::string& path) { return object(file, path)->dataset().type; };
    CHECK(type(numeric, "le/i16")->is_signed);
    CHECK_FALSE(type(numeric, "le/u16")->is_signed);
    CHECK(type(numeric, "le/u16")->precision_bits == 16);
    CHECK(type(numeric, "be/u32")->order == ByteOrder::kBig);
    CHECK(type(numeric, "be/f64")->is_ieee_float());
    CHECK(type(numeric, "le/f16")->is_ieee_float());
    CHECK_FALSE(type(numeric, "longdouble")->is_ieee_float());
    CHECK(type(numeric, "longdouble")->fields == FloatFields{79, 64, 15, 0, 64, 0, 16383});
    CHECK(type(numeric, "longdouble")->precision_bits == 80);
    CHECK(type(numeric, "int24_at_bit_4_of_32")->bit_offset == 4);
    CHECK(type(numeric, "int24_at_bit_4_of_32")->precision_bits == 24);
    CHECK(type(numeric, "uint12_in_16_be")->precision_bits == 12);
    CHECK(type(numeric, "python_bool")->is_h5py_bool());
    CHECK(values<std::int16_t>(bytes_of(numeric, "le/i16")) == std::vector<std::int16_t>{-32768, 32767, 0, 1, 5, 100});

    const FilePtr small = open(sample("bfloat16.h5"));
    CHECK(type(small, "bf16")->is_bfloat16());
    CHECK(type(small, "bf16_big_endian")->is_bfloat16());
    CHECK_FALSE(type(small, "bf16")->is_ieee_float());
    CHECK_FALSE(type(small, "float8_e4m3")->is_bfloat16());
    CHECK(type(small, "float8_e5m2")->fields ==
          FloatFields{7, 2, 5, 0, 2, type(small, "bf16")->fields.normalization, 15});
    CHECK(type(small, "float24")->size_bytes == 3);

    const FilePtr pairs = open(sample("bool_complex.h5"));
    CHECK(type(pairs, "bool")->is_h5py_bool());
    CHECK_FALSE(type(pairs, "enum_like_bool_but_other_names")->is_h5py_bool());
    CHECK(type(pairs, "complex64_le")->is_complex());
    CHECK(type(pairs, "complex128_be")->is_complex());
    CHECK(type(pairs, "complex128_be")->complex_part().order == ByteOrder::kBig);
    CHECK(type(pairs, "complex32_as_pair_of_f16")->is_complex());
    CHECK_FALSE(type(pairs, "pair_r_i_of_int")->is_complex());
    CHECK_FALSE(type(pairs, "pair_with_other_names")->is_complex());
    const auto compound = type(pairs, "pair_with_other_names");
    REQUIRE(compound->members.size() == 2);
    CHECK(compound->members[1].name == "im");
    CHECK(compound->members[1].offset_bytes == 4);
    const auto names = type(pairs, "enum_like_bool_but_other_names");
    REQUIRE(names->enum_members.size() == 2);
    CHECK(names->enum_members[0].name == "NO");
    CHECK(names->enum_members[1].bytes == "\1");

    const FilePtr strings = open(sample("strings.h5"));
    CHECK(type(strings, "fixed_6_nullpad")->padding == StringPadding::kNulPadded);
    CHECK(type(strings, "fixed_6_nullterm")->padding == StringPadding::kNulTerminated);
    CHECK(type(strings, "fixed_6_spacepad")->padding == StringPadding::kSpacePadded);
    CHECK(type(strings, "fixed_utf8_10")->is_utf8);
    CHECK_FALSE(type(strings, "fixed_ascii_4")->is_utf8);
    CHECK(type(strings, "python_str")->cls == TypeClass::kVlen);
    CHECK(type(strings, "python_str")->is_string);
    CHECK(type(strings, "python_str")->is_utf8);
    CHECK_FALSE(type(strings, "python_bytes")->is_utf8);
    CHECK(type(strings, "python_str")->has_heap_references());
    CHECK_FALSE(type(strings, "fixed_ascii_4")->has_heap_references());
    CHECK(type(strings, "with_nul_inside_bytes")->cls == TypeClass::kOpaque);
    CHECK(bytes_of(strings, "with_nul_inside_bytes") == std::string("a\0b\0\0", 5));
}

TEST_CASE("h5read: variable-length text") {
    const FilePtr file = open(sample("strings.h5"));
    const auto texts = [&](const std::string& path) {
        const Dataset dataset = object(file, path)->dataset();
        const std::string bytes = bytes_of(file, dataset);
        std::vector<std::string> result;
        for (std::size_t i = 0; i < dataset.space.element_count; ++i) {
            const HeapValue value = file->heap_value(*dataset.type, std::string_view(bytes).substr(16 * i, 16));
            CHECK(value.count == value.bytes.size());
            result.push_back(value.bytes);
        }
        return result;
    };
    CHECK(texts("python_str") == std::vector<std::string>{"héllo wörld ✓"});
    CHECK(texts("empty_str") == std::vector<std::string>{""});
    CHECK(texts("vlen_utf8") == std::vector<std::string>{"a", "bb", "", "čč"});
    CHECK(texts("vlen_never_written") == std::vector<std::string>{"", "", ""});
    CHECK(texts("json") == std::vector<std::string>{"{\"lr\": 0.1, \"layers\": [1, 2]}"});
    CHECK(texts("vlen_chunked_gzip").size() == 50);
    CHECK(texts("long_text")[0].starts_with("0123456789012345"));
    const Dataset wrong = object(file, "fixed_ascii_4")->dataset();
    CHECK_FALSE(thrown([&] { file->heap_value(*wrong.type, std::string(16, 'x')); }).empty());
}

TEST_CASE("h5read: references name an object by its address") {
    const FilePtr file = open(sample("libver_v110.h5"));
    const Dataset dataset = object(file, "ref")->dataset();
    REQUIRE(dataset.type->cls == TypeClass::kReference);
    const Reference reference = file->reference(*dataset.type, bytes_of(file, dataset));
    CHECK(reference.kind == Reference::Kind::kObject);
    CHECK(reference.address == file->resolve(file->root_address(), "model/b"));
    CHECK(file->reference(*dataset.type, std::string(8, '\0')).kind == Reference::Kind::kNull);
}

TEST_CASE("h5read: shapes") {
    const FilePtr file = open(sample("dataspaces.h5"));
    const auto space = [&](const std::string& path) { return object(file, path)->dataset().space; };
    CHECK(space("null_f32").kind == Dataspace::Kind::kNull);
    CHECK(space("null_f32").element_count == 0);
    CHECK(space("scalar").kind == Dataspace::Kind::kScalar);
    CHECK(space("scalar").element_count == 1);
    CHECK(space("zero_2d").dims == std::vector<std::uint64_t>{3, 0, 2});
    CHECK(space("zero_2d").element_count == 0);
    CHECK(space("d32").dims.size() == 32);
    CHECK(space("resizable").max_dims == std::vector<std::uint64_t>{Dataspace::kUnlimited, 10});
    CHECK(space("d5").max_dims == space("d5").dims);
    CHECK(object(file, "null_f32")->dataset().size_bytes == 0);
    CHECK(bytes_of(file, "null_f32").empty());
    CHECK(bytes_of(file, "zero_resizable").empty());
}

TEST_CASE("h5read: what was never written reads as the fill value") {
    const FilePtr file = open(sample("dataspaces.h5"));
    const Dataset grown = object(file, "grown")->dataset();
    CHECK(grown.fill_state == FillState::kValue);
    CHECK(values<std::int32_t>(grown.fill) == std::vector{-1});
    CHECK(file->chunks(grown).size() == 2);
    CHECK(values<std::int32_t>(bytes_of(file, grown)) ==
          std::vector{0, 1, 2, 3, 4, -1, -1, -1, -1, -1, -1, -1, -1, -1});
    const FilePtr names = open(sample("names.h5"));
    const Dataset unwritten = object(names, "\xff\xfe")->dataset();
    CHECK(unwritten.fill_state == FillState::kDefault);
    CHECK(bytes_of(names, unwritten) == std::string(1, '\0'));
    // Two datasets of 2^60 elements that are nowhere: any part of them can be read.
    const FilePtr huge = open(slurp(kSamples / "bad/claims_2_60_elements.h5"));
    int claims = 0;
    for (const Link& link : huge->object(huge->root_address())->links().links) {
        const Dataset dataset = huge->object(link.address)->dataset();
        if (dataset.space.element_count < std::uint64_t{1} << 60) continue;
        ++claims;
        const BlobPtr blob = huge->data(dataset);
        CHECK(blob->size_bytes() == dataset.size_bytes);
        const std::size_t width = dataset.type->size_bytes;
        std::string piece(3 * width + 1, '?');
        blob->read(dataset.size_bytes - piece.size(), std::as_writable_bytes(std::span(piece.data(), piece.size())));
        const std::string fill = dataset.fill.empty() ? std::string(width, '\0') : dataset.fill;
        CHECK(piece == fill.substr(width - 1) + fill + fill + fill);
        CHECK_FALSE(thrown([&] { read_all(*blob, std::uint64_t{1} << 30); }).empty());
    }
    CHECK(claims == 2);
}

TEST_CASE("h5read: chunks read in odd pieces are chunks read whole") {
    struct Case {
        std::string file, path;
        std::size_t chunks;
    };
    for (const Case& c : {Case{"dataspaces.h5", "resizable", 6}, Case{"dataspaces.h5", "grown", 2},
                          Case{"dataspaces.h5", "shrunk", 3}, Case{"dataspaces.h5", "all_unlimited", 1},
                          Case{"bfloat16.h5", "bf16_gzip_shuffle", 9}, Case{"libver_earliest.h5", "model/chunked", 5},
                          Case{"libver_v108.h5", "model/chunked", 5}, Case{"libver_v110.h5", "model/chunked", 5}}) {
        INFO(c.file << ": " << c.path);
        const FilePtr file = open(sample(c.file));
        const Dataset dataset = object(file, c.path)->dataset();
        const auto chunks = file->chunks(dataset);
        CHECK(chunks.size() == c.chunks);
        for (const Chunk& chunk : chunks) {
            REQUIRE(chunk.offset.size() == dataset.space.dims.size());
            for (std::size_t i = 0; i < chunk.offset.size(); ++i) {
                CHECK(chunk.offset[i] % dataset.layout.chunk[i] == 0);
                CHECK(chunk.offset[i] < dataset.space.dims[i]);
            }
        }
        check_pieces(*file->data(dataset), 1);
    }
    std::vector<float> counted(50);
    for (std::size_t i = 0; i < 50; ++i) counted[i] = static_cast<float>(i);
    CHECK(values<float>(bytes_of(open(sample("libver_v110.h5")), "model/chunked")) == counted);
}

TEST_CASE("h5read: chunks of written files read in odd pieces") {
    for (const std::vector<std::uint64_t>& shape :
         std::vector<std::vector<std::uint64_t>>{{400001}, {5, 100003}, {700, 3, 211}, {2, 2, 2, 60001}, {600000, 1}}) {
        std::uint64_t count = 1;
        for (const std::uint64_t dim : shape) count *= dim;
        std::vector<std::uint32_t> numbers(count);
        for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<std::uint32_t>(i * 2654435761U >> 20);
        Writer writer;
        const auto root = writer.add_group();
        writer.link(
            root, "x",
            writer.add_dataset(integer_type(4, false), simple_space(shape), memory_blob(raw(numbers)), Codec::kZstd));
        const FilePtr file = open(file_of(writer, root));
        const Dataset dataset = object(file, "x")->dataset();
        CHECK(file->chunks(dataset).size() > 1);
        const BlobPtr blob = file->data(dataset);
        const std::string whole = raw(numbers);
        CHECK(read_all(*blob, 1 << 30) == whole);
        std::mt19937 random(7);
        std::size_t wrong = 0;
        for (int i = 0; i < 200; ++i) {
            const std::size_t offset = random() % whole.size();
            const std::size_t length =
                std::min<std::size_t>(whole.size() - offset, random() % (i % 10 == 0 ? 900000 : 50));
            std::string piece(length, '?');
            blob->read(offset, std::as_writable_bytes(std::span(piece.data(), length)));
            wrong += piece != whole.substr(offset, length);
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("h5read: nothing is read before it is asked for, and contiguous data are a range of the file") {
    Writer writer;
    const auto root = writer.add_group();
    const std::string bytes(3 << 20, 'z');
    writer.link(root, "whole",
                writer.add_dataset(integer_type(1, false), simple_space({bytes.size()}), memory_blob(bytes)));
    writer.link(
        root, "chunks",
        writer.add_dataset(integer_type(1, false), simple_space({bytes.size()}), memory_blob(bytes), Codec::kGzip));
    const std::string all = file_of(writer, root);
    const auto counting = std::make_shared<CountingBlob>(all);
    const FilePtr file = H5File::open(counting, Context());
    const Dataset whole = object(file, "whole")->dataset();
    const Dataset chunks = object(file, "chunks")->dataset();
    CHECK(counting->count < 100000);
    const std::uint64_t before = counting->count;
    const BlobPtr a = file->data(whole);
    const BlobPtr b = file->data(chunks);
    CHECK(counting->count == before);
    CHECK(read_all(*b, 1 << 30) == bytes);
    const std::uint64_t once = counting->count;
    std::byte last{};
    b->read(bytes.size() - 1, {&last, 1});
    CHECK(static_cast<char>(last) == 'z');
    CHECK(counting->count == once);  // from the cache

    const fs::path path = fs::temp_directory_path() / ("ckpt-h5-range-" + std::to_string(::getpid()));
    std::ofstream(path, std::ios::binary) << all;
    const Context context;
    const auto opened = File::open(path.string(), context);
    const FilePtr on_disk = H5File::open(file_blob({opened, 0, all.size()}), context);
    const auto range = on_disk->data(object(on_disk, "whole")->dataset())->file_range();
    REQUIRE(range.has_value());
    CHECK(range->size_bytes == bytes.size());
    CHECK(all.substr(range->offset_bytes, range->size_bytes) == bytes);
    CHECK_FALSE(on_disk->data(object(on_disk, "chunks")->dataset())->file_range().has_value());
    fs::remove(path);
}

TEST_CASE("h5read: the cache of chunks is bounded, and forgets what was not used for longest") {
    ChunkCache cache;
    const std::uint64_t a = cache.new_dataset();
    const std::uint64_t b = cache.new_dataset();
    CHECK(a != b);
    const auto chunk = [](std::size_t size) { return std::make_shared<const Buffer>(size); };
    constexpr std::size_t kMiB = 1 << 20;
    constexpr std::size_t kMost = ChunkCache::kMaxBytes / kMiB;
    for (std::uint64_t i = 0; i < kMost; ++i) cache.add(a, i, chunk(kMiB));
    for (std::uint64_t i = 0; i < kMost; ++i) CHECK(cache.find(a, i) != nullptr);
    CHECK(cache.find(b, 0) == nullptr);
    CHECK(cache.find(a, kMost) == nullptr);
    CHECK(cache.find(a, 0) != nullptr);  // now the latest
    cache.add(b, 0, chunk(kMiB));
    CHECK(cache.find(a, 0) != nullptr);
    CHECK(cache.find(a, 1) == nullptr);
    CHECK(cache.find(b, 0) != nullptr);
    // One that is larger than all is kept, alone.
    cache.add(b, 1, chunk(2 * ChunkCache::kMaxBytes));
    CHECK(cache.find(b, 1) != nullptr);
    CHECK(cache.find(b, 0) == nullptr);
    CHECK(cache.find(a, 0) == nullptr);
    cache.add(b, 2, chunk(1));
    CHECK(cache.find(b, 1) == nullptr);
    CHECK(cache.find(b, 2) != nullptr);
    // Added twice, counted once.
    ChunkCache twice;
    for (int i = 0; i < 100; ++i) twice.add(1, 1, chunk(kMiB));
    twice.add(1, 2, chunk(kMiB));
    CHECK(twice.find(1, 1) != nullptr);
    // What was handed out lives on.
    const auto held = twice.find(1, 1);
    for (std::uint64_t i = 10; i < 40; ++i) twice.add(1, i, chunk(kMiB));
    CHECK(twice.find(1, 1) == nullptr);
    CHECK(held->size() == kMiB);
}

TEST_CASE("h5read: attributes by name or by creation order") {
    const FilePtr file = open(sample("dataspaces.h5"));
    std::map<std::string, Attribute> found;
    for (const Attribute& a : file->object(file->root_address())->attributes().attributes) found[a.name] = a;
    REQUIRE(found.size() == 3);
    CHECK(found["matrix"].space.dims == std::vector<std::uint64_t>{2, 3});
    CHECK(values<float>(found["matrix"].bytes) == std::vector<float>{0, 1, 2, 3, 4, 5});
    CHECK(found["null"].space.kind == Dataspace::Kind::kNull);
    CHECK(found["null"].bytes.empty());
    CHECK(found["zero"].space.dims == std::vector<std::uint64_t>{0, 2});
}

TEST_CASE("h5read: a user block in front moves everything") {
    const std::string bytes = sample("libver_v108.h5");
    for (const std::size_t block : {512, 1024, 4096}) {
        const FilePtr file = open(std::string(block, 'u') + bytes);
        CHECK(file->user_block_bytes() == block);
        CHECK(bytes_of(file, "model/w0") == bytes_of(open(bytes), "model/w0"));
        CHECK(bytes_of(file, "model/chunked") == bytes_of(open(bytes), "model/chunked"));
    }
    CHECK(holds(thrown([&] { open(std::string(100, 'u') + bytes); }), "not a checkpoint"));
    CHECK(open(bytes)->superblock_version() == 2);
    CHECK(open(sample("libver_earliest.h5"))->superblock_version() == 0);
    CHECK(open(sample("libver_v110.h5"))->superblock_version() == 3);
}

TEST_CASE("h5read: bytes behind the end are warned of, missing ones are damage") {
    const std::string bytes = sample("libver_v108.h5");
    std::vector<std::string> warnings;
    open(bytes + std::string(123, 'x'), &warnings);
    REQUIRE(warnings.size() == 1);
    CHECK(holds(warnings[0], "123 bytes"));
    for (const std::size_t length : {bytes.size() - 1, bytes.size() / 2, std::size_t{48}}) {
        const std::string message = thrown([&] { open(bytes.substr(0, length)); });
        CHECK(holds(message, "damaged: "));
        CHECK(holds(message, std::to_string(bytes.size())));
        CHECK(holds(message, std::to_string(length)));
    }
    for (std::size_t length = 1; length < 48; ++length)
        CHECK(holds(thrown([&] { open(bytes.substr(0, length)); }), "damaged: "));
    CHECK(holds(thrown([] { open("some text, no HDF5"); }), "not a checkpoint: "));
    CHECK(holds(thrown([] { open(std::string(5000, '\0')); }), "not a checkpoint: "));
}

namespace {

/// A sample with bytes overwritten at `at`.
std::string patched(std::string bytes, std::size_t at, std::string_view with) {
    REQUIRE(at + with.size() <= bytes.size());
    return bytes.replace(at, with.size(), with);
}

std::string number(std::uint64_t value, unsigned width = 8) {
    std::string bytes;
    put(bytes, width, value);
    return bytes;
}

/// Makes the superblock's checksum (version 2 and 3) right again.
std::string resealed(std::string bytes) {
    return bytes.replace(44, 4, number(metadata_checksum(std::string_view(bytes).substr(0, 44)), 4));
}

std::string opening(const std::string& bytes) {
    return thrown([&] { open(bytes); });
}

}  // namespace

TEST_CASE("h5read: damaged superblocks say what is wrong") {
    const std::string old = sample("libver_earliest.h5");
    const std::string current = sample("libver_v108.h5");
    CHECK(opening(patched(old, 8, "\x09")) == "damaged: superblock has version 9; 0 to 3 are known");
    const std::string widths = opening(patched(old, 13, "\x03"));
    CHECK(holds(widths, "damaged: superblock"));
    CHECK(holds(widths, "addresses of 3"));
    const std::string root = opening(patched(old, 64, number(1 << 30)));
    CHECK(holds(root, "damaged: object header"));
    CHECK(holds(root, "1073741824"));
    CHECK(holds(opening(patched(old, 40, number(std::uint64_t{1} << 40))), "1099511627776"));
    const std::string sum = opening(patched(current, 36, number(56)));
    CHECK(holds(sum, "damaged: superblock"));
    CHECK(holds(sum, "checksum"));
    CHECK(holds(opening(resealed(patched(current, 36, number(kUndefinedAddress)))), "damaged: "));
    CHECK(holds(opening(resealed(patched(current, 36, number(0)))), "damaged: object header"));
    CHECK(holds(opening(resealed(patched(current, 20, number(1)))), "damaged: "));
    // Unclosed files are warned of.
    std::vector<std::string> warnings;
    open(resealed(patched(sample("libver_v110.h5"), 11, "\1")), &warnings);
    REQUIRE(warnings.size() == 1);
    CHECK(holds(warnings[0], "not closed"));
}

TEST_CASE("h5read: damaged structures are named with their place or number") {
    const std::string old = sample("libver_earliest.h5");
    const std::string current = sample("libver_v108.h5");
    const auto list_all = [](const std::string& bytes) {
        return thrown([&] {
            const FilePtr file = open(bytes);
            object(file, "model")->links();
        });
    };
    struct Case {
        std::string signature;
        std::string structure;
        bool is_old;
    };
    for (const Case& c :
         {Case{"TREE", "B-tree", true}, Case{"HEAP", "local heap", true}, Case{"SNOD", "symbol node", true},
          Case{"FRHP", "fractal heap", false}, Case{"BTHD", "B-tree", false}, Case{"BTLF", "B-tree", false},
          Case{"FHDB", "fractal heap", false}}) {
        std::string bytes = c.is_old ? old : current;
        const auto at = bytes.find(c.signature);
        INFO(c.signature);
        REQUIRE(at != std::string::npos);
        for (auto place = at; place != std::string::npos; place = bytes.find(c.signature, place + 1))
            bytes.replace(place, 4, "XXXX");
        const std::string message = list_all(bytes);
        INFO(message);
        CHECK(holds(message, "damaged: "));
        CHECK(holds(message, c.structure));
        CHECK((holds(message, "'" + c.signature + "'") || holds(message, "checksum")));
    }
    // One bit in a checksummed structure is noticed; both checksums are told.
    for (const std::string signature : {"FRHP", "BTHD", "BTLF", "FHDB"}) {
        std::string bytes = current;
        for (auto at = bytes.find(signature); at != std::string::npos; at = bytes.find(signature, at + 1))
            bytes[at + 14] = static_cast<char>(bytes[at + 14] ^ 1);
        const std::string message = list_all(bytes);
        INFO(signature << ": " << message);
        CHECK(holds(message, "damaged: "));
    }
    // The number of links that a node claims.
    const auto node = old.find("SNOD");
    const std::string claims = list_all(patched(old, node + 6, number(50000, 2)));
    INFO(claims);
    CHECK(holds(claims, "symbol node at address " + std::to_string(node)));
    CHECK(holds(claims, "50000"));
    const auto tree = old.find("TREE");
    CHECK(holds(list_all(patched(old, tree + 6, number(60000, 2))), "60000"));
    CHECK(holds(list_all(patched(old, tree + 6, number(60000, 2))), "damaged: "));
}

TEST_CASE("h5read: object headers that are damaged") {
    const std::string bytes = sample("libver_v108.h5");
    const FilePtr file = open(bytes);
    const std::uint64_t w0 = *file->resolve(file->root_address(), "model/w0");
    // A bit of the header: its checksum says so.
    const FilePtr flipped = open(patched(bytes, w0 + 20, std::string(1, static_cast<char>(bytes[w0 + 20] ^ 1))));
    const std::string message = thrown([&] { flipped->object(w0)->dataset(); });
    INFO(message);
    CHECK(holds(message, "damaged: object header"));
    CHECK(holds(message, "checksum"));
    // Addresses where there is none.
    CHECK(holds(thrown([&] { file->object(w0 + 4); }), "damaged: object header"));
    CHECK(holds(thrown([&] { file->object(w0 + 4); }), std::to_string(w0 + 4)));
    CHECK(holds(thrown([&] { file->object(bytes.size()); }), "damaged: object header"));
    CHECK(holds(thrown([&] { file->object(~std::uint64_t{0}); }), "damaged: object header"));
    CHECK(holds(thrown([&] { file->object(std::uint64_t{1} << 63); }), "damaged: object header"));
    // Questions to the wrong kind.
    CHECK(holds(thrown([&] { file->object(w0)->links(); }), std::to_string(w0)));
    CHECK(holds(thrown([&] { file->object(file->root_address())->dataset(); }), "no dataset"));
    CHECK(holds(thrown([&] { file->object(w0)->named_datatype(); }), "no datatype"));
}

TEST_CASE("h5read: each bad sample says which structure is wrong, and with which number") {
    struct Case {
        std::string file, path, code;
        std::vector<std::string> parts;
    };
    // The first object that cannot be read, wherever it hangs.
    const auto first_error = [](const std::string& name) {
        std::string result;
        const std::string opened = thrown([&] {
            std::vector<std::string> warnings;
            const FilePtr file = open(slurp(kSamples / "bad" / (name + ".h5")), &warnings);
            std::vector<std::uint64_t> todo = {file->root_address()};
            std::map<std::uint64_t, bool> seen;
            while (!todo.empty() && result.empty()) {
                const std::uint64_t address = todo.back();
                todo.pop_back();
                if (seen[address]) continue;
                seen[address] = true;
                result = thrown([&] {
                    const auto found = file->object(address);
                    const auto attributes = found->attributes();
                    if (!attributes.errors.empty()) throw Error(attributes.errors.front());
                    if (found->kind() == ObjectKind::kGroup) {
                        const LinkList list = found->links();
                        if (!list.errors.empty()) throw Error(list.errors.front());
                        for (const Link& link : list.links)
                            if (link.kind == Link::Kind::kHard) todo.push_back(link.address);
                    } else if (found->kind() == ObjectKind::kDataset) {
                        const Dataset dataset = found->dataset();
                        const std::string bytes = read_all(*file->data(dataset), std::uint64_t{1} << 24);
                        if (dataset.type->cls != TypeClass::kVlen) return;
                        for (std::size_t i = 0; i + 16 <= bytes.size(); i += 16)
                            file->heap_value(*dataset.type, bytes.substr(i, 16));
                    }
                });
            }
        });
        return opened.empty() ? result : opened;
    };
    const Case cases[] = {
        {"rank_33", "", "damaged", {"dataspace", "33"}},
        {"rank_255", "", "damaged", {"dataspace", "255"}},
        {"shape_product_overflows", "", "damaged", {"8589934592"}},
        {"type_class_15", "", "damaged", {"datatype", "class 15"}},
        {"type_version_0", "", "damaged", {"datatype", "version 0"}},
        {"type_size_0", "", "damaged", {"datatype", "0 bytes"}},
        {"type_size_2_31", "", "damaged", {"2147483648"}},
        {"array_rank_255", "", "damaged", {"array type", "255"}},
        {"compound_members_65535", "", "damaged", {"compound", "65535"}},
        {"compound_members_0", "", "damaged", {"compound"}},
        {"enum_members_65535", "", "damaged", {"enum", "65535"}},
        {"layout_class_9", "", "damaged", {"layout", "9"}},
        {"chunk_dim_0", "", "damaged", {"chunk", "0"}},
        {"filter_count_255", "", "damaged", {"filter", "255"}},
        {"filter_unknown", "", "unsupported", {"filter 40000"}},
        {"chunk_outside", "", "damaged", {"chunk"}},
        {"chunk_size_2_gib", "", "damaged", {"chunk", "2147483647"}},
        {"chunk_btree_signature", "", "damaged", {"TREE"}},
        {"chunk_btree_cycle", "", "damaged", {"B-tree"}},
        {"chunk_btree_40000_entries", "", "damaged", {"40000"}},
        {"fletcher32_wrong", "", "damaged", {"fletcher32", "checksum"}},
        {"gzip_damaged", "", "damaged", {"gzip"}},
        {"gzip_header_damaged", "", "damaged", {"gzip"}},
        {"global_heap_signature", "", "damaged", {"global heap", "GCOL"}},
        {"vlen_index_unknown", "", "damaged", {"global heap"}},
        {"header_version_7", "", "damaged", {"object header", "version 7"}},
        {"header_checksum_wrong", "", "damaged", {"object header", "checksum"}},
        {"continuation_cycle", "", "damaged", {"object header"}},
        {"continuation_huge", "", "damaged", {"4611686018427387904"}},
        {"attribute_name_size_lies", "", "damaged", {"attribute", "60000"}},
        {"attribute_of_2_61", "", "damaged", {"attribute"}},
        {"name_with_slash", "", "damaged", {"/"}},
        {"name_twice", "", "damaged", {"second"}},
        {"group_btree_60000_entries", "", "damaged", {"B-tree", "60000"}},
        {"fixed_array_flipped", "", "damaged", {"fixed array", "checksum"}},
        {"extensible_array_flipped", "", "damaged", {"extensible array", "checksum"}},
        {"fractal_heap_flipped", "", "damaged", {"fractal heap", "checksum"}},
        {"single_chunk_size_2_40", "", "damaged", {"chunk", "1099511627776"}},
        {"lzf_damaged", "", "damaged", {"lzf"}},
        {"szip_size_lies", "", "damaged", {"szip"}},
        {"nbit_parameters", "", "damaged", {"nbit"}},
        {"scaleoffset_parameters", "", "damaged", {"scaleoffset"}},
        {"external_raw_files", "", "refused", {"data in file", "other files"}},
        {"virtual_outside", "", "refused", {"source", "other files"}},
        {"type_nested_2000", "", "damaged", {"nested"}},
    };
    for (const Case& c : cases) {
        const std::string message = first_error(c.file);
        INFO(c.file << " says: " << message);
        CHECK(message.starts_with(c.code + ": "));
        for (const std::string& part : c.parts) {
            INFO(part);
            CHECK(holds(message, part));
        }
    }
}

TEST_CASE("h5read: a bomb in a chunk is refused before it unpacks") {
    std::vector<std::string> messages;
    const FilePtr file = open(slurp(kSamples / "bad/gzip_bomb.h5"));
    for (const Link& link : file->object(file->root_address())->links().links) {
        const Dataset dataset = file->object(link.address)->dataset();
        messages.push_back(thrown([&] {
            std::byte byte{};
            file->data(dataset)->read(0, {&byte, 1});
        }));
    }
    std::sort(messages.begin(), messages.end());
    REQUIRE(messages.size() == 2);
    CAPTURE(messages);
    CHECK(holds(messages[0], "damaged: gzip: "));
    CHECK(holds(messages[0], "more than"));
    CHECK(holds(messages[1], "refused: "));
    CHECK(holds(messages[1], "1073741824"));
    CHECK(holds(messages[1], "83886080"));
}

TEST_CASE("h5read: any byte of a file changed is an error or another value, never a crash") {
    for (const std::string name : {"libver_earliest.h5", "libver_v108.h5", "libver_v110.h5"}) {
        const std::string bytes = sample(name);
        std::mt19937 random(3);
        for (int i = 0; i < 400; ++i) {
            std::string damaged = bytes;
            for (int k = 0; k < 1 + i % 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
            const std::string message = thrown([&] {
                std::vector<std::string> warnings;
                const FilePtr file = open(damaged, &warnings);
                for (const std::string path : {"model", "ref", "model/w0", "model/chunked", "model/s"}) {
                    const auto address = file->resolve(file->root_address(), path);
                    if (!address) continue;
                    const auto found = file->object(*address);
                    found->attributes();
                    if (found->kind() == ObjectKind::kDataset) {
                        read_all(*file->data(found->dataset()), std::uint64_t{1} << 24);
                    }
                }
            });
            INFO(name << ", " << i << ": " << message);
            CHECK_FALSE(holds(message, "another code"));
        }
    }
}
