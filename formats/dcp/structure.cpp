// A pickle with references to items.
#include "formats/dcp/structure.hpp"

#include "formats/shared/pickle/node_attributes.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/torch/lower.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::dcp {
namespace {

constexpr int kProtocol = 4;
constexpr std::string_view kReference = "ckpt";  // ('ckpt', name[, class, attributes])

class Writer final : public PickleWriterHooks {
public:
    Writer(const Document& document, const std::unordered_map<const Node*, std::string>& names)
        : lowering_(document), names_(names) {}

    std::optional<Value> persistent_id(Pool& scratch, const Node& node) override {
        const auto found = names_.find(&node);
        if (found == names_.end()) return lowering_.persistent_id(scratch, node);
        std::vector<Value> id = {scratch.string(std::string(kReference)), scratch.string(found->second)};
        // Other values have their class in the item.
        if (node.kind == Kind::kTensor) {
            const auto& tensor = static_cast<const TensorNode&>(node);
            if (tensor.layout.empty() && (!tensor.type.empty() || !tensor.dict.is_null())) {
                id.push_back(scratch.string(tensor.type));
                if (!tensor.dict.is_null()) id.push_back(tensor.dict);
            }
        }
        return scratch.tuple(std::move(id));
    }
    bool must_lower(const Node& node) override { return lowering_.must_lower(node); }
    std::optional<Value> lower(Pool& scratch, Value value) override { return lowering_.lower(scratch, value); }

private:
    TorchLowering lowering_;
    const std::unordered_map<const Node*, std::string>& names_;
};

class Hooks final : public PickleReaderHooks {
public:
    explicit Hooks(const std::unordered_map<std::string, Value>& values) : values_(values) {}

    Value persistent_load(Pool&, Value id) override {
        const bool is_reference =
            id.is(Kind::kTuple) && id.sequence().items.size() >= 2 && id.sequence().items[0].is(Kind::kString) &&
            id.sequence().items[1].is(Kind::kString) && id.sequence().items[0].as_string() == kReference;
        if (!is_reference) throw_damaged("the structure refers to what is no item");
        const auto& items = id.sequence().items;
        const auto found = values_.find(std::string(items[1].as_string()));
        if (found == values_.end())
            throw_damaged("the structure refers to '{}', which is not there", escape_key(items[1].as_string()));
        if (items.size() > 2 && found->second.is(Kind::kTensor) && items[2].is(Kind::kString)) {
            TensorNode& tensor = found->second.tensor();
            tensor.type = items[2].as_string();
            if (items.size() > 3) tensor.dict = items[3];
        }
        return found->second;
    }
    Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe) override {
        if (recipe->how == Recipe::How::kCall && recipe->callable == "torch.Size") {
            const auto& args = recipe->args.sequence().items;
            if (args.size() != 1 || !args[0].is(Kind::kTuple)) return nullptr;
            auto* node = pool.make<SequenceNode>(Kind::kTuple);
            node->type = recipe->callable;
            node->items = args[0].sequence().items;
            return node;
        }
        return PickleReaderHooks::construct(pool, recipe);
    }

private:
    const std::unordered_map<std::string, Value>& values_;
};

}  // namespace

std::string structure_bytes(const Document& document, const std::unordered_map<const Node*, std::string>& names) {
    Writer writer(document, names);
    Pool scratch;
    const auto attributes = collect_node_attributes(scratch, document, "torch:");
    return write_pickle(scratch.tuple({document.root, attributes.value_or(Value::null())}), kProtocol, writer);
}

void restore_structure(const std::string& bytes, Document& document,
                       const std::unordered_map<std::string, Value>& values, const Context& context) {
    Hooks hooks(values);
    const Value both = read_pickle(bytes, document.pool(), hooks, context);
    if (!both.is(Kind::kTuple) || both.sequence().items.size() != 2 || !both.sequence().items[0].is(Kind::kDict))
        throw_damaged("it is no pair of a dict and attributes");
    const Value attributes = both.sequence().items[1];
    document.root = both.sequence().items[0];
    restore_tagged_values(document);  // also those inside of items
    if (!attributes.is_null()) apply_node_attributes(document, attributes, "the metadata", context);
}

}  // namespace ckpt::dcp
