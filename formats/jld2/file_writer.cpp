// Messages, heaps and the layout of the file. Which message stands where follows JLD2.jl 0.4.
#include "formats/jld2/file_writer.hpp"

#include <algorithm>
#include <limits>
#include <memory>

#include "formats/jld2/names.hpp"
#include "formats/jld2/zlib_stream.hpp"
#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::jld2 {
namespace {

constexpr unsigned kVersion3 = 0x30;
enum TypeClass : unsigned {
    kInteger = 0,
    kFloat = 1,
    kString = 3,
    kBitField = 4,
    kOpaque = 5,
    kCompound = 6,
    kReference = 7,
    kVlen = 9
};
enum MessageType : unsigned {
    kNil = 0,
    kDataspace = 1,
    kLinkInfo = 2,
    kDatatype = 3,
    kFillValue = 5,
    kLink = 6,
    kLayout = 8,
    kGroupInfo = 10,
    kFilters = 11,
    kAttribute = 12
};
constexpr unsigned kConstant = 1;
constexpr unsigned kShared = 2;
constexpr unsigned kNotShared = 64;  // as JLD2 marks the datatype of a committed type
constexpr std::uint32_t kHeapElementBytes = 16;
constexpr std::size_t kMostMessageBytes = 65535;
constexpr std::size_t kMostCompactBytes = 4096;  // of elements in memory
constexpr std::size_t kMostInlineBytes = 64;     // of a blob, which has to be read for it
constexpr std::uint64_t kLeastCompressedBytes = 4096;
constexpr std::uint64_t kAlignment = 64;
constexpr std::size_t kCollectionBytes = 65536;  // a collection is closed when it has more
constexpr std::uint32_t kMostItems = 60000;      // per collection; JLD2 counts them in 16 bits
constexpr std::size_t kLeastCollectionBytes = 4096;
constexpr std::size_t kHeapHeadBytes = 16;  // of a collection and of each item
constexpr std::uint64_t kSuperblockBytes = 48;

std::string type_head(unsigned cls, unsigned bits, std::uint64_t size_bytes) {
    std::string head;
    h5::put(head, 1, cls | kVersion3);
    h5::put(head, 3, bits);
    h5::put(head, 4, size_bytes);
    return head;
}

/// The number of bytes that a size needs as the format encodes it: 1, 2, 4 or 8, and its code.
unsigned size_code(std::uint64_t size) {
    return size <= 0xff ? 0 : size <= 0xffff ? 1 : size <= 0xffffffff ? 2 : 3;
}

/// In how many bytes a chunk's dimensions are written. HDF5 2.0 opens a dataset only where they are as few as can be,
/// JLD2 since 0.4.53 only where they are 1, 2, 4 or 8: so what Julia reads comes first (and is all that JLD2 itself,
/// which always writes 8, gives).
unsigned chunk_dim_bytes(const std::vector<std::uint64_t>& dims, std::uint64_t element_bytes) {
    std::uint64_t largest = element_bytes;
    for (const std::uint64_t dim : dims) largest = std::max(largest, dim);
    return 1U << size_code(largest);
}

void pad_to(std::string& bytes, std::uint64_t alignment) {
    bytes.append(static_cast<std::size_t>((alignment - bytes.size() % alignment) % alignment), '\0');
}

void add_message(Data& messages, unsigned type, unsigned flags, const Data& body, std::string_view what) {
    if (body.size() > kMostMessageBytes) {
        throw_error(ErrorCode::kRefused, "{} needs {} bytes in a header of HDF5, which can hold {}", what, body.size(),
                    kMostMessageBytes);
    }
    messages.number(1, type);
    messages.number(2, body.size());
    messages.number(1, flags);
    messages.append(body);
}

Data type_body(const TypeMessage& type) {
    Data body;
    if (type.committed == kNoObject) {
        body.bytes(type.message);
    } else {
        body.number(1, 3);
        body.number(1, 2);
        body.reference(type.committed);
    }
    return body;
}

Data space_body(const Space& space) {
    Data body;
    body.number(1, 2);
    body.number(1, space.dims.size());
    body.number(1, 0);
    body.number(1, static_cast<unsigned>(space.kind));
    for (const std::uint64_t dim : space.dims) body.number(8, dim);
    return body;
}

void add_attributes(Data& messages, const std::vector<AttributeSpec>& attributes) {
    for (const AttributeSpec& attribute : attributes) {
        const Data type = type_body(attribute.type);
        const Data space = space_body(attribute.space);
        Data body;
        body.number(1, 2);
        body.number(1, attribute.type.committed != kNoObject ? 1 : 0);
        body.number(2, attribute.name.size() + 1);
        body.number(2, type.size());
        body.number(2, space.size());
        body.bytes(attribute.name);
        body.number(1, 0);
        body.append(type);
        body.append(space);
        body.append(attribute.data);
        add_message(messages, kAttribute, 0, body, "attribute '" + attribute.name + "'");
    }
}

void add_type(Data& messages, const TypeMessage& type) {
    const unsigned flags = type.committed != kNoObject ? kConstant | kShared : kConstant;
    add_message(messages, kDatatype, flags, type_body(type), "a datatype");
}

/// Where JLD2 puts the address of a continuation when it appends.
void add_room(Data& messages) {
    Data room;
    room.bytes(std::string(16, '\0'));
    add_message(messages, kNil, 0, room, "");
}

}  // namespace

