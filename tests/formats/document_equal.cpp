// Walks two documents side by side.
#include "tests/formats/document_equal.hpp"

#include <cstring>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "libckpt/elements.hpp"

namespace ckpt::test {
namespace {

class Comparison {
public:
    std::string run(const Value& a, const Value& b) {
        todo_.push_back({"", a, b});
        while (!todo_.empty() && found_.empty()) {
            const Pair pair = todo_.back();
            todo_.pop_back();
            compare(pair.path, pair.a, pair.b);
        }
        return found_;
    }

private:
    struct Pair {
        std::string path;
        Value a, b;
    };
    void differ(const std::string& path, const std::string& what) {
        if (found_.empty()) found_ = (path.empty() ? "(root)" : path) + ": " + what;
    }
    void later(const std::string& path, const Value& a, const Value& b) { todo_.push_back({path, a, b}); }

    /// Lists, tuples, dicts, sets, tensors and objects have an identity that counts.
    static bool has_identity(const Value& value) {
        if (value.is(Kind::kTuple)) return !value.sequence().items.empty();
        if (value.is(Kind::kObject)) return !value.node()->recipe || value.node()->recipe->how != Recipe::How::kGlobal;
        return value.is(Kind::kList) || value.is(Kind::kSet) || value.is(Kind::kDict) || value.is(Kind::kTensor);
    }

    void compare(const std::string& path, const Value& a, const Value& b) {
        if (a.kind() != b.kind())
            return differ(path, fmt::format("{} became {}", kind_name(a.kind()), kind_name(b.kind())));
        if (a.type() != b.type()) return differ(path, fmt::format("type '{}' became '{}'", a.type(), b.type()));
        if (has_identity(a)) {
            const auto [forth, is_new] = forth_.try_emplace(a.node(), b.node());
            const auto [back, is_new_back] = back_.try_emplace(b.node(), a.node());
            if (forth->second != b.node()) return differ(path, "was shared, is not");
            if (back->second != a.node()) return differ(path, "is shared, was not");
            if (!is_new) return;
        }
        switch (a.kind()) {
            case Kind::kNull:
                return;
            case Kind::kBool:
                if (a.as_bool() != b.as_bool()) differ(path, "other bool");
                return;
            case Kind::kInt:
                if (a.integer_bytes() != b.integer_bytes())
                    differ(path, a.integer_text() + " became " + b.integer_text());
                return;
            case Kind::kFloat:
                return same_bits(path, a.as_double(), b.as_double());
            case Kind::kComplex:
                same_bits(path, a.as_complex().real(), b.as_complex().real());
                return same_bits(path, a.as_complex().imag(), b.as_complex().imag());
            case Kind::kString:
                if (a.as_string() != b.as_string())
                    differ(path, fmt::format("text '{}' became '{}'", a.as_string().substr(0, 60),
                                             b.as_string().substr(0, 60)));
                return;
            case Kind::kBytes:
                if (a.as_bytes() != b.as_bytes()) differ(path, "other bytes");
                return;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                return items(path, a.sequence().items, b.sequence().items, *a.node(), *b.node());
            case Kind::kDict:
                entries(path, a.dict().entries, b.dict().entries);
                return recipes(path, *a.node(), *b.node());
            case Kind::kTensor:
                return tensors(path, a.tensor(), b.tensor());
            case Kind::kObject: {
                const auto& x = a.object();
                const auto& y = b.object();
                recipes(path, x, y);
                items(path + "/items", x.items, y.items, x, y);
                return entries(path + "/entries", x.entries, y.entries);
            }
        }
    }

    void same_bits(const std::string& path, double a, double b) {
        if (std::memcmp(&a, &b, sizeof a) != 0 && !(a != a && b != b)) differ(path, fmt::format("{} became {}", a, b));
    }

    void items(const std::string& path, const std::vector<Value>& a, const std::vector<Value>& b, const Node& x,
               const Node& y) {
        if (a.size() != b.size()) return differ(path, fmt::format("{} items became {}", a.size(), b.size()));
        for (std::size_t i = a.size(); i-- > 0;) later(path + "/" + std::to_string(i), a[i], b[i]);
        if (x.kind == Kind::kList) recipes(path, x, y);
    }

