// Classifying values, and rebuilding the tree around what is taken; no recursion.
#include "formats/torch/weights_only.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kMostIntegerBytes = 255;  // of the one opcode for long integers that the loader knows

constexpr std::string_view kEncode = "_codecs.encode";
constexpr std::array<std::string_view, 8> kCalls = {"torch.device",
                                                    "torch.Size",
                                                    "torch.serialization._get_layout",
                                                    kEncode,
                                                    "collections.OrderedDict",
                                                    "collections.Counter",
                                                    "builtins.complex",
                                                    "builtins.set"};
constexpr std::array<std::string_view, 10> kNames = {"torch.Tensor",
                                                     "torch.Size",
                                                     "torch.device",
                                                     "torch.nn.parameter.Parameter",
                                                     "collections.OrderedDict",
                                                     "collections.Counter",
                                                     "torch.per_tensor_affine",
                                                     "torch.per_tensor_symmetric",
                                                     "torch.per_channel_affine",
                                                     "torch.per_channel_symmetric"};
/// Classes that are nothing but their attributes.
constexpr std::string_view kNamespace = "argparse.Namespace";
constexpr std::string_view kBuffer = "utils.buffer.Buffer";  // Mammoth's rehearsal memory, and what it holds
constexpr std::string_view kBufferModule = "utils.buffer.";

