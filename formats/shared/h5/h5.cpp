// Opening HDF5 files, and objects at addresses.
#include "formats/shared/h5/h5.hpp"

#include <algorithm>

#include "formats/shared/h5/data.hpp"
#include "formats/shared/h5/global_heap.hpp"
#include "formats/shared/h5/image.hpp"
#include "formats/shared/h5/messages.hpp"
#include "formats/shared/h5/object_header.hpp"
#include "formats/shared/h5/virtual.hpp"

namespace ckpt::h5 {
namespace {

/// Heaps of the messages that objects share (hdf5.md, 14).
void read_shared_message_table(Image& image, std::uint64_t address, unsigned indexes) {
    constexpr unsigned kMaxIndexes = 8;
    require(indexes >= 1 && indexes <= kMaxIndexes, "shared message table with {} indexes", indexes);
    const unsigned index_bytes = 2 + 2 + 4 + 3 * 2 + 2 * image.widths().offset_bytes;
    const std::string bytes = image.bytes(address, 4 + indexes * index_bytes + 4, "shared message table");
    Cursor cursor(bytes, image.widths(), "shared message table");
    cursor.signature("SMTB");
    std::vector<SharedHeap> heaps;
    for (unsigned i = 0; i < indexes; ++i) {
        cursor.version(0);
        cursor.skip(1);
        SharedHeap heap;
        heap.types = cursor.u16();
        cursor.skip(4 + 3 * 2);
        cursor.address();
        heap.address = cursor.address();
        heaps.push_back(heap);
    }
    cursor.checksum();
    image.set_shared_heaps(std::move(heaps));
}

/// The superblock extension is an object header that holds settings (hdf5.md, 1.4).
void read_extension(Image& image) {
    const ObjectHeader header = read_object_header(image, image.superblock().extension);
    for (const Message& message : header.messages) {
        Cursor cursor(message.bytes, image.widths(), "superblock extension");
        switch (message.type) {
            case MessageType::kTreeWidths: {
                cursor.version(0);
                const unsigned chunk = cursor.u16();
                const unsigned internal = cursor.u16();
                const unsigned leaf = cursor.u16();
                require(chunk > 0 && internal > 0 && leaf > 0, "superblock extension: a B-tree K is 0");
                image.set_tree_widths(leaf, internal, chunk);
                break;
            }
            case MessageType::kDriverInfo:
                throw_error(ErrorCode::kUnsupported,
                            "superblock extension: driver information (a file in several parts) is not read");
            case MessageType::kCacheImage:
                throw_error(ErrorCode::kUnsupported, "superblock extension: a metadata cache image is not read");
            case MessageType::kSharedMessageTable: {
                cursor.version(0);
                const std::uint64_t table = cursor.address();
                read_shared_message_table(image, table, cursor.u8());
                break;
            }
            case MessageType::kFileSpace:
            case MessageType::kReferenceCount:
                break;
            default:
                throw_damaged("superblock extension holds a message of type {:#x}",
                              static_cast<unsigned>(message.type));
        }
    }
}

ObjectKind kind_of(const ObjectHeader& header) {
    const auto has = [&header](MessageType type) { return header.find(type) != nullptr; };
    if (has(MessageType::kSymbolTable) || has(MessageType::kLinkInfo) || has(MessageType::kLink))
        return ObjectKind::kGroup;
    if (has(MessageType::kLayout) || (has(MessageType::kDataspace) && has(MessageType::kDatatype)))
        return ObjectKind::kDataset;
    if (has(MessageType::kDatatype)) return ObjectKind::kNamedDatatype;
    throw_damaged("object at address {} is neither group nor dataset nor datatype", header.address);
}

}  // namespace

Object::Object(std::shared_ptr<const H5File> file, std::uint64_t address) : file_(std::move(file)), address_(address) {
    header_ = std::make_unique<const ObjectHeader>(read_object_header(file_->image(), address));
    kind_ = kind_of(*header_);
}

Object::~Object() = default;

std::uint32_t Object::reference_count() const noexcept {
    return header_->reference_count;
}

LinkList Object::links(LinkOrder order) const {
    require(kind_ == ObjectKind::kGroup, "object at address {} is no group", address_);
    return read_links(file_->image(), *header_, order);
}

AttributeList Object::attributes() const {
    return read_attributes(file_->image(), *header_);
}

Dataset Object::dataset(VirtualExtent extent) const {
    require(kind_ == ObjectKind::kDataset, "object at address {} is no dataset", address_);
    Dataset dataset = read_dataset(file_->image(), *header_);
    if (extent == VirtualExtent::kCurrent && dataset.layout.cls == LayoutClass::kVirtual) {
        try {
            update_virtual_extent(*file_, dataset);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kRefused) throw;  // which its data will say
        }
    }
    return dataset;
}

