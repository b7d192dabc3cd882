// Two passes over the nodes: make them all, then fill them, since they may refer to each other in any order.
#include "formats/native/index_read.hpp"

#include <msgpack.hpp>

#include <algorithm>
#include <initializer_list>

#include "formats/native/records.hpp"
#include "formats/shared/pickle/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {
namespace {

using Object = msgpack::object;
using Type = msgpack::type::object_type;

constexpr std::int8_t kNodeReference = 1;
constexpr std::size_t kDeepest = 12;  // of the index's own structure, which does not grow with the document

std::string_view type_name(Type type) {
    switch (type) {
        case Type::NIL:
            return "nil";
        case Type::BOOLEAN:
            return "a bool";
        case Type::POSITIVE_INTEGER:
        case Type::NEGATIVE_INTEGER:
            return "an integer";
        case Type::FLOAT32:
        case Type::FLOAT64:
            return "a float";
        case Type::STR:
            return "text";
        case Type::BIN:
            return "bytes";
        case Type::ARRAY:
            return "an array";
        case Type::MAP:
            return "a map";
        default:
            return "an extension";
    }
}

[[noreturn]] void unexpected(const Object& object, std::string_view what, std::string_view wanted) {
    throw_damaged("index: {} is {}, not {}", what, type_name(object.type), wanted);
}

/// What an array holds, with bounds.
class Items {
public:
    Items(const Object& object, std::string_view what, std::size_t least = 0) : what_(what) {
        if (object.type != Type::ARRAY) unexpected(object, what, "an array");
        array_ = object.via.array;
        if (array_.size < least) throw_damaged("index: {} has {} items, {} are due", what, array_.size, least);
    }
    std::size_t size() const { return array_.size; }
    const Object& operator[](std::size_t i) const { return array_.ptr[i]; }
    const Object* begin() const { return array_.ptr; }
    const Object* end() const { return array_.ptr + array_.size; }

private:
    msgpack::object_array array_{};
    std::string_view what_;
};

std::uint64_t unsigned_number(const Object& object, std::string_view what) {
    if (object.type != Type::POSITIVE_INTEGER) unexpected(object, what, "a number from 0 on");
    return object.via.u64;
}

std::int64_t signed_number(const Object& object, std::string_view what) {
    if (object.type == Type::NEGATIVE_INTEGER) return object.via.i64;
    const std::uint64_t number = unsigned_number(object, what);
    if (number > INT64_MAX) throw_damaged("index: {} is {}, beyond 63 bits", what, number);
    return static_cast<std::int64_t>(number);
}

std::string_view text(const Object& object, std::string_view what) {
    if (object.type != Type::STR) unexpected(object, what, "text");
    const std::string_view found(object.via.str.ptr, object.via.str.size);
    if (!is_utf8_with_surrogates(found)) throw_damaged("index: {} is no UTF-8", what);
    return found;
}

std::string_view bin(const Object& object, std::string_view what) {
    if (object.type != Type::BIN) unexpected(object, what, "bytes");
    return {object.via.bin.ptr, object.via.bin.size};
}

double real(const Object& object, std::string_view what) {
    if (object.type != Type::FLOAT64 && object.type != Type::FLOAT32) unexpected(object, what, "a float");
    return object.via.f64;
}

bool boolean(const Object& object, std::string_view what) {
    if (object.type != Type::BOOLEAN) unexpected(object, what, "a bool");
    return object.via.boolean;
}

std::vector<std::int64_t> numbers(const Object& object, std::string_view what) {
    std::vector<std::int64_t> result;
    for (const Object& item : Items(object, what)) result.push_back(signed_number(item, what));
    return result;
}

DType dtype(const Object& object) {
    const std::string_view name = text(object, "a dtype");
    const auto found = dtype_from_name(name);
    if (!found) throw_error(ErrorCode::kUnsupported, "index: '{}' is no dtype that is known", name);
    return *found;
}

/// The parsed form keeps pointers into the bytes; containers are bounded by how many bytes there are to fill them.
msgpack::object_handle parse(std::string_view bytes, std::string_view what) {
    const std::size_t most = bytes.size();
    std::size_t end = 0;
    try {
        auto handle = msgpack::unpack(
            bytes.data(), bytes.size(), end, [](Type, std::size_t, void*) { return true; }, nullptr,
            msgpack::unpack_limit(most, most / 2 + 1, most, most, most, kDeepest));
        if (end != bytes.size()) throw_damaged("{}: {} bytes follow its end", what, bytes.size() - end);
        return handle;
    } catch (const msgpack::unpack_error& error) {
        throw_damaged("{}: is no msgpack: {}", what, error.what());
    }
}

class TreeReader {
public:
    TreeReader(Document& document, const std::shared_ptr<ChunkStore>& store, const Context& context)
        : document_(document), pool_(document.pool()), store_(store), context_(context) {
        storages_.reserve(store->storages().size());
        for (std::uint64_t i = 0; i < store->storages().size(); ++i) {
            const StorageEntry& entry = store->storages()[static_cast<std::size_t>(i)];
            const std::uint64_t like = store->first_like(i);
            // One blob for the same bytes in the same place: whoever compares two sees at once that they are equal.
            storages_.push_back(std::make_shared<const Storage>(
                Storage{like == i ? ChunkStore::blob(store, i) : storages_[static_cast<std::size_t>(like)]->blob,
                        entry.location}));
        }
    }