template <std::size_t N>
bool is_among(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_numpy(std::string_view type) {
    return type.starts_with("numpy.");
}
/// Of no class that Python has: the layout writes such a value as a tagged dict, which is plain.
bool is_foreign(const Node& node) {
    if (node.type.empty()) return false;
    if (node.recipe) return !has_python_recipe(node);
    for (const std::string_view module : {"builtins.", "collections.", "numpy.", "torch."}) {
        if (node.type.starts_with(module)) return false;
    }
    return true;
}
bool is_known_global(std::string_view name) {
    if (is_among(kNames, name) || torch_dtype(name)) return true;
    for (const std::string_view start : {"torch.int", "torch.uint"}) {  // int1 to int7
        if (name.starts_with(start) && name.size() == start.size() + 1) return true;
    }
    return false;
}

/// The dict of an object's attributes where there is nothing else to it, or nullptr.
const Value* attributes_of(const Node& node) {
    if (node.kind != Kind::kObject || !node.recipe) return nullptr;
    const auto& object = static_cast<const ObjectNode&>(node);
    const Value& state = node.recipe->state;
    const bool is_all = object.items.empty() && object.entries.empty() && state.is(Kind::kDict) &&
                        state.type().empty() &&
                        std::all_of(state.dict().entries.begin(), state.dict().entries.end(),
                                    [](const auto& entry) { return entry.first.is(Kind::kString); });
    return is_all ? &state : nullptr;
}
/// An object that is as good as its attributes.
bool is_namespace(const Node& node) {
    const std::string_view type = node.type;
    return (type == kNamespace || type.starts_with(kBufferModule)) && attributes_of(node) != nullptr;
}

/// The text of a path object: its parts, joined.
std::string path_text(const Node& node) {
    std::string text;
    if (!node.recipe || !std::string_view(node.recipe->callable).starts_with("pathlib.") ||
        !node.recipe->args.is(Kind::kTuple))
        return text;
    for (const Value& part : node.recipe->args.sequence().items) {
        if (!part.is(Kind::kString)) return {};
        if (!text.empty() && !text.ends_with('/')) text += '/';
        text += part.as_string();
    }
    return text;
}

/// Tuples that contain themselves: the loader does not know the opcode that they need. Strongly connected parts of the
/// graph of values (Tarjan), without recursion.
class RecursiveTuples {
public:
    explicit RecursiveTuples(const Value& root) {
        if (root.node() == nullptr) return;
        enter(root.node());
        while (!stack_.empty()) {
            Frame& frame = stack_.back();
            if (frame.next == frame.below.size()) {
                leave();
                continue;
            }
            Node* below = frame.below[frame.next++];
            State& here = states_[frame.node];
            if (below == frame.node) here.is_ring = true;
            const auto known = states_.find(below);
            if (known == states_.end()) {
                enter(below);
            } else if (known->second.is_open) {
                here.lowest = std::min(here.lowest, known->second.number);
            }
        }
    }
    bool contains(const Value& value) const { return found_.count(value.node()) != 0; }

private:
    struct State {
        std::size_t number = 0;
        std::size_t lowest = 0;
        bool is_open = true;
        bool is_ring = false;  ///< holds itself
    };
    struct Frame {
        Node* node;
        std::vector<Node*> below;
        std::size_t next = 0;
    };
    void enter(Node* node) {
        states_.emplace(node, State{states_.size(), states_.size()});
        open_.push_back(node);
        Frame frame{node, {}};
        for_each_value(*node, [&](Value& held) {
            if (held.node() != nullptr) frame.below.push_back(held.node());
        });
        stack_.push_back(std::move(frame));
    }
    void leave() {
        Node* node = stack_.back().node;
        stack_.pop_back();
        const State& state = states_[node];
        if (!stack_.empty()) {
            State& above = states_[stack_.back().node];
            above.lowest = std::min(above.lowest, state.lowest);
        }
        if (state.lowest != state.number) return;
        const bool is_several = open_.back() != node;
        while (true) {
            Node* member = open_.back();
            open_.pop_back();
            states_[member].is_open = false;
            if (member->kind == Kind::kTuple && (is_several || states_[member].is_ring)) found_.insert(member);
            if (member == node) return;
        }
    }

    std::unordered_map<const Node*, State> states_;
    std::vector<Node*> open_;
    std::vector<Frame> stack_;
    std::unordered_set<const Node*> found_;
};

std::string class_loss(const Node& node, std::string_view kept) {
    return fmt::format("is a {}, which weights_only loading refuses: {}", node.type.str(), kept);
}

std::string tensor_loss(const TensorNode& tensor) {
    const std::string_view type = tensor.type;
    if (type.ends_with("Storage") && storage_type(type)) return {};
    if (tensor.layout == "jagged" || tensor.layout == "uninitialized")
        return fmt::format("is {} {} tensor, which weights_only loading refuses",
                           tensor.layout == "jagged" ? "a" : "an", tensor.layout.str());
    const bool is_plain =
        type.empty() || is_numpy(type) || type == "torch.nn.parameter.Parameter" || type == "torch.Tensor";
    return is_plain || is_foreign(tensor) ? std::string() : class_loss(tensor, "a plain tensor is kept");
}

/// Why a value by itself cannot be taken as it is, or empty. What it holds is asked by itself.
std::string loss_of(const Value& value) {
    const Node* node = value.node();
    if (node == nullptr) return {};
    const std::string_view type = node->type;
    if (is_foreign(*node) && !value.is(Kind::kTensor)) return {};
    switch (value.kind()) {
        case Kind::kTensor:
            return tensor_loss(value.tensor());
        case Kind::kInt:
            if (value.integer_bytes().size() > kMostIntegerBytes)
                return fmt::format("has {} bytes, weights_only loading takes integers of {}",
                                   value.integer_bytes().size(), kMostIntegerBytes);
            [[fallthrough]];
        case Kind::kBool:
        case Kind::kFloat:
        case Kind::kComplex:
            return type.empty() || is_numpy(type) ? "" : class_loss(*node, "its number is kept");
        case Kind::kString:
            return type.empty() || is_numpy(type) ? "" : class_loss(*node, "its text is kept");
        case Kind::kBytes:
            return type.empty() || type == "builtins.bytearray" ? "" : class_loss(*node, "its bytes are kept");
        case Kind::kTuple:
            return type.empty() || type == "torch.Size" ? "" : class_loss(*node, "a tuple is kept");
        case Kind::kList:
        case Kind::kSet:
            return type.empty() ? "" : class_loss(*node, value.is(Kind::kList) ? "a list is kept" : "a set is kept");
        case Kind::kDict:
            return type.empty() || type == "collections.OrderedDict" || type == "collections.Counter"
                       ? ""
                       : class_loss(*node, "a dict is kept");
        case Kind::kObject: {
            if (node->recipe && node->recipe->how == Recipe::How::kGlobal) {
                if (is_known_global(node->recipe->callable)) return {};
                return fmt::format("is {} itself, a name that weights_only loading refuses", node->recipe->callable);
            }
            if (is_namespace(*node) || (node->recipe && is_among(kCalls, node->recipe->callable))) return {};
            if (attributes_of(*node) != nullptr) return class_loss(*node, "its attributes are kept");
            return class_loss(*node, path_text(*node).empty() ? "nothing of it is kept" : "its text is kept");
        }
        default:
            return {};
    }
}

/// Whether nothing is kept of a value that is a loss.
bool is_dropped(const Value& value) {
    if (value.is(Kind::kObject)) return attributes_of(*value.node()) == nullptr && path_text(*value.node()).empty();
    return value.is(Kind::kInt) || (value.is(Kind::kTensor) && !value.tensor().layout.empty());
}

class Plainer {
public:
    explicit Plainer(const Document& document) : rings_(document.root) {
        result_.adopt_pools(document);
        result_.format = document.format;
        result_.producer = document.producer;
        for (const auto& [name, value] : document.attributes) {
            if (name != "torch:pickle_protocol") result_.attributes.emplace_back(name, value);  // it takes 2 only
        }
        result_.root = plain(document.root);
        while (!todo_.empty()) {
            const auto [from, to] = todo_.back();
            todo_.pop_back();
            fill(*from, *to);
        }
        split_buffer();
    }
    Document take() { return std::move(result_); }

private:
    /// The value in its place; what it holds follows in `fill`.
    Value plain(const Value& value) {
        Node* node = value.node();
        if (node == nullptr) return value;
        if (const auto known = made_.find(node); known != made_.end()) return known->second;
        const bool is_lost = rings_.contains(value) || (!loss_of(value).empty() && is_dropped(value));
        const Value made = is_lost ? Value::null() : shell(value);
        made_.emplace(node, made);
        return made;
    }

    Value shell(const Value& value) {
        const Node& node = *value.node();
        Pool& pool = result_.pool();
        const bool is_kept = is_foreign(node);
        switch (value.kind()) {
            case Kind::kNull:
                return value;
            case Kind::kBool:
            case Kind::kInt:
            case Kind::kFloat:
                if (is_kept || node.type.empty()) return value;
                return static_cast<const ScalarNode&>(node).value;
            case Kind::kComplex:
                return is_kept || node.type.empty() ? value : pool.complex(value.as_complex());
            case Kind::kString:
                return is_kept || node.type.empty() ? value : pool.string(std::string(value.as_string()));
            case Kind::kBytes:
                if (value.as_bytes().empty() && node.type.empty()) return empty_bytes();
                return is_kept || node.type.empty() || node.type == "builtins.bytearray"
                           ? value
                           : pool.bytes(std::string(value.as_bytes()));
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet: {
                auto* made = pool.make<SequenceNode>(value.kind());
                if (is_kept || node.type == "torch.Size") made->type = node.type;
                todo_.emplace_back(value.node(), made);
                return Value::of(made);
            }
            case Kind::kDict: {
                auto* made = pool.make<DictNode>();
                if (is_kept || node.type == "collections.OrderedDict" || node.type == "collections.Counter")
                    made->type = node.type;
                todo_.emplace_back(value.node(), made);
                return Value::of(made);
            }
            case Kind::kTensor: {
                auto* made = pool.make<TensorNode>();
                const bool is_plain = !is_kept && (is_numpy(node.type) || !tensor_loss(value.tensor()).empty());
                if (!is_plain) made->type = node.type;
                todo_.emplace_back(value.node(), made);
                return Value::of(made);
            }
            default:
                return object_shell(value);
        }
    }

    Value object_shell(const Value& value) {
        const Node& node = *value.node();
        if (!is_foreign(node) && node.recipe && node.recipe->how != Recipe::How::kGlobal &&
            !is_among(kCalls, node.recipe->callable)) {
            if (const Value* attributes = attributes_of(node)) {
                auto* made = result_.pool().make<DictNode>();
                todo_.emplace_back(attributes->node(), made);
                return Value::of(made);
            }
            return result_.pool().string(path_text(node));
        }
        if (node.recipe && node.recipe->how == Recipe::How::kGlobal) return value;
        auto* made = result_.pool().make<ObjectNode>();
        made->type = node.type;
        todo_.emplace_back(value.node(), made);
        return Value::of(made);
    }

    /// `bytes()` is a call that the loader refuses; this is one that it takes.
    Value empty_bytes() {
        Pool& pool = result_.pool();
        auto* made = pool.make<ObjectNode>();
        made->type = kEncode;
        made->recipe = std::make_unique<Recipe>();
        made->recipe->callable = kEncode;
        made->recipe->args = pool.tuple({pool.string(""), pool.string("latin1")});
        return Value::of(made);
    }

    void fill(const Node& from, Node& to) {
        if (from.attributes) {
            for (const auto& [name, value] : *from.attributes) to.set_attribute(name, plain(value));
        }
        if (from.recipe && to.kind != Kind::kTensor && (!to.type.empty() || from.type.empty())) {
            to.recipe = std::make_unique<Recipe>(*from.recipe);
            for (Value* part : {&to.recipe->callee, &to.recipe->args, &to.recipe->kwargs, &to.recipe->state})
                *part = plain(*part);
        }
        switch (from.kind) {
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                for (const Value& item : static_cast<const SequenceNode&>(from).items)
                    static_cast<SequenceNode&>(to).items.push_back(plain(item));
                break;
            case Kind::kDict:
                for (const auto& [key, value] : static_cast<const DictNode&>(from).entries)
                    static_cast<DictNode&>(to).entries.emplace_back(plain(key), plain(value));
                break;
            case Kind::kTensor:
                fill_tensor(static_cast<const TensorNode&>(from), static_cast<TensorNode&>(to));
                break;
            default: {
                const auto& object = static_cast<const ObjectNode&>(from);
                auto& made = static_cast<ObjectNode&>(to);
                for (const Value& item : object.items) made.items.push_back(plain(item));
                for (const auto& [key, value] : object.entries) made.entries.emplace_back(plain(key), plain(value));
            }
        }
    }

    void fill_tensor(const TensorNode& from, TensorNode& to) {
        to.dtype = from.dtype;
        to.shape = from.shape;
        to.stride = from.stride;
        to.offset = from.offset;
        to.storage = from.storage;
        to.conj = from.conj;
        to.neg = from.neg;
        to.requires_grad = from.requires_grad;
        to.layout = from.layout;
        to.dict = plain(from.dict);
        if (from.quantization) {
            to.quantization = std::make_unique<Quantization>(*from.quantization);
            to.quantization->scales = plain(from.quantization->scales);
            to.quantization->zero_points = plain(from.quantization->zero_points);
        }
        for (const auto& [name, part] : from.parts) to.parts.emplace_back(name, plain(part));
    }

    /// Mammoth's loader sets every entry of a buffer's dict as one of its tensors; what else a Buffer object knew
    /// stands beside it.
    void split_buffer() {
        if (!result_.root.is(Kind::kDict)) return;
        auto& entries = result_.root.dict().entries;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (!entries[i].first.is(Kind::kString) || entries[i].first.as_string() != "buffer" ||
                !is_buffer(entries[i].second))
                continue;
            const Value tensors = result_.pool().dict(), rest = result_.pool().dict();
            for (const auto& entry : entries[i].second.dict().entries)
                (entry.second.is(Kind::kTensor) ? tensors : rest).dict().entries.push_back(entry);
            entries[i].second = tensors;
            entries.emplace(entries.begin() + static_cast<std::ptrdiff_t>(i) + 1, result_.pool().string("buffer_state"),
                            rest);
            return;
        }
    }
    bool is_buffer(const Value& value) const {
        return std::any_of(made_.begin(), made_.end(), [&](const auto& made) {
            return made.second == value && made.first->type == kBuffer && value.is(Kind::kDict);
        });
    }

    RecursiveTuples rings_;
    Document result_;
    std::unordered_map<const Node*, Value> made_;
    std::vector<std::pair<const Node*, Node*>> todo_;
};

}  // namespace