DatatypePtr Object::named_datatype() const {
    const Message* message = header_->find(MessageType::kDatatype);
    require(kind_ == ObjectKind::kNamedDatatype && message != nullptr, "object at address {} is no datatype", address_);
    const MessageBody body = message_body(file_->image(), *message);
    Cursor cursor(body.bytes, file_->image().widths(), "datatype");
    return read_datatype(cursor, file_->image().dialect());
}

H5File::H5File(std::shared_ptr<const Image> image, const Context& context, SiblingOpener opener)
    : image_(std::move(image)),
      context_(context),
      opener_(std::move(opener)),
      global_heap_(std::make_unique<GlobalHeap>()),
      chunk_support_(std::make_unique<ChunkSupport>()) {
    chunk_support_->cache = std::make_shared<ChunkCache>();
    chunk_support_->helpers = std::make_shared<Helpers>(context.thread_count() - 1);
}

H5File::~H5File() = default;

std::shared_ptr<const H5File> H5File::open(BlobPtr whole, const Context& context, Dialect dialect,
                                           SiblingOpener opener) {
    auto image = std::make_shared<Image>(std::move(whole), context, dialect);
    if (image->superblock().extension != kUndefinedAddress) read_extension(*image);
    const std::shared_ptr<const H5File> file(new H5File(std::move(image), context, std::move(opener)));
    const auto root = file->object(file->root_address());
    require(root->kind() == ObjectKind::kGroup, "the root at address {} is no group", root->address());
    root->links();  // a file whose root cannot be listed is nothing to work with
    return file;
}

std::uint64_t H5File::root_address() const noexcept {
    return image_->superblock().root;
}

unsigned H5File::superblock_version() const noexcept {
    return image_->superblock().version;
}

std::uint64_t H5File::user_block_bytes() const noexcept {
    return image_->superblock().base;
}

std::uint64_t H5File::size_bytes() const noexcept {
    return image_->superblock().end;
}

std::shared_ptr<const Object> H5File::object(std::uint64_t address) const {
    return std::make_shared<const Object>(shared_from_this(), address);
}

std::optional<std::uint64_t> H5File::resolve(std::uint64_t group_address, std::string_view path) const {
    std::string rest(path);  // parts still to go; a soft link's target is put in front
    std::uint64_t at = group_address;
    unsigned hops = 0;
    if (rest.starts_with('/')) at = root_address();
    while (true) {
        rest.erase(0, std::min(rest.find_first_not_of('/'), rest.size()));
        if (rest.empty()) return at;
        const std::string part = rest.substr(0, rest.find('/'));
        rest.erase(0, part.size());
        if (part == ".") continue;
        const auto group = object(at);
        if (group->kind() != ObjectKind::kGroup) return std::nullopt;
        const LinkList list = group->links();
        const auto link =
            std::find_if(list.links.begin(), list.links.end(), [&part](const Link& l) { return l.name == part; });
        if (link == list.links.end()) return std::nullopt;
        if (link->kind == Link::Kind::kHard) {
            at = link->address;
        } else if (link->kind == Link::Kind::kSoft && ++hops <= kMaxSoftLinkHops) {
            if (link->target.starts_with('/')) at = root_address();
            rest.insert(0, std::string(link->target) + "/");
        } else {
            return std::nullopt;
        }
    }
}

BlobPtr H5File::data(const Dataset& dataset) const {
    if (dataset.size_bytes == 0) return memory_blob({});
    if (dataset.layout.is_external) return external_blob(*this, dataset);
    if (dataset.layout.cls == LayoutClass::kVirtual) return virtual_blob(*this, dataset);
    return data_blob(image_, *chunk_support_, dataset);
}

std::string H5File::heap_object(std::uint64_t collection, std::uint32_t index) const {
    return global_heap_->read_whole(*image_, collection, index);
}

BlobPtr H5File::open_sibling(const std::string& name, std::string_view what) const {
    if (!opener_) throw_error(ErrorCode::kRefused, "{} in file '{}': other files are not read", what, name);
    return opener_(name);
}

std::shared_ptr<const H5File> H5File::sibling(const std::string& name, std::string_view what) const {
    constexpr std::size_t kMaxSiblings = 512;
    const std::scoped_lock lock(siblings_mutex_);
    if (const auto found = siblings_.find(name); found != siblings_.end()) return found->second;
    if (siblings_.size() >= kMaxSiblings)
        throw_error(ErrorCode::kRefused, "names more than {} other files", kMaxSiblings);
    const BlobPtr whole = open_sibling(name, what);
    // The other file's own are not followed: nobody allowed them.
    const auto file = whole == nullptr ? nullptr : open(whole, context_);
    siblings_.emplace(name, file);
    return file;
}

