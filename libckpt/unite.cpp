// Dict by dict, entries by their keys.
#include "libckpt/unite.hpp"

#include <unordered_map>
#include <utility>

#include "libckpt/compare.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kMostDepth = 1000;

struct Part {
    Value value;
    std::size_t input;
};
struct Place {
    DictNode* target;
    std::vector<Part> dicts;
    std::string path;
    std::size_t depth;
};

class Uniter {
public:
    Uniter(const std::vector<MergeInput>& inputs, Prefer prefer, const Context& context)
        : inputs_(inputs), prefer_(prefer), context_(context) {}

    Union run() {
        Document& document = result_.document;
        const Document& first = inputs_.front().document;
        document.format = first.format;
        document.producer = first.producer;
        document.attributes = first.attributes;
        std::vector<Part> roots;
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            document.adopt_pools(inputs_[i].document);
            if (!inputs_[i].document.root.is(Kind::kDict))
                throw_error(ErrorCode::kRefused, "{}: is a {}; only dicts are united", inputs_[i].name,
                            kind_name(inputs_[i].document.root.kind()));
            roots.push_back({inputs_[i].document.root, i});
        }
        document.root = add_dict(std::move(roots), "", 0);
        while (!todo_.empty()) {
            const Place place = std::move(todo_.back());
            todo_.pop_back();
            fill(place);
        }
        return std::move(result_);
    }

private:
    Value add_dict(std::vector<Part> dicts, const std::string& path, std::size_t depth) {
        if (depth > kMostDepth)
            throw_error(ErrorCode::kRefused, "'{}': dicts within dicts, more than {} deep", path.substr(0, 100),
                        kMostDepth);
        auto* node = result_.document.pool().make<DictNode>();
        const Node& first = *dicts.front().value.node();
        node->type = first.type;
        if (first.recipe) node->recipe = std::make_unique<Recipe>(*first.recipe);
        if (first.attributes) node->attributes = std::make_unique<NamedValues>(*first.attributes);
        todo_.push_back({node, std::move(dicts), path, depth});
        return Value::of(node);
    }

    void fill(const Place& place) {
        std::vector<std::pair<Value, std::vector<Part>>> entries;
        std::unordered_map<std::string, std::size_t> known;
        for (const Part& dict : place.dicts) {
            for (const auto& [key, value] : dict.value.dict().entries) {
                const std::string name = (key.is(Kind::kString) ? "t" : "k") + key_text(key);
                const auto [it, is_new] = known.try_emplace(name, entries.size());
                if (is_new) entries.push_back({key, {}});
                entries[it->second].second.push_back({value, dict.input});
            }
        }
        for (auto& [key, parts] : entries) {
            const std::string path = join_path(place.path, key_text(key));
            place.target->entries.emplace_back(key, united(std::move(parts), path, place.depth));
        }
    }

    Value united(std::vector<Part> parts, const std::string& path, std::size_t depth) {
        bool are_dicts = parts.size() > 1;
        for (const Part& part : parts) are_dicts = are_dicts && part.value.is(Kind::kDict);
        if (are_dicts) return add_dict(std::move(parts), path, depth + 1);
        for (std::size_t i = 1; i < parts.size(); ++i) {
            if (is_same(parts.front(), parts[i])) continue;
            if (prefer_ == Prefer::kNone) {
                result_.conflicts.push_back(fmt::format("'{}' is not the same in {} and {}", path,
                                                        inputs_[parts.front().input].name,
                                                        inputs_[parts[i].input].name));
            } else {
                ++result_.decided;
                return prefer_ == Prefer::kFirst ? parts.front().value : parts.back().value;
            }
        }
        return parts.front().value;
    }

    bool is_same(const Part& a, const Part& b) const {
        if (a.value == b.value) return true;
        Document left, right;
        left.root = a.value;
        right.root = b.value;
        CompareOptions options;
        options.with_form = inputs_[a.input].document.format == inputs_[b.input].document.format;
        return compare_documents(left, right, options, context_).differences.empty();
    }

    const std::vector<MergeInput>& inputs_;
    Prefer prefer_;
    const Context& context_;
    std::vector<Place> todo_;
    Union result_;
};

}  // namespace

Union unite(const std::vector<MergeInput>& inputs, Prefer prefer, const Context& context) {
    return Uniter(inputs, prefer, context).run();
}

}  // namespace ckpt