std::vector<Loss> weights_only_losses(const Document& document) {
    std::vector<Loss> losses;
    const RecursiveTuples rings(document.root);
    walk(document.root, [&](const Visit& visit) {
        if (visit.same_as != nullptr) return WalkStep::kInto;
        if (rings.contains(visit.value)) {
            losses.push_back({visit.path, "is a tuple that contains itself, which weights_only loading refuses"});
            return WalkStep::kOver;
        }
        const auto look_at = [&](const Value& held, std::string_view what) {
            if (std::string why = loss_of(held); !why.empty())
                losses.push_back({visit.path, fmt::format("has {} {} that {}", what, key_text(held), why)});
        };
        if (std::string why = loss_of(visit.value); !why.empty()) {
            losses.push_back({visit.path, std::move(why)});
            if (is_dropped(visit.value)) return WalkStep::kOver;
        }
        if (visit.value.is(Kind::kDict)) {
            for (const auto& [key, value] : visit.value.dict().entries) look_at(key, "a key");
        } else if (visit.value.is(Kind::kSet)) {
            for (const Value& item : visit.value.sequence().items) look_at(item, "an item");
        }
        return WalkStep::kInto;
    });
    return losses;
}

Document weights_only_document(const Document& document) {
    return Plainer(document).take();
}

}  // namespace ckpt
