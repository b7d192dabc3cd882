// The jld2 layout: what comes back, what Julia is to find, and the types' text.
#include <catch2/catch.hpp>
#include <filesystem>

#include "formats/all.hpp"
#include "formats/jld2/julia_type.hpp"
#include "formats/jld2/names.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/execute.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/select.hpp"
#include "libckpt/walk.hpp"
#include "tests/formats/document_equal.hpp"
#include "tests/scratch.hpp"

namespace {

using namespace ckpt;
using ckpt::test::Scratch;
using ckpt::test::slurp;
namespace fs = std::filesystem;

const Registry& registry() {
    static const Registry all = all_formats();
    return all;
}

std::string sample(const std::string& name) {
    return std::string(CKPT_TEST_DATA) + "/jld2/" + name;
}

Document load(const std::string& path) {
    return read_document(registry(), path, Context());
}

void save(const Document& document, const std::string& path, const std::string& layout,
          const std::string& compress = "", bool named_tuples = false) {
    WriteOptions options;
    options.output_name = fs::path(path).filename().string();
    options.compress = compress;
    options.named_tuples = named_tuples;
    const Format& format = *registry().by_name(layout);
    CHECK(format.preflight(document, options).empty());
    execute(format.plan(document, options, Context()), path, Existing::kOverwrite, Context());
}

std::vector<std::string> samples() {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(sample("")))
        if (entry.path().extension() == ".jld2") found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    return found;
}

/// Attributes of all nodes that name Julia's types, which document_difference does not look at.
std::string attributes_text(const Document& document) {
    std::string text;
    walk(document.root, [&](const Visit& visit) {
        if (visit.same_as != nullptr || visit.value.node() == nullptr || !visit.value.node()->attributes)
            return WalkStep::kInto;
        for (const auto& [name, value] : *visit.value.node()->attributes) {
            text += visit.path + ' ' + name + ' ';
            if (value.is(Kind::kString)) text += value.as_string();
            if (value.is(Kind::kTuple)) text += std::to_string(value.sequence().items.size());
            text += '\n';
        }
        return WalkStep::kInto;
    });
    return text;
}

Value at(const Document& document, const std::string& path) {
    Value value;
    INFO(path);
    REQUIRE(find_path(document.root, path, value) != nullptr);
    return value;
}

std::vector<double> numbers(const Value& value) {
    const TensorNode& tensor = value.tensor();
    const std::string bytes = read_all(*logical_blob(tensor), 1 << 20);
    std::vector<double> result;
    const unsigned width = dtype_width(tensor.dtype);
    for (std::size_t i = 0; i + width <= bytes.size(); i += width)
        result.push_back(element_as_double(tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + i)));
    return result;
}

}  // namespace

TEST_CASE("a Julia file comes back through every layout with types and sharing", "[jld2]") {
    const Scratch scratch;
    for (const std::string& path : samples()) {
        INFO(path);
        const Document document = load(path);
        for (const std::string layout : {"jld2", "native", "hdf5", "torch"}) {
            INFO(layout);
            const std::string between = scratch.file("between." + layout);
            const std::string back = scratch.file("back.jld2");
            save(document, between, layout);
            const Document carried = load(between);
            CHECK(test::document_difference(document, carried) == "");
            CHECK(attributes_text(document) == attributes_text(carried));
            save(carried, back, "jld2");
            const Document returned = load(back);
            CHECK(test::document_difference(document, returned) == "");
            CHECK(attributes_text(document) == attributes_text(returned));
        }
    }
}

TEST_CASE("a Julia file written twice has the same bytes, compressed the same elements", "[jld2]") {
    const Scratch scratch;
    const Document document = load(sample("zoo/zoo.jld2"));
    save(document, scratch.file("a.jld2"), "jld2");
    save(load(scratch.file("a.jld2")), scratch.file("b.jld2"), "jld2");
    CHECK(slurp(scratch.file("a.jld2")) == slurp(scratch.file("b.jld2")));
    save(document, scratch.file("c.jld2"), "jld2", "zlib");
    CHECK(test::document_difference(document, load(scratch.file("c.jld2"))) == "");
    CHECK(slurp(scratch.file("c.jld2")).size() < slurp(scratch.file("a.jld2")).size());
}

