// Names for tensors, and what has none.
#include "formats/safetensors/flatten.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "formats/safetensors/read_document.hpp"
#include "formats/safetensors/rest.hpp"
#include "libckpt/module_state.hpp"
#include "libckpt/path.hpp"
#include "libckpt/utf8.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::safetensors {
namespace {

/// What is the same of tied tensors.
using View =
    std::tuple<const Storage*, std::int64_t, DType, std::vector<std::int64_t>, std::vector<std::int64_t>, bool, bool>;

View view_of(const TensorNode& tensor) {
    return {tensor.storage.get(), tensor.offset, tensor.dtype, tensor.shape, tensor.stride, tensor.conj, tensor.neg};
}

std::string_view article(std::string_view kind) {
    return kind == "int" || kind == "object" ? "an" : "a";
}

class Flattener {
public:
    Flattener(const Document& document, Rest rest) : document_(document), keeps_(rest == Rest::kKeep) {}

    Flat run() {
        if (document_.root.is(Kind::kDict) || document_.root.is(Kind::kList) || document_.root.is(Kind::kTuple) ||
            is_module(document_.root) || keeps_) {
            walk_tree();
        } else {
            lose("", "the layout wants names, so a dict");
        }
        if (keeps_) flat_.rest = rest_text(document_, [this](const TensorNode& tensor) { return name_of(tensor); });
        tie();
        note();
        return std::move(flat_);
    }

private:
    struct Place {
        Value value;
        std::string path, name;
        std::size_t depth;
    };

    void lose(std::string path, std::string what) { flat_.losses.push_back({std::move(path), std::move(what)}); }

    void walk_tree() {
        std::vector<Place> open{{document_.root, "", "", 0}};
        while (!open.empty()) {
            Place place = std::move(open.back());
            open.pop_back();
            if (!keeps_) open_module(place);
            if (place.value.is(Kind::kTensor)) {
                add(place);
                continue;
            }
            const bool is_container =
                place.value.is(Kind::kDict) || place.value.is(Kind::kList) || place.value.is(Kind::kTuple);
            if (!is_container && !(keeps_ && place.value.is(Kind::kObject))) {
                if (!keeps_) {
                    const auto kind = kind_name(place.value.kind());
                    lose(place.path,
                         fmt::format("is {}{}{}, and the layout holds tensors only",
                                     place.value.is_null() ? "" : article(kind), place.value.is_null() ? "" : " ",
                                     place.value.is_null() ? "None" : kind));
                }
                continue;
            }
            if (!keeps_ && place.depth > 0 && is_plain_list(place.value)) {
                lose(place.path, fmt::format("is a {} of {} values that are no tensors", kind_name(place.value.kind()),
                                             place.value.sequence().items.size()));
                continue;
            }
            const auto [met, is_new] = containers_.emplace(place.value.node(), place.path);
            if (!is_new) {
                if (!keeps_)
                    lose(place.path, fmt::format("is the same {} as '{}'", kind_name(place.value.kind()), met->second));
                continue;
            }
            if (!keeps_ && !place.value.type().empty()) has_types_ = true;
            push_children(place, open);
        }
    }

    /// Of a module that was saved whole its tensors are taken, by the names of its state dict.
    void open_module(Place& place) {
        const auto state = module_state_dict(*flat_.made, place.value);
        if (!state || state->dict().entries.empty()) return;
        place.value = *state;
        ++modules_;
    }

    /// One line for a curve, not one per number.
    static bool is_plain_list(Value value) {
        if (!value.is(Kind::kList) && !value.is(Kind::kTuple)) return false;
        const auto& items = value.sequence().items;
        return items.size() > 1 && std::all_of(items.begin(), items.end(), [](const Value& item) {
                   return item.node() == nullptr || item.is(Kind::kString) || item.is(Kind::kInt) ||
                          item.is(Kind::kFloat);
               });
    }

    void push_children(const Place& place, std::vector<Place>& open) {
        const std::size_t first = open.size();
        for (const Child& child : children(place.value)) {
            // What hangs on a container is its class's affair.
            if (!child.has_text_key && child.component == "__dict__" && !keeps_) continue;
            const std::string part = split_path(child.component).front();
            const std::string name = place.depth == 0 ? part : place.name + "." + part;
            open.push_back({child.value, join_path(place.path, child.component), name, place.depth + 1});
        }
        std::reverse(open.begin() + static_cast<std::ptrdiff_t>(first), open.end());
    }

    void add(Place place) {
        const TensorNode& tensor = place.value.tensor();
        if (keeps_) {
            if (names_.contains(&tensor)) return;
            // The rest says where a tensor stands, so its name may be any.
            if (!is_strict_utf8(place.name) || place.name == "__metadata__" || paths_.contains(place.name))
                place.name = free_name();
        }
        // Without it, one tensor at two places has two names.
        if (add_named(place, tensor)) names_.emplace(&tensor, place.name);
    }

    std::string free_name() {
        std::string name;
        do name = fmt::format("tensor.{}", ++numbered_);
        while (paths_.contains(name));
        return name;
    }