    LongTexts run(const Object& nodes_object, const Object& root, const Object& attributes) {
        const Items nodes(nodes_object, "nodes");
        if (nodes.size() > context_.limits.max_nodes) {
            throw_error(ErrorCode::kRefused, "index: {} nodes are over the limit of {}", nodes.size(),
                        context_.limits.max_nodes);
        }
        nodes_.reserve(nodes.size());
        for (const Object& node : nodes) nodes_.push_back(make(Items(node, "a node", 2)));
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if ((i & 0xfff) == 0) context_.check_cancelled();
            fill(*nodes_[i], Items(nodes[i], "a node", 2));
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i) check_parts(*nodes_[i], i);
        document_.root = value(root);
        document_.attributes = named(attributes, "attributes");
        return std::move(texts_);
    }

private:
    Node* make(const Items& node) {
        const std::uint64_t number = unsigned_number(node[0], "a node's kind");
        if (number > static_cast<std::uint64_t>(Kind::kObject)) throw_damaged("index: a node has kind {}", number);
        const Kind kind = static_cast<Kind>(number);
        switch (kind) {
            case Kind::kNull:
                return pool_.make<Node>(kind);
            case Kind::kInt: {
                const Items content(node[1], "an integer", 1);
                const bool is_plain = node.size() < 3 || node[2].type == Type::NIL;
                if (content[0].type == Type::BIN && is_plain) return pool_.make<BigIntNode>();
                return pool_.make<ScalarNode>(kind);
            }
            case Kind::kBool:
            case Kind::kFloat:
            case Kind::kComplex:
                return pool_.make<ScalarNode>(kind);
            case Kind::kString:
                return pool_.make<StringNode>();
            case Kind::kBytes:
                return pool_.make<BytesNode>();
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                return pool_.make<SequenceNode>(kind);
            case Kind::kDict:
                return pool_.make<DictNode>();
            case Kind::kTensor:
                return pool_.make<TensorNode>();
            default:
                return pool_.make<ObjectNode>();
        }
    }

    void fill(Node& node, const Items& fields) {
        if (fields.size() > 2 && fields[2].type != Type::NIL) node.type = text(fields[2], "a class name");
        if (fields.size() > 3 && fields[3].type != Type::NIL) node.recipe = recipe(fields[3]);
        if (fields.size() > 4 && fields[4].type != Type::NIL)
            node.attributes = std::make_unique<NamedValues>(named(fields[4], "a node's attributes"));
        content(node, fields[1]);
    }

