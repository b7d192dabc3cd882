// Two passes over the nodes: make them all, then fill them, since they may refer to each other in any order.
#include "formats/native/index_read.hpp"

#include <algorithm>

#include "formats/native/fields.hpp"
#include "formats/native/records.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {
namespace {

using Type = Token::Type;

constexpr std::string_view kWhat = "index";
constexpr std::size_t kLongestKey = 64;  // of those that mean something
constexpr std::int8_t kNodeReference = 1;
constexpr std::size_t kLeastChunkEntry = 6;  // bytes
constexpr std::size_t kLeastStorageEntry = 23;

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

    /// The cursors stand where the parts of the tree begin.
    LongTexts run(Cursor nodes_at, Cursor root, Cursor attributes) {
        Cursor at = nodes_at;
        Fields to_make(at, "nodes");
        if (to_make.size() > context_.limits.max_nodes) {
            throw_error(ErrorCode::kRefused, "index: {} nodes are over the limit of {}", to_make.size(),
                        context_.limits.max_nodes);
        }
        nodes_.reserve(to_make.size());
        while (to_make.more()) nodes_.push_back(make(to_make.item()));
        Fields to_fill(nodes_at, "nodes");
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if ((i & 0xfff) == 0) context_.check_cancelled();
            fill(*nodes_[i], to_fill.item());
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i) check_parts(*nodes_[i], i);
        document_.root = value(root);
        document_.attributes = named(attributes, "attributes");
        return std::move(texts_);
    }

