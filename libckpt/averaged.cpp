// What has the role, out of the entries that lead to it.
#include "libckpt/averaged.hpp"

#include <algorithm>

#include "libckpt/copy_tree.hpp"
#include "libckpt/module_state.hpp"
#include "libckpt/rename.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/select.hpp"

namespace ckpt {
namespace {

/// An AveragedModel: the averaged module, and of how many models it is the average.
bool is_averaged_model(const Value& root) {
    if (!root.is(Kind::kDict) || root.dict().find("n_averaged") == nullptr || root.dict().entries.size() < 2)
        return false;
    return std::all_of(root.dict().entries.begin(), root.dict().entries.end(), [](const auto& entry) {
        const bool is_text = entry.first.is(Kind::kString);
        return is_text && (entry.first.as_string() == "n_averaged" || entry.first.as_string().starts_with("module."));
    });
}

}  // namespace

Document averaged_weights(const Document& document, const Context& context) {
    const Roles roles = classify_roles(document);
    Selection selection;
    if (roles.model_is_averaged) {
        selection.model_only = true;
    } else {
        selection.roles = {Role::kAveraged};
    }
    Selected taken = select(document, selection, Side::kTaken);
    if (taken.tensors == 0 && taken.leaves == 0) {
        taken.document.root = Value::null();
        return std::move(taken.document);
    }
    Document result = copied_tree(taken.document);
    const auto is_way = [](const Value& value) {
        return value.is(Kind::kDict) && value.dict().entries.size() == 1 &&
               (value.dict().entries[0].second.is(Kind::kDict) || value.dict().entries[0].second.is(Kind::kObject));
    };
    while (!roles.model_is_averaged && is_way(result.root)) result.root = result.root.dict().entries[0].second;
    name_modules(result);
    if (is_averaged_model(result.root)) {
        std::erase_if(result.root.dict().entries,
                      [](const auto& entry) { return entry.first.as_string() == "n_averaged"; });
        strip_prefixes(result, {"module."});
        context.note("'n_averaged' and the component 'module.' of the averaged model are left out");
    }
    return result;
}

}  // namespace ckpt