    void content(Node& node, const Object& object) {
        switch (node.kind) {
            case Kind::kNull:
                break;
            case Kind::kBool:
                static_cast<ScalarNode&>(node).value = Value::boolean(boolean(Items(object, "a bool", 1)[0], "a bool"));
                break;
            case Kind::kInt:
                integer(node, Items(object, "an integer", 1)[0]);
                break;
            case Kind::kFloat:
                static_cast<ScalarNode&>(node).value = Value::real(real(Items(object, "a float", 1)[0], "a float"));
                break;
            case Kind::kComplex: {
                const Items parts(object, "a complex number", 2);
                static_cast<ScalarNode&>(node).value = Value::real(real(parts[0], "a real part"));
                static_cast<ScalarNode&>(node).imaginary = real(parts[1], "an imaginary part");
                break;
            }
            case Kind::kString:
                static_cast<StringNode&>(node).text = long_text(Items(object, "a text", 1)[0], node);
                break;
            case Kind::kBytes:
                static_cast<BytesNode&>(node).bytes = long_text(Items(object, "bytes", 1)[0], node);
                break;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                items(static_cast<SequenceNode&>(node).items, object);
                break;
            case Kind::kDict:
                entries(static_cast<DictNode&>(node).entries, object);
                break;
            case Kind::kTensor:
                tensor(static_cast<TensorNode&>(node), Items(object, "a tensor", 6));
                break;
            case Kind::kObject: {
                const Items parts(object, "an object", 2);
                items(static_cast<ObjectNode&>(node).items, parts[0]);
                entries(static_cast<ObjectNode&>(node).entries, parts[1]);
                break;
            }
        }
    }

    void integer(Node& node, const Object& object) {
        if (object.type == Type::BIN) {
            const std::string_view bytes = bin(object, "an integer");
            if (bytes.empty()) throw_damaged("index: an integer of no bytes");
            if (auto* big = dynamic_cast<BigIntNode*>(&node)) {
                big->bytes = bytes;
            } else {
                static_cast<ScalarNode&>(node).value = pool_.integer(bytes);
            }
            return;
        }
        static_cast<ScalarNode&>(node).value = object.type == Type::NEGATIVE_INTEGER
                                                   ? Value::integer(object.via.i64)
                                                   : Value::unsigned_integer(unsigned_number(object, "an integer"));
    }