TypeMessage integer_message(unsigned width_bytes, bool is_signed) {
    TypeMessage type{type_head(kInteger, is_signed ? 8 : 0, width_bytes), width_bytes};
    h5::put(type.message, 2, 0);
    h5::put(type.message, 2, std::uint64_t{8} * width_bytes);
    return type;
}

TypeMessage bool_message() {
    TypeMessage type{type_head(kBitField, 0, 1), 1};
    h5::put(type.message, 2, 0);
    h5::put(type.message, 2, 8);
    return type;
}

TypeMessage float_message(unsigned width_bytes) {
    const unsigned bits = 8 * width_bytes;
    const unsigned exponent_bits = width_bytes == 2 ? 5 : width_bytes == 4 ? 8 : 11;
    const unsigned mantissa_bits = bits - 1 - exponent_bits;
    TypeMessage type{type_head(kFloat, 0x20 | (bits - 1) << 8, width_bytes), width_bytes};
    h5::put(type.message, 2, 0);
    h5::put(type.message, 2, bits);
    h5::put(type.message, 1, mantissa_bits);
    h5::put(type.message, 1, exponent_bits);
    h5::put(type.message, 1, 0);
    h5::put(type.message, 1, mantissa_bits);
    h5::put(type.message, 4, (std::uint64_t{1} << (exponent_bits - 1)) - 1);
    return type;
}

TypeMessage fixed_text_message(std::size_t size_bytes) {
    constexpr unsigned kNulPaddedUtf8 = 0x11;
    if (size_bytes > std::numeric_limits<std::uint32_t>::max())
        throw_error(ErrorCode::kRefused, "a text of {} bytes; 4 GiB is the limit", size_bytes);
    return {type_head(kString, kNulPaddedUtf8, size_bytes), static_cast<std::uint32_t>(size_bytes)};
}

TypeMessage text_message() {
    TypeMessage type{type_head(kVlen, 0x0111, kHeapElementBytes), kHeapElementBytes};
    type.message += integer_message(1, false).message;
    return type;
}

TypeMessage reference_message() {
    return {type_head(kReference, 0, 8), 8};
}

TypeMessage reference_list_message() {
    TypeMessage type{type_head(kVlen, 0, kHeapElementBytes), kHeapElementBytes};
    type.message += reference_message().message;
    return type;
}

TypeMessage opaque_message(std::uint32_t size_bytes) {
    return {type_head(kOpaque, 0, size_bytes), size_bytes};
}

TypeMessage compound_message(const std::vector<std::pair<std::string, TypeMessage>>& members) {
    std::uint64_t size = 0;
    for (const auto& [name, type] : members) size += type.element_bytes;
    TypeMessage compound{type_head(kCompound, static_cast<unsigned>(members.size()), size),
                         static_cast<std::uint32_t>(size)};
    std::uint64_t offset = 0;
    for (const auto& [name, type] : members) {
        compound.message += name;
        compound.message += '\0';
        h5::put(compound.message, h5::encoded_bytes(size), offset);
        compound.message += type.message;
        offset += type.element_bytes;
    }
    if (compound.message.size() > kMostMessageBytes || members.size() > kMostMessageBytes) {
        throw_error(ErrorCode::kRefused, "a Julia type of {} fields is more than a header of HDF5 can hold",
                    members.size());
    }
    return compound;
}

