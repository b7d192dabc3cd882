// What a stream is done with is used again, and bounds on what a stream may come to.
#include "tests/unit/pickle_streams.hpp"

using namespace ckpt;
using namespace ckpt::pickle_tests;

namespace {

/// Calls of m.f become the lengths of the tuples that they are given; nothing of these is kept.
class Frugal final : public PickleReaderHooks {
public:
    Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe) override {
        if (recipe->callable != "m.f") return nullptr;
        auto* node = pool.make<SequenceNode>(Kind::kList);
        for (const Value& item : recipe->args.sequence().items)
            node->items.push_back(Value::integer(static_cast<std::int64_t>(item.sequence().items.size())));
        recipe.reset();
        return node;
    }
    Value persistent_load(Pool&, Value id) override {
        return Value::integer(static_cast<std::int64_t>(id.sequence().items.size()));
    }
    bool is_done_with_arguments() const override { return true; }
    PickleBounds bounds(std::uint64_t) const override {
        PickleBounds bounds;
        bounds.max_stack = 100;
        bounds.max_nodes = 300;
        bounds.max_items = 200;
        bounds.max_entries = 20;
        return bounds;
    }
};

std::string shown_frugal(const std::string& stream, std::size_t* nodes = nullptr) {
    Pool pool;
    Frugal hooks;
    const Value value = read_pickle(stream, pool, hooks, Context());
    if (nodes != nullptr) *nodes = pool.size();
    return show(value);
}

std::string times(std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
}

std::string frugal_error(const std::string& stream) {
    try {
        shown_frugal(stream);
    } catch (const Error& error) {
        return error.message();
    }
    return "";
}

const std::string kCall = lit("h\0K\1K\2\x86\x85R");  // f((1, 2)) of the class in slot 0

}  // namespace

TEST_CASE("pickle: tuples of calls are used again") {
    std::size_t few = 0, many = 0;
    const std::string begin = lit("cm\nf\nq\0](");
    CHECK(shown_frugal(begin + kCall + "e.", &few) == "[[2]]");
    CHECK(shown_frugal(begin + times(kCall, 30) + "e.", &many) == "[" + times("[2],", 29) + "[2]]");
    CHECK(many == few + 29);  // the results alone
    CHECK(shown_frugal("](" + times("K\1K\2K\3\x87Q", 5) + "e.", &few) == "[3,3,3,3,3]");
    CHECK(few == 2);
}

TEST_CASE("pickle: what is fetched from the memo, or doubled, is not used again") {
    const std::string begin = lit("cm\nf\nq\0](");
    // The tuple stands in slot 1, is given to a call, and is fetched behind other calls that need tuples.
    CHECK(shown_frugal(begin + lit("h\0K\1K\2\x86q\1\x85R") + kCall + kCall + "h\1e.") == "[[2],[2],[2],(1,2)]");
    CHECK(shown_frugal(begin + lit("h\0K\1K\2\x86p1\n\x85R") + kCall + "g01\ne.") == "[[2],[2],(1,2)]");
    CHECK(shown_frugal(begin + lit("h\0K\1K\2\x86r\0\0\0\x7f\x85R") + kCall + lit("j\0\0\0\x7f") + "e.") ==
          "[[2],[2],(1,2)]");
    CHECK(shown_frugal(begin +
                       lit("K\1K\2\x86"
                           "2h\0K\1K\2\x86\x85R") +
                       "e.") == "[(1,2),(1,2),[2]]");
}

TEST_CASE("pickle: slots count on, whether they are read or not") {
    CHECK(shown("\x80\4]\x94(K\1\x85\x94K\2\x85\x94h\2e.") == "[(1),(2),(2)]");
    CHECK(shown(lit("\x80\4]\x94(K\1\x85q\5K\2\x85\x94h\2e.")) ==
          "[(1),(2),(2)]");  // the size of the memo, not the slot
    CHECK(damage("]h\1.").find("memo slot 1 was never written") != std::string::npos);
}

TEST_CASE("pickle: streams that come to more than their hooks allow end") {
    CHECK(frugal_error("](" + times("K\1", 300) + "e.").find("more than 100 values on the stack") != std::string::npos);
    CHECK(frugal_error("]" + times("(" + times("K\1", 90) + "e", 3) + ".").find("more than 200 items of lists") !=
          std::string::npos);
    std::string entries = "}";
    for (char key = 0; key < 30; ++key) entries += std::string("K") + key + "K\1s";
    CHECK(frugal_error(entries + ".").find("more than 20 entries of dicts") != std::string::npos);
    CHECK(frugal_error("]" + times("]a", 400) + ".").find("more than 200 items") != std::string::npos);
    CHECK(frugal_error(times("]0", 400) + "].").find("more than 300 values") != std::string::npos);
}