    /// In place, or out of a storage.
    std::string long_text(const Object& object, const Node& node) {
        if (object.type != Type::POSITIVE_INTEGER)
            return std::string(node.kind == Kind::kString ? text(object, "a text") : bin(object, "bytes"));
        const StoragePtr storage = storage_at(object.via.u64);
        inline_bytes_ += storage->blob->size_bytes();
        if (storage->blob->size_bytes() > context_.limits.max_inline_bytes ||
            inline_bytes_ > context_.limits.max_inline_bytes) {
            throw_error(ErrorCode::kRefused, "index: texts of more than {} bytes are over the limit",
                        context_.limits.max_inline_bytes);
        }
        texts_.storages.emplace(&node, object.via.u64);
        try {
            return read_all(*storage->blob, context_.limits.max_inline_bytes);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged && error.code() != ErrorCode::kUnsupported) throw;
            texts_.lost.emplace_back(&node, error);
            return {};
        }
    }

    StoragePtr storage_at(std::uint64_t number) const {
        if (number >= storages_.size()) throw_damaged("index: storage {} of {}", number, storages_.size());
        return storages_[static_cast<std::size_t>(number)];
    }

    Value value(const Object& object) {
        switch (object.type) {
            case Type::NIL:
                return {};
            case Type::BOOLEAN:
                return Value::boolean(object.via.boolean);
            case Type::POSITIVE_INTEGER:
                return Value::unsigned_integer(object.via.u64);
            case Type::NEGATIVE_INTEGER:
                return Value::integer(object.via.i64);
            case Type::FLOAT32:
            case Type::FLOAT64:
                return Value::real(object.via.f64);
            case Type::STR:
                return pool_.string(std::string(text(object, "a text")));
            case Type::EXT:
                return Value::of(node_at(object.via.ext));
            default:
                unexpected(object, "a value", "one of the kinds that stand in place");
        }
    }

    Node* node_at(const msgpack::object_ext& ext) const {
        if (ext.type() != kNodeReference || ext.size > 8 || ext.size == 0)
            throw_damaged("index: an extension of type {} and {} bytes", ext.type(), ext.size);
        std::uint64_t number = 0;
        for (std::uint32_t i = 0; i < ext.size; ++i) number = number << 8 | static_cast<unsigned char>(ext.data()[i]);
        if (number >= nodes_.size()) throw_damaged("index: node {} of {}", number, nodes_.size());
        return nodes_[static_cast<std::size_t>(number)];
    }

    void items(std::vector<Value>& out, const Object& object) {
        const Items list(object, "the items of a container");
        out.reserve(list.size());
        for (const Object& item : list) out.push_back(value(item));
    }

    void entries(std::vector<std::pair<Value, Value>>& out, const Object& object) {
        const Items list(object, "the entries of a dict");
        if (list.size() % 2 != 0) throw_damaged("index: a dict has {} keys and values", list.size());
        out.reserve(list.size() / 2);
        for (std::size_t i = 0; i < list.size(); i += 2) {
            const Value key = value(list[i]);
            out.emplace_back(key, value(list[i + 1]));
        }
    }

    NamedValues named(const Object& object, std::string_view what) {
        const Items list(object, what);
        if (list.size() % 2 != 0) throw_damaged("index: {} has {} names and values", what, list.size());
        NamedValues result;
        for (std::size_t i = 0; i < list.size(); i += 2)
            result.emplace_back(std::string(text(list[i], "a name")), value(list[i + 1]));
        return result;
    }

    std::unique_ptr<Recipe> recipe(const Object& object) {
        const Items fields(object, "a recipe", 7);
        auto made = std::make_unique<Recipe>();
        const std::uint64_t how = unsigned_number(fields[0], "a recipe's kind");
        if (how > static_cast<std::uint64_t>(Recipe::How::kGlobal)) throw_damaged("index: a recipe has kind {}", how);
        made->how = static_cast<Recipe::How>(how);
        made->callable = text(fields[1], "a callable");
        made->module_length = static_cast<std::size_t>(unsigned_number(fields[2], "a module's length"));
        if (made->module_length > made->callable.size())
            throw_damaged("index: a module name of {} characters in '{}'", made->module_length, made->callable);
        made->callee = value(fields[3]);
        made->args = value(fields[4]);
        made->kwargs = value(fields[5]);
        made->state = value(fields[6]);
        if (!made->args.is_null() && !made->args.is(Kind::kTuple))
            throw_damaged("index: a recipe's arguments are a {}", kind_name(made->args.kind()));
        if (!made->kwargs.is_null() && !made->kwargs.is(Kind::kDict))
            throw_damaged("index: a recipe's keyword arguments are a {}", kind_name(made->kwargs.kind()));
        return made;
    }

    void tensor(TensorNode& node, const Items& fields) {
        node.dtype = dtype(fields[0]);
        node.shape = numbers(fields[1], "a shape");
        if (fields[2].type != Type::NIL) {
            node.stride = numbers(fields[2], "strides");
        } else {
            const bool is_ragged =
                std::any_of(node.shape.begin(), node.shape.end(), [](auto size) { return size < 0; });
            if (!is_ragged && !node.element_count()) throw_damaged("index: the product of a shape overflows 64 bits");
            node.stride = contiguous_strides(node.shape);
        }
        node.offset = signed_number(fields[3], "an offset");
        if (fields[4].type != Type::NIL) node.storage = storage_at(unsigned_number(fields[4], "a storage's number"));
        if (fields[5].type == Type::NIL) return;
        if (fields[5].type != Type::MAP) unexpected(fields[5], "more of a tensor", "a map");
        for (std::uint32_t i = 0; i < fields[5].via.map.size; ++i) {
            const msgpack::object_kv& entry = fields[5].via.map.ptr[i];
            const std::string_view key = text(entry.key, "a key");
            if (key == "conj") node.conj = boolean(entry.val, key);
            if (key == "neg") node.neg = boolean(entry.val, key);
            if (key == "requires_grad") node.requires_grad = boolean(entry.val, key);
            if (key == "layout") node.layout = text(entry.val, key);
            if (key == "quantization") node.quantization = quantization(Items(entry.val, key, 6));
            if (key == "parts") node.parts = named(entry.val, key);
            if (key == "dict") node.dict = value(entry.val);
        }
    }

    std::unique_ptr<Quantization> quantization(const Items& fields) {
        auto made = std::make_unique<Quantization>();
        made->scheme = text(fields[0], "a scheme");
        made->scale = real(fields[1], "a scale");
        made->zero_point = signed_number(fields[2], "a zero point");
        made->scales = value(fields[3]);
        made->zero_points = value(fields[4]);
        made->axis = signed_number(fields[5], "an axis");
        return made;
    }

    /// What other code takes for granted of a tensor; asked when all nodes are filled.
    void check_parts(const Node& node, std::size_t number) const {
        if (node.kind != Kind::kTensor) return;
        const auto& tensor = static_cast<const TensorNode&>(node);
        for (const auto& [name, part] : tensor.parts) {
            if (!part.is(Kind::kTensor))
                throw_damaged("index: part '{}' of a tensor is a {}", name, kind_name(part.kind()));
        }
        if (tensor.layout.empty() || tensor.layout == "meta") tensor.check_bounds(fmt::format("node {}", number));
        const bool needs_storage = tensor.layout.empty() && tensor.element_count().value_or(1) != 0;
        if (needs_storage && !tensor.storage) throw_damaged("index: a tensor has no storage");
    }

    Document& document_;
    Pool& pool_;
    const std::shared_ptr<ChunkStore>& store_;
    const Context& context_;
    std::vector<StoragePtr> storages_;
    std::vector<Node*> nodes_;
    std::uint64_t inline_bytes_ = 0;
    LongTexts texts_;
};

}  // namespace