TEST_CASE("long arrays have the elements that Julia found", "[jld2]") {
    const Document document = load(sample("zoo/zoo.jld2"));
    const auto integers = numbers(at(document, "big_i64"));
    REQUIRE(integers.size() == 10000);
    for (std::size_t i = 0; i < integers.size(); ++i) REQUIRE(integers[i] == static_cast<double>(i + 1));
    const auto bits = numbers(at(document, "bitvector"));
    REQUIRE(bits.size() == 130);
    for (std::size_t i = 0; i < bits.size(); ++i) REQUIRE(bits[i] == ((i + 1) % 3 == 0 ? 1 : 0));
    // big[i, j] = i + j / 1000, of the shape (200, 100)
    const auto big = numbers(at(document, "big_f32_200x100"));
    REQUIRE(at(document, "big_f32_200x100").tensor().shape == std::vector<std::int64_t>{200, 100});
    for (const std::size_t i : {0u, 7u, 199u})
        for (const std::size_t j : {0u, 1u, 99u})
            CHECK(static_cast<float>(big[i * 100 + j]) ==
                  static_cast<float>(static_cast<double>(i + 1) + static_cast<double>(j + 1) / 1000));
}

TEST_CASE("values that are parameters of types are read and written", "[jld2]") {
    for (const std::string name : {"0.4.17", "0.4.55"}) {
        INFO(name);
        const Document document = load(sample("kinds/" + name + ".jld2"));
        CHECK(document.damage.empty());
        const auto type_of = [&](const std::string& path) { return at(document, path).node()->recipe->callable; };
        CHECK(type_of("parameters/0") ==
              "Main.Z.VT{Core.UInt8(=03), Core.Char(=00000063), Core.Nothing(), "
              "Core.NamedTuple{(:a,), Core.Tuple{Core.Int64}}(a 1)}");
        CHECK(type_of("parameters/1") == "Main.Z.VT{(:a, :b), (), Core.Float64(=000000000000f83f), -1}");
        CHECK(type_of("parameters/2") ==
              "Main.Z.VT{Core.Int128(=05000000000000000000000000000000), "
              "(1, (2, Core.Char(=00000078), Core.Nothing())), "
              "Base.Rational{Core.UInt8}(num Core.UInt8(=02), den Core.UInt8(=03)), "
              "Base.Missing()}");
        CHECK(at(document, "long/1").as_string().size() == 7500);
        CHECK(at(document, "unassigned/0/d").type() == jld2::kUndefType);
    }
}

TEST_CASE("Union{} is read where its type has no bytes, and written as JLD2 loads it", "[jld2]") {
    const Scratch scratch;
    for (const bool is_again : {false, true}) {
        const Document document = load(is_again ? scratch.file("x.jld2") : sample("kinds/0.5.15.jld2"));
        CHECK(document.damage.empty());
        for (const std::string path : {"tuple/1", "any/0", "named/a", "plain", "vector/0", "vector/1"}) {
            INFO(path);
            CHECK(at(document, path).node()->recipe->callable == "Core.Union{}");
        }
        if (!is_again) save(document, scratch.file("x.jld2"), "jld2");
    }
}

TEST_CASE("a Dict or Set at several places is one where JLD2 wrote it so that it loads as one", "[jld2]") {
    const Scratch scratch;
    for (const bool is_again : {false, true}) {
        Document document = load(is_again ? scratch.file("x.jld2") : sample("kinds/0.4.55.jld2"));
        CHECK(at(document, "shared/0").node() == at(document, "shared/1").node());
        CHECK(at(document, "shared/0").node() == at(document, "shared/2/0").node());
        CHECK(at(document, "shared/0").node()->attribute(jld2::kSharedAttribute) != nullptr);
        CHECK(at(document, "sets/1").node() == at(document, "sets/0/1").node());
        CHECK(at(document, "sets/1").node()->attribute(jld2::kSharedAttribute) != nullptr);
        CHECK(at(document, "ring/self").node() == at(document, "ring").node());
        if (!is_again) save(document, scratch.file("x.jld2"), "jld2");
    }
    const std::string bytes = slurp(scratch.file("x.jld2"));
    CHECK(bytes.find("JLD2.SerializedDict") != std::string::npos);
    // In the form of JLD2 0.4.17 nothing else than that version's own is used.
    save(load(sample("kinds/0.4.17.jld2")), scratch.file("y.jld2"), "jld2");
    CHECK(slurp(scratch.file("y.jld2")).find("JLD2.SerializedDict") == std::string::npos);
}

