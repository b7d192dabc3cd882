// A stack of spare nodes for each kind.
#include "formats/shared/pickle/spare_nodes.hpp"

namespace ckpt {
namespace {

constexpr int kMostDepth = 4;
constexpr std::size_t kMostItems = 16;  // what is larger keeps its node: an index may know it by its address

template <typename T>
T* take(std::vector<T*>& spare) {
    if (spare.empty()) return nullptr;
    T* node = spare.back();
    spare.pop_back();
    return node;
}

}  // namespace

Value SpareNodes::tuple(std::vector<Value> items) {
    SequenceNode* node = take(tuples_);
    if (node == nullptr) return pool_.tuple(std::move(items));
    node->items.assign(items.begin(), items.end());
    return Value::of(node);
}

Value SpareNodes::string(std::string text) {
    StringNode* node = take(strings_);
    if (node == nullptr) return pool_.string(std::move(text));
    node->text = std::move(text);
    return Value::of(node);
}

Value SpareNodes::dict() {
    DictNode* node = take(dicts_);
    return node != nullptr ? Value::of(node) : pool_.dict();
}

void SpareNodes::release(const Value& value, const Node* but) {
    if (!keeps_all_) release(value, but, 0);
}

void SpareNodes::release(const Value& value, const Node* but, int depth) {
    Node* node = value.node();
    if (node == nullptr || node == but || depth > kMostDepth || node->recipe || node->attributes ||
        kept_.count(node) != 0)
        return;
    if (value.is(Kind::kTuple)) {
        auto& items = value.sequence().items;
        if (items.size() > kMostItems) return;
        for (const Value& item : items) release(item, but, depth + 1);
        items.clear();
        node->type.clear();
        tuples_.push_back(&value.sequence());
    } else if (value.is(Kind::kString)) {
        if (!node->type.empty()) return;
        auto* text = static_cast<StringNode*>(node);
        text->text = {};
        strings_.push_back(text);
    } else if (value.is(Kind::kDict)) {
        auto& entries = value.dict().entries;
        if (entries.size() > kMostItems) return;
        for (const auto& [key, held] : entries) release(held, but, depth + 1);  // keys are known by their node
        entries.clear();
        node->type.clear();
        dicts_.push_back(&value.dict());
    }
}

}  // namespace ckpt