struct IndexReader::Parsed {
    msgpack::object_handle handle;

    const Object& entry(std::string_view key) const {
        const Object& map = handle.get();
        for (std::uint32_t i = 0; i < map.via.map.size; ++i) {
            const Object& found = map.via.map.ptr[i].key;
            if (found.type == Type::STR && std::string_view(found.via.str.ptr, found.via.str.size) == key)
                return map.via.map.ptr[i].val;
        }
        throw_damaged("index: '{}' is missing", key);
    }
};

IndexReader::IndexReader(std::string_view bytes, std::uint64_t payload_end) : parsed_(std::make_unique<Parsed>()) {
    parsed_->handle = parse(bytes, "index");
    if (parsed_->handle.get().type != Type::MAP) unexpected(parsed_->handle.get(), "the whole", "a map");
    opened_.producer = text(parsed_->entry("producer"), "the producer");
    if (parsed_->entry("base").type != Type::NIL)
        throw_error(ErrorCode::kUnsupported, "holds differences from another file, which this version does not read");
    std::uint64_t end = kHeaderBytes;
    std::uint64_t raw_bytes = 0;
    for (const Object& object : Items(parsed_->entry("chunks"), "chunks")) {
        const Items fields(object, "a chunk", 5);
        ChunkEntry chunk;
        chunk.offset = unsigned_number(fields[0], "a chunk's offset");
        chunk.stored_bytes = unsigned_number(fields[1], "a chunk's stored size");
        chunk.raw_bytes = unsigned_number(fields[2], "a chunk's raw size");
        chunk.codec = static_cast<CodecId>(std::min<std::uint64_t>(unsigned_number(fields[3], "a codec"), 255));
        chunk.xxh3 = unsigned_number(fields[4], "a chunk's checksum");
        const std::size_t number = opened_.chunks.size();
        if (chunk.offset < end || chunk.offset > payload_end || chunk.stored_bytes > payload_end - chunk.offset)
            throw_damaged("index: chunk {} of {} bytes at byte {} does not lie between {} and {}", number,
                          chunk.stored_bytes, chunk.offset, end, payload_end);
        if (chunk.raw_bytes == 0 || chunk.raw_bytes > kMostChunkBytes || chunk.stored_bytes > kMostChunkBytes)
            throw_damaged("index: chunk {} has {} bytes, stored in {}", number, chunk.raw_bytes, chunk.stored_bytes);
        if (chunk.raw_bytes > most_chunk_bytes(chunk.stored_bytes))
            throw_error(ErrorCode::kRefused,
                        "index: chunk {} of {} bytes, stored in {}, is over the limit of 64 times that and 1 MiB",
                        number, chunk.raw_bytes, chunk.stored_bytes);
        // Pieces of a raw run lie side by side; before any other chunk stands its record's header.
        if (chunk.codec != CodecId::kRaw && (number == 0 ? chunk.offset : chunk.offset - end) < kHeaderBytes)
            throw_damaged("index: chunk {} at byte {} has no place for its header", number, chunk.offset);
        end = chunk.offset + chunk.stored_bytes;
        raw_bytes += chunk.raw_bytes;
        opened_.chunks.push_back(chunk);
    }
    std::vector<std::uint64_t> positions(1, 0);
    for (const ChunkEntry& chunk : opened_.chunks) positions.push_back(positions.back() + chunk.raw_bytes);
    for (const Object& object : Items(parsed_->entry("storages"), "storages")) {
        const Items fields(object, "a storage", 5);
        StorageEntry storage;
        storage.size_bytes = unsigned_number(fields[0], "a storage's size");
        storage.first_chunk = unsigned_number(fields[1], "a storage's first chunk");
        storage.offset = unsigned_number(fields[2], "a storage's offset");
        const std::string_view digest = bin(fields[3], "a storage's digest");
        if (digest.size() != 16) throw_damaged("index: a digest of {} bytes", digest.size());
        Digest128 value;
        for (std::size_t i = 0; i < 16; ++i) {
            std::uint64_t& half = i < 8 ? value.high : value.low;
            half = half << 8 | static_cast<unsigned char>(digest[i]);
        }
        storage.digest = value;
        storage.location = text(fields[4], "a storage's location");
        const std::size_t number = opened_.storages.size();
        const bool is_inside =
            storage.size_bytes == 0 ||
            (storage.first_chunk < opened_.chunks.size() &&
             storage.offset < opened_.chunks[static_cast<std::size_t>(storage.first_chunk)].raw_bytes &&
             storage.size_bytes <=
                 raw_bytes - positions[static_cast<std::size_t>(storage.first_chunk)] - storage.offset);
        if (!is_inside)
            throw_damaged("index: storage {} of {} bytes at {} of chunk {} leaves the chunks", number,
                          storage.size_bytes, storage.offset, storage.first_chunk);
        opened_.storages.push_back(std::move(storage));
    }
}

