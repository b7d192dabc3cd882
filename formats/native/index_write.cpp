// Nodes become a flat list, so no depth is too deep.
#include "formats/native/index_write.hpp"

#include <msgpack.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::native {
namespace {

constexpr std::int8_t kNodeReference = 1;

class StringBuffer {
public:
    void write(const char* bytes, std::size_t size) { text.append(bytes, size); }
    std::string text;
};
using Packer = msgpack::packer<StringBuffer>;

void pack_text(Packer& packer, std::string_view text) {
    packer.pack_str(static_cast<std::uint32_t>(text.size()));
    packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

/// Always float 64, bit for bit: pack_double would write 2.0 as the integer 2.
void pack_float(StringBuffer& buffer, double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    buffer.text.push_back('\xcb');
    for (unsigned i = 0; i < 8; ++i) buffer.text.push_back(static_cast<char>(bits >> (56 - 8 * i)));
}

void pack_bin(Packer& packer, std::string_view bytes) {
    packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

std::uint32_t count32(std::size_t count) {
    if (count > std::numeric_limits<std::uint32_t>::max())
        throw_error(ErrorCode::kRefused, "{} items in one container are more than the native layout can count", count);
    return static_cast<std::uint32_t>(count);
}

void pack_numbers(Packer& packer, const std::vector<std::int64_t>& numbers) {
    packer.pack_array(count32(numbers.size()));
    for (const auto number : numbers) packer.pack_int64(number);
}

void pack_strides(Packer& packer, const TensorNode& tensor) {
    if (tensor.stride == contiguous_strides(tensor.shape)) {
        packer.pack_nil();
    } else {
        pack_numbers(packer, tensor.stride);
    }
}

bool is_long_text(const Node& node) {
    if (node.kind == Kind::kString) return static_cast<const StringNode&>(node).text.size() >= kTextInStorageBytes;
    if (node.kind == Kind::kBytes) return static_cast<const BytesNode&>(node).bytes.size() >= kTextInStorageBytes;
    return false;
}

const std::string& text_of(const Node& node) {
    return node.kind == Kind::kString ? static_cast<const StringNode&>(node).text
                                      : static_cast<const BytesNode&>(node).bytes;
}

/// Packs nodes; knows the numbers of nodes and storages.
class TreePacker {
public:
    TreePacker(StringBuffer& buffer, Packer& packer, const std::unordered_map<const Node*, std::uint64_t>& numbers,
               const std::unordered_map<const Storage*, std::size_t>& storages,
               const std::unordered_map<const Node*, std::size_t>& texts)
        : buffer_(buffer), packer_(packer), numbers_(numbers), storages_(storages), texts_(texts) {}

    void value(const Value& value) {
        if (const Node* node = value.node()) {
            const auto found = numbers_.find(node);
            if (found == numbers_.end()) {
                pack_text(packer_, static_cast<const StringNode&>(*node).text);
            } else {
                reference(found->second);
            }
            return;
        }
        switch (value.kind()) {
            case Kind::kBool:
                value.as_bool() ? packer_.pack_true() : packer_.pack_false();
                break;
            case Kind::kInt:
                if (const auto number = value.as_int64()) {
                    packer_.pack_int64(*number);
                } else {
                    packer_.pack_uint64(*value.as_uint64());
                }
                break;
            case Kind::kFloat:
                pack_float(buffer_, value.as_double());
                break;
            default:
                packer_.pack_nil();
        }
    }

    void node(const Node& node) {
        const bool has_recipe = node.recipe != nullptr;
        const std::uint32_t fields = node.attributes ? 5 : has_recipe ? 4 : node.type.empty() ? 2 : 3;
        packer_.pack_array(fields);
        packer_.pack_uint8(static_cast<std::uint8_t>(node.kind));
        content(node);
        if (fields >= 3) node.type.empty() ? static_cast<void>(packer_.pack_nil()) : pack_text(packer_, node.type);
        if (fields >= 4) has_recipe ? recipe(*node.recipe) : static_cast<void>(packer_.pack_nil());
        if (fields >= 5) named(*node.attributes);
    }

    void named(const NamedValues& values) {
        packer_.pack_array(count32(2 * values.size()));
        for (const auto& [name, item] : values) {
            pack_text(packer_, name);
            value(item);
        }
    }

private:
    void reference(std::uint64_t number) {
        std::array<char, 8> bytes;
        std::size_t size = 1;
        while (size < 8 && number >> (8 * size) != 0) ++size;
        for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(number >> (8 * (size - 1 - i)));
        packer_.pack_ext(size, kNodeReference);
        packer_.pack_ext_body(bytes.data(), static_cast<std::uint32_t>(size));
    }

    void items(const std::vector<Value>& values) {
        packer_.pack_array(count32(values.size()));
        for (const Value& item : values) value(item);
    }
    void entries(const std::vector<std::pair<Value, Value>>& pairs) {
        packer_.pack_array(count32(2 * pairs.size()));
        for (const auto& [key, item] : pairs) {
            value(key);
            value(item);
        }
    }

    void content(const Node& node) {
        switch (node.kind) {
            case Kind::kNull:
                packer_.pack_array(0);
                break;
            case Kind::kInt:
                packer_.pack_array(1);
                if (const auto* big = dynamic_cast<const BigIntNode*>(&node)) {
                    pack_bin(packer_, big->bytes);
                    break;
                }
                scalar(static_cast<const ScalarNode&>(node).value);
                break;
            case Kind::kBool:
            case Kind::kFloat:
                packer_.pack_array(1);
                value(static_cast<const ScalarNode&>(node).value);
                break;
            case Kind::kComplex: {
                const auto& complex = static_cast<const ScalarNode&>(node);
                packer_.pack_array(2);
                pack_float(buffer_, complex.value.as_double());
                pack_float(buffer_, complex.imaginary);
                break;
            }
            case Kind::kString:
            case Kind::kBytes:
                packer_.pack_array(1);
                if (const auto found = texts_.find(&node); found != texts_.end()) {
                    packer_.pack_uint64(found->second);
                } else if (node.kind == Kind::kString) {
                    pack_text(packer_, text_of(node));
                } else {
                    pack_bin(packer_, text_of(node));
                }
                break;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                items(static_cast<const SequenceNode&>(node).items);
                break;
            case Kind::kDict:
                entries(static_cast<const DictNode&>(node).entries);
                break;
            case Kind::kTensor:
                tensor(static_cast<const TensorNode&>(node));
                break;
            case Kind::kObject:
                packer_.pack_array(2);
                items(static_cast<const ObjectNode&>(node).items);
                entries(static_cast<const ObjectNode&>(node).entries);
                break;
        }
    }

    /// A number with a class may itself need more than 64 bits.
    void scalar(const Value& number) {
        if (number.node() == nullptr) {
            value(number);
        } else {
            pack_bin(packer_, number.integer_bytes());
        }
    }

    void tensor(const TensorNode& tensor) {
        packer_.pack_array(6);
        pack_text(packer_, dtype_name(tensor.dtype));
        pack_numbers(packer_, tensor.shape);
        pack_strides(packer_, tensor);
        packer_.pack_int64(tensor.offset);
        if (tensor.storage) {
            packer_.pack_uint64(storages_.at(tensor.storage.get()));
        } else {
            packer_.pack_nil();
        }
        const auto count =
            static_cast<std::uint32_t>((tensor.conj ? 1 : 0) + (tensor.neg ? 1 : 0) + (tensor.requires_grad ? 1 : 0) +
                                       (tensor.layout.empty() ? 0 : 1) + (tensor.quantization ? 1 : 0) +
                                       (tensor.parts.empty() ? 0 : 1) + (tensor.dict.is_null() ? 0 : 1));
        if (count == 0) {
            packer_.pack_nil();
            return;
        }
        packer_.pack_map(count);
        const auto flag = [&](bool is_set, std::string_view name) {
            if (!is_set) return;
            pack_text(packer_, name);
            packer_.pack_true();
        };
        flag(tensor.conj, "conj");
        flag(tensor.neg, "neg");
        flag(tensor.requires_grad, "requires_grad");
        if (!tensor.layout.empty()) {
            pack_text(packer_, "layout");
            pack_text(packer_, tensor.layout);
        }
        if (tensor.quantization) {
            const Quantization& q = *tensor.quantization;
            pack_text(packer_, "quantization");
            packer_.pack_array(6);
            pack_text(packer_, q.scheme);
            pack_float(buffer_, q.scale);
            packer_.pack_int64(q.zero_point);
            value(q.scales);
            value(q.zero_points);
            packer_.pack_int64(q.axis);
        }
        if (!tensor.parts.empty()) {
            pack_text(packer_, "parts");
            named(tensor.parts);
        }
        if (!tensor.dict.is_null()) {
            pack_text(packer_, "dict");
            value(tensor.dict);
        }
    }

    void recipe(const Recipe& recipe) {
        packer_.pack_array(7);
        packer_.pack_uint8(static_cast<std::uint8_t>(recipe.how));
        pack_text(packer_, recipe.callable);
        packer_.pack_uint64(recipe.module_length);
        value(recipe.callee);
        value(recipe.args);
        value(recipe.kwargs);
        value(recipe.state);
    }

    StringBuffer& buffer_;
    Packer& packer_;
    const std::unordered_map<const Node*, std::uint64_t>& numbers_;
    const std::unordered_map<const Storage*, std::size_t>& storages_;
    const std::unordered_map<const Node*, std::size_t>& texts_;
};

}  // namespace

DocumentSurvey::DocumentSurvey(const Document& document) : document_(document) {
    std::vector<const Node*> below;
    meet(document.root);
    for (const auto& [name, value] : document.attributes) meet(value);
    std::reverse(todo_.begin(), todo_.end());
    while (!todo_.empty()) {
        const Node* node = todo_.back();
        todo_.pop_back();
        met_.push_back(node);
        add_storage(*node);
        const std::size_t before = todo_.size();
        // Provenance too: it is small, and with it a torch archive comes back byte for byte. Nothing is changed here.
        for_each_value(const_cast<Node&>(*node), [this](Value& value) { meet(value); });
        std::reverse(todo_.begin() + static_cast<std::ptrdiff_t>(before), todo_.end());  // the first is met first
    }
    for (const Node* node : met_) {
        if (is_in_place(*node)) continue;
        numbers_.emplace(node, nodes_.size());
        nodes_.push_back(node);
    }
    name_tensors();
}

void DocumentSurvey::meet(const Value& value) {
    const Node* node = value.node();
    if (node != nullptr && ++meetings_[node] == 1) todo_.push_back(node);
}

/// A plain text at one place only needs no identity.
bool DocumentSurvey::is_in_place(const Node& node) const {
    return node.kind == Kind::kString && node.type.empty() && !node.attributes && meetings_.at(&node) == 1 &&
           !is_long_text(node);
}

void DocumentSurvey::add_storage(const Node& node) {
    if (node.kind == Kind::kTensor) {
        const auto& tensor = static_cast<const TensorNode&>(node);
        if (!tensor.storage || !storage_numbers_.try_emplace(tensor.storage.get(), storages_.size()).second) return;
        storages_.push_back({tensor.storage->blob, element_kind(tensor.dtype), tensor.storage->location, {}, {}});
    } else if (is_long_text(node)) {
        text_numbers_.emplace(&node, storages_.size());
        storages_.push_back({memory_blob(text_of(node)), ElementKind::kText, {}, {}, {}});
    }
}

void DocumentSurvey::name_tensors() {
    constexpr std::size_t kDeepestNamed = 1000;  // a path is as long as its depth
    walk(
        document_.root,
        [this](const Visit& visit) {
            if (visit.same_as != nullptr || !visit.value.is(Kind::kTensor)) return WalkStep::kInto;
            const TensorNode& tensor = visit.value.tensor();
            if (!tensor.storage) return WalkStep::kInto;
            const auto found = storage_numbers_.find(tensor.storage.get());
            if (found == storage_numbers_.end()) return WalkStep::kInto;
            storages_[found->second].tensors.push_back(&tensor);
            storages_[found->second].paths.push_back(visit.path);
            return WalkStep::kInto;
        },
        kDeepestNamed);
}

std::string DocumentSurvey::pack_tree() const {
    StringBuffer buffer;
    Packer packer(buffer);
    TreePacker tree(buffer, packer, numbers_, storage_numbers_, text_numbers_);
    pack_text(packer, "nodes");
    packer.pack_array(count32(nodes_.size()));
    for (const Node* node : nodes_) tree.node(*node);
    pack_text(packer, "root");
    tree.value(document_.root);
    pack_text(packer, "attributes");
    tree.named(document_.attributes);
    return std::move(buffer.text);
}

std::string pack_names(const std::vector<StorageName>& names) {
    StringBuffer buffer;
    Packer packer(buffer);
    packer.pack_array(count32(names.size()));
    for (const StorageName& name : names) {
        packer.pack_array(4);
        packer.pack_uint64(name.number);
        packer.pack_uint64(name.offset);
        packer.pack_uint64(name.size_bytes);
        packer.pack_array(count32(name.storage->tensors.size()));
        for (std::size_t i = 0; i < name.storage->tensors.size(); ++i) {
            const TensorNode& tensor = *name.storage->tensors[i];
            packer.pack_array(5);
            pack_text(packer, name.storage->paths[i]);
            pack_text(packer, dtype_name(tensor.dtype));
            pack_numbers(packer, tensor.shape);
            pack_strides(packer, tensor);
            packer.pack_int64(tensor.offset);
        }
    }
    return std::move(buffer.text);
}

std::string pack_index(const std::string& tree, const std::vector<ChunkEntry>& chunks,
                       const std::vector<StorageEntry>& storages) {
    StringBuffer buffer;
    Packer packer(buffer);
    packer.pack_map(7);
    pack_text(packer, "producer");
    pack_text(packer, "ckpt " CKPT_VERSION);
    pack_text(packer, "base");
    packer.pack_nil();
    pack_text(packer, "chunks");
    packer.pack_array(count32(chunks.size()));
    for (const ChunkEntry& chunk : chunks) {
        packer.pack_array(5);
        packer.pack_uint64(chunk.offset);
        packer.pack_uint64(chunk.stored_bytes);
        packer.pack_uint64(chunk.raw_bytes);
        packer.pack_uint8(static_cast<std::uint8_t>(chunk.codec));
        packer.pack_uint64(chunk.xxh3);
    }
    pack_text(packer, "storages");
    packer.pack_array(count32(storages.size()));
    for (const StorageEntry& storage : storages) {
        packer.pack_array(5);
        packer.pack_uint64(storage.size_bytes);
        packer.pack_uint64(storage.first_chunk);
        packer.pack_uint64(storage.offset);
        std::string digest;
        for (const std::uint64_t half : {storage.digest->high, storage.digest->low}) {
            for (unsigned i = 0; i < 8; ++i) digest.push_back(static_cast<char>(half >> (56 - 8 * i)));
        }
        pack_bin(packer, digest);
        pack_text(packer, storage.location);
    }
    buffer.text += tree;
    return std::move(buffer.text);
}

}  // namespace ckpt::native