TEST_CASE("torch's matrices keep their indices in a Julia file and on the way back", "[jld2]") {
    const Scratch scratch;
    const Document document = load(sample("layout1/checkpoint=5.jld2"));
    save(document, scratch.file("x.pt"), "torch");
    const Document torch = load(scratch.file("x.pt"));
    const Value weight = at(torch, "model_state/layers/0/weight");
    CHECK(weight.tensor().shape == std::vector<std::int64_t>{4, 3});
    CHECK(numbers(weight) == numbers(at(document, "model_state/layers/0/weight")));
    CHECK(numbers(weight)[1] == Approx(0.17));  // W[0, 1] is Julia's W[1, 2]
    save(torch, scratch.file("y.jld2"), "jld2");
    CHECK(test::document_difference(document, load(scratch.file("y.jld2"))) == "");
}

TEST_CASE("dicts with identifiers become NamedTuples where that is wanted", "[jld2]") {
    const Scratch scratch;
    Document document;
    Pool& pool = document.pool();
    document.root = pool.dict();
    const Value layer = pool.dict();
    layer.dict().entries.emplace_back(pool.string("weight"), Value::real(1.5));
    const Value other = pool.dict();
    other.dict().entries.emplace_back(pool.string("0.weight"), layer);
    document.root.dict().entries.emplace_back(pool.string("layer"), layer);
    document.root.dict().entries.emplace_back(pool.string("other"), other);
    save(document, scratch.file("x.jld2"), "jld2", "", true);
    const Document back = load(scratch.file("x.jld2"));
    CHECK(test::document_difference(document, back) == "");
    REQUIRE(at(back, "layer").node()->attribute(jld2::kTypeAttribute) != nullptr);
    CHECK(at(back, "layer").node()->attribute(jld2::kTypeAttribute)->as_string() == jld2::kNamedTupleType);
    CHECK(at(back, "other").node()->attribute(jld2::kTypeAttribute) == nullptr);
}

TEST_CASE("bfloat16 is written as Float32, said so, and comes back", "[jld2]") {
    const Scratch scratch;
    Document document;
    auto* tensor = document.pool().make<TensorNode>();
    tensor->dtype = DType::kBFloat16;
    tensor->shape = {2, 2};
    tensor->stride = {2, 1};
    tensor->storage =
        std::make_shared<const Storage>(Storage{memory_blob(std::string("\x80\x3f\x00\x40\xc0\x7f\x80\xff", 8)), ""});
    document.root = document.pool().dict();
    document.root.dict().entries.emplace_back(document.pool().string("w"), Value::of(tensor));
    std::vector<std::string> notes;
    Context context;
    context.on_note = [&](std::string_view note) { notes.emplace_back(note); };
    execute(registry().by_name("jld2")->plan(document, {}, context), scratch.file("x.jld2"), Existing::kOverwrite,
            context);
    REQUIRE(notes.size() == 1);
    CHECK(notes[0] == "Julia has no bfloat16: the elements of 'w' are written as Float32, which holds them exactly");
    CHECK(test::document_difference(document, load(scratch.file("x.jld2"))) == "");
}

TEST_CASE("a Julia type that nobody could write is a loss", "[jld2]") {
    Document document;
    auto* object = document.pool().make<ObjectNode>();
    object->type = "Main.P";
    object->recipe = std::make_unique<Recipe>();
    object->recipe->how = Recipe::How::kNew;
    object->recipe->callable = "Main.P{?Main.Unit}";
    object->recipe->state = document.pool().dict();
    document.root = document.pool().dict();
    document.root.dict().entries.emplace_back(document.pool().string("p"), Value::of(object));
    const auto losses = registry().by_name("jld2")->preflight(document, {});
    REQUIRE(losses.size() == 1);
    CHECK(losses[0].path == "p");
    CHECK_THROWS_AS(registry().by_name("jld2")->plan(document, {}, Context()), Error);
}

