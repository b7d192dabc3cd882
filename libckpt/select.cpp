// Rebuilding the containers around what is kept.
#include "libckpt/select.hpp"

#include <unordered_set>

#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

bool is_container(const Value& value) {
    return value.is(Kind::kDict) || ((value.is(Kind::kList) || value.is(Kind::kTuple)) && value.type().empty());
}

class Selector {
public:
    Selector(const Document& document, const Selection& selection, Side side)
        : document_(document), selection_(selection), side_(side), roles_(classify_roles(document)) {}

    Selected run() {
        Selected result;
        result.document.adopt_pools(document_);
        result.document.format = document_.format;
        result.document.attributes = document_.attributes;
        result.document.producer = document_.producer;
        const Value* model = selection_.model_only ? only_model() : nullptr;
        if (model != nullptr && side_ == Side::kTaken && selection_.rules.empty()) {
            result.document.root = *model;
        } else {
            rebuild(result.document);
            if (model != nullptr && side_ == Side::kTaken && result.document.root.is(Kind::kDict) &&
                result.document.root.dict().entries.size() == 1) {
                result.document.root = result.document.root.dict().entries.front().second;
            }
        }
        count(result);
        return result;
    }

private:
    /// The one part that is the model, or nullptr.
    const Value* only_model() const {
        if (roles_.whole_is_model) return &document_.root;
        const Value* found = nullptr;
        std::size_t index = 0;
        for (const auto& [part, role] : roles_.parts) {
            if (role == Role::kModel && index < document_.root.dict().entries.size()) {
                if (found != nullptr) return nullptr;
                found = &document_.root.dict().entries[index].second;
            }
            ++index;
        }
        return found;
    }

    bool takes(const std::string& path) const {
        const Role role = roles_.role_of(path);
        bool taken = true;
        if (selection_.model_only) taken = role == Role::kModel;
        if (!selection_.roles.empty()) {
            taken = false;
            for (const Role wanted : selection_.roles) taken = taken || wanted == role;
        }
        // A first rule that selects starts from nothing; one that drops, from everything.
        if (!selection_.rules.empty() && selection_.rules.front().keep && selection_.roles.empty() &&
            !selection_.model_only)
            taken = false;
        for (const auto& rule : selection_.rules) {
            if (rule.glob.matches(path)) taken = rule.keep;
        }
        return taken;
    }

    struct Frame {
        Value source;
        Value copy;
        std::vector<Child> below;
        std::size_t next = 0;
        std::size_t path_length = 0;
        std::vector<std::pair<std::size_t, Value>> kept;  // index among the children, new value
    };

    void rebuild(Document& target) {
        Pool& pool = target.pool();
        std::vector<Frame> stack;
        std::string path;
        Value finished;
        bool has_finished = false;
        const auto open = [&](const Value& value) {
            Frame frame;
            frame.source = value;
            frame.below = children(value);
            if (value.is(Kind::kDict) && value.node()->recipe && !value.node()->recipe->state.is_null())
                frame.below.pop_back();  // `__dict__` goes with the dict
            frame.path_length = path.size();
            stack.push_back(std::move(frame));
        };
        if (!is_container(document_.root)) {
            target.root = (takes("") == (side_ == Side::kTaken)) ? document_.root : Value::null();
            return;
        }
        open(document_.root);
        open_.insert(document_.root.node());
        while (!stack.empty()) {
            Frame& frame = stack.back();
            if (has_finished) {
                if (!finished.is_null()) frame.kept.emplace_back(frame.next - 1, finished);
                has_finished = false;
            }
            path.resize(frame.path_length);
            if (frame.next == frame.below.size()) {
                finished = close(pool, frame);
                has_finished = true;
                open_.erase(frame.source.node());
                stack.pop_back();
                continue;
            }
            const Child& child = frame.below[frame.next++];
            if (!path.empty() || stack.size() > 1) path += '/';
            path += child.component;
            if (is_container(child.value) && !child_count_is_zero(child.value) &&
                open_.count(child.value.node()) == 0) {
                open_.insert(child.value.node());
                open(child.value);
            } else if (takes(path) == (side_ == Side::kTaken)) {
                frame.kept.emplace_back(frame.next - 1, child.value);
            }
        }
        target.root = finished.is_null() ? pool.dict() : finished;
    }

    static bool child_count_is_zero(const Value& value) {
        return value.is(Kind::kDict) ? value.dict().entries.empty() : value.sequence().items.empty();
    }

    /// The container with what was kept of it: itself if that is everything, null if it is nothing.
    Value close(Pool& pool, Frame& frame) {
        if (frame.kept.empty()) return Value::null();
        bool unchanged = frame.kept.size() == frame.below.size();
        for (const auto& [index, value] : frame.kept) unchanged = unchanged && value == frame.below[index].value;
        if (unchanged) return frame.source;
        Node* node = nullptr;
        if (frame.source.is(Kind::kDict)) {
            auto* dict = pool.make<DictNode>();
            for (const auto& [index, value] : frame.kept)
                dict->entries.emplace_back(frame.source.dict().entries[index].first, value);
            node = dict;
        } else {
            auto* sequence = pool.make<SequenceNode>(frame.source.kind());
            for (const auto& [index, value] : frame.kept) sequence->items.push_back(value);
            node = sequence;
        }
        const Node& source = *frame.source.node();
        node->type = source.type;
        if (source.recipe) node->recipe = std::make_unique<Recipe>(*source.recipe);
        if (source.attributes) node->attributes = std::make_unique<NamedValues>(*source.attributes);
        return Value::of(node);
    }

    static void count(Selected& result) {
        walk(result.document.root, [&](const Visit& visit) {
            if (visit.value.is(Kind::kTensor)) {
                ++result.tensors;
                ++result.leaves;
                return WalkStep::kOver;
            }
            if (!is_container(visit.value)) ++result.leaves;
            return WalkStep::kInto;
        });
    }

    const Document& document_;
    const Selection& selection_;
    Side side_;
    Roles roles_;
    std::unordered_set<const Node*> open_;  ///< containers on the way down: cycles end there
};

}  // namespace

Selected select(const Document& document, const Selection& selection, Side side) {
    return Selector(document, selection, side).run();
}

}  // namespace ckpt