IndexReader::~IndexReader() = default;

LongTexts IndexReader::read_tree(Document& document, const std::shared_ptr<ChunkStore>& store,
                                 const Context& context) const {
    return TreeReader(document, store, context)
        .run(parsed_->entry("nodes"), parsed_->entry("root"), parsed_->entry("attributes"));
}

std::string unpack_names(std::string_view packed) {
    constexpr std::size_t kMostBytes = std::size_t{256} << 20;
    if (packed.size() < 4) throw_damaged("names: {} bytes", packed.size());
    std::size_t size = 0;
    for (std::size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(packed[i]);
    const std::size_t most = std::min<std::size_t>(kMostBytes, most_names_bytes(packed.size()));
    if (size > most) throw_damaged("names: {} bytes are over the limit of {}", size, most);
    std::string names(size, '\0');
    const std::string_view frame = packed.substr(4);
    zstd_unframe(std::as_bytes(std::span(frame.data(), frame.size())),
                 std::as_writable_bytes(std::span(names.data(), names.size())));
    return names;
}

std::vector<NamedStorage> read_names(std::string_view bytes) {
    const msgpack::object_handle handle = parse(bytes, "names");
    std::vector<NamedStorage> names;
    for (const Object& object : Items(handle.get(), "names")) {
        const Items fields(object, "a storage's name", 4);
        NamedStorage name;
        name.number = unsigned_number(fields[0], "a storage's number");
        name.offset = unsigned_number(fields[1], "a storage's offset");
        name.size_bytes = unsigned_number(fields[2], "a storage's size");
        for (const Object& item : Items(fields[3], "a storage's tensors")) {
            const Items parts(item, "a tensor's name", 5);
            NamedTensor tensor;
            tensor.path = text(parts[0], "a path");
            tensor.dtype = dtype(parts[1]);
            tensor.shape = numbers(parts[2], "a shape");
            const bool is_ragged =
                std::any_of(tensor.shape.begin(), tensor.shape.end(), [](auto size) { return size < 0; });
            if (parts[3].type != Type::NIL) {
                tensor.stride = numbers(parts[3], "strides");
            } else if (!is_ragged) {
                tensor.stride = contiguous_strides(tensor.shape);
            }
            tensor.offset = signed_number(parts[4], "an offset");
            name.tensors.push_back(std::move(tensor));
        }
        names.push_back(std::move(name));
    }
    return names;
}

}  // namespace ckpt::native