TEST_CASE("all three ways of naming the sections have the same roles", "[jld2]") {
    const auto roles_of = [](const std::string& name) { return classify_roles(load(sample(name))); };
    const Roles flux = roles_of("layout1/checkpoint=5.jld2");
    CHECK(flux.role_of("model_state/layers") == Role::kModel);
    CHECK(flux.role_of("opt_state") == Role::kOptimizer);
    CHECK(flux.role_of("log/train_loss") == Role::kLog);
    CHECK(flux.role_of("other") == Role::kOther);
    const Roles docs = roles_of("layout_docs/checkpoint=25.jld2");
    CHECK(docs.role_of("model_parameters") == Role::kModel);
    CHECK(docs.role_of("model_states") == Role::kModel);
    CHECK(docs.role_of("opt_state") == Role::kOptimizer);
    for (const char* name : {"layout2/checkpoint=10.jld2", "layout2_trainstate/checkpoint=30.jld2"}) {
        const Roles lux = roles_of(name);
        CHECK(lux.role_of("state/parameters/layer_1") == Role::kModel);
        CHECK(lux.role_of("state/states") == Role::kModel);
        CHECK(lux.role_of("state/optimizer_state/layer_1") == Role::kOptimizer);
        CHECK(lux.role_of("state/step") == Role::kOther);
        CHECK(lux.role_of("state") == Role::kOther);
        CHECK(lux.system == "Lux");
    }
}

TEST_CASE("the model alone is its parameters and states in any naming", "[jld2]") {
    const auto keys_of = [](const std::string& name) {
        Selection selection;
        selection.model_only = true;
        const Document document = load(sample(name));
        const Selected taken = select(document, selection, Side::kTaken);
        std::string keys;
        for (const Child& child : children(taken.document.root)) keys += child.component + ' ';
        return keys + std::to_string(taken.tensors);
    };
    CHECK(keys_of("layout1/checkpoint=5.jld2") == "layers 3");
    CHECK(keys_of("layout_docs/checkpoint=25.jld2") == "model_parameters model_states 8");
    CHECK(keys_of("layout2/checkpoint=10.jld2") == "parameters states 8");
    CHECK(keys_of("layout2_trainstate/checkpoint=30.jld2") == "parameters states 8");
}

TEST_CASE("types are text and back", "[jld2]") {
    jld2::JuliaTypes types;
    for (const std::string text :
         {"Core.Int64", "Core.Array{Core.Float32, 2}", "Core.Tuple{}",
          "Core.NamedTuple{(:a, :b), Core.Tuple{Core.Int64, Core.String}}",
          "Core.NamedTuple{(:a,), Core.Tuple{Core.Int64}}", "Core.NamedTuple{(), Core.Tuple{}}",
          "(Core.Array{T, 1} where T)", "((Core.Array{T, N} where N) where T)",
          "(Core.Array{T, 1} where Core.Union{}<:T<:Core.Real)", "Core.Union{}",
          "Core.Union{Base.Missing, Core.Float64}", "Main.#12#13", "Main.odd\\{name", "Base.Val{true}", "Base.Val{-3}",
          "Base.Val{:sym}", "Main.P{?Main.Unit}", "Main.P{(1, 2)}"}) {
        INFO(text);
        const jld2::TypePtr type = types.parse(text);
        REQUIRE(type != nullptr);
        const std::string back = jld2::JuliaTypes::text(type);
        CHECK(back == text);
        CHECK(types.parse(jld2::JuliaTypes::text(type)) == type);
    }
    for (const char* text : {"", "{", "A.B{", "A.B}", "A.B{1,}", "(T where", "A.B{(}", "A.B C"}) {
        INFO(text);
        CHECK(types.parse(text) == nullptr);
    }
    CHECK(types.plain("NTuple", {jld2::TypeParameter::of(2), jld2::TypeParameter::of(types.plain("Core.Int64"))}) ==
          types.parse("Core.Tuple{Core.Int64, Core.Int64}"));
    // Types share their parts, so text can be far longer than they are.
    jld2::TypePtr doubled = types.plain("Core.Int64");
    for (int i = 0; i < 40; ++i) doubled = types.tuple({doubled, doubled});
    CHECK_THROWS_AS(jld2::JuliaTypes::text(doubled), Error);
    CHECK_FALSE(jld2::is_without_data(doubled));
}