    bool add_named(const Place& place, const TensorNode& tensor) {
        if (place.depth > 1) has_depth_ = true;
        NamedTensor named{place.name, &tensor, nullptr, tensor.shape};
        if (!tensor.storage || !tensor.layout.empty() || tensor.quantization) {
            lose(place.path, fmt::format("is a {} tensor, and the layout holds strided ones only",
                                         tensor.quantization     ? "quantized"
                                         : tensor.layout.empty() ? "meta"
                                                                 : tensor.layout));
            return false;
        }
        named.type = type_of(tensor, named.shape);
        if (named.type == nullptr) {
            lose(place.path, fmt::format("is {}, which the layout lacks", dtype_name(tensor.dtype)));
            return false;
        }
        if (!is_strict_utf8(place.name)) {
            lose(place.path, "its name is no UTF-8");
            return false;
        }
        if (place.name == "__metadata__") {
            lose(place.path, "its name means something else in this layout");
            return false;
        }
        if (const auto [other, is_new] = paths_.emplace(place.name, place.path); !is_new) {
            lose(place.path, fmt::format("its name would be '{}', which is that of '{}'", place.name, other->second));
            return false;
        }
        if (!keeps_ && (!tensor.type.empty() || !tensor.dict.is_null())) has_types_ = true;
        flat_.tensors.push_back(std::move(named));
        return true;
    }

    /// The tensor's element type in the file, and its shape there.
    static const ElementType* type_of(const TensorNode& tensor, std::vector<std::int64_t>& shape) {
        if (tensor.dtype == DType::kFloat4E2M1FNx2) {
            if (shape.empty()) return nullptr;
            shape.back() *= 2;
        }
        const Value* name = tensor.attribute(kTypeAttribute);
        const Value* list = tensor.attribute(kShapeAttribute);
        if (tensor.dtype == DType::kUInt8 && tensor.shape.size() == 1 && name != nullptr && name->is(Kind::kString) &&
            list != nullptr && list->is(Kind::kList)) {
            const ElementType* type = element_type(name->as_string());
            std::uint64_t bits = type == nullptr ? 0 : type->bits;
            std::vector<std::int64_t> original;
            for (const Value& size : list->sequence().items) {
                original.push_back(size.as_int64().value_or(-1));
                if (original.back() < 0 ||
                    __builtin_mul_overflow(bits, static_cast<std::uint64_t>(original.back()), &bits))
                    type = nullptr;
            }
            if (type != nullptr && bits % 8 == 0 && bits / 8 == static_cast<std::uint64_t>(tensor.shape[0])) {
                shape = std::move(original);
                return type;
            }
        }
        return element_type(tensor.dtype);
    }

    /// For the rest: of a tensor that stands where no path leads (an attribute, a key), a name of its own.
    std::string name_of(const TensorNode& tensor) {
        if (const auto found = names_.find(&tensor); found != names_.end()) return found->second;
        const std::string name = free_name();
        add_named({{}, name, name, 1}, tensor);
        names_.emplace(&tensor, name);
        return name;
    }

    /// Of tensors that show the same elements, the one whose name comes first is kept, as Hugging Face's libraries do.
    void tie() {
        std::map<View, std::size_t> first;
        for (std::size_t i = 0; i < flat_.tensors.size(); ++i) {
            const TensorNode& tensor = *flat_.tensors[i].tensor;
            if (tensor.element_count().value_or(0) == 0) continue;
            ++storages_[tensor.storage.get()];
            const auto [found, is_new] = first.emplace(view_of(tensor), i);
            if (!is_new && flat_.tensors[i].name < flat_.tensors[found->second].name) found->second = i;
        }
        std::vector<NamedTensor> kept;
        for (std::size_t i = 0; i < flat_.tensors.size(); ++i) {
            NamedTensor& named = flat_.tensors[i];
            const auto found = first.find(view_of(*named.tensor));
            if (found == first.end() || found->second == i) continue;
            flat_.aliases.emplace_back(named.name, flat_.tensors[found->second].name);
            --storages_[named.tensor->storage.get()];
            named.tensor = nullptr;
        }
        std::erase_if(flat_.tensors, [](const NamedTensor& named) { return named.tensor == nullptr; });
    }

    void note() {
        const auto copied =
            std::count_if(storages_.begin(), storages_.end(), [](const auto& s) { return s.second > 1; });
        if (copied > 0)
            flat_.notes.push_back(
                fmt::format("{} storages are seen by several tensors; each is written whole", copied));
        if (keeps_) return;
        if (modules_ > 0) {
            flat_.notes.push_back(
                fmt::format("{} module{} saved whole: only tensors are kept, named as in the state dict (--metadata "
                            "keeps the rest)",
                            modules_, modules_ == 1 ? " was" : "s were"));
        }
        if (has_depth_) flat_.notes.push_back("names of nested dicts and lists are joined by '.'");
        if (has_types_) flat_.notes.push_back("classes of tensors and dicts are not kept (--metadata keeps them)");
    }

    const Document& document_;
    bool keeps_;
    Flat flat_;
    std::size_t numbered_ = 0;
    std::size_t modules_ = 0;
    bool has_depth_ = false;
    bool has_types_ = false;
    std::unordered_map<const Node*, std::string> containers_;
    std::unordered_map<const TensorNode*, std::string> names_;
    std::unordered_map<std::string, std::string> paths_;  // by name
    std::unordered_map<const Storage*, std::size_t> storages_;
};

}  // namespace

Flat flatten(const Document& document, Rest rest) {
    return Flattener(document, rest).run();
}

}  // namespace ckpt::safetensors
