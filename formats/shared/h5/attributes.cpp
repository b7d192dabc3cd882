// Attributes: messages and dense storage. Facts: hdf5.md, 10.
#include <algorithm>
#include <unordered_set>

#include "formats/shared/h5/btree.hpp"
#include "formats/shared/h5/fractal_heap.hpp"
#include "formats/shared/h5/messages.hpp"

namespace ckpt::h5 {
namespace {

constexpr unsigned kSharedType = 1;
constexpr unsigned kSharedSpace = 2;
constexpr unsigned kSharedRecord = 2;

/// Runs `read`; a failure is kept beside the attributes that can be read.
template <typename Read>
void collect(AttributeList& list, Read read) {
    try {
        read();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        list.errors.push_back(error);
    }
}

void add(const Image& image, AttributeList& list, std::string_view bytes, std::optional<std::uint32_t> order) {
    collect(list, [&] {
        Attribute attribute = read_attribute(image, bytes);
        attribute.creation_order = order;
        list.attributes.push_back(std::move(attribute));
    });
}

void read_dense(const Image& image, std::uint64_t heap_address, std::uint64_t tree, AttributeList& list) {
    FractalHeap heap(image, heap_address);
    walk_btree2(image, tree, Btree2Type::kAttributeName, heap.id_bytes() + 9, [&](std::string_view record) {
        Cursor cursor(record, image.widths(), "attribute record");
        const std::string_view id = cursor.take(heap.id_bytes());
        const unsigned flags = cursor.u8();
        const std::uint32_t order = cursor.u32();
        collect(list, [&] {
            const bool is_shared = (flags & kSharedRecord) != 0;
            add(image, list, is_shared ? shared_heap_object(image, MessageType::kAttribute, id) : heap.get(id), order);
        });
    });
}

void check_names(AttributeList& list) {
    std::unordered_set<std::string_view> names;
    std::vector<std::size_t> repeated;
    for (std::size_t i = 0; i < list.attributes.size(); ++i) {
        if (!names.insert(list.attributes[i].name).second) repeated.push_back(i);
    }
    for (auto i = repeated.rbegin(); i != repeated.rend(); ++i) {
        list.errors.emplace_back(ErrorCode::kDamaged,
                                 fmt::format("a second attribute has the name '{}'", list.attributes[*i].name));
        list.attributes.erase(list.attributes.begin() + static_cast<std::ptrdiff_t>(*i));
    }
}

}  // namespace

Attribute read_attribute(const Image& image, std::string_view bytes) {
    Cursor cursor(bytes, image.widths(), "attribute");
    const unsigned version = cursor.u8();
    require(version >= 1 && version <= 3, "attribute has version {}", version);
    const unsigned flags = version == 1 ? (cursor.skip(1), 0U) : cursor.u8();
    const std::uint64_t name_bytes = cursor.u16();
    const std::uint64_t type_bytes = cursor.u16();
    const std::uint64_t space_bytes = cursor.u16();
    if (version == 3) cursor.skip(1);  // character set of the name
    const auto padded = [version](std::uint64_t size) { return version == 1 ? (size + 7) / 8 * 8 : size; };
    const std::string_view name = cursor.take(padded(name_bytes)).substr(0, static_cast<std::size_t>(name_bytes));
    require(name.find('\0') != std::string_view::npos, "attribute name of {} bytes has no end", name_bytes);
    Attribute attribute;
    attribute.name = name.substr(0, name.find('\0'));
    MessageBody type{cursor.take(padded(type_bytes))};
    MessageBody space{cursor.take(padded(space_bytes))};
    try {
        if ((flags & kSharedType) != 0) type = shared_body(image, MessageType::kDatatype, type.bytes);
        if ((flags & kSharedSpace) != 0) space = shared_body(image, MessageType::kDataspace, space.bytes);
        Cursor type_cursor(type.bytes, image.widths(), "datatype");
        attribute.type = read_datatype(type_cursor, image.dialect());
        Cursor space_cursor(space.bytes, image.widths(), "dataspace");
        attribute.space = read_dataspace(space_cursor);
        const std::uint64_t size =
            checked_product(attribute.space.element_count, attribute.type->size_bytes, "attribute");
        require(size <= cursor.left(), "{} bytes are due, its message holds {}", size, cursor.left());
        attribute.bytes = cursor.take(size);
    } catch (const Error& error) {
        throw Error(error.code(), fmt::format("attribute '{}': {}", attribute.name, error.message()));
    }
    return attribute;
}

AttributeList read_attributes(const Image& image, const ObjectHeader& header) {
    AttributeList list;
    bool is_ordered = header.tracks_attribute_order;
    for (const Message& message : header.messages) {
        if (message.type != MessageType::kAttribute) continue;
        collect(list, [&] { add(image, list, message_body(image, message).bytes, message.creation_order); });
    }
    if (const Message* info = header.find(MessageType::kAttributeInfo)) {
        collect(list, [&] {
            Cursor cursor(info->bytes, image.widths(), "attribute info");
            cursor.version(0);
            if ((cursor.u8() & 1) != 0) cursor.skip(2);
            const std::uint64_t heap = cursor.address();
            const std::uint64_t tree = cursor.address();
            if (heap != kUndefinedAddress) read_dense(image, heap, tree, list);
        });
    }
    check_names(list);
    std::stable_sort(
        list.attributes.begin(), list.attributes.end(), [is_ordered](const Attribute& a, const Attribute& b) {
            return is_ordered ? a.creation_order.value_or(0) < b.creation_order.value_or(0) : a.name < b.name;
        });
    return list;
}

}  // namespace ckpt::h5