private:
    /// An empty node of the kind that stands there; goes to the next.
    Node* make(Cursor& cursor) {
        const Cursor begin = cursor;
        cursor.skip();
        Cursor at = begin;
        Fields node(at, "a node", 2);
        const std::uint64_t number = unsigned_number(node.item(), "a node's kind");
        if (number > static_cast<std::uint64_t>(Kind::kObject)) throw_damaged("index: a node has kind {}", number);
        const Kind kind = static_cast<Kind>(number);
        switch (kind) {
            case Kind::kNull:
                return pool_.make<Node>(kind);
            case Kind::kInt: {
                Fields content(node.item(), "an integer", 1);
                const bool is_wide = content.item().peek() == Type::kBytes;
                at.skip();
                content.end();
                if (is_wide && !node.has()) return pool_.make<BigIntNode>();
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

    void fill(Node& node, Cursor& cursor) {
        Fields fields(cursor, "a node", 2);
        fields.item().skip();
        content(node, fields.item());
        if (fields.has()) node.type = text(fields.item(), "a class name");
        if (fields.has()) node.recipe = recipe(fields.item());
        if (fields.has()) node.attributes = std::make_unique<NamedValues>(named(fields.item(), "a node's attributes"));
        fields.end();
    }

    void content(Node& node, Cursor& cursor) {
        switch (node.kind) {
            case Kind::kNull:
                cursor.skip();
                break;
            case Kind::kBool: {
                Fields content(cursor, "a bool", 1);
                static_cast<ScalarNode&>(node).value = Value::boolean(boolean(content.item(), "a bool"));
                content.end();
                break;
            }
            case Kind::kInt: {
                Fields content(cursor, "an integer", 1);
                integer(node, content.item());
                content.end();
                break;
            }
            case Kind::kFloat: {
                Fields content(cursor, "a float", 1);
                static_cast<ScalarNode&>(node).value = Value::real(real(content.item(), "a float"));
                content.end();
                break;
            }
            case Kind::kComplex: {
                Fields parts(cursor, "a complex number", 2);
                static_cast<ScalarNode&>(node).value = Value::real(real(parts.item(), "a real part"));
                static_cast<ScalarNode&>(node).imaginary = real(parts.item(), "an imaginary part");
                parts.end();
                break;
            }
            case Kind::kString:
                static_cast<StringNode&>(node).text = long_text(cursor, "a text", node);
                break;
            case Kind::kBytes:
                static_cast<BytesNode&>(node).bytes = long_text(cursor, "bytes", node);
                break;
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet:
                items(static_cast<SequenceNode&>(node).items, cursor);
                break;
            case Kind::kDict:
                entries(static_cast<DictNode&>(node).entries, cursor);
                break;
            case Kind::kTensor:
                tensor(static_cast<TensorNode&>(node), cursor);
                break;
            case Kind::kObject: {
                Fields parts(cursor, "an object", 2);
                items(static_cast<ObjectNode&>(node).items, parts.item());
                entries(static_cast<ObjectNode&>(node).entries, parts.item());
                parts.end();
                break;
            }
        }
    }

    void integer(Node& node, Cursor& cursor) {
        const Token token = cursor.next();
        if (token.type == Type::kBytes) {
            if (token.bytes.empty()) throw_damaged("index: an integer of no bytes");
            if (auto* big = dynamic_cast<BigIntNode*>(&node)) {
                big->bytes = token.bytes;
            } else {
                static_cast<ScalarNode&>(node).value = pool_.integer(token.bytes);
            }
            return;
        }
        static_cast<ScalarNode&>(node).value = token.type == Type::kNegative
                                                   ? Value::integer(token.negative)
                                                   : Value::unsigned_integer(unsigned_of(cursor, token, "an integer"));
    }

    /// In place, or out of a storage.
    std::string long_text(Cursor& cursor, std::string_view what, const Node& node) {
        Fields content(cursor, what, 1);
        const Token token = content.item().next();
        content.end();
        if (token.type != Type::kUnsigned) {
            return std::string(node.kind == Kind::kString ? text_of(cursor, token, what)
                                                          : bytes_of(cursor, token, what));
        }
        const StoragePtr storage = storage_at(token.number);
        inline_bytes_ += storage->blob->size_bytes();
        if (storage->blob->size_bytes() > context_.limits.max_inline_bytes ||
            inline_bytes_ > context_.limits.max_inline_bytes) {
            throw_error(ErrorCode::kRefused, "index: texts of more than {} bytes are over the limit",
                        context_.limits.max_inline_bytes);
        }
        texts_.storages.emplace(&node, token.number);
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

    Value value(Cursor& cursor) {
        const Token token = cursor.next();
        switch (token.type) {
            case Type::kNil:
                return {};
            case Type::kBool:
                return Value::boolean(token.number != 0);
            case Type::kUnsigned:
                return Value::unsigned_integer(token.number);
            case Type::kNegative:
                return Value::integer(token.negative);
            case Type::kFloat:
                return Value::real(token.real);
            case Type::kText:
                return pool_.string(std::string(text_of(cursor, token, "a text")));
            case Type::kExtension:
                return Value::of(node_at(token));
            default:
                unexpected(cursor, token.type, "a value", "one of the kinds that stand in place");
        }
    }

    Node* node_at(const Token& token) const {
        if (token.extension_type != kNodeReference || token.bytes.size() > 8 || token.bytes.empty())
            throw_damaged("index: an extension of type {} and {} bytes", token.extension_type, token.bytes.size());
        std::uint64_t number = 0;
        for (const char byte : token.bytes) number = number << 8 | static_cast<unsigned char>(byte);
        if (number >= nodes_.size()) throw_damaged("index: node {} of {}", number, nodes_.size());
        return nodes_[static_cast<std::size_t>(number)];
    }

    void items(std::vector<Value>& out, Cursor& cursor) {
        Fields list(cursor, "the items of a container");
        out.reserve(list.size());
        while (list.more()) out.push_back(value(list.item()));
    }

    void entries(std::vector<std::pair<Value, Value>>& out, Cursor& cursor) {
        Fields list(cursor, "the entries of a dict");
        if (list.size() % 2 != 0) throw_damaged("index: a dict has {} keys and values", list.size());
        out.reserve(list.size() / 2);
        while (list.more()) {
            const Value key = value(list.item());
            out.emplace_back(key, value(list.item()));
        }
    }

    NamedValues named(Cursor& cursor, std::string_view what) {
        Fields list(cursor, what);
        if (list.size() % 2 != 0) throw_damaged("index: {} has {} names and values", what, list.size());
        NamedValues result;
        while (list.more()) {
            std::string name(text(list.item(), "a name"));
            result.emplace_back(std::move(name), value(list.item()));
        }
        return result;
    }

    std::unique_ptr<Recipe> recipe(Cursor& cursor) {
        Fields fields(cursor, "a recipe", 7);
        auto made = std::make_unique<Recipe>();
        const std::uint64_t how = unsigned_number(fields.item(), "a recipe's kind");
        if (how > static_cast<std::uint64_t>(Recipe::How::kGlobal)) throw_damaged("index: a recipe has kind {}", how);
        made->how = static_cast<Recipe::How>(how);
        made->callable = text(fields.item(), "a callable");
        made->module_length = static_cast<std::size_t>(unsigned_number(fields.item(), "a module's length"));
        if (made->module_length > made->callable.size())
            throw_damaged("index: a module name of {} characters in '{}'", made->module_length, made->callable);
        made->callee = value(fields.item());
        made->args = value(fields.item());
        made->kwargs = value(fields.item());
        made->state = value(fields.item());
        fields.end();
        if (!made->args.is_null() && !made->args.is(Kind::kTuple))
            throw_damaged("index: a recipe's arguments are a {}", kind_name(made->args.kind()));
        if (!made->kwargs.is_null() && !made->kwargs.is(Kind::kDict))
            throw_damaged("index: a recipe's keyword arguments are a {}", kind_name(made->kwargs.kind()));
        return made;
    }

    void tensor(TensorNode& node, Cursor& cursor) {
        Fields fields(cursor, "a tensor", 6);
        node.dtype = dtype(fields.item());
        node.shape = numbers(fields.item(), "a shape");
        if (fields.has()) {
            node.stride = numbers(fields.item(), "strides");
        } else {
            if (!is_ragged(node.shape) && !node.element_count())
                throw_damaged("index: the product of a shape overflows 64 bits");
            node.stride = contiguous_strides(node.shape);
        }
        node.offset = signed_number(fields.item(), "an offset");
        if (fields.has()) node.storage = storage_at(unsigned_number(fields.item(), "a storage's number"));
        if (fields.has()) more_of(node, fields.item());
        fields.end();
    }

    void more_of(TensorNode& node, Cursor& cursor) {
        const Token map = cursor.next();
        if (map.type != Type::kMap) unexpected(cursor, map.type, "more of a tensor", "a map");
        for (std::uint64_t i = 0; i < map.number; ++i) {
            const std::string_view key = text(cursor, "a key");
            if (key == "conj") {
                node.conj = boolean(cursor, key);
            } else if (key == "neg") {
                node.neg = boolean(cursor, key);
            } else if (key == "requires_grad") {
                node.requires_grad = boolean(cursor, key);
            } else if (key == "layout") {
                node.layout = text(cursor, key);
            } else if (key == "quantization") {
                node.quantization = quantization(cursor, key);
            } else if (key == "parts") {
                node.parts = named(cursor, key);
            } else if (key == "dict") {
                node.dict = value(cursor);
            } else {
                cursor.skip();
            }
        }
    }

    std::unique_ptr<Quantization> quantization(Cursor& cursor, std::string_view what) {
        Fields fields(cursor, what, 6);
        auto made = std::make_unique<Quantization>();
        made->scheme = text(fields.item(), "a scheme");
        made->scale = real(fields.item(), "a scale");
        made->zero_point = signed_number(fields.item(), "a zero point");
        made->scales = value(fields.item());
        made->zero_points = value(fields.item());
        made->axis = signed_number(fields.item(), "an axis");
        fields.end();
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

namespace {

ChunkEntry chunk_entry(Cursor& cursor, std::size_t number, std::uint64_t end, std::uint64_t payload_end) {
    Fields fields(cursor, "a chunk", 5);
    ChunkEntry chunk;
    chunk.offset = unsigned_number(fields.item(), "a chunk's offset");
    chunk.stored_bytes = unsigned_number(fields.item(), "a chunk's stored size");
    chunk.raw_bytes = unsigned_number(fields.item(), "a chunk's raw size");
    chunk.codec = static_cast<CodecId>(std::min<std::uint64_t>(unsigned_number(fields.item(), "a codec"), 255));
    chunk.xxh3 = unsigned_number(fields.item(), "a chunk's checksum");
    fields.end();
    if (chunk.offset < end || chunk.offset > payload_end || chunk.stored_bytes > payload_end - chunk.offset)
        throw_damaged("index: chunk {} of {} bytes at byte {} does not lie between {} and {}", number,
                      chunk.stored_bytes, chunk.offset, end, payload_end);
    if (chunk.raw_bytes == 0 || chunk.raw_bytes > kMostChunkBytes || chunk.stored_bytes > kMostChunkBytes)
        throw_damaged("index: chunk {} has {} bytes, stored in {}", number, chunk.raw_bytes, chunk.stored_bytes);
    if (chunk.raw_bytes > most_chunk_bytes(chunk.stored_bytes))
        throw_error(ErrorCode::kRefused,
                    "index: chunk {} of {} bytes, stored in {}, is over the limit of 64 times that and 1 MiB", number,
                    chunk.raw_bytes, chunk.stored_bytes);
    // Pieces of a raw run lie side by side; before any other chunk stands its record's header.
    if (chunk.codec != CodecId::kRaw && (number == 0 ? chunk.offset : chunk.offset - end) < kHeaderBytes)
        throw_damaged("index: chunk {} at byte {} has no place for its header", number, chunk.offset);
    return chunk;
}

StorageEntry storage_entry(Cursor& cursor) {
    Fields fields(cursor, "a storage", 5);
    StorageEntry storage;
    storage.size_bytes = unsigned_number(fields.item(), "a storage's size");
    storage.first_chunk = unsigned_number(fields.item(), "a storage's first chunk");
    storage.offset = unsigned_number(fields.item(), "a storage's offset");
    const std::string_view digest = bytes_of(cursor, fields.item().next(), "a storage's digest");
    if (digest.size() != 16) throw_damaged("index: a digest of {} bytes", digest.size());
    Digest128 value;
    for (std::size_t i = 0; i < 16; ++i) {
        std::uint64_t& half = i < 8 ? value.high : value.low;
        half = half << 8 | static_cast<unsigned char>(digest[i]);
    }
    storage.digest = value;
    storage.location = text(fields.item(), "a storage's location");
    fields.end();
    return storage;
}

}  // namespace

IndexReader::IndexReader(std::string_view bytes, std::uint64_t payload_end) : bytes_(bytes) {
    Cursor whole(bytes, kWhat);
    const Token map = whole.next();
    if (map.type != Type::kMap) unexpected(whole, map.type, "the whole", "a map");
    for (std::uint64_t i = 0; i < map.number; ++i) {
        const Token key = whole.next();
        if (key.type == Type::kText) places_.try_emplace(std::string(key.bytes.substr(0, kLongestKey)), whole.offset());
        whole.skip();
    }
    whole.expect_end();
    Cursor producer = entry("producer");
    opened_.producer = text(producer, "the producer");
    if (entry("base").peek() != Type::kNil)
        throw_error(ErrorCode::kUnsupported, "holds differences from another file, which this version does not read");
    read_chunks(entry("chunks"), payload_end);
    read_storages(entry("storages"));
}

Cursor IndexReader::entry(std::string_view key) const {
    const auto found = places_.find(key);
    if (found == places_.end()) throw_damaged("index: '{}' is missing", key);
    Cursor cursor(bytes_, kWhat);
    cursor.seek(found->second);
    return cursor;
}

void IndexReader::read_chunks(Cursor cursor, std::uint64_t payload_end) {
    Fields chunks(cursor, "chunks");
    std::uint64_t end = kHeaderBytes;
    opened_.chunks.reserve(std::min(chunks.size(), cursor.bytes_left() / kLeastChunkEntry));
    while (chunks.more()) {
        opened_.chunks.push_back(chunk_entry(chunks.item(), opened_.chunks.size(), end, payload_end));
        end = opened_.chunks.back().offset + opened_.chunks.back().stored_bytes;
    }
}

void IndexReader::read_storages(Cursor cursor) {
    std::vector<std::uint64_t> positions(1, 0);
    for (const ChunkEntry& chunk : opened_.chunks) positions.push_back(positions.back() + chunk.raw_bytes);
    Fields storages(cursor, "storages");
    opened_.storages.reserve(std::min(storages.size(), cursor.bytes_left() / kLeastStorageEntry));
    while (storages.more()) {
        StorageEntry storage = storage_entry(storages.item());
        const auto first = static_cast<std::size_t>(storage.first_chunk);
        const bool is_inside =
            storage.size_bytes == 0 ||
            (storage.first_chunk < opened_.chunks.size() && storage.offset < opened_.chunks[first].raw_bytes &&
             storage.size_bytes <= positions.back() - positions[first] - storage.offset);
        if (!is_inside)
            throw_damaged("index: storage {} of {} bytes at {} of chunk {} leaves the chunks", opened_.storages.size(),
                          storage.size_bytes, storage.offset, storage.first_chunk);
        opened_.storages.push_back(std::move(storage));
    }
}

LongTexts IndexReader::read_tree(Document& document, const std::shared_ptr<ChunkStore>& store,
                                 const Context& context) const {
    return TreeReader(document, store, context).run(entry("nodes"), entry("root"), entry("attributes"));
}

}  // namespace ckpt::native