    void entries(const std::string& path, const std::vector<std::pair<Value, Value>>& a,
                 const std::vector<std::pair<Value, Value>>& b) {
        if (a.size() != b.size()) return differ(path, fmt::format("{} entries became {}", a.size(), b.size()));
        for (std::size_t i = a.size(); i-- > 0;) {
            const std::string name = a[i].first.is(Kind::kString) ? std::string(a[i].first.as_string().substr(0, 40))
                                                                  : fmt::format("key {}", i);
            later(path + "/" + name, a[i].second, b[i].second);
            later(path + "/key of " + name, a[i].first, b[i].first);
        }
    }

    /// A recipe that only repeats the type is no recipe.
    void recipes(const std::string& path, const Node& a, const Node& b) {
        static const Recipe kNone;
        const Recipe& x = a.recipe ? *a.recipe : kNone;
        const Recipe& y = b.recipe ? *b.recipe : kNone;
        if (a.kind == Kind::kObject && (x.how != y.how || x.callable != y.callable))
            return differ(path, fmt::format("made by '{}', now by '{}'", x.callable, y.callable));
        const auto empty = [](const Value& value) {
            return value.is_null() || (value.is(Kind::kTuple) && value.sequence().items.empty());
        };
        if (x.how != Recipe::How::kGlobal && !(empty(x.args) && empty(y.args)))
            later(path + "/__args__", x.args, y.args);
        later(path + "/__kwargs__", x.kwargs, y.kwargs);
        later(path + "/__state__", x.state, y.state);
    }

    void tensors(const std::string& path, const TensorNode& a, const TensorNode& b) {
        if (a.dtype != b.dtype)
            return differ(path, fmt::format("{} became {}", dtype_name(a.dtype), dtype_name(b.dtype)));
        if (a.shape != b.shape) return differ(path, "other shape");
        if (a.requires_grad != b.requires_grad) return differ(path, "requires_grad changed");
        if (a.conj != b.conj || a.neg != b.neg) return differ(path, "conj or neg changed");
        if (a.layout != b.layout) return differ(path, fmt::format("layout '{}' became '{}'", a.layout, b.layout));
        later(path + "/__dict__", a.dict, b.dict);
        if (a.parts.size() != b.parts.size()) return differ(path, "other parts");
        for (std::size_t i = 0; i < a.parts.size(); ++i)
            later(path + "/" + a.parts[i].first, a.parts[i].second, b.parts[i].second);
        if (!a.storage != !b.storage) return differ(path, "data came or went");
        if (!a.storage) return;
        const bool is_empty = a.element_count() == std::optional<std::uint64_t>(0);
        if (a.stride != b.stride)
            return differ(path,
                          fmt::format("strides {} became {}", fmt::join(a.stride, ","), fmt::join(b.stride, ",")));
        if (a.offset != b.offset && !is_empty)
            return differ(path, fmt::format("offset {} became {}", a.offset, b.offset));
        if (is_empty) return;
        const auto [forth, is_new] = storages_.try_emplace(a.storage.get(), b.storage.get());
        if (forth->second != b.storage.get()) return differ(path, "its storage was shared, is not");
        const auto [back, is_new_back] = storages_back_.try_emplace(b.storage.get(), a.storage.get());
        if (back->second != a.storage.get()) return differ(path, "its storage is shared, was not");
        constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
        if (read_all(*logical_blob(a), kMostBytes) != read_all(*logical_blob(b), kMostBytes))
            differ(path, "other values");
    }

    std::vector<Pair> todo_;
    std::string found_;
    std::unordered_map<const Node*, const Node*> forth_, back_;
    std::unordered_map<const Storage*, const Storage*> storages_, storages_back_;
};

}  // namespace

std::string document_difference(const Document& a, const Document& b) {
    return Comparison().run(a.root, b.root);
}

}  // namespace ckpt::test
