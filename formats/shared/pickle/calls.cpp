// Names of makers, opcodes of protocols, and what hooks do by default.
#include "formats/shared/pickle/calls.hpp"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "formats/shared/pickle/numpy.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/error.hpp"

namespace ckpt {

bool makes_its_first_argument(std::string_view callable) noexcept {
    static constexpr std::string_view kMakers[] = {"copyreg._reconstructor",
                                                   "array._array_reconstructor",
                                                   "numpy.ma.core._mareconstruct",
                                                   "numpy.core.multiarray._reconstruct",
                                                   "numpy._core.multiarray._reconstruct",
                                                   "numpy.random.bit_generator.__pyx_unpickle_SeedSequence"};
    return std::find(std::begin(kMakers), std::end(kMakers), callable) != std::end(kMakers);
}

std::string global_name_of(const Value& value) {
    if (!value.is(Kind::kObject) || !value.node()->recipe || value.node()->recipe->how != Recipe::How::kGlobal)
        return {};
    return value.node()->recipe->callable;
}

std::string callee_name(const Value& callee) {
    if (!callee.is(Kind::kObject) || !callee.node()->recipe) return {};
    const Recipe& recipe = *callee.node()->recipe;
    if (recipe.how == Recipe::How::kGlobal) return recipe.callable;
    if (recipe.how == Recipe::How::kCall && recipe.callable == "builtins.getattr" && recipe.args.is(Kind::kTuple)) {
        const auto& items = recipe.args.sequence().items;
        if (items.size() == 2 && items[1].is(Kind::kString)) {
            const std::string outer = global_name_of(items[0]);
            if (!outer.empty()) return outer + "." + std::string(items[1].as_string());
        }
    }
    return recipe.callable;
}

std::string class_made_by(const Recipe& recipe) {
    if (recipe.how != Recipe::How::kCall || !recipe.args.is(Kind::kTuple) || recipe.args.sequence().items.empty() ||
        !makes_its_first_argument(recipe.callable))
        return recipe.callable;
    const std::string made = callee_name(recipe.args.sequence().items[0]);
    return made.empty() ? recipe.callable : made;
}

void replace_nodes(Value& root, const std::unordered_map<const Node*, Value>& replaced) {
    if (replaced.empty()) return;
    const auto swap = [&](Value& value) {
        for (auto it = replaced.find(value.node()); value.node() != nullptr && it != replaced.end();
             it = replaced.find(value.node())) {
            value = it->second;
        }
    };
    std::unordered_set<Node*> seen;
    std::vector<Node*> todo;
    const auto meet = [&](Value& value) {
        swap(value);
        if (value.node() != nullptr && seen.insert(value.node()).second) todo.push_back(value.node());
    };
    meet(root);
    while (!todo.empty()) {
        Node* node = todo.back();
        todo.pop_back();
        for_each_value(*node, meet);
    }
}

int least_protocol(unsigned char opcode) noexcept {
    if (opcode >= 0x80) return 2;
    return std::string_view("JKMGTUX])}euqrhj1oQ").find(static_cast<char>(opcode)) != std::string_view::npos ? 1 : 0;
}

Value PickleReaderHooks::persistent_load(Pool&, Value) {
    throw Error(ErrorCode::kDamaged, "pickle: a persistent id, but nothing that it could name");
}
Node* PickleReaderHooks::construct(Pool& pool, std::unique_ptr<Recipe>& recipe) {
    return construct_numpy(pool, *recipe);
}
bool PickleReaderHooks::build(Pool& pool, Node& target, Value state) {
    return build_numpy(pool, target, state);
}
PickleBounds PickleReaderHooks::bounds(std::uint64_t) const {
    return {};
}

}  // namespace ckpt