void Data::number(unsigned width_bytes, std::uint64_t value) {
    h5::put(bytes_, width_bytes, value);
}
void Data::patch(Target target, std::size_t index) {
    patches_.push_back({static_cast<std::uint32_t>(bytes_.size()), target, static_cast<std::uint32_t>(index)});
    number(8, 0);
}
void Data::reference(ObjectId target) {
    if (target == kNoObject) return number(8, 0);
    patch(Target::kObject, target);
}
void Data::heap(const HeapItem& item) {
    number(4, item.count);
    if (item.index == 0) return number(12, 0);
    patch(Target::kHeap, item.collection);
    number(4, item.index);
}
void Data::append(const Data& other) {
    const auto shift = static_cast<std::uint32_t>(bytes_.size());
    bytes_ += other.bytes_;
    for (Patch patch : other.patches_) {
        patch.at += shift;
        patches_.push_back(patch);
    }
}

ObjectId FileWriter::reserve() {
    headers_.emplace_back();
    return static_cast<ObjectId>(headers_.size() - 1);
}

void FileWriter::set_header(ObjectId id, const Data& messages) {
    Data header;
    header.bytes("OHDR");
    header.number(1, 2);
    const unsigned code = size_code(messages.size());
    header.number(1, code);
    header.number(1U << code, messages.size());
    header.append(messages);
    headers_[id] = std::move(header);
}

void FileWriter::set_type(ObjectId id, const TypeMessage& type, const std::vector<AttributeSpec>& attributes) {
    Data messages;
    Data body;
    body.bytes(type.message);
    add_message(messages, kDatatype, kNotShared, body, "a datatype");
    add_attributes(messages, attributes);
    set_header(id, messages);
}

void FileWriter::set_dataset(ObjectId id, const DatasetSpec& spec) {
    Data messages;
    Data body;
    body.bytes("\x03\x09");
    add_message(messages, kFillValue, 0, body, "");
    add_message(messages, kDataspace, 0, space_body(spec.space), "");
    add_attributes(messages, spec.attributes);
    add_type(messages, spec.type);
    Data compact = spec.data;
    const std::uint64_t size = spec.blob ? spec.blob->size_bytes() : spec.data.size();
    const bool is_compact = size <= (spec.blob ? kMostInlineBytes : kMostCompactBytes);
    if (spec.blob && is_compact) compact.bytes(read_all(*spec.blob, kMostInlineBytes));
    const bool is_compressed =
        compression_ == Compression::kZlib && spec.blob && size >= kLeastCompressedBytes && !spec.space.dims.empty();
    Data layout;
    layout.number(1, 4);
    if (is_compressed) {
        Data filters;  // version 2, one filter: deflate, level 5
        filters.bytes(std::string_view("\x02\x01\x01\0\0\0\x01\0\x05\0\0\0", 12));
        add_message(messages, kFilters, 0, filters, "");
        layout.number(1, 2);
        layout.number(1, 2);  // one chunk, filtered
        const auto dim_bytes = chunk_dim_bytes(spec.space.dims, spec.type.element_bytes);
        layout.number(1, spec.space.dims.size() + 1);
        layout.number(1, dim_bytes);
        for (const std::uint64_t dim : spec.space.dims) layout.number(dim_bytes, dim);
        layout.number(dim_bytes, spec.type.element_bytes);
        layout.number(1, 1);
        layout.patch(Data::Target::kStoredBytes, stored_.size());
        layout.number(4, 0);
        layout.patch(Data::Target::kStored, stored_.size());
        stored_.push_back({spec.blob, true});
    } else if (is_compact) {
        layout.number(1, 0);
        layout.number(2, compact.size());
        layout.append(compact);
    } else {
        layout.number(1, 1);
        layout.patch(spec.blob ? Data::Target::kStored : Data::Target::kRaw, spec.blob ? stored_.size() : raw_.size());
        layout.number(8, size);
        if (spec.blob) {
            stored_.push_back({spec.blob, false});
        } else {
            raw_.push_back(spec.data);
        }
    }
    add_message(messages, kLayout, 0, layout, "an array");
    set_header(id, messages);
}

