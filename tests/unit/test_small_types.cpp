// Labels, size lists, texts: what nodes are made of, where millions of them stand in memory.
#include <catch2/catch.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libckpt/label.hpp"
#include "libckpt/size_list.hpp"
#include "libckpt/text_arena.hpp"
#include "libckpt/value.hpp"

using namespace ckpt;

namespace {

using Numbers = std::vector<std::int64_t>;

Numbers numbers_of(const SizeList& list) {
    return list;
}

}  // namespace

TEST_CASE("a label is a text, and nothing where it is empty", "[label]") {
    CHECK(sizeof(Label) == sizeof(void*));
    const Label none;
    CHECK(none.empty());
    CHECK(none.str().empty());
    CHECK(none == Label(""));
    CHECK(none != Label("x"));

    Label label = "argparse.Namespace";
    CHECK_FALSE(label.empty());
    CHECK(label == "argparse.Namespace");
    CHECK(label == std::string("argparse.Namespace"));
    CHECK(label == std::string_view("argparse.Namespace"));
    CHECK(label.size() == 18);
    CHECK(label.starts_with("argparse."));
    CHECK(label.ends_with("space"));
    CHECK(label.find(".") == 8);
    CHECK(label.rfind("a") == 15);
    CHECK(label.substr(9) == "Namespace");
    CHECK(label + "()" == "argparse.Namespace()");
    CHECK(std::string("a ") + label == "a argparse.Namespace");
    CHECK(fmt::format("<{:>20}>", label) == "<  argparse.Namespace>");

    const Label copy = label;
    label = "other";
    CHECK(copy == "argparse.Namespace");
    const Label& same = label;
    label = same;
    CHECK(label == "other");
    const Label moved = std::move(label);
    CHECK(moved == "other");
    label.clear();
    CHECK(label.empty());
}

TEST_CASE("labels made of one text in a row share it, others do not mix", "[label]") {
    const Label a = "torch.FloatTensor";
    const Label b = std::string("torch.FloatTensor");
    CHECK(&a.str() == &b.str());
    std::vector<Label> many;
    for (int i = 0; i < 100; ++i) many.emplace_back(fmt::format("class {}", i % 7));
    for (int i = 0; i < 100; ++i) CHECK(many[static_cast<std::size_t>(i)] == fmt::format("class {}", i % 7));
    CHECK(a == "torch.FloatTensor");
}

TEST_CASE("labels are copied by several threads", "[label]") {
    const Label shared = "shared";
    std::vector<std::thread> threads;
    std::vector<int> right(4, 0);
    for (std::size_t t = 0; t < right.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 10000; ++i) {
                const Label copy = shared;
                const Label own = fmt::format("own {}", i % 9);
                if (copy == "shared" && own == fmt::format("own {}", i % 9)) ++right[t];
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int count : right) CHECK(count == 10000);
}

TEST_CASE("a size list holds what a vector would", "[size_list]") {
    for (std::size_t count = 0; count <= 9; ++count) {
        SizeList list;
        Numbers due;
        for (std::size_t i = 0; i < count; ++i) {
            const auto number = static_cast<std::int64_t>(i * i) - 3;
            list.push_back(number);
            due.push_back(number);
        }
        CHECK(list.size() == count);
        CHECK(list.empty() == (count == 0));
        CHECK(numbers_of(list) == due);
        CHECK(Numbers(list.rbegin(), list.rend()) == Numbers(due.rbegin(), due.rend()));
        CHECK(SizeList(due) == list);
        CHECK(SizeList(due.begin(), due.end()) == list);
        CHECK_THROWS_AS(list.at(count), std::out_of_range);

        SizeList copy = list;
        CHECK(copy == list);
        copy.push_back(7);
        CHECK(copy != list);
        CHECK(numbers_of(list) == due);
        copy = list;
        CHECK(copy == list);
        SizeList moved = std::move(copy);
        CHECK(moved == list);
        CHECK(copy.empty());  // NOLINT: emptied, and usable again
        copy.push_back(1);
        CHECK(numbers_of(copy) == Numbers{1});
        copy = std::move(moved);
        CHECK(copy == list);

        for (std::size_t at = 0; at <= count; ++at) {
            SizeList grown = list;
            Numbers wanted = due;
            grown.insert(grown.begin() + at, 42);
            wanted.insert(wanted.begin() + static_cast<std::ptrdiff_t>(at), 42);
            CHECK(numbers_of(grown) == wanted);
        }
        list.resize(count + 3, 5);
        due.resize(count + 3, 5);
        CHECK(numbers_of(list) == due);
        list.resize(1);
        CHECK(list.size() == 1);
        list.assign(4, -1);
        CHECK(numbers_of(list) == Numbers(4, -1));
        list.clear();
        CHECK(list.empty());
    }
    CHECK(numbers_of({4, 3}) == Numbers{4, 3});
    CHECK(SizeList{1, 2} < SizeList{1, 3});
    CHECK(SizeList{1} < SizeList{1, 0});
    SizeList one(3, 9);
    one.front() = 8;
    one.back() += 1;
    CHECK(numbers_of(one) == Numbers{8, 9, 10});
}

TEST_CASE("an arena keeps texts where they are", "[text_arena]") {
    TextArena arena;
    std::vector<std::string> texts;
    std::vector<std::string_view> kept;
    for (std::size_t i = 0; i < 5000; ++i) {
        texts.push_back(i % 500 == 7 ? std::string(100000, 'y') : fmt::format("model.layers.{}", i));
        kept.push_back(arena.keep(texts.back()));
    }
    CHECK(arena.keep("").empty());
    std::size_t right = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) right += kept[i] == texts[i] ? 1 : 0;
    CHECK(right == texts.size());
    CHECK(kept[0].data() != texts[0].data());
}

TEST_CASE("a pool destroys what it made, over many blocks", "[value]") {
    const auto storage = std::make_shared<const Storage>();
    {
        Pool pool;
        for (std::size_t i = 0; i < 20000; ++i) {
            auto* tensor = pool.make<TensorNode>();
            tensor->storage = storage;
            tensor->shape = {1, 2, static_cast<std::int64_t>(i)};
            pool.list().sequence().items = {Value::of(tensor), pool.string(std::string(100, 'x'))};
        }
        CHECK(pool.size() == 60000);
        CHECK(storage.use_count() == 20001);
    }
    CHECK(storage.use_count() == 1);
}