BlobPtr H5File::sibling_bytes(const std::string& name, std::string_view what) const {
    BlobPtr whole = open_sibling(name, what);
    if (!whole) throw_error(ErrorCode::kRefused, "{} in file '{}', which is not there", what, name);
    return whole;
}

void H5File::count_mappings(std::uint64_t count) const {
    constexpr std::uint64_t kMaxMappings = std::uint64_t{1} << 22;
    if (count > kMaxMappings || mappings_.fetch_add(count) > kMaxMappings)
        throw_error(ErrorCode::kRefused, "virtual datasets are made of more than {} parts", kMaxMappings);
}

void H5File::check_data(const Dataset& dataset, const Context& context) const {
    check_blob(*data(dataset), context);
}

std::vector<Chunk> H5File::chunks(const Dataset& dataset) const {
    std::vector<Chunk> chunks;
    if (dataset.layout.cls != LayoutClass::kChunked) return chunks;
    const ChunkGrid grid(dataset);
    for (const StoredChunk& stored : read_chunk_index(*image_, dataset, grid)) {
        chunks.push_back({grid.offset(stored.number), stored.address, stored.stored_bytes, stored.filter_mask});
    }
    return chunks;
}

HeapValue H5File::heap_value(const Datatype& type, std::string_view element) const {
    require(type.cls == TypeClass::kVlen, "element is of no variable-length type");
    Cursor cursor(element, image_->widths(), "variable-length element");
    HeapValue value;
    value.count = cursor.u32();
    const std::uint64_t collection = cursor.address();
    const std::uint32_t index = cursor.u32();
    if (value.count == 0 || collection == 0 || collection == kUndefinedAddress) return {};
    const std::uint64_t unit = type.is_string ? 1 : type.base->size_bytes;
    value.bytes =
        global_heap_->read(*image_, collection, index, checked_product(value.count, unit, "variable-length element"));
    return value;
}

namespace {

void read_region(Cursor& body, Reference& reference) {
    const std::size_t begin = body.position();
    Cursor bytes = body;
    reference.region = read_selection(body);
    reference.selection = bytes.take(body.position() - begin);
}

}  // namespace

Reference H5File::reference(const Datatype& type, std::string_view element) const {
    require(type.cls == TypeClass::kReference, "element is of no reference type");
    Cursor cursor(element, image_->widths(), "reference");
    Reference reference;
    if (type.reference == ReferenceKind::kObject) {
        reference.address = cursor.address();
        const bool is_null = reference.address == 0 || reference.address == kUndefinedAddress;
        reference.kind = is_null ? Reference::Kind::kNull : Reference::Kind::kObject;
        return reference;
    }
    if (type.reference == ReferenceKind::kRevised) return revised_reference(cursor);
    const std::uint64_t collection = cursor.address();
    const std::uint32_t index = cursor.u32();
    if (collection == 0 || collection == kUndefinedAddress) return reference;
    const std::string target = global_heap_->read_whole(*image_, collection, index);
    Cursor body(target, image_->widths(), "region reference");
    reference.kind = Reference::Kind::kRegion;
    reference.address = body.address();
    read_region(body, reference);
    return reference;
}

/// Those of HDF5 1.12: the element says what it is, and the heap has what does not fit into it.
Reference H5File::revised_reference(Cursor& cursor) const {
    enum RevisedKind : unsigned { kNullKind, kObject1 = 1, kObject2 = 2, kRegion2 = 3, kAttribute2 = 4 };
    constexpr unsigned kOtherFileFlag = 1;
    Reference reference;
    const unsigned kind = cursor.u8();
    const unsigned flags = cursor.u8();
    if (kind == kNullKind || kind == kObject1) return reference;
    require(kind <= kAttribute2, "reference of kind {}", kind);
    const bool is_in_place = kind == kObject2 && (flags & kOtherFileFlag) == 0;
    std::string heap;
    if (!is_in_place) {
        const std::uint32_t size = cursor.u32();
        const std::uint64_t collection = cursor.address();
        heap = global_heap_->read(*image_, collection, cursor.u32(), size);
    }
    Cursor body = is_in_place ? cursor : Cursor(heap, image_->widths(), "reference");
    const unsigned token_bytes = body.u8();
    require(token_bytes >= 1 && token_bytes <= 8, "reference with an address of {} bytes", token_bytes);
    reference.address = body.number(token_bytes);
    if ((flags & kOtherFileFlag) != 0) reference.file = body.take(body.u16());
    if (kind == kRegion2) {
        body.skip(8);  // the selection's size and rank, which it says itself
        read_region(body, reference);
    } else if (kind == kAttribute2) {
        reference.attribute = body.take(body.u16());
    }
    reference.kind = kind == kObject2   ? Reference::Kind::kObject
                     : kind == kRegion2 ? Reference::Kind::kRegion
                                        : Reference::Kind::kAttribute;
    return reference;
}

}  // namespace ckpt::h5