void FileWriter::set_group(ObjectId id, const std::vector<std::pair<std::string, ObjectId>>& links,
                           const std::vector<AttributeSpec>& attributes) {
    Data messages;
    Data body;
    body.number(2, 0);
    body.number(8, h5::kUndefinedAddress);
    body.number(8, h5::kUndefinedAddress);
    add_message(messages, kLinkInfo, 0, body, "");
    Data info;
    info.number(2, 0);
    add_message(messages, kGroupInfo, 0, info, "");
    add_attributes(messages, attributes);
    for (const auto& [name, target] : links) {
        constexpr unsigned kHasCharacterSet = 16;
        const unsigned code = size_code(name.size());
        Data link;
        link.number(1, 1);
        link.number(1, code | kHasCharacterSet);
        link.number(1, 1);  // UTF-8
        link.number(1U << code, name.size());
        link.bytes(name);
        link.reference(target);
        add_message(messages, kLink, 0, link, "a name");
    }
    add_room(messages);
    set_header(id, messages);
}

HeapItem FileWriter::add_to_heap(const Data& content, std::uint64_t count) {
    if (count > std::numeric_limits<std::uint32_t>::max())
        throw_error(ErrorCode::kRefused, "a text of {} bytes; 4 GiB is the limit", count);
    const std::size_t needed = kHeapHeadBytes + (content.size() + 7) / 8 * 8;
    const bool is_full = collections_.empty() || collections_.back().items >= kMostItems ||
                         (collections_.back().items > 0 && collections_.back().data.size() + needed > kCollectionBytes);
    if (is_full) collections_.emplace_back();
    Collection& collection = collections_.back();
    collection.data.number(2, ++collection.items);
    collection.data.number(2, 1);  // references
    collection.data.number(4, 0);
    collection.data.number(8, content.size());
    collection.data.append(content);
    pad_to(collection.data.bytes_, 8);
    return {static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(collections_.size() - 1), collection.items};
}

HeapItem FileWriter::heap_text(std::string_view text) {
    Data content;
    content.bytes(text);
    return add_to_heap(content, text.size());
}

HeapItem FileWriter::heap_references(const std::vector<ObjectId>& targets) {
    if (targets.empty()) return {};
    Data content;
    for (const ObjectId target : targets) content.reference(target);
    return add_to_heap(content, targets.size());
}

/// Addresses of everything but blobs, and the bytes of it once those are known too. Shared by the plan's extents.
struct FileWriter::Layout {
    std::string user_block;
    std::vector<Data> headers, raw, heaps;
    std::vector<std::uint64_t> header_at, raw_at, heap_at;
    std::vector<Stored> stored;
    std::uint64_t root = 0;
    std::uint64_t end = kSuperblockBytes;  ///< of all this

    std::uint64_t place(std::uint64_t size_bytes) {
        const std::uint64_t at = end;
        end = (end + size_bytes + 7) / 8 * 8;
        return at;
    }

    std::uint64_t value_of(const Data::Patch& patch) const {
        switch (patch.target) {
            case Data::Target::kObject:
                return header_at[patch.index];
            case Data::Target::kHeap:
                return heap_at[patch.index];
            case Data::Target::kRaw:
                return raw_at[patch.index];
            case Data::Target::kStored:
                return stored[patch.index].address;
            case Data::Target::kStoredBytes:
                return stored[patch.index].stored_bytes;
        }
        return 0;
    }
    void put(std::string& out, const Data& data, std::uint64_t at, bool has_checksum) const {
        std::string bytes = data.bytes_;
        for (const Data::Patch& patch : data.patches_) {
            std::string value;
            h5::put(value, 8, value_of(patch));
            bytes.replace(patch.at, 8, value);
        }
        if (has_checksum) h5::seal(bytes);
        out.replace(static_cast<std::size_t>(kUserBlockBytes + at), bytes.size(), bytes);
    }

    /// User block, superblock, headers, elements with references, heaps. `file_end` counts from the superblock.
    std::string bytes(std::uint64_t file_end) const {
        std::string out(static_cast<std::size_t>(kUserBlockBytes + end), '\0');
        out.replace(0, user_block.size(), user_block);
        std::string superblock("\x89HDF\r\n\x1a\n\x02\x08\x08\x00", 12);
        h5::put(superblock, 8, kUserBlockBytes);
        h5::put(superblock, 8, h5::kUndefinedAddress);
        h5::put(superblock, 8, kUserBlockBytes + file_end);
        h5::put(superblock, 8, root);
        h5::seal(superblock);
        out.replace(kUserBlockBytes, superblock.size(), superblock);
        for (std::size_t i = 0; i < headers.size(); ++i) put(out, headers[i], header_at[i], true);
        for (std::size_t i = 0; i < raw.size(); ++i) put(out, raw[i], raw_at[i], false);
        for (std::size_t i = 0; i < heaps.size(); ++i) put(out, heaps[i], heap_at[i], false);
        return out;
    }
};

