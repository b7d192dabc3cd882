// Nodes are copied as they are met; their handles follow.
#include "libckpt/copy_tree.hpp"

#include <unordered_map>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

class Copier {
public:
    explicit Copier(Pool& pool) : pool_(pool) {}

    void run(Value& root) {
        follow(root);
        while (!todo_.empty()) {
            Node* node = todo_.back();
            todo_.pop_back();
            for_each_value(*node, [this](Value& value) { follow(value); });
        }
    }

private:
    void follow(Value& value) {
        Node* node = value.node();
        if (node == nullptr || !is_copied(value.kind())) return;
        const auto [known, is_new] = copies_.try_emplace(node, nullptr);
        if (is_new) {
            known->second = copy(*node);
            todo_.push_back(known->second);
        }
        value = Value::of(known->second);
    }

    /// Nothing that is ever changed stands in the others.
    static bool is_copied(Kind kind) { return kind >= Kind::kList; }

    Node* copy(const Node& node) {
        Node* made = nullptr;
        switch (node.kind) {
            case Kind::kDict: {
                auto* dict = pool_.make<DictNode>();
                dict->entries = static_cast<const DictNode&>(node).entries;
                made = dict;
                break;
            }
            case Kind::kTensor:
                made = copy_tensor(static_cast<const TensorNode&>(node));
                break;
            case Kind::kObject: {
                auto* object = pool_.make<ObjectNode>();
                object->items = static_cast<const ObjectNode&>(node).items;
                object->entries = static_cast<const ObjectNode&>(node).entries;
                made = object;
                break;
            }
            default: {
                auto* sequence = pool_.make<SequenceNode>(node.kind);
                sequence->items = static_cast<const SequenceNode&>(node).items;
                made = sequence;
            }
        }
        made->type = node.type;
        if (node.recipe) made->recipe = std::make_unique<Recipe>(*node.recipe);
        if (node.attributes) made->attributes = std::make_unique<NamedValues>(*node.attributes);
        return made;
    }

    TensorNode* copy_tensor(const TensorNode& tensor) {
        auto* made = pool_.make<TensorNode>();
        made->dtype = tensor.dtype;
        made->conj = tensor.conj;
        made->neg = tensor.neg;
        made->requires_grad = tensor.requires_grad;
        made->shape = tensor.shape;
        made->stride = tensor.stride;
        made->offset = tensor.offset;
        made->storage = tensor.storage;
        made->layout = tensor.layout;
        if (tensor.quantization) made->quantization = std::make_unique<Quantization>(*tensor.quantization);
        made->parts = tensor.parts;
        made->dict = tensor.dict;
        return made;
    }

    Pool& pool_;
    std::unordered_map<const Node*, Node*> copies_;
    std::vector<Node*> todo_;
};

}  // namespace

Document copied_tree(const Document& document) {
    Document copy;
    copy.adopt_pools(document);
    copy.format = document.format;
    copy.producer = document.producer;
    copy.attributes = document.attributes;
    copy.damage = document.damage;
    copy.aliases = document.aliases;
    copy.root = document.root;
    Copier(copy.pool()).run(copy.root);
    return copy;
}

}  // namespace ckpt
