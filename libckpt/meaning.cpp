// Contents, attributes and recipes of nodes.
#include "libckpt/meaning.hpp"

namespace ckpt {

bool has_meaning_recipe(const Node& node) {
    if (!node.recipe) return false;
    // The parts of a jagged tensor do not say what else its state remembers.
    if (node.kind == Kind::kTensor) return static_cast<const TensorNode&>(node).layout == "jagged";
    return node.kind == Kind::kDict || node.kind == Kind::kList || node.kind == Kind::kObject;
}

bool is_storage_attribute(std::string_view name) noexcept {
    return name.ends_with(":__layout__");
}

void for_each_meaning(const Node& node, const std::function<void(const Value&)>& visit) {
    if (node.attributes) {
        for (const auto& [name, value] : *node.attributes) visit(value);
    }
    if (has_meaning_recipe(node)) {
        visit(node.recipe->callee);
        visit(node.recipe->args);
        visit(node.recipe->kwargs);
        visit(node.recipe->state);
    }
    const auto visit_entries = [&visit](const std::vector<std::pair<Value, Value>>& entries) {
        for (const auto& [key, value] : entries) {
            visit(key);
            visit(value);
        }
    };
    switch (node.kind) {
        case Kind::kList:
        case Kind::kTuple:
        case Kind::kSet:
            for (const Value& item : static_cast<const SequenceNode&>(node).items) visit(item);
            break;
        case Kind::kDict:
            visit_entries(static_cast<const DictNode&>(node).entries);
            break;
        case Kind::kObject:
            for (const Value& item : static_cast<const ObjectNode&>(node).items) visit(item);
            visit_entries(static_cast<const ObjectNode&>(node).entries);
            break;
        case Kind::kTensor: {
            const auto& tensor = static_cast<const TensorNode&>(node);
            for (const auto& [name, part] : tensor.parts) visit(part);
            visit(tensor.dict);
            if (tensor.quantization) {
                visit(tensor.quantization->scales);
                visit(tensor.quantization->zero_points);
            }
            break;
        }
        default:
            break;
    }
}

}  // namespace ckpt
