// What a dataset is: dataspace, filters, fill value, layout. Facts: hdf5.md, 4, 11.1 and 12.
#include <algorithm>
#include <array>

#include "formats/shared/h5/filters.hpp"
#include "formats/shared/h5/messages.hpp"

namespace ckpt::h5 {
namespace {

void read_fill_value(const Image& image, const ObjectHeader& header, Dataset& dataset) {
    bool is_never_written = false;
    std::optional<std::uint32_t> size;
    bool is_undefined = false;
    std::string_view value;
    MessageBody body;
    if (const Message* message = header.find(MessageType::kFillValue)) {
        body = message_body(image, *message);
        Cursor cursor(body.bytes, image.widths(), "fill value");
        const unsigned version = cursor.u8();
        require(version >= 1 && version <= 3, "fill value has version {}", version);
        if (version == 3) {
            const unsigned flags = cursor.u8();
            is_never_written = ((flags >> 2) & 3) == 1;
            is_undefined = (flags & 16) != 0;
            if ((flags & 32) != 0) size = cursor.u32();
        } else {
            cursor.skip(1);
            is_never_written = cursor.u8() == 1;
            const bool is_defined = cursor.u8() != 0;
            if (version == 1 || is_defined) size = cursor.u32();
            is_undefined = (version == 2 && !is_defined) || size == 0xffffffffU;
            if (is_undefined) size.reset();
        }
        value = cursor.take(size.value_or(0));
    } else if (const Message* old = header.find(MessageType::kOldFillValue)) {
        body = message_body(image, *old);
        Cursor cursor(body.bytes, image.widths(), "fill value");
        value = cursor.take(cursor.u32());
    }
    dataset.fill_state = is_undefined ? FillState::kUndefined : value.empty() ? FillState::kDefault : FillState::kValue;
    require(value.empty() || value.size() == dataset.type->size_bytes, "fill value has {} bytes, its type {}",
            value.size(), dataset.type->size_bytes);
    // Where it is never written, unallocated data are undefined; zeros are as good as anything.
    if (!is_never_written) dataset.fill = value;
}

void read_compact(Layout& layout, std::string_view bytes, std::uint64_t due_bytes) {
    require(bytes.size() >= due_bytes, "compact data of {} bytes where {} are due", bytes.size(), due_bytes);
    layout.cls = LayoutClass::kCompact;
    layout.compact = bytes.substr(0, static_cast<std::size_t>(due_bytes));
}

/// Versions 1 and 2: dimensions of 32 bits, which are not to be trusted for contiguous data.
void read_old_layout(Cursor& cursor, Layout& layout, std::uint64_t due_bytes) {
    const unsigned rank = cursor.u8();
    const unsigned cls = cursor.u8();
    cursor.skip(5);
    require(cls <= 2, "layout has class {}", cls);
    require(rank >= 1 && rank <= kMaxRank + 1, "layout has rank {}", rank);
    layout.address = cls == 0 ? kUndefinedAddress : cursor.address();
    std::vector<std::uint64_t> dims(rank);
    for (std::uint64_t& dim : dims) dim = cursor.u32();
    layout.cls = static_cast<LayoutClass>(cls);
    layout.stored_size_bytes = due_bytes;
    if (layout.cls == LayoutClass::kCompact) {
        read_compact(layout, cursor.take(cursor.u32()), due_bytes);
    } else if (layout.cls == LayoutClass::kChunked) {
        layout.chunk = std::move(dims);
    }
}

void read_chunked_4(Cursor& cursor, Layout& layout) {
    const unsigned flags = cursor.u8();
    const unsigned rank = cursor.u8();
    const unsigned width = cursor.u8();
    require(flags <= 3 && rank <= kMaxRank + 1 && width >= 1 && width <= 8,
            "chunked layout has flags {}, rank {}, dimensions of {} bytes", flags, rank, width);
    layout.keeps_edges_raw = (flags & 1) != 0;
    layout.single_is_filtered = (flags & 2) != 0;
    for (unsigned i = 0; i < rank; ++i) layout.chunk.push_back(cursor.number(width));
    const unsigned index = cursor.u8();
    require(index >= 1 && index <= 5, "chunk index of type {}", index);
    layout.index = static_cast<ChunkIndex>(index);
    if (layout.index == ChunkIndex::kSingle && layout.single_is_filtered) {
        layout.stored_size_bytes = cursor.length();
        layout.filter_mask = cursor.u32();
    }
    // The parameters are repeated in the index's own header.
    constexpr std::array<unsigned, 6> kParameterBytes = {0, 0, 0, 1, 5, 6};
    cursor.skip(kParameterBytes[index]);
    layout.address = cursor.address();
}

void read_new_layout(Cursor& cursor, Layout& layout, std::uint64_t due_bytes) {
    const unsigned cls = cursor.u8();
    require(cls <= 2 || (cls == 3 && layout.version >= 4), "layout has class {}", cls);
    layout.cls = static_cast<LayoutClass>(cls);
    switch (layout.cls) {
        case LayoutClass::kCompact:
            return read_compact(layout, cursor.take(cursor.u16()), due_bytes);
        case LayoutClass::kContiguous:
            layout.address = cursor.address();
            layout.stored_size_bytes = cursor.length();
            return;
        case LayoutClass::kChunked:
            if (layout.version >= 4) return read_chunked_4(cursor, layout);
            {
                const unsigned rank = cursor.u8();
                require(rank <= kMaxRank + 1, "layout has rank {}", rank);
                layout.address = cursor.address();
                for (unsigned i = 0; i < rank; ++i) layout.chunk.push_back(cursor.u32());
            }
            return;
        case LayoutClass::kVirtual:
            layout.address = cursor.address();
            layout.virtual_index = cursor.u32();
            return;
    }
}

void check_contiguous(const Image& image, const Layout& layout, std::uint64_t due_bytes) {
    if (layout.address == kUndefinedAddress || layout.is_external) return;
    require(layout.stored_size_bytes >= due_bytes, "contiguous data of {} bytes where {} are due",
            layout.stored_size_bytes, due_bytes);
    if (due_bytes > 0) image.check(layout.address, due_bytes, "contiguous data");
}

/// The last dimension of the message is the element's size.
void check_chunked(Dataset& dataset, Dialect dialect) {
    Layout& layout = dataset.layout;
    // JLD2 counts the dimensions of Julia's array, which are none where the dataspace has a single one of size 1.
    const bool is_bare = layout.chunk.size() == 1 && dataset.space.dims == std::vector<std::uint64_t>{1};
    if (dialect == Dialect::kJld2 && is_bare) layout.chunk.insert(layout.chunk.begin(), 1);
    require(dataset.space.kind == Dataspace::Kind::kSimple && !dataset.space.dims.empty() &&
                layout.chunk.size() == dataset.space.dims.size() + 1,
            "chunks have rank {}, the dataset has {}", layout.chunk.empty() ? 0 : layout.chunk.size() - 1,
            dataset.space.dims.size());
    std::uint64_t size = 1;
    for (const std::uint64_t dim : layout.chunk) {
        require(dim > 0, "chunks have a dimension of 0");
        size = checked_product(size, dim, "chunk");
    }
    require(layout.chunk.back() == dataset.type->size_bytes, "chunks have elements of {} bytes, the type has {}",
            layout.chunk.back(), dataset.type->size_bytes);
    require(size < std::uint64_t{1} << 32 || layout.version >= 5, "chunks of {} bytes; 2^32 is the limit", size);
    layout.chunk.pop_back();
    layout.chunk_size_bytes = size;
    require(!layout.single_is_filtered || !dataset.filters.empty(), "a filtered chunk in a dataset without filters");
}

/// JLD2 0.1.12 to 0.3.1 gave a text of n bytes the shape of its bytes beside the type of the whole: of n times n bytes,
/// n are stored.
bool is_text_by_bytes(const Dataset& dataset, Cursor layout) {
    const std::uint64_t size = dataset.type->size_bytes;
    if (dataset.type->cls != TypeClass::kString || dataset.space.dims != std::vector<std::uint64_t>{size}) return false;
    if (layout.u8() < 3) return false;
    switch (static_cast<LayoutClass>(layout.u8())) {
        case LayoutClass::kCompact:
            return layout.u16() == size;
        case LayoutClass::kContiguous:
            layout.address();
            return layout.length() == size;
        default:
            return false;
    }
}

}  // namespace

Dataspace read_dataspace(Cursor& cursor) {
    Dataspace space;
    const unsigned version = cursor.u8();
    require(version == 1 || version == 2, "dataspace has version {}", version);
    const unsigned rank = cursor.u8();
    const unsigned flags = cursor.u8();
    require(rank <= kMaxRank, "dataspace has rank {}; {} is the limit", rank, kMaxRank);
    unsigned kind = rank == 0 ? 0 : 1;
    if (version == 2) {
        kind = cursor.u8();
        require(kind <= 2 && (kind == 1 || rank == 0), "dataspace has kind {} and rank {}", kind, rank);
    } else {
        cursor.skip(5);
        require((flags & 2) == 0, "dataspace with permuted dimensions");
    }
    space.kind = kind == 2 ? Dataspace::Kind::kNull : rank == 0 ? Dataspace::Kind::kScalar : Dataspace::Kind::kSimple;
    for (unsigned i = 0; i < rank; ++i) space.dims.push_back(cursor.length_or_unlimited());
    space.max_dims = space.dims;
    if ((flags & 1) != 0) {
        for (std::uint64_t& dim : space.max_dims) dim = cursor.length_or_unlimited();
    }
    space.element_count = space.kind == Dataspace::Kind::kNull ? 0 : 1;
    bool is_empty = false;
    for (std::size_t i = 0; i < rank; ++i) {
        require(space.dims[i] != Dataspace::kUnlimited, "dataspace has an unlimited size");
        require(space.dims[i] <= space.max_dims[i], "dataspace has size {} where {} is its maximum", space.dims[i],
                space.max_dims[i]);
        is_empty |= space.dims[i] == 0;
    }
    for (std::size_t i = 0; i < rank && !is_empty; ++i) {
        space.element_count = checked_product(space.element_count, space.dims[i], "dataspace");
    }
    if (is_empty) space.element_count = 0;
    return space;
}

std::vector<Filter> read_filters(Cursor& cursor) {
    const unsigned version = cursor.u8();
    require(version == 1 || version == 2, "filter pipeline has version {}", version);
    const unsigned count = cursor.u8();
    require(count <= kMaxFilters, "filter pipeline has {} filters; {} is the limit", count, kMaxFilters);
    if (version == 1) cursor.skip(6);
    std::vector<Filter> filters;
    for (unsigned i = 0; i < count; ++i) {
        Filter filter;
        filter.id = cursor.u16();
        std::uint64_t name_bytes = version == 1 || filter.id >= 256 ? cursor.u16() : 0;
        if (version == 1) name_bytes = (name_bytes + 7) / 8 * 8;
        filter.is_optional = (cursor.u16() & 1) != 0;
        const unsigned parameters = cursor.u16();
        const std::string_view name = cursor.take(name_bytes);
        filter.name = name.substr(0, name.find('\0'));
        if (!filter_name(filter.id).empty()) filter.name = filter_name(filter.id);
        require(parameters <= cursor.left() / 4, "filter {} claims {} parameters", filter.id, parameters);
        for (unsigned k = 0; k < parameters; ++k) filter.parameters.push_back(cursor.u32());
        if (version == 1 && parameters % 2 != 0) cursor.skip(4);
        filters.push_back(std::move(filter));
    }
    return filters;
}

Dataset read_dataset(const Image& image, const ObjectHeader& header) {
    const Message* type = header.find(MessageType::kDatatype);
    const Message* space = header.find(MessageType::kDataspace);
    const Message* layout = header.find(MessageType::kLayout);
    require(type != nullptr && space != nullptr && layout != nullptr, "dataset has no type, no shape or no layout");
    Dataset dataset;
    const MessageBody type_body = message_body(image, *type);
    dataset.type = image.recent_types().get(type_body.bytes, [&] {
        Cursor type_cursor(type_body.bytes, image.widths(), "datatype");
        return read_datatype(type_cursor, image.dialect());
    });
    dataset.type_is_committed = type_body.is_committed;
    dataset.type_address = type_body.committed_address;
    const MessageBody space_body = message_body(image, *space);
    Cursor space_cursor(space_body.bytes, image.widths(), "dataspace");
    dataset.space = read_dataspace(space_cursor);
    const MessageBody layout_body = message_body(image, *layout);
    Cursor cursor(layout_body.bytes, image.widths(), "layout");
    if (image.dialect() == Dialect::kJld2 && is_text_by_bytes(dataset, cursor)) dataset.space = Dataspace{};
    dataset.size_bytes = checked_product(dataset.space.element_count, dataset.type->size_bytes, "dataset");
    if (const Message* filters = header.find(MessageType::kFilters)) {
        const MessageBody body = message_body(image, *filters);
        Cursor filter_cursor(body.bytes, image.widths(), "filter pipeline");
        dataset.filters = read_filters(filter_cursor);
    }
    read_fill_value(image, header, dataset);
    if (const Message* external = header.find(MessageType::kExternalFiles)) {
        dataset.layout.is_external = true;
        dataset.layout.external = message_body(image, *external).bytes;
    }
    dataset.layout.version = cursor.u8();
    require(dataset.layout.version >= 1 && dataset.layout.version <= 5, "layout has version {}",
            dataset.layout.version);
    if (dataset.layout.version < 3) {
        read_old_layout(cursor, dataset.layout, dataset.size_bytes);
    } else {
        read_new_layout(cursor, dataset.layout, dataset.size_bytes);
    }
    if (dataset.layout.cls == LayoutClass::kContiguous) check_contiguous(image, dataset.layout, dataset.size_bytes);
    if (dataset.layout.cls == LayoutClass::kChunked) check_chunked(dataset, image.dialect());
    return dataset;
}

}  // namespace ckpt::h5