WritePlan FileWriter::plan(ObjectId root, std::string_view user_block) {
    auto layout = std::make_shared<Layout>();
    layout->user_block = user_block;
    for (const Data& header : headers_) layout->header_at.push_back(layout->place(header.size() + 4));
    layout->headers = std::move(headers_);
    for (const Data& raw : raw_) layout->raw_at.push_back(layout->place(raw.size()));
    layout->raw = std::move(raw_);
    for (Collection& collection : collections_) {
        // What is left of the smallest legal collection is zeros: an item 0 of no size, which ends the list.
        const std::size_t size = std::max(kLeastCollectionBytes, kHeapHeadBytes + collection.data.size());
        Data heap;
        heap.bytes("GCOL");
        heap.number(4, 1);
        heap.number(8, size);
        heap.append(collection.data);
        const std::size_t left = size - heap.size();
        if (left >= kHeapHeadBytes) {
            heap.number(8, 0);
            heap.number(8, left);
            heap.bytes(std::string(left - kHeapHeadBytes, '\0'));
        } else {
            heap.bytes(std::string(left, '\0'));
        }
        layout->heap_at.push_back(layout->place(heap.size()));
        layout->heaps.push_back(std::move(heap));
    }
    layout->root = layout->header_at[root];
    layout->stored = std::move(stored_);
    OutputBound bound(most_bytes_);
    OutputBound encoded(OutputBound::kMostEncoded);
    for (const Stored& stored : layout->stored) {
        bound.add(stored.blob->size_bytes());
        if (stored.is_compressed) encoded.add(stored.blob->size_bytes());
    }
    WritePlan plan;
    PlannedFile& file = plan.files.emplace_back();
    if (compression_ == Compression::kNone) {
        std::uint64_t at = layout->end;
        for (Stored& stored : layout->stored) {
            at = (at + kAlignment - 1) / kAlignment * kAlignment;
            stored.address = at;
            at += stored.blob->size_bytes();
        }
        const std::uint64_t file_end = layout->stored.empty() ? layout->end : at;
        file.extents.push_back({LiteralExtent{layout->bytes(file_end)}});
        std::uint64_t written = layout->end;
        for (const Stored& stored : layout->stored) {
            if (stored.address > written)
                file.extents.push_back(
                    {LiteralExtent{std::string(static_cast<std::size_t>(stored.address - written), '\0')}});
            file.extents.push_back({BlobExtent{stored.blob}});
            written = stored.address + stored.blob->size_bytes();
        }
        return plan;
    }
    file.extents.emplace_back();
    std::vector<std::pair<std::size_t, std::size_t>> extents_of;  // first and last
    for (const Stored& stored : layout->stored) {
        const std::size_t first = file.extents.size();
        if (stored.is_compressed) {
            append_zlib_stream(file.extents, stored.blob);
        } else {
            file.extents.push_back({BlobExtent{stored.blob}});
        }
        extents_of.emplace_back(first, file.extents.size() - 1);
    }
    LateExtent late;
    late.size_bytes = kUserBlockBytes + layout->end;
    late.needs_later = true;
    late.make = [layout, extents_of](std::span<const ExtentResult> results) {
        for (std::size_t i = 0; i < extents_of.size(); ++i) {
            const ExtentResult& first = results[extents_of[i].first];
            const ExtentResult& last = results[extents_of[i].second];
            layout->stored[i].address = first.offset_bytes - kUserBlockBytes;
            layout->stored[i].stored_bytes = last.offset_bytes + last.size_bytes - first.offset_bytes;
        }
        const std::uint64_t end = results.back().offset_bytes + results.back().size_bytes;
        return layout->bytes(end - kUserBlockBytes);
    };
    file.extents.front() = {std::move(late)};
    return plan;
}

}  // namespace ckpt::jld2
